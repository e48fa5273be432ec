"""How the settings of the web server and of identity become values and back."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import TypeAlias
from urllib.parse import urlsplit

from isocenter.app.setting_kinds import ADDRESS, Address, Kind
from isocenter.domain.role import find_role

ITEMS_MAX = 1000
"""More than any list of names or networks has."""
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


def _items(raw: object, separator: str) -> list[str]:
    if isinstance(raw, str):
        items = raw.split(separator)
    elif isinstance(raw, list) and all(isinstance(item, str) for item in raw):
        items = raw
    else:
        raise ValueError
    if len(items) > ITEMS_MAX:
        raise ValueError
    return [item.strip() for item in items if item.strip()]


def _parse_optional_address(raw: object) -> Address | None:
    if isinstance(raw, str) and not raw.strip():
        return None
    parsed = ADDRESS.parse(raw)
    assert isinstance(parsed, Address)
    return parsed


def _parse_networks(raw: object) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(item) for item in _items(raw, ","))


def _origin(text: str) -> str:
    if text == "*":
        return text
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or text != f"{parts.scheme}://{parts.netloc}":
        raise ValueError
    return text.lower()


def _header(text: str) -> str:
    if not _HEADER.fullmatch(text):
        raise ValueError
    return text


def _listed(check: Callable[[str], str]) -> Callable[[object], tuple[str, ...]]:
    def parse(raw: object) -> tuple[str, ...]:
        return tuple(check(item) for item in _items(raw, ","))

    return parse


def _web_address(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError
    return text.rstrip("/")


def _parse_web_address(raw: object) -> str:
    if not isinstance(raw, str):
        raise ValueError
    return _web_address(raw.strip()) if raw.strip() else ""


def _audience(text: str) -> str:
    if not text.isprintable() or " " in text:
        raise ValueError
    return text


def _parse_role_names(raw: object) -> tuple[tuple[str, str], ...]:
    pairs: list[tuple[str, str]] = []
    for item in _items(raw, ";"):
        name, equals, role = item.partition("=")
        found = find_role(role)
        if not equals or not name.strip() or found is None:
            raise ValueError
        pairs.append((name.strip(), found.name))
    return tuple(pairs)


def _render_optional(value: object) -> str:
    return "" if value is None else str(value)


def _render_listed(value: object) -> str:
    assert isinstance(value, tuple)
    return ",".join(map(str, value))


def _render_role_names(value: object) -> str:
    assert isinstance(value, tuple)
    return ";".join(f"{name}={role}" for name, role in value)


OPTIONAL_ADDRESS = Kind(
    "HOST:PORT, for example 0.0.0.0:8443 or [::]:8443, or nothing", _parse_optional_address, _render_optional
)
NETWORKS = Kind("addresses or networks (10.0.0.0/8), separated by commas", _parse_networks, _render_listed)
ORIGINS = Kind("origins (https://viewer.example), separated by commas, or *", _listed(_origin), _render_listed)
HEADERS = Kind("names of headers, separated by commas, or *", _listed(_header), _render_listed)
WEB_ADDRESS = Kind("an address that begins with https:// or http://, or nothing", _parse_web_address)
WEB_ADDRESSES = Kind("addresses that begin with https://, separated by commas", _listed(_web_address), _render_listed)
AUDIENCES = Kind("audiences, separated by commas", _listed(_audience), _render_listed)
ROLE_NAMES = Kind(
    "NAME=ROLE, separated by semicolons, for example pacs-admins=DICOM Data Owner",
    _parse_role_names,
    _render_role_names,
)
