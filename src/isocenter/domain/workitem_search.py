"""What a search for workitems can ask for, and the texts of a workitem that answer it (PS3.18 11.9, dicom-service 9.4).

An attribute is named by its path: its own tag behind those of the sequences that it lies in. It has the texts of all
items on the way. Dates with times are kept as their first instant, so that texts compare in the order of time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from isocenter.domain.date_time import first_instant
from isocenter.domain.identifiers import DEFAULT_PARTITION
from isocenter.domain.query import ValueMatch
from isocenter.domain.values import Values, items, texts

Path: TypeAlias = tuple[int, ...]

TEXTS_MAX = 1024
"""Texts of one workitem that a search looks at; a step with ten requests and twenty codes has some sixty."""
TEXT_LENGTH_MAX = 1024
"""The longest attribute that a search looks at is a name of three groups of 64 characters."""


@dataclass(frozen=True, slots=True)
class SearchableAttribute:
    """An attribute that a search can match: where it lies, its VR, and how it is called."""

    path: Path
    vr: str
    keyword: str

    @property
    def tag(self) -> int:
        """Return its own tag."""
        return self.path[-1]


def _table(text: str) -> tuple[SearchableAttribute, ...]:
    return tuple(
        SearchableAttribute(tuple(int(tag, 16) for tag in path.split(".")), vr, keyword)
        for path, vr, keyword in (line.split() for line in text.strip().splitlines())
    )


AZURE_SEARCHABLE = _table(
    """
    00100010          PN PatientName
    00100020          LO PatientID
    0020000D          UI StudyInstanceUID
    00741000          CS ProcedureStepState
    00404005          DT ScheduledProcedureStepStartDateTime
    0040A370.00080050 SH ReferencedRequestSequence.AccessionNumber
    0040A370.00401001 SH ReferencedRequestSequence.RequestedProcedureID
    00404025.00080100 SH ScheduledStationNameCodeSequence.CodeValue
    00404026.00080100 SH ScheduledStationClassCodeSequence.CodeValue
    00404027.00080100 SH ScheduledStationGeographicLocationCodeSequence.CodeValue
    """
)
"""What Azure's service matches (dicom-service 9.4)."""
SEARCHABLE = AZURE_SEARCHABLE + _table(
    """
    00080018          UI SOPInstanceUID
    00100021          LO IssuerOfPatientID
    00100030          DA PatientBirthDate
    00100040          CS PatientSex
    00380010          LO AdmissionID
    00404010          DT ScheduledProcedureStepModificationDateTime
    00404011          DT ExpectedCompletionDateTime
    00404041          CS InputReadinessState
    00741200          CS ScheduledProcedureStepPriority
    00741202          LO WorklistLabel
    00741204          LO ProcedureStepLabel
    0040A370.0020000D UI ReferencedRequestSequence.StudyInstanceUID
    00404018.00080100 SH ScheduledWorkitemCodeSequence.CodeValue
    00404034.00404037 PN ScheduledHumanPerformersSequence.HumanPerformerName
    00404034.00404009.00080100 SH ScheduledHumanPerformersSequence.HumanPerformerCodeSequence.CodeValue
    """
)
"""And what the standard's user agents ask for besides (PS3.4 table CC.2.5-3, matching keys R)."""


@dataclass(frozen=True, slots=True)
class WorkitemMatch:
    """What one attribute must be."""

    attribute: SearchableAttribute
    match: ValueMatch


@dataclass(frozen=True, slots=True)
class WorkitemQuery:
    """A search; matches are joined by AND. `offset` and `limit` count workitems, the one created last first."""

    matches: tuple[WorkitemMatch, ...] = ()
    limit: int = 100
    offset: int = 0
    partition_name: str = DEFAULT_PARTITION


@dataclass(frozen=True, slots=True)
class SearchableText:
    """One text of a workitem, with the attribute that it is a value of."""

    attribute: SearchableAttribute
    text: str


def searchable_texts(values: Values) -> tuple[SearchableText, ...]:
    """Return the texts of a workitem that a search looks at, each once, up to a limit on their number."""
    found: dict[SearchableText, None] = {}
    for attribute in SEARCHABLE:
        for text in _texts(values, attribute.path):
            kept = first_instant(text) if attribute.vr == "DT" else text
            if kept and len(kept) <= TEXT_LENGTH_MAX and len(found) < TEXTS_MAX:
                found[SearchableText(attribute, kept)] = None
    return tuple(found)


def _texts(values: Values, path: Path) -> Iterator[str]:
    if len(path) == 1:
        yield from texts(values, path[0])
        return
    for item in items(values, path[0]):
        yield from _texts(item, path[1:])


def texts_of(kept: Sequence[SearchableText], attribute: SearchableAttribute) -> list[str]:
    """Return the texts of one attribute."""
    return [one.text for one in kept if one.attribute == attribute]
