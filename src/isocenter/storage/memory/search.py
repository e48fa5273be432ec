"""Search by looking at every row: the meaning of a query, spelled out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from isocenter.domain.attributes import (
    AVAILABLE_TRANSFER_SYNTAX_UID,
    BY_KEYWORD,
    MODALITIES_IN_STUDY,
    NUMBER_OF_PATIENT_RELATED_INSTANCES,
    NUMBER_OF_PATIENT_RELATED_SERIES,
    NUMBER_OF_PATIENT_RELATED_STUDIES,
    NUMBER_OF_SERIES_RELATED_INSTANCES,
    NUMBER_OF_STUDY_RELATED_INSTANCES,
    NUMBER_OF_STUDY_RELATED_SERIES,
    PATIENT_TAGS,
    REQUEST_ATTRIBUTES_SEQUENCE,
    REQUEST_BY_TAG,
    REQUEST_ITEM_TAGS,
    SOP_CLASSES_IN_STUDY,
)
from isocenter.domain.fitting import external_stand_in, fits, query_tag_stand_in
from isocenter.domain.identifiers import Level
from isocenter.domain.indexed import matched_attribute, matched_level
from isocenter.domain.query import Match, Query, SearchRow
from isocenter.storage.memory.entries import Series, Study, TagValue

_PATIENT_ID = BY_KEYWORD["PatientID"].tag
_ISSUER = BY_KEYWORD["IssuerOfPatientID"].tag
_STUDY_UID = BY_KEYWORD["StudyInstanceUID"].tag
_SEVERAL = frozenset({MODALITIES_IN_STUDY, SOP_CLASSES_IN_STUDY})
Place = tuple[dict[int, str], ...]
"""Values of something: of its study, of its series, of it, as far as it is below those."""


@dataclass(frozen=True, slots=True)
class _Values:
    """Values by tag, as matches look at them."""

    values: Mapping[int, str]

    def vr_of(self, tag: int) -> str:
        return REQUEST_BY_TAG[tag].vr if tag in REQUEST_BY_TAG else matched_attribute(tag).vr

    def values_of(self, tag: int) -> Sequence[str]:
        value = self.values.get(tag, "")
        return value.split("\\") if tag in _SEVERAL and value else [value] if value else []

    def items_of(self, tag: int) -> Sequence[_Values]:
        parts = [self.values.get(one, "").split("\\") for one in REQUEST_ITEM_TAGS]
        if tag != REQUEST_ATTRIBUTES_SEQUENCE or not any(map(any, parts)):
            return []
        count = max(map(len, parts))
        items = zip(*(part + [""] * (count - len(part)) for part in parts), strict=True)
        return [_Values(dict(zip(REQUEST_BY_TAG, item, strict=True))) for item in items]


def iter_rows(studies: Iterable[Study], query: Query, *, newest: int | None = None) -> Iterator[tuple[int, SearchRow]]:
    """Yield key and row of what fits; studies with a key above `newest` are left out of account for patients."""
    of_partition = [study for study in studies if study.partition_name == query.partition_name]
    upper = [match for match in query.matches if matched_level(match) <= query.level]
    lower = [match for match in query.matches if matched_level(match) > query.level]
    for key, row, below in _candidates(of_partition, query, newest):
        values = _Values(row.attributes)
        if all(fits(match, values) for match in upper) and (not lower or _is_below(lower, below)):
            yield key, SearchRow(row.newest_instance_key, _shown(row.attributes, query))


def _shown(attributes: Mapping[int, str], query: Query) -> dict[int, str]:
    hidden = set(REQUEST_ITEM_TAGS)
    return {tag: value for tag, value in attributes.items() if tag >= 0 and tag not in hidden}


def _by_stand_in(values: Mapping[int, TagValue]) -> dict[int, str]:
    return {query_tag_stand_in(key): value for key, (_, value) in values.items()}


Candidate = tuple[int, SearchRow, list[Study]]


def _is_below(matches: list[Match], studies: list[Study]) -> bool:
    """Tell whether something in the studies fits all matches."""
    depth = max(matched_level(match) for match in matches)
    return any(all(fits(match, _Values(values)) for match in matches) for values in _below(studies, depth))


def _below(studies: Iterable[Study], depth: Level) -> Iterator[dict[int, str]]:
    for study in studies:
        of_study = _study_values(study)
        if depth is Level.STUDY:
            yield of_study
        for series in study.series.values() if depth > Level.STUDY else ():
            of_series = of_study | _series_values(series)
            if depth is Level.SERIES:
                yield of_series
            for instance in series.instances.values() if depth is Level.INSTANCE else ():
                yield of_series | instance.current.attributes | _by_stand_in(instance.query_tag_values)


def _candidates(studies: list[Study], query: Query, newest: int | None) -> Iterator[Candidate]:
    if query.level is Level.PATIENT:
        yield from _patients([study for study in studies if newest is None or study.key <= newest], query)
        return
    for study in studies:
        if query.study_instance_uid in (None, study.attributes[_STUDY_UID]):
            counts = _patient_counts(_patient_of(study, studies)) if query.with_patient_counts else {}
            yield from _in_study(study, query, counts)


def _patients(studies: list[Study], query: Query) -> Iterator[Candidate]:
    for study in studies:
        of_patient = _patient_of(study, studies)
        is_named = query.study_instance_uid in (None, study.attributes[_STUDY_UID])
        if study.key == max(one.key for one in of_patient) and is_named:
            own = {tag: value for tag, value in study.attributes.items() if tag in PATIENT_TAGS}
            yield study.key, SearchRow(study.newest_key, own | _patient_counts(of_patient)), of_patient


def _patient_of(study: Study, studies: list[Study]) -> list[Study]:
    """Return the studies of a study's patient; one without PatientID is a patient of its own."""
    if _PATIENT_ID not in study.attributes:
        return [study]
    return [one for one in studies if _identity(one) == _identity(study)]


