"""Headers with external metadata: what is read, what is refused, and that no value is repeated."""

from __future__ import annotations

import pytest

from isocenter.dicomweb.codec import external_metadata
from isocenter.dicomweb.codec.external_metadata import parse_external_metadata
from isocenter.domain.errors import InvalidRequest
from isocenter.domain.external_metadata import ExternalValue


def _parse(*headers: tuple[str, str | bytes]) -> tuple[ExternalValue, ...]:
    raw = [
        (name.lower().encode(), value if isinstance(value, bytes) else value.encode("utf-8")) for name, value in headers
    ]
    return parse_external_metadata(raw)


def test_each_header_is_a_value_and_others_are_passed_over() -> None:
    found = _parse(
        ("msdicom-meta-LO-00191002", "second"),
        ("Content-Type", "application/dicom"),
        ("msdicom-request-meta", "true"),
        ("msdicom-meta-CS-001912ff", " CS "),
        ("msdicom-meta-LO-00191001", "erste Prüfung"),
    )
    assert found == (
        ExternalValue(0x00191001, "LO", "erste Prüfung"),
        ExternalValue(0x00191002, "LO", "second"),
        ExternalValue(0x001912FF, "CS", "CS"),
    )


def test_empty_values_count_not() -> None:
    assert _parse(("msdicom-meta-LO-00191001", ""), ("msdicom-meta-DA-00191002", "  ")) == ()


@pytest.mark.parametrize(
    ("vr", "value"),
    [
        ("AE", "ISOCENTER"), ("AS", "042Y"), ("CS", "A"), ("DA", "20260131"), ("DS", "-1.5"), ("DT", "20260131120000"),
        ("FD", "1e9"), ("FL", "0.5"), ("IS", "-3"), ("LO", "x"), ("PN", "A^B"), ("SH", "x"), ("SL", "-7"),
        ("SS", "-7"), ("TM", "120000"), ("UI", "1.2.3"), ("UL", "7"), ("US", "7"),
    ],
)  # fmt: skip
def test_every_vr_of_the_list_is_taken(vr: str, value: str) -> None:
    assert _parse((f"msdicom-meta-{vr}-00191001", value)) == (ExternalValue(0x00191001, vr, value),)


@pytest.mark.parametrize(
    "headers",
    [
        [("msdicom-meta-SQ-00191001", "x")],
        [("msdicom-meta-UN-00191001", "x")],
        [("msdicom-meta-LO-0019100", "x")],
        [("msdicom-meta-LO-0019100G", "x")],
        [("msdicom-meta-00191001", "x")],
        [("msdicom-meta-", "x")],
        [("msdicom-meta-LO-00100010", "x")],
        [("msdicom-meta-LO-00190010", "x")],
        [("msdicom-meta-DA-00191001", "2026-01-31")],
        [("msdicom-meta-DA-00191001", "20261331")],
        [("msdicom-meta-TM-00191001", "2500")],
        [("msdicom-meta-DT-00191001", "x")],
        [("msdicom-meta-IS-00191001", "1.5")],
        [("msdicom-meta-FD-00191001", "nan")],
        [("msdicom-meta-UI-00191001", "a.b")],
        [("msdicom-meta-CS-00191001", "x" * 17)],
        [("msdicom-meta-LO-00191001", "one\\two")],
        [("msdicom-meta-SH-00191001", "one\\two")],
        [("msdicom-meta-LO-00191001", b"\xff\xfe")],
        [("msdicom-meta-LO-00191001", "a"), ("msdicom-meta-CS-00191001", "A")],
        [("msdicom-meta-LO-00191001", "good"), ("msdicom-meta-DA-00191002", "bad")],
    ],
)
def test_one_bad_header_refuses_all(headers: list[tuple[str, str | bytes]]) -> None:
    with pytest.raises(InvalidRequest):
        _parse(*headers)


def test_a_refusal_repeats_no_value() -> None:
    with pytest.raises(InvalidRequest) as refusal:
        _parse(("msdicom-meta-DA-00191001", "SECRET"))
    assert "SECRET" not in refusal.value.message
    assert "00191001" in refusal.value.message


def test_a_request_has_not_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(external_metadata, "COUNT_MAX", 2)
    with pytest.raises(InvalidRequest, match="at most 2"):
        _parse(*((f"msdicom-meta-LO-0019100{number}", "x") for number in range(3)))
