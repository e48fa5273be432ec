"""Coded entries of DICOM (PS3.3 8.8) as codings of FHIR."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from isocenter.domain.identifiers import is_uid
from isocenter.fhir.mapping import attribute_values as values
from isocenter.fhir.mapping.attribute_values import Metadata

DCM = "http://dicom.nema.org/resources/ontology/DCM"
LOINC = "http://loinc.org"
SYSTEMS = {
    "DCM": DCM,
    "SCT": "http://snomed.info/sct",
    "SRT": "http://snomed.info/srt",
    "LN": LOINC,
    "UCUM": "http://unitsofmeasure.org",
    "RADLEX": "http://radlex.org",
    "I10": "http://hl7.org/fhir/sid/icd-10",
    "I10P": "http://www.cms.gov/Medicare/Coding/ICD10",
    "C4": "http://www.ama-assn.org/go/cpt",
}
"""Systems of FHIR by coding scheme designator (PS3.16 table 8-1)."""


@dataclass(frozen=True, slots=True)
class Code:
    """A coded entry."""

    value: str
    system: str | None
    meaning: str | None

    def coding(self) -> dict[str, Any]:
        """Return it as a Coding."""
        parts = {"system": self.system, "code": self.value, "display": self.meaning}
        return {name: part for name, part in parts.items() if part is not None}

    def concept(self) -> dict[str, Any]:
        """Return it as a CodeableConcept."""
        return {"coding": [self.coding()]}


def codes_of(metadata: Metadata, tag: str) -> tuple[Code, ...]:
    """Return the codes of a sequence; raises ValueError where an item holds none."""
    return tuple(code_of(item) for item in values.items(metadata, tag))


def code_of(item: Metadata) -> Code:
    """Return the code of an item; raises ValueError where it holds none."""
    value = next(filter(None, (values.text(item, tag) for tag in ("00080100", "00080119", "00080120"))), None)
    if value is None:
        raise ValueError("has an item without a code")
    designator = values.text(item, "00080102") or ""
    uid = values.text(item, "0008010C") or ""
    system = SYSTEMS.get(designator.upper()) or (f"urn:oid:{uid}" if uid and is_uid(uid) else None)
    return Code(" ".join(value.split()), system, values.text(item, "00080104"))
