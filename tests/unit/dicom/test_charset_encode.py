from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.charset import convert_encodings, decode_bytes

from isocenter.dicom.charset import parse_character_set
from isocenter.dicom.charset_encode import UTF_8_TERM, encode_text, is_ascii, with_character_set
from isocenter.dicom.dataset import SPECIFIC_CHARACTER_SET, Attribute, Dataset, texts_of
from isocenter.dicom.text import CHARSET_DELIMITERS
from tests.support.dicom_datasets import CHARACTER_SETS

PN = CHARSET_DELIMITERS["PN"]
PATIENT_NAME, STEPS = 0x00100010, 0x00400100
SETS = {
    name: ("\\".join(term) if isinstance(term, list) else term, letters)
    for name, (term, letters) in CHARACTER_SETS.items()
}


@pytest.mark.parametrize("name", sorted(SETS))
@settings(max_examples=25)
@given(data=st.data())
def test_text_of_a_set_reads_the_same_after_it_was_written(name: str, data: st.DataObject) -> None:
    term, letters = SETS[name]
    parts = st.lists(st.text(letters, min_size=1, max_size=6), min_size=1, max_size=5)
    text = data.draw(st.lists(parts.map("^".join), min_size=1, max_size=3).map("=".join))
    encoded = encode_text(text, term, delimiters=PN)
    assert encoded is not None
    assert parse_character_set(term.encode()).decode(encoded, delimiters=PN) == text
    terms = term.split("\\") if term else "ISO_IR 6"
    assert decode_bytes(encoded, convert_encodings(terms), set(PN)) == text


@pytest.mark.parametrize(
    ("term", "text"),
    [
        ("", "Müller"),
        ("ISO_IR 100", "山田"),
        ("ISO_IR 13", "山田"),
        ("\\ISO 2022 IR 87", "김희중"),
        ("ISO 2022 IR 87", "山田"),
        ("GBK", "\U0001d11e"),
        ("ISO_IR 100", "Müller^山"),
        ("no such term", "ü"),
    ],
)
def test_text_that_a_set_lacks_is_not_written(term: str, text: str) -> None:
    assert encode_text(text, term, delimiters=PN) is None


@pytest.mark.parametrize(
    ("term", "text", "expected"),
    [
        # The examples of PS3.5 H.3.1, H.3.2 and I.2
        (
            "\\ISO 2022 IR 87",
            "Yamada^Tarou=山田^太郎=やまだ^たろう",
            b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
        ),
        (
            "ISO 2022 IR 13\\ISO 2022 IR 87",
            "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
            b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J",
        ),
        (
            "\\ISO 2022 IR 149",
            "Hong^Gildong=洪^吉洞=홍^길동",
            b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
        ),
    ],
)
def test_the_examples_of_the_standard_come_out_byte_for_byte(term: str, text: str, expected: bytes) -> None:
    assert encode_text(text, term, delimiters=PN) == expected


def _dataset(name: bytes, term: str) -> Dataset:
    named = {SPECIFIC_CHARACTER_SET: Attribute("CS", term.encode())} if term else {}
    return named | {PATIENT_NAME: Attribute("PN", name)}


def test_a_data_set_changes_its_set_at_every_level() -> None:
    dataset = dict(_dataset("Müller".encode("latin-1"), "ISO_IR 100"))
    own = _dataset("Дерек".encode("iso8859_5"), "ISO_IR 144")
    dataset[STEPS] = Attribute("SQ", items=(_dataset("Jörg".encode("latin-1"), ""), own))
    changed = with_character_set(dataset, UTF_8_TERM)
    assert changed is not None
    utf_8 = parse_character_set(UTF_8_TERM.encode())
    assert changed[SPECIFIC_CHARACTER_SET].value == UTF_8_TERM.encode()
    assert texts_of(changed[PATIENT_NAME], utf_8) == ("Müller",)
    assert [texts_of(item[PATIENT_NAME], utf_8) for item in changed[STEPS].items] == [("Jörg",), ("Дерек",)]
    assert SPECIFIC_CHARACTER_SET not in changed[STEPS].items[1]
    assert with_character_set(dataset, "ISO_IR 100") is None


def test_plain_text_needs_no_set() -> None:
    assert is_ascii(_dataset(b"Doe^Jane", "ISO_IR 100"))
    assert not is_ascii(_dataset("Doe^Zoë".encode(), "ISO_IR 192"))
    assert not is_ascii(_dataset(b"\x1b$B;3ED\x1b(B", "\\ISO 2022 IR 87"))
    assert not is_ascii({STEPS: Attribute("SQ", items=(_dataset("Zoë".encode(), ""),))})
    assert with_character_set(_dataset(b"Doe^Jane", "ISO_IR 100"), "") == _dataset(b"Doe^Jane", "")
