"""What DICOMweb servers can do in a search, as far as it is known: what they are not sure to do is done here.

A profile promises little rather than much: an attribute that it does not name is fetched wide and matched here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from isocenter.dicom.dictionary import tag_of
from isocenter.domain.identifiers import Level
from isocenter.routing.configuration.destination import WebProfile


@dataclass(frozen=True, slots=True)
class SearchProfile:
    """What a server matches."""

    searchable: Mapping[Level, frozenset[int]]
    """Attributes that it matches, by the level that they belong to."""
    ranges: frozenset[int]
    """Those of them that it matches by a range of dates or times."""
    has_wildcards: bool
    has_fuzzy_names: bool
    """With `fuzzymatching=true`, words of a name that begin as the key's words do, in order."""
    ignores_case: bool
    """Of descriptions and other text; names are found as the server compares them."""
    takes_uid_lists: bool
    """UIDs separated by commas; else each is asked for by itself."""
    limit_max: int
    """Rows of one page; the largest that is sure to be given."""
    has_study_keys_below_study: bool = True
    """Keys of a level above may stand where the route names it already."""


def _tags(*keywords: str) -> frozenset[int]:
    found = [tag_of(keyword) for keyword in keywords]
    assert None not in found
    return frozenset(tag for tag in found if tag is not None)


_STANDARD = {
    Level.STUDY: _tags(
        "StudyDate",
        "StudyTime",
        "AccessionNumber",
        "ModalitiesInStudy",
        "ReferringPhysicianName",
        "PatientName",
        "PatientID",
        "StudyInstanceUID",
        "StudyID",
    ),
    Level.SERIES: _tags(
        "Modality",
        "SeriesInstanceUID",
        "SeriesNumber",
        "PerformedProcedureStepStartDate",
        "PerformedProcedureStepStartTime",
    ),
    Level.INSTANCE: _tags("SOPClassUID", "SOPInstanceUID", "InstanceNumber"),
}
"""What every server must match (PS3.18 tables 10.6.1-5 to 10.6.1-7)."""
_STANDARD_RANGES = _tags("StudyDate", "StudyTime", "PerformedProcedureStepStartDate", "PerformedProcedureStepStartTime")
_MORE = {
    Level.STUDY: _STANDARD[Level.STUDY] | _tags("StudyDescription", "PatientBirthDate", "PatientSex"),
    Level.SERIES: _STANDARD[Level.SERIES] | _tags("SeriesDescription", "BodyPartExamined"),
    Level.INSTANCE: _STANDARD[Level.INSTANCE],
}
"""What both Orthanc and dcm4chee keep in their index besides."""

PROFILES: Mapping[WebProfile, SearchProfile] = {
    WebProfile.STANDARD: SearchProfile(
        searchable=_STANDARD,
        ranges=_STANDARD_RANGES,
        has_wildcards=True,
        has_fuzzy_names=False,
        ignores_case=False,
        takes_uid_lists=True,
        limit_max=100,
    ),
    WebProfile.AZURE: SearchProfile(  # dicom-service 4.2 and 4.3; routing-and-gateway 6.1
        searchable={
            Level.STUDY: _tags(
                "StudyInstanceUID",
                "PatientName",
                "PatientID",
                "PatientBirthDate",
                "AccessionNumber",
                "ReferringPhysicianName",
                "StudyDate",
                "StudyDescription",
                "ModalitiesInStudy",
            ),
            Level.SERIES: _tags(
                "SeriesInstanceUID", "Modality", "PerformedProcedureStepStartDate", "ManufacturerModelName"
            ),
            Level.INSTANCE: _tags("SOPInstanceUID"),
        },
        ranges=_tags("StudyDate", "PatientBirthDate"),
        has_wildcards=False,
        has_fuzzy_names=True,
        ignores_case=True,
        takes_uid_lists=False,
        limit_max=200,
        has_study_keys_below_study=False,
    ),
    WebProfile.ORTHANC: SearchProfile(
        searchable=_MORE,
        ranges=_STANDARD_RANGES | _tags("PatientBirthDate"),
        has_wildcards=True,
        has_fuzzy_names=False,
        ignores_case=True,
        takes_uid_lists=False,
        limit_max=100,
    ),
    WebProfile.DCM4CHEE: SearchProfile(
        searchable=_MORE,
        ranges=_STANDARD_RANGES | _tags("PatientBirthDate"),
        has_wildcards=True,
        has_fuzzy_names=False,
        ignores_case=False,
        takes_uid_lists=True,
        limit_max=1000,
    ),
}
