"""C-STORE: take instances in as they stream by (PS3.4 annex B, routing-and-gateway 6.4).

A data set goes into the archive's group commit with the head of a file before it, and is answered when it is durable;
or to another intake, and is answered when that says what became of it.
What is small is collected and scanned where it arrives; what is larger goes to a thread, and what is large to disk
while it comes, so that memory stays flat for an instance of any size. A refused instance is swallowed to its end and
answered, and the association goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

from isocenter.archive.archive import Archive
from isocenter.archive.planning import Planner
from isocenter.archive.store import Announcement, begin_store
from isocenter.dicom.file_meta import write_file_head
from isocenter.dimse.message.messages import CStoreRq, CStoreRsp
from isocenter.dimse.message.statuses import INVALID_SOP_INSTANCE, SOP_CLASS_NOT_SUPPORTED, SUCCESS
from isocenter.dimse.scp.final_status import FinalStatus
from isocenter.dimse.scp.storage_classes import is_storage_class
from isocenter.dimse.shell.dispatch import comment_of
from isocenter.dimse.shell.exchange import Exchange, Peer
from isocenter.dimse.shell.service import DatasetSink, Service
from isocenter.dimse.ul.negotiation import AcceptorRole
from isocenter.dimse.ul.pdu import Buffer
from isocenter.domain.application_entity import AeService
from isocenter.domain.errors import Broken, InstanceExists, IsocenterError
from isocenter.domain.identifiers import is_uid
from isocenter.domain.outcome import StoreOutcome
from isocenter.domain.principal import Principal
from isocenter.domain.statuses import statuses_of

SCAN_INLINE_MAX_BYTES = 128 * 1024
"""A larger instance is scanned by a thread: a hostile header takes a scan some milliseconds for every 100 KB."""
DISK_WRITE_BYTES = 2 * 1024**2
"""Pieces of a large instance are gathered to this size before a thread writes them."""
MEMORY_MAX_BYTES = 256 * 1024**2
"""Of all instances that are on their way together; beyond it the larger of them go to disk at once."""
LARGER_BYTES = 256 * 1024
"""What is worth a file of its own when memory runs short."""
SOURCE = "c-store"


@dataclass(frozen=True, slots=True)
class Onward:
    """What becomes of instances that are taken in for others."""

    planner: Callable[[Peer], Planner]
    """Gives what plans for an instance of a peer; raises Unavailable while nothing is taken in."""
    note_refusal: Callable[[Peer, CStoreRq, int, str], None]
    """Called with status and reason of each instance that is refused."""
    wait_delivered: Callable[[StoreOutcome], Coroutine[None, None, tuple[int, str]]] | None = None
    """Waits until an instance is where it goes and returns status and comment; None: durable here is enough."""


@dataclass(frozen=True, slots=True)
class Announced:
    """What a sender says of an instance before its data set comes."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str


class Reception(Protocol):
    """One instance while its data set comes in."""

    @property
    def size_bytes(self) -> int:
        """Return how much has come."""
        ...

    def is_for_disk(self, length: int) -> bool:
        """Tell whether writing so many more bytes goes to disk and should not run where it would hold others up."""
        ...

    def write(self, chunk: Buffer) -> None:
        """Take the next bytes; raises errors of the tree."""
        ...

    def go_to_disk(self) -> None:
        """Free the memory: what came and what comes lies on disk from here on."""
        ...

    def finish_known(self) -> Future[Any] | None:
        """Finish it where that costs little, None where a thread has to do it."""
        ...

    def finish(self) -> Future[Any]:
        """Return what ends when it is stored, or with an error of the tree or FinalStatus."""
        ...

    def abort(self) -> None:
        """Drop what came in."""
        ...


class Intake(Protocol):
    """Where instances go in the place of the node's archive."""

    def begin(self, principal: Principal, announced: Announced) -> Reception:
        """Begin to take one in; raises Forbidden where the principal may not store."""
        ...


