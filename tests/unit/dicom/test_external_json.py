"""External attributes as DICOM JSON."""

from __future__ import annotations

import pytest

from isocenter.dicom.external_json import attribute_json, with_creators
from isocenter.domain.external_metadata import ExternalValue


@pytest.mark.parametrize(
    ("vr", "text", "value"),
    [
        ("CS", "ABC", "ABC"),
        ("LO", "Prüfung", "Prüfung"),
        ("DA", "20260131", "20260131"),
        ("IS", "007", 7),
        ("US", "65535", 65535),
        ("SS", "-3", -3),
        ("DS", "1.50", 1.5),
        ("FD", "2.5e-3", 0.0025),
        ("PN", "Hall^Ann=山田", {"Alphabetic": "Hall^Ann", "Ideographic": "山田"}),
    ],
)
def test_values_are_written_as_their_vr_asks(vr: str, text: str, value: object) -> None:
    assert attribute_json(ExternalValue(0x00191001, vr, text)) == {"vr": vr, "Value": [value]}


def test_blocks_are_reserved_once_and_never_taken_from_another() -> None:
    document = {"00190010": {"vr": "LO", "Value": ["ACME"]}}
    found = with_creators(document, [0x00191001, 0x00191002, 0x00191101])
    assert found["00190010"]["Value"] == ["ACME"]
    assert found["00190011"] == {"vr": "LO", "Value": ["Microsoft"]}
    assert len(found) == 2
