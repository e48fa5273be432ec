"""The attributes that the index keeps, one table for QIDO, C-FIND and both index adapters.

Values are text as it stands in the data set after decoding, without padding; several values are
joined by a backslash. Search always compares by the rules of the attribute's VR (PS3.4 C.2.2.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from isocenter.domain.identifiers import Level


@dataclass(frozen=True, slots=True)
class IndexedAttribute:
    """One attribute of the index."""

    keyword: str
    tag: int
    vr: str
    level: Level

    @property
    def column(self) -> str:
        """Return the name under which an index keeps it: the keyword in snake case."""
        return _snake_case(self.keyword)


@lru_cache(maxsize=256)
def _snake_case(keyword: str) -> str:
    out: list[str] = []
    for position, letter in enumerate(keyword):
        following = keyword[position + 1 : position + 2]
        starts_word = letter.isupper() and (not keyword[position - 1].isupper() or following.islower())
        out.append("_" + letter.lower() if position and starts_word else letter.lower())
    return "".join(out)


def _table(level: Level, rows: str) -> tuple[IndexedAttribute, ...]:
    return tuple(
        IndexedAttribute(keyword=keyword, tag=int(tag, 16), vr=vr, level=level)
        for tag, vr, keyword in (row.split() for row in rows.strip().splitlines())
    )


STUDY_ATTRIBUTES = _table(
    Level.STUDY,
    """
    0020000D UI StudyInstanceUID
    00080020 DA StudyDate
    00080030 TM StudyTime
    00080050 SH AccessionNumber
    00080090 PN ReferringPhysicianName
    00080201 SH TimezoneOffsetFromUTC
    00081030 LO StudyDescription
    00100010 PN PatientName
    00100020 LO PatientID
    00100021 LO IssuerOfPatientID
    00100030 DA PatientBirthDate
    00100040 CS PatientSex
    00200010 SH StudyID
    """,
)
SERIES_ATTRIBUTES = _table(
    Level.SERIES,
    """
    0020000E UI SeriesInstanceUID
    00080060 CS Modality
    00080021 DA SeriesDate
    00080031 TM SeriesTime
    0008103E LO SeriesDescription
    00081090 LO ManufacturerModelName
    00180015 CS BodyPartExamined
    00200011 IS SeriesNumber
    00200060 CS Laterality
    00400244 DA PerformedProcedureStepStartDate
    00400245 TM PerformedProcedureStepStartTime
    """,
)
INSTANCE_ATTRIBUTES = _table(
    Level.INSTANCE,
    """
    00080018 UI SOPInstanceUID
    00080016 UI SOPClassUID
    00080023 DA ContentDate
    00080033 TM ContentTime
    00200013 IS InstanceNumber
    00280008 IS NumberOfFrames
    00280010 US Rows
    00280011 US Columns
    00280100 US BitsAllocated
    """,
)
INDEXED_ATTRIBUTES = STUDY_ATTRIBUTES + SERIES_ATTRIBUTES + INSTANCE_ATTRIBUTES
BY_TAG = {attribute.tag: attribute for attribute in INDEXED_ATTRIBUTES}
BY_KEYWORD = {attribute.keyword: attribute for attribute in INDEXED_ATTRIBUTES}


PATIENT_TAGS = frozenset(
    BY_KEYWORD[keyword].tag
    for keyword in ("PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex")
)
"""Attributes of the study that are those of its patient (PS3.4 table C.6-1); the index keeps them with each study."""

REQUEST_ATTRIBUTES_SEQUENCE = 0x00400275
REQUEST_ATTRIBUTES = _table(
    Level.SERIES,
    """
    00080050 SH AccessionNumber
    00400009 SH ScheduledProcedureStepID
    00401001 SH RequestedProcedureID
    """,
)
"""What the index keeps of each item of RequestAttributesSequence (PS3.18 table 10.6.1-5)."""
REQUEST_BY_TAG = {attribute.tag: attribute for attribute in REQUEST_ATTRIBUTES}


def item_tag(sequence: int, tag: int) -> int:
    """Return what stands for an attribute within the items of a sequence, where others are named by their tags alone.

    Its value has one part for each item, empty where the item has none, joined by a backslash as values are.
    """
    return sequence << 32 | tag


REQUEST_ITEM_TAGS = tuple(item_tag(REQUEST_ATTRIBUTES_SEQUENCE, attribute.tag) for attribute in REQUEST_ATTRIBUTES)

MODALITIES_IN_STUDY = 0x00080061
SOP_CLASSES_IN_STUDY = 0x00080062
AVAILABLE_TRANSFER_SYNTAX_UID = 0x00083002
NUMBER_OF_PATIENT_RELATED_STUDIES = 0x00201200
NUMBER_OF_PATIENT_RELATED_SERIES = 0x00201202
NUMBER_OF_PATIENT_RELATED_INSTANCES = 0x00201204
NUMBER_OF_STUDY_RELATED_SERIES = 0x00201206
NUMBER_OF_STUDY_RELATED_INSTANCES = 0x00201208
NUMBER_OF_SERIES_RELATED_INSTANCES = 0x00201209
COMPUTED_TAGS = {
    MODALITIES_IN_STUDY: ("ModalitiesInStudy", "CS", Level.STUDY),
    SOP_CLASSES_IN_STUDY: ("SOPClassesInStudy", "UI", Level.STUDY),
    NUMBER_OF_PATIENT_RELATED_STUDIES: ("NumberOfPatientRelatedStudies", "IS", Level.PATIENT),
    NUMBER_OF_PATIENT_RELATED_SERIES: ("NumberOfPatientRelatedSeries", "IS", Level.PATIENT),
    NUMBER_OF_PATIENT_RELATED_INSTANCES: ("NumberOfPatientRelatedInstances", "IS", Level.PATIENT),
    NUMBER_OF_STUDY_RELATED_SERIES: ("NumberOfStudyRelatedSeries", "IS", Level.STUDY),
    NUMBER_OF_STUDY_RELATED_INSTANCES: ("NumberOfStudyRelatedInstances", "IS", Level.STUDY),
    NUMBER_OF_SERIES_RELATED_INSTANCES: ("NumberOfSeriesRelatedInstances", "IS", Level.SERIES),
    AVAILABLE_TRANSFER_SYNTAX_UID: ("AvailableTransferSyntaxUID", "UI", Level.INSTANCE),
}
"""Attributes that the index computes rather than keeps: keyword, VR, level."""
PATIENT_COUNTS = frozenset(tag for tag, (_, _, level) in COMPUTED_TAGS.items() if level is Level.PATIENT)
"""Those that cost a look at all studies of a patient; a search below that level gives them where it is asked to."""
MATCHED_COMPUTED_TAGS = frozenset({MODALITIES_IN_STUDY, SOP_CLASSES_IN_STUDY})
"""Computed attributes that a search can match; they have several values."""


def level_of(tag: int) -> Level | None:
    """Return the level at which the index has an attribute, None where it does not have it."""
    if tag in PATIENT_TAGS:
        return Level.PATIENT
    if tag in BY_TAG:
        return BY_TAG[tag].level
    return COMPUTED_TAGS[tag][2] if tag in COMPUTED_TAGS else None
