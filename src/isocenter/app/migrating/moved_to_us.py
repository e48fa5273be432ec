"""A source that only moves: it is asked by C-MOVE to send to us, and we listen for what comes.

The listener lives as long as the source is open, in an event loop of its own. What comes goes into the spool under the
UIDs that its own bytes tell, whichever series it was asked for with.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from isocenter.app.committing import bind
from isocenter.app.dimse_listing import Listed, list_instances
from isocenter.app.dimse_peer import THREADS, DimsePeer
from isocenter.app.dimse_taking import Taking
from isocenter.app.fetching import FetchReport, read_identifier
from isocenter.app.instance_files import PartialFile, instance_path, place
from isocenter.app.migrating.ends import OnAnswer
from isocenter.app.migrating.peer_end import PeerSource
from isocenter.app.retrieving import scope_identifier
from isocenter.dicom.dictionary import storage_class_names
from isocenter.dimse.message.statuses import SUCCESS
from isocenter.dimse.scp.echo import echo_service
from isocenter.dimse.scp.listener import Endpoint, Listener, ListenerLimits
from isocenter.dimse.scu.client import Opener, ProposedContext
from isocenter.dimse.scu.retrieve import STUDY_ROOT_MOVE, move
from isocenter.dimse.shell.record import AssociationRegister
from isocenter.dimse.shell.runtime import Completions, Runtime, Times
from isocenter.dimse.shell.service import ServiceTable
from isocenter.domain.application_entity import ANY_HOST, AeService, RemoteAe
from isocenter.domain.identifiers import Scope
from isocenter.domain.statuses import CANNOT_UNDERSTAND
from isocenter.identity.application_entity import AeTable
from isocenter.ports.frame_decoder import FrameDecoder

START_TIMEOUT_S = 10.0
"""For the listener's thread to come up, which takes milliseconds."""
STOP_TIMEOUT_S = 5.0
NOT_AUTHORIZED = 0x0124
"""To who sends what was not asked for (PS3.7 C.5)."""
NOT_SENT = "the peer lists it and did not send it"


@dataclass(slots=True)
class SharedTaking(Taking):
    """Takes what comes for all series that are asked for, and nothing else."""

    awaited: Counter[str] = field(default_factory=Counter)
    """How many retrievals of a study are under way, by its UID; changed under the lock alone."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def awaiting(self, study_instance_uid: str) -> Iterator[None]:
        """Take instances of a study for the length of a block."""
        with self.lock:
            self.awaited[study_instance_uid] += 1
        try:
            yield
        finally:
            with self.lock:
                self.awaited[study_instance_uid] -= 1

    def keep(self, partial: PartialFile) -> int:
        """Give what came its name if somebody waits for it; runs in a thread."""
        identifier = read_identifier(partial.path)
        if identifier is None:
            return CANNOT_UNDERSTAND
        with self.lock:
            is_awaited = self.awaited[identifier.study_instance_uid] > 0
        if not is_awaited:
            return NOT_AUTHORIZED
        place(partial.path, instance_path(self.folder, identifier))
        return SUCCESS


class MovingSource(PeerSource):
    """Another AE as source, asked by C-MOVE."""

    def __init__(self, peer: DimsePeer, decoder: FrameDecoder, listens_on: tuple[str, int]) -> None:
        """Begin to listen; raises Unavailable where the port is taken."""
        super().__init__(peer, decoder)
        self._socket = bind(*listens_on)
        self._taking: SharedTaking | None = None
        self._ready = threading.Event()
        self._starting = threading.Lock()
        self._loop = asyncio.new_event_loop()
        self._listener: Listener | None = None
        self._thread = threading.Thread(target=self._serve, name="moved-to-us", daemon=True)

    def fetch(self, scope: Scope, folder: Path, on_answer: OnAnswer) -> FetchReport:
        """Bring what of a scope is not yet in a folder, by C-MOVE to us."""
        taking = self._start(folder)
        report = FetchReport()
        with taking.awaiting(scope.study_instance_uid):
            listed = self._peer.call(lambda opener: self._fetch(opener, scope, on_answer))
        for one in listed or ():
            if not instance_path(folder, one.identifier).exists():
                told = taking.failed.pop(one.identifier.sop_instance_uid, NOT_SENT)
                report.note_failure(one.identifier.sop_instance_uid, told)
        return report

    async def _fetch(self, opener: Opener, scope: Scope, on_answer: OnAnswer) -> list[Listed] | None:
        listed = await list_instances(opener, self._peer, scope)
        on_answer()
        async with opener.association(self._peer.remote, [ProposedContext(STUDY_ROOT_MOVE)]) as association:
            await move(association, scope_identifier(scope), destination=self._peer.calling_ae_title)
        return listed

    def _start(self, folder: Path) -> SharedTaking:
        with self._starting:
            if self._taking is not None:
                return self._taking
            self._taking = SharedTaking(Scope(""), folder, FetchReport(), lambda report: None)
            self._thread.start()
            self._ready.wait(START_TIMEOUT_S)
            return self._taking

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        with ThreadPoolExecutor(THREADS, "received") as executor:
            runtime = Runtime(
                loop=self._loop,
                executor=executor,
                picture_executor=executor,
                completions=Completions(self._loop),
                now=lambda: datetime.now(UTC),
                times=Times(dimse_s=self._peer.timeout_s),
            )
            self._loop.run_until_complete(self._listen(runtime))
            self._ready.set()
            self._loop.run_forever()
            if self._listener is not None:
                self._loop.run_until_complete(self._listener.stop(timeout_s=1.0))
        self._loop.close()

    async def _listen(self, runtime: Runtime) -> None:
        assert self._taking is not None, "set before the thread starts"
        caller = RemoteAe(self._peer.remote.ae_title, ANY_HOST, services=frozenset({AeService.ECHO, AeService.STORE}))
        table = AeTable(self._peer.calling_ae_title, (caller,))
        storage = replace(self._taking.service(frozenset(storage_class_names())), transfer_syntax_uids=None)
        services = ServiceTable([echo_service(), storage])
        self._listener = Listener(runtime, AssociationRegister(), table, services, limits=ListenerLimits())
        await self._listener.start([Endpoint(self._socket)])

    def close(self) -> None:
        """Stop listening."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(STOP_TIMEOUT_S)
        else:
            self._loop.close()
        self._socket.close()
