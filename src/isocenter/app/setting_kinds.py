"""How the text of a setting becomes a value and back: one kind per sort of value.

A value in the settings file may already be a number, a truth value or a list; from flags and
environment everything is text. Both go through the same kind.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from isocenter.domain.measures import parse_duration, parse_size

PORT_MAX = 65535

_SIZE_UNITS = {"Ti": 1024**4, "Gi": 1024**3, "Mi": 1024**2, "Ki": 1024}
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252})")


@dataclass(frozen=True, slots=True)
class Address:
    """A host and port to listen on."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Tell whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


@dataclass(frozen=True, slots=True)
class Kind:
    """A sort of value: what it looks like in words, how to read it (ValueError if it is none), how to write it."""

    expected: str
    parse: Callable[[object], object]
    render: Callable[[object], str] = str


def choice_of(*choices: str) -> Kind:
    """Return the kind of one word out of a few."""

    def parse(raw: object) -> str:
        if isinstance(raw, str) and raw.strip().lower() in choices:
            return raw.strip().lower()
        raise ValueError

    return Kind("one of " + ", ".join(choices) if len(choices) > 1 else f"only {choices[0]}, for now", parse)


def _parse_path(raw: object) -> Path:
    if isinstance(raw, Path):
        return raw
    if not isinstance(raw, str) or not raw.strip() or "\0" in raw:
        raise ValueError
    return Path(raw).expanduser()


def _parse_address(raw: object) -> Address:
    if not isinstance(raw, str):
        raise ValueError
    host, colon, port = raw.strip().rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not colon or not bare or not port.isdecimal() or int(port) > PORT_MAX:
        raise ValueError
    if bare == host and ":" in bare:
        raise ValueError
    if bare != host:
        ipaddress.IPv6Address(bare)
    elif not _HOST.fullmatch(bare):
        raise ValueError
    return Address(bare, int(port))


def _parse_names(raw: object) -> tuple[str, ...]:
    if isinstance(raw, str):
        items = [item.strip() for item in raw.split(",")]
    elif isinstance(raw, list) and all(isinstance(item, str) for item in raw):
        items = [item.strip() for item in raw]
    else:
        raise ValueError
    names = tuple(item for item in items if item)
    if not all(_HOST.fullmatch(name) for name in names):
        raise ValueError
    return names


def _parse_size(raw: object) -> int:
    if isinstance(raw, int) and not isinstance(raw, bool) and raw >= 0:
        return raw
    size_bytes = parse_size(raw) if isinstance(raw, str) else None
    if size_bytes is None:
        raise ValueError
    return size_bytes


def _render_size(value: object) -> str:
    assert isinstance(value, int)
    for unit, factor in _SIZE_UNITS.items():
        if value and value % factor == 0:
            return f"{value // factor}{unit}B"
    return str(value)


def _parse_duration(raw: object) -> float:
    if isinstance(raw, int | float) and not isinstance(raw, bool) and 0 <= raw < float("inf"):
        return float(raw)
    duration_s = parse_duration(raw) if isinstance(raw, str) else None
    if duration_s is None:
        raise ValueError
    return duration_s


def _render_duration(value: object) -> str:
    assert isinstance(value, float)
    return f"{int(value)}s" if value.is_integer() else f"{Decimal(repr(value)):f}s"


def _render_names(value: object) -> str:
    assert isinstance(value, tuple)
    return ",".join(value)


PATH = Kind("the path of a folder", _parse_path)
ADDRESS = Kind("HOST:PORT, for example 127.0.0.1:8080 or [::1]:8080", _parse_address)
NAMES = Kind("host names, separated by commas", _parse_names, _render_names)
SIZE = Kind("a size, for example 64MiB", _parse_size, _render_size)
DURATION = Kind("a duration, for example 60s, 500ms or 2h", _parse_duration, _render_duration)
