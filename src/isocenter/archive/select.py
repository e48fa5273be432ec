"""Which stored instances a retrieval names (C-MOVE, C-GET)."""

from __future__ import annotations

from collections.abc import Iterator

from isocenter.archive.archive import Archive
from isocenter.archive.identify import SERIES_INSTANCE_UID, SOP_INSTANCE_UID, STUDY_INSTANCE_UID
from isocenter.archive.search import iter_search, scope_of
from isocenter.domain.errors import TooLarge
from isocenter.domain.identifiers import Level, Scope
from isocenter.domain.principal import DataAction, Principal
from isocenter.domain.query import Match, OneOf, Query
from isocenter.domain.selection import Selection
from isocenter.ports.index import InstanceRow

PATIENT_ID = 0x00100020
NAMES_PER_SEARCH = 100
"""UIDs that one search asks for; a list of them may have thousands."""


def select_instances(
    archive: Archive, principal: Principal, selection: Selection, *, count_max: int
) -> list[InstanceRow]:
    """Return the instances of a selection, each once, by series and instance number; none where nothing is there.

    Raises TooLarge where they are more than `count_max`, Forbidden.
    """
    principal.require(DataAction.READ)
    rows: dict[int, InstanceRow] = {}
    for scope in _scopes(archive, principal, selection):
        rows.update((row.instance_key, row) for row in archive.index.instances(scope))
        if len(rows) > count_max:
            raise TooLarge(f"More than {count_max} instances; ask by study or series.")
    return list(rows.values())


def _scopes(archive: Archive, principal: Principal, selection: Selection) -> Iterator[Scope]:
    """Yield what a selection names, each by all its UIDs."""
    series = selection.series_instance_uids
    is_whole = len(selection.study_instance_uids) == 1 and (selection.level < Level.INSTANCE or len(series) == 1)
    if selection.level is Level.PATIENT or selection.patient_id is not None or not is_whole:
        yield from _found_scopes(archive, principal, selection)
        return
    [study] = selection.study_instance_uids
    if selection.level is Level.STUDY:
        yield Scope(study, partition_name=selection.partition_name)
    elif selection.level is Level.SERIES:
        yield from (Scope(study, uid, partition_name=selection.partition_name) for uid in series)
    else:
        yield from (Scope(study, series[0], uid, selection.partition_name) for uid in selection.sop_instance_uids)


def _found_scopes(archive: Archive, principal: Principal, selection: Selection) -> Iterator[Scope]:
    level = Level.STUDY if selection.level is Level.PATIENT else selection.level
    for matches in searches_for(selection):
        query = Query(level, matches, partition_name=selection.partition_name)
        for found in iter_search(archive, principal, query):
            yield scope_of(query, found.row)


def searches_for(selection: Selection) -> Iterator[tuple[Match, ...]]:
    """Yield the matches of the searches that find it, the UIDs of its own level some at a time."""
    keys = {
        Level.STUDY: (STUDY_INSTANCE_UID, selection.study_instance_uids),
        Level.SERIES: (SERIES_INSTANCE_UID, selection.series_instance_uids),
        Level.INSTANCE: (SOP_INSTANCE_UID, selection.sop_instance_uids),
    }
    above = [OneOf(tag, uids) for level, (tag, uids) in keys.items() if level < selection.level and uids]
    if selection.patient_id is not None:
        above.append(OneOf(PATIENT_ID, (selection.patient_id,)))
    if selection.level is Level.PATIENT:
        yield tuple(above)
        return
    tag, uids = keys[selection.level]
    for start in range(0, len(uids), NAMES_PER_SEARCH):
        yield (*above, OneOf(tag, uids[start : start + NAMES_PER_SEARCH]))
