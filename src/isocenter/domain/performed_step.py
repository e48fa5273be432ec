"""The modality performed procedure step (PS3.4 F.7): its states, and what must be told of it when.

The state table is PS3.4 table F.1-4. Of the attributes that table F.7.2-1 asks for, type 1 must have a value; type 2
may be missing, because devices leave them out and nothing depends on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from isocenter.domain.errors import InvalidAttributeValue, MissingAttribute, MissingAttributeValue, StepFinished
from isocenter.domain.moments import earliest_time, is_date
from isocenter.domain.values import Values, first_text, items, texts
from isocenter.domain.worklist import STUDY_INSTANCE_UID, ScheduledStepReference, StepState

STATUS = 0x00400252
SCHEDULED_STEP_ATTRIBUTES_SEQUENCE = 0x00400270
SCHEDULED_PROCEDURE_STEP_ID = 0x00400009

STEP_SIZE_MAX_BYTES = 1024**2
"""A step that lists 4,000 images has some 600 kB."""

REQUIRED_AT_CREATION = {
    SCHEDULED_STEP_ATTRIBUTES_SEQUENCE: "ScheduledStepAttributesSequence",
    0x00400253: "PerformedProcedureStepID",
    0x00400241: "PerformedStationAETitle",
    0x00400244: "PerformedProcedureStepStartDate",
    0x00400245: "PerformedProcedureStepStartTime",
    STATUS: "PerformedProcedureStepStatus",
    0x00080060: "Modality",
}
"""Type 1 of the SCP at N-CREATE (PS3.4 table F.7.2-1)."""
EMPTY_AT_CREATION = {
    0x00081120: "SQ",
    0x00081032: "SQ",
    0x00100010: "PN",
    0x00100020: "LO",
    0x00100030: "DA",
    0x00100040: "CS",
    0x00200010: "SH",
    0x00400242: "SH",
    0x00400243: "SH",
    0x00400250: "DA",
    0x00400251: "TM",
    0x00400254: "LO",
    0x00400255: "LO",
    0x00400260: "SQ",
    0x00400340: "SQ",
}
"""Type 2 of the SCP at N-CREATE, with their VRs: kept empty where they were left out."""
KEPT_AT_SET = frozenset(
    {
        0x00080005,
        0x00080060,
        0x00081120,
        0x00100010,
        0x00100020,
        0x00100030,
        0x00100040,
        0x00200010,
        0x00400241,
        0x00400242,
        0x00400243,
        0x00400244,
        0x00400245,
        0x00400253,
        SCHEDULED_STEP_ATTRIBUTES_SEQUENCE,
    }
)
"""What N-SET is not allowed to change (PS3.4 table F.7.2-1): such values are passed over, the rest is taken."""


_DATES = (0x00400244, 0x00400250)
_TIMES = (0x00400245, 0x00400251)


class PerformedStepState(StrEnum):
    """The states of PS3.4 table F.1-3, spelled as Performed Procedure Step Status is."""

    IN_PROGRESS = "IN PROGRESS"
    COMPLETED = "COMPLETED"
    DISCONTINUED = "DISCONTINUED"


TRANSITIONS: Mapping[PerformedStepState, frozenset[PerformedStepState]] = {
    PerformedStepState.IN_PROGRESS: frozenset(PerformedStepState),
    PerformedStepState.COMPLETED: frozenset(),
    PerformedStepState.DISCONTINUED: frozenset(),
}
"""Which states N-SET may leave a step in, by the state it finds it in (PS3.4 table F.1-4)."""

SCHEDULED_STATES: Mapping[PerformedStepState, StepState] = {
    PerformedStepState.IN_PROGRESS: StepState.IN_PROGRESS,
    PerformedStepState.COMPLETED: StepState.COMPLETED,
    PerformedStepState.DISCONTINUED: StepState.DISCONTINUED,
}
"""What becomes of the scheduled steps that a performed one names."""


@dataclass(frozen=True, slots=True)
class PerformedStep:
    """A performed procedure step as it is kept."""

    sop_instance_uid: str
    state: PerformedStepState
    content: bytes
    """The attributes as a data set in Explicit VR Little Endian."""
    scheduled_steps: tuple[ScheduledStepReference, ...]
    ae_title: str
    """Who created it."""
    created_at: float
    changed_at: float
    revision: int = 1
    """Grows with each change."""


def require_creatable(values: Values) -> None:
    """Raise where the attributes of an N-CREATE do not make a step (PS3.4 F.7.2.1.3).

    `values` has an entry for each attribute that was sent, an empty one where it had no value.
    """
    _require(values, REQUIRED_AT_CREATION)
    for item in items(values, SCHEDULED_STEP_ATTRIBUTES_SEQUENCE):
        _require(item, {STUDY_INSTANCE_UID: "StudyInstanceUID"})
    if parse_state(values) is not PerformedStepState.IN_PROGRESS:
        raise InvalidAttributeValue("A performed procedure step is created IN PROGRESS.", tags=(STATUS,))
    _require_readable(values)


def _require_readable(values: Values) -> None:
    """Raise where a date or time of the step itself is none."""
    for tags, is_readable in ((_DATES, is_date), (_TIMES, _is_time)):
        for tag in tags:
            if not all(is_readable(text) for text in texts(values, tag)):
                raise InvalidAttributeValue("A date or time of the performed procedure step is none.", tags=(tag,))


def _is_time(text: str) -> bool:
    return earliest_time(text) is not None


def _require(values: Values, required: Mapping[int, str]) -> None:
    missing = tuple(tag for tag in required if f"{tag:08X}" not in values)
    if missing:
        raise MissingAttribute(f"{required[missing[0]]} is missing.", tags=missing)
    empty = tuple(tag for tag in required if not values[f"{tag:08X}"])
    if empty:
        raise MissingAttributeValue(f"{required[empty[0]]} has no value.", tags=empty)


def parse_state(values: Values) -> PerformedStepState:
    """Return the state that attributes name. Raises InvalidAttributeValue where it is none."""
    text = first_text(values, STATUS)
    try:
        return PerformedStepState(text)
    except ValueError as error:
        raise InvalidAttributeValue(
            "PerformedProcedureStepStatus is IN PROGRESS, COMPLETED or DISCONTINUED.", tags=(STATUS,)
        ) from error


def next_state(state: PerformedStepState, changes: Values) -> PerformedStepState:
    """Return the state that a step is in after an N-SET.

    Raises StepFinished where it may no longer be changed, InvalidAttributeValue where a state, date or time is none.
    """
    if not TRANSITIONS[state]:
        raise StepFinished()
    _require_readable(changes)
    return parse_state(changes) if texts(changes, STATUS) else state


def scheduled_steps_of(values: Values) -> tuple[ScheduledStepReference, ...]:
    """Return the scheduled steps that a performed one names."""
    named = (
        ScheduledStepReference(first_text(item, STUDY_INSTANCE_UID), first_text(item, SCHEDULED_PROCEDURE_STEP_ID))
        for item in items(values, SCHEDULED_STEP_ATTRIBUTES_SEQUENCE)
    )
    return tuple(dict.fromkeys(one for one in named if one.study_instance_uid and one.scheduled_procedure_step_id))
