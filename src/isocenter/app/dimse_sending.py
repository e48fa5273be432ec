"""Send DICOM files to an AE by C-STORE, over one or several associations, with a journal of what it acknowledged.

    files ──▶ window ──▶ kinds ──▶ contexts ──▶ associations ──▶ per instance: acknowledged or failed
                                                              └─▶ journal

A window of files is looked into before anything of it is sent, so that one association proposes what all of them need.
An association that is lost is opened again for the instance that was under way; this is the one retry of the journey.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from isocenter.app.dimse_peer import DimsePeer
from isocenter.app.finding import FindRequest, build_identifier
from isocenter.app.journal import Journal
from isocenter.app.outgoing_files import OutgoingFile, begin, iter_converted, iter_dataset, look_into
from isocenter.app.part10_files import FoundFile
from isocenter.app.sending import SendReport
from isocenter.dicom.syntax import transfer_syntax
from isocenter.dimse.message.messages import CStoreRsp
from isocenter.dimse.message.statuses import SUCCESS, StatusCategory, category_of
from isocenter.dimse.scu.client import Opener, ProposedContext, close
from isocenter.dimse.scu.context_plan import ContextPlan, InstanceKind, choose_context, plan_contexts
from isocenter.dimse.scu.errors import AssociationRefused, ContextRefused, PeerBusy, RequestFailed
from isocenter.dimse.scu.find import STUDY_ROOT_FIND, find
from isocenter.dimse.scu.requests import describe_refusal, named
from isocenter.dimse.scu.status_texts import describe_status
from isocenter.dimse.scu.store import store
from isocenter.dimse.shell.connection import Connection
from isocenter.dimse.ul.contexts import AcceptedContext
from isocenter.dimse.ul.errors import AssociationOver
from isocenter.dimse.ul.pdu import Buffer
from isocenter.dimse.ul.query_extensions import FindExtensions, decode_find_extensions, encode_find_extensions
from isocenter.domain.errors import InvalidDataset, NotAcceptable, PeerUnreachable, Unavailable
from isocenter.domain.identifiers import Level
from isocenter.ports.frame_decoder import FrameDecoder
from isocenter.storage.decoding.pool import DecodingPool

WINDOW_COUNT = 1000
"""Files that are looked into ahead: enough to learn of the kinds in a folder, and a moment's work."""
ATTEMPTS_MAX = 2
"""An instance with which two associations ended is left out."""
LOST_IN_A_ROW_MAX = 3
"""So many instances one after the other: the peer, not the instances, is at fault."""
RELATIONAL_FIND = ProposedContext(
    STUDY_ROOT_FIND, extensions=encode_find_extensions(FindExtensions(relational_queries=True))
)
OnSent = Callable[[int], None]


