"""Specific Character Set (PS3.3 C.12.1.1.2): bytes of text to str, for every set of the standard.

With code extensions a text is a run of bytes with escape sequences between (PS3.5 6.1.2.5). At any time one set is
invoked in G0 (bytes below 80) and one in G1 (bytes from 80 on); an escape sequence designates another for one of the
two; a delimiter of the VR or a control character puts both back to what the first value of the attribute says.
Nothing here raises: bytes that a set does not define become U+FFFD.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

ESCAPE = 0x1B
_TERMS_LENGTH_MAX = 512
"""All the defined terms together take less."""

_LATIN_1 = "latin-1"
_CACHE_SIZE = 128
"""Distinct values of Specific Character Set in one archive are few."""


@dataclass(frozen=True, slots=True)
class _Set:
    """A coded character set: how Python reads its bytes, with what before them, in what unit."""

    codec: str
    prefix: bytes = b""
    is_multi_byte_g0: bool = False


_ASCII = _Set("ascii")
_ROMAJI = _Set("shift_jis")
_JIS_X_0208 = _Set("iso2022_jp", b"\x1b$B", is_multi_byte_g0=True)
_JIS_X_0212 = _Set("iso2022_jp_2", b"\x1b$(D", is_multi_byte_g0=True)

# PS3.3 tables C.12-3 and C.12-4: escape sequence without ESC, the code element it designates, the set.
_ESCAPES: dict[bytes, tuple[int, _Set]] = {
    b"(B": (0, _ASCII),
    b"(J": (0, _ROMAJI),
    b"$B": (0, _JIS_X_0208),
    b"$@": (0, _JIS_X_0208),
    b"$(B": (0, _JIS_X_0208),
    b"$(D": (0, _JIS_X_0212),
    b")I": (1, _Set("shift_jis")),
    b"$)C": (1, _Set("euc_kr")),
    b"$)A": (1, _Set("gbk")),
    b"-A": (1, _Set(_LATIN_1)),
    b"-B": (1, _Set("iso8859_2")),
    b"-C": (1, _Set("iso8859_3")),
    b"-D": (1, _Set("iso8859_4")),
    b"-F": (1, _Set("iso8859_7")),
    b"-G": (1, _Set("iso8859_6")),
    b"-H": (1, _Set("iso8859_8")),
    b"-L": (1, _Set("iso8859_5")),
    b"-M": (1, _Set("iso8859_9")),
    b"-T": (1, _Set("iso8859_11")),
    b"-b": (1, _Set("iso8859_15")),
}
_ESCAPE_PATTERN = re.compile(rb"\x1b(" + b"|".join(map(re.escape, _ESCAPES)) + rb")")
_SINGLE_BYTES = re.compile(rb"([\x00-\x20]+)")
_RUNS = re.compile(rb"[\x80-\xff]+|[\x00-\x7f]+")

# Defined terms without what is not a letter or digit, and aliases that occur in the wild.
_SINGLE_VALUED: dict[str, str] = {
    "ISOIR192": "utf-8",
    "UTF8": "utf-8",
    "ISO2022IR192": "utf-8",
    "GB18030": "gb18030",
    "GBK": "gbk",
    "ISO2022GBK": "gbk",
    "GB2312": "gbk",
    "SHIFTJIS": "shift_jis",
    "SJIS": "shift_jis",
    "EUCKR": "euc_kr",
    "EUCJP": "euc_jp",
    "BIG5": "big5",
    "WINDOWS1252": "cp1252",
    "CP1252": "cp1252",
    "WINDOWS1251": "cp1251",
    "CP1251": "cp1251",
}
_G1_BY_NUMBER: dict[str, str] = {
    "100": _LATIN_1,
    "101": "iso8859_2",
    "109": "iso8859_3",
    "110": "iso8859_4",
    "126": "iso8859_7",
    "127": "iso8859_6",
    "138": "iso8859_8",
    "144": "iso8859_5",
    "148": "iso8859_9",
    "166": "iso8859_11",
    "203": "iso8859_15",
    "13": "shift_jis",
    "149": "euc_kr",
    "58": "gbk",
}
_ALIASES = {"LATIN1": "100", "ASCII": "6", "USASCII": "6", "KSC5601": "149", "KSX1001": "149"}
_ISO_TERM = re.compile(r"ISO(?:IR|2022IR|2022)?(\d{1,3})")
_ISO_8859_TERM = re.compile(r"ISO8859(\d{1,2})")
_NOT_ALPHANUMERIC = re.compile(r"[^0-9A-Z]")


@dataclass(frozen=True, slots=True)
class CharacterSet:
    """What Specific Character Set says about the text of a data set."""

    whole_codec: str | None
    """Set where text without escape sequences is read by this codec as a whole."""
    is_extensible: bool
    g0: _Set = _ASCII
    g1: _Set | None = None

    def decode(self, value: bytes, *, delimiters: bytes = b"\\") -> str:
        """Return the text of a value whose VR has these delimiters (PS3.5 6.1.2.5.3)."""
        if self.is_extensible and ESCAPE in value:
            return _decode_extended(value, self, delimiters)
        codec = self.whole_codec or _LATIN_1
        try:
            return value.decode(codec)
        except UnicodeDecodeError:
            return value.decode(codec, "replace")


PN_DELIMITERS = b"\\^="
TEXT_DELIMITERS = b"\\"
NO_DELIMITERS = b""

DEFAULT_CHARACTER_SET = CharacterSet(None, is_extensible=True)


@lru_cache(maxsize=_CACHE_SIZE)
def parse_character_set(value: bytes) -> CharacterSet:
    """Return the meaning of the bytes of Specific Character Set; what is unknown counts as the default repertoire."""
    terms = [_bare_term(term) for term in value[:_TERMS_LENGTH_MAX].decode(_LATIN_1).split("\\")]
    first = terms[0]
    whole = _SINGLE_VALUED.get(first)
    if whole is not None:
        return CharacterSet(whole, is_extensible=False)
    if not first and len(terms) > 1 and (only := _SINGLE_VALUED.get(terms[1])) is not None:
        return CharacterSet(only, is_extensible=False)
    codec = _g1_codec(first)
    if codec is None:
        return DEFAULT_CHARACTER_SET
    g0 = _ROMAJI if codec == "shift_jis" else _ASCII
    return CharacterSet(codec, is_extensible=True, g0=g0, g1=_Set(codec))


def _bare_term(term: str) -> str:
    return _NOT_ALPHANUMERIC.sub("", term.upper())


def _g1_codec(term: str) -> str | None:
    part = _ISO_8859_TERM.fullmatch(term)
    if part is not None and 1 <= int(part.group(1)) <= 15 and part.group(1) != "12":
        return _LATIN_1 if part.group(1) == "1" else "iso8859_" + part.group(1)
    number = _ALIASES.get(term)
    if number is None:
        matched = _ISO_TERM.fullmatch(term)
        number = matched.group(1) if matched else ""
    return _G1_BY_NUMBER.get(number)


def _decode_extended(value: bytes, character_set: CharacterSet, delimiters: bytes) -> str:
    """Decode text that has escape sequences."""
    reset = re.compile(b"[" + re.escape(delimiters) + rb"\t\n\f\r]")
    g0, g1 = character_set.g0, character_set.g1
    pieces = _ESCAPE_PATTERN.split(value)
    out: list[str] = []
    for position, piece in enumerate(pieces):
        if position % 2:
            element, designated = _ESCAPES[piece]
            if element == 0:
                g0 = designated
            else:
                g1 = designated
            continue
        for run in _split_runs(piece):
            if run[0] >= 0x80:
                out.append(_decode_run(run, g1 or _Set(_LATIN_1)))
            elif g0.is_multi_byte_g0:
                text, g0 = _decode_multi_byte(run, g0, character_set.g0)
                out.append(text)
            else:
                out.append(_decode_run(run, g0))
                if reset.search(run):
                    # A set in G1 that was designated but is not the initial one ends here; where there is no initial
                    # one it stays, because senders forget to designate it again and nothing else can be meant.
                    g0, g1 = character_set.g0, character_set.g1 or g1
    return "".join(out)


def _split_runs(piece: bytes) -> list[bytes]:
    return _RUNS.findall(piece)


def _decode_run(run: bytes, coded: _Set) -> str:
    return (coded.prefix + run).decode(coded.codec, "replace")


def _decode_multi_byte(run: bytes, coded: _Set, initial: _Set) -> tuple[str, _Set]:
    """Decode a run in a two-byte G0 set; blanks stand for themselves, a control character ends the set."""
    out: list[str] = []
    for part in _SINGLE_BYTES.split(run):
        if not part:
            continue
        if part[0] > 0x20:
            out.append(_decode_run(part, coded))
            continue
        out.append(part.decode(_LATIN_1))
        if part.strip(b" "):
            coded = initial
    return "".join(out), coded
