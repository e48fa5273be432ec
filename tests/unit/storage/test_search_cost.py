"""What a search costs in an archive, and in one three times as large, counted in steps of SQLite's machine.

Both archives have the same studies of long ago and a few with rare values; what one has more is of every day. A search
costs the same in both, whatever it asks for, save one that no index answers: that costs a look at every study at most,
never one at every instance.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import apsw
import pytest

from isocenter.domain.attributes import BY_KEYWORD, MODALITIES_IN_STUDY, SOP_CLASSES_IN_STUDY
from isocenter.domain.identifiers import Level
from isocenter.domain.operation import Operation, OperationType
from isocenter.domain.query import (
    Between,
    ByQueryTag,
    Comparison,
    Cursor,
    Match,
    OneOf,
    PersonName,
    Query,
    Wildcard,
    WordPrefixes,
)
from isocenter.domain.query_tag import QueryTagEntry
from isocenter.ports.index import NewInstance
from isocenter.storage.sqlite import SqliteInstanceIndex, newest
from isocenter.storage.sqlite.connections import open_reader
from isocenter.storage.sqlite.search import count_statement, page_statements
from tests.support.instances import CT_IMAGE_STORAGE, attributes_of, identify, new_instance

STUDIES, TIMES = 400, 3
OLD_STUDIES, RARE_EVERY = 40, 199
SERIES, INSTANCES = 2, 3
LIMIT, OFFSET = 5, 10
SLACK = 1.25
"""Trees grow a little deeper, and pages of an index are not equally full."""
NOISE_STEPS = 300
CASELESS, FOLDED = Comparison.CASELESS, Comparison.FOLDED
RARE_CLASS = "1.2.3.4"
ADMISSION_ID = 0x00380010
_TAGS = {keyword: attribute.tag for keyword, attribute in BY_KEYWORD.items()}


@dataclass(frozen=True)
class Counted:
    """An archive, and a reader of it that counts."""

    index: SqliteInstanceIndex
    reader: apsw.Connection
    studies: int
    steps: list[int]

    def steps_of(self, query: Query, cursor: Cursor | None = None) -> int:
        """Return how many steps the rows of a query cost."""
        self.steps.clear()
        for statement in page_statements(query, cursor):
            rows = self.reader.execute(statement.text, statement.bindings).fetchall()
            if len(rows) >= query.limit:
                break
        return sum(self.steps)

    def steps_to_count(self, query: Query) -> int:
        """Return how many steps the number of rows of a query costs."""
        self.steps.clear()
        statement = count_statement(query)
        self.reader.execute(statement.text, statement.bindings).fetchall()
        return sum(self.steps)


def _study(number: int, query_tag_keys: tuple[int, ...]) -> Iterator[NewInstance]:
    is_old, is_rare = number < OLD_STUDIES, number % RARE_EVERY == 7
    values = {
        "PatientID": f"P{number}",
        "PatientName": "Quick^Ann" if is_rare else f"Common^Name{number % 2}",
        "AccessionNumber": f"A{number}",
        "StudyDate": "19990101" if is_old else f"2024{1 + number % 12:02d}01",
        "StudyDescription": "RARE" if is_rare else "OLD" if is_old else "COMMON",
        "Modality": "XA" if is_rare else "OT" if is_old else "CT",
        "ManufacturerModelName": "RARE" if is_rare else "COMMON",
        "PatientSex": "O",
        "SeriesNumber": "1",
        "InstanceNumber": "1",
    }
    for series in range(1, SERIES + 1):
        for instance in range(1, INSTANCES + 1):
            new = replace(new_instance(identify(number, series, instance)), attributes=attributes_of(values))
            sop_class = RARE_CLASS if is_rare else CT_IMAGE_STORAGE
            found = dict.fromkeys(query_tag_keys, f"ADM{number // 2}")
            yield replace(new, sop_class_uid=sop_class, query_tag_keys=query_tag_keys, query_tag_values=found)


def _filled(path: Path, studies: int) -> Counted:
    index = SqliteInstanceIndex(path)
    operation = Operation("1", OperationType.REINDEX, created_at=0.0, updated_at=0.0, instructions=b"{}")
    index.query_tags.add([QueryTagEntry(ADMISSION_ID, "LO", Level.STUDY)], operation, count_max=1)
    keys = tuple(tag.query_tag_key for tag in index.query_tags.active())
    for first in range(0, studies, 100):
        batch = [new for number in range(first, first + 100) for new in _study(number, keys)]
        index.commit(batch, now=1.0, erase_due_at=1.0)
    reader, steps = open_reader(path), list[int]()
    reader.trace_v2(
        apsw.SQLITE_TRACE_PROFILE, lambda event: steps.append(event["stmt_status"]["SQLITE_STMTSTATUS_VM_STEP"])
    )
    return Counted(index, reader, studies, steps)


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Counted, Counted]]:
    folder = tmp_path_factory.mktemp("cost")
    small = _filled(folder / "small.sqlite", STUDIES)
    large = _filled(folder / "large.sqlite", STUDIES * TIMES)
    yield small, large
    for one in (small, large):
        one.reader.close()
        one.index.close()


@pytest.fixture(autouse=True)
def few_examined(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a small archive be large beside the newest rows that are looked at first."""
    monkeypatch.setattr(newest, "EXAMINED", {Level.STUDY: 20, Level.SERIES: 40, Level.INSTANCE: 60})
    monkeypatch.setattr(newest, "EXAMINED_MAX", {Level.STUDY: 100, Level.SERIES: 100, Level.INSTANCE: 100})


