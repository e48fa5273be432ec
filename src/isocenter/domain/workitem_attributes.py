"""Which attributes a workitem must have, and when (PS3.4 table CC.2.5-3 as dicom-service 9.3 reads it).

Each table has a line for each attribute: its tag, behind one `>` for each sequence that it lies in, what is asked of
it, and its keyword. Conditions of the standard (1C, 2C) count as optional, so what they hang on has no line.

    empty     there, without a value          filled    with a value, if it is there
    value     there, with a value             absent    not there
    present   there, with or without a value  optional  only what lies in it matters
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from isocenter.domain.errors import InvalidAttributes, MissingAttribute, MissingAttributeValue
from isocenter.domain.values import Values, items, tag_key
from isocenter.domain.workitem import WorkitemState


class Need(Enum):
    """What is asked of an attribute."""

    EMPTY = "empty"
    VALUE = "value"
    PRESENT = "present"
    ABSENT = "absent"
    FILLED = "filled"
    OPTIONAL = "optional"


@dataclass(frozen=True, slots=True)
class Requirement:
    """One line of a table, with the lines for the items of its sequence."""

    tag: int
    need: Need
    nested: tuple[Requirement, ...] = ()


def _table(text: str) -> tuple[Requirement, ...]:
    found: list[Requirement] = []
    for mark, need, _ in (line.split() for line in text.strip().splitlines()):
        one = Requirement(int(mark.lstrip(">"), 16), Need(need))
        if mark.startswith(">"):
            above = found.pop()
            one = Requirement(above.tag, above.need, (*above.nested, one))
        found.append(one)
    return tuple(found)


AT_CREATION = _table(
    """
    00081195  empty    TransactionUID
    00741002  empty    ProcedureStepProgressInformationSequence
    00741216  empty    UnifiedProcedureStepPerformedProcedureSequence
    00080018  value    SOPInstanceUID
    00741200  value    ScheduledProcedureStepPriority
    00741204  value    ProcedureStepLabel
    00404005  value    ScheduledProcedureStepStartDateTime
    00404041  value    InputReadinessState
    00741210  present  ScheduledProcessingParametersSequence
    00404025  present  ScheduledStationNameCodeSequence
    00404026  present  ScheduledStationClassCodeSequence
    00404027  present  ScheduledStationGeographicLocationCodeSequence
    00404018  present  ScheduledWorkitemCodeSequence
    00400400  present  CommentsOnTheScheduledProcedureStep
    00404021  present  InputInformationSequence
    00100010  present  PatientName
    00100021  present  IssuerOfPatientID
    00100024  present  IssuerOfPatientIDQualifiersSequence
    00101002  present  OtherPatientIDsSequence
    00100030  present  PatientBirthDate
    00100040  present  PatientSex
    00380010  present  AdmissionID
    00380014  present  IssuerOfAdmissionIDSequence
    00081080  present  AdmittingDiagnosesDescription
    00081084  present  AdmittingDiagnosesCodeSequence
    0040A370  present  ReferencedRequestSequence
    >0020000D value    StudyInstanceUID
    >00080050 present  AccessionNumber
    >00080051 present  IssuerOfAccessionNumberSequence
    >00400026 present  OrderPlacerIdentifierSequence
    >00400027 present  OrderFillerIdentifierSequence
    >00401001 present  RequestedProcedureID
    >00321060 present  RequestedProcedureDescription
    >00321064 present  RequestedProcedureCodeSequence
    """
)
AT_UPDATE = _table(
    """
    00080016  absent   SOPClassUID
    00080018  absent   SOPInstanceUID
    00081195  absent   TransactionUID
    00741000  absent   ProcedureStepState
    00100010  absent   PatientName
    00100020  absent   PatientID
    00100021  absent   IssuerOfPatientID
    00100024  absent   IssuerOfPatientIDQualifiersSequence
    00100030  absent   PatientBirthDate
    00100040  absent   PatientSex
    00380010  absent   AdmissionID
    00380014  absent   IssuerOfAdmissionIDSequence
    00081080  absent   AdmittingDiagnosesDescription
    00081084  absent   AdmittingDiagnosesCodeSequence
    0040A370  absent   ReferencedRequestSequence
    00741224  absent   ReplacedProcedureStepSequence
    00741200  filled   ScheduledProcedureStepPriority
    00741204  filled   ProcedureStepLabel
    00741202  filled   WorklistLabel
    00404005  filled   ScheduledProcedureStepStartDateTime
    00404011  filled   ExpectedCompletionDateTime
    00404018  filled   ScheduledWorkitemCodeSequence
    00400400  filled   CommentsOnTheScheduledProcedureStep
    00404041  filled   InputReadinessState
    00404025  optional ScheduledStationNameCodeSequence
    00404026  optional ScheduledStationClassCodeSequence
    00404027  optional ScheduledStationGeographicLocationCodeSequence
    00741002  optional ProcedureStepProgressInformationSequence
    >00741004 filled   ProcedureStepProgress
    >00741006 filled   ProcedureStepProgressDescription
    00741216  optional UnifiedProcedureStepPerformedProcedureSequence
    >00404050 filled   PerformedProcedureStepStartDateTime
    >00404051 filled   PerformedProcedureStepEndDateTime
    >00404019 filled   PerformedWorkitemCodeSequence
    >00404028 optional PerformedStationNameCodeSequence
    >00404029 optional PerformedStationClassCodeSequence
    >00404030 optional PerformedStationGeographicLocationCodeSequence
    """
)
"""The Transaction UID is the lock and is named beside the attributes, so among them it is refused."""
_AT_ANY_END = _table(
    """
    00080016  value    SOPClassUID
    00080018  value    SOPInstanceUID
    00741200  value    ScheduledProcedureStepPriority
    00404010  value    ScheduledProcedureStepModificationDateTime
    00404005  value    ScheduledProcedureStepStartDateTime
    00404041  value    InputReadinessState
    00741000  value    ProcedureStepState
    """
)
AT_END: Mapping[WorkitemState, tuple[Requirement, ...]] = {
    WorkitemState.COMPLETED: _AT_ANY_END
    + _table(
        """
    00741216  value    UnifiedProcedureStepPerformedProcedureSequence
    >00404028 value    PerformedStationNameCodeSequence
    >00404050 value    PerformedProcedureStepStartDateTime
    >00404019 value    PerformedWorkitemCodeSequence
    >00404051 value    PerformedProcedureStepEndDateTime
    >00404033 present  OutputInformationSequence
    """
    ),
    WorkitemState.CANCELED: _AT_ANY_END
    + _table(
        """
    00741002  value    ProcedureStepProgressInformationSequence
    >00404052 value    ProcedureStepCancellationDateTime
    >0074100E value    ProcedureStepDiscontinuationReasonCodeSequence
    """
    ),
}
"""What must be known of a workitem that ends. Work without output objects leaves that sequence empty (CC.2.5-3)."""

CODE_SEQUENCES = frozenset(
    {0x00404018, 0x00404019, 0x00404025, 0x00404026, 0x00404027, 0x00404028, 0x00404029, 0x00404030}
)
"""Sequences by the UPS code macro (PS3.4 table CC.2.5-2a): each item has a code and its meaning."""
CODES = (0x00080100, 0x00080119, 0x00080120)
"""CodeValue, LongCodeValue, URNCodeValue: any of them is the code."""
CODE_MEANING = 0x00080104


def require_attributes(values: Values, requirements: Sequence[Requirement]) -> None:
    """Raise for the first attribute that is not as a table asks: MissingAttribute, MissingAttributeValue or another.

    `values` has an entry for each attribute that is there, an empty one where it has no value.
    """
    for requirement in requirements:
        _require(values, requirement)
        for item in items(values, requirement.tag):
            require_attributes(item, requirement.nested)
            if requirement.tag in CODE_SEQUENCES:
                _require_code(item)


def _require(values: Values, requirement: Requirement) -> None:
    tag, need = requirement.tag, requirement.need
    is_there = tag_key(tag) in values
    if need in (Need.EMPTY, Need.VALUE, Need.PRESENT) and not is_there:
        raise MissingAttribute(f"The required tag '{_name(tag)}' is missing.", tags=(tag,))
    if need is Need.VALUE and is_empty(values, tag):
        raise MissingAttributeValue(f"The value for tag '{_name(tag)}' is missing.", tags=(tag,))
    if need is Need.EMPTY and not is_empty(values, tag):
        raise InvalidAttributes(f"The attribute with tag '{_name(tag)}' must be empty.", tags=(tag,))
    if need is Need.FILLED and is_there and is_empty(values, tag):
        raise MissingAttributeValue(f"The attribute with tag '{_name(tag)}' must not be empty.", tags=(tag,))
    if need is Need.ABSENT and is_there:
        raise InvalidAttributes(f"The attribute with tag '{_name(tag)}' cannot be present.", tags=(tag,))


def _require_code(item: Values) -> None:
    if all(is_empty(item, tag) for tag in CODES):
        raise MissingAttributeValue(f"The value for tag '{_name(CODES[0])}' is missing.", tags=CODES[:1])
    if is_empty(item, CODE_MEANING):
        raise MissingAttributeValue(f"The value for tag '{_name(CODE_MEANING)}' is missing.", tags=(CODE_MEANING,))


def is_empty(values: Values, tag: int) -> bool:
    """Tell whether an attribute is absent or has no value; an item counts as one, even an empty one."""
    return all(isinstance(one, str) and not one for one in values.get(tag_key(tag), ()))


def _name(tag: int) -> str:
    return f"({tag >> 16:04x},{tag & 0xFFFF:04x})"
