"""What every work list does."""

from __future__ import annotations

import pytest

from isocenter.domain.worklist import (
    SCHEDULED_PROCEDURE_STEP_SEQUENCE,
    START_DATE,
    START_TIME,
    Key,
    NewWorklistItem,
    PeriodKey,
    SequenceKey,
    StepState,
    WorklistEntry,
    WorklistQuery,
    number_of_steps,
)
from isocenter.ports.worklist import Worklist
from tests.support.worklist_items import item, key, keys, step, step_keys, values

NOW = 1_700_000_000.0


def _all(worklist: Worklist) -> list[WorklistEntry]:
    return worklist.entries(worklist.find(WorklistQuery()))


def _found(worklist: Worklist, *asked: Key) -> list[int]:
    """Return the numbers of the studies whose items answer, each as often as it does."""
    entries = worklist.entries(worklist.find(WorklistQuery(asked)))
    return sorted(int(str(entry.values["0020000D"][0]).rsplit(".", 1)[1]) for entry in entries)


def _keep(worklist: Worklist, *items: NewWorklistItem) -> None:
    worklist.add(items, now=NOW)


# keep, list, drop


def test_an_empty_list_answers_nothing(worklist: Worklist) -> None:
    assert worklist.find(WorklistQuery()) == []
    assert worklist.entries([1]) == []
    assert worklist.count() == worklist.remove([1]) == 0


def test_an_item_is_given_back_as_it_was_handed_in(worklist: Worklist) -> None:
    new = item(1, step("S1"), step("S2"), content=b"\0\1\2", PatientName="Doe^Jane")
    (addition,) = worklist.add([new], now=NOW)
    assert not addition.replaced
    first, second = _all(worklist)
    assert (first.content, first.transfer_syntax_uid, first.values) == (b"\0\1\2", "1.2.840.10008.1.2.1", new.values)
    assert (first.item_key, first.added_at, first.source) == (addition.item_key, NOW, "test")
    assert first.state is StepState.SCHEDULED
    assert [first.step_number, second.step_number] == [0, 1]
    assert second.step_values == values(ScheduledProcedureStepID="S2")
    assert worklist.count() == 1


def test_an_item_without_steps_makes_an_entry(worklist: Worklist) -> None:
    _keep(worklist, item(1, ScheduledProcedureStepSequence=[]))
    (entry,) = _all(worklist)
    assert (entry.step_number, entry.step_values) == (0, {})


def test_an_item_takes_the_place_of_the_one_of_its_identity(worklist: Worklist) -> None:
    (first,) = worklist.add([item(1, content=b"old")], now=NOW)
    (second, third) = worklist.add([item(1, content=b"new"), item(2)], now=NOW + 1)
    assert (second.replaced, third.replaced) == (True, False)
    assert first.item_key < second.item_key < third.item_key
    assert [entry.content for entry in _all(worklist)] == [b"new", b"item 2"]
    assert worklist.count() == 2


def test_keys_are_not_given_again(worklist: Worklist) -> None:
    (first,) = worklist.add([item(1)], now=NOW)
    before = worklist.find(WorklistQuery())
    assert worklist.remove([first.item_key, 99]) == 1
    (again,) = worklist.add([item(1)], now=NOW)
    assert again.item_key > first.item_key
    assert worklist.find(WorklistQuery())[0] > before[0]
    assert worklist.entries(before) == []


def test_steps_come_in_the_order_of_their_start(worklist: Worklist) -> None:
    starts = {1: ("20240102", "0900"), 2: ("20240101", "1000"), 3: ("20240101", "093000.5"), 4: ("", "")}
    for number, (day, time) in starts.items():
        start = {"ScheduledProcedureStepStartDate": day, "ScheduledProcedureStepStartTime": time}
        _keep(worklist, item(number, step("S", attributes={name: text for name, text in start.items() if text})))
    _keep(worklist, item(5, step("S", ScheduledProcedureStepStartDate="20240101")))
    order = [str(entry.values["00401001"][0]) for entry in _all(worklist)]
    assert order == ["RP4", "RP5", "RP3", "RP2", "RP1"]


def test_entries_come_in_the_order_asked_for(worklist: Worklist) -> None:
    _keep(worklist, item(1), item(2), item(3))
    asked = list(reversed(worklist.find(WorklistQuery())))
    assert [entry.step_key for entry in worklist.entries([*asked, 999])] == asked


# matching


