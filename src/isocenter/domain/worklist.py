"""The modality work list (PS3.4 K): items, their scheduled steps, and what a query asks of them.

An item is a data set that describes one requested procedure with its scheduled procedure steps. A query answers with
steps: each is one entry of the list, in a state that performed procedure steps change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from isocenter.domain.query import ValueMatch
from isocenter.domain.values import Values, first_text, items, texts

SCHEDULED_PROCEDURE_STEP_SEQUENCE = 0x00400100
SCHEDULED_PROCEDURE_STEP_ID = 0x00400009
SCHEDULED_STATION_AE_TITLE = 0x00400001
START_DATE = 0x00400002
START_TIME = 0x00400003
MODALITY = 0x00080060
PATIENT_NAME = 0x00100010
PATIENT_ID = 0x00100020
ACCESSION_NUMBER = 0x00080050
STUDY_INSTANCE_UID = 0x0020000D
REQUESTED_PROCEDURE_ID = 0x00401001

ITEM_SIZE_MAX_BYTES = 256 * 1024
"""A large item, with allergies and protocol codes spelled out, has ten kilobytes."""
ITEMS_MAX = 100_000
"""A hospital of many modalities schedules some thousands a day."""
STEPS_MAX = 64
"""Scheduled steps of one requested procedure; more than three are rare."""


class StepState(StrEnum):
    """How far a scheduled step has come, as performed procedure steps tell (PS3.4 F.1.5)."""

    SCHEDULED = "SCHEDULED"
    IN_PROGRESS = "IN PROGRESS"
    COMPLETED = "COMPLETED"
    DISCONTINUED = "DISCONTINUED"


class LeavesWhen(StrEnum):
    """When a step is no longer answered to those who ask for work."""

    NEVER = "never"
    COMPLETED = "completed"
    STARTED = "started"


LISTED_STATES: Mapping[LeavesWhen, frozenset[StepState]] = {
    LeavesWhen.NEVER: frozenset(StepState),
    LeavesWhen.COMPLETED: frozenset(StepState) - {StepState.COMPLETED},
    LeavesWhen.STARTED: frozenset({StepState.SCHEDULED, StepState.DISCONTINUED}),
}
"""A step that was discontinued is still to be done, so it stays."""


@dataclass(frozen=True, slots=True)
class ScheduledStepReference:
    """What a performed procedure step names a scheduled one by (PS3.4 table F.7.2-1)."""

    study_instance_uid: str
    scheduled_procedure_step_id: str


@dataclass(frozen=True, slots=True)
class NewWorklistItem:
    """An item ready to be kept."""

    identity: str
    """An item of the same identity takes its place."""
    content: bytes
    """The data set as it was handed in."""
    transfer_syntax_uid: str
    values: Values
    source: str


@dataclass(frozen=True, slots=True)
class Addition:
    """What became of an item that was added."""

    item_key: int
    replaced: bool


@dataclass(frozen=True, slots=True)
class WorklistEntry:
    """One scheduled step of an item that is kept."""

    step_key: int
    item_key: int
    step_number: int
    """Which item of its sequence it is, counted from 0; 0 too where the data set has none."""
    state: StepState
    content: bytes
    transfer_syntax_uid: str
    values: Values
    added_at: float
    source: str

    @property
    def step_values(self) -> Values:
        """Return the texts of the step itself."""
        steps = items(self.values, SCHEDULED_PROCEDURE_STEP_SEQUENCE)
        return steps[self.step_number] if self.step_number < len(steps) else {}


@dataclass(frozen=True, slots=True)
class ValueKey:
    """An attribute has to fit a match."""

    match: ValueMatch
    vr: str


@dataclass(frozen=True, slots=True)
class PeriodKey:
    """A date and a time, taken together, have to lie in a period (PS3.4 table K.6-1, remark on the start time).

    An end is a day with the time of day to the microsecond behind it, or None.
    """

    date_tag: int
    time_tag: int
    earliest: str | None
    latest: str | None


@dataclass(frozen=True, slots=True)
class SequenceKey:
    """One item of a sequence has to fit all keys (PS3.4 C.2.2.2.6)."""

    tag: int
    keys: tuple[Key, ...]


Key = ValueKey | PeriodKey | SequenceKey


@dataclass(frozen=True, slots=True)
class WorklistQuery:
    """What somebody asks for; keys are joined by AND, keys that match everything are left out."""

    keys: tuple[Key, ...] = ()
    states: frozenset[StepState] = frozenset(StepState)


def identity_of(values: Values, *, digest: str) -> str:
    """Return what tells an item from others: its study, procedure and steps, or its bytes where it names none."""
    steps = items(values, SCHEDULED_PROCEDURE_STEP_SEQUENCE)
    names = [first_text(values, tag) for tag in (STUDY_INSTANCE_UID, REQUESTED_PROCEDURE_ID, ACCESSION_NUMBER)]
    step_ids = [first_text(step, SCHEDULED_PROCEDURE_STEP_ID) for step in steps]
    is_named = any(names) and step_ids and all(step_ids)
    return "\\".join([*names, *step_ids]) if is_named else f"bytes {digest}"


def number_of_steps(values: Values) -> int:
    """Return how many entries an item makes; one without a step makes one, too."""
    return max(1, len(items(values, SCHEDULED_PROCEDURE_STEP_SEQUENCE)))


def references_of(values: Values) -> list[ScheduledStepReference | None]:
    """Return by what each step of an item can be named, None where it cannot."""
    study = first_text(values, STUDY_INSTANCE_UID)
    steps = items(values, SCHEDULED_PROCEDURE_STEP_SEQUENCE) or [{}]
    step_ids = [first_text(step, SCHEDULED_PROCEDURE_STEP_ID) for step in steps]
    return [ScheduledStepReference(study, step_id) if study and step_id else None for step_id in step_ids]


def start_of(step_values: Values) -> tuple[str, str]:
    """Return day and time of a step's start, empty where it names none: in this order a list is read.

    More than one day, which there cannot be, stand together: such a text is no day of the calendar.
    """
    return "\\".join(texts(step_values, START_DATE)), first_text(step_values, START_TIME)
