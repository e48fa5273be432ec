"""Data sets of every VR, nested and private, for property tests."""

from __future__ import annotations

import string
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

PRIVATE_CREATOR = "ISOCENTER TESTS"

CHARACTER_SETS: dict[str, tuple[str | list[str], str]] = {
    "default": ("", string.ascii_letters),
    "latin 1": ("ISO_IR 100", "äöüßéÅ" + string.ascii_letters),
    "latin 2": ("ISO_IR 101", "ąłśžň" + string.ascii_letters),
    "cyrillic": ("ISO_IR 144", "Люксембг" + string.ascii_letters),
    "greek": ("ISO_IR 126", "Διονυσιος" + string.ascii_letters),
    "arabic": ("ISO_IR 127", "قباني" + string.ascii_letters),
    "hebrew": ("ISO_IR 138", "שרוןדבה" + string.ascii_letters),
    "turkish": ("ISO_IR 148", "ğışİ" + string.ascii_letters),
    "thai": ("ISO_IR 166", "นามสกล" + string.ascii_letters),
    "katakana": ("ISO_IR 13", "ﾔﾏﾀﾞﾀﾛｳ" + string.ascii_letters),
    "unicode": ("ISO_IR 192", "äЛ王山" + "\U0001d11e" + string.ascii_letters),
    "chinese": ("GB18030", "王小东张" + string.ascii_letters),
    "gbk": ("GBK", "王小东张" + string.ascii_letters),
    "japanese": (["", "ISO 2022 IR 87"], "山田太郎" + string.ascii_letters),
    "korean": (["", "ISO 2022 IR 149"], "김희중洪吉洞" + string.ascii_letters),
    "mixed": (["ISO 2022 IR 100", "ISO 2022 IR 144"], "Люкс" + string.ascii_letters),
}

_PLAIN = string.ascii_letters + string.digits + " _-"


def _plain(size_max: int, alphabet: str = _PLAIN) -> st.SearchStrategy[str]:
    return st.text(alphabet, min_size=1, max_size=size_max).map(str.strip).filter(bool)