@dataclass(slots=True)
class DimseSender:
    """Sends files to one peer and notes what became of each."""

    opener: Opener
    peer: DimsePeer
    decoder: FrameDecoder
    journal: Journal
    report: SendReport
    on_sent: OnSent
    parallel: int = 1
    """Associations at a time."""
    _seen: dict[InstanceKind, None] = field(default_factory=dict)
    _lanes: list[_Lane] = field(default_factory=list)
    _plan: ContextPlan | None = None

    async def send(self, files: Iterable[FoundFile]) -> None:
        """Send files; raises Unavailable when the peer takes nothing more. The journal holds what it acknowledged."""
        source = iter(files)
        try:
            while window := await self.opener.runtime.run(self._look_into, source):
                for plan in self._plans(window):
                    await self._send_by(plan, deque(each for each in window if plan.covers(each.kind)))
        except BaseException:
            await self._close(is_done=False)
            raise
        await self._close()

    def _look_into(self, source: Iterator[FoundFile]) -> list[OutgoingFile]:
        """Return the next files that hold instances, none at the end."""
        found: list[OutgoingFile] = []
        while not found and (files := list(islice(source, WINDOW_COUNT))):
            for file in files:
                try:
                    found.append(look_into(file))
                except (InvalidDataset, OSError) as error:
                    self._fail(file, error.message if isinstance(error, InvalidDataset) else error.strerror or "")
        return found

    def _plans(self, window: Sequence[OutgoingFile]) -> list[ContextPlan]:
        """Return the present plan where it still serves, else one for all kinds seen so far, else several."""
        kinds = dict.fromkeys(each.kind for each in window)
        self._seen.update(kinds)
        if self._plan is not None and all(map(self._plan.covers, kinds)):
            return [self._plan]
        together = plan_contexts(self._seen)
        return together if len(together) == 1 else plan_contexts(kinds)

    async def _send_by(self, plan: ContextPlan, waiting: deque[OutgoingFile]) -> None:
        if plan != self._plan:
            await self._close()
            self._plan = plan
        if not self._lanes:
            self._lanes = [_Lane(self, plan) for _ in range(self.parallel)]
        first, *others = self._lanes
        await first.open()
        tasks = [asyncio.create_task(lane.help_with(waiting)) for lane in others[: max(0, len(waiting) - 1)]]
        try:
            await first.work(waiting)
            useless = [task for lane, task in zip(others, tasks, strict=False) if lane.is_waiting]
        except BaseException:
            useless = tasks
            raise
        finally:
            for task in useless:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        errors = [result for result in results if isinstance(result, Exception)]
        if errors:
            raise errors[0]

    async def _close(self, *, is_done: bool = True) -> None:
        lanes, self._lanes = self._lanes, []
        if is_done:
            await asyncio.gather(*(lane.close() for lane in lanes))
        else:
            for lane in lanes:
                lane.drop()

    def _fail(self, file: FoundFile, reason: str) -> None:
        self.report.note_failure(file.path, reason or "it cannot be read")
        self.on_sent(file.size_bytes)

    def settle(self, outgoing: OutgoingFile, outcome: CStoreRsp | str) -> None:
        """Note what became of a file: the peer's answer, or why it was not sent."""
        if isinstance(outcome, str):
            self.report.note_failure(outgoing.file.path, outcome)
        elif outcome.status == SUCCESS or category_of(outcome.status) is StatusCategory.WARNING:
            self.journal.add([(outgoing.file, outgoing.sop_instance_uid)])
            self.report.stored += 1
            self.report.warned += outcome.status != SUCCESS
        else:
            self.report.note_failure(outgoing.file.path, f"{self.peer} answers {describe_status(outcome)}")


class _Lane:
    """One association at a time, opened again where it is lost."""

    def __init__(self, sender: DimseSender, plan: ContextPlan) -> None:
        self._sender = sender
        self._plan = plan
        self._association: Connection | None = None
        self._lost_in_a_row = 0
        self.is_waiting = False
        """It waits for the peer to take its first association."""

    async def open(self) -> Connection:
        """Return the association, opened if need be."""
        if self._association is None or not self._association.is_open:
            self._association = None
            self._association = await self._sender.opener.open(self._sender.peer.remote, self._plan.contexts)
        return self._association

    async def close(self) -> None:
        association, self._association = self._association, None
        if association is not None and association.is_open:
            await close(association)

    def drop(self) -> None:
        """End the association at once."""
        association, self._association = self._association, None
        if association is not None:
            association.abort("The run ended before everything was sent.")
            association.drop()

    async def help_with(self, waiting: deque[OutgoingFile]) -> None:
        """Work beside the first lane, where the peer takes another association; else leave it to that."""
        self.is_waiting = True
        try:
            await self.open()
        except (PeerUnreachable, PeerBusy, AssociationRefused):
            return
        finally:
            self.is_waiting = False
        await self.work(waiting)

    async def work(self, waiting: deque[OutgoingFile]) -> None:
        """Send what is waiting until nothing is left."""
        while waiting:
            outgoing = waiting.popleft()
            sent = _Sent(self._sender.on_sent)
            outcome = await self._send(outgoing, sent)
            sent.finish(outgoing.file.size_bytes)
            self._sender.settle(outgoing, outcome)

    async def _send(self, outgoing: OutgoingFile, sent: _Sent) -> CStoreRsp | str:
        cause = ""
        for _attempt in range(ATTEMPTS_MAX):
            association = await self.open()
            try:
                answer = await self._send_once(association, outgoing, sent)
            except AssociationOver:
                cause = association.record.cause or "it gave no reason"
                continue
            self._lost_in_a_row = 0
            return answer
        self._lost_in_a_row += 1
        if self._lost_in_a_row == LOST_IN_A_ROW_MAX:
            raise Unavailable(f"{self._sender.peer} ends every association: {cause}")
        return f"the association ended while it was sent: {cause}"

    async def _send_once(self, association: Connection, outgoing: OutgoingFile, sent: _Sent) -> CStoreRsp | str:
        kind = outgoing.kind
        context = choose_context(association.contexts, kind)
        if context is None:
            offered = named(kind.transfer_syntax_uid)
            return f"{describe_refusal(association, kind.sop_class_uid)} The file is in {offered}."
        try:
            dataset = await self._sender.opener.runtime.run(self._dataset, outgoing, context)
            pieces = dataset if isinstance(dataset, list) else self._stream(dataset, sent)
            return await store(association, context, pieces, sop_instance_uid=outgoing.sop_instance_uid)
        except RequestFailed as error:
            return error.message
        except (NotAcceptable, InvalidDataset) as error:
            taken = transfer_syntax(context.transfer_syntax_uid).name
            return f"the peer takes it only in {taken}, into which it cannot be turned: {error.message}"
        except OSError as error:
            return error.strerror or "it cannot be read"

    def _dataset(self, outgoing: OutgoingFile, context: AcceptedContext) -> list[bytes] | Iterator[Buffer]:
        if context.transfer_syntax_uid == outgoing.kind.transfer_syntax_uid:
            return begin(iter_dataset(outgoing))
        return begin(iter_converted(outgoing, context.transfer_syntax_uid, self._sender.decoder))

    async def _stream(self, pieces: Iterator[Buffer], sent: _Sent) -> AsyncIterator[Buffer]:
        """Yield pieces, each read by a thread: the pages of a mapped file may have to come from disk."""
        while (piece := await self._sender.opener.runtime.run(_read, pieces)) is not None:
            yield piece
            sent.add(len(piece))


