"""Character sets: the examples of the standard, real files, and text that is not what it says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.charset import convert_encodings, decode_bytes, encode_string

from isocenter.dicom.charset import (
    DEFAULT_CHARACTER_SET,
    NO_DELIMITERS,
    PN_DELIMITERS,
    TEXT_DELIMITERS,
    parse_character_set,
)
from isocenter.dicom.scan import scan_instance
from tests.support.dicom_datasets import CHARACTER_SETS
from tests.support.dicom_files import quiet_pydicom
from tests.support.shared_data import ManifestRow, manifest_params, path_of, read_bytes

PATIENT_NAME = 0x00100010


@pytest.mark.parametrize("row", manifest_params(lambda row: row.folder == "charset"))
def test_name_in_a_real_file_is_what_pydicom_reads(row: ManifestRow) -> None:
    with quiet_pydicom():
        dataset = dcmread(path_of(row), stop_before_pixels=True)
        expected = str(dataset.get("PatientName", ""))
    scanned = scan_instance(read_bytes(row), wanted=frozenset({PATIENT_NAME}))
    assert scanned.attributes.get(PATIENT_NAME, "").rstrip("=") == expected


# PS3.5 annexes H, I, J and K.
EXAMPLES = [
    (
        "\\ISO 2022 IR 87",
        b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
        "Yamada^Tarou=山田^太郎=やまだ^たろう",
    ),
    (
        "ISO 2022 IR 13\\ISO 2022 IR 87",
        b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J",
        "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
    ),
    (
        "\\ISO 2022 IR 149",
        b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
        "Hong^Gildong=洪^吉洞=홍^길동",
    ),
    ("\\ISO 2022 IR 58", b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab=", "Zhang^XiaoDong=张^小东="),
    ("ISO_IR 192", b"Wang^XiaoDong=\xe7\x8e\x8b^\xe5\xb0\x8f\xe6\x9d\xb1=", "Wang^XiaoDong=王^小東="),
    ("GB18030", b"Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab=", "Wang^XiaoDong=王^小东="),
    ("\\ISO 2022 IR 159", b"\x1b$(D0!\x1b(B^A", "丂^A"),
]


@pytest.mark.parametrize(("character_set", "value", "expected"), EXAMPLES)
def test_examples_of_the_standard(character_set: str, value: bytes, expected: str) -> None:
    assert parse_character_set(character_set.encode()).decode(value, delimiters=PN_DELIMITERS) == expected


@pytest.mark.parametrize(
    ("term", "value", "expected"),
    [
        ("ISO_IR 100", b"\xe4", "ä"),
        ("ISO_IR 101", b"\xb1", "ą"),
        ("ISO_IR 109", b"\xa1", "Ħ"),
        ("ISO_IR 110", b"\xb1", "ą"),
        ("ISO_IR 144", b"\xbb", "Л"),
        ("ISO_IR 127", b"\xe2", "ق"),
        ("ISO_IR 126", b"\xc4", "Δ"),
        ("ISO_IR 138", b"\xf9", "ש"),
        ("ISO_IR 148", b"\xfd", "ı"),
        ("ISO_IR 203", b"\xa4", "€"),
        ("ISO_IR 13", b"\xd4", "ﾔ"),
        ("ISO_IR 166", b"\xb9", "น"),
        ("GBK", b"\xcd\xf5", "王"),
        ("ISO_IR100", b"\xe4", "ä"),
        ("ISO IR 100", b"\xe4", "ä"),
        ("iso-ir-100 ", b"\xe4", "ä"),
        ("ISO 2022 IR 100", b"\xe4", "ä"),
        ("ISO_2022_IR_100", b"\xe4", "ä"),
        ("ISO8859-1", b"\xe4", "ä"),
        ("ISO_8859-5", b"\xbb", "Л"),
        ("latin1", b"\xe4", "ä"),
        ("UTF-8", b"\xc3\xa4", "ä"),
        ("utf8", b"\xc3\xa4", "ä"),
        ("ISO 2022 IR 192", b"\xc3\xa4", "ä"),
        ("\\ISO_IR 192", b"\xc3\xa4", "ä"),
        ("ISO 2022 IR 149", b"\xb1\xe6", "길"),
        ("ISO 2022 IR 58", b"\xd5\xc5", "张"),
        ("ISO 2022 GBK", b"\xcd\xf5", "王"),
        ("ISO 2022 IR 6", b"A\xe4", "Aä"),
        ("", b"\xe4", "ä"),
        ("no such set", b"\xe4", "ä"),
        ("ISO_IR 999", b"\xe4", "ä"),
    ],
)
def test_term_and_its_aliases_name_the_set(term: str, value: bytes, expected: str) -> None:
    assert parse_character_set(term.encode()).decode(value) == expected


@pytest.mark.parametrize(
    ("value", "delimiters", "expected"),
    [
        (b"\x1b-L\xbb\xe4", TEXT_DELIMITERS, "Лф"),
        (b"\x1b-L\xbb\\\xe4", TEXT_DELIMITERS, "Л\\ä"),
        (b"\x1b-L\xbb^\xe4", TEXT_DELIMITERS, "Л^ф"),
        (b"\x1b-L\xbb^\xe4", PN_DELIMITERS, "Л^ä"),
        (b"\x1b-L\xbb=\xe4", PN_DELIMITERS, "Л=ä"),
        (b"\x1b-L\xbb\r\n\xe4", NO_DELIMITERS, "Л\r\nä"),
        (b"\x1b-L\xbb\\\xe4", NO_DELIMITERS, "Л\\ф"),
    ],
)
def test_delimiter_of_the_vr_puts_the_first_set_back(value: bytes, delimiters: bytes, expected: str) -> None:
    character_set = parse_character_set(b"ISO 2022 IR 100\\ISO 2022 IR 144")
    assert character_set.decode(value, delimiters=delimiters) == expected


def test_control_character_ends_a_set_of_two_bytes() -> None:
    character_set = parse_character_set(b"\\ISO 2022 IR 87")
    assert character_set.decode(b"\x1b$B;3ED\r\nABC", delimiters=NO_DELIMITERS) == "山田\r\nABC"


def test_blank_within_a_set_of_two_bytes_stands_for_itself() -> None:
    assert parse_character_set(b"\\ISO 2022 IR 87").decode(b"\x1b$B;3 ED\x1b(B") == "山 田"


def test_set_stays_behind_a_delimiter_where_no_other_could_be_meant() -> None:
    character_set = parse_character_set(b"\\ISO 2022 IR 149")
    assert character_set.decode(b"\x1b$)C\xfb\xf3^\xd1\xce", delimiters=PN_DELIMITERS) == "洪^吉"


@pytest.mark.parametrize("sequence", [b"\x1b%G", b"\x1b$)B", b"\x1b-E", b"\x1b$(A", b"\x1b"])
def test_unknown_escape_sequence_is_left_in_the_text(sequence: bytes) -> None:
    assert parse_character_set(b"\\ISO 2022 IR 87").decode(b"A" + sequence + b" B") == "A" + sequence.decode() + " B"


def test_escape_character_means_nothing_in_unicode() -> None:
    assert parse_character_set(b"ISO_IR 192").decode(b"\x1b$B;3") == "\x1b$B;3"


@pytest.mark.parametrize(
    ("term", "value"),
    [
        ("ISO_IR 192", b"A\xff"),
        ("GB18030", b"A\xff"),
        ("ISO_IR 127", b"A\xff"),
        ("\\ISO 2022 IR 87", b"A\x1b$B\x7f\x7f"),
    ],
)
def test_bytes_that_a_set_does_not_define_are_replaced(term: str, value: bytes) -> None:
    decoded = parse_character_set(term.encode()).decode(value)
    assert decoded.startswith("A")
    assert "\N{REPLACEMENT CHARACTER}" in decoded


_ESCAPES = st.text("$()-ABCDEHIJLT@b", max_size=3).map(lambda letters: b"\x1b" + letters.encode())


@given(
    character_set=st.one_of(st.sampled_from([one[0] for one in EXAMPLES]).map(str.encode), st.binary(max_size=20)),
    value=st.lists(st.one_of(st.binary(max_size=6), _ESCAPES, st.just(b"\\"))),
    delimiters=st.sampled_from([PN_DELIMITERS, TEXT_DELIMITERS, NO_DELIMITERS]),
)
def test_any_bytes_give_text_without_surrogates(character_set: bytes, value: list[bytes], delimiters: bytes) -> None:
    parse_character_set(character_set).decode(b"".join(value), delimiters=delimiters).encode()


@pytest.mark.parametrize("name", sorted(CHARACTER_SETS.keys() - {"katakana"}))  # which pydicom cannot mix with ASCII
@given(data=st.data())
def test_text_that_pydicom_encodes_comes_back(name: str, data: st.DataObject) -> None:
    terms, alphabet = CHARACTER_SETS[name]
    text = data.draw(st.text(alphabet, max_size=12))
    with quiet_pydicom():
        encodings = convert_encodings(terms)
        encoded = encode_string(text, encodings)
        assert decode_bytes(encoded, encodings, set()) == text
    value = "\\".join([terms] if isinstance(terms, str) else terms).encode()
    assert parse_character_set(value).decode(encoded, delimiters=NO_DELIMITERS) == text


def test_default_repertoire_reads_latin_1_rather_than_losing_bytes() -> None:
    assert DEFAULT_CHARACTER_SET.decode(b"M\xfcller") == "Müller"
