"""What every store of extended query tags does, and how their values are found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isocenter.domain.errors import InvalidRequest, QueryTagExists, QueryTagsChanged
from isocenter.domain.identifiers import InstanceIdentifier, Level
from isocenter.domain.operation import Operation, OperationStatus, OperationType
from isocenter.domain.query import (
    Between,
    ByQueryTag,
    Comparison,
    OneOf,
    PersonName,
    Query,
    ValueMatch,
    Wildcard,
    WordPrefixes,
)
from isocenter.domain.query_tag import (
    COUNT_MAX,
    KINDS_BY_VR,
    InstanceFindings,
    QueryStatus,
    QueryTag,
    QueryTagEntry,
    QueryTagStatus,
)
from isocenter.domain.query_tag_value import canonical_value
from isocenter.ports.index import InstanceIndex, NewInstance
from isocenter.ports.operations import Operations
from isocenter.ports.query_tags import QueryTags
from isocenter.storage.memory import MemoryInstanceIndex
from isocenter.storage.sqlite import SqliteInstanceIndex
from tests.support.instances import identify, new_instance, scope_of

TAG, SERIES_TAG, NAME_TAG = 0x00101010, 0x00080070, 0x00321032
NOW = 1_700_000_000.0


class Index(InstanceIndex, Protocol):
    """An index with what is kept beside it."""

    @property
    def query_tags(self) -> QueryTags: ...
    @property
    def operations(self) -> Operations: ...


@pytest.fixture
def index(instance_index: InstanceIndex) -> Index:
    assert isinstance(instance_index, MemoryInstanceIndex | SqliteInstanceIndex)
    return instance_index


def operation(number: int) -> Operation:
    return Operation(f"{number:032x}", OperationType.REINDEX, NOW, NOW, b"{}")


def add(index: Index, *entries: QueryTagEntry, number: int = 1) -> list[QueryTag]:
    """Add tags and let their reindex end at once; they stay in the state of being added."""
    assert index.query_tags.add(entries, operation(number), count_max=COUNT_MAX) is None
    index.operations.replace(operation(number).ended(OperationStatus.SUCCEEDED, now=NOW, results=b"null"))
    return list(index.query_tags.all())[-len(entries) :]


def entry(vr: str = "LO", level: Level = Level.INSTANCE, tag: int = TAG) -> QueryTagEntry:
    return QueryTagEntry(tag, vr, level)


def instance(index: Index, identifier: InstanceIdentifier, values: Mapping[int, str]) -> NewInstance:
    keys = tuple(one.query_tag_key for one in index.query_tags.active())
    return replace(new_instance(identifier), query_tag_keys=keys, query_tag_values=values)


def commit(index: Index, identifier: InstanceIdentifier, values: Mapping[int, str]) -> int:
    [key] = index.commit([instance(index, identifier, values)], now=NOW, erase_due_at=NOW)
    return key


def found(index: Index, tag: QueryTag, match: ValueMatch | PersonName, **where: str) -> list[str]:
    """Return the UIDs, at the tag's own level, of what fits a match."""
    level = tag.entry.level
    query = Query(level, (ByQueryTag(tag.query_tag_key, tag.entry.vr, level, match),), **where)  # type: ignore[arg-type]
    uid = {Level.STUDY: 0x0020000D, Level.SERIES: 0x0020000E, Level.INSTANCE: 0x00080018}[level]
    rows = [row.attributes[uid] for row in index.search(query)]
    assert index.count(query) == len(rows)
    assert all(tag > 0 for row in index.search(query) for tag in row.attributes)
    return rows


def equal(text: str, comparison: Comparison = Comparison.CASELESS) -> OneOf:
    return OneOf(TAG, (text,), comparison)


def test_tags_are_kept_in_the_order_in_which_they_were_added_until_they_are_ready(index: Index) -> None:
    first, second = add(index, entry("AS", Level.STUDY), entry("SS", tag=0x00191012))
    assert first.query_tag_key < second.query_tag_key
    assert (first.status, first.query_status, first.error_count) == (QueryTagStatus.ADDING, QueryStatus.ENABLED, 0)
    assert first.operation_id == operation(1).operation_id
    index.query_tags.finish([second.query_tag_key])
    assert [one.status for one in index.query_tags.all()] == [QueryTagStatus.ADDING, QueryTagStatus.READY]
    assert index.query_tags.active() == index.query_tags.all()