class Storage:
    """The storage service of a node, over its archive or another intake."""

    def __init__(
        self,
        archive: Archive | Intake,
        *,
        accepts_private_classes: bool = True,
        principal: Principal | None = None,
        onward: Onward | None = None,
    ) -> None:
        """Without a principal, what comes is stored as by the peer that sends it; with `onward`, for others."""
        self.archive = archive
        self.onward = onward
        self.principal = principal
        self.held_bytes = 0
        """In memory for all instances that are on their way."""
        self._accepts_private_classes = accepts_private_classes
        self._service = Service(
            AeService.STORE,
            frozenset(),
            receives={CStoreRq: self._receive},
            transfer_syntax_uids=None,
            role=AcceptorRole.BOTH,
        )

    def find(self, sop_class_uid: str) -> Service | None:
        """Return the service for a storage class, None for other classes."""
        if is_storage_class(sop_class_uid, accepts_private=self._accepts_private_classes):
            return self._service
        return None

    def _receive(self, exchange: Exchange, request: CStoreRq) -> DatasetSink:
        incoming = _Incoming(self, exchange, request)
        if request.affected_sop_class_uid != exchange.context.abstract_syntax_uid:
            incoming.refuse(SOP_CLASS_NOT_SUPPORTED, "The SOP class is not that of the presentation context.")
        elif not is_uid(request.affected_sop_instance_uid):
            incoming.refuse(INVALID_SOP_INSTANCE, "The SOP instance UID is none.")
        else:
            incoming.begin()
        return incoming


