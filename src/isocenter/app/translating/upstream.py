"""The DICOMweb service behind a translator: asked page by page, with a little patience, its failures as statuses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from threading import Event
from typing import Any, TypeVar

import structlog

from isocenter.app.web_report import report_of
from isocenter.dicomweb.client.client import DicomwebClient, RowPage
from isocenter.dimse.scp.final_status import FinalStatus
from isocenter.domain.errors import IsocenterError
from isocenter.domain.identifiers import Level
from isocenter.domain.statuses import OUT_OF_RESOURCES
from isocenter.routing.deliveries.report import HttpAnswered, Report, TransportFailed, TransportFault
from isocenter.routing.deliveries.verdict import Verdict, judge
from isocenter.routing.translation.profile import SearchProfile
from isocenter.routing.translation.search import SearchRequest
from isocenter.routing.translation.status import DimseAnswer, answer_to_find

_log = structlog.get_logger()
T = TypeVar("T")

TRIES_MAX = 3
"""Of one request: a line that blinks, a service that asks for a moment (routing-and-gateway 6.2)."""
FIRST_WAIT_S = 0.2
WAIT_MAX_S = 5.0
"""A requestor of DIMSE waits for some ten seconds; a service that asks for more than this is told as busy."""
ROWS_MAX = 200_000
"""Looked through for one search, fitting or not: some minutes of paging."""

_UNIQUE_KEYS = {Level.STUDY: "0020000D", Level.SERIES: "0020000E", Level.INSTANCE: "00080018"}
_ANSWERED_LATE = frozenset({TransportFault.ANSWER_TIMEOUT, TransportFault.CONNECT_TIMEOUT})
_TOO_MANY_ROWS = "Too many matches; narrow the search."
_NO_PAGES = "The service gives the same page again and again."

Row = Mapping[str, Any]


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Upstream:
    """A service, how it is asked, and what it is known to do."""

    name: str
    """Of the destination, for the log."""
    client: DicomwebClient
    profile: SearchProfile
    stopping: Event = field(default_factory=Event)
    """Set when nothing is to be waited for any more."""

    def patiently(
        self, ask: Callable[[], T], *, is_cancelled: Callable[[], bool] = _never, again_after_timeout: bool = False
    ) -> T:
        """Return what a request gives, asked again a few times while that may help.

        Without `again_after_timeout`, what was waited for in vain is not asked for again: a person waits. Raises the
        errors of the client: the last one where it did not help.
        """
        for attempt in range(1, TRIES_MAX + 1):
            try:
                return ask()
            except IsocenterError as error:
                report = report_of(error)
                wait_s = _wait_s(report, attempt) if again_after_timeout or not _is_late(report) else None
                if wait_s is None or is_cancelled() or self.stopping.wait(wait_s):
                    raise
        raise AssertionError  # the last attempt returned or raised

    def iter_rows(
        self, requests: Iterable[SearchRequest], level: Level, *, is_cancelled: Callable[[], bool] = _never
    ) -> Iterator[Row]:
        """Yield the rows of some requests together, each once, page by page to the end.

        Raises FinalStatus where the service fails, or would have to be asked without end.
        """
        seen: set[str] = set()
        rows = 0
        for request in requests:
            for page in self._iter_pages(request, is_cancelled):
                rows += len(page.rows)
                if rows > ROWS_MAX:
                    raise FinalStatus(OUT_OF_RESOURCES, _TOO_MANY_ROWS)
                for row in page.rows:
                    uid = unique_key(row, level)
                    if uid and uid not in seen:
                        seen.add(uid)
                        yield row

    def _iter_pages(self, request: SearchRequest, is_cancelled: Callable[[], bool]) -> Iterator[RowPage]:
        limit, offset = self.profile.limit_max, 0
        before: list[dict[str, Any]] = []
        while not is_cancelled():
            page = self.page(request, limit=limit, offset=offset, is_cancelled=is_cancelled)
            if page.rows and page.rows == before:
                raise FinalStatus(OUT_OF_RESOURCES, _NO_PAGES)
            yield page
            if not page.rows or (len(page.rows) < limit and not page.has_more):
                return
            before, offset = page.rows, offset + len(page.rows)

    def page(
        self, request: SearchRequest, *, limit: int, offset: int = 0, is_cancelled: Callable[[], bool] = _never
    ) -> RowPage:
        """Return one page; raises FinalStatus."""
        paging = f"limit={limit}" + (f"&offset={offset}" if offset else "")
        query_string = f"{request.query_string}&{paging}" if request.parameters else paging
        try:
            return self.patiently(lambda: self.client.page(request.path, query_string), is_cancelled=is_cancelled)
        except IsocenterError as error:
            report = report_of(error)
            answer = answer_to_find(report, is_below_parent=request.path.count("/") > 1)
            if not answer.status:
                return RowPage([], has_more=False)
            _log.warning("translator.search_failed", upstream=self.name, reason=error.message)
            raise _SearchFailed(answer, report) from error


class _SearchFailed(FinalStatus):
    """A search ends with the status for what the service answered."""

    def __init__(self, answer: DimseAnswer, report: Report) -> None:
        super().__init__(answer.status, answer.comment)
        self.report = report


def is_answered(error: FinalStatus, *statuses: int) -> bool:
    """Tell whether a search failed because the service answered one of some HTTP statuses."""
    if not isinstance(error, _SearchFailed) or not isinstance(error.report, HttpAnswered):
        return False
    return error.report.status in statuses


def unique_key(row: Row, level: Level) -> str:
    """Return the UID of a row at its level, empty where it has none."""
    attribute = row.get(_UNIQUE_KEYS[max(level, Level.STUDY)])
    values = attribute.get("Value") if isinstance(attribute, Mapping) else None
    return str(values[0]) if isinstance(values, list) and values else ""


def _is_late(report: Report) -> bool:
    return isinstance(report, TransportFailed) and report.fault in _ANSWERED_LATE


def _wait_s(report: Report, attempt: int) -> float | None:
    """Return how long to wait before the next attempt, None where there is to be none."""
    judgement = judge(report)
    if attempt == TRIES_MAX or judgement.verdict is not Verdict.TRANSIENT:
        return None
    wait_s = judgement.retry_after_s if judgement.retry_after_s is not None else FIRST_WAIT_S * (1 << (attempt - 1))
    return wait_s if wait_s <= WAIT_MAX_S else None
