from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from isocenter.routing.hl7.message import parse_message
from isocenter.routing.hl7.order import Order, PatientIdentifier, parse_time, read_order

_CET = timezone(timedelta(hours=1))


def _read(kind: str, *segments: str) -> Order:
    head = f"MSH|^~\\&|RIS|HOSP|ROUTER|HOSP|20261121120000||{kind}|42|P|2.5"
    return read_order(parse_message("\r".join((head, *segments)).encode()), local=_CET)


def test_an_order_tells_patient_procedure_and_time_where_ihe_puts_them() -> None:
    obr = [""] * 45
    for number, text in ((4, "CTTHX^CT thorax^L"), (18, "A4711"), (24, "CT"), (36, "202611230930")):
        obr[number] = text
    order = _read(
        "ORM^O01",
        "PID|1||4711^^^HOSP^MR||Doe^Jane^Q^Jr^Dr||19600229|F",
        "ORC|NW|P1|F1",
        "OBR" + "|".join(["", *obr[1:]]),
        "ZDS|1.2.3.4^RIS^Application^DICOM",
    )
    assert order.patients == (PatientIdentifier("4711", "HOSP"),)
    assert (order.patient_name, order.birth_date) == ("Doe^Jane^Q^Dr^Jr", "19600229")
    assert (order.accession_number, order.modality, order.study_instance_uid) == ("A4711", "CT", "1.2.3.4")
    assert order.procedure == "CTTHX CT thorax"
    assert order.appointment == datetime(2026, 11, 23, 9, 30, tzinfo=_CET)
    assert not order.is_cancelled


def test_an_imaging_order_tells_them_in_its_own_segments() -> None:
    order = _read(
        "OMI^O23^OMI_O23",
        "PID|1||77^^^&1.2.3&ISO",
        "ORC|NW",
        "TQ1|1||||||20261124080000+0000",
        "OBR|1|||MRHEAD^MR head",
        "IPC|ACC9|RP1|1.2.840.99|SPS1|MR",
    )
    assert order.message_type == "OMI^O23"
    assert order.patients == (PatientIdentifier("77", "1.2.3"),)
    assert (order.accession_number, order.study_instance_uid, order.modality) == ("ACC9", "1.2.840.99", "MR")
    assert order.appointment == datetime(2026, 11, 24, 8, tzinfo=UTC)


def test_an_appointment_tells_its_start_and_service() -> None:
    order = _read("SIU^S12", "SCH|1||||||CHK^check-up||||^^^202611251015", "PID|1||5", "AIS|1||CTABD^CT abdomen")
    assert (order.procedure, order.appointment) == ("CTABD CT abdomen", datetime(2026, 11, 25, 10, 15, tzinfo=_CET))


def test_an_admission_tells_when_the_patient_came() -> None:
    order = _read("ADT^A01", "PID|1|OLD", "PV1|1" + "|" * 43 + "20261121")
    assert order.patients == (PatientIdentifier("OLD"),)
    assert order.appointment == datetime(2026, 11, 21, tzinfo=_CET)


@pytest.mark.parametrize(
    ("kind", "control"), [("ORM^O01", "CA"), ("OMI^O23", "DC"), ("SIU^S15", ""), ("SIU^S26", ""), ("ADT^A11", "")]
)
def test_what_is_taken_back_is_known(kind: str, control: str) -> None:
    assert _read(kind, "PID|1||5", f"ORC|{control}").is_cancelled


def test_the_medical_record_number_comes_first_among_the_numbers_of_a_patient() -> None:
    order = _read("ADT^A04", "PID|1||SSN1^^^GOV^SS~4711^^^HOSP^MR~4711^^^HOSP^MR")
    assert order.patients == (PatientIdentifier("4711", "HOSP"), PatientIdentifier("SSN1", "GOV"))


def test_a_message_without_a_patient_tells_of_none() -> None:
    assert _read("ORM^O01", "ORC|NW").patients == ()


@pytest.mark.parametrize("text", ["", "2026", "202613010000", "20260230", "yesterday", "20261121250000", "2026112112x"])
def test_what_is_no_time_of_a_day_is_none(text: str) -> None:
    assert parse_time(text, local=UTC) is None


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("20261121", datetime(2026, 11, 21, tzinfo=UTC)),
        ("20261121120000.1234-0500", datetime(2026, 11, 21, 17, tzinfo=UTC)),
        ("202611211200+9999", datetime(2026, 11, 21, 12, tzinfo=UTC)),
    ],
)
def test_times_are_read_with_their_zone(text: str, moment: datetime) -> None:
    assert parse_time(text, local=UTC) == moment