def test_only_one_reindex_runs_at_a_time(index: Index) -> None:
    assert index.query_tags.add([entry()], operation(1), count_max=COUNT_MAX) is None
    active = index.query_tags.add([entry(tag=SERIES_TAG)], operation(2), count_max=COUNT_MAX)
    assert active is not None
    assert active.operation_id == operation(1).operation_id
    assert index.operations.find(operation(2).operation_id) is None
    assert len(index.query_tags.all()) == 1


def test_a_path_is_taken_once_and_so_many_tags_are_the_most(index: Index) -> None:
    add(index, entry())
    with pytest.raises(QueryTagExists):
        index.query_tags.add([entry(tag=NAME_TAG), entry()], operation(2), count_max=COUNT_MAX)
    with pytest.raises(InvalidRequest, match="Extended query tags exceeds max allowed count '2'"):
        index.query_tags.add([entry(tag=NAME_TAG), entry(tag=SERIES_TAG)], operation(2), count_max=2)
    assert index.operations.find(operation(2).operation_id) is None, "what was refused begins no reindex"
    assert len(index.query_tags.all()) == 1


def test_a_commit_for_other_tags_than_are_active_is_refused_whole(index: Index) -> None:
    early = instance(index, identify(1), {})
    [tag] = add(index, entry())
    with pytest.raises(QueryTagsChanged):
        index.commit([instance(index, identify(2), {}), early], now=NOW, erase_due_at=NOW)
    assert index.totals().instances == 0
    late = instance(index, identify(1), {tag.query_tag_key: "x"})
    index.query_tags.begin_removal(tag.query_tag_key)
    with pytest.raises(QueryTagsChanged):
        index.commit([late], now=NOW, erase_due_at=NOW)
    assert index.commit([instance(index, identify(1), {})], now=NOW, erase_due_at=NOW)


def test_the_value_of_the_newest_instance_that_has_one_is_that_of_its_study(index: Index) -> None:
    [tag] = add(index, entry("LO", Level.STUDY))
    for number, values in enumerate(({tag.query_tag_key: "old"}, {tag.query_tag_key: "new"}, {}), 1):
        commit(index, identify(1, 1, number), values)
    assert found(index, tag, equal("new")) == [identify(1).study_instance_uid]
    assert found(index, tag, equal("old")) == []


def test_a_reindex_does_not_overwrite_what_came_later(index: Index) -> None:
    first = commit(index, identify(1, 1, 1), {})
    [tag] = add(index, entry("LO", Level.SERIES))
    key = tag.query_tag_key
    commit(index, identify(1, 1, 2), {key: "stored"})
    for _ in range(2):
        index.query_tags.take([InstanceFindings(first, {key: "walked"}, {})], now=NOW)
    assert found(index, tag, equal("stored")) == [identify(1).series_instance_uid]
    assert found(index, tag, equal("walked")) == []


def test_a_reindex_walks_current_instances_from_the_newest_down(index: Index) -> None:
    keys = [commit(index, identify(1, 1, number), {}) for number in (1, 2, 3)]
    replaced = replace(new_instance(identify(1, 1, 1)), invalid_paths=("00080020", "00101010"), keep_previous=True)
    [newest] = index.commit([replaced], now=NOW, erase_due_at=NOW)
    assert index.query_tags.highest_instance_key() == newest
    walked = index.query_tags.stored_below(newest + 1, limit=2)
    assert [one.instance_key for one in walked] == [newest, keys[2]]
    assert walked[0].invalid_paths == ("00080020", "00101010")
    assert [one.instance_key for one in index.query_tags.stored_below(keys[2], limit=9)] == [keys[1]]