def _read(pieces: Iterator[Buffer]) -> bytes | None:
    piece = next(pieces, None)
    return None if piece is None else bytes(piece)


class _Sent:
    """Counts the bytes of one file for the progress, each once, whatever was sent again."""

    def __init__(self, on_sent: OnSent) -> None:
        self._on_sent = on_sent
        self._counted = 0

    def add(self, size_bytes: int) -> None:
        """Count bytes of a data set, of which a converted one may have more than its file."""
        self._counted += size_bytes
        self._on_sent(size_bytes)

    def finish(self, file_size_bytes: int) -> None:
        """Make up for the difference to the file's size."""
        self._on_sent(file_size_bytes - self._counted)


def send_to_peer(
    peer: DimsePeer,
    files: Iterable[FoundFile],
    *,
    journal: Journal,
    report: SendReport,
    parallel: int,
    on_sent: OnSent,
) -> None:
    """Send files and note in journal and report what became of each.

    Raises Unavailable when the peer takes nothing more, and the errors of opening the first association; the journal
    holds what it acknowledged until then.
    """
    with DecodingPool() as decoder:
        peer.call(lambda opener: DimseSender(opener, peer, decoder, journal, report, on_sent, parallel).send(files))


def still_has_at_peer(peer: DimsePeer, journal: Journal) -> bool:
    """Tell whether a peer still has what a journal says, by asking for a few instances.

    One that cannot be searched for an instance alone (relational queries, PS3.4 C.5.3.1.1) is believed.
    """
    samples = journal.samples
    return not samples or peer.call(lambda opener: _has_all(opener, peer, samples))


async def _has_all(opener: Opener, peer: DimsePeer, sop_instance_uids: Sequence[str]) -> bool:
    try:
        async with opener.association(peer.remote, [RELATIONAL_FIND]) as association:
            agreed = decode_find_extensions(association.agreed_extensions(STUDY_ROOT_FIND))
            for sop_instance_uid in sop_instance_uids if agreed.relational_queries else ():
                request = FindRequest(Level.INSTANCE, keys=(("SOPInstanceUID", sop_instance_uid),), limit=1)
                if not await find(association, build_identifier(request), limit=1):
                    return False
    except (AssociationOver, ContextRefused, RequestFailed):
        return True
    return True
