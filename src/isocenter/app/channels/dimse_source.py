"""A channel whose instances come over associations: a listener with a title and port of its own.

Paused, the port is open and each association is rejected as temporary congestion, so that senders try again; stopped,
nobody listens there.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import structlog

from isocenter.app.admitting import ae_table, only_callers
from isocenter.app.channels.acknowledgement import DeliveryWait
from isocenter.app.channels.committing import commitment_provider
from isocenter.app.channels.control import Running
from isocenter.app.channels.gate import Gate
from isocenter.app.channels.planner import ArrivalPlanner, Sender
from isocenter.app.dicom import bind, tls_settings
from isocenter.app.settings import DicomSettings
from isocenter.archive.archive import Archive
from isocenter.dimse.message.messages import CStoreRq
from isocenter.dimse.scp.commitment import CommitmentProvider
from isocenter.dimse.scp.echo import echo_service
from isocenter.dimse.scp.listener import BACKLOG, Busy, Endpoint, Listener, ListenerLimits
from isocenter.dimse.scp.store import Onward, Storage
from isocenter.dimse.scp.users import Users
from isocenter.dimse.scu.client import Opener
from isocenter.dimse.shell.exchange import Peer
from isocenter.dimse.shell.record import AssociationRegister
from isocenter.dimse.shell.runtime import Runtime
from isocenter.dimse.shell.service import Service, ServiceTable
from isocenter.dimse.shell.tls import client_context, server_context
from isocenter.domain.application_entity import AeService
from isocenter.domain.errors import StorageFull, Unavailable
from isocenter.domain.outcome import StoreOutcome
from isocenter.identity.application_entity import AeTable
from isocenter.routing.configuration.channel import Acknowledgement, DimseSource

_log = structlog.get_logger()

SERVICES = frozenset(
    {AeService.ECHO, AeService.STORE, AeService.COMMITMENT, AeService.WORKLIST, AeService.PERFORMED_STEP}
)


@dataclass(frozen=True, slots=True)
class Associations:
    """What listeners of channels share with the node."""

    archive: Archive
    settings: DicomSettings
    register: AssociationRegister
    users: Users | None
    runtime: Callable[[], Runtime]
    """Gives what associations work with, in the running event loop."""
    further: Callable[[], Sequence[Service]] = tuple
    """Gives what listeners offer besides storage: the work list of a RIS and performed steps, where there is one."""
    claim_title: Callable[[str], bool] = lambda ae_title: True
    """Takes over the storage commitments that are asked of a title; says no where the node itself has that title."""


class DimseChannelSource:
    """The listener of one channel."""

    stays_open_paused = True

    def __init__(self, source: DimseSource, gate: Gate, shared: Associations) -> None:
        self._source = source
        self._gate = gate
        self._shared = shared
        self._socket: socket.socket | None = None
        self._listener: Listener | None = None
        self._commitment: CommitmentProvider | None = None

    @property
    def address(self) -> str:
        """Return title, host and port; the port that was given where any would do."""
        listen = self._source.listen
        if self._socket is None or listen.port:
            return str(listen)
        return str(replace(listen, port=self._socket.getsockname()[1]))

    @property
    def port(self) -> int:
        """Return the port that it is to listen on."""
        return self._source.listen.port

    def bind(self) -> None:
        """Take the port before anything else is changed; raises Unavailable where somebody has it."""
        if self._socket is None:
            self._socket = bind(self._source.listen)

    def release(self) -> None:
        """Let go of a port that was only bound."""
        if self._listener is None and self._socket is not None:
            self._socket.close()
            self._socket = None

    async def open(self) -> None:
        """Listen for associations. Raises Unavailable where the port is taken, InvalidSetting where TLS has no keys."""
        self.bind()
        assert self._socket is not None
        shared, listen = self._shared, self._source.listen
        table = only_callers(
            ae_table(shared.settings, listen.ae_title, [listen.host]), self._source.callers, services=SERVICES
        )
        try:
            self._socket.listen(BACKLOG)
        except OSError as error:
            self.release()
            raise Unavailable(f"Cannot listen on {self._source.listen}: {error.strerror or error}.") from error
        limits = ListenerLimits(shared.settings.associations_max, shared.settings.associations_per_ae_max)
        tls = server_context(tls_settings(shared.settings)) if self._source.uses_tls else None
        runtime = shared.runtime()
        commitment = self._provide_commitment(runtime, table)
        further = [*shared.further(), *([] if commitment is None else [commitment.service()])]
        listener = Listener(
            runtime,
            shared.register,
            table,
            ServiceTable([echo_service(), *further], other=self._storage().find),
            limits=limits,
            users=shared.users,
            objection=self._objection,
        )
        await listener.start([Endpoint(self._socket, tls)])
        self._listener, self._commitment = listener, commitment
        if commitment is not None:
            commitment.start()
        _log.info("channel.listening", channel=self._gate.name, address=self.address)

    async def close(self) -> None:
        """Listen no more; what is on its way is answered, other associations are aborted."""
        listener, self._listener = self._listener, None
        commitment, self._commitment = self._commitment, None
        if commitment is not None:
            await commitment.stop()
        if listener is not None:
            await listener.stop()
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _provide_commitment(self, runtime: Runtime, table: AeTable) -> CommitmentProvider | None:
        shared, settings = self._shared, self._shared.settings
        if not shared.claim_title(table.ae_title):
            return None
        uses_tls = any(remote.uses_tls for remote in settings.remotes)
        tls = client_context(tls_settings(settings)) if uses_tls else None
        return commitment_provider(
            shared.archive,
            runtime,
            Opener(runtime, shared.register, table.ae_title, tls=tls),
            acknowledge=self._source.acknowledge,
            find_peer=replace(table, remotes=settings.remotes).destination,
            accepts_private_classes=settings.private_sop_classes == "accept",
        )

    def _storage(self) -> Storage:
        is_delivered = self._source.acknowledge is Acknowledgement.DELIVERED
        onward = Onward(self._planner, self._note_refusal, self._wait_delivered if is_delivered else None)
        accepts_private = self._shared.settings.private_sop_classes == "accept"
        return Storage(self._shared.archive, accepts_private_classes=accepts_private, onward=onward)

    def _planner(self, peer: Peer) -> ArrivalPlanner:
        return self._gate.planner(Sender(peer.ae_title, self._source.listen.ae_title, peer.address))

    def _note_refusal(self, peer: Peer, request: CStoreRq, status: int, reason: str) -> None:
        self._gate.note_refusal(
            f"{peer.ae_title}@{peer.address}",
            status=f"{status:04X}",
            reason=reason,
            sop_instance_uid=request.affected_sop_instance_uid,
            sop_class_uid=request.affected_sop_class_uid,
        )

    async def _wait_delivered(self, outcome: StoreOutcome) -> tuple[int, str]:
        answer = await DeliveryWait(self._shared.archive.index.ledger).answer(outcome)
        return answer.status, answer.comment

    def _objection(self) -> Busy | None:
        """Return why no association is let in for now: the sender is told so before it sends anything."""
        gate = self._gate
        if gate.running is not Running.STARTED:
            return Busy(f"the channel {gate.name} is paused", f"`isocenter channel start {gate.name}` goes on.")
        try:
            self._shared.archive.index.require_room()
        except StorageFull as error:
            return Busy("no room is left", error.message)
        return None
