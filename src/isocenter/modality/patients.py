"""Invented patients. None of them lives or has lived."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Patient:
    """A person who does not exist."""

    name: str
    """A DICOM person name: family^given, groups joined by `=`."""
    patient_id: str
    birth_date: date
    sex: str
    character_set: tuple[str, ...] = ("ISO_IR 100",)

    def age_years_on(self, day: date) -> int:
        """Return the age in completed years."""
        return day.year - self.birth_date.year - ((day.month, day.day) < (self.birth_date.month, self.birth_date.day))


STORY_PATIENTS = (
    Patient("Schmeler639^Jule420", "473c6a11-3ddb-4f72-911a-17e9911dc666", date(1985, 8, 28), "F"),
    Patient("Bechtel77^Orval512", "9f0c7d52-6a1e-4c38-8b0d-51d7e6a2c902", date(1961, 3, 14), "M"),
    Patient("Kuhn96^Marna204", "b7d2e4a8-03f5-4d69-9c11-2ae8f05b7c03", date(1948, 10, 2), "F"),
    Patient("Vela31^Teodoro8", "1c58a9e3-7f24-4b06-a5d3-c90be1476d04", date(1979, 7, 19), "M"),
    Patient("Hauck415^Lanita63", "64e1f0bb-92c7-4e5a-8d7f-08b3ca5f2e05", date(1957, 1, 30), "F"),
    Patient("Reilly981^Burton9", "d20b6f17-4e8d-47a1-b6c9-7f15d38e0a06", date(1939, 12, 5), "M"),
    Patient("Mayert710^Sigrid77", "3a97c5d4-d1b0-4f83-94e2-e6a40c7b1f07", date(1944, 6, 21), "F"),
    Patient("Olson653^Quentin3", "85f3027e-b96a-4c12-8e40-1bd57f9ac308", date(1966, 9, 11), "M"),
)
"""The eight patients of the walk-through."""

OTHER_PATIENTS = (
    Patient("Langworth88^Odessa17", "2b61f5d8-90ce-4c37-a1e4-7d3f58b9c10b", date(1983, 2, 14), "F"),
    Patient("Haag279^Casimir54", "e8a3470d-15b2-46f9-8c6d-92f0b7e4a50c", date(1958, 11, 30), "M"),
    Patient("Yundt842^Perpetua6", "57d9c2be-6f38-4e01-b94a-c8e1d05f730d", date(1955, 6, 9), "F"),
    Patient("Strosin214^Ambrose33", "a04e8b63-2d7c-4195-9f58-16b3e7c2d80e", date(1941, 1, 22), "M"),
    Patient("Koelpin146^Winifred9", "d91f6a27-c4e0-4b85-8a13-5e20f9b7640f", date(1946, 8, 17), "F"),
)
"""Patients of whom the walk-through knows nothing."""

JAPANESE_PATIENT = Patient(
    "Aoki^Akane=青木^茜=あおき^あかね",
    "c41d7a60-58fe-4b9b-a0c5-94d2b37e6f09",
    date(1972, 4, 3),
    "F",
    ("", "ISO 2022 IR 87"),
)
UNICODE_PATIENT = Patient(
    "Ångström-Żółkiewska^Zoë^^Dr.",
    "07be9c3f-ae42-4d75-b8f6-d3509e41c70a",
    date(1990, 11, 17),
    "O",
    ("ISO_IR 192",),
)
