"""How the value of a key becomes a value of ours and back: one kind per sort of value."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from isocenter.domain.application_entity import (
    is_ae_title,
    parse_ae_address,
    parse_remote_ae,
    render_remote_ae,
)
from isocenter.domain.errors import InvalidRequest
from isocenter.domain.measures import format_duration, format_size, parse_duration, parse_size
from isocenter.routing.calendar import format_window, parse_window
from isocenter.routing.rules.errors import InvalidExpression
from isocenter.routing.rules.expression import Count, Fact, Path, Present
from isocenter.routing.rules.format import format_expression, format_operand
from isocenter.routing.rules.parse import parse_expression

TEXT_LENGTH_MAX = 10_240
"""What LT may have (PS3.5 table 6.2-1), the longest text that a step gives an attribute."""
LIST_LENGTH_MAX = 1024
NAME_PATTERN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,63})", re.ASCII)
NAME_EXPECTED = "a name of letters, digits, -, _ and ., up to 64 of them"
_MOMENT = re.compile(r"(?:[a-z,-]+ )?\d{1,2}:\d{2}", re.ASCII)


class Unfit(ValueError):
    """Says of a value why it cannot be, where that is more than what is expected."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A sort of value: what is expected, how to read it from TOML (ValueError if it is none), how to write it."""

    expected: str
    parse: Callable[[object], object]
    write: Callable[[Any], object] = lambda value: value


def _text(raw: object) -> str:
    if not isinstance(raw, str) or len(raw) > TEXT_LENGTH_MAX or "\0" in raw:
        raise ValueError
    return raw


def _line(raw: object) -> str:
    text = _text(raw)
    if not text.strip() or not text.isprintable():
        raise ValueError
    return text


def _boolean(raw: object) -> bool:
    if not isinstance(raw, bool):
        raise ValueError
    return raw


def _name(raw: object) -> str:
    if NAME_PATTERN.fullmatch(_text(raw)) is None:
        raise ValueError
    return _text(raw)


def _measured(parse: Callable[[str], float | int | None]) -> Callable[[object], object]:
    def read(raw: object) -> float | int:
        found = parse(_text(raw))
        if found is None:
            raise ValueError
        return found

    return read


def _rate(text: str) -> int | None:
    return parse_size(text.removesuffix("/s")) if text.endswith("/s") else None


def _refined(parse: Callable[[str], object]) -> Callable[[object], object]:
    """Return a reader whose own errors are told."""

    def read(raw: object) -> object:
        try:
            return parse(_text(raw))
        except InvalidExpression as error:
            pointed = error.pointed_at(_text(raw)).replace("\n", "\n    ")
            raise Unfit(f"The condition cannot be read.\n    {pointed}") from error
        except InvalidRequest as error:
            raise Unfit(error.message) from error

    return read


def integer(lowest: int, highest: int) -> Kind:
    """Return the kind of a whole number within bounds."""

    def read(raw: object) -> int:
        if not isinstance(raw, int) or isinstance(raw, bool) or not lowest <= raw <= highest:
            raise ValueError
        return raw

    return Kind(f"a whole number from {lowest} to {highest}", read)


def number(lowest: float, highest: float) -> Kind:
    """Return the kind of a number within bounds."""

    def read(raw: object) -> float:
        if not isinstance(raw, int | float) or isinstance(raw, bool) or not lowest <= raw <= highest:
            raise ValueError
        return float(raw)

    return Kind(f"a number from {lowest:g} to {highest:g}", read)


def choice(words: type[StrEnum]) -> Kind:
    """Return the kind of one word out of a few."""
    return Kind(
        "one of " + ", ".join(f'"{word}"' for word in words), lambda raw: words(_text(raw)), lambda value: value.value
    )