def test_the_first_error_disables_a_tag_and_each_instance_has_one(index: Index) -> None:
    keys = [commit(index, identify(1, 1, number), {}) for number in (1, 2, 3)]
    [tag] = add(index, entry())
    key = tag.query_tag_key
    index.query_tags.take([InstanceFindings(keys[2], {}, {key: 3})], now=NOW)
    assert index.query_tags.all()[0].query_status is QueryStatus.DISABLED
    index.query_tags.set_query_status(key, QueryStatus.ENABLED)
    again = [InstanceFindings(keys[2], {}, {key: 3}), InstanceFindings(keys[0], {}, {key: 1})]
    for _ in range(2):
        index.query_tags.take(again, now=NOW + 1)
    [kept] = index.query_tags.all()
    assert (kept.error_count, kept.query_status) == (2, QueryStatus.ENABLED)
    errors = index.query_tags.errors(key, limit=10, offset=0)
    assert [(one.identifier, one.code, one.created_at) for one in errors] == [
        (identify(1, 1, 3), 3, NOW),
        (identify(1, 1, 1), 1, NOW + 1),
    ]
    assert index.query_tags.errors(key, limit=1, offset=1) == errors[1:]


def test_a_delete_takes_values_and_errors_along(index: Index) -> None:
    of_study, of_series, of_instance = add(
        index, entry("PN", Level.STUDY), entry("LO", Level.SERIES, SERIES_TAG), entry("IS", tag=NAME_TAG)
    )
    values = {of_study.query_tag_key: "A^B", of_series.query_tag_key: "x", of_instance.query_tag_key: "7"}
    keys = [commit(index, identify(1, series, 1), values) for series in (1, 2)]
    index.query_tags.take([InstanceFindings(key, {}, {of_instance.query_tag_key: 4}) for key in keys], now=NOW)
    index.delete(scope_of(identify(1, 1, 1)), now=NOW, erase_due_at=NOW)
    assert found(index, of_series, equal("X")) == [identify(1, 2).series_instance_uid]
    assert found(index, of_instance, equal("07")) == [identify(1, 2).sop_instance_uid]
    assert index.query_tags.all()[2].error_count == 1
    index.delete(scope_of(identify(1), depth=1), now=NOW, erase_due_at=NOW)
    commit(index, identify(1), {})
    assert index.query_tags.all()[2].error_count == 0
    assert index.query_tags.errors(of_instance.query_tag_key, limit=9, offset=0) == []
    assert found(index, of_study, WordPrefixes(TAG, ("a",))) == found(index, of_study, equal("A^B")) == []


def test_a_new_version_is_found_by_its_own_value_alone(index: Index) -> None:
    of_study, of_instance = add(index, entry("PN", Level.STUDY), entry("LO", tag=SERIES_TAG))
    commit(index, identify(1), {of_study.query_tag_key: "Old^Name", of_instance.query_tag_key: "old"})
    commit(index, identify(1), {of_study.query_tag_key: "New^Name", of_instance.query_tag_key: "new"})
    assert found(index, of_instance, equal("old")) == []
    assert len(found(index, of_instance, equal("new"))) == 1
    assert found(index, of_study, WordPrefixes(TAG, ("old",))) == []
    assert len(found(index, of_study, WordPrefixes(TAG, ("new",)))) == 1
    commit(index, identify(1), {})
    assert found(index, of_instance, equal("new")) == []


def test_two_versions_of_an_instance_in_one_commit(index: Index) -> None:
    [tag] = add(index, entry())
    both = [instance(index, identify(1), {tag.query_tag_key: value}) for value in ("old", "new")]
    index.commit(both, now=NOW, erase_due_at=NOW)
    assert (found(index, tag, equal("old")), len(found(index, tag, equal("new")))) == ([], 1)


def test_partitions_are_apart(index: Index) -> None:
    [tag] = add(index, entry("PN", Level.STUDY))
    for partition in ("Microsoft.Default", "north"):
        commit(index, identify(1, partition=partition), {tag.query_tag_key: f"Name^{partition}"})
    for match in (equal("name^north"), WordPrefixes(TAG, ("north",))):
        assert found(index, tag, match) == []
        assert len(found(index, tag, match, partition_name="north")) == 1


