from __future__ import annotations

from typing import Any

import pytest

from isocenter.fhir.mapping.coding import DCM, Code, code_of, codes_of


def _item(**values: str) -> dict[str, Any]:
    tags = {"value": "00080100", "long": "00080119", "urn": "00080120", "scheme": "00080102", "meaning": "00080104"}
    tags["uid"] = "0008010C"
    return {tags[name]: {"vr": "SH", "Value": [value]} for name, value in values.items()}


@pytest.mark.parametrize(
    ("item", "code"),
    [
        (_item(value="121", scheme="DCM", meaning="Head"), Code("121", DCM, "Head")),
        (_item(value="77477000", scheme="SCT"), Code("77477000", "http://snomed.info/sct", None)),
        (_item(value="CT1", scheme="99LOCAL"), Code("CT1", None, None)),
        (_item(value="CT1", scheme="99LOCAL", uid="1.2.3"), Code("CT1", "urn:oid:1.2.3", None)),
        (_item(value="CT1", uid="not a uid"), Code("CT1", None, None)),
        (_item(long="x" * 20, scheme="LN"), Code("x" * 20, "http://loinc.org", None)),
        (_item(urn="urn:a"), Code("urn:a", None, None)),
        (_item(value="A  B"), Code("A B", None, None)),
    ],
)
def test_a_coded_entry_becomes_a_code(item: dict[str, Any], code: Code) -> None:
    assert code_of(item) == code


def test_an_item_without_a_code_is_refused() -> None:
    with pytest.raises(ValueError, match="without a code"):
        codes_of({"00081032": {"vr": "SQ", "Value": [_item(meaning="Head")]}}, "00081032")


def test_a_concept_has_what_is_known() -> None:
    assert Code("1", None, None).concept() == {"coding": [{"code": "1"}]}
    assert Code("1", DCM, "One").coding() == {"system": DCM, "code": "1", "display": "One"}
