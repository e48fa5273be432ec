"""Whatever happens in whatever order: the index in SQLite and the reference in memory say the same."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from isocenter.domain.attributes import (
    BY_KEYWORD,
    MODALITIES_IN_STUDY,
    REQUEST_ATTRIBUTES_SEQUENCE,
    REQUEST_BY_TAG,
    REQUEST_ITEM_TAGS,
    SOP_CLASSES_IN_STUDY,
)
from isocenter.domain.errors import Conflict
from isocenter.domain.identifiers import DEFAULT_PARTITION, InstanceIdentifier, Level
from isocenter.domain.query import (
    Between,
    Comparison,
    Cursor,
    DateAndTime,
    Empty,
    InItem,
    Match,
    OneOf,
    PersonName,
    Query,
    SearchRow,
    Wildcard,
    WordPrefixes,
)
from isocenter.ports.blobs import BlobPosition
from isocenter.ports.index import InstanceIndex, Membership, NewInstance
from isocenter.ports.ledger import Selection
from isocenter.storage.memory import MemoryInstanceIndex
from isocenter.storage.sqlite import SqliteInstanceIndex
from tests.support.instances import address_of, attributes_of, identify, new_instance, scope_of

TEXTS = st.text("aAbBéÉeßſİı%_*?[]\\^ -ﬁ山９", max_size=6)
NAMES = (
    st.sampled_from(["Hall^Ann", "HALL^anna maria", "Müller^Jürgen=山田^太郎", "O'Hara^", "^", "de la Cruz^Ana", ""])
    | TEXTS
)
PATTERNS = st.text("aAbBéeßs%_*?[]\\^ -f山", max_size=6)
DATES = st.sampled_from(["20240101", "20240102", "20241231", "19000101", ""])
TIMES = st.sampled_from(["10", "1030", "103000", "103000.5", "103000.500000", "10:30:00", "235959.999999", "bad", ""])
INTEGERS = st.sampled_from(["1", "01", "+1", " 1 ", "-1", "10", "x", "99999999999999999999", ""])
MODALITIES = st.sampled_from(["CT", "ct", "MR", "US", "PR", ""])
COMPARISONS = st.sampled_from(Comparison)
PARTITIONS = st.sampled_from([DEFAULT_PARTITION, "second"])

VALUES_OF = {
    "PatientName": NAMES,
    "ReferringPhysicianName": NAMES,
    "PatientID": TEXTS | st.sampled_from(["A", "B"]),
    "IssuerOfPatientID": st.sampled_from(["", "north"]),
    "TimezoneOffsetFromUTC": st.sampled_from(["+0100", "-0530", "bad", ""]),
    "StudyDescription": TEXTS,
    "StudyDate": DATES,
    "StudyTime": TIMES,
    "Modality": MODALITIES,
    "SeriesDescription": TEXTS,
    "SeriesNumber": INTEGERS,
    "InstanceNumber": INTEGERS,
    "ContentTime": TIMES,
}
SOP_CLASSES = st.sampled_from(["1.2.1", "1.2.2", "1.2.3"])
REQUEST_PARTS = st.lists(st.sampled_from(["R1", "r1", "R2", ""]), min_size=1, max_size=2).map("\\".join)
LEVELS = st.sampled_from([Level.PATIENT, Level.STUDY, Level.SERIES, Level.INSTANCE])
IDENTIFIERS = st.builds(identify, st.integers(1, 4), st.integers(1, 2), st.integers(1, 2), partition=PARTITIONS)


@st.composite
def new_instances(draw: st.DrawFn) -> NewInstance:
    number = draw(st.integers(1, 10_000))
    new = new_instance(
        draw(IDENTIFIERS),
        address=address_of(number, length=number),
        keep_previous=draw(st.booleans()),
        destinations=("north",) if draw(st.booleans()) else (),
        **draw(st.fixed_dictionaries({}, optional=VALUES_OF)),
    )
    requests = draw(st.dictionaries(st.sampled_from(REQUEST_ITEM_TAGS), REQUEST_PARTS, max_size=2))
    attributes = {**new.attributes, **{tag: text for tag, text in requests.items() if text.strip("\\")}}
    return replace(new, attributes=attributes, sop_class_uid=draw(SOP_CLASSES))


def _matches(keyword: str) -> st.SearchStrategy[Match]:
    attribute, values = BY_KEYWORD[keyword], VALUES_OF[keyword]
    kinds: list[st.SearchStrategy[Match]] = [
        st.builds(OneOf, st.just(attribute.tag), st.lists(values, max_size=3).map(tuple), COMPARISONS),
        st.builds(Wildcard, st.just(attribute.tag), PATTERNS, COMPARISONS),
        st.builds(Between, st.just(attribute.tag), st.none() | values, st.none() | values),
        st.just(Empty(attribute.tag)),
    ]
    if attribute.vr == "PN":
        kinds.append(st.builds(WordPrefixes, st.just(attribute.tag), st.lists(TEXTS | NAMES, max_size=3).map(tuple)))
        groups = st.lists(PATTERNS | NAMES, min_size=1, max_size=3).map(tuple)
        kinds.append(st.builds(PersonName, st.just(attribute.tag), groups))
        one_group = st.builds(lambda group: (group,), PATTERNS | NAMES)
        kinds.append(st.builds(PersonName, st.just(attribute.tag), one_group, st.just(True)))
    return st.one_of(kinds)


MODALITY_MATCHES: st.SearchStrategy[Match] = st.builds(
    OneOf, st.just(MODALITIES_IN_STUDY), st.lists(MODALITIES, max_size=2).map(tuple), COMPARISONS
) | st.builds(Wildcard, st.just(MODALITIES_IN_STUDY), st.sampled_from(["*", "?T", "C*", "*r"]), COMPARISONS)

SOP_CLASS_MATCHES: st.SearchStrategy[Match] = st.builds(
    OneOf, st.just(SOP_CLASSES_IN_STUDY), st.lists(SOP_CLASSES, max_size=2).map(tuple)
) | st.just(Empty(SOP_CLASSES_IN_STUDY))
UID_MATCHES: st.SearchStrategy[Match] = st.builds(
    lambda identifier, keyword, uid: OneOf(BY_KEYWORD[keyword].tag, (getattr(identifier, uid),)),
    IDENTIFIERS,
    st.just("StudyInstanceUID"),
    st.just("study_instance_uid"),
) | st.builds(lambda identifier: OneOf(BY_KEYWORD["SOPInstanceUID"].tag, (identifier.sop_instance_uid,)), IDENTIFIERS)
REQUEST_MATCHES: st.SearchStrategy[Match] = st.builds(
    InItem,
    st.just(REQUEST_ATTRIBUTES_SEQUENCE),
    st.lists(
        st.sampled_from(sorted(REQUEST_BY_TAG)).flatmap(
            lambda tag: (
                st.builds(OneOf, st.just(tag), st.sampled_from([("R1",), ("R1", "R2")]), COMPARISONS)
                | st.builds(Wildcard, st.just(tag), st.sampled_from(["R*", "?1", "*"]), COMPARISONS)
                | st.just(Empty(tag))
            )
        ),
        max_size=2,
    ).map(tuple),
)
_DAYS = st.none() | st.sampled_from(["20240101", "20240102", "20241231"])
_TIMES_OF_DAY = st.none() | st.sampled_from(["10", "103000.000000", "235959.999999"])
SPAN_MATCHES: st.SearchStrategy[Match] = st.builds(
    DateAndTime,
    st.just(BY_KEYWORD["StudyDate"].tag),
    st.just(BY_KEYWORD["StudyTime"].tag),
    st.tuples(_DAYS, _DAYS),
    st.tuples(_TIMES_OF_DAY, _TIMES_OF_DAY),
    st.booleans(),
    st.none() | st.sampled_from([0, 60, -720, 840]),
)
MATCHES = st.one_of(
    st.sampled_from(sorted(VALUES_OF)).flatmap(_matches),
    MODALITY_MATCHES,
    SOP_CLASS_MATCHES,
    UID_MATCHES,
    REQUEST_MATCHES,
    SPAN_MATCHES,
)


@st.composite
def queries(draw: st.DrawFn) -> Query:
    level = draw(LEVELS)
    within = draw(st.none() | IDENTIFIERS)
    return Query(
        level,
        tuple(draw(st.lists(MATCHES, max_size=3))),
        study_instance_uid=within.study_instance_uid if within else None,
        series_instance_uid=within.series_instance_uid if within and draw(st.booleans()) else None,
        limit=draw(st.sampled_from([1, 3, 100])),
        offset=draw(st.sampled_from([0, 0, 1, 5])),
        partition_name=draw(PARTITIONS),
        with_patient_counts=draw(st.booleans()),
    )


def _listed(index: InstanceIndex, query: Query) -> list[SearchRow]:
    rows: list[SearchRow] = []
    cursor: Cursor | None = None
    while True:
        page = index.search_page(query, cursor)
        rows += page.rows
        if page.following is None:
            return rows
        cursor = page.following


def _moved(identifier: InstanceIdentifier, target: InstanceIdentifier | None, depth: int) -> InstanceIdentifier:
    if target is None:
        return identifier
    moved = replace(identifier, study_instance_uid=target.study_instance_uid)
    if depth > 1:
        moved = replace(moved, series_instance_uid=target.series_instance_uid)
    return moved if depth < 3 else replace(moved, sop_instance_uid=target.sop_instance_uid)


class IndexesAgree(RuleBasedStateMachine):
    """Drive both with the same calls."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.now = 1000.0

    @initialize()
    def open(self) -> None:
        self.memory: InstanceIndex = MemoryInstanceIndex()
        self.sqlite = SqliteInstanceIndex(Path(self.folder.name) / "index.sqlite")

    def teardown(self) -> None:
        self.sqlite.close()
        self.folder.cleanup()

    @rule(instances=st.lists(new_instances(), max_size=5), position=st.integers(0, 100))
    def commit(self, instances: list[NewInstance], position: int) -> None:
        self.now += 1
        fill = [BlobPosition(1, position)]
        keys = [
            index.commit(instances, now=self.now, erase_due_at=self.now + 10, positions=fill)
            for index in (self.memory, self.sqlite)
        ]
        assert keys[0] == keys[1]

    @rule(identifier=IDENTIFIERS, depth=st.integers(1, 3))
    def delete(self, identifier: InstanceIdentifier, depth: int) -> None:
        self.now += 1
        scope = scope_of(identifier, depth=depth)
        counts = [index.delete(scope, now=self.now, erase_due_at=self.now + 10) for index in (self.memory, self.sqlite)]
        assert counts[0] == counts[1]

    @rule(
        identifier=IDENTIFIERS,
        depth=st.integers(1, 3),
        elsewhere=st.none() | IDENTIFIERS,
        values=st.fixed_dictionaries({}, optional=VALUES_OF),
        is_whole=st.booleans(),
    )
    def revise(
        self,
        identifier: InstanceIdentifier,
        depth: int,
        elsewhere: InstanceIdentifier | None,
        values: dict[str, str],
        is_whole: bool,
    ) -> None:
        """Give what is in a scope new versions, perhaps under other identifiers, and perhaps not all of it."""
        self.now += 1
        scope = scope_of(identifier, depth=depth)
        rows = self.memory.instances(scope)
        attributes = attributes_of(values)
        versions = [
            replace(
                new_instance(_moved(row.identifier, elsewhere, depth), address=address_of(20_000 + row.instance_key)),
                attributes=attributes,
                membership=Membership("r", row.instance_key),
                keep_previous=True,
            )
            for row in (rows if is_whole else rows[1:])
        ]
        outcomes: list[object] = []
        for index in (self.memory, self.sqlite):
            index.commit(versions, now=self.now, erase_due_at=self.now + 10)
            try:
                outcome: object = index.revisions.conclude(
                    "r", now=self.now, erase_due_at=self.now + 10, scope=scope if is_whole else None
                )
            except Conflict:
                outcome = Conflict
            outcomes.append(outcome)
            index.revisions.settle_revisions(keep=None, now=self.now)
        assert outcomes[0] == outcomes[1]

    @rule(number=st.integers(0, 2))
    def forget(self, number: int) -> None:
        due = [index.due_erasures(now=self.now, limit=number) for index in (self.memory, self.sqlite)]
        assert [one.address for one in due[0]] == [one.address for one in due[1]]
        for index, erasures in zip((self.memory, self.sqlite), due, strict=True):
            index.forget_erasures([one.erasure_key for one in erasures])

    @rule(query=queries())
    def search(self, query: Query) -> None:
        assert self.sqlite.search(query) == self.memory.search(query)
        assert self.sqlite.count(query) == self.memory.count(query)
        assert _listed(self.sqlite, query) == self.memory.search(replace(query, limit=1000, offset=0))

    @rule()
    def reopen(self) -> None:
        self.sqlite.close()
        self.sqlite = SqliteInstanceIndex(Path(self.folder.name) / "index.sqlite")

    @rule(identifier=IDENTIFIERS, depth=st.integers(1, 3))
    def compare_a_scope(self, identifier: InstanceIdentifier, depth: int) -> None:
        scope = scope_of(identifier, depth=depth)
        for original in (False, True):
            assert self.sqlite.instances(scope, original=original) == self.memory.instances(scope, original=original)
        assert self.sqlite.find_stored([identifier]) == self.memory.find_stored([identifier])

    @invariant()
    def everything_else_is_equal(self) -> None:
        assert self.sqlite.changes(limit=1000) == self.memory.changes(limit=1000)
        assert self.sqlite.totals() == self.memory.totals()
        assert self.sqlite.addresses() == self.memory.addresses()
        assert self.sqlite.positions() == self.memory.positions()
        everything = Selection()
        assert self.sqlite.ledger.page(everything, limit=1000) == self.memory.ledger.page(everything, limit=1000)
        assert self.sqlite.ledger.tallies() == self.memory.ledger.tallies()
        assert self.sqlite.ledger.studies(everything) == self.memory.ledger.studies(everything)


TestIndexesAgree = IndexesAgree.TestCase
TestIndexesAgree.settings = settings(
    max_examples=25, stateful_step_count=20, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate]
)
# a failure is short enough to read; shrinking it would open some thousand databases