def test_a_tag_goes_piece_by_piece_and_its_path_is_free_again(index: Index) -> None:
    names, other = add(index, entry("PN", Level.INSTANCE), entry("LO", tag=SERIES_TAG))
    keys = [
        commit(index, identify(1, 1, number), {names.query_tag_key: f"A^{number}", other.query_tag_key: "stays"})
        for number in range(1, 6)
    ]
    index.query_tags.take([InstanceFindings(keys[0], {}, {names.query_tag_key: 1000})], now=NOW)
    index.query_tags.begin_removal(names.query_tag_key)
    assert index.query_tags.all()[0].status is QueryTagStatus.DELETING
    assert [one.query_tag_key for one in index.query_tags.active()] == [other.query_tag_key]
    for _ in range(30):
        if index.query_tags.remove_some(names.query_tag_key, rows_max=2):
            break
    assert [one.query_tag_key for one in index.query_tags.all()] == [other.query_tag_key]
    [again] = add(index, entry("PN", Level.INSTANCE), number=2)
    assert again.query_tag_key > other.query_tag_key
    for match in (equal("A^1"), WordPrefixes(TAG, ("a",))):
        assert found(index, again, match) == []
    assert len(found(index, other, equal("STAYS"))) == 5


@pytest.mark.parametrize(
    ("vr", "stored", "match"),
    [
        ("CS", "Axial", OneOf(TAG, ("AXIAL",), Comparison.CASELESS)),
        ("IS", "03", OneOf(TAG, ("0003",))),
        ("US", "7", OneOf(TAG, ("+7",))),
        ("FL", "0.10000000149011612", OneOf(TAG, ("0.1",))),
        ("FD", "1.50", OneOf(TAG, ("15e-1",))),
        ("TM", "10", OneOf(TAG, ("100000.000",))),
        ("TM", "235959.5", Between(TAG, "2359", None)),
        ("DA", "20260131", Between(TAG, "20260101", "20260131")),
        ("DT", canonical_value("DT", "2026"), Between(TAG, None, "20260101000000.000000")),
        ("UI", "1.2.3", OneOf(TAG, ("1.2.3", "4"))),
        ("PN", "Tá^Lá", OneOf(TAG, ("ta^la",), Comparison.FOLDED)),
        ("PN", "Doe^John=山田^太郎", PersonName(TAG, ("doe*",))),
        ("PN", "Doe^John=山田^太郎", PersonName(TAG, ("山*",), in_any_group=True)),
        ("PN", "John^Doe", WordPrefixes(TAG, ("jo", "do"))),
        ("LO", "Chest CT", Wildcard(TAG, "Ch?st*", Comparison.EXACT)),
        ("LO", "Chest CT", Wildcard(TAG, "*cT", Comparison.CASELESS)),
    ],
)
def test_values_are_found_by_the_rules_of_their_vr(index: Index, vr: str, stored: str, match: ValueMatch) -> None:
    [tag] = add(index, entry(vr))
    commit(index, identify(1), {tag.query_tag_key: stored})
    commit(index, identify(2), {})
    assert len(found(index, tag, match)) == 1


@pytest.mark.parametrize(
    ("vr", "stored", "match"),
    [
        ("CS", "Axial", OneOf(TAG, ("AXIAL",))),
        ("LO", "Té", OneOf(TAG, ("Te",), Comparison.CASELESS)),
        ("IS", "3", OneOf(TAG, ("33",))),
        ("DA", "20260201", Between(TAG, "20260101", "20260131")),
        ("PN", "John^Doe", WordPrefixes(TAG, ("ohn",))),
        ("PN", "John^M^Doe", WordPrefixes(TAG, ("john", "doe"))),
        ("LO", "Chest CT", Wildcard(TAG, "chest*", Comparison.EXACT)),
        ("LO", "x*y", OneOf(TAG, ("x*",), Comparison.CASELESS)),
    ],
)
def test_values_that_do_not_fit_are_not_found(index: Index, vr: str, stored: str, match: ValueMatch) -> None:
    [tag] = add(index, entry(vr))
    commit(index, identify(1), {tag.query_tag_key: stored})
    assert found(index, tag, match) == []


def test_a_rare_value_is_found_behind_many_that_came_later(index: Index) -> None:
    [tag] = add(index, entry("LO", Level.STUDY))
    commit(index, identify(1), {tag.query_tag_key: "rare"})
    index.commit(
        [instance(index, identify(number), {tag.query_tag_key: "common"}) for number in range(2, 1200)],
        now=NOW,
        erase_due_at=NOW,
    )
    assert found(index, tag, equal("rare")) == [identify(1).study_instance_uid]
    query = Query(
        Level.STUDY,
        (ByQueryTag(tag.query_tag_key, "LO", Level.STUDY, equal("common")), OneOf(0x00100020, ("nobody",))),
    )
    assert index.search(query) == []