@pytest.mark.parametrize(
    ("keyword", "kept", "text", "fits"),
    [
        ("PatientID", "A1", "A1", True),
        ("PatientID", "A1", "a1", False),
        ("PatientID", "A1", "A", False),
        ("PatientID", "A1", "A*", True),
        ("PatientID", "A1", "?1", True),
        ("PatientID", "A1", "*2*", False),
        ("PatientID", "", "A1", False),
        ("AccessionNumber", "0001", "1", False),
        ("StudyInstanceUID", "1.2.3", "1.2.3\\1.2.4", True),
        ("StudyInstanceUID", "1.2.33", "1.2.3", False),
        ("RequestedProcedureID", "RP", "RP", True),
        ("PatientName", "Müller^Jörg", "MULLER^JORG", True),
        ("PatientName", "Müller^Jörg", "mul*", True),
        ("PatientName", "Müller^Jörg", "muller", False),
        ("PatientName", "Yamada^Tarou=山田^太郎=やまだ^たろう", "yamada^tarou", True),
        ("PatientName", "Yamada^Tarou=山田^太郎=やまだ^たろう", "山田*", True),
        ("PatientName", "Yamada^Tarou=山田^太郎=やまだ^たろう", "Yamada^Tarou=山田^太郎=やまだ^たろう", True),
        ("PatientName", "Yamada^Tarou=山田^太郎", "yamada", False),
        ("PatientBirthDate", "19700101", "19600101-19801231", True),
        ("PatientBirthDate", "19700101", "-19691231", False),
        ("PatientSex", "F", "f", True),
        ("PatientWeight", "70", "70", True),
        ("RequestedProcedureDescription", "CT head", "*head", True),
        ("PregnancyStatus", "4", "4", True),
        ("ReferringPhysicianName", "House", "*se", True),
    ],
)
def test_a_key_of_the_item_fits_by_the_rules_of_its_vr(
    worklist: Worklist, keyword: str, kept: str, text: str, fits: bool
) -> None:
    _keep(worklist, item(7, attributes={keyword: kept} if kept else {}))
    assert (len(worklist.find(WorklistQuery((key(keyword, text),)))) == 1) is fits


@pytest.mark.parametrize(
    ("keyword", "kept", "text", "fits"),
    [
        ("Modality", "CT", "CT", True),
        ("Modality", "CT", "CT\\MR", True),
        ("Modality", "CT", "C?", True),
        ("ScheduledStationAETitle", ["CT1", "CT2"], "CT2", True),
        ("ScheduledStationAETitle", ["CT1", "CT2"], "CT", False),
        ("ScheduledStationAETitle", "CT1", "ct1", False),
        ("ScheduledProcedureStepID", "S9", "S9", True),
        ("ScheduledPerformingPhysicianName", "Ross^Jo", "ross*", True),
        ("ScheduledStationName", "ROOM 1", "ROOM*", True),
        ("ScheduledProcedureStepStartDate", "20240705", "20240705", True),
        ("ScheduledProcedureStepStartDate", "20240705", "20240704", False),
        ("ScheduledProcedureStepStartDate", "20240705", "20240701-20240705", True),
        ("ScheduledProcedureStepStartDate", "20240705", "20240706-", False),
        ("ScheduledProcedureStepStartDate", ["20240705", "20240801"], "20240801", True),
        ("ScheduledProcedureStepStartTime", "1015", "101500", True),
        ("ScheduledProcedureStepStartTime", "1015", "10", True),
        ("ScheduledProcedureStepStartTime", "1015", "0900-1000", False),
        ("ScheduledProcedureStepStartTime", "101559.9", "-1015", True),
    ],
)
def test_a_key_of_the_step_fits_by_the_rules_of_its_vr(
    worklist: Worklist, keyword: str, kept: str | list[str], text: str, fits: bool
) -> None:
    _keep(worklist, item(1, step("S1", attributes={keyword: kept})))
    assert _found(worklist, step_keys({keyword: text})) == ([1] if fits else [])


def test_every_key_has_to_fit_and_by_one_step(worklist: Worklist) -> None:
    _keep(worklist, item(1, step("S1", Modality="CT", ScheduledStationAETitle="A"), PatientID="P"))
    _keep(worklist, item(2, step("S1", Modality="MR", ScheduledStationAETitle="A"), PatientID="P"))
    _keep(worklist, item(3, step("S1", Modality="CT"), step("S2", ScheduledStationAETitle="A"), PatientID="P"))
    asked = step_keys({"Modality": "CT", "ScheduledStationAETitle": "A"})
    assert _found(worklist, asked) == [1]
    assert _found(worklist, asked, key("PatientID", "P")) == [1]
    assert _found(worklist, asked, key("PatientID", "Q")) == []