def _identity(study: Study) -> tuple[str | None, str | None]:
    return study.attributes.get(_PATIENT_ID), study.attributes.get(_ISSUER)


def _patient_counts(studies: list[Study]) -> dict[int, str]:
    return {
        NUMBER_OF_PATIENT_RELATED_STUDIES: str(len(studies)),
        NUMBER_OF_PATIENT_RELATED_SERIES: str(sum(len(study.series) for study in studies)),
        NUMBER_OF_PATIENT_RELATED_INSTANCES: str(sum(study.number_of_instances for study in studies)),
    }


def _study_values(study: Study) -> dict[int, str]:
    several = {MODALITIES_IN_STUDY: "\\".join(study.modalities), SOP_CLASSES_IN_STUDY: "\\".join(study.sop_classes)}
    counts = {
        NUMBER_OF_STUDY_RELATED_SERIES: str(len(study.series)),
        NUMBER_OF_STUDY_RELATED_INSTANCES: str(study.number_of_instances),
    }
    tags = _by_stand_in(study.query_tag_values)
    external = {external_stand_in(one.tag): one.value for one in study.external_metadata.values}
    return study.attributes | tags | external | counts | {tag: value for tag, value in several.items() if value}


def _series_values(series: Series) -> dict[int, str]:
    tags = _by_stand_in(series.query_tag_values)
    return series.attributes | tags | {NUMBER_OF_SERIES_RELATED_INSTANCES: str(len(series.instances))}


def _in_study(study: Study, query: Query, counts: dict[int, str]) -> Iterator[Candidate]:
    values = _study_values(study) | counts
    if query.level is Level.STUDY:
        yield study.key, SearchRow(study.newest_key, values), [study]
        return
    for series_uid in study.series:
        if query.series_instance_uid in (None, series_uid):
            yield from _in_series(study, series_uid, query, values)


def _in_series(study: Study, series_uid: str, query: Query, above: dict[int, str]) -> Iterator[Candidate]:
    series = study.series[series_uid]
    values = above | _series_values(series)
    if query.level is Level.SERIES:
        alone = Study(study.key, study.partition_name, study.attributes, {series_uid: series})
        yield series.key, SearchRow(series.newest_key, values), [alone]
        return
    for instance in series.instances.values():
        version = instance.current
        syntax = {AVAILABLE_TRANSFER_SYNTAX_UID: version.new.transfer_syntax_uid}
        own = version.attributes | _by_stand_in(instance.query_tag_values)
        yield version.key, SearchRow(version.key, values | own | syntax), []