def _many(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(values, max_size=3)


def _even(size_max: int) -> st.SearchStrategy[bytes]:
    return st.binary(max_size=size_max).map(lambda raw: raw + b"\0" * (-len(raw) % 8))


def _names(alphabet: str) -> st.SearchStrategy[str]:
    part = st.text(alphabet, min_size=1, max_size=5)
    group = st.lists(part, min_size=1, max_size=3).map("^".join)
    return st.lists(group, min_size=1, max_size=3).map("=".join)


def _integers(bits: int, *, signed: bool) -> st.SearchStrategy[int]:
    return st.integers(-(1 << bits - 1), (1 << bits - 1) - 1) if signed else st.integers(0, (1 << bits) - 1)


Entry = tuple[int, str, Callable[[str], st.SearchStrategy[Any]]]

_ENTRIES: tuple[Entry, ...] = (
    (0x00080054, "AE", lambda _: _many(_plain(16))),
    (0x00101010, "AS", lambda _: st.sampled_from(["", "034Y", "006M"])),
    (0x00280009, "AT", lambda _: _many(_integers(32, signed=False))),
    (0x00080008, "CS", lambda _: _many(_plain(16, string.ascii_uppercase + "_ "))),
    (0x00080020, "DA", lambda _: st.sampled_from(["", "20260228", "19991231"])),
    (0x00200032, "DS", lambda _: _many(st.floats(-1e6, 1e6).map(lambda number: f"{number:.6g}"))),
    (0x0008002A, "DT", lambda _: st.sampled_from(["", "20260228101112.123456+0100"])),
    (0x00189073, "FD", lambda _: _many(st.floats(allow_nan=False, allow_infinity=False))),
    (0x00189087, "FD", lambda _: st.floats(allow_nan=False, allow_infinity=False)),
    (0x00182043, "FL", lambda _: _many(st.floats(width=32, allow_nan=False, allow_infinity=False))),
    (0x00200013, "IS", lambda _: _integers(32, signed=True).map(str)),
    (0x00081160, "IS", lambda _: _many(_integers(32, signed=True).map(str))),
    (0x00081030, "LO", lambda letters: _many(_plain(20, letters))),
    (0x00102000, "LO", lambda letters: _many(_plain(20, letters))),
    (0x001021B0, "LT", lambda letters: _plain(60, letters + "\\")),
    (0x00420011, "OB", lambda _: _even(40)),
    (0x7FE00002, "OV", lambda _: _even(32)),
    (0x00660022, "OD", lambda _: _even(32)),
    (0x00660016, "OF", lambda _: _even(32)),
    (0x00660040, "OL", lambda _: _even(32)),
    (0x60003000, "OW", lambda _: _even(40)),
    (0x00100010, "PN", _names),
    (0x00081060, "PN", lambda letters: _many(_names(letters))),
    (0x00080050, "SH", lambda letters: _many(_plain(12, letters))),
    (0x00186020, "SL", lambda _: _integers(32, signed=True)),
    (0x00189219, "SS", lambda _: _integers(16, signed=True)),
    (0x00080081, "ST", lambda letters: _plain(60, letters + "\\")),
    (0x00720082, "SV", lambda _: _many(_integers(64, signed=True))),
    (0x00720083, "UV", lambda _: _many(_integers(64, signed=False))),
    (0x00080030, "TM", lambda _: st.sampled_from(["", "101112", "101112.123456"])),
    (0x00189908, "UC", lambda letters: _many(_plain(40, letters))),
    (0x00080018, "UI", lambda _: st.sampled_from(["1.2.3", "2.25.123456789012"])),
    (0x00081150, "UI", lambda _: _many(st.sampled_from(["1.2.3", "2.25.1234567890123"]))),
    (0x00081161, "UL", lambda _: _many(_integers(32, signed=False))),
    (0x00081190, "UR", lambda _: st.sampled_from(["", "http://example.test/a?b=c\\d"])),
    (0x00280010, "US", lambda _: _integers(16, signed=False)),
    (0x00280106, "US", lambda _: _integers(15, signed=False)),
    (0x0040A160, "UT", lambda letters: _plain(60, letters + "\\")),
)

_SEQUENCES = (0x00081110, 0x00400275, 0x0040A730)


@st.composite
def datasets(draw: st.DrawFn, *, depth: int = 0, alphabet: str | None = None) -> Dataset:
    """Draw a data set; those nested in it share its character set, or name another."""
    dataset = Dataset()
    if alphabet is None or draw(st.integers(0, 4)) == 0:
        character_set, alphabet = CHARACTER_SETS[draw(st.sampled_from(sorted(CHARACTER_SETS)))]
        dataset.SpecificCharacterSet = character_set or None
    for tag, vr, values in draw(st.lists(st.sampled_from(_ENTRIES), max_size=8, unique_by=lambda entry: entry[0])):
        dataset.add_new(tag, vr, draw(values(alphabet)))
    if draw(st.booleans()):
        block = dataset.private_block(0x0099, PRIVATE_CREATOR, create=True)
        block.add_new(0x01, "LO", draw(_plain(12, alphabet)))
        block.add_new(0x02, "US", draw(_integers(16, signed=False)))
        block.add_new(0x03, "SV", draw(_integers(64, signed=True)))
        block.add_new(0x04, "UN", draw(_even(20)))
    if depth < 3:
        for tag in draw(st.lists(st.sampled_from(_SEQUENCES), max_size=1)):
            items = draw(st.lists(datasets(depth=depth + 1, alphabet=alphabet), max_size=2))
            is_undefined = draw(st.booleans())
            for item in items:
                item.is_undefined_length_sequence_item = draw(st.booleans())
            dataset.add_new(tag, "SQ", Sequence(items))
            dataset[tag].is_undefined_length = is_undefined
    return dataset
