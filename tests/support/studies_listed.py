"""A study directory in memory: answers with the rows it was given, and remembers what it was asked."""

from __future__ import annotations

from collections.abc import Mapping

from isocenter.domain.attributes import (
    BY_KEYWORD,
    MODALITIES_IN_STUDY,
    NUMBER_OF_SERIES_RELATED_INSTANCES,
    NUMBER_OF_STUDY_RELATED_INSTANCES,
    NUMBER_OF_STUDY_RELATED_SERIES,
)
from isocenter.domain.identifiers import Level
from isocenter.domain.principal import DataAction, Principal
from isocenter.domain.query import Query, SearchRow

_STUDY_INSTANCE_UID = BY_KEYWORD["StudyInstanceUID"].tag
_COMPUTED = {
    "ModalitiesInStudy": MODALITIES_IN_STUDY,
    "NumberOfStudyRelatedSeries": NUMBER_OF_STUDY_RELATED_SERIES,
    "NumberOfStudyRelatedInstances": NUMBER_OF_STUDY_RELATED_INSTANCES,
    "NumberOfSeriesRelatedInstances": NUMBER_OF_SERIES_RELATED_INSTANCES,
}


def listed(values: Mapping[str, str], *, key: int = 1) -> SearchRow:
    """Return a row with values by keyword."""
    tags = {keyword: attribute.tag for keyword, attribute in BY_KEYWORD.items()} | _COMPUTED
    return SearchRow(key, {tags[keyword]: value for keyword, value in values.items()})


class StudiesListed:
    """Rows of studies and series; matches other than the study of a series search are recorded, not applied."""

    def __init__(
        self,
        studies: list[SearchRow],
        series: list[SearchRow] | None = None,
        *,
        patients: list[SearchRow] | None = None,
    ) -> None:
        self._studies = studies
        self._patients = patients or []
        self._series = series or []
        self.queries: list[Query] = []

    def search(self, principal: Principal, query: Query) -> list[SearchRow]:
        """Return the page of rows."""
        return self._rows(principal, query)[query.offset : query.offset + query.limit]

    def count(self, principal: Principal, query: Query) -> int:
        """Return how many rows there are."""
        return len(self._rows(principal, query))

    def _rows(self, principal: Principal, query: Query) -> list[SearchRow]:
        principal.require(DataAction.READ)
        self.queries.append(query)
        if query.level is Level.PATIENT:
            return self._patients
        if query.level is Level.STUDY:
            return self._studies
        return [row for row in self._series if row.attributes[_STUDY_INSTANCE_UID] == query.study_instance_uid]
