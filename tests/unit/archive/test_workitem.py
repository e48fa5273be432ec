from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from isocenter.archive.archive import Archive
from isocenter.archive.workitem import (
    WorkitemName,
    change_workitem_state,
    create_workitem,
    find_workitem,
    search_workitems,
    update_workitem,
)
from isocenter.archive.workitem_cancellation import cancel_workitem
from isocenter.archive.workitem_creation import complete_attributes
from isocenter.dicom.json_document import Document, read_document, values_of_document
from isocenter.domain.errors import (
    AlreadyCanceled,
    Broken,
    CancellationRefused,
    Forbidden,
    InvalidAttributes,
    InvalidAttributeValue,
    IsocenterError,
    MissingAttribute,
    MissingAttributeValue,
    TooLarge,
    WorkitemChanged,
    WorkitemExists,
    WorkitemNotFound,
    WorkitemRefused,
)
from isocenter.domain.identifiers import DEFAULT_PARTITION
from isocenter.domain.principal import LOCAL_OWNER, READER_ACTIONS, DataAction, Principal
from isocenter.domain.query import OneOf
from isocenter.domain.workitem import WORKITEM_SIZE_MAX_BYTES, Outcome, Workitem, WorkitemState
from isocenter.domain.workitem_attributes import AT_CREATION
from isocenter.domain.workitem_search import SEARCHABLE, SearchableText, WorkitemMatch, WorkitemQuery
from isocenter.storage.memory import MemoryPartitions, MemoryWorkitems
from tests.support.memory_archive import FakeClock, memory_archive
from tests.support.workitems import attribute, code, creation, discontinued, performed, uid_of, workitem

NAME = WorkitemName(DEFAULT_PARTITION, uid_of(1))
LOCK, OTHER = "2.25.7771", "2.25.7772"
NOW_AS_DATE_TIME = "20261121000000.000000+0000"
READER = Principal("reader", READER_ACTIONS)
WRITER = Principal("writer", frozenset({DataAction.WRITE}))


@pytest.fixture
def archive() -> Iterator[Archive]:
    with memory_archive() as opened:
        yield opened


def _create(archive: Archive, document: Document | None = None, **others: Any) -> Workitem:
    options: dict[str, Any] = {"partition_name": DEFAULT_PARTITION, "sop_instance_uid": None}
    return create_workitem(archive, LOCAL_OWNER, read_document(document or creation()), **(options | others))


def _change(archive: Archive, state: str, uid: str = LOCK) -> Outcome:
    wanted = {"00081195": attribute("UI", uid), "00741000": attribute("CS", state)}
    return change_workitem_state(archive, LOCAL_OWNER, NAME, read_document(wanted)).outcome


def _update(archive: Archive, changes: Document, uid: str | None = None) -> None:
    update_workitem(archive, LOCAL_OWNER, NAME, read_document(changes), transaction_uid=uid)


def _content(archive: Archive, name: WorkitemName = NAME) -> Document:
    document: Document = orjson.loads(find_workitem(archive, LOCAL_OWNER, name).content)
    return document


def _value(document: Document, tag: str) -> object:
    return document[tag]["Value"][0]


# create


def test_a_workitem_is_created_scheduled_with_what_the_service_sets(archive: Archive) -> None:
    created = _create(archive, creation(t00100010=attribute("PN", {"Alphabetic": "A^B"})))
    assert (created.state, created.transaction_uid, created.revision) == (WorkitemState.SCHEDULED, None, 1)
    document = _content(archive)
    assert _value(document, "00080016") == "1.2.840.10008.5.1.4.34.6.1"
    assert _value(document, "00404010") == NOW_AS_DATE_TIME
    assert _value(document, "00741202") == "worklist"
    assert _value(document, "00741000") == "SCHEDULED"
    assert _value(document, "00100010") == {"Alphabetic": "A^B"}
    assert "00081195" not in document
    assert list(document) == sorted(document)


