"""Patients from rows of studies: what DICOMweb has no search for (routing-and-gateway 6.1).

Studies of one PatientID and issuer are of one patient. What is told of it is what its first study says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from isocenter.routing.translation.json_row import JsonRow

Row = Mapping[str, Any]

PATIENT_NAME, PATIENT_ID, ISSUER_OF_PATIENT_ID = 0x00100010, 0x00100020, 0x00100021
STUDIES, SERIES, INSTANCES = 0x00201200, 0x00201202, 0x00201204
"""Number of Patient Related …"""
SUMMED = {SERIES: 0x00201206, INSTANCES: 0x00201208}
"""What of studies they are the sums of."""


def iter_patients(rows: Iterable[Row]) -> Iterator[Row]:
    """Yield the first row of each patient, as it comes."""
    seen: set[tuple[str, str]] = set()
    for row in rows:
        patient = _patient(JsonRow(row))
        if patient not in seen:
            seen.add(patient)
            yield row


def count_patients(rows: Iterable[Row]) -> list[Row]:
    """Return a row of each patient with its counts; every study must be there, and a count that one lacks is empty."""
    studies: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        studies.setdefault(_patient(JsonRow(row)), []).append(row)
    return [{**of_patient[0], **_counts(of_patient)} for of_patient in studies.values()]


def _patient(row: JsonRow) -> tuple[str, str]:
    patient_id = row.text_of(PATIENT_ID)
    return patient_id, row.text_of(ISSUER_OF_PATIENT_ID if patient_id else PATIENT_NAME)


def _counts(studies: list[Row]) -> dict[str, Any]:
    counts: dict[int, int | None] = {STUDIES: len(studies)}
    for tag, summed in SUMMED.items():
        numbers = [JsonRow(study).text_of(summed) for study in studies]
        counts[tag] = sum(map(int, numbers)) if all(number.isdecimal() for number in numbers) else None
    return {
        f"{tag:08X}": {"vr": "IS"} if number is None else {"vr": "IS", "Value": [number]}
        for tag, number in counts.items()
    }
