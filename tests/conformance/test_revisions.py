"""What every index does with revisions: new versions that become current together."""

from __future__ import annotations

from dataclasses import replace

import pytest

from isocenter.domain.attributes import BY_KEYWORD
from isocenter.domain.delivery import WAITING_STATES
from isocenter.domain.errors import Conflict, QueryTagsChanged
from isocenter.domain.identifiers import InstanceIdentifier, Level, Scope
from isocenter.domain.operation import Operation, OperationType
from isocenter.domain.query import OneOf, Query, WordPrefixes
from isocenter.domain.query_tag import QueryTagEntry
from isocenter.ports.blobs import BlobAddress
from isocenter.ports.index import ChangeAction, ChangeState, InstanceIndex, Membership, NewInstance
from isocenter.ports.ledger import Selection
from isocenter.storage.memory import MemoryInstanceIndex
from isocenter.storage.sqlite import SqliteInstanceIndex
from tests.support.instances import address_of, identify, new_instance, scope_of

NOW, DUE = 1_700_000_100.0, 1_700_000_200.0
REVISION = "0123-0"
PATIENT_NAME, PATIENT_ID = BY_KEYWORD["PatientName"].tag, BY_KEYWORD["PatientID"].tag
STUDY_UID = BY_KEYWORD["StudyInstanceUID"].tag


def _commit(index: InstanceIndex, *instances: NewInstance) -> list[int]:
    return index.commit(instances, now=NOW, erase_due_at=DUE)


def _store_two(index: InstanceIndex) -> list[int]:
    return _commit(
        index,
        new_instance(identify(1, 1, 1), address=address_of(1), PatientName="Old^Name", PatientID="1"),
        new_instance(identify(1, 2, 2), address=address_of(2), PatientName="Old^Name", PatientID="1"),
    )


def _version(
    replaced: int | None,
    identifier: InstanceIdentifier,
    number: int,
    *,
    revision_id: str = REVISION,
    name: str = "New^Name",
) -> NewInstance:
    new = new_instance(identifier, address=address_of(number), PatientName=name, PatientID="1")
    return replace(new, membership=Membership(revision_id, replaced), keep_previous=True)


def _stage_both(index: InstanceIndex, keys: list[int], *, first: int = 11, **options: str) -> None:
    _commit(
        index,
        _version(keys[0], identify(1, 1, 1), first, **options),
        _version(keys[1], identify(1, 2, 2), first + 1, **options),
    )


def _conclude(
    index: InstanceIndex, revision_id: str = REVISION, *, scope: Scope | None = None, vacant: Scope | None = None
) -> int | None:
    return index.revisions.conclude(revision_id, now=NOW, erase_due_at=DUE, scope=scope, vacant=vacant)


def _found(index: InstanceIndex, tag: int, value: str) -> int:
    return index.count(Query(Level.STUDY, (OneOf(tag, (value,)),)))


def _addresses(index: InstanceIndex, scope: Scope, *, original: bool = False) -> list[BlobAddress]:
    return [row.address for row in index.instances(scope, original=original)]


def _erased(index: InstanceIndex) -> list[BlobAddress]:
    return [one.address for one in index.due_erasures(now=DUE, limit=100)]


STUDY = scope_of(identify(1), depth=1)


def test_what_is_staged_is_seen_by_nobody(instance_index: InstanceIndex) -> None:
    keys = _store_two(instance_index)
    _stage_both(instance_index, keys)
    assert _addresses(instance_index, STUDY) == [address_of(1), address_of(2)]
    assert _found(instance_index, PATIENT_NAME, "New^Name") == 0
    assert instance_index.latest_sequence() == 2
    assert [one.replaced_key for one in instance_index.revisions.staged(REVISION)] == keys
    assert instance_index.revisions.concluded(REVISION) is None


def test_a_revision_makes_all_its_versions_current_and_keeps_the_first_ones(instance_index: InstanceIndex) -> None:
    keys = _store_two(instance_index)
    _stage_both(instance_index, keys)
    assert _conclude(instance_index, scope=STUDY) == 2
    assert _addresses(instance_index, STUDY) == [address_of(11), address_of(12)]
    assert _addresses(instance_index, STUDY, original=True) == [address_of(1), address_of(2)]
    assert min(row.instance_key for row in instance_index.instances(STUDY)) > max(keys)
    assert _erased(instance_index) == []
    assert instance_index.revisions.staged(REVISION) == []
    assert instance_index.revisions.concluded(REVISION) == 2
    totals = instance_index.totals()
    assert (totals.studies, totals.series, totals.instances, totals.size_bytes) == (1, 2, 2, 4000)


