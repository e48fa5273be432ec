"""A manifest is whole, unchanged and signed, or it is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from isocenter.domain.errors import InvalidRequest
from isocenter.routing.migration.manifest import LINE_LENGTH_MAX, check_lines, fingerprint_of, write_lines

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
HEAD: dict[str, Any] = {"source": "PACS@10.1.2.3:104", "target": "https://archive.example"}
INSTANCES = [{"instance": f"1.2.{number}", "sha256": "aa"} for number in range(5)]


def _written(key: Ed25519PrivateKey = KEY) -> list[bytes]:
    return list(write_lines(HEAD, INSTANCES, key))


def test_what_was_written_is_checked_and_read() -> None:
    checked = check_lines(_written())
    assert (checked.instances, checked.head["source"]) == (5, "PACS@10.1.2.3:104")
    assert checked.fingerprint == fingerprint_of(KEY.public_key())


def test_every_line_is_json() -> None:
    assert [json.loads(line) for line in _written()][1] == INSTANCES[0]


def _changed() -> Iterator[tuple[str, list[bytes]]]:
    lines = _written()
    yield "another value", [lines[0], lines[1].replace(b"aa", b"ab"), *lines[2:]]
    yield "another head", [lines[0].replace(b"PACS", b"PACX"), *lines[1:]]
    yield "a line less", [lines[0], *lines[2:]]
    yield "a line twice", [lines[0], lines[1], *lines[1:]]
    yield "another order", [lines[0], lines[2], lines[1], *lines[3:]]
    yield "no end", lines[:-1]
    yield "no line", []
    yield "only the end", lines[-1:]
    end = json.loads(lines[-1])
    yield "no signature", [*lines[:-1], json.dumps(end | {"signature": "AAAA"}).encode()]
    yield "no base64", [*lines[:-1], json.dumps(end | {"public_key": "%"}).encode()]
    yield "not an object", [b"[]\n", *lines[1:]]
    yield "no json", [b"\xff\n", *lines[1:]]
    yield "an endless line", [b"{" + b" " * LINE_LENGTH_MAX + b"}\n", *lines[1:]]
    yield "another version", [lines[0].replace(b'"manifest":1', b'"manifest":2'), *lines[1:]]


@pytest.mark.parametrize(("what", "lines"), list(_changed()), ids=[what for what, _ in _changed()])
def test_what_was_changed_is_refused(what: str, lines: list[bytes]) -> None:
    with pytest.raises(InvalidRequest):
        check_lines(lines)


def test_a_manifest_signed_anew_by_another_is_refused_where_the_key_is_known() -> None:
    forged = _written(OTHER_KEY)
    assert check_lines(forged).fingerprint != fingerprint_of(KEY.public_key())
    with pytest.raises(InvalidRequest, match="another key"):
        check_lines(forged, public_key=KEY.public_key())
