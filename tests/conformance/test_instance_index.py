"""What every index does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from isocenter.domain.attributes import (
    BY_KEYWORD,
    MODALITIES_IN_STUDY,
    NUMBER_OF_SERIES_RELATED_INSTANCES,
    NUMBER_OF_STUDY_RELATED_INSTANCES,
    NUMBER_OF_STUDY_RELATED_SERIES,
)
from isocenter.domain.identifiers import Level, Scope
from isocenter.domain.query import (
    Match,
    OneOf,
    Query,
    WordPrefixes,
)
from isocenter.ports.blobs import BlobPosition
from isocenter.ports.index import ChangeAction, ChangeState, InstanceIndex, NewInstance, Totals
from tests.support.instances import (
    address_of,
    identify,
    new_instance,
    scope_of,
)

STUDY, SERIES, INSTANCE = Level.STUDY, Level.SERIES, Level.INSTANCE
PATIENT_NAME = BY_KEYWORD["PatientName"].tag
PATIENT_ID = BY_KEYWORD["PatientID"].tag
STUDY_DATE = BY_KEYWORD["StudyDate"].tag
STUDY_TIME = BY_KEYWORD["StudyTime"].tag
STUDY_UID = BY_KEYWORD["StudyInstanceUID"].tag
MODALITY = BY_KEYWORD["Modality"].tag
SERIES_NUMBER = BY_KEYWORD["SeriesNumber"].tag
INSTANCE_NUMBER = BY_KEYWORD["InstanceNumber"].tag
SOP_INSTANCE_UID = BY_KEYWORD["SOPInstanceUID"].tag
NOW, DUE = 1_700_000_100.0, 1_700_000_200.0


def _commit(index: InstanceIndex, *instances: NewInstance) -> list[int]:
    return index.commit(instances, now=NOW, erase_due_at=DUE)


def _found(index: InstanceIndex, *matches: Match, level: Level = STUDY) -> list[int]:
    """Return the numbers of the studies that match, newest first."""
    rows = index.search(Query(level, matches))
    assert index.count(Query(level, matches)) == len(rows)
    return [int(row.attributes[STUDY_UID].rsplit(".", 1)[1]) for row in rows]


# commit, find, list


def test_keys_grow_with_every_commit(instance_index: InstanceIndex) -> None:
    first = _commit(instance_index, new_instance(identify(1)), new_instance(identify(2)))
    second = _commit(instance_index, new_instance(identify(3)))
    assert first + second == sorted(set(first + second))


def test_a_key_is_not_given_again_after_a_deletion(instance_index: InstanceIndex) -> None:
    (key,) = _commit(instance_index, new_instance(identify(1)))
    instance_index.delete(scope_of(identify(1)), now=NOW, erase_due_at=DUE)
    (again,) = _commit(instance_index, new_instance(identify(1)))
    assert again > key


def test_a_stored_instance_is_found_as_it_was_committed(instance_index: InstanceIndex) -> None:
    new = new_instance(identify(1), address=address_of(7, length=99), InstanceNumber=" 12 ", NumberOfFrames="3")
    (key,) = _commit(instance_index, new)
    row = instance_index.instance(key)
    assert row is not None
    assert (row.identifier, row.address, row.header_length) == (new.identifier, new.address, new.header_length)
    assert (row.sop_class_uid, row.transfer_syntax_uid) == (new.sop_class_uid, new.transfer_syntax_uid)
    assert (row.instance_number, row.number_of_frames, row.received_at) == (12, 3, new.received_at)
    assert not row.has_original
    assert instance_index.frame_table(key) == new.frame_table
    assert instance_index.instance(key + 1) is None
    assert instance_index.frame_table(key + 1) == b""


def test_instances_are_found_by_their_keys_at_one_look(instance_index: InstanceIndex) -> None:
    first, second, third = _commit(instance_index, *(new_instance(identify(number)) for number in (1, 2, 3)))
    (fourth,) = _commit(instance_index, new_instance(identify(3), keep_previous=True))
    instance_index.delete(scope_of(identify(2)), now=NOW, erase_due_at=DUE)
    found = instance_index.instances_of_keys([fourth, third, second, first, first, fourth + 1])
    assert found == {key: instance_index.instance(key) for key in (first, fourth)}
    assert instance_index.instances_of_keys([]) == {}


def test_only_stored_identifiers_are_found(instance_index: InstanceIndex) -> None:
    _commit(instance_index, new_instance(identify(1)), new_instance(identify(2)))
    elsewhere = replace(identify(1), partition_name="other")
    found = instance_index.find_stored([identify(1), identify(3), elsewhere])
    assert set(found) == {identify(1)}
    assert found[identify(1)].identifier == identify(1)


def test_instances_come_by_series_then_number_then_key(instance_index: InstanceIndex) -> None:
    numbers = {1: "10", 2: "9", 3: "", 4: "not a number", 5: "9"}
    _commit(instance_index, *(new_instance(identify(1, 1, i), InstanceNumber=text) for i, text in numbers.items()))
    _commit(instance_index, new_instance(identify(1, 2, 6), InstanceNumber="1"))
    rows = instance_index.instances(scope_of(identify(1), depth=1))
    assert [row.identifier for row in rows] == [
        *(identify(1, 1, i) for i in (2, 5, 1, 3, 4)),
        identify(1, 2, 6),
    ]


@pytest.mark.parametrize(("depth", "count"), [(1, 3), (2, 2), (3, 1)])
def test_a_scope_holds_what_is_below_it(instance_index: InstanceIndex, depth: int, count: int) -> None:
    _commit(instance_index, *(new_instance(identify(1, series, i)) for series, i in ((1, 1), (1, 2), (2, 1))))
    _commit(instance_index, new_instance(identify(1, 1, 1, partition="other")))
    assert len(instance_index.instances(scope_of(identify(1), depth=depth))) == count


def test_an_unknown_scope_is_empty(instance_index: InstanceIndex) -> None:
    assert instance_index.instances(Scope("1.2.3")) == []
    assert instance_index.delete(Scope("1.2.3"), now=NOW, erase_due_at=DUE) == 0
    assert instance_index.latest_sequence() == 0


def test_values_beyond_any_integer_are_kept_as_text(instance_index: InstanceIndex) -> None:
    _commit(instance_index, new_instance(identify(1), InstanceNumber="9" * 40, SeriesNumber="x"))
    (row,) = instance_index.search(Query(INSTANCE))
    assert (row.attributes[INSTANCE_NUMBER], row.attributes[SERIES_NUMBER]) == ("9" * 40, "x")
    assert instance_index.instances(scope_of(identify(1)))[0].instance_number is None


# versions


def test_a_replaced_version_is_erased_later(instance_index: InstanceIndex) -> None:
    _commit(instance_index, new_instance(identify(1), address=address_of(1)))
    (key,) = _commit(instance_index, new_instance(identify(1), address=address_of(2)))
    (row,) = instance_index.instances(scope_of(identify(1)))
    assert (row.instance_key, row.address, row.has_original) == (key, address_of(2), False)
    assert instance_index.due_erasures(now=DUE - 1, limit=10) == []
    assert [erasure.address for erasure in instance_index.due_erasures(now=DUE, limit=10)] == [address_of(1)]
    assert instance_index.instances(scope_of(identify(1)), original=True) == []


def test_the_first_version_is_kept_as_the_original(instance_index: InstanceIndex) -> None:
    keys = [
        _commit(instance_index, new_instance(identify(1), address=address_of(number), keep_previous=number > 1))[0]
        for number in (1, 2, 3)
    ]
    (current,) = instance_index.instances(scope_of(identify(1), depth=1))
    (original,) = instance_index.instances(scope_of(identify(1), depth=1), original=True)
    assert (current.instance_key, current.address, current.has_original) == (keys[2], address_of(3), True)
    assert (original.instance_key, original.address, original.has_original) == (keys[0], address_of(1), False)
    assert [erasure.address for erasure in instance_index.due_erasures(now=DUE, limit=10)] == [address_of(2)]
    assert instance_index.instance(keys[0]) is None
    assert [key for key, _, _ in instance_index.addresses()] == [keys[0], keys[2]]
    assert len(instance_index.search(Query(INSTANCE))) == 1


def test_versions_within_one_commit_follow_each_other(instance_index: InstanceIndex) -> None:
    versions = [new_instance(identify(1), address=address_of(number), PatientID=f"P{number}") for number in (1, 2, 3)]
    keys = _commit(instance_index, *versions)
    (row,) = instance_index.search(Query(STUDY))
    assert (row.newest_instance_key, row.attributes[PATIENT_ID]) == (keys[2], "P3")
    assert row.attributes[NUMBER_OF_STUDY_RELATED_INSTANCES] == "1"
    assert [change.state for change in instance_index.changes()] == [
        ChangeState.REPLACED,
        ChangeState.REPLACED,
        ChangeState.CURRENT,
    ]


# the latest wins


def test_the_latest_value_wins_and_empty_ones_do_not(instance_index: InstanceIndex) -> None:
    _commit(instance_index, new_instance(identify(1, 1, 1), PatientID="old", PatientName="Hall^Ann"))
    _commit(instance_index, new_instance(identify(1, 1, 2), PatientID="new", PatientName=""))
    _commit(instance_index, new_instance(identify(1, 1, 3)))
    (row,) = instance_index.search(Query(STUDY))
    assert (row.attributes[PATIENT_ID], row.attributes[PATIENT_NAME]) == ("new", "Hall^Ann")
    assert _found(instance_index, OneOf(PATIENT_ID, ("old",))) == []
    assert _found(instance_index, OneOf(PATIENT_ID, ("new",))) == [1]


def test_fuzzy_search_follows_a_changed_name(instance_index: InstanceIndex) -> None:
    _commit(instance_index, new_instance(identify(1), PatientName="Hall^Ann"))
    _commit(instance_index, new_instance(identify(1, 1, 2), PatientName="Smith^Ann"))
    assert _found(instance_index, WordPrefixes(PATIENT_NAME, ("hall",))) == []
    assert _found(instance_index, WordPrefixes(PATIENT_NAME, ("smi",))) == [1]


def test_counts_and_modalities_follow_what_is_stored(instance_index: InstanceIndex) -> None:
    _commit(
        instance_index,
        new_instance(identify(1, 1, 1), Modality="MR"),
        new_instance(identify(1, 1, 2), Modality="MR"),
        new_instance(identify(1, 2, 1), Modality="CT"),
        new_instance(identify(1, 3, 1), Modality="CT"),
        new_instance(identify(1, 4, 1)),
    )
    (study,) = instance_index.search(Query(STUDY))
    assert study.attributes[MODALITIES_IN_STUDY] == "CT\\MR"
    assert study.attributes[NUMBER_OF_STUDY_RELATED_SERIES] == "4"
    assert study.attributes[NUMBER_OF_STUDY_RELATED_INSTANCES] == "5"
    series = instance_index.search(Query(SERIES))
    assert [row.attributes[NUMBER_OF_SERIES_RELATED_INSTANCES] for row in series] == ["1", "1", "1", "2"]
    instance_index.delete(scope_of(identify(1, 1), depth=2), now=NOW, erase_due_at=DUE)
    (study,) = instance_index.search(Query(STUDY))
    assert study.attributes[MODALITIES_IN_STUDY] == "CT"
    assert study.attributes[NUMBER_OF_STUDY_RELATED_INSTANCES] == "3"
    assert _found(instance_index, OneOf(MODALITIES_IN_STUDY, ("MR",))) == []


def test_the_newest_instance_steps_back_when_it_is_deleted(instance_index: InstanceIndex) -> None:
    keys = _commit(instance_index, new_instance(identify(1, 1, 1)), new_instance(identify(1, 2, 1)))
    instance_index.delete(scope_of(identify(1, 2), depth=3), now=NOW, erase_due_at=DUE)
    assert [row.newest_instance_key for row in instance_index.search(Query(STUDY))] == [keys[0]]


# delete


@pytest.mark.parametrize(("depth", "left"), [(1, 0), (2, 1), (3, 2)])
def test_deletion_takes_the_scope_and_parents_left_empty(instance_index: InstanceIndex, depth: int, left: int) -> None:
    _commit(instance_index, *(new_instance(identify(1, series, i)) for series, i in ((1, 1), (1, 2), (2, 1))))
    gone = instance_index.delete(scope_of(identify(1), depth=depth), now=NOW, erase_due_at=DUE)
    assert gone == 3 - left
    assert len(instance_index.search(Query(INSTANCE))) == left
    assert len(instance_index.search(Query(STUDY))) == (1 if left else 0)
    assert instance_index.totals().instances == left
    assert len(instance_index.due_erasures(now=DUE, limit=10)) == gone


def test_deletion_takes_both_versions(instance_index: InstanceIndex) -> None:
    _commit(instance_index, new_instance(identify(1), address=address_of(1)))
    _commit(instance_index, new_instance(identify(1), address=address_of(2), keep_previous=True))
    assert instance_index.delete(scope_of(identify(1)), now=NOW, erase_due_at=DUE) == 1
    erased = {erasure.address for erasure in instance_index.due_erasures(now=DUE, limit=10)}
    assert erased == {address_of(1), address_of(2)}
    assert instance_index.addresses() == []
    assert [change.action for change in instance_index.changes()] == [
        ChangeAction.CREATE,
        ChangeAction.UPDATE,
        ChangeAction.DELETE,
    ]


def test_deletion_leaves_other_partitions_alone(instance_index: InstanceIndex) -> None:
    elsewhere = identify(1, partition="other")
    _commit(instance_index, new_instance(identify(1)), new_instance(elsewhere))
    instance_index.delete(scope_of(identify(1), depth=1), now=NOW, erase_due_at=DUE)
    assert set(instance_index.find_stored([identify(1), elsewhere])) == {elsewhere}
    assert instance_index.search(Query(STUDY, partition_name="other")) != []


def test_totals_count_what_is_stored(instance_index: InstanceIndex) -> None:
    _commit(
        instance_index,
        new_instance(identify(1, 1, 1), address=address_of(1, length=10)),
        new_instance(identify(1, 2, 1), address=address_of(2, length=20)),
        new_instance(identify(2, 1, 1, partition="other"), address=address_of(3, length=40)),
    )
    assert instance_index.totals() == Totals(studies=2, series=3, instances=3, size_bytes=70)
    _commit(instance_index, new_instance(identify(1, 1, 1), address=address_of(4, length=100)))
    _commit(instance_index, new_instance(identify(1, 2, 1), address=address_of(5, length=200), keep_previous=True))
    assert instance_index.totals() == Totals(studies=2, series=3, instances=3, size_bytes=360)
    instance_index.delete(scope_of(identify(1), depth=1), now=NOW, erase_due_at=DUE)
    assert instance_index.totals() == Totals(studies=1, series=1, instances=1, size_bytes=40)


# feed, erasures, positions


def _states(index: InstanceIndex) -> list[tuple[ChangeAction, ChangeState]]:
    return [(change.action, change.state) for change in index.changes()]


def test_the_feed_tells_the_history_of_an_instance(instance_index: InstanceIndex) -> None:
    create, update, delete = ChangeAction.CREATE, ChangeAction.UPDATE, ChangeAction.DELETE
    current, replaced, deleted = ChangeState.CURRENT, ChangeState.REPLACED, ChangeState.DELETED
    _commit(instance_index, new_instance(identify(1)))
    assert _states(instance_index) == [(create, current)]
    _commit(instance_index, new_instance(identify(1)))
    assert _states(instance_index) == [(create, replaced), (update, current)]
    instance_index.delete(scope_of(identify(1)), now=NOW, erase_due_at=DUE)
    assert _states(instance_index) == [(create, deleted), (update, deleted), (delete, deleted)]
    _commit(instance_index, new_instance(identify(1)))
    assert [state for _, state in _states(instance_index)] == [replaced, replaced, replaced, current]


def test_the_feed_is_read_from_a_sequence_on(instance_index: InstanceIndex) -> None:
    keys = _commit(instance_index, *(new_instance(identify(number)) for number in range(1, 6)))
    assert [change.sequence for change in instance_index.changes(after=2, limit=2)] == [3, 4]
    assert instance_index.changes(after=5) == []
    assert instance_index.latest_sequence() == 5
    (change,) = instance_index.changes(limit=1)
    assert (change.identifier, change.timestamp, change.instance_key) == (identify(1), NOW, keys[0])


def _commit_at(index: InstanceIndex, *times: float) -> None:
    first = index.latest_sequence() + 1
    for number, now in enumerate(times, start=first):
        index.commit([new_instance(identify(number))], now=now, erase_due_at=DUE)


def test_timestamps_of_the_feed_never_go_back_whatever_the_clock_does(instance_index: InstanceIndex) -> None:
    _commit_at(instance_index, 5.0, 3.0, 7.0)
    instance_index.delete(scope_of(identify(1)), now=6.0, erase_due_at=DUE)
    assert [change.timestamp for change in instance_index.changes()] == [5.0, 5.0, 7.0, 7.0]


@pytest.mark.parametrize(
    ("start", "end", "window"),
    [
        (None, None, (1, 7)),
        (2.0, None, (2, 7)),
        (2.5, 4.0, (4, 5)),
        (2.0, 2.0, (2, 2)),
        (None, 1.0, (1, 1)),
        (4.0, 9.0, (5, 7)),
        (9.0, None, (7, 7)),
    ],
)
def test_a_window_of_time_is_a_run_of_the_feed(
    instance_index: InstanceIndex, start: float | None, end: float | None, window: tuple[int, int]
) -> None:
    _commit_at(instance_index, 1.0, 2.0, 2.0, 3.0, 4.0, 5.0)
    assert instance_index.change_window(start=start, end=end, now=100.0) == window


def test_an_empty_feed_has_empty_windows(instance_index: InstanceIndex) -> None:
    assert instance_index.change_window(start=1.0, end=2.0, now=3.0) == (1, 1)


def test_nothing_is_committed_into_a_window_that_was_read_after_its_end(instance_index: InstanceIndex) -> None:
    _commit_at(instance_index, 1.0)
    assert instance_index.change_window(start=0.0, end=8.0, now=10.0) == (1, 2)
    _commit_at(instance_index, 7.5)  # its batch took the time before it waited for the disk
    assert instance_index.change_window(start=0.0, end=8.0, now=10.0) == (1, 2)
    assert instance_index.change_window(start=8.0, end=None, now=10.0) == (2, 3)


def test_a_window_that_has_not_ended_still_grows(instance_index: InstanceIndex) -> None:
    assert instance_index.change_window(start=0.0, end=100.0, now=10.0) == (1, 1)
    _commit_at(instance_index, 9.0)
    (change,) = instance_index.changes()
    assert change.timestamp == 10.0
    assert instance_index.change_window(start=0.0, end=100.0, now=11.0) == (1, 2)


def test_a_deleted_instance_has_no_key_in_the_feed(instance_index: InstanceIndex) -> None:
    _commit(instance_index, new_instance(identify(1)))
    instance_index.delete(scope_of(identify(1)), now=NOW, erase_due_at=DUE)
    assert [change.instance_key for change in instance_index.changes()] == [None, None]


def test_erasures_are_forgotten_when_they_were_carried_out(instance_index: InstanceIndex) -> None:
    _commit(instance_index, *(new_instance(identify(number), address=address_of(number)) for number in (1, 2, 3)))
    for number in (1, 2, 3):
        instance_index.delete(scope_of(identify(number)), now=NOW, erase_due_at=DUE - number)
    due = instance_index.due_erasures(now=DUE, limit=2)
    assert [erasure.address for erasure in due] == [address_of(3), address_of(2)]
    instance_index.forget_erasures([erasure.erasure_key for erasure in due])
    assert [erasure.address for erasure in instance_index.due_erasures(now=DUE, limit=2)] == [address_of(1)]


def test_containers_that_an_erasure_left_shorter_or_gone_are_not_expected_any_more(
    instance_index: InstanceIndex,
) -> None:
    fills = [BlobPosition(container, 1000) for container in (1, 2, 3)]
    instance_index.commit([], now=NOW, erase_due_at=DUE, positions=fills)
    instance_index.forget_erasures([], shrunk=[BlobPosition(1, 0), BlobPosition(2, 64), BlobPosition(9, 64)])
    assert instance_index.positions() == {2: 64, 3: 1000}


def test_positions_only_grow(instance_index: InstanceIndex) -> None:
    for length in (10, 30, 20):
        positions = [BlobPosition(1, length), BlobPosition(2, length * 2)]
        instance_index.commit([], now=NOW, erase_due_at=DUE, positions=positions)
    assert instance_index.positions() == {1: 30, 2: 60}


def test_addresses_are_walked_in_pages(instance_index: InstanceIndex) -> None:
    news = [new_instance(identify(number), address=address_of(number)) for number in range(1, 6)]
    keys = _commit(instance_index, *news)
    expected = [(key, new.identifier, new.address) for key, new in zip(keys, news, strict=True)]
    assert instance_index.addresses(limit=3) == expected[:3]
    assert instance_index.addresses(after=keys[2], limit=3) == expected[3:]


def test_elements_that_metadata_leaves_out_stay_with_their_version(instance_index: InstanceIndex) -> None:
    paths = ("00080020", "00400275/0/00400007")
    flawed, sound = replace(new_instance(identify(1)), invalid_paths=paths), new_instance(identify(2))
    keys = _commit(instance_index, flawed, sound)
    assert instance_index.invalid_paths([*keys, 999]) == {keys[0]: paths}
    [replaced] = _commit(instance_index, new_instance(identify(1)))
    assert instance_index.invalid_paths([*keys, replaced]) == {}
    [kept] = _commit(instance_index, replace(flawed, keep_previous=True))
    assert instance_index.invalid_paths([kept]) == {kept: paths}
    instance_index.delete(scope_of(identify(1)), now=NOW, erase_due_at=DUE)
    assert instance_index.invalid_paths([kept]) == {}
