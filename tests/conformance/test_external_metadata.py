"""What every index does with external metadata."""

from __future__ import annotations

from dataclasses import replace

import pytest

from isocenter.domain.errors import InvalidRequest
from isocenter.domain.external_metadata import ExternalValue
from isocenter.domain.identifiers import DEFAULT_PARTITION, Level
from isocenter.domain.query import (
    Between,
    ByExternalMetadata,
    Comparison,
    OneOf,
    Query,
    ValueMatch,
    Wildcard,
    WordPrefixes,
)
from isocenter.ports.index import InstanceIndex, Membership
from tests.support.instances import address_of, identify, new_instance, scope_of

CS, LO, IS, DA, PN, FD, TM = (0x00191001, 0x00191002, 0x00191003, 0x00191004, 0x00191005, 0x00191006, 0x00191007)
VRS = {CS: "CS", LO: "LO", IS: "IS", DA: "DA", PN: "PN", FD: "FD", TM: "TM"}
STUDY_UID = 0x0020000D
NOW = 1000.0


def _value(tag: int, text: str) -> ExternalValue:
    return ExternalValue(tag, VRS[tag], text)


def _store(
    index: InstanceIndex, study: int, *values: ExternalValue, instance: int = 1, partition: str = DEFAULT_PARTITION
) -> None:
    index.external_metadata.register(values)
    new = new_instance(identify(study, 1, instance, partition=partition))
    index.commit([replace(new, external_metadata=values)], now=NOW + study, erase_due_at=NOW)


def _found(
    index: InstanceIndex, match: ValueMatch, *, level: Level = Level.STUDY, partition: str = DEFAULT_PARTITION
) -> list[int]:
    query = Query(level, (ByExternalMetadata(VRS[match.tag], match),), partition_name=partition)
    names = {identify(study).study_instance_uid: study for study in range(1, 10)}
    found = [names[row.attributes[STUDY_UID]] for row in index.search(query)]
    assert index.count(query) == len(found)
    return found


def test_what_comes_with_an_instance_is_its_studys(instance_index: InstanceIndex) -> None:
    _store(instance_index, 1, _value(CS, "A"), _value(LO, "b"))
    _store(instance_index, 2)
    uids = [identify(study).study_instance_uid for study in (1, 2, 3)]
    found = instance_index.external_metadata.of_studies(DEFAULT_PARTITION, uids)
    assert {uid: metadata.values for uid, metadata in found.items()} == {uids[0]: (_value(CS, "A"), _value(LO, "b"))}
    assert instance_index.external_metadata.vrs() == {CS: "CS", LO: "LO"}


def test_a_later_value_takes_the_place_of_the_one_before_and_leaves_the_others(instance_index: InstanceIndex) -> None:
    _store(instance_index, 1, _value(CS, "A"), _value(LO, "b"))
    before = instance_index.external_metadata.of_studies(DEFAULT_PARTITION, [identify(1).study_instance_uid])
    instance_index.external_metadata.put(
        DEFAULT_PARTITION, identify(1).study_instance_uid, [_value(CS, "C")], now=NOW + 50
    )
    [metadata] = instance_index.external_metadata.of_studies(
        DEFAULT_PARTITION, [identify(1).study_instance_uid]
    ).values()
    assert metadata.values == (_value(CS, "C"), _value(LO, "b"))
    assert metadata.changed_at > max(one.changed_at for one in before.values())
    assert _found(instance_index, OneOf(CS, ("A",))) == []
    assert _found(instance_index, OneOf(CS, ("C",))) == [1]


def test_nothing_is_kept_of_a_study_that_is_not_there(instance_index: InstanceIndex) -> None:
    instance_index.external_metadata.register([_value(CS, "A")])
    instance_index.external_metadata.put(DEFAULT_PARTITION, "1.2.3", [_value(CS, "A")], now=NOW)
    assert instance_index.external_metadata.of_studies(DEFAULT_PARTITION, ["1.2.3"]) == {}


def test_another_vr_is_refused(instance_index: InstanceIndex) -> None:
    instance_index.external_metadata.register([_value(CS, "A")])
    with pytest.raises(InvalidRequest):
        instance_index.external_metadata.register([ExternalValue(CS, "LO", "A")])
    assert instance_index.external_metadata.vrs() == {CS: "CS"}


