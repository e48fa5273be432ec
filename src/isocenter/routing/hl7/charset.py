"""The character sets that MSH-18 names (HL7 table 0211), as Python knows them.

Those of two or four bytes for every character are left out: MLLP cannot carry them.
"""

from __future__ import annotations

import re

_CODECS = {
    "ASCII": "ascii",
    "UNICODE UTF-8": "utf-8",
    "UTF-8": "utf-8",
    "ISO IR6": "ascii",
    "ISO IR14": "iso2022_jp",
    "ISO IR87": "iso2022_jp",
    "ISO IR159": "iso2022_jp_1",
    "GB 18030-2000": "gb18030",
    "KS X 1001": "euc_kr",
    "BIG-5": "big5",
}
_LATIN = re.compile(r"(?:ISO ?)?8859[/-](1[0-5]|[1-9])")
_FALLBACK = "latin-1"
"""Has a character for every byte, so that whatever a sender says about itself, its ASCII fields can be read."""


def codec_of(name: str) -> str:
    """Return the codec for a name of MSH-18; what nobody knows is taken for UTF-8, which text in others hardly is."""
    plain = name.strip().upper()
    part = _LATIN.fullmatch(plain)
    if part is not None:
        return f"iso8859_{part[1]}"
    return _CODECS.get(plain, "utf-8")


def decode_text(content: bytes, codec: str) -> str:
    """Return bytes as text; where they are not what they should be, as UTF-8, and then byte by byte."""
    for candidate in (codec, "utf-8"):
        try:
            return content.decode(candidate)
        except UnicodeDecodeError:
            continue
    return content.decode(_FALLBACK)
