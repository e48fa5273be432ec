"""Storage commitment, push model (PS3.4 J): what was asked, what was found, when to tell and when to give up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum

REFERENCES_MAX = 20_000
"""Instances in one request; the largest studies in use have some ten thousand, and their request a few megabytes."""
OPEN_MAX = 10_000
"""Requests that wait for their report; a peer that asks for more without listening is told to come back later."""
REPORT_DEADLINE_S = 24 * 3600.0
"""How long a report is tried, and how long one of a peer is waited for (routing-and-gateway 6.5)."""
KEPT_S = 30 * 24 * 3600.0
"""How long a transaction is remembered after its end, to be looked up and to know its UID again."""
FIRST_RETRY_S = 5.0
LAST_RETRY_S = 900.0
"""The first report often meets a device that has just closed; later ones wait for a person to mend something."""


class FailureReason(IntEnum):
    """Why an instance is not committed (PS3.3 table C.14-1)."""

    PROCESSING_FAILURE = 0x0110
    NO_SUCH_OBJECT_INSTANCE = 0x0112
    CLASS_INSTANCE_CONFLICT = 0x0119
    REFERENCED_SOP_CLASS_NOT_SUPPORTED = 0x0122
    DUPLICATE_TRANSACTION_UID = 0x0131
    RESOURCE_LIMITATION = 0x0213


class Side(StrEnum):
    """Who asked."""

    PROVIDER = "provider"
    """The peer asked us."""
    USER = "user"
    """We asked the peer."""


class CommitmentState(StrEnum):
    """How far a transaction has come."""

    REQUESTED = "requested"
    """The instances are still to be looked for."""
    CHECKED = "checked"
    """The result is known and still to be reported."""
    REPORTED = "reported"
    """The peer has taken the report."""
    UNDELIVERED = "undelivered"
    """The peer could not be told within the deadline."""
    ASKED = "asked"
    """The peer has taken our request; its report is still to come."""
    ANSWERED = "answered"
    """The peer has reported."""
    UNANSWERED = "unanswered"
    """The peer did not report within the deadline."""


NEXT_STATES: Mapping[CommitmentState, frozenset[CommitmentState]] = {
    CommitmentState.REQUESTED: frozenset({CommitmentState.REQUESTED, CommitmentState.CHECKED}),
    CommitmentState.CHECKED: frozenset(
        {CommitmentState.CHECKED, CommitmentState.REPORTED, CommitmentState.UNDELIVERED}
    ),
    CommitmentState.REPORTED: frozenset(),
    CommitmentState.UNDELIVERED: frozenset({CommitmentState.CHECKED}),
    CommitmentState.ASKED: frozenset({CommitmentState.ANSWERED, CommitmentState.UNANSWERED}),
    CommitmentState.ANSWERED: frozenset(),
    CommitmentState.UNANSWERED: frozenset({CommitmentState.ANSWERED}),
}
"""A report that comes late still counts; one that was given up can be tried again by hand."""
OPEN_STATES = frozenset({CommitmentState.REQUESTED, CommitmentState.CHECKED, CommitmentState.ASKED})
"""Something is still to be done, at the transaction's due time."""


@dataclass(frozen=True, slots=True, order=True)
class InstanceReference:
    """An instance by its class and UID."""

    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True)
class CommitmentRequest:
    """What an N-ACTION asks for."""

    transaction_uid: str
    references: tuple[InstanceReference, ...]
    """Each once, however often it was named."""
    named_count: int
    """How many there were before."""


@dataclass(frozen=True, slots=True)
class CommitmentResult:
    """What an N-EVENT-REPORT says."""

    committed: tuple[InstanceReference, ...] = ()
    failed: tuple[tuple[InstanceReference, int], ...] = ()
    """With the reason, one of `FailureReason` or whatever a peer made of it."""

    @property
    def is_success(self) -> bool:
        """Tell whether everything is committed."""
        return not self.failed


@dataclass(frozen=True, slots=True)
class NewCommitment:
    """A transaction ready to be kept."""

    side: Side
    request: CommitmentRequest
    peer_ae_title: str
    own_ae_title: str
    """The title under which the transaction was begun, and under which its report goes (PS3.4 J.3.3.1.2)."""
    requested_at: float


@dataclass(frozen=True, slots=True)
class Commitment:
    """A transaction as it is kept."""

    commitment_key: int
    side: Side
    request: CommitmentRequest
    peer_ae_title: str
    own_ae_title: str
    requested_at: float
    state: CommitmentState
    is_duplicate: bool
    """Its transaction UID had been used before."""
    result: CommitmentResult | None
    attempts: int
    """How often the report was tried."""
    due_at: float
    """When something is to be done about it next."""
    changed_at: float
    problem: str = ""
    """Why the last attempt failed, in a sentence."""


def unique_references(named: Iterable[InstanceReference]) -> tuple[InstanceReference, ...]:
    """Return references without repetitions, in their order (PS3.4 J.3.2.1.1.3 allows each once)."""
    return tuple(dict.fromkeys(named))


def all_failed(request: CommitmentRequest, reason: FailureReason) -> CommitmentResult:
    """Return the result in which everything failed for one reason."""
    return CommitmentResult(failed=tuple((reference, reason) for reference in request.references))


def next_attempt_at(commitment: Commitment, *, now: float) -> float | None:
    """Return when to try the report again after an attempt that failed, None where its time is over.

    The wait doubles with each attempt. The last attempt falls on the deadline.
    """
    deadline = commitment.requested_at + REPORT_DEADLINE_S
    if now >= deadline:
        return None
    wait_s = min(LAST_RETRY_S, FIRST_RETRY_S * (1 << min(commitment.attempts, 20)))
    return min(now + wait_s, deadline)