def test_a_label_that_is_given_is_kept(archive: Archive) -> None:
    _create(archive, creation(t00741202=attribute("LO", "Mine"), t00741000=attribute("CS", "COMPLETED")))
    assert _value(_content(archive), "00741202") == "Mine"
    assert _value(_content(archive), "00741000") == "SCHEDULED"


def test_the_uid_may_be_named_beside_the_attributes(archive: Archive) -> None:
    without = creation()
    del without["00080018"]
    _create(archive, without, sop_instance_uid=uid_of(2))
    _create(archive, creation(t00080018=attribute("UI")), sop_instance_uid=uid_of(3))
    _create(archive, creation(), sop_instance_uid=uid_of(1))
    for number in (1, 2, 3):
        assert _value(_content(archive, replace(NAME, sop_instance_uid=uid_of(number))), "00080018") == uid_of(number)
    with pytest.raises(InvalidAttributes, match="SOPInstanceUID in the payload does not match the workitem query"):
        _create(archive, creation(), sop_instance_uid=uid_of(2))
    with pytest.raises(MissingAttribute):
        _create(archive, without)


def test_a_uid_is_used_once(archive: Archive) -> None:
    _create(archive)
    with pytest.raises(WorkitemExists):
        _create(archive)
    _create(archive, partition_name="other")


@pytest.mark.parametrize(
    ("tag", "value", "kind"),
    [
        ("00080018", attribute("UI", "abc"), InvalidAttributeValue),
        ("00404005", attribute("DT", "tomorrow"), InvalidAttributeValue),
        ("00741200", attribute("CS"), MissingAttributeValue),
        ("00081195", attribute("UI", LOCK), InvalidAttributes),
    ],
)
def test_attributes_that_make_no_workitem_leave_nothing(
    archive: Archive, tag: str, value: Document, kind: type[IsocenterError]
) -> None:
    with pytest.raises(kind):
        _create(archive, creation(**{f"t{tag}": value}))
    assert archive.workitems.search(WorkitemQuery()) == []


def test_a_workitem_beyond_the_limit_is_refused(archive: Archive) -> None:
    large = attribute("LT", "x" * WORKITEM_SIZE_MAX_BYTES)
    with pytest.raises(TooLarge):
        _create(archive, creation(t00400400=large))
    _create(archive)
    with pytest.raises(TooLarge):
        _update(archive, {"00400400": large})


def test_what_the_standard_lets_out_is_put_in_its_place() -> None:
    given = {tag: value for tag, value in creation().items() if "Value" in value}
    given["0040A370"] = attribute("SQ", {"0020000D": attribute("UI", "1.2")}, {"0020000D": attribute("UI", "1.3")})
    completed = complete_attributes(read_document(given))
    assert set(completed) >= {f"{one.tag:08X}" for one in AT_CREATION}
    assert completed["0040A370"]["Value"][1]["00080050"] == {"vr": "SH"}
    assert completed["00741002"] == {"vr": "SQ"}
    with memory_archive() as archive:
        create_workitem(archive, LOCAL_OWNER, completed, partition_name=DEFAULT_PARTITION, sop_instance_uid=None)


def test_by_the_standard_a_workitem_begins_scheduled_or_not_at_all() -> None:
    complete_attributes(read_document(creation(t00741000=attribute("CS", "SCHEDULED"))))
    with pytest.raises(InvalidAttributeValue, match='The provided value of UPS State was not "SCHEDULED"'):
        complete_attributes(read_document(creation(t00741000=attribute("CS", "IN PROGRESS"))))


# update