def _is(keyword: str, value: str, comparison: Comparison = CASELESS) -> OneOf:
    return OneOf(_TAGS[keyword], (value,), comparison)


def _name(text: str) -> tuple[Match, ...]:
    return (WordPrefixes(_TAGS["PatientName"], (text,)),)


STUDY_DATE, NAME = _TAGS["StudyDate"], _TAGS["PatientName"]
KEYED: dict[str, tuple[Match, ...]] = {
    "nothing": (),
    "patient": (_is("PatientID", "P50"),),
    "nobody": (_is("PatientID", "nobody"),),
    "no value": (OneOf(_TAGS["StudyDescription"], (), CASELESS),),
    "accession number": (_is("AccessionNumber", "A50"),),
    "study": (_is("StudyInstanceUID", identify(50).study_instance_uid, Comparison.EXACT),),
    "day of long ago": (_is("StudyDate", "19990101"),),
    "day that never was": (_is("StudyDate", "20200101"),),
    "range of long ago": (Between(STUDY_DATE, "19980101", "19991231"),),
    "range up to long ago": (Between(STUDY_DATE, None, "19991231"),),
    "range of everything": (Between(STUDY_DATE, "19980101", None),),
    "range of this year": (Between(STUDY_DATE, "20240101", "20241231"),),
    "range from next year on": (Between(STUDY_DATE, "20250101", None),),
    "common description": (_is("StudyDescription", "COMMON"),),
    "old description": (_is("StudyDescription", "OLD"),),
    "no such description": (_is("StudyDescription", "NONE"),),
    "common name": (_is("PatientName", "common^name1", FOLDED),),
    "beginning of a common name": (PersonName(NAME, ("common*",)),),
    "word that is common": _name("com"),
    "word that is nowhere": _name("zzz"),
    "common modality": (OneOf(MODALITIES_IN_STUDY, ("CT",), CASELESS),),
    "old modality": (OneOf(MODALITIES_IN_STUDY, ("OT",), CASELESS),),
    "no such modality": (OneOf(MODALITIES_IN_STUDY, ("ZZ",), CASELESS),),
    "common modality of this year": (
        OneOf(MODALITIES_IN_STUDY, ("CT",), CASELESS),
        Between(STUDY_DATE, "20240101", "20241231"),
    ),
    "common class": (OneOf(SOP_CLASSES_IN_STUDY, (CT_IMAGE_STORAGE,)),),
    "no such class": (OneOf(SOP_CLASSES_IN_STUDY, ("1.2",)),),
    "query tag": (ByQueryTag(1, "LO", Level.STUDY, OneOf(ADMISSION_ID, ("ADM20",), CASELESS)),),
    "query tag that nothing has": (ByQueryTag(1, "LO", Level.STUDY, OneOf(ADMISSION_ID, ("NONE",), CASELESS)),),
    "beginning of a query tag": (ByQueryTag(1, "LO", Level.STUDY, Wildcard(ADMISSION_ID, "ADM*", CASELESS)),),
}
"""Studies are found by these whatever the size of the archive."""
OF_SERIES: dict[str, tuple[Match, ...]] = {
    "series": (_is("SeriesInstanceUID", identify(50).series_instance_uid, Comparison.EXACT),),
    "modality of series": (_is("Modality", "CT"),),
    "old modality of series": (_is("Modality", "OT"),),
    "no such modality of series": (_is("Modality", "ZZ"),),
    "common model": (_is("ManufacturerModelName", "COMMON"),),
    "no such model": (_is("ManufacturerModelName", "NONE"),),
}
OF_INSTANCES: dict[str, tuple[Match, ...]] = {
    "instance": (_is("SOPInstanceUID", identify(50).sop_instance_uid, Comparison.EXACT),),
    "class of instances": (_is("SOPClassUID", CT_IMAGE_STORAGE, Comparison.EXACT),),
    "no such class of instances": (_is("SOPClassUID", "1.2", Comparison.EXACT),),
    "common number": (_is("InstanceNumber", "1"),),
}
UNKEYED: dict[str, tuple[Match, ...]] = {
    "rare part of a name": (PersonName(NAME, ("*uick*",)),),
    "part of a name that is nowhere": (PersonName(NAME, ("*zzz*",)),),
    "sex that nobody has": (_is("PatientSex", "F"),),
    "series number that none has": (_is("SeriesNumber", "99"),),
}
"""No index leads to these; each study, or each series, is looked at where the newest do not fill the page."""


