"""Items of a work list as orders: in the order of their start, whatever they leave out."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest

from isocenter.modality.devices.order import UNKNOWN_BIRTH_DATE, orders_of, unscheduled_order
from isocenter.modality.patients import STORY_PATIENTS


def _row(accession: str = "A1", *, day: str = "20221122", time: str = "0930", **patient: Any) -> dict[str, Any]:
    step = {"00080060": {"Value": ["CT"]}, "00400002": {"Value": [day]}, "00400003": {"Value": [time]}}
    return {
        "00080050": {"Value": [accession]},
        "00100010": {"Value": [patient.get("name", {"Alphabetic": "Aoki^Akane", "Ideographic": "青木^茜"})]},
        "00100020": {"Value": ["P1"]},
        "00100030": {"Value": [patient.get("born", "19720403")]},
        "0020000D": {"Value": ["1.2.3"]},
        "00400100": {"Value": [step]},
    }


def test_an_item_is_read_whole() -> None:
    (order,) = orders_of([_row()])
    assert order.patient.name == "Aoki^Akane=青木^茜"
    assert order.patient.character_set == ("ISO_IR 192",)
    assert order.patient.birth_date == date(1972, 4, 3)
    assert (order.accession_number, order.study_instance_uid, order.modality) == ("A1", "1.2.3", "CT")
    assert order.scheduled_at == datetime(2022, 11, 22, 9, 30)
    assert order.is_scheduled


def test_what_latin_1_can_write_is_written_in_it() -> None:
    (order,) = orders_of([_row(name={"Alphabetic": "Müller^Eva"})])
    assert order.patient.character_set == ("ISO_IR 100",)


def test_items_come_in_the_order_of_their_start_and_those_without_one_last() -> None:
    rows = [_row("later", time="1400"), _row("never", day=""), _row("first", day="20221121"), _row("next", time="08")]
    assert [order.accession_number for order in orders_of(rows)] == ["first", "next", "later", "never"]


@pytest.mark.parametrize(
    "row", [{}, {"00400100": {}}, {"00400100": {"Value": [None]}}, {"00100010": {"Value": [None]}}]
)
def test_an_item_that_says_nothing_is_an_order_without_names(row: dict[str, Any]) -> None:
    (order,) = orders_of([row])
    assert (order.patient.name, order.study_instance_uid, order.scheduled_at) == ("", None, None)
    assert order.patient.birth_date == UNKNOWN_BIRTH_DATE


@pytest.mark.parametrize(("day", "time"), [("20221199", "0930"), ("yesterday", "")])
def test_a_day_that_is_none_is_left_out(day: str, time: str) -> None:
    assert orders_of([_row(day=day, time=time)])[0].scheduled_at is None


def test_a_time_that_is_none_leaves_the_day() -> None:
    assert orders_of([_row(time="soon")])[0].scheduled_at == datetime(2022, 11, 22)


def test_without_a_work_list_the_seed_picks_an_invented_patient() -> None:
    order = unscheduled_order(3)
    assert order.patient == STORY_PATIENTS[3]
    assert not order.is_scheduled
    typed = unscheduled_order(3, accession_number="A9", patient_id="P9")
    assert (typed.accession_number, typed.patient.patient_id) == ("A9", "P9")
