"""How the settings of the DICOM listener become values and back; the other kinds stand in `setting_kinds.py`."""

from __future__ import annotations

from pathlib import Path

from isocenter.app.setting_kinds import Kind
from isocenter.domain.application_entity import (
    AeAddress,
    RemoteAe,
    parse_ae_address,
    parse_remote_ae,
    render_remote_ae,
)
from isocenter.domain.errors import InvalidRequest

REMOTES_MAX = 1024
"""Application entities of a large hospital; the table is walked for each association."""


def number_of(lowest: int, highest: int) -> Kind:
    """Return the kind of a whole number within bounds."""

    def parse(raw: object) -> int:
        text = raw.strip() if isinstance(raw, str) else raw
        if isinstance(text, str) and text.isascii() and text.isdecimal() and len(text) < 10:
            text = int(text)
        if isinstance(text, int) and not isinstance(text, bool) and lowest <= text <= highest:
            return text
        raise ValueError

    return Kind(f"a whole number from {lowest} to {highest}", parse)


def _parse_endpoint(raw: object) -> AeAddress | None:
    if not isinstance(raw, str):
        raise ValueError
    try:
        return parse_ae_address(raw) if raw.strip() else None
    except InvalidRequest as error:
        raise ValueError from error


def _parse_remotes(raw: object) -> tuple[RemoteAe, ...]:
    if isinstance(raw, str):
        items = [item for item in raw.split(";") if item.strip()]
    elif isinstance(raw, list) and all(isinstance(item, str) for item in raw):
        items = raw
    else:
        raise ValueError
    if len(items) > REMOTES_MAX:
        raise ValueError
    try:
        return tuple(parse_remote_ae(item) for item in items)
    except InvalidRequest as error:
        raise ValueError from error


def _parse_file(raw: object) -> Path | None:
    if isinstance(raw, Path):
        return raw
    if not isinstance(raw, str) or "\0" in raw:
        raise ValueError
    return Path(raw.strip()).expanduser() if raw.strip() else None


def _parse_text(raw: object) -> str:
    if not isinstance(raw, str):
        raise ValueError
    return raw


def _render_optional(value: object) -> str:
    return "" if value is None else str(value)


def _render_remotes(value: object) -> str:
    assert isinstance(value, tuple)
    return ";".join(map(render_remote_ae, value))


AE_ENDPOINT = Kind(
    "TITLE@HOST:PORT, for example ISOCENTER@127.0.0.1:11112, or nothing", _parse_endpoint, _render_optional
)
REMOTES = Kind(
    "a list of TITLE@HOST:PORT, separated by semicolons, each with options where it needs any: "
    "?services=echo,store&tls=on&subject=NAME&user=verify&associations=2",
    _parse_remotes,
    _render_remotes,
)
FILE = Kind("the path of a file, or nothing", _parse_file, _render_optional)
FOLDER = Kind("the path of a folder, or nothing", _parse_file, _render_optional)
TEXT = Kind("a text", _parse_text)