def test_values_are_found_as_they_are_now_and_no_longer_as_they_were(instance_index: InstanceIndex) -> None:
    _stage_both(instance_index, _store_two(instance_index))
    _conclude(instance_index, scope=STUDY)
    assert _found(instance_index, PATIENT_NAME, "New^Name") == 1
    assert _found(instance_index, PATIENT_NAME, "Old^Name") == 0
    assert instance_index.count(Query(Level.STUDY, (WordPrefixes(PATIENT_NAME, ("old",)),))) == 0
    assert instance_index.count(Query(Level.STUDY, (WordPrefixes(PATIENT_NAME, ("new",)),))) == 1


def test_the_feed_tells_of_each_instance_once(instance_index: InstanceIndex) -> None:
    _stage_both(instance_index, _store_two(instance_index))
    _conclude(instance_index, scope=STUDY)
    rows = instance_index.changes()
    assert [(one.action, one.state) for one in rows] == [
        (ChangeAction.CREATE, ChangeState.REPLACED),
        (ChangeAction.CREATE, ChangeState.REPLACED),
        (ChangeAction.UPDATE, ChangeState.CURRENT),
        (ChangeAction.UPDATE, ChangeState.CURRENT),
    ]
    assert [one.sequence for one in rows] == [1, 2, 3, 4]


def test_of_three_versions_the_one_between_goes(instance_index: InstanceIndex) -> None:
    _stage_both(instance_index, _store_two(instance_index))
    _conclude(instance_index, scope=STUDY)
    second = [row.instance_key for row in instance_index.instances(STUDY)]
    _stage_both(instance_index, second, first=21, revision_id="0124-0", name="Third^Name")
    assert _conclude(instance_index, "0124-0", scope=STUDY) == 2
    assert _addresses(instance_index, STUDY) == [address_of(21), address_of(22)]
    assert _addresses(instance_index, STUDY, original=True) == [address_of(1), address_of(2)]
    assert sorted(_erased(instance_index), key=lambda one: one.offset) == [address_of(11), address_of(12)]


