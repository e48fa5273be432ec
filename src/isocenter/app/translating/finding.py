"""C-FIND answered from QIDO-RS: all pages, what the service cannot match matched here (routing-and-gateway 6.1).

    identifier ─▶ query ─▶ requests and residual ─▶ rows, page by page ─▶ those that fit ─▶ identifiers of responses

A search that fails is never told as one that found nothing, and one that found too much never as one that found it all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Any

from isocenter.app.translating.upstream import Row, Upstream, is_answered, unique_key
from isocenter.dimse.codec.find import TIMEZONE_OFFSET_FROM_UTC, FindRequest
from isocenter.dimse.codec.find_answer import AnswerEncoder
from isocenter.dimse.scp.final_status import FinalStatus
from isocenter.dimse.scp.find import IDENTIFIER_DOES_NOT_MATCH, Asked, Finding, Prepare
from isocenter.dimse.scp.query import read_request
from isocenter.domain.attributes import COMPUTED_TAGS, level_of
from isocenter.domain.errors import IsocenterError
from isocenter.domain.fitting import fits
from isocenter.domain.identifiers import Level, Scope
from isocenter.domain.principal import DataAction
from isocenter.domain.query import Query, SearchRow
from isocenter.domain.statuses import OUT_OF_RESOURCES
from isocenter.routing.translation.json_row import JsonRow
from isocenter.routing.translation.patients import SUMMED, count_patients, iter_patients
from isocenter.routing.translation.search import (
    TOO_WIDE,
    SearchRequest,
    TranslatedSearch,
    translate_search,
    with_known_fields,
)

COMPLETED_MAX = 200
"""Rows for which a service that does not return what it is asked for is asked for the metadata of an instance."""
TOO_MANY = "Too many matches; narrow the search."
_NOT_FOUND_HERE = (404, 405, 501)


@dataclass(frozen=True, slots=True)
class FindLimits:
    """How much a search may bring."""

    matches_max: int


def query_of_upstream(upstream: Upstream, limits: FindLimits) -> Prepare:
    """Return what answers requests from a service."""

    def prepare(asked: Asked) -> Finding:
        asked.principal.require(DataAction.READ)
        request = read_request(asked)
        search = translate_search(request.query, upstream.profile, return_tags=sorted(_wanted(request)))
        if search.is_too_wide:
            raise FinalStatus(IDENTIFIER_DOES_NOT_MATCH, TOO_WIDE, tuple(one.tag for one in request.query.matches))
        rows = _Search(upstream, asked, request, search).rows()
        first = list(islice(rows, 1))  # so that what is wrong with the whole search is told before any answer
        return Finding(_answers(asked, request, chain(first, rows), limits), request.has_unmatched_keys)

    return prepare


def _wanted(request: FindRequest) -> set[int]:
    """Return what a service is asked to return."""
    tags = set(request.return_keys)
    if request.tells_timezone:
        tags.add(TIMEZONE_OFFSET_FROM_UTC)
    return tags | set(SUMMED.values()) if _counts_patients(request) else tags


def _counts_patients(request: FindRequest) -> bool:
    """Tell whether studies are to be counted by patient; a search that not all of them fit cannot."""
    query = request.query
    is_of_patient = all(level_of(match.tag) is Level.PATIENT for match in query.matches)
    return query.level is Level.PATIENT and query.with_patient_counts and is_of_patient


@dataclass(frozen=True, slots=True)
class _Search:
    """One search under way."""

    upstream: Upstream
    asked: Asked
    request: FindRequest
    search: TranslatedSearch

    def rows(self) -> Iterator[JsonRow]:
        """Yield what fits; raises FinalStatus."""
        query = self.request.query
        residual = self.search.residual
        fitting = (row for row in self._found(query) if all(fits(match, JsonRow(row)) for match in residual))
        if not self.search.is_by_patient:
            return map(JsonRow, fitting)
        return map(JsonRow, count_patients(fitting) if _counts_patients(self.request) else iter_patients(fitting))

    def _found(self, query: Query) -> Iterator[Row]:
        level = max(query.level, Level.STUDY)
        has_begun = False
        try:
            for row in self._iter(self.search.requests, level):
                has_begun = True
                yield row
        except FinalStatus as failure:
            other = None if has_begun else self._other_way(failure, level)
            if other is None:
                raise
        else:
            return
        yield from other

    def _other_way(self, failure: FinalStatus, level: Level) -> Iterator[Row] | None:
        """Return what finds the same by requests that a service can answer, None where there are none."""
        if is_answered(failure, 400) and any(one.has_fields for one in self.search.requests):
            return self._completed(level)
        is_flat = level > Level.STUDY and self.request.query.study_instance_uid is None
        if is_answered(failure, *_NOT_FOUND_HERE) and is_flat:
            return self._study_by_study(self.request.query, level)
        return None

    def _iter(self, requests: Iterable[SearchRequest], level: Level) -> Iterator[Row]:
        return self.upstream.iter_rows(requests, level, is_cancelled=self.asked.is_cancelled)

    def _completed(self, level: Level) -> Iterator[Row]:
        """Yield rows of a service that refuses to return some attributes, completed from metadata of an instance."""
        requests = [with_known_fields(one, self.upstream.profile) for one in self.search.requests]
        wanted = frozenset(f"{tag:08X}" for tag in _wanted(self.request) - COMPUTED_TAGS.keys())
        for number, row in enumerate(self._iter(requests, level)):
            if number == COMPLETED_MAX:
                raise FinalStatus(OUT_OF_RESOURCES, TOO_MANY)
            yield row if wanted <= row.keys() else {**self._metadata_below(row, level, wanted), **row}

    def _metadata_below(self, row: Row, level: Level, wanted: frozenset[str]) -> dict[str, Any]:
        """Return what the metadata of one instance of a row says of some attributes."""
        study, series = unique_key(row, Level.STUDY), unique_key(row, Level.SERIES)
        if not study or (level > Level.STUDY and not series):
            return {}
        path = f"/studies/{study}/series/{series}/instances" if level > Level.STUDY else f"/studies/{study}/instances"
        sop = unique_key(row, Level.INSTANCE)
        if level < Level.INSTANCE:
            page = self.upstream.page(SearchRequest(path, ()), limit=1)
            if not page.rows:
                return {}
            series, sop = unique_key(page.rows[0], Level.SERIES) or series, unique_key(page.rows[0], Level.INSTANCE)
        if not series or not sop:
            return {}
        try:
            documents = self.upstream.patiently(lambda: self.upstream.client.metadata(Scope(study, series, sop)))
        except IsocenterError:
            return {}
        return {tag: value for document in documents[:1] for tag, value in document.items() if tag in wanted}

    def _study_by_study(self, query: Query, level: Level) -> Iterator[Row]:
        """Yield rows of a service that searches series and instances only below a study that is named."""
        profile, tags = self.upstream.profile, sorted(_wanted(self.request))
        above = replace(query, level=Level.STUDY, matches=tuple(one for one in query.matches if _is_above(one.tag)))
        studies = self._iter(translate_search(above, profile, return_tags=()).requests, Level.STUDY)
        for study in studies:
            below = replace(query, study_instance_uid=unique_key(study, Level.STUDY))
            yield from self._iter(translate_search(below, profile, return_tags=tags).requests, level)


def _is_above(tag: int) -> bool:
    level = level_of(tag)
    return level is not None and level <= Level.STUDY


def _answers(asked: Asked, request: FindRequest, rows: Iterable[JsonRow], limits: FindLimits) -> Iterator[bytes]:
    """Yield the identifiers of the responses; everything in them comes from the row."""
    tags = frozenset(request.return_keys)
    encoder = AnswerEncoder(
        replace(request, header_tags=tags),
        asked.encoding,
        retrieve_ae_title=asked.ae_title,
        rows_tell_availability=True,
    )
    for number, row in enumerate(rows):
        if number == limits.matches_max:
            raise FinalStatus(OUT_OF_RESOURCES, TOO_MANY)
        yield encoder.encode(SearchRow(0, _timezone(request, row)), row)


def _timezone(request: FindRequest, row: JsonRow) -> dict[int, str]:
    """Return in which zone dates and times are, where that is to be told and is no key itself."""
    text = row.text_of(TIMEZONE_OFFSET_FROM_UTC) if request.tells_timezone else ""
    return {TIMEZONE_OFFSET_FROM_UTC: text} if text else {}