class _Incoming:
    """An instance on its way in."""

    def __init__(self, storage: Storage, exchange: Exchange, request: CStoreRq) -> None:
        self._storage = storage
        self._exchange = exchange
        self._request = request
        self._reception: Reception | None = None
        self._held_bytes = 0
        self._for_disk: list[Buffer] = []
        self._for_disk_bytes = 0
        self._is_for_disk = False
        self._is_whole = False
        self._more: asyncio.Event | None = None
        self._refusal: tuple[int, str] | None = None

    def begin(self) -> None:
        """Begin to collect; raises Forbidden where the peer may not store."""
        request, context = self._request, self._exchange.context
        archive = self._storage.archive
        principal = self._storage.principal or self._exchange.peer.principal
        if not isinstance(archive, Archive):
            uids = request.affected_sop_class_uid, request.affected_sop_instance_uid, context.transfer_syntax_uid
            self._reception = archive.begin(principal, Announced(*uids))
            return
        head = write_file_head(
            sop_class_uid=request.affected_sop_class_uid,
            sop_instance_uid=request.affected_sop_instance_uid,
            transfer_syntax_uid=context.transfer_syntax_uid,
            source_ae_title=self._exchange.peer.ae_title,
        )
        reception = self._reception = begin_store(
            archive,
            principal,
            source=SOURCE,
            announced=Announcement(request.affected_sop_class_uid, request.affected_sop_instance_uid, head),
        )
        onward = self._storage.onward
        if onward is not None:
            try:
                reception.planner = onward.planner(self._exchange.peer)
            except IsocenterError as error:
                self._refuse_by(error)

    # ---- what the association brings

    def write(self, data: Buffer) -> None:
        """Take the next piece of the data set; once it is refused the rest is only passed over."""
        reception = self._reception
        if reception is None:
            return
        if not self._is_for_disk and not self._belongs_on_disk(reception, len(data)):
            try:
                reception.write(data)
            except IsocenterError as error:
                self._refuse_by(error)
                return
            self._hold(len(data))
            return
        self._hold(len(data))
        self._for_disk.append(data)
        self._for_disk_bytes += len(data)
        if self._more is None:
            self._is_for_disk = True  # from here on the reception belongs to one thread at a time
            self._more = asyncio.Event()
            self._exchange.connection.spawn(self._write_to_disk(reception, self._more))
        if self._for_disk_bytes >= DISK_WRITE_BYTES:
            self._more.set()

    def _belongs_on_disk(self, reception: Reception, length: int) -> bool:
        is_short = self._storage.held_bytes > MEMORY_MAX_BYTES and reception.size_bytes > LARGER_BYTES
        return is_short or reception.is_for_disk(length)

    def end(self) -> None:
        """Answer a refused instance; finish another, at once or by a thread."""
        self._is_whole = True
        reception = self._reception
        if self._more is not None:
            self._more.set()
        elif reception is None:
            self._respond_refusal()
        elif reception.size_bytes <= SCAN_INLINE_MAX_BYTES:
            self._finish(reception)
        else:
            self._finish_if_known(reception)

    def abandon(self) -> None:
        """Drop what came: the association has ended."""
        reception, self._reception = self._reception, None
        if reception is not None and not self._is_for_disk:
            reception.abort()
        self._let_go()

    # ---- in memory

    def _finish(self, reception: Reception) -> None:
        try:
            self._submitted(reception.finish())
        except IsocenterError as error:
            self._refuse_by(error)
            self._respond_refusal()

    def _finish_if_known(self, reception: Reception) -> None:
        """Scan here what costs little, and have a thread do it where the header is new."""
        try:
            future = reception.finish_known()
        except IsocenterError as error:
            self._refuse_by(error)
            self._respond_refusal()
            return
        if future is None:
            self._exchange.connection.spawn(self._finish_elsewhere(reception))
        else:
            self._submitted(future)

    async def _finish_elsewhere(self, reception: Reception) -> None:
        try:
            self._submitted(await self._exchange.run(reception.finish))
        except IsocenterError as error:
            self._refuse_by(error)
            self._respond_refusal()
        except asyncio.CancelledError:
            self._let_go()
            raise

    # ---- on disk

    async def _write_to_disk(self, reception: Reception, more: asyncio.Event) -> None:
        is_finishing = False
        try:
            await self._exchange.run(reception.go_to_disk)
            while not (self._is_whole and not self._for_disk):
                await more.wait()
                more.clear()
                await self._write_pieces(reception)
            is_finishing = True
            self._submitted(await self._exchange.run(reception.finish))
        except IsocenterError as error:
            await self._exchange.run(reception.abort)
            self._refuse_by(error)
            if self._is_whole:
                self._respond_refusal()
        except asyncio.CancelledError:
            self._let_go()
            if not is_finishing:  # else it is the group commit's, or was dropped by what failed
                await self._exchange.run(reception.abort)
            raise

    async def _write_pieces(self, reception: Reception) -> None:
        pieces, self._for_disk, self._for_disk_bytes = self._for_disk, [], 0

        def write_all() -> None:
            for piece in pieces:
                reception.write(piece)

        await self._exchange.run(write_all)
        self._let_go(keep=self._for_disk_bytes)

    # ---- answers

    def _submitted(self, future: Future[Any]) -> None:
        self._exchange.connection.watch(future, self._settled)

    def _settled(self, future: Future[Any]) -> None:
        error = future.exception()
        onward = self._storage.onward
        if error is None:
            self._let_go()
            if onward is None or onward.wait_delivered is None:
                self._respond(SUCCESS, None)
            else:
                self._exchange.connection.spawn(self._respond_delivered(onward.wait_delivered(future.result())))
        elif isinstance(error, FinalStatus):
            self._let_go()
            self._respond(error.status, error.comment)
        else:
            self._refuse_by(error if isinstance(error, IsocenterError) else Broken())
            self._respond_refusal()

    async def _respond_delivered(self, delivered: Coroutine[None, None, tuple[int, str]]) -> None:
        status, comment = await delivered
        self._respond(status, comment)

    def _refuse_by(self, error: IsocenterError) -> None:
        message = "Another instance with this UID is stored." if isinstance(error, InstanceExists) else error.message
        self.refuse(statuses_of(error).dimse_status, message)

    def refuse(self, status: int, comment: str) -> None:
        """Take no more of it, and answer so when its end has come."""
        self._refusal = status, comment
        self._reception = None
        self._for_disk.clear()
        self._for_disk_bytes = 0
        self._more = None
        self._let_go()

    def _respond_refusal(self) -> None:
        status, comment = self._refusal or (statuses_of(Broken()).dimse_status, "")
        if self._storage.onward is not None:
            self._storage.onward.note_refusal(self._exchange.peer, self._request, status, comment)
        self._respond(status, comment)

    def _respond(self, status: int, comment: str | None) -> None:
        response = CStoreRsp(
            message_id_being_responded_to=self._request.message_id,
            affected_sop_class_uid=self._request.affected_sop_class_uid,
            affected_sop_instance_uid=self._request.affected_sop_instance_uid,
            status=status,
            error_comment=comment_of(comment) if comment else None,
        )
        self._exchange.connection.respond(self._exchange, response)

    def _hold(self, size_bytes: int) -> None:
        self._held_bytes += size_bytes
        self._storage.held_bytes += size_bytes
        self._exchange.connection.hold(size_bytes)

    def _let_go(self, *, keep: int = 0) -> None:
        freed, self._held_bytes = self._held_bytes - keep, keep
        self._storage.held_bytes -= freed
        self._exchange.connection.let_go(freed)