def test_an_update_puts_attributes_in_the_place_of_others(archive: Archive) -> None:
    _create(archive, creation(t00404025=attribute("SQ", code("A"), code("B"))))
    clock = archive.clock
    assert isinstance(clock, FakeClock)
    clock.advance(60)
    _update(archive, {"00741202": attribute("LO", "Night"), "00404025": attribute("SQ", code("C"))})
    document = _content(archive)
    assert _value(document, "00741202") == "Night"
    assert document["00404025"]["Value"] == [code("C")]
    assert _value(document, "00404010") == "20261121000100.000000+0000"
    assert _value(document, "00741200") == "MEDIUM"


def test_an_update_changes_what_a_search_finds(archive: Archive) -> None:
    _create(archive, creation(t00404025=attribute("SQ", code("A"))))
    _update(archive, {"00404025": attribute("SQ", code("C"))})
    by_code = next(one for one in SEARCHABLE if one.keyword == "ScheduledStationNameCodeSequence.CodeValue")
    found = {
        value: len(
            search_workitems(archive, READER, WorkitemQuery((WorkitemMatch(by_code, OneOf(by_code.tag, (value,))),)))
        )
        for value in ("A", "C")
    }
    assert found == {"A": 0, "C": 1}


def test_a_claimed_workitem_is_updated_by_the_holder_of_its_lock(archive: Archive) -> None:
    _create(archive)
    with pytest.raises(WorkitemRefused):
        _update(archive, {}, LOCK)
    _change(archive, "IN PROGRESS")
    for uid in (None, OTHER):
        with pytest.raises(WorkitemRefused):
            _update(archive, {"00741202": attribute("LO", "Other's")}, uid)
    _update(archive, {"00741202": attribute("LO", "Mine")}, LOCK)
    assert _value(_content(archive), "00741202") == "Mine"


def test_an_update_that_may_not_be_changes_nothing(archive: Archive) -> None:
    _create(archive)
    before = find_workitem(archive, LOCAL_OWNER, NAME)
    for changes in (
        {"00741202": attribute("LO", "x"), "00741000": attribute("CS", "COMPLETED")},
        {"00741202": attribute("LO")},
        {"00404005": attribute("DT", "tomorrow")},
    ):
        with pytest.raises(InvalidAttributes):
            _update(archive, changes)
    assert find_workitem(archive, LOCAL_OWNER, NAME) == before


# change of state


def test_a_workitem_is_claimed_performed_and_completed(archive: Archive) -> None:
    _create(archive)
    assert _change(archive, "IN PROGRESS") is Outcome.CHANGED
    assert _value(_content(archive), "00741000") == "IN PROGRESS"
    with pytest.raises(InvalidAttributes):
        _change(archive, "COMPLETED")
    assert find_workitem(archive, LOCAL_OWNER, NAME).state is WorkitemState.IN_PROGRESS
    _update(archive, performed(), LOCK)
    assert _change(archive, "COMPLETED") is Outcome.CHANGED
    assert _change(archive, "COMPLETED") is Outcome.ALREADY_THERE
    document = _content(archive)
    assert _value(document, "00741000") == "COMPLETED"
    assert LOCK not in orjson.dumps(document).decode()


def test_a_claimed_workitem_is_canceled_when_it_is_known_why(archive: Archive) -> None:
    _create(archive)
    _change(archive, "IN PROGRESS")
    with pytest.raises(InvalidAttributes):
        _change(archive, "CANCELED")
    _update(archive, discontinued(), LOCK)
    assert _change(archive, "CANCELED") is Outcome.CHANGED
    assert find_workitem(archive, LOCAL_OWNER, NAME).state is WorkitemState.CANCELED


