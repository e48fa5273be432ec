"""What every store of workitems does."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import apsw
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isocenter.domain.errors import StorageFailed
from isocenter.domain.query import Between, Comparison, OneOf, ValueMatch, Wildcard, WordPrefixes
from isocenter.domain.workitem import WorkitemState
from isocenter.domain.workitem_search import SEARCHABLE, SearchableText, WorkitemMatch, WorkitemQuery
from isocenter.ports.failpoints import parse_failpoints
from isocenter.ports.workitems import Workitems
from isocenter.storage.memory import MemoryPartitions, MemoryWorkitems
from isocenter.storage.sqlite import SqliteInstanceIndex
from isocenter.storage.sqlite.workitem_search import page_statement
from tests.support.workitems import BY_KEYWORD, texts, uid_of, workitem

CASELESS, FOLDED = Comparison.CASELESS, Comparison.FOLDED


@pytest.fixture(params=["memory", "sqlite"])
def workitems(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Workitems]:
    if request.param == "memory":
        yield MemoryWorkitems(MemoryPartitions())
    else:
        with SqliteInstanceIndex(tmp_path / "index.sqlite") as index:
            yield index.workitems


def _found(workitems: Workitems, keyword: str = "", match: ValueMatch | None = None, **others: object) -> list[int]:
    """Return the numbers of the workitems that match, the newest first."""
    matches = (WorkitemMatch(BY_KEYWORD[keyword], match),) if match is not None else ()
    query = replace(WorkitemQuery(matches), **others)  # type: ignore[arg-type]
    return [int(one.sop_instance_uid.rsplit(".", 1)[1]) for one in workitems.search(query)]


def _tag(keyword: str) -> int:
    return BY_KEYWORD[keyword].tag


# create, find, replace


def test_a_workitem_is_found_as_it_was_created(workitems: Workitems) -> None:
    one = workitem(1)
    assert workitems.create(one, texts())
    assert workitems.find(one.partition_name, one.sop_instance_uid) == one
    assert workitems.find(one.partition_name, uid_of(2)) is None
    assert workitems.find("other", one.sop_instance_uid) is None


def test_a_uid_is_used_once_in_a_partition(workitems: Workitems) -> None:
    assert workitems.create(workitem(1), texts({"PatientID": "P1"}))
    assert not workitems.create(workitem(1, content=b"other"), texts({"PatientID": "P2"}))
    assert workitems.create(workitem(1, partition="other", content=b"there"), texts())
    found = workitems.find("Microsoft.Default", uid_of(1))
    assert found is not None
    assert found.content == b"content 1"
    assert _found(workitems, "PatientID", OneOf(0, ("P2",))) == []


def test_a_change_takes_the_place_of_its_own_revision_only(workitems: Workitems) -> None:
    first = workitem(1)
    workitems.create(first, texts({"PatientID": "P1"}))
    claimed = replace(first, state=WorkitemState.IN_PROGRESS, transaction_uid="1.2", revision=2, changed_at=5.0)
    assert workitems.replace(claimed, texts({"PatientID": "P2"}), revision=1)
    assert not workitems.replace(replace(claimed, transaction_uid="1.3"), texts({"PatientID": "P3"}), revision=1)
    assert workitems.find(first.partition_name, first.sop_instance_uid) == claimed
    for patient_id, expected in (("P1", []), ("P2", [1]), ("P3", [])):
        assert _found(workitems, "PatientID", OneOf(0, (patient_id,))) == expected


def test_what_is_not_there_is_not_changed(workitems: Workitems) -> None:
    workitems.create(workitem(1), texts())
    assert not workitems.replace(workitem(2, revision=2), texts(), revision=1)
    assert not workitems.replace(workitem(1, partition="other", revision=2), texts(), revision=1)
    assert workitems.find("Microsoft.Default", uid_of(2)) is None


def test_of_many_who_claim_at_once_one_wins(workitems: Workitems) -> None:
    first = workitem(1)
    workitems.create(first, texts())
    barrier = threading.Barrier(8)
    won: list[int] = []

    def claim(number: int) -> None:
        barrier.wait()
        claimed = replace(first, transaction_uid=str(number), revision=2)
        if workitems.replace(claimed, texts(), revision=1):
            won.append(number)

    threads = [threading.Thread(target=claim, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept = workitems.find(first.partition_name, first.sop_instance_uid)
    assert kept is not None
    assert [kept.transaction_uid] == [str(number) for number in won]


# search


def test_a_search_without_keys_returns_all_of_a_partition_newest_first(workitems: Workitems) -> None:
    for number in (1, 2, 3):
        workitems.create(workitem(number), texts())
    workitems.create(workitem(4, partition="other"), texts())
    workitems.replace(workitem(1, revision=2), texts(), revision=1)
    assert _found(workitems) == [3, 2, 1]
    assert _found(workitems, partition_name="other") == [4]
    assert _found(workitems, partition_name="nowhere") == []


@pytest.mark.parametrize(
    ("limit", "offset", "expected"),
    [(2, 0, [5, 4]), (2, 2, [3, 2]), (2, 4, [1]), (2, 5, []), (100, 1, [4, 3, 2, 1]), (0, 0, [])],
)
@pytest.mark.parametrize("keyword", ["", "ProcedureStepState", "PatientID", "PatientName"])
def test_pages_do_not_overlap(workitems: Workitems, keyword: str, limit: int, offset: int, expected: list[int]) -> None:
    for number in range(1, 6):
        workitems.create(workitem(number), texts({"ProcedureStepState": "A", "PatientID": "A", "PatientName": "A"}))
    match = OneOf(0, ("A",)) if keyword else None
    assert _found(workitems, keyword, match, limit=limit, offset=offset) == expected


NAMES = {1: "Doe^John", 2: "Täuber^Jörg", 3: "doe^jane^^dr", 4: "Yamada^Tarou=山田^太郎"}


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        (OneOf(0, ("DOE^JOHN",), FOLDED), [1]),
        (OneOf(0, ("tauber^jorg",), FOLDED), [2]),
        (OneOf(0, ("doe^john",)), []),
        (OneOf(0, ("Doe^John", "Täuber^Jörg")), [2, 1]),
        (Wildcard(0, "doe*", FOLDED), [3, 1]),
        (Wildcard(0, "Doe*"), [1]),
        (Wildcard(0, "*j?hn", FOLDED), [1]),
        (Wildcard(0, "*"), [4, 3, 2, 1]),
        (WordPrefixes(0, ("jo",)), [2, 1]),
        (WordPrefixes(0, ("do", "ja")), [3]),
        (WordPrefixes(0, ("jo", "do")), []),
        (WordPrefixes(0, ("太",)), [4]),
        (WordPrefixes(0, ("ohn",)), []),
        (WordPrefixes(0, ()), []),
    ],
)
def test_names_are_found_whole_by_pattern_and_by_words(
    workitems: Workitems, match: ValueMatch, expected: list[int]
) -> None:
    for number, name in NAMES.items():
        workitems.create(workitem(number), texts({"PatientName": name}))
    match = replace(match, tag=_tag("PatientName"))
    assert _found(workitems, "PatientName", match) == expected


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        (OneOf(0, ("acc-1",), CASELESS), [2, 1]),
        (OneOf(0, ("ACC-1",)), [1]),
        (OneOf(0, ("nothing",), CASELESS), []),
        (OneOf(0, ()), []),
        (Wildcard(0, "acc-?", CASELESS), [3, 2, 1]),
        (Wildcard(0, "[a]*", CASELESS), []),
    ],
)
def test_a_value_in_any_item_of_a_sequence_is_found(
    workitems: Workitems, match: ValueMatch, expected: list[int]
) -> None:
    keyword = "ReferencedRequestSequence.AccessionNumber"
    workitems.create(workitem(1), texts({keyword: ("X", "ACC-1")}))
    workitems.create(workitem(2), texts({keyword: ("acc-1", "Acc-1")}))
    workitems.create(workitem(3), texts({keyword: "ACC-2"}))
    workitems.create(workitem(4), texts({"PatientID": "ACC-1"}))
    assert _found(workitems, keyword, replace(match, tag=_tag(keyword))) == expected


@pytest.mark.parametrize(
    ("lowest", "highest", "expected"),
    [
        ("20260102103000.000000", None, [3, 2]),
        (None, "20260102103000.000000", [2, 1]),
        ("20260102000000.000000", "20260102235959.999999", [2]),
        ("20270101000000.000000", None, []),
        (None, None, [3, 2, 1]),
    ],
)
def test_times_are_found_by_range(
    workitems: Workitems, lowest: str | None, highest: str | None, expected: list[int]
) -> None:
    keyword = "ScheduledProcedureStepStartDateTime"
    for number, day in ((1, "20260101103000"), (2, "20260102103000"), (3, "20260103103000")):
        workitems.create(workitem(number), texts({keyword: f"{day}.000000"}))
    workitems.create(workitem(4), texts())
    assert _found(workitems, keyword, Between(_tag(keyword), lowest, highest)) == expected


def test_a_range_compares_every_character(workitems: Workitems) -> None:
    workitems.create(workitem(1), texts({"PatientName": "a"}))
    assert _found(workitems, "PatientName", Between(_tag("PatientName"), None, "A")) == []
    assert _found(workitems, "PatientName", Between(_tag("PatientName"), "a", None)) == [1]


def test_a_workitem_is_found_once_however_many_of_its_texts_fit(workitems: Workitems) -> None:
    keyword = "ScheduledStationNameCodeSequence.CodeValue"
    workitems.create(workitem(1), texts({keyword: ("A", "B", "b"), "PatientName": "Ann^Anna"}))
    assert _found(workitems, keyword, OneOf(0, ("A", "B"), CASELESS)) == [1]
    assert _found(workitems, keyword, Wildcard(0, "?", CASELESS)) == [1]
    assert _found(workitems, "PatientName", WordPrefixes(0, ("an",))) == [1]


# the adapters agree


_TEXT = st.sampled_from(["", "A", "a", "B", "ab", "Ä", "a b", "A^B", "b^a", "*", "1", "01", "[", "20260101"])
_SOME = st.lists(_TEXT.filter(bool), min_size=1, max_size=3, unique=True)


def _matches(comparisons: st.SearchStrategy[Comparison]) -> st.SearchStrategy[ValueMatch]:
    pattern = st.lists(st.sampled_from(["a", "A", "b", "*", "?", "[", "Ä", "^"]), min_size=1, max_size=4).map("".join)
    return st.one_of(
        st.builds(lambda values, how: OneOf(0, tuple(values), how), _SOME, comparisons),
        st.builds(lambda text, how: Wildcard(0, text, how), pattern, comparisons),
        st.builds(lambda ends: Between(0, *ends), st.tuples(*[st.one_of(st.none(), _TEXT.filter(bool))] * 2)),
    )


@st.composite
def _wanted(draw: st.DrawFn) -> WorkitemMatch:
    """Return a match as searches have it: only names are folded, only dates with times and UIDs have an order."""
    attribute = draw(st.sampled_from(SEARCHABLE[:8]))
    is_name = attribute.vr == "PN"
    kinds = _matches(st.sampled_from(Comparison if is_name else [Comparison.EXACT, CASELESS]))
    if attribute.vr not in ("DT", "DA", "TM", "UI"):
        kinds = kinds.filter(lambda match: not isinstance(match, Between))
    if is_name:
        kinds = st.one_of(kinds, _SOME.map(lambda words: WordPrefixes(0, tuple(words))))
    return WorkitemMatch(attribute, replace(draw(kinds), tag=attribute.tag))


_kept = st.lists(
    st.lists(st.builds(SearchableText, st.sampled_from(SEARCHABLE[:8]), _TEXT.filter(bool)), max_size=6, unique=True),
    max_size=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(_kept, st.lists(st.lists(_wanted(), max_size=3), min_size=1, max_size=8), st.integers(0, 3))
def test_both_stores_give_the_same_answer(
    tmp_path_factory: pytest.TempPathFactory,
    kept: list[list[SearchableText]],
    searches: list[list[WorkitemMatch]],
    offset: int,
) -> None:
    memory = MemoryWorkitems(MemoryPartitions())
    with SqliteInstanceIndex(tmp_path_factory.mktemp("index") / "index.sqlite") as index:
        for number, found_by in enumerate(kept):
            for store in (memory, index.workitems):
                store.create(workitem(number), found_by)
        for matches in searches:
            query = WorkitemQuery(tuple(matches), limit=5, offset=offset)
            assert index.workitems.search(query) == memory.search(query)


# what is special about the file


@pytest.mark.parametrize(
    ("failpoint", "is_kept"),
    [("index.before_begin", False), ("index.before_commit", False), ("index.after_commit", True)],
)
def test_a_change_is_kept_whole_or_not_at_all(tmp_path: Path, failpoint: str, is_kept: bool) -> None:
    path = tmp_path / "index.sqlite"
    first, second = workitem(1), workitem(1, revision=2, content=b"changed")
    with SqliteInstanceIndex(path) as index:
        index.workitems.create(first, texts({"PatientID": "P1"}))
    with (
        SqliteInstanceIndex(path, failpoints=parse_failpoints(f"{failpoint}=raise:StorageFailed")) as index,
        pytest.raises(StorageFailed),
    ):
        index.workitems.replace(second, texts({"PatientID": "P2"}), revision=1)
    with SqliteInstanceIndex(path) as index:
        assert index.workitems.find("Microsoft.Default", uid_of(1)) == (second if is_kept else first)
        assert _found(index.workitems, "PatientID", OneOf(0, ("P1",))) == ([] if is_kept else [1])
        assert _found(index.workitems, "PatientID", OneOf(0, ("P2",))) == ([1] if is_kept else [])


@pytest.mark.parametrize(
    ("keywords", "expected"),
    [
        ((), ["SEARCH workitem USING COVERING INDEX workitem_by_key (partition_key=?)"]),
        (("ProcedureStepState",), ["SEARCH t USING PRIMARY KEY (partition_key=? AND attribute=? AND form=?)"]),
        (
            ("ProcedureStepState", "PatientID"),
            [
                "SEARCH t USING PRIMARY KEY (partition_key=? AND attribute=? AND form=?)",
                "SEARCH o USING COVERING INDEX workitem_text_by_workitem "
                "(workitem_key=? AND attribute=? AND partition_key=? AND form=?)",
            ],
        ),
    ],
)
def test_a_page_is_read_from_an_index_in_its_order(
    tmp_path: Path, keywords: tuple[str, ...], expected: list[str]
) -> None:
    path = tmp_path / "index.sqlite"
    SqliteInstanceIndex(path).close()
    matches = tuple(WorkitemMatch(BY_KEYWORD[keyword], OneOf(0, ("A",), CASELESS)) for keyword in keywords)
    text, bindings = page_statement(WorkitemQuery(matches))
    connection = apsw.Connection(str(path))
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {text}", bindings)]
    connection.close()
    assert [step for step in plan if step in expected] == expected
    assert not any(word in step for step in plan for word in ("SCAN t", "SCAN o", "TEMP B-TREE", "SCAN workitem"))
