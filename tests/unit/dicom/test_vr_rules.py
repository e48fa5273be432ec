"""Every VR takes the values of PS3.5 table 6.2-1 and refuses what is beside them, with a reason."""

from __future__ import annotations

import pytest

from isocenter.dicom.vr_rules import INTEGER_MAX, INTEGER_MIN, LENGTHS_MAX, integer_of, objection_to

VALID = {
    "AE": ["PACS", "A b-C_1", "x" * 16],
    "AS": ["034Y", "000D", "012W", "999M"],
    "CS": ["ORIGINAL", "A_1 2", "X" * 16],
    "DA": ["20260228", "20240229", "19000101"],
    "DS": ["1", "-1.5", "+.5", "1.", "1e10", "-1.5E-3", " 12 ", "0" * 16],
    "DT": ["2026", "202602", "20260228", "2026022810", "20260228101112.123456", "2026+0100", "20260228235960-1400"],
    "IS": ["0", "-2147483648", "2147483647", " +12 ", "000000000012"],
    "LO": ["Größe \x1b(B ok", "x" * 64, "a^b=c"],
    "LT": ["plain", "two\r\nlines\twith\fmore \\ back", "x" * 10240],
    "PN": ["Doe^Jane", "a^b^c^d^e", "A=B=C", "x" * 64, "x" * 64 + "=" + "y" * 64],
    "SH": ["x" * 16, "a b"],
    "ST": ["plain", "line\nline", "x" * 1024],
    "TM": ["10", "1011", "101112", "101112.1", "235960", "000000.123456"],
    "UC": ["a^b", "x" * 100_000],
    "UI": ["1.2.840.10008", "0.1", "1." * 31 + "22", "2.25.0"],
    "UR": ["http://example.test/a?b", "urn:a?b=c"],
    "UT": ["plain", "x\ty\n" * 1000],
    "OB": ["\0\1\2"],
    "XX": ["anything"],
}
INVALID = {
    "AE": ["x" * 17, "tab\t", "Größe"],
    "AS": ["34Y", "034", "034X", "0034Y"],
    "CS": ["lower", "X" * 17, "X\0X", "A-B", "Ä"],
    "DA": ["NotAValidStudyDate", "2021-13", "20260229", "20261301", "2026010", "2026.01.01", "١٢٣٤٥٦٧٨"],
    "DS": ["1,5", "1.5x", "e5", ".", "1" * 17, "nan", "1_0", "--1"],
    "DT": ["202", "20261301", "20260101+9900", "20260101T10", "20260101101112.1234567"],
    "IS": ["1.0", "2147483648", "-2147483649", "x", "1 2", "0" * 13],
    "LO": ["x" * 65, "a\0b", "a\nb"],
    "LT": ["x" * 10241, "a\0b", "a\x08b"],
    "PN": ["a^b^c^d^e^f", "A=B=C=D", "x" * 65, "a\tb", "ok=" + "y" * 65],
    "SH": ["x" * 17, "a\tb"],
    "ST": ["x" * 1025, "a\0b"],
    "TM": ["1", "24", "1060", "10:11:12", "101112.", "101112.1234567"],
    "UC": ["a\0b"],
    "UI": ["1.2.x", "1" * 65, "1.02.3", "1.2 3", "00.1"],
    "UR": ["größe", " leading", "a\tb"],
    "UT": ["a\0b"],
}


@pytest.mark.parametrize(("vr", "text"), [(vr, text) for vr, texts in VALID.items() for text in texts])
def test_a_value_of_its_vr_is_valid(vr: str, text: str) -> None:
    assert objection_to(vr, text) is None


@pytest.mark.parametrize(("vr", "text"), [(vr, text) for vr, texts in INVALID.items() for text in texts])
def test_what_is_no_value_of_its_vr_is_refused(vr: str, text: str) -> None:
    assert objection_to(vr, text)


@pytest.mark.parametrize("vr", [*VALID, *LENGTHS_MAX])
def test_nothing_is_a_value_of_every_vr(vr: str) -> None:
    assert objection_to(vr, "") is None


@pytest.mark.parametrize(("vr", "length"), LENGTHS_MAX.items())
def test_a_value_that_is_too_long_is_refused_for_its_length(vr: str, length: int) -> None:
    assert objection_to(vr, "1" * (length + 1)) == f"value exceeds maximum length of {length} characters"


@pytest.mark.parametrize(
    ("vr", "text", "reason"),
    [
        ("DA", "NotAValidStudyDate", "one of the date values does not match the pattern YYYYMMDD"),
        ("CS", "X\0X", "value contains invalid character"),
    ],
)
def test_sentences_that_clients_compare(vr: str, text: str, reason: str) -> None:
    assert objection_to(vr, text) == reason


@pytest.mark.parametrize(
    ("text", "number"),
    [("12", 12), (" -03 ", -3), (str(INTEGER_MAX), INTEGER_MAX), (str(INTEGER_MIN), INTEGER_MIN)],
)
def test_an_integer_string_says_a_number(text: str, number: int) -> None:
    assert integer_of(text) == number


@pytest.mark.parametrize("text", ["", "x", "1.5", str(INTEGER_MAX + 1), "0" * 13, "1_0", "１"])
def test_other_text_says_none(text: str) -> None:
    assert integer_of(text) is None
