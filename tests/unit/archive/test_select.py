"""Which instances a retrieval names."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from isocenter.archive.archive import Archive
from isocenter.archive.select import NAMES_PER_SEARCH, select_instances
from isocenter.domain.errors import Forbidden, TooLarge
from isocenter.domain.identifiers import Level
from isocenter.domain.principal import LOCAL_OWNER, Principal
from isocenter.domain.selection import Selection
from tests.support.instances import identify
from tests.support.memory_archive import memory_archive, store
from tests.support.small_instances import make_instance

PATIENT_ID = "D0"
"""What every instance made with the seed 0 has."""
STUDY_1, STUDY_2 = identify(1).study_instance_uid, identify(2).study_instance_uid


@pytest.fixture
def archive() -> Iterator[Archive]:
    """Return an archive with two studies of two series of two instances each."""
    with memory_archive() as filled:
        for study in (1, 2):
            for series in (1, 2):
                for instance in (1, 2):
                    store(filled, make_instance(identify(study, series, instance)).content)
        yield filled


def _selected(archive: Archive, selection: Selection, *, count_max: int = 100) -> list[str]:
    rows = select_instances(archive, LOCAL_OWNER, selection, count_max=count_max)
    return sorted(row.identifier.sop_instance_uid for row in rows)


def _uids(*places: tuple[int, int, int]) -> list[str]:
    return sorted(identify(*place).sop_instance_uid for place in places)


ALL = [(study, series, instance) for study in (1, 2) for series in (1, 2) for instance in (1, 2)]


@pytest.mark.parametrize(
    ("selection", "places"),
    [
        (Selection(Level.PATIENT, PATIENT_ID), ALL),
        (Selection(Level.PATIENT, "nobody"), []),
        (Selection(Level.STUDY, None, (STUDY_1,)), [place for place in ALL if place[0] == 1]),
        (Selection(Level.STUDY, None, (STUDY_1, STUDY_2, "9.9")), ALL),
        (Selection(Level.STUDY, PATIENT_ID, (STUDY_1,)), [place for place in ALL if place[0] == 1]),
        (Selection(Level.STUDY, "nobody", (STUDY_1,)), []),
        (Selection(Level.SERIES, None, (STUDY_1,), (identify(1, 2).series_instance_uid,)), [(1, 2, 1), (1, 2, 2)]),
        (Selection(Level.SERIES, None, (), (identify(2, 1).series_instance_uid,)), [(2, 1, 1), (2, 1, 2)]),
        (
            Selection(
                Level.INSTANCE,
                None,
                (STUDY_1,),
                (identify(1, 1).series_instance_uid,),
                (identify(1, 1, 2).sop_instance_uid, "9.9"),
            ),
            [(1, 1, 2)],
        ),
        (Selection(Level.INSTANCE, None, (), (), (identify(2, 2, 1).sop_instance_uid,)), [(2, 2, 1)]),
    ],
)
def test_a_selection_names_its_instances_and_no_others(
    archive: Archive, selection: Selection, places: list[tuple[int, int, int]]
) -> None:
    assert _selected(archive, selection) == _uids(*places)


def test_a_long_list_is_asked_for_in_parts(archive: Archive) -> None:
    unknown = tuple(f"9.{number}" for number in range(NAMES_PER_SEARCH * 2))
    selection = Selection(Level.STUDY, None, (*unknown, STUDY_2, *unknown))
    assert _selected(archive, selection) == _uids(*(place for place in ALL if place[0] == 2))


def test_more_than_can_be_counted_is_refused(archive: Archive) -> None:
    assert len(_selected(archive, Selection(Level.PATIENT, PATIENT_ID), count_max=8)) == 8
    with pytest.raises(TooLarge):
        _selected(archive, Selection(Level.PATIENT, PATIENT_ID), count_max=7)


def test_who_may_not_read_selects_nothing(archive: Archive) -> None:
    with pytest.raises(Forbidden):
        select_instances(
            archive, Principal("writer", frozenset()), Selection(Level.STUDY, None, (STUDY_1,)), count_max=9
        )
