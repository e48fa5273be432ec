"""Whatever happens in whatever order: the index in SQLite and the reference in memory say the same."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from isocenter.domain.attributes import BY_KEYWORD, MODALITIES_IN_STUDY
from isocenter.domain.identifiers import DEFAULT_PARTITION, InstanceIdentifier, Level
from isocenter.domain.query import Between, Comparison, Match, OneOf, Query, Wildcard, WordPrefixes
from isocenter.ports.blobs import BlobPosition
from isocenter.ports.index import InstanceIndex, NewInstance
from isocenter.storage.memory import MemoryInstanceIndex
from isocenter.storage.sqlite import SqliteInstanceIndex
from tests.support.instances import address_of, identify, new_instance, scope_of

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
    "PatientID": TEXTS,
    "StudyDescription": TEXTS,
    "StudyDate": DATES,
    "StudyTime": TIMES,
    "Modality": MODALITIES,
    "SeriesDescription": TEXTS,
    "SeriesNumber": INTEGERS,
    "InstanceNumber": INTEGERS,
    "ContentTime": TIMES,
}
KEYWORDS_BY_LEVEL = {
    level: [keyword for keyword in VALUES_OF if BY_KEYWORD[keyword].level <= level]
    for level in (Level.STUDY, Level.SERIES, Level.INSTANCE)
}
IDENTIFIERS = st.builds(identify, st.integers(1, 4), st.integers(1, 2), st.integers(1, 2), partition=PARTITIONS)
INSTANCES = st.builds(
    lambda identifier, number, keep, sent, values: new_instance(
        identifier,
        address=address_of(number, length=number),
        keep_previous=keep,
        destinations=("north",) if sent else (),
        **values,
    ),
    IDENTIFIERS,
    st.integers(1, 10_000),
    st.booleans(),
    st.booleans(),
    st.fixed_dictionaries({}, optional=VALUES_OF),
)


def _matches(keyword: str) -> st.SearchStrategy[Match]:
    attribute, values = BY_KEYWORD[keyword], VALUES_OF[keyword]
    kinds: list[st.SearchStrategy[Match]] = [
        st.builds(OneOf, st.just(attribute.tag), st.lists(values, max_size=3).map(tuple), COMPARISONS),
        st.builds(Wildcard, st.just(attribute.tag), PATTERNS, COMPARISONS),
        st.builds(Between, st.just(attribute.tag), st.none() | values, st.none() | values),
    ]
    if attribute.vr == "PN":
        kinds.append(st.builds(WordPrefixes, st.just(attribute.tag), st.lists(TEXTS | NAMES, max_size=3).map(tuple)))
    return st.one_of(kinds)


MODALITY_MATCHES: st.SearchStrategy[Match] = st.builds(
    OneOf, st.just(MODALITIES_IN_STUDY), st.lists(MODALITIES, max_size=2).map(tuple), COMPARISONS
) | st.builds(Wildcard, st.just(MODALITIES_IN_STUDY), st.sampled_from(["*", "?T", "C*", "*r"]), COMPARISONS)


@st.composite
def queries(draw: st.DrawFn) -> Query:
    level = draw(st.sampled_from([Level.STUDY, Level.SERIES, Level.INSTANCE]))
    one_match = st.sampled_from(KEYWORDS_BY_LEVEL[level]).flatmap(_matches) | MODALITY_MATCHES
    within = draw(st.none() | IDENTIFIERS)
    return Query(
        level,
        tuple(draw(st.lists(one_match, max_size=2))),
        study_instance_uid=within.study_instance_uid if within else None,
        series_instance_uid=within.series_instance_uid if within and draw(st.booleans()) else None,
        limit=draw(st.sampled_from([1, 3, 100])),
        offset=draw(st.sampled_from([0, 0, 1, 5])),
        partition_name=draw(PARTITIONS),
    )


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

    @rule(instances=st.lists(INSTANCES, max_size=5), position=st.integers(0, 100))
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
        assert self.sqlite.deliveries("north") == self.memory.deliveries("north")


TestIndexesAgree = IndexesAgree.TestCase
TestIndexesAgree.settings = settings(
    max_examples=25, stateful_step_count=20, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate]
)
# a failure is short enough to read; shrinking it would open some thousand databases
