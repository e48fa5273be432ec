"""What is known of an association, for operators: who, what was agreed, what went over it, how it ended."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from isocenter.dimse.message.messages import Message
from isocenter.dimse.ul.pdu import AssociateAc, AssociateRq, ContextResult

RECENT_MAX = 200
"""Ended associations that are remembered: an hour of a busy department, a few megabytes if all had 128 contexts."""
STATUSES_MAX = 256
"""Kinds of statuses that are counted one by one; a peer that makes up others does not fill the memory with them."""


class Side(StrEnum):
    """Who opened the association."""

    ACCEPTOR = "acceptor"
    """The peer did."""
    REQUESTOR = "requestor"
    """We did."""


class End(StrEnum):
    """How an association ended."""

    RELEASED = "released"
    ABORTED_BY_PEER = "aborted by peer"
    ABORTED_BY_US = "aborted by us"
    REJECTED = "rejected"
    CONNECTION_LOST = "connection lost"


@dataclass(frozen=True, slots=True)
class ContextRecord:
    """One proposed context, and what became of it."""

    context_id: int
    abstract_syntax_uid: str
    transfer_syntax_uids: tuple[str, ...]
    accepted_transfer_syntax_uid: str | None
    refusal: str | None
    """Why it was refused, None where it was accepted."""


@dataclass(slots=True)
class AssociationRecord:
    """An association as it goes on; changed by its connection only."""

    association_id: int
    side: Side
    peer_address: str
    started_at: datetime
    uses_tls: bool = False
    calling_ae_title: str = ""
    called_ae_title: str = ""
    implementation_version_name: str | None = None
    user_name: str = ""
    """Of a user of the requestor whom the acceptor has verified."""
    contexts: tuple[ContextRecord, ...] = ()
    bytes_received: int = 0
    bytes_sent: int = 0
    messages_received: Counter[str] = field(default_factory=Counter)
    """By name of the message."""
    messages_sent: Counter[str] = field(default_factory=Counter)
    statuses_sent: Counter[tuple[str, int]] = field(default_factory=Counter)
    """By name of the response and status."""
    statuses_received: Counter[tuple[str, int]] = field(default_factory=Counter)
    ended_at: datetime | None = None
    end: End | None = None
    cause: str = ""
    """Why it was rejected or aborted, in a sentence."""
    abort: tuple[int, int] | None = None
    """Source and reason of the A-ABORT that ended it, from whichever side; None where none did."""

    def note_negotiation(self, request: AssociateRq, answer: AssociateAc) -> None:
        """Keep what was proposed and agreed."""
        results = {context.context_id: context for context in answer.presentation_contexts}
        records = []
        for proposed in request.presentation_contexts:
            answered = results.get(proposed.context_id)
            is_accepted = answered is not None and answered.result == ContextResult.ACCEPTANCE
            records.append(
                ContextRecord(
                    context_id=proposed.context_id,
                    abstract_syntax_uid=proposed.abstract_syntax_uid,
                    transfer_syntax_uids=proposed.transfer_syntax_uids,
                    accepted_transfer_syntax_uid=answered.transfer_syntax_uid if answered and is_accepted else None,
                    refusal=None if is_accepted else _refusal(answered.result if answered else None),
                )
            )
        self.contexts = tuple(records)

    def note_message(self, message: Message, *, is_sent: bool) -> None:
        """Count a message, and its status if it has one."""
        name = type(message).__name__
        (self.messages_sent if is_sent else self.messages_received)[name] += 1
        status = getattr(message, "status", None)
        if status is not None:
            statuses = self.statuses_sent if is_sent else self.statuses_received
            kind = (name, status)
            statuses[kind if kind in statuses or len(statuses) < STATUSES_MAX else ("other", 0)] += 1

    @property
    def context_results(self) -> Counter[str]:
        """Return how many contexts were accepted, and how many refused for each reason."""
        return Counter(context.refusal or "accepted" for context in self.contexts)

    @property
    def refused_contexts(self) -> Sequence[ContextRecord]:
        """Return the contexts that were refused."""
        return [context for context in self.contexts if context.refusal is not None]


def _refusal(result: int | None) -> str:
    if result is None:
        return "not answered"
    try:
        return ContextResult(result).name.lower().replace("_", " ")
    except ValueError:
        return f"result {result}"


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over all associations since the node began."""

    associations: Mapping[str, int]
    """By how they ended; those that live are not among them."""
    contexts: Mapping[str, int]
    """Proposed contexts by what became of them: `accepted`, or why they were refused."""
    bytes_received: int
    bytes_sent: int
    statuses_sent: Mapping[tuple[str, int], int]
    statuses_received: Mapping[tuple[str, int], int]


class AssociationRegister:
    """The associations that live, and the last that ended."""

    def __init__(self) -> None:
        self._live: dict[int, AssociationRecord] = {}
        self._recent: deque[AssociationRecord] = deque(maxlen=RECENT_MAX)
        self._ends: Counter[str] = Counter()
        self._contexts: Counter[str] = Counter()
        self._statuses_sent: Counter[tuple[str, int]] = Counter()
        self._statuses_received: Counter[tuple[str, int]] = Counter()
        self._bytes_received = 0
        self._bytes_sent = 0
        self._last_id = 0

    @property
    def live(self) -> Sequence[AssociationRecord]:
        """Return the associations that live, the oldest first."""
        return tuple(self._live.values())

    @property
    def recent(self) -> Sequence[AssociationRecord]:
        """Return those that ended lately, the last first."""
        return tuple(reversed(self._recent))

    @property
    def last_id(self) -> int:
        """Return the number of the association that was opened last; 0 before the first."""
        return self._last_id

    @property
    def totals(self) -> Totals:
        """Return the sums, those that live included."""
        live = self._live.values()
        return Totals(
            associations=dict(self._ends),
            contexts=sum((record.context_results for record in live), self._contexts.copy()),
            bytes_received=self._bytes_received + sum(record.bytes_received for record in live),
            bytes_sent=self._bytes_sent + sum(record.bytes_sent for record in live),
            statuses_sent=sum((record.statuses_sent for record in live), self._statuses_sent.copy()),
            statuses_received=sum((record.statuses_received for record in live), self._statuses_received.copy()),
        )

    def find(self, association_id: int) -> AssociationRecord | None:
        """Return an association that lives or ended lately, or None."""
        recent = (record for record in self._recent if record.association_id == association_id)
        return self._live.get(association_id) or next(recent, None)

    def open(self, side: Side, *, peer_address: str, started_at: datetime, uses_tls: bool) -> AssociationRecord:
        """Begin the record of an association."""
        self._last_id += 1
        record = AssociationRecord(self._last_id, side, peer_address, started_at, uses_tls)
        self._live[record.association_id] = record
        return record

    def close(self, record: AssociationRecord, *, ended_at: datetime) -> None:
        """End the record of an association; harmless a second time."""
        if self._live.pop(record.association_id, None) is None:
            return
        record.ended_at = ended_at
        self._recent.append(record)
        self._ends[record.end or End.CONNECTION_LOST] += 1
        self._contexts += record.context_results
        self._bytes_received += record.bytes_received
        self._bytes_sent += record.bytes_sent
        _add(self._statuses_sent, record.statuses_sent)
        _add(self._statuses_received, record.statuses_received)


def _add(sums: Counter[tuple[str, int]], statuses: Counter[tuple[str, int]]) -> None:
    for kind, count in statuses.items():
        sums[kind if kind in sums or len(sums) < STATUSES_MAX else ("other", 0)] += count