def test_only_the_steps_that_fit_answer(worklist: Worklist) -> None:
    _keep(worklist, item(1, step("S1", Modality="CT"), step("S2", Modality="MR"), step("S3", Modality="CT")))
    entries = worklist.entries(worklist.find(WorklistQuery((step_keys({"Modality": "CT"}),))))
    assert [entry.step_number for entry in entries] == [0, 2]


def test_one_item_of_any_other_sequence_has_to_fit(worklist: Worklist) -> None:
    codes = [values(CodeValue="A", CodingSchemeDesignator="X"), values(CodeValue="B", CodingSchemeDesignator="Y")]
    _keep(worklist, item(1, RequestedProcedureCodeSequence=codes), item(2))
    sequence = 0x00321064
    assert _found(worklist, SequenceKey(sequence, keys({"CodeValue": "B", "CodingSchemeDesignator": "Y"}))) == [1]
    assert _found(worklist, SequenceKey(sequence, keys({"CodeValue": "A", "CodingSchemeDesignator": "Y"}))) == []
    assert _found(worklist, SequenceKey(sequence, ())) == [1, 2]


def test_a_step_key_that_asks_for_nothing_takes_items_without_steps_too(worklist: Worklist) -> None:
    _keep(worklist, item(1, ScheduledProcedureStepSequence=[]))
    assert _found(worklist, SequenceKey(SCHEDULED_PROCEDURE_STEP_SEQUENCE, ())) == [1]
    assert _found(worklist, step_keys({"Modality": "CT"})) == []


@pytest.mark.parametrize(
    ("earliest", "latest", "expected"),
    [
        # PS3.4 table K.6-1: from July 5, 10am until July 7, 6pm
        ("20240705100000.000000", "20240707180000.000000", [2, 3, 4, 6]),
        ("20240705100000.000000", None, [2, 3, 4, 5, 6]),
        (None, "20240705100000.000000", [1, 2, 6]),
        ("20240706000000.000000", "20240706235959.999999", [3]),
    ],
)
def test_day_and_time_together_lie_in_a_period(
    worklist: Worklist, earliest: str | None, latest: str | None, expected: list[int]
) -> None:
    moments = {1: ("20240705", "0959"), 2: ("20240705", "10"), 3: ("20240706", "0300"), 4: ("20240707", "1800")}
    for number, (day, time) in {**moments, 5: ("20240707", "1801")}.items():
        start = {"ScheduledProcedureStepStartDate": day, "ScheduledProcedureStepStartTime": time}
        _keep(worklist, item(number, step("S", attributes=start)))
    _keep(worklist, item(6, step("S", ScheduledProcedureStepStartDate="20240705")))
    _keep(worklist, item(7, step("S", ScheduledProcedureStepStartTime="1200")))
    period = PeriodKey(START_DATE, START_TIME, earliest, latest)
    assert _found(worklist, SequenceKey(SCHEDULED_PROCEDURE_STEP_SEQUENCE, (period,))) == expected


def test_a_list_is_found_by_every_way_of_asking_at_once(worklist: Worklist) -> None:
    for number in range(1, 31):
        attributes = {"Modality": "CT" if number % 2 else "MR", "ScheduledStationAETitle": f"AE{number % 3}"}
        attributes["ScheduledProcedureStepStartDate"] = f"202407{number:02}"
        _keep(
            worklist,
            item(number, step("S", attributes=attributes), PatientID=f"P{number}"),
        )
    asked = step_keys(
        {"ScheduledProcedureStepStartDate": "20240705-20240720", "Modality": "CT", "ScheduledStationAETitle": "AE1"}
    )
    assert _found(worklist, asked) == [7, 13, 19]
    assert _found(worklist, asked, key("PatientID", "P1*")) == [13, 19]


def test_only_listed_states_answer(worklist: Worklist) -> None:
    _keep(worklist, item(1))
    assert worklist.find(WorklistQuery(states=frozenset({StepState.COMPLETED}))) == []
    assert len(worklist.find(WorklistQuery(states=frozenset({StepState.SCHEDULED, StepState.COMPLETED})))) == 1
    assert worklist.find(WorklistQuery(states=frozenset())) == []


def test_every_step_has_an_entry(worklist: Worklist) -> None:
    new = item(1, step("S1"), step(""), step("S1"))
    _keep(worklist, new)
    assert len(_all(worklist)) == number_of_steps(new.values) == 3