def test_a_delete_takes_every_version(instance_index: InstanceIndex) -> None:
    _stage_both(instance_index, _store_two(instance_index))
    _conclude(instance_index, scope=STUDY)
    instance_index.delete(STUDY, now=NOW, erase_due_at=DUE)
    assert {one.offset // 10_000 for one in _erased(instance_index)} == {1, 2, 11, 12}
    assert instance_index.instances(STUDY, original=True) == []
    assert {one.state for one in instance_index.changes()} == {ChangeState.DELETED}


def test_nothing_changes_unless_all_of_the_scope_is_staged(instance_index: InstanceIndex) -> None:
    keys = _store_two(instance_index)
    _commit(instance_index, _version(keys[0], identify(1, 1, 1), 11))
    assert _conclude(instance_index, scope=STUDY) is None
    _commit(instance_index, _version(keys[1], identify(1, 2, 2), 12))
    _commit(instance_index, new_instance(identify(1, 2, 3), address=address_of(3)))
    assert _conclude(instance_index, scope=STUDY) is None
    assert address_of(1) in _addresses(instance_index, STUDY)
    assert len(instance_index.revisions.staged(REVISION)) == 2


def test_a_version_of_what_was_deleted_meanwhile_is_let_go(instance_index: InstanceIndex) -> None:
    keys = _store_two(instance_index)
    _stage_both(instance_index, keys)
    instance_index.delete(scope_of(identify(1, 2, 2)), now=NOW, erase_due_at=DUE)
    assert _conclude(instance_index) == 1
    assert _addresses(instance_index, STUDY) == [address_of(11)]
    assert address_of(12) in _erased(instance_index)


def test_a_version_whose_source_is_lost_becomes_current_all_the_same(instance_index: InstanceIndex) -> None:
    _commit(instance_index, _version(None, identify(1, 1, 1), 11))
    assert _conclude(instance_index) == 1
    assert _addresses(instance_index, STUDY) == [address_of(11)]


def test_a_second_try_takes_the_place_of_the_first(instance_index: InstanceIndex) -> None:
    keys = _store_two(instance_index)
    _commit(instance_index, _version(keys[0], identify(1, 1, 1), 11))
    _commit(instance_index, _version(keys[0], identify(1, 1, 1), 12))
    assert [one.address for one in instance_index.revisions.staged(REVISION)] == [address_of(12)]
    assert _erased(instance_index) == [address_of(11)]


def test_what_is_staged_again_as_it_is_is_not_erased(instance_index: InstanceIndex) -> None:
    (key,) = _commit(instance_index, new_instance(identify(1)))
    _commit(instance_index, _version(key, identify(1), 11))
    _commit(instance_index, _version(key, identify(1), 11))
    assert [one.address for one in instance_index.revisions.staged(REVISION)] == [address_of(11)]
    assert _erased(instance_index) == []


def test_what_is_let_go_is_erased_and_changes_nothing(instance_index: InstanceIndex) -> None:
    keys = _store_two(instance_index)
    _stage_both(instance_index, keys)
    assert instance_index.revisions.unstage(REVISION, {keys[1]}, now=NOW) == 1
    assert _erased(instance_index) == [address_of(12)]
    assert instance_index.revisions.unstage(REVISION, now=NOW) == 1
    assert _conclude(instance_index) is None
    assert _addresses(instance_index, STUDY) == [address_of(1), address_of(2)]


def test_strays_are_let_go_and_what_belongs_to_an_operation_stays(instance_index: InstanceIndex) -> None:
    keys = _store_two(instance_index)
    _commit(instance_index, _version(keys[0], identify(1, 1, 1), 11, revision_id="a-0"))
    _commit(instance_index, _version(keys[1], identify(1, 2, 2), 12, revision_id="b-0"))
    assert instance_index.revisions.settle_revisions(keep="b", now=NOW) == 1
    assert instance_index.revisions.staged("a-0") == []
    assert _conclude(instance_index, "b-0") == 1
    assert instance_index.revisions.settle_revisions(keep="b", now=NOW) == 0
    assert instance_index.revisions.concluded("b-0") == 1
    assert instance_index.revisions.settle_revisions(keep=None, now=NOW) == 0
    assert instance_index.revisions.concluded("b-0") is None


@pytest.mark.parametrize("target", [identify(1), identify(9)])
def test_what_waits_to_be_sent_is_sent_as_it_is_now(instance_index: InstanceIndex, target: InstanceIdentifier) -> None:
    (key,) = _commit(instance_index, new_instance(identify(1), destinations=("north",)))
    _commit(instance_index, _version(key, target, 11))
    _conclude(instance_index)
    [row] = instance_index.instances(scope_of(target))
    waiting = Selection(destination="north", states=WAITING_STATES)
    assert [one.instance_key for one in instance_index.ledger.page(waiting)] == [row.instance_key]
    [former] = instance_index.ledger.page(Selection(note="delivery:superseded"))
    assert former.instance_key == key


@pytest.mark.parametrize("target", [identify(1), identify(9)])
def test_what_is_sent_already_is_not_sent_again(instance_index: InstanceIndex, target: InstanceIdentifier) -> None:
    (key,) = _commit(instance_index, new_instance(identify(1)))
    _commit(instance_index, _version(key, target, 11))
    _conclude(instance_index)
    assert instance_index.ledger.page(Selection(destination="north")) == []


# other identifiers


def _moved(index: InstanceIndex) -> None:
    """Rename study 1 to study 9."""
    keys = _store_two(index)
    _commit(index, _version(keys[0], identify(9, 1, 1), 11), _version(keys[1], identify(9, 2, 2), 12))
    assert _conclude(index, scope=STUDY, vacant=scope_of(identify(9), depth=1)) == 2


def test_a_renamed_study_is_there_under_its_new_name_alone(instance_index: InstanceIndex) -> None:
    _moved(instance_index)
    renamed = scope_of(identify(9), depth=1)
    assert _addresses(instance_index, renamed) == [address_of(11), address_of(12)]
    assert _addresses(instance_index, renamed, original=True) == [address_of(1), address_of(2)]
    assert [row.identifier for row in instance_index.instances(renamed, original=True)] == [
        identify(9, 1, 1),
        identify(9, 2, 2),
    ]
    assert all(row.has_original for row in instance_index.instances(renamed))
    assert instance_index.instances(STUDY) == instance_index.instances(STUDY, original=True) == []
    assert _found(instance_index, STUDY_UID, identify(1).study_instance_uid) == 0
    totals = instance_index.totals()
    assert (totals.studies, totals.series, totals.instances, totals.size_bytes) == (1, 2, 2, 4000)


def test_the_feed_tells_that_a_renamed_instance_went_and_came(instance_index: InstanceIndex) -> None:
    _moved(instance_index)
    rows = [(one.identifier.study_instance_uid[-1], one.action, one.state) for one in instance_index.changes()]
    assert rows == [
        ("1", ChangeAction.CREATE, ChangeState.DELETED),
        ("1", ChangeAction.CREATE, ChangeState.DELETED),
        ("1", ChangeAction.DELETE, ChangeState.DELETED),
        ("1", ChangeAction.DELETE, ChangeState.DELETED),
        ("9", ChangeAction.CREATE, ChangeState.CURRENT),
        ("9", ChangeAction.CREATE, ChangeState.CURRENT),
    ]


def test_a_renamed_study_keeps_its_originals_when_it_is_updated_and_deleted(instance_index: InstanceIndex) -> None:
    _moved(instance_index)
    renamed = scope_of(identify(9), depth=1)
    keys = [row.instance_key for row in instance_index.instances(renamed)]
    _commit(
        instance_index,
        _version(keys[0], identify(7, 1, 1), 21, revision_id="b"),
        _version(keys[1], identify(7, 2, 2), 22, revision_id="b"),
    )
    assert _conclude(instance_index, "b", scope=renamed) == 2
    again = scope_of(identify(7), depth=1)
    assert _addresses(instance_index, again, original=True) == [address_of(1), address_of(2)]
    assert {one.offset // 10_000 for one in _erased(instance_index)} == {11, 12}
    instance_index.delete(again, now=NOW, erase_due_at=DUE)
    assert {one.offset // 10_000 for one in _erased(instance_index)} == {1, 2, 11, 12, 21, 22}
    assert instance_index.totals().size_bytes == 0


def test_a_moved_series_leaves_the_rest_of_its_study(instance_index: InstanceIndex) -> None:
    keys = _store_two(instance_index)
    _commit(instance_index, new_instance(identify(3), address=address_of(3), PatientName="Other^Name"))
    target = replace(
        identify(1, 2, 2),
        study_instance_uid=identify(3).study_instance_uid,
        series_instance_uid=identify(3, 5).series_instance_uid,
    )
    _commit(instance_index, _version(keys[1], target, 12))
    scope = scope_of(identify(1, 2), depth=2)
    assert _conclude(instance_index, scope=scope, vacant=scope_of(target, depth=2)) == 1
    assert _addresses(instance_index, STUDY) == [address_of(1)]
    assert set(_addresses(instance_index, scope_of(identify(3), depth=1))) == {address_of(3), address_of(12)}
    totals = instance_index.totals()
    assert (totals.studies, totals.series, totals.instances) == (2, 3, 3)


def test_a_renamed_series_stays_in_its_study(instance_index: InstanceIndex) -> None:
    keys = _store_two(instance_index)
    target = replace(identify(1, 2, 2), series_instance_uid=identify(1, 8).series_instance_uid)
    _commit(instance_index, _version(keys[1], target, 12))
    assert _conclude(instance_index, scope=scope_of(identify(1, 2), depth=2)) == 1
    assert _addresses(instance_index, STUDY) == [address_of(1), address_of(12)]
    assert instance_index.instances(scope_of(identify(1, 2), depth=2)) == []
    totals = instance_index.totals()
    assert (totals.studies, totals.series, totals.instances) == (1, 2, 2)


def test_a_renamed_instance_stays_in_its_series(instance_index: InstanceIndex) -> None:
    keys = _store_two(instance_index)
    target = replace(identify(1, 2, 2), sop_instance_uid=identify(1, 2, 8).sop_instance_uid)
    _commit(instance_index, _version(keys[1], target, 12))
    assert _conclude(instance_index, scope=scope_of(identify(1, 2, 2))) == 1
    assert _addresses(instance_index, scope_of(target)) == [address_of(12)]
    assert _addresses(instance_index, scope_of(target), original=True) == [address_of(2)]
    assert instance_index.instances(scope_of(identify(1, 2, 2))) == []


def test_nothing_moves_to_where_something_is(instance_index: InstanceIndex) -> None:
    keys = _store_two(instance_index)
    _commit(instance_index, new_instance(identify(9), address=address_of(9)))
    _commit(instance_index, _version(keys[0], identify(9, 1, 1), 11), _version(keys[1], identify(9, 2, 2), 12))
    for vacant in (scope_of(identify(9), depth=1), None):
        with pytest.raises(Conflict):
            _conclude(instance_index, scope=STUDY, vacant=vacant)
    assert _addresses(instance_index, STUDY) == [address_of(1), address_of(2)]
    assert len(instance_index.revisions.staged(REVISION)) == 2
    assert instance_index.latest_sequence() == 3


def test_versions_that_were_looked_at_for_other_query_tags_change_nothing(instance_index: InstanceIndex) -> None:
    assert isinstance(instance_index, MemoryInstanceIndex | SqliteInstanceIndex)
    keys = _store_two(instance_index)
    _commit(instance_index, _version(keys[0], identify(9, 1, 1), 11), _version(keys[1], identify(9, 2, 2), 12))
    adding = Operation("1" * 32, OperationType.REINDEX, NOW, NOW, b"{}")
    tag = QueryTagEntry(0x00101010, "AS", Level.STUDY)
    assert instance_index.query_tags.add([tag], adding, count_max=1) is None
    with pytest.raises(QueryTagsChanged):
        _conclude(instance_index, scope=STUDY)
    assert _addresses(instance_index, STUDY) == [address_of(1), address_of(2)]
    assert len(instance_index.revisions.staged(REVISION)) == 2
    assert instance_index.latest_sequence() == 2


def test_names_of_other_partitions_are_not_in_the_way(instance_index: InstanceIndex) -> None:
    _commit(instance_index, new_instance(identify(9, partition="other"), address=address_of(9)))
    _moved(instance_index)
    assert instance_index.totals().instances == 3