@pytest.mark.parametrize(
    ("wanted", "kind"),
    [
        ({"00741000": attribute("CS", "IN PROGRESS")}, MissingAttribute),
        ({"00081195": attribute("UI", LOCK)}, MissingAttribute),
        ({"00081195": attribute("UI"), "00741000": attribute("CS", "IN PROGRESS")}, MissingAttributeValue),
        ({"00081195": attribute("UI", LOCK), "00741000": attribute("CS")}, MissingAttributeValue),
        ({"00081195": attribute("UI", LOCK), "00741000": attribute("CS", "SCHEDULED")}, InvalidAttributeValue),
        ({"00081195": attribute("UI", LOCK), "00741000": attribute("CS", "in progress")}, InvalidAttributeValue),
        ({"00081195": attribute("UI", "lock"), "00741000": attribute("CS", "IN PROGRESS")}, InvalidAttributeValue),
    ],
)
def test_a_change_of_state_names_a_lock_and_a_state(
    archive: Archive, wanted: Document, kind: type[IsocenterError]
) -> None:
    _create(archive)
    with pytest.raises(kind):
        change_workitem_state(archive, LOCAL_OWNER, NAME, read_document(wanted))
    assert find_workitem(archive, LOCAL_OWNER, NAME).state is WorkitemState.SCHEDULED


# cancellation


def test_a_scheduled_workitem_is_canceled_on_request_with_its_reason(archive: Archive) -> None:
    _create(archive)
    request = {
        "00741238": attribute("LT", "Patient went home"),
        "0074100A": attribute("UR", "tel:1"),
        "0074100C": attribute("LO", "Dr. A"),
        "0074100E": attribute("SQ", code("110500")),
        "00741216": attribute("SQ", {"00404050": attribute("DT", "2026")}),
        "00741202": attribute("LO", "passed over"),
    }
    cancel_workitem(archive, LOCAL_OWNER, NAME, read_document(request))
    document = _content(archive)
    assert _value(document, "00741000") == "CANCELED"
    assert document["00741002"]["Value"] == [
        {
            "00404052": attribute("DT", NOW_AS_DATE_TIME),
            "00741008": attribute("SQ", {"0074100A": attribute("UR", "tel:1"), "0074100C": attribute("LO", "Dr. A")}),
            "0074100E": attribute("SQ", code("110500")),
            "00741238": attribute("LT", "Patient went home"),
        }
    ]
    assert document["00741216"] == request["00741216"]
    assert _value(document, "00741202") == "worklist"


def test_a_request_may_say_nothing(archive: Archive) -> None:
    _create(archive)
    _update(archive, {"00741002": attribute("SQ", {"00741004": attribute("DS", 10)})})
    cancel_workitem(archive, LOCAL_OWNER, NAME, {})
    (progress,) = _content(archive)["00741002"]["Value"]
    assert _value(progress["0074100E"]["Value"][0], "00080100") == "110513"
    assert set(progress) == {"00404052", "00741004", "0074100E"}


def test_what_is_being_performed_or_was_is_not_canceled_on_request(archive: Archive) -> None:
    _create(archive)
    _change(archive, "IN PROGRESS")
    for expected in ("C312", "C311"):
        with pytest.raises(CancellationRefused, match=expected):
            cancel_workitem(archive, LOCAL_OWNER, NAME, {})
        _update(archive, performed(), LOCK) if expected == "C312" else None
        _change(archive, "COMPLETED")
    _create(archive, partition_name="other")
    name = replace(NAME, partition_name="other")
    cancel_workitem(archive, LOCAL_OWNER, name, {})
    with pytest.raises(AlreadyCanceled):
        cancel_workitem(archive, LOCAL_OWNER, name, {})


# whoever, whenever


def test_what_is_not_there_is_not_found(archive: Archive) -> None:
    _create(archive, partition_name="other")
    with pytest.raises(WorkitemNotFound):
        find_workitem(archive, LOCAL_OWNER, NAME)
    with pytest.raises(WorkitemNotFound):
        _update(archive, {})
    with pytest.raises(WorkitemNotFound):
        _change(archive, "IN PROGRESS")
    with pytest.raises(WorkitemNotFound):
        cancel_workitem(archive, LOCAL_OWNER, NAME, {})