def test_keys_of_several_levels_are_joined(index: Index) -> None:
    of_study, of_instance = add(index, entry("LO", Level.STUDY), entry("IS", tag=SERIES_TAG))
    for study in (1, 2):
        for number in (1, 2):
            values = {of_study.query_tag_key: f"s{study}", of_instance.query_tag_key: str(number)}
            commit(index, identify(study, 1, number), values)
    matches = (
        ByQueryTag(of_study.query_tag_key, "LO", Level.STUDY, equal("S2")),
        ByQueryTag(of_instance.query_tag_key, "IS", Level.INSTANCE, equal("2")),
    )
    rows = index.search(Query(Level.INSTANCE, matches))
    assert [row.attributes[0x00080018] for row in rows] == [identify(2, 1, 2).sop_instance_uid]
    assert len(index.search(Query(Level.SERIES, matches[:1]))) == 1


ALPHABET = st.sampled_from(["a", "A", "á", "b", "1", "0", "2", "9", " ", "^", "=", "*", "?", ".", "-"])
TEXTS = st.text(ALPHABET, min_size=1, max_size=6)
NUMBERS = st.integers(-20, 20).map(str) | st.floats(-4, 4, width=32).map(str)
DAYS = st.dates().map(lambda day: f"{day:%Y%m%d}".rjust(8, "0"))
TIMES = st.times().map(lambda time: f"{time:%H%M%S.%f}") | st.times().map(lambda time: f"{time:%H%M}")
VALUES = {"DA": DAYS, "DT": DAYS, "TM": TIMES, **dict.fromkeys(("IS", "SL", "SS", "UL", "US", "FL", "FD"), NUMBERS)}


@st.composite
def questions(draw: st.DrawFn) -> tuple[str, list[str], ValueMatch | PersonName]:
    """Return a VR, what instances have, and a match that makes sense for it."""
    vr = draw(st.sampled_from(sorted(KINDS_BY_VR)))
    values = VALUES.get(vr, TEXTS)
    stored = draw(st.lists(values.map(lambda text: canonical_value(vr, text)), min_size=1, max_size=6))
    wanted = draw(st.sampled_from(stored) | values.map(lambda text: canonical_value(vr, text)))
    if vr in VALUES:
        ends = draw(st.tuples(st.just(wanted), st.sampled_from(stored)))
        ordered: list[ValueMatch] = [Between(TAG, *ends)] if vr in ("DA", "DT", "TM") else []
        return vr, stored, draw(st.sampled_from([OneOf(TAG, (wanted,)), *ordered]))
    comparison = Comparison.FOLDED if vr == "PN" else draw(st.sampled_from([Comparison.EXACT, Comparison.CASELESS]))
    matches: list[ValueMatch | PersonName] = [OneOf(TAG, (wanted,), comparison), Wildcard(TAG, wanted, comparison)]
    if vr == "PN":
        matches += [WordPrefixes(TAG, tuple(wanted.split())), PersonName(TAG, tuple(wanted.split("=")[:3]))]
    elif vr in ("UI", "AS"):
        matches.pop()
    return vr, stored, draw(st.sampled_from(matches))


@settings(max_examples=300, deadline=None)
@given(question=questions())
def test_both_indexes_agree_on_what_a_match_finds(
    question: tuple[str, list[str], ValueMatch | PersonName], tmp_path_factory: pytest.TempPathFactory
) -> None:
    vr, stored, match = question
    answers: list[list[str]] = []
    with SqliteInstanceIndex(tmp_path_factory.mktemp("agree") / "index.sqlite") as sqlite:
        for index in (MemoryInstanceIndex(), sqlite):
            [tag] = add(index, entry(vr))
            for number, value in enumerate(stored, 1):
                commit(index, identify(number), {tag.query_tag_key: value} if value else {})
            answers.append(found(index, tag, match))
    assert answers[0] == answers[1]
