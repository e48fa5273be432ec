"""What a device is asked to do: an item of a work list, or what somebody typed at its console."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from isocenter.modality.patients import STORY_PATIENTS, Patient

UNKNOWN_BIRTH_DATE = date(1900, 1, 1)
"""For patients whose item names none; pictures need an age."""
_STEPS, _PROCEDURE_ID, _ACCESSION, _STUDY = "00400100", "00401001", "00080050", "0020000D"
_LATIN_1 = "latin-1"


@dataclass(frozen=True, slots=True)
class Order:
    """One procedure step to be performed on one patient."""

    patient: Patient
    accession_number: str
    study_instance_uid: str | None = None
    """As the work list gave it; None where the device makes its own."""
    referring_physician: str = ""
    requested_procedure_id: str = ""
    requested_procedure_description: str = ""
    scheduled_procedure_step_id: str = ""
    scheduled_procedure_step_description: str = ""
    modality: str = ""
    """As the item says; empty where there is none."""
    scheduled_at: datetime | None = None
    is_scheduled: bool = False


def unscheduled_order(seed: int, *, accession_number: str = "", patient_id: str = "") -> Order:
    """Return what a device does without a work list: an invented patient, and whatever numbers were typed in."""
    patient = STORY_PATIENTS[seed % len(STORY_PATIENTS)]
    if patient_id:
        patient = Patient(patient.name, patient_id, patient.birth_date, patient.sex, patient.character_set)
    return Order(patient, accession_number or f"U{seed % 10**9:09d}")


def orders_of(rows: Sequence[Mapping[str, Any]]) -> list[Order]:
    """Return the items of a work list, as DICOM JSON, in the order in which they are to be done."""
    orders = [_order_of(row) for row in rows]
    return sorted(orders, key=lambda order: (order.scheduled_at or datetime.max, order.scheduled_procedure_step_id))


def _order_of(row: Mapping[str, Any]) -> Order:
    steps = row.get(_STEPS, {}).get("Value", [])
    step: Mapping[str, Any] = steps[0] if steps and isinstance(steps[0], Mapping) else {}
    name = _text(row, "00100010")
    return Order(
        patient=Patient(
            name=name,
            patient_id=_text(row, "00100020"),
            birth_date=_date(_text(row, "00100030")) or UNKNOWN_BIRTH_DATE,
            sex=_text(row, "00100040"),
            character_set=character_set_for(name + _text(row, "00080090")),
        ),
        accession_number=_text(row, _ACCESSION),
        study_instance_uid=_text(row, _STUDY) or None,
        referring_physician=_text(row, "00080090"),
        requested_procedure_id=_text(row, _PROCEDURE_ID),
        requested_procedure_description=_text(row, "00321060"),
        scheduled_procedure_step_id=_text(step, "00400009"),
        scheduled_procedure_step_description=_text(step, "00400007"),
        modality=_text(step, "00080060"),
        scheduled_at=_moment(_text(step, "00400002"), _text(step, "00400003")),
        is_scheduled=True,
    )


def character_set_for(text: str) -> tuple[str, ...]:
    """Return the character set that a device of today writes a text in: Latin 1 where that does, else UTF-8."""
    try:
        text.encode(_LATIN_1)
    except UnicodeEncodeError:
        return ("ISO_IR 192",)
    return ("ISO_IR 100",)


def _text(row: Mapping[str, Any], tag: str) -> str:
    values = row.get(tag, {}).get("Value", [])
    value = values[0] if values else ""
    if isinstance(value, Mapping):
        groups = [str(value.get(group, "")) for group in ("Alphabetic", "Ideographic", "Phonetic")]
        return "=".join(groups).rstrip("=")
    return "" if value is None else str(value)


def _date(text: str) -> date | None:
    with suppress(ValueError):
        return datetime.strptime(text, "%Y%m%d").date()
    return None


def _moment(day: str, time: str) -> datetime | None:
    begun = _date(day)
    if begun is None:
        return None
    digits = (time.partition(".")[0] + "000000")[:6]
    with suppress(ValueError):
        return datetime.combine(begun, datetime.strptime(digits, "%H%M%S").time())
    return datetime.combine(begun, datetime.min.time())
