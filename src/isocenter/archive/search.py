"""Search the archive (QIDO-RS and C-FIND alike).

What the index keeps, it matches, extended query tags included. Keys on other attributes are held against the header of
the newest instance of each row that the index finds: of the same instance, then, of which an answer tells such
attributes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

import structlog

from isocenter.archive.archive import Archive
from isocenter.archive.query_tag_search import by_query_tags
from isocenter.archive.retrieve import read_header
from isocenter.dicom.element_view import ElementView, view_header
from isocenter.domain.errors import CorruptInstance, Forbidden, InvalidDataset, TooLarge
from isocenter.domain.fitting import fits
from isocenter.domain.identifiers import Level, Scope
from isocenter.domain.indexed import split_matches
from isocenter.domain.principal import DataAction, Principal
from isocenter.domain.query import Cursor, DateAndTime, Match, Query, SearchRow

_log = structlog.get_logger()

FIRST_PAGE_ROWS = 100
"""Few, so that the first answer comes soon and a listing that is broken off has cost little."""
PAGE_ROWS_MAX = 2000
"""About two megabytes; each page finds its rows anew, which costs much where they must be sorted."""
PAGE_GROWTH = 4
HEADERS_EXAMINED_MAX = 10_000
"""Headers that one search may look at for keys that the index does not keep: some seconds from the disk's cache. A
search that narrows less is refused rather than answered in part."""

_STUDY_INSTANCE_UID = 0x0020000D
_SERIES_INSTANCE_UID = 0x0020000E
_TIMEZONE_OFFSET_FROM_UTC = 0x00080201
_NOTHING: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Found:
    """A row that matches, and what was asked for of its newest instance's header, if anything was."""

    row: SearchRow
    header: ElementView | None = None


def search(archive: Archive, principal: Principal, query: Query) -> list[SearchRow]:
    """Return the rows that match, newest first.

    Raises TooLarge where a key on what the index does not keep would need more headers than
    `HEADERS_EXAMINED_MAX`, InvalidRequest where a match makes no sense.
    """
    query = by_query_tags(_within_reach(principal, query), archive.index.query_tags.all())
    if not split_matches(query.matches)[1]:
        return archive.index.search(query)
    found = iter_search(archive, principal, query)
    return [one.row for one in islice(found, query.offset, query.offset + query.limit)]


def count(archive: Archive, principal: Principal, query: Query) -> int:
    """Return how many rows match, whatever the page. Raises as `search` does."""
    query = by_query_tags(_within_reach(principal, query), archive.index.query_tags.all())
    if not split_matches(query.matches)[1]:
        return archive.index.count(query)
    return sum(1 for _ in iter_search(archive, principal, query))


def iter_search(
    archive: Archive,
    principal: Principal,
    query: Query,
    *,
    header_tags: frozenset[int] = _NOTHING,
    needs_header: Callable[[SearchRow], bool] = lambda row: False,
) -> Iterator[Found]:
    """Yield every row that matches, newest first; `limit` and `offset` of the query count for nothing.

    Rows come with those of `header_tags` that the header of their newest instance has, and with its character set
    where `needs_header` says so. The index is read page by page, and nothing is held between them: an iteration may
    be broken off at any time. Raises as `search` does.
    """
    query = by_query_tags(_within_reach(principal, query), archive.index.query_tags.all())
    indexed, others = split_matches(query.matches)
    narrowed = replace(query, matches=indexed) if others else query
    wanted = header_tags.union(*map(_tags_of, others))
    examined = 0
    for row in _iter_rows(archive, narrowed):
        header = None
        if others:
            examined += 1
            if examined > HEADERS_EXAMINED_MAX:
                raise TooLarge("The search is too broad; add a key that narrows it.")
        if wanted or needs_header(row):
            header = _header(archive, row, wanted)
            if header is None:  # deleted since the index was asked
                continue
        if header is None or all(fits(match, header) for match in others):
            yield Found(row, header)


def scope_of(query: Query, row: SearchRow) -> Scope:
    """Return what a row of studies, series or instances names."""
    names = row.attributes
    return Scope(
        names[_STUDY_INSTANCE_UID],
        names[_SERIES_INSTANCE_UID] if query.level > Level.STUDY else None,
        names[0x00080018] if query.level is Level.INSTANCE else None,
        query.partition_name,
    )


def _within_reach(principal: Principal, query: Query) -> Query:
    """Return a search narrowed to what the principal may see; raises Forbidden where that is nothing.

    Whoever came by a link sees one study, and nothing of its patient that other studies tell.
    """
    shared = principal.shared_study
    if shared is None:
        principal.require(DataAction.READ)
        return query
    is_elsewhere = query.study_instance_uid not in (None, shared.study_instance_uid)
    if is_elsewhere or query.partition_name != shared.partition_name or query.level is Level.PATIENT:
        raise Forbidden()
    return replace(query, study_instance_uid=shared.study_instance_uid, with_patient_counts=False)


def _iter_rows(archive: Archive, query: Query) -> Iterator[SearchRow]:
    cursor: Cursor | None = None
    limit = FIRST_PAGE_ROWS
    while True:
        page = archive.index.search_page(replace(query, limit=limit, offset=0), cursor)
        yield from page.rows
        if page.following is None:
            return
        cursor, limit = page.following, min(limit * PAGE_GROWTH, PAGE_ROWS_MAX)


def _tags_of(match: Match) -> frozenset[int]:
    """Return the top-level attributes that a match looks at."""
    if isinstance(match, DateAndTime):
        return frozenset({match.date_tag, match.time_tag, _TIMEZONE_OFFSET_FROM_UTC})
    return frozenset({match.tag})


def _header(archive: Archive, row: SearchRow, tags: frozenset[int]) -> ElementView | None:
    """Return elements of the newest instance of a row; None where it is gone, nothing in it where it cannot be read."""
    instance = archive.index.instance(row.newest_instance_key)
    if instance is None:
        return None
    try:
        return view_header(read_header(archive, instance), tags)
    except (CorruptInstance, InvalidDataset) as error:  # one damaged instance is not to hide all others
        _log.error("search.header_unreadable", instance_key=instance.instance_key, error=type(error).__name__)
        return ElementView(b"", [], is_little_endian=True)