def test_it_goes_with_the_last_instance_of_its_study(instance_index: InstanceIndex) -> None:
    _store(instance_index, 1, _value(CS, "A"))
    _store(instance_index, 1, instance=2)
    study = identify(1).study_instance_uid
    instance_index.delete(scope_of(identify(1, 1, 1)), now=NOW, erase_due_at=NOW)
    assert instance_index.external_metadata.of_studies(DEFAULT_PARTITION, [study]) != {}
    instance_index.delete(scope_of(identify(1, 1, 2)), now=NOW, erase_due_at=NOW)
    assert instance_index.external_metadata.of_studies(DEFAULT_PARTITION, [study]) == {}
    _store(instance_index, 1)
    assert _found(instance_index, OneOf(CS, ("A",))) == []


def test_partitions_do_not_see_each_others(instance_index: InstanceIndex) -> None:
    _store(instance_index, 1, _value(CS, "A"))
    _store(instance_index, 1, _value(CS, "B"), partition="north")
    assert _found(instance_index, OneOf(CS, ("B",))) == []
    assert _found(instance_index, OneOf(CS, ("B",)), partition="north") == [1]


def test_a_study_that_gets_another_uid_takes_it_along(instance_index: InstanceIndex) -> None:
    _store(instance_index, 1, _value(CS, "A"), _value(LO, "b"))
    _store(instance_index, 2, _value(LO, "own"))
    [row] = instance_index.instances(scope_of(identify(1)))
    for number, target in enumerate((identify(3), identify(2, 2))):
        version = new_instance(target, address=address_of(50 + number))
        member = Membership(f"1-{number}", row.instance_key)
        instance_index.commit([replace(version, membership=member)], now=NOW, erase_due_at=NOW)
        instance_index.revisions.conclude(f"1-{number}", now=NOW, erase_due_at=NOW)
        [row] = instance_index.instances(scope_of(target))
        assert _found(instance_index, OneOf(CS, ("A",))) == [3 - number]
    uids = [identify(study).study_instance_uid for study in (1, 2, 3)]
    found = instance_index.external_metadata.of_studies(DEFAULT_PARTITION, uids)
    assert {uid: one.values for uid, one in found.items()} == {uids[1]: (_value(CS, "A"), _value(LO, "own"))}


@pytest.mark.parametrize(
    ("match", "studies"),
    [
        (OneOf(LO, ("second LOOK",), Comparison.CASELESS), [2]),
        (OneOf(LO, ("second LOOK",)), []),
        (Wildcard(LO, "*look", Comparison.CASELESS), [2, 1]),
        (OneOf(IS, ("0003",)), [1]),
        (Between(IS, "3", "4"), [2, 1]),
        (Between(DA, "20260115", None), [2]),
        (Between(DA, None, "20260131"), [2, 1]),
        (OneOf(PN, ("hall^ANN",), Comparison.FOLDED), [1]),
        (WordPrefixes(PN, ("ha", "an")), [1]),
        (WordPrefixes(PN, ("an", "ha")), []),
        (OneOf(FD, ("0.50",)), [2]),
        (Between(TM, "1130", "120000.000000"), [1]),
    ],
)
@pytest.mark.parametrize("level", [Level.STUDY, Level.SERIES, Level.INSTANCE])
def test_studies_are_found_by_it_at_every_level(
    instance_index: InstanceIndex, match: ValueMatch, studies: list[int], level: Level
) -> None:
    first = {LO: "First look", IS: "3", DA: "20260101", PN: "Hall^Ann", FD: "1.5", TM: "1200"}
    second = {LO: "Second look", IS: "4", DA: "20260131", PN: "Hill^Bob", FD: "0.5", TM: "1300"}
    for study, values in ((1, first), (2, second)):
        _store(instance_index, study, *(_value(tag, text) for tag, text in values.items()))
    _store(instance_index, 3)
    assert _found(instance_index, match, level=level) == studies


def test_old_studies_are_found_behind_many_new_ones(instance_index: InstanceIndex) -> None:
    _store(instance_index, 1, _value(CS, "A"))
    others = [new_instance(identify(study)) for study in range(10, 1200)]
    instance_index.commit(others, now=NOW, erase_due_at=NOW)
    assert _found(instance_index, OneOf(CS, ("A",))) == [1]
