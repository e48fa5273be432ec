"""The associations of one sender under one calling title, and an instance's way over one of them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain, islice

from isocenter.app.senders.converting import (
    CONVERSION_ERRORS,
    Converter,
    fault_of_conversion,
    fault_of_reading,
    words_of,
)
from isocenter.app.senders.dimse_reports import report_of_end, report_of_opening, report_of_refusal
from isocenter.dicom.part10 import read_encoding
from isocenter.dicom.syntax import transfer_syntax
from isocenter.dimse.message.statuses import SUCCESS
from isocenter.dimse.scu.client import CONTEXTS_MAX, Opener, close, give_up
from isocenter.dimse.scu.context_plan import ContextPlan, InstanceKind, choose_context, plan_contexts
from isocenter.dimse.scu.errors import AssociationRefused, PeerBusy, RequestFailed
from isocenter.dimse.scu.requests import describe_refusal, named
from isocenter.dimse.scu.status_texts import describe_status
from isocenter.dimse.scu.store import store
from isocenter.dimse.shell.connection import Connection
from isocenter.dimse.ul.contexts import AcceptedContext
from isocenter.dimse.ul.errors import AssociationOver
from isocenter.domain.errors import InvalidDataset, IsocenterError, PeerUnreachable
from isocenter.ports.blobs import Buffer
from isocenter.routing.configuration.destination import Compression, DimseTarget
from isocenter.routing.deliveries.report import DimseAnswered, LocalFailed, LocalFault, Report
from isocenter.routing.deliveries.sender import OnReport, Outgoing

ASSOCIATIONS_MAX = 4
"""Under one title at a time: more than 128 contexts need several, and peers count them."""
HEAD_LENGTH_MAX = 2 * 1024**2
"""File meta information is no longer; it must be there before the data set can begin."""
REMEMBERED_S = 86_400.0
"""What a peer accepted is proposed again for a day, so that the next batch finds its context."""
REMEMBERED_MAX = CONTEXTS_MAX
Reported = tuple[Report, str]


@dataclass(slots=True)
class PeerKnowledge:
    """What is remembered of a peer; used to propose, never believed against what it answers."""

    accepted: dict[InstanceKind, float] = field(default_factory=dict)
    """Kinds of instances that it took, and until when (of the event loop's time) that is remembered."""
    last_title: str = ""
    """As which it was called last."""

    def note(self, kind: InstanceKind, *, now_s: float) -> None:
        """Remember that a kind was accepted."""
        self.accepted.pop(kind, None)
        while len(self.accepted) >= REMEMBERED_MAX:
            with suppress(KeyError, StopIteration):  # another worker forgot it first
                del self.accepted[next(iter(self.accepted))]
        self.accepted[kind] = now_s + REMEMBERED_S

    def kinds(self, *, now_s: float) -> list[InstanceKind]:
        """Return the kinds that it takes, those that came last first."""
        return [kind for kind, until_s in reversed(self.accepted.copy().items()) if now_s < until_s]


class Unopened(Exception):
    """There is no association, which would have met any instance."""

    def __init__(self, outgoing: Outgoing, report: Report, detail: str) -> None:
        super().__init__(detail)
        self.outgoing = outgoing
        self.report = report
        self.detail = detail


@dataclass(slots=True)
class _Open:
    """An association, and what it was opened for."""

    connection: Connection
    plan: ContextPlan
    has_answered: bool = True
    """Since the batch began: else its end may have come before the instance did."""


class Lane:
    """Sends under one title."""

    def __init__(self, opener: Opener, target: DimseTarget, converter: Converter, knowledge: PeerKnowledge) -> None:
        self._opener = opener
        self._target = target
        self._converter = converter
        self._knowledge = knowledge
        self._open: deque[_Open] = deque()
        """The one that was used last is the last."""

    async def send(self, instances: Sequence[Outgoing], on_report: OnReport) -> None:
        """Send instances, those of one association together; raises Unopened where there is none to be had."""
        for each in self._open:
            each.has_answered = False
        kinds = dict.fromkeys(map(_kind_of, instances))
        for plan in self._plans(list(kinds)):
            for outgoing in instances:
                if _kind_of(outgoing) in kinds and plan.covers(_kind_of(outgoing)):
                    report, detail = await self._send(plan, outgoing)
                    on_report(outgoing, report, detail)
            kinds = {kind: None for kind in kinds if not plan.covers(kind)}

    def _plans(self, kinds: Sequence[InstanceKind]) -> list[ContextPlan]:
        """Return the plans for some kinds: that of an association that is open, else new ones with room for more."""
        for each in reversed(self._open):
            if each.connection.is_open and all(map(each.plan.covers, kinds)):
                return [each.plan]
        remembered = self._knowledge.kinds(now_s=self._now_s())
        together = plan_contexts(dict.fromkeys([*kinds, *islice(remembered, REMEMBERED_MAX)]))
        wanted = set(kinds)
        return [plan for plan in together if any(map(plan.covers, wanted))]

    def _now_s(self) -> float:
        return self._opener.runtime.loop.time()

    async def _send(self, plan: ContextPlan, outgoing: Outgoing) -> Reported:
        """Send one instance over an association of a plan; once more where that had ended before."""
        while True:
            opened = await self._association(plan, outgoing)
            try:
                reported = await self._store(opened.connection, outgoing)
            except AssociationOver:
                if not opened.has_answered:
                    continue
                record = opened.connection.record
                return report_of_end(record), record.cause
            opened.has_answered = True
            return reported

    async def _association(self, plan: ContextPlan, outgoing: Outgoing) -> _Open:
        for each in list(self._open):
            if not each.connection.is_open:
                self._open.remove(each)
            elif each.plan == plan:
                return each
        if len(self._open) == ASSOCIATIONS_MAX:
            await close(self._open.popleft().connection)
        try:
            connection = await self._opener.open(self._target.remote, plan.contexts)
        except (AssociationRefused, PeerBusy, PeerUnreachable) as error:
            raise Unopened(outgoing, report_of_opening(error), error.message) from error
        self._open.append(_Open(connection, plan))
        self._remember(connection)
        return self._open[-1]

    def _remember(self, connection: Connection) -> None:
        now_s = self._now_s()
        for context in connection.contexts.values():
            self._knowledge.note(InstanceKind(context.abstract_syntax_uid, context.transfer_syntax_uid), now_s=now_s)

    # ---- one instance

    async def _store(self, association: Connection, outgoing: Outgoing) -> Reported:
        kind = _kind_of(outgoing)
        context = self._context(association, kind)
        if context is None:
            return self._refused(association, kind)
        if context.transfer_syntax_uid == kind.transfer_syntax_uid:
            return await self._send_file(association, context, outgoing, outgoing.read())
        try:
            converted = self._converter.convert(outgoing, context.transfer_syntax_uid)
        except CONVERSION_ERRORS as error:
            taken = transfer_syntax(context.transfer_syntax_uid).name
            return fault_of_conversion(error), f"The peer takes it only in {taken}. {words_of(error)}"
        try:
            return await self._send_file(association, context, outgoing, converted.read())
        finally:
            converted.close()

    def _context(self, association: Connection, kind: InstanceKind) -> AcceptedContext | None:
        context = choose_context(association.contexts, kind)
        is_own = context is not None and context.transfer_syntax_uid == kind.transfer_syntax_uid
        return context if is_own or self._target.compression is Compression.LOSSLESS else None

    def _refused(self, association: Connection, kind: InstanceKind) -> Reported:
        of_class = [one for one in association.record.contexts if one.abstract_syntax_uid == kind.sop_class_uid]
        taken = [one.accepted_transfer_syntax_uid for one in of_class if one.accepted_transfer_syntax_uid]
        if taken:
            words = f"{association.record.called_ae_title} takes {named(kind.sop_class_uid)} only in "
            words += ", ".join(map(named, taken)) + '; compression = "never" keeps it from being converted.'
        else:
            words = describe_refusal(association, kind.sop_class_uid)
        return report_of_refusal(of_class), f"{words} The instance is in {named(kind.transfer_syntax_uid)}."

    async def _send_file(
        self,
        association: Connection,
        context: AcceptedContext,
        outgoing: Outgoing,
        pieces: Iterator[bytes | memoryview],
    ) -> Reported:
        try:
            dataset = _dataset(pieces)
            sent = await store(
                association,
                context,
                dataset if isinstance(dataset, list) else _stream(dataset),
                sop_instance_uid=outgoing.identifier.sop_instance_uid,
            )
        except RequestFailed as error:
            return DimseAnswered(error.status), error.message
        except AssociationOver:
            raise
        except InvalidDataset as error:
            return LocalFailed(LocalFault.INSTANCE_CORRUPT), error.message
        except (IsocenterError, OSError) as error:  # of reading; a stream that broke off has ended its association
            return fault_of_reading(error), words_of(error)
        return DimseAnswered(sent.status), "" if sent.status == SUCCESS else describe_status(sent)

    async def close(self, timeout_s: float = 1.0) -> None:
        """Release what is open; what does not agree in time is given up."""
        opened, self._open = list(self._open), deque()
        await asyncio.gather(*(_close(each.connection, timeout_s) for each in opened))


async def _close(connection: Connection, timeout_s: float) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            await close(connection)
    except TimeoutError:
        await give_up(connection, "The peer did not agree to the release in time.")


def _kind_of(outgoing: Outgoing) -> InstanceKind:
    return InstanceKind(outgoing.sop_class_uid, outgoing.transfer_syntax_uid)


def _dataset(pieces: Iterator[bytes | memoryview]) -> list[Buffer] | Iterator[Buffer]:
    """Return the data set of a file without its head: one that came in one piece in memory, else to be read on."""
    head = bytes(next(pieces, b""))
    while True:
        try:
            offset = read_encoding(head)[1]
        except InvalidDataset:
            following = next(pieces, b"")
            if not following or len(head) > HEAD_LENGTH_MAX:
                raise
            head += following
            continue
        first = memoryview(head)[offset:]
        second = next(pieces, None)
        return [first] if second is None else chain([first, second], pieces)


async def _stream(pieces: Iterable[Buffer]) -> AsyncIterator[Buffer]:
    for piece in pieces:
        if len(piece):
            yield piece