def _shapes(*tables: dict[str, tuple[Match, ...]], level: Level) -> list[tuple[str, Level]]:
    return [(name, level) for table in tables for name in table]


ALL = {**KEYED, **OF_SERIES, **OF_INSTANCES, **UNKEYED}
QUICK = [
    *_shapes(KEYED, level=Level.PATIENT),
    *_shapes(KEYED, level=Level.STUDY),
    *_shapes(KEYED, OF_SERIES, level=Level.SERIES),
    *_shapes(KEYED, OF_SERIES, OF_INSTANCES, level=Level.INSTANCE),
]
LINEAR = [(name, level) for name in UNKEYED for level in (Level.STUDY, Level.SERIES, Level.INSTANCE) if name in UNKEYED]


@pytest.mark.parametrize(("name", "level"), QUICK)
def test_a_search_costs_no_more_in_a_larger_archive(archives: tuple[Counted, Counted], name: str, level: Level) -> None:
    query = Query(level, ALL[name], limit=LIMIT)
    small, large = (one.steps_of(query) for one in archives)
    assert large <= small * SLACK + NOISE_STEPS, (small, large)


@pytest.mark.parametrize(("name", "level"), QUICK)
def test_the_next_pages_cost_no_more_in_a_larger_archive(
    archives: tuple[Counted, Counted], name: str, level: Level
) -> None:
    query = Query(level, ALL[name], limit=LIMIT, offset=OFFSET)
    small, large = (one.steps_of(query) for one in archives)
    assert large <= small * SLACK + NOISE_STEPS, (small, large)


@pytest.mark.parametrize("level", [Level.STUDY, Level.SERIES, Level.INSTANCE])
def test_everything_is_counted_without_a_look_at_it(archives: tuple[Counted, Counted], level: Level) -> None:
    each = {Level.STUDY: 1, Level.SERIES: SERIES, Level.INSTANCE: SERIES * INSTANCES}[level]
    for one in archives:
        assert one.index.count(Query(level)) == one.studies * each
        assert one.steps_to_count(Query(level)) <= NOISE_STEPS


def test_instances_are_counted_by_their_series(archives: tuple[Counted, Counted]) -> None:
    _, large = archives
    query = Query(Level.INSTANCE, ALL["range of everything"])
    assert large.index.count(query) == large.studies * SERIES * INSTANCES
    assert large.steps_to_count(query) <= large.studies * SERIES * 25


@pytest.mark.parametrize("name", ["nothing", "common modality", "range of everything"])
@pytest.mark.parametrize("level", [Level.STUDY, Level.SERIES, Level.INSTANCE])
def test_a_page_in_the_middle_of_a_listing_costs_what_the_first_costs(
    archives: tuple[Counted, Counted], name: str, level: Level
) -> None:
    _, large = archives
    query = Query(level, ALL[name], limit=LIMIT)
    first = large.index.search_page(query)
    assert first.following is not None
    middle = replace(first.following, below=first.following.below // 2)
    assert large.steps_of(query, middle) <= large.steps_of(query, first.following) * SLACK + NOISE_STEPS


@pytest.mark.parametrize(("name", "level"), LINEAR)
def test_what_no_index_answers_costs_a_look_at_every_study_at_most(
    archives: tuple[Counted, Counted], name: str, level: Level
) -> None:
    for one in archives:
        assert one.steps_of(Query(level, ALL[name], limit=LIMIT)) <= 60 * one.studies + 20 * NOISE_STEPS
