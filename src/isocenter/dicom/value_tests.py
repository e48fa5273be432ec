"""Test all values of one VR at once: true only where each of them is valid by `vr_rules`.

Values are joined and looked at by calls that run without the interpreter. A test may fail for what is valid: text that
is no ASCII, values that are padded more than need be, padding by NUL. Whoever asks looks at single values then.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial

from isocenter.dicom.vr_rules import INTEGER_MAX, INTEGER_MIN, LENGTHS_MAX, NAME_COMPONENTS_MAX, NAME_GROUP_LENGTH_MAX

ValueTest = Callable[[Sequence[bytes]], bool]

_BACKSLASH = b"\\"
_PRINTABLE = bytes(range(0x20, 0x7F))
_CODE_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_ \\"
_UID_LETTERS = b"0123456789.\\"
_NUMBER_LETTERS = b"0123456789+-.eE \\"
_DIGITS_AND_SIGNS = b"0123456789+- \\"
_LINES = _PRINTABLE + b"\t\n\f\r"


def _list_of(value: bytes) -> re.Pattern[bytes]:
    """Return the pattern of one or more values with backslashes between, each with blanks behind it."""
    return re.compile(value + rb" *(?:\\" + value + rb" *)*")


_DAY = rb"(?:0[1-9]|1[0-2])(?:0[1-9]|1\d|2[0-8])"
_TIME = rb"(?:[01]\d|2[0-3])(?:[0-5]\d(?:[0-5]\d(?:\.\d{1,6})?)?)?"
_AGES = _list_of(rb"\d{3}[DWMY]")
_DATES = _list_of(rb"\d{4}" + _DAY)
_TIMES = _list_of(_TIME)
_DATE_TIMES = _list_of(rb"\d{4}(?:" + _DAY + rb"(?:" + _TIME + rb")?)?(?:[+-](?:0\d|1[0-4])[0-5]\d)?")
_LEADING_ZERO = re.compile(rb"(?:^|[.\\])0[0-9]")


def _fits(values: Sequence[bytes], *, letters: bytes, longest: int) -> bool:
    joined = _BACKSLASH.join(values)
    return not joined.translate(None, letters) and max(map(len, joined.split(_BACKSLASH))) <= longest


def _matches(values: Sequence[bytes], *, pattern: re.Pattern[bytes]) -> bool:
    return pattern.fullmatch(_BACKSLASH.join(values)) is not None


def _are_texts(values: Sequence[bytes], *, longest: int) -> bool:
    return not b"".join(values).translate(None, _LINES) and max(map(len, values)) <= longest


def _are_uris(values: Sequence[bytes]) -> bool:
    return not b"".join(values).translate(None, _PRINTABLE) and not any(value[:1] == b" " for value in values)


def _are_unlimited(values: Sequence[bytes], *, letters: bytes) -> bool:
    return not b"".join(values).translate(None, letters)


def _are_names(values: Sequence[bytes]) -> bool:
    joined = b"".join(values)
    return (
        not joined.translate(None, _PRINTABLE)
        and b"=" not in joined
        and max(map(len, values)) <= NAME_GROUP_LENGTH_MAX
        and max([value.count(b"^") for value in values]) < NAME_COMPONENTS_MAX
    )


def _are_uids(values: Sequence[bytes]) -> bool:
    joined = _BACKSLASH.join([value.rstrip(b"\0 ") for value in values])
    if joined.translate(None, _UID_LETTERS) or max(map(len, joined.split(_BACKSLASH))) > LENGTHS_MAX["UI"]:
        return False
    return (b".0" not in joined and b"\\0" not in joined and joined[:1] != b"0") or not _LEADING_ZERO.search(joined)


def _are_decimals(values: Sequence[bytes]) -> bool:
    joined = _BACKSLASH.join(values)
    parts = joined.split(_BACKSLASH)
    if joined.translate(None, _NUMBER_LETTERS) or max(map(len, parts)) > LENGTHS_MAX["DS"]:
        return False
    try:
        list(map(float, parts))
    except ValueError:
        return False
    return True


def _are_integers(values: Sequence[bytes]) -> bool:
    joined = _BACKSLASH.join(values)
    parts = joined.split(_BACKSLASH)
    if joined.translate(None, _DIGITS_AND_SIGNS) or max(map(len, parts)) > LENGTHS_MAX["IS"]:
        return False
    try:
        numbers = list(map(int, parts))
    except ValueError:
        return False
    return min(numbers) >= INTEGER_MIN and max(numbers) <= INTEGER_MAX


VALUE_TESTS: dict[str, ValueTest] = {
    "AE": partial(_fits, letters=_PRINTABLE, longest=LENGTHS_MAX["AE"]),
    "AS": partial(_matches, pattern=_AGES),
    "CS": partial(_fits, letters=_CODE_LETTERS, longest=LENGTHS_MAX["CS"]),
    "DA": partial(_matches, pattern=_DATES),
    "DS": _are_decimals,
    "DT": partial(_matches, pattern=_DATE_TIMES),
    "IS": _are_integers,
    "LO": partial(_fits, letters=_PRINTABLE, longest=LENGTHS_MAX["LO"]),
    "LT": partial(_are_texts, longest=LENGTHS_MAX["LT"]),
    "PN": _are_names,
    "SH": partial(_fits, letters=_PRINTABLE, longest=LENGTHS_MAX["SH"]),
    "ST": partial(_are_texts, longest=LENGTHS_MAX["ST"]),
    "TM": partial(_matches, pattern=_TIMES),
    "UC": partial(_are_unlimited, letters=_PRINTABLE),
    "UI": _are_uids,
    "UR": _are_uris,
    "UT": partial(_are_unlimited, letters=_LINES),
}
"""By VR; a VR that has none takes any value. None of them may be called without values."""
