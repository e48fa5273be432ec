"""Listen for associations, admit or reject each, and end them all in peace.

connection ─▶ A-ASSOCIATE-RQ ─▶ limits ─▶ AE table ─▶ user ─▶ contexts ─▶ accepted: services perform
                                   │          │         │
                                   └──────────┴─────────┴─▶ rejected, with a line in the log that says what to change
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from weakref import WeakSet

import structlog

from isocenter.dimse.scp.admission import REJECTIONS, Addresses, negotiation_policy
from isocenter.dimse.scp.users import Users, objection_to, shown_user
from isocenter.dimse.shell.connection import Connection
from isocenter.dimse.shell.exchange import Peer
from isocenter.dimse.shell.record import AssociationRegister, End
from isocenter.dimse.shell.runtime import Runtime
from isocenter.dimse.shell.service import ServiceTable
from isocenter.dimse.ul.negotiation import negotiate
from isocenter.dimse.ul.pdu import (
    REJECT_LOCAL_LIMIT_EXCEEDED,
    REJECT_TEMPORARY_CONGESTION,
    AssociateAc,
    AssociateRj,
    AssociateRq,
    ContextResult,
)
from isocenter.dimse.ul.user_information import UserIdentityRq
from isocenter.domain.application_entity import UserIdentityRule
from isocenter.identity.application_entity import Admitted, AeTable, Caller, NotAdmitted, plain_address

_log = structlog.get_logger()

BACKLOG = 512
"""Connections that the kernel holds ready; a burst of a whole department."""
NEGOTIATING_MAX = 256
"""Connections beyond the associations, which are negotiating or being rejected; further ones are dropped unheard."""
DRAIN_TIMEOUT_S = 10.0
"""How long requests in hand may take to be answered when the node stops; then their associations are aborted."""


@dataclass(frozen=True, slots=True)
class ListenerLimits:
    """How many associations there may be."""

    associations_max: int = 1000
    associations_per_ae_max: int = 500


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A socket to listen on, and TLS if it is spoken there."""

    socket: socket.socket
    tls: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True)
class Busy:
    """Why nobody is let in for the time being, and what an operator does about it."""

    reason: str
    advice: str


