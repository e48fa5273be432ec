"""The workitem, which DIMSE calls a unified procedure step (PS3.4 CC.1): its states, and what may become of it.

Whoever claims a workitem names a Transaction UID, and from then on that UID is the lock: only a request that repeats
it may change the workitem. So no answer ever holds it.

    SCHEDULED ── claimed ──> IN PROGRESS ── by the holder of the lock ──> COMPLETED or CANCELED
        └────── cancellation requested ──> CANCELED
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum

from isocenter.domain.errors import AlreadyCanceled, CancellationRefused, WorkitemRefused

PROCEDURE_STEP_STATE = 0x00741000
SOP_CLASS_UID = 0x00080016
SOP_INSTANCE_UID = 0x00080018
TRANSACTION_UID = 0x00081195
WORKLIST_LABEL = 0x00741202
MODIFICATION_DATE_TIME = 0x00404010

UPS_PUSH_SOP_CLASS = "1.2.840.10008.5.1.4.34.6.1"
"""Of every workitem, by whichever SOP class it is reached (PS3.4 CC.1)."""
DEFAULT_WORKLIST_LABEL = "worklist"
WORKITEM_SIZE_MAX_BYTES = 1024**2
"""A workitem that refers to 4,000 images has some 600 kB."""


class WorkitemState(StrEnum):
    """The states of PS3.4 table CC.1.1-1, spelled as Procedure Step State is."""

    SCHEDULED = "SCHEDULED"
    IN_PROGRESS = "IN PROGRESS"
    COMPLETED = "COMPLETED"
    CANCELED = "CANCELED"

    @property
    def is_final(self) -> bool:
        """Tell whether nothing changes the workitem any more."""
        return self in (WorkitemState.COMPLETED, WorkitemState.CANCELED)


class Outcome(Enum):
    """What comes of a request to change the state."""

    CHANGED = "changed"
    ALREADY_THERE = "already there"
    """The workitem is in that final state; nothing changes, and the caller is told."""
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The cell of a state table: what comes of a request, with the status that DIMSE has for it (PS3.4 CC.2)."""

    outcome: Outcome
    code: str = ""


_CHANGED = Verdict(Outcome.CHANGED)
_FINAL = Verdict(Outcome.REFUSED, "C300")
_NOT_THE_LOCK = Verdict(Outcome.REFUSED, "C301")
_CLAIMED = Verdict(Outcome.REFUSED, "C302")
_NOT_CLAIMED = Verdict(Outcome.REFUSED, "C310")
_ALREADY_CANCELED = Verdict(Outcome.ALREADY_THERE, "B304")
_ALREADY_COMPLETED = Verdict(Outcome.ALREADY_THERE, "B306")
_SCHEDULED, _IN_PROGRESS, _COMPLETED, _CANCELED = WorkitemState

STATE_CHANGES: Mapping[WorkitemState, Mapping[WorkitemState, Verdict]] = {
    _SCHEDULED: {_IN_PROGRESS: _CHANGED, _COMPLETED: _NOT_CLAIMED, _CANCELED: _NOT_CLAIMED},
    _IN_PROGRESS: {_IN_PROGRESS: _CLAIMED, _COMPLETED: _CHANGED, _CANCELED: _CHANGED},
    _COMPLETED: {_IN_PROGRESS: _FINAL, _COMPLETED: _ALREADY_COMPLETED, _CANCELED: _FINAL},
    _CANCELED: {_IN_PROGRESS: _FINAL, _COMPLETED: _FINAL, _CANCELED: _ALREADY_CANCELED},
}
"""What whoever holds the lock may change a state to (PS3.4 table CC.1.1-2, dicom-service 9.1).

Nobody holds the lock of a SCHEDULED workitem: whoever asks first takes it.
"""
CANCEL_REQUESTS: Mapping[WorkitemState, Verdict] = {
    _SCHEDULED: _CHANGED,
    _IN_PROGRESS: Verdict(Outcome.REFUSED, "C312"),
    _COMPLETED: Verdict(Outcome.REFUSED, "C311"),
    _CANCELED: _ALREADY_CANCELED,
}
"""What comes of asking that a workitem be canceled, lock or not; nobody is there to ask a performer (register D10)."""

REQUESTABLE_STATES: Mapping[str, WorkitemState] = {
    state.value: state for state in (_IN_PROGRESS, _COMPLETED, _CANCELED)
}


@dataclass(frozen=True, slots=True)
class Workitem:
    """A workitem as it is kept."""

    partition_name: str
    sop_instance_uid: str
    state: WorkitemState
    transaction_uid: str | None = field(repr=False)
    """The lock, from the claim on."""
    content: bytes
    """The attributes as a DICOM JSON object, the Transaction UID not among them."""
    created_at: float
    changed_at: float
    revision: int = 1
    """Grows with each change."""

    def is_unlocked_by(self, transaction_uid: str | None) -> bool:
        """Tell whether whoever names this Transaction UID may change it; anybody may while nobody has claimed it."""
        return self.transaction_uid is None or self.transaction_uid == transaction_uid


def judge_change(workitem: Workitem, wanted: WorkitemState, *, transaction_uid: str) -> Verdict:
    """Return what comes of asking for a state.

    Raises WorkitemRefused where it cannot be had.
    """
    verdict = _NOT_THE_LOCK
    if workitem.is_unlocked_by(transaction_uid):
        verdict = STATE_CHANGES[workitem.state][wanted]
    if verdict.outcome is Outcome.REFUSED:
        raise WorkitemRefused(_cannot_become(wanted, verdict), code=verdict.code)
    return verdict


def require_cancelable(workitem: Workitem) -> None:
    """Raise where a request to cancel changes nothing: AlreadyCanceled, CancellationRefused."""
    verdict = CANCEL_REQUESTS[workitem.state]
    if verdict.outcome is Outcome.ALREADY_THERE:
        raise AlreadyCanceled()
    if verdict.outcome is Outcome.REFUSED:
        raise CancellationRefused(_cannot_become(WorkitemState.CANCELED, verdict), code=verdict.code)


def require_updatable(workitem: Workitem, *, transaction_uid: str | None) -> None:
    """Raise WorkitemRefused where attributes may not be changed: nobody may in the end, only the holder before."""
    if workitem.state.is_final:
        raise WorkitemRefused(already_final(workitem.state, _FINAL), code=_FINAL.code)
    if workitem.transaction_uid is None and transaction_uid is not None:
        raise WorkitemRefused("Invalid TransactionUID for the specified Workitem Instance UID.", code="C301")
    if not workitem.is_unlocked_by(transaction_uid):
        raise WorkitemRefused("The target URI did not reference a claimed Workitem.", code="C301")


def already_final(state: WorkitemState, verdict: Verdict) -> str:
    """Return the sentence for a workitem that has ended."""
    return f"The workitem instance is already in the final state '{state.value}'. {verdict.code}."


def _cannot_become(wanted: WorkitemState, verdict: Verdict) -> str:
    return f"The workitem instance can not transition to '{wanted.value}' state: {verdict.code}."
