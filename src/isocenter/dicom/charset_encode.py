"""Text to bytes in a Specific Character Set (PS3.3 C.12.1.1.2), the other way of `charset.py`.

With code extensions a run of characters that the initial set lacks stands behind the escape sequence of a set that the
attribute names, and every delimiter puts the initial set back (PS3.5 6.1.2.5.3). What no named set has cannot be
written: the caller learns of it and takes another set.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from isocenter.dicom.charset import DEFAULT_CHARACTER_SET, CharacterSet
from isocenter.dicom.dataset import SPECIFIC_CHARACTER_SET, Attribute, Dataset, character_set_of, has_charset_text
from isocenter.dicom.text import CHARSET_DELIMITERS

UTF_8_TERM = "ISO_IR 192"
_WHOLE = {"192": "utf-8", "GB18030": "gb18030", "GBK": "gbk"}
"""Sets without code extensions, which hold for the whole value."""
_TERM = re.compile(r"ISO[_ ](?:2022[_ ])?IR[_ ](\d+)")
_CONTROLS = "\t\n\f\r"
_ASCII, _ROMAJI = b"\x1b(B", b"\x1b(J"
"""What puts the initial set back behind one of two bytes."""


@dataclass(frozen=True, slots=True)
class _Coded:
    """A coded character set: its escape sequence (PS3.3 tables C.12-3 and C.12-4) and how Python writes it."""

    escape: bytes
    codec: str
    is_g0: bool = False

    def encode(self, text: str) -> bytes | None:
        """Return text in the bytes of this set alone, None where it lacks a character."""
        try:
            encoded = text.encode(self.codec)
        except UnicodeEncodeError:
            return None
        if self.is_g0:
            return _only_two_bytes(encoded, self.escape)
        if self.codec == "shift_jis":  # only the half of JIS X 0201 that has a byte for each character
            return encoded if len(encoded) == len(text) and all(byte >= 0x80 for byte in encoded) else None
        return encoded if all(byte >= 0x80 for byte in encoded) else None


def _only_two_bytes(encoded: bytes, escape: bytes) -> bytes | None:
    """Return what stands between the escape sequences that a codec of ISO 2022 writes."""
    if not encoded.startswith(escape) or not encoded.endswith(b"\x1b(B") or encoded.count(b"\x1b") != 2:
        return None
    return encoded[len(escape) : -3]


_CODED = {
    "100": _Coded(b"\x1b-A", "latin-1"),
    "101": _Coded(b"\x1b-B", "iso8859_2"),
    "109": _Coded(b"\x1b-C", "iso8859_3"),
    "110": _Coded(b"\x1b-D", "iso8859_4"),
    "126": _Coded(b"\x1b-F", "iso8859_7"),
    "127": _Coded(b"\x1b-G", "iso8859_6"),
    "138": _Coded(b"\x1b-H", "iso8859_8"),
    "144": _Coded(b"\x1b-L", "iso8859_5"),
    "148": _Coded(b"\x1b-M", "iso8859_9"),
    "166": _Coded(b"\x1b-T", "iso8859_11"),
    "203": _Coded(b"\x1b-b", "iso8859_15"),
    "13": _Coded(b"\x1b)I", "shift_jis"),
    "149": _Coded(b"\x1b$)C", "euc_kr"),
    "58": _Coded(b"\x1b$)A", "gb2312"),
    "87": _Coded(b"\x1b$B", "iso2022_jp", is_g0=True),
    "159": _Coded(b"\x1b$(D", "iso2022_jp_2", is_g0=True),
}


def encode_text(text: str, character_set: str, *, delimiters: bytes) -> bytes | None:
    """Return text in a character set, named as Specific Character Set names it; None where that cannot write it."""
    if text.isascii():
        return text.encode("ascii")
    terms = [_number(term) for term in character_set.split("\\")]
    whole = _WHOLE.get(terms[0])
    if whole is not None:
        try:
            return text.encode(whole)
        except UnicodeEncodeError:
            return None
    initial = _CODED.get(terms[0])
    if initial is not None and initial.is_g0:  # a two-byte set cannot be the first (PS3.3 C.12.1.1.2)
        initial = None
    others = [_CODED[term] for term in terms[1:] if term in _CODED]
    pattern = "([" + re.escape(delimiters.decode("ascii") + _CONTROLS) + "])"
    parts = [_component(part, initial, others) for part in re.split(pattern, text)]
    return None if None in parts else b"".join(part for part in parts if part is not None)


def can_be_written_in(character_set: str) -> bool:
    """Tell whether text can be written in a character set, named as Specific Character Set names it."""
    first, *others = (_number(term) for term in character_set.split("\\"))
    if first in _WHOLE:
        return not others
    is_first = (first in _CODED and not _CODED[first].is_g0) or (not first and bool(others))
    return is_first and all(term in _CODED for term in others)


def _number(term: str) -> str:
    found = _TERM.fullmatch(term.strip())
    return found[1] if found else term.strip()


def _component(text: str, initial: _Coded | None, others: list[_Coded]) -> bytes | None:
    """Return text between two delimiters; the initial set holds at its beginning."""
    back = _ROMAJI if initial is _CODED["13"] else _ASCII
    out = bytearray()
    invoked, last = initial, initial
    for letter in text:
        if letter.isascii():
            out += letter.encode("ascii")
            last = None
            continue
        chosen, encoded = _choose(letter, invoked, initial, others)
        if chosen is None:
            return None
        if chosen.is_g0:
            if chosen is last:
                del out[-len(back) :]
            out += (b"" if chosen is last else chosen.escape) + encoded + back
        else:
            out += (b"" if chosen is invoked else chosen.escape) + encoded
            invoked = chosen
        last = chosen
    return bytes(out)


def _choose(
    letter: str, current: _Coded | None, initial: _Coded | None, others: list[_Coded]
) -> tuple[_Coded | None, bytes]:
    for coded in (current, initial, *others):
        encoded = coded.encode(letter) if coded is not None else None
        if encoded is not None:
            return coded, encoded
    return None, b""


def with_character_set(dataset: Dataset, character_set: str) -> Dataset | None:
    """Return a data set with all its text in another character set, None where that cannot write it."""
    changed = _recoded(dataset, DEFAULT_CHARACTER_SET, character_set)
    if changed is None:
        return None
    if character_set:
        changed[SPECIFIC_CHARACTER_SET] = Attribute("CS", character_set.encode("ascii"))
    return dict(sorted(changed.items()))


def _recoded(dataset: Dataset, inherited: CharacterSet, character_set: str) -> dict[int, Attribute] | None:
    own = character_set_of(dataset, inherited)
    out: dict[int, Attribute] = {}
    for tag, attribute in dataset.items():
        if tag == SPECIFIC_CHARACTER_SET:
            continue
        changed = _recoded_attribute(attribute, own, character_set)
        if changed is None:
            return None
        out[tag] = changed
    return out


def _recoded_attribute(attribute: Attribute, own: CharacterSet, character_set: str) -> Attribute | None:
    if attribute.items:
        items = [_recoded(item, own, character_set) for item in attribute.items]
        return None if None in items else Attribute("SQ", items=tuple(item for item in items if item is not None))
    if not has_charset_text(attribute.vr) or not _needs_coding(attribute.value):
        return attribute
    delimiters = CHARSET_DELIMITERS[attribute.vr]
    encoded = encode_text(own.decode(attribute.value, delimiters=delimiters), character_set, delimiters=delimiters)
    return None if encoded is None else Attribute(attribute.vr, encoded)


def _needs_coding(value: bytes) -> bool:
    return not value.isascii() or b"\x1b" in value


def is_ascii(dataset: Dataset) -> bool:
    """Tell whether all text of a data set reads the same in every character set."""
    return all(
        all(is_ascii(item) for item in attribute.items)
        and not (has_charset_text(attribute.vr) and _needs_coding(attribute.value))
        for attribute in dataset.values()
    )