class _Dropped(asyncio.Protocol):
    """A connection too many."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        transport.abort()


class Listener:
    """Accept associations on some sockets."""

    def __init__(
        self,
        runtime: Runtime,
        register: AssociationRegister,
        table: AeTable,
        services: ServiceTable,
        *,
        limits: ListenerLimits,
        users: Users | None = None,
        objection: Callable[[], Busy | None] = lambda: None,
    ) -> None:
        """`users` verifies those whom the table wants verified; `objection` tells why nobody is let in for now."""
        self._runtime = runtime
        self._register = register
        self._table = table
        self._services = services
        self._limits = limits
        self._users = users
        self._objection = objection
        self._addresses = Addresses(runtime.loop)
        self._servers: list[asyncio.Server] = []
        self._connections: set[Connection] = set()
        self._made: WeakSet[Connection] = WeakSet()
        """With those that shake hands; of one that fails nobody tells, it is just gone."""
        self._accepted: dict[Connection, str] = {}
        """With the AE title that each counts for."""
        self._by_ae_title: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_stopping = False

    async def start(self, endpoints: Sequence[Endpoint]) -> None:
        """Begin to accept connections on sockets that are bound."""
        for endpoint in endpoints:
            timeout_s = None if endpoint.tls is None else self._runtime.limits.artim_timeout_s
            server = await self._runtime.loop.create_server(
                self._connect, sock=endpoint.socket, ssl=endpoint.tls, backlog=BACKLOG, ssl_handshake_timeout=timeout_s
            )
            self._servers.append(server)

    async def stop(self, *, timeout_s: float = DRAIN_TIMEOUT_S) -> None:
        """Accept no more, let requests in hand be answered, then abort what is left."""
        self._is_stopping = True
        for server in self._servers:
            server.close()
        connections = list(self._connections)
        for connection in connections:
            connection.abort_when_idle("The node stops.")
        if connections:
            await asyncio.wait([connection.over for connection in connections], timeout=timeout_s)
        for connection in connections:
            connection.abort("The node stops.")
            connection.hang_up()
        for connection in connections:
            await connection.wait_ended()
        for task in self._tasks:
            task.cancel()

    def _connect(self) -> asyncio.Protocol:
        if self._is_stopping or len(self._made) >= self._limits.associations_max + NEGOTIATING_MAX:
            _log.warning("association.dropped", reason="too many connections", connections=len(self._made))
            return _Dropped()
        connection = Connection(self._runtime, self._register, self, request=None)
        self._made.add(connection)
        return connection

    # ---- turns of an association (shell.connection.Owner)

    def connected(self, connection: Connection) -> None:
        """Keep a connection whose handshake, if there is one, went well."""
        self._connections.add(connection)

    def requested(self, connection: Connection, request: AssociateRq) -> None:
        """Decide about a request; where a name must be looked up for it, later."""
        refusal = self._beyond_limits(request.calling_ae_title)
        if refusal is not None:
            self._reject(connection, request, *refusal)
            return
        hosts = self._table.hosts(request.calling_ae_title) if self._table.checks_addresses else []
        addresses = self._addresses.known(hosts)
        if addresses is not None:
            self._decide(connection, request, addresses)
        else:
            self._later(connection, request, self._decide_by_names(connection, request, hosts))

    def _later(self, connection: Connection, request: AssociateRq, deciding: Coroutine[None, None, None]) -> None:
        task = self._runtime.loop.create_task(self._guard(connection, request, deciding))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guard(self, connection: Connection, request: AssociateRq, deciding: Coroutine[None, None, None]) -> None:
        try:
            await deciding
        except Exception:  # outermost loop of a request: the caller must not wait for ever
            _log.exception("association.undecided", association_id=connection.record.association_id)
            self._reject(connection, request, REJECT_TEMPORARY_CONGESTION, "a fault of this node", "See above it.")

    async def _decide_by_names(self, connection: Connection, request: AssociateRq, hosts: list[str]) -> None:
        self._decide(connection, request, await self._addresses.look_up(hosts))

    def _beyond_limits(self, calling_ae_title: str) -> tuple[AssociateRj, str, str] | None:
        limits = self._limits
        if self._is_stopping:
            return REJECT_TEMPORARY_CONGESTION, "the node stops", "Call again when it has started."
        busy = self._objection()
        if busy is not None:
            return REJECT_TEMPORARY_CONGESTION, busy.reason, busy.advice
        if len(self._accepted) >= limits.associations_max:
            return (
                REJECT_TEMPORARY_CONGESTION,
                f"{limits.associations_max} associations are open",
                "Raise dicom.associations_max if the machine can take it.",
            )
        if self._by_ae_title[calling_ae_title] >= limits.associations_per_ae_max:
            return (
                REJECT_LOCAL_LIMIT_EXCEEDED,
                f"the caller has {limits.associations_per_ae_max} associations open",
                "Have it release what it does not use, or raise dicom.associations_per_ae_max.",
            )
        return None

    def _decide(self, connection: Connection, request: AssociateRq, addresses: dict[str, frozenset[str]]) -> None:
        if not connection.is_open:
            return
        address = plain_address(connection.record.peer_address)
        caller = Caller(
            calling_ae_title=request.calling_ae_title,
            called_ae_title=request.called_ae_title,
            address=address,
            certificate=connection.peer_certificate,
        )
        admission = self._table.admit(caller, addresses=addresses)
        if isinstance(admission, NotAdmitted):
            self._refuse(connection, request, admission)
            return
        rule, shown = self._table.user_rule(admission.remote), shown_user(request.user_information)
        objection = objection_to(rule, admission, shown)
        if objection is not None:
            self._refuse(connection, request, objection)
        elif shown is None or rule is UserIdentityRule.IGNORE:
            self._accept(connection, request, admission)
        else:
            self._later(connection, request, self._decide_about_user(connection, request, admission, shown, address))

    async def _decide_about_user(
        self, connection: Connection, request: AssociateRq, caller: Admitted, shown: UserIdentityRq, address: str
    ) -> None:
        assert self._users is not None, "whoever makes a table that wants users verified says by whom"
        admission = await self._users.admit(caller, shown, address=address)
        if not connection.is_open:
            return
        if isinstance(admission, NotAdmitted):
            self._refuse(connection, request, admission)
            return
        connection.record.user_name = admission.principal.name or "a user without a name"
        self._accept(connection, request, admission)
        without_right = sorted(caller.services - admission.services)
        if without_right and connection.record.refused_contexts:
            _log.info(
                "association.user_limited",
                association_id=connection.record.association_id,
                user=connection.record.user_name,
                without_right=without_right,
                advice="Should the user have it, `isocenter role assign` gives the role.",
            )

    def _accept(self, connection: Connection, request: AssociateRq, admission: Admitted) -> None:
        beyond = self._beyond_limits(request.calling_ae_title)  # others may have been quicker while this one waited
        if beyond is not None:
            self._reject(connection, request, *beyond)
            return
        policy = negotiation_policy(
            request,
            self._services,
            admission.services,
            pdu_length_max=self._runtime.pdu_length_max,
            has_verified_user=bool(connection.record.user_name),
        )
        address = plain_address(connection.record.peer_address)
        peer = Peer(request.calling_ae_title, address, admission.principal, admission.services, admission.remote)
        answer = negotiate(request, policy)
        self._accepted[connection] = request.calling_ae_title
        self._by_ae_title[request.calling_ae_title] += 1
        connection.accept(answer, peer=peer, services=self._services)
        self._log_accepted(connection, answer)

    def _log_accepted(self, connection: Connection, answer: AssociateAc) -> None:
        results = Counter(context.result == ContextResult.ACCEPTANCE for context in answer.presentation_contexts)
        refused = sorted({context.abstract_syntax_uid for context in connection.record.refused_contexts})
        _log.info(
            "association.accepted",
            association_id=connection.record.association_id,
            calling_ae_title=connection.record.calling_ae_title,
            peer=connection.record.peer_address,
            contexts=results[True],
            **({"user": connection.record.user_name} if connection.record.user_name else {}),
            **({"refused": refused} if refused else {}),
        )

    def _refuse(self, connection: Connection, request: AssociateRq, refusal: NotAdmitted) -> None:
        objection = refusal.objection
        self._reject(connection, request, REJECTIONS[objection], objection.value, refusal.advice)

    def _reject(
        self, connection: Connection, request: AssociateRq, answer: AssociateRj, reason: str, advice: str
    ) -> None:
        _log.warning(
            "association.rejected",
            association_id=connection.record.association_id,
            calling_ae_title=request.calling_ae_title,
            called_ae_title=request.called_ae_title,
            peer=connection.record.peer_address,
            reason=reason,
            advice=advice,
        )
        connection.reject(answer, cause=reason)

    def accepted(self, connection: Connection, answer: AssociateAc) -> None:
        """Take no notice: no association is requested here."""

    def rejected(self, connection: Connection, answer: AssociateRj) -> None:
        """Take notice of a request that the upper layer could not serve at all."""
        _log.warning(
            "association.rejected",
            association_id=connection.record.association_id,
            calling_ae_title=connection.record.calling_ae_title,
            peer=connection.record.peer_address,
            reason=connection.record.cause,
            advice="The caller speaks another protocol, or a version of it that nobody else does.",
        )

    def ended(self, connection: Connection) -> None:
        """Count an association off."""
        self._connections.discard(connection)
        self._made.discard(connection)
        calling_ae_title = self._accepted.pop(connection, None)
        if calling_ae_title is None:
            return
        self._by_ae_title[calling_ae_title] -= 1
        if not self._by_ae_title[calling_ae_title]:
            del self._by_ae_title[calling_ae_title]
        record = connection.record
        log = _log.info if record.end in (End.RELEASED, None) else _log.warning
        log(
            "association.ended",
            association_id=record.association_id,
            calling_ae_title=record.calling_ae_title,
            end=record.end.value if record.end is not None else None,
            **({"cause": record.cause} if record.cause else {}),
            bytes_received=record.bytes_received,
            bytes_sent=record.bytes_sent,
        )