def list_of(inner: Kind, *, expected: str, is_single_allowed: bool = False) -> Kind:
    """Return the kind of a list."""

    def read(raw: object) -> tuple[object, ...]:
        items = [raw] if is_single_allowed and isinstance(raw, str) else raw
        if not isinstance(items, list) or len(items) > LIST_LENGTH_MAX:
            raise ValueError
        return tuple(inner.parse(item) for item in items)

    def write(values: tuple[Any, ...]) -> object:
        written = [inner.write(value) for value in values]
        return written[0] if is_single_allowed and len(written) == 1 else written

    return Kind(expected, read, write)


def _table(raw: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(raw, dict) or len(raw) > LIST_LENGTH_MAX:
        raise ValueError
    return tuple((key, _text(value)) for key, value in raw.items())


def _titles(raw: object) -> tuple[tuple[str, str], ...]:
    titles = _table(raw)
    if not all(is_ae_title(title) for pair in titles for title in pair):
        raise ValueError
    return titles


def _title(raw: object) -> str:
    if not is_ae_title(_text(raw)):
        raise ValueError
    return _text(raw).strip(" ")


def _url(raw: object) -> str:
    text = _line(raw).rstrip("/")
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError
    if parts.username or parts.password:
        raise Unfit("An address holds no user name and no password; they stand in an authentication table.")
    return text


def _path(text: str) -> Path:
    """Return the attribute that a step names."""
    read = parse_expression(f"{text} is present")
    if not isinstance(read, Present) or isinstance(read.operand, Fact | Count):
        raise InvalidRequest("A step names one attribute by keyword or tag, such as PatientID.")
    return read.operand


def _moment(raw: object) -> str:
    text = _text(raw).strip().lower()
    if _MOMENT.fullmatch(text) is None:
        raise ValueError
    try:
        parse_window(f"{text}-24:00")
    except InvalidRequest as error:
        raise Unfit(error.message) from error
    return text


TEXT = Kind("a text", _text)
LINE = Kind("a text of one line that is not blank", _line)
BOOLEAN = Kind("true or false", _boolean)
NAME = Kind(NAME_EXPECTED, _name)
SECRET = Kind("the name of a secret, which is " + NAME_EXPECTED, _name)
SIZE = Kind('a size, for example "64MiB"', _measured(parse_size), format_size)
RATE = Kind('a rate, for example "20MB/s"', _measured(_rate), lambda value: format_size(value) + "/s")
DURATION = Kind('a duration, for example "30s", "5min" or "7d"', _measured(parse_duration), format_duration)
AE_ENDPOINT = Kind('"TITLE@HOST:PORT"', _refined(parse_ae_address), str)
REMOTE = Kind('"TITLE@HOST:PORT", with options as in `dicom.remotes`', _refined(parse_remote_ae), render_remote_ae)
AE_TITLES = list_of(Kind("an AE title", _title), expected='a list of AE titles, for example ["CT1", "CT2"]')
TITLE_MAP = Kind('a table of AE titles, for example { CT1 = "CT1_ROUTED" }', _titles, dict)
NAMES = list_of(NAME, expected='a list of names, for example ["pacs", "cloud"]')
URL = Kind('an address such as "https://archive.example.org/dicom-web"', _url)
WINDOW = Kind('hours such as "mon-fri 07:00-19:00"', _refined(parse_window), format_window)
CALENDAR = list_of(
    WINDOW, expected='a list of hours such as ["mon-fri 18:00-07:00", "sat,sun"]', is_single_allowed=True
)
MOMENTS = list_of(
    Kind("a time", _moment), expected='a list of times such as ["mon-fri 19:00", "sat 12:00"]', is_single_allowed=True
)
CONDITION = Kind("a condition such as 'Modality = \"CT\"'", _refined(parse_expression), format_expression)
ATTRIBUTE = Kind("an attribute by keyword or tag, such as PatientID", _refined(_path), format_operand)
VALUES = list_of(TEXT, expected="a text, or a list of texts for several values", is_single_allowed=True)
VALUE_TABLE = Kind('a table of texts, for example { THORAX = "CHEST" }', _table, dict)
TEXTS = list_of(LINE, expected="a list of texts")