def test_a_reader_reads_and_changes_nothing(archive: Archive) -> None:
    _create(archive)
    assert find_workitem(archive, READER, NAME).sop_instance_uid == uid_of(1)
    assert len(search_workitems(archive, READER, WorkitemQuery())) == 1
    with pytest.raises(Forbidden):
        create_workitem(archive, READER, {}, partition_name="new", sop_instance_uid=None)
    with pytest.raises(Forbidden):
        update_workitem(archive, READER, NAME, {}, transaction_uid=None)
    with pytest.raises(Forbidden):
        change_workitem_state(archive, READER, NAME, {})
    with pytest.raises(Forbidden):
        cancel_workitem(archive, READER, NAME, {})
    for call in (find_workitem, lambda *args: search_workitems(args[0], args[1], WorkitemQuery())):
        with pytest.raises(Forbidden):
            call(archive, WRITER, NAME)
    assert [one.partition_name for one in archive.partitions.all()] == [DEFAULT_PARTITION]


def test_attributes_that_cannot_be_read_are_our_fault(archive: Archive) -> None:
    archive.workitems.create(workitem(1, content=b"{"), [])
    with pytest.raises(Broken):
        _update(archive, {})


class _Interrupted(MemoryWorkitems):
    """Let somebody else claim a workitem between a request's look at it and its change."""

    def find(self, partition_name: str, sop_instance_uid: str) -> Workitem | None:
        found = super().find(partition_name, sop_instance_uid)
        if found is not None and found.revision == 1:
            faster = replace(found, revision=2, transaction_uid=OTHER, state=WorkitemState.IN_PROGRESS)
            self.replace(faster, (), revision=1)
        return found


CHANGES: dict[str, Callable[[Archive], object]] = {
    "update": lambda archive: _update(archive, {"00741202": attribute("LO", "Mine")}),
    "claim": lambda archive: _change(archive, "IN PROGRESS"),
    "cancel": lambda archive: cancel_workitem(archive, LOCAL_OWNER, NAME, {}),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_whoever_comes_second_is_told_and_changes_nothing(change: Callable[[Archive], object]) -> None:
    workitems = _Interrupted(MemoryPartitions())
    with memory_archive() as opened:
        archive = replace(opened, workitems=workitems)
        _create(archive)
        with pytest.raises(WorkitemChanged):
            change(archive)
        kept = find_workitem(archive, LOCAL_OWNER, NAME)
        assert (kept.transaction_uid, kept.revision) == (OTHER, 2)


# any sequence of requests


HAND_WRITTEN = {
    ("SCHEDULED", "IN PROGRESS"): "changed",
    ("SCHEDULED", "COMPLETED"): "C310",
    ("SCHEDULED", "CANCELED"): "C310",
    ("IN PROGRESS", "IN PROGRESS"): "C302",
    ("IN PROGRESS", "COMPLETED"): "changed",
    ("IN PROGRESS", "CANCELED"): "changed",
    ("COMPLETED", "IN PROGRESS"): "C300",
    ("COMPLETED", "COMPLETED"): "B306",
    ("COMPLETED", "CANCELED"): "C300",
    ("CANCELED", "IN PROGRESS"): "C300",
    ("CANCELED", "COMPLETED"): "C300",
    ("CANCELED", "CANCELED"): "B304",
}
"""dicom-service 9.1 for the holder of the lock; for anybody else it is C301 once there is one."""


class _Life(RuleBasedStateMachine):
    """A workitem, and a model of it written down from the table."""

    def __init__(self) -> None:
        super().__init__()
        self._opened = memory_archive()
        self.archive = self._opened.__enter__()
        _create(self.archive)
        self.state, self.lock = "SCHEDULED", ""
        self.knows_performance = self.knows_discontinuation = False

    def teardown(self) -> None:
        self._opened.__exit__(None, None, None)

    @rule(wanted=st.sampled_from(["IN PROGRESS", "COMPLETED", "CANCELED"]), uid=st.sampled_from([LOCK, OTHER]))
    def change_state(self, wanted: str, uid: str) -> None:
        expected = HAND_WRITTEN[self.state, wanted]
        if self.lock and uid != self.lock:
            expected = "C301"
        if expected == "changed" and self._lacks(wanted):
            expected = "lacks"
        assert self._outcome_of_change(wanted, uid) == expected
        if expected == "changed":
            self.state, self.lock = wanted, uid

    def _lacks(self, wanted: str) -> bool:
        return (wanted == "COMPLETED" and not self.knows_performance) or (
            wanted == "CANCELED" and not self.knows_discontinuation
        )

    def _outcome_of_change(self, wanted: str, uid: str) -> str:
        request = read_document({"00081195": attribute("UI", uid), "00741000": attribute("CS", wanted)})
        try:
            verdict = change_workitem_state(self.archive, LOCAL_OWNER, NAME, request)
        except WorkitemRefused as error:
            return error.code
        except InvalidAttributes:
            return "lacks"
        return verdict.code or "changed"

    @rule(uid=st.sampled_from([None, LOCK, OTHER]), what=st.sampled_from(["performed", "discontinued", "label"]))
    def update(self, uid: str | None, what: str) -> None:
        changes = {
            "performed": performed(),
            "discontinued": discontinued(),
            "label": {"00741202": attribute("LO", what)},
        }
        is_allowed = self.state in ("SCHEDULED", "IN PROGRESS") and (uid or "") == self.lock
        try:
            _update(self.archive, changes[what], uid)
        except WorkitemRefused:
            assert not is_allowed
            return
        assert is_allowed
        self.knows_performance |= what == "performed"
        self.knows_discontinuation |= what == "discontinued"

    @rule()
    def request_cancellation(self) -> None:
        try:
            cancel_workitem(self.archive, LOCAL_OWNER, NAME, {})
        except AlreadyCanceled:
            assert self.state == "CANCELED"
        except CancellationRefused:
            assert self.state in ("IN PROGRESS", "COMPLETED")
        else:
            assert self.state == "SCHEDULED"
            self.state = "CANCELED"

    @invariant()
    def the_workitem_is_as_the_model_says_and_hides_its_lock(self) -> None:
        kept = find_workitem(self.archive, LOCAL_OWNER, NAME)
        assert (kept.state.value, kept.transaction_uid or "") == (self.state, self.lock)
        document = orjson.loads(kept.content)
        assert _value(document, "00741000") == self.state
        assert "00081195" not in document
        assert LOCK.encode() not in kept.content

    @invariant()
    def a_search_by_state_finds_it_where_it_is(self) -> None:
        by_state = next(one for one in SEARCHABLE if one.keyword == "ProcedureStepState")
        for state in WorkitemState:
            query = WorkitemQuery((WorkitemMatch(by_state, OneOf(by_state.tag, (state.value,))),))
            assert len(search_workitems(self.archive, LOCAL_OWNER, query)) == (state.value == self.state)


TestLife = _Life.TestCase
TestLife.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)


def test_texts_that_are_kept_are_those_of_the_attributes(archive: Archive) -> None:
    kept: list[SearchableText] = []

    class _Noting(MemoryWorkitems):
        def create(self, workitem: Workitem, texts: Any) -> bool:
            kept.extend(texts)
            return super().create(workitem, texts)

    noting = replace(archive, workitems=_Noting(MemoryPartitions()))
    _create(noting, creation(t00100020=attribute("LO", "P1")))
    found = {one.attribute.keyword: one.text for one in kept}
    assert found["PatientID"] == "P1"
    assert found["ProcedureStepState"] == "SCHEDULED"
    assert found["WorklistLabel"] == "worklist"
    assert found["ScheduledProcedureStepStartDateTime"] == "20260102103000.000000"
    assert values_of_document(_content(noting))["00741202"] == ["worklist"]
