from __future__ import annotations

from pathlib import Path

import pytest

from isocenter.app.held_destinations import HOLDS_FILE, HeldDestinations
from isocenter.domain.errors import StorageFailed
from isocenter.routing.sending.condition import Hold


def test_what_is_held_is_read_back(tmp_path: Path) -> None:
    holds = {"cloud": Hold("ada", 1.5, "new firewall"), "pacs": Hold("bob", 2.0)}
    HeldDestinations(tmp_path).write(holds)
    assert HeldDestinations(tmp_path).read() == holds


def test_without_a_file_nothing_is_held(tmp_path: Path) -> None:
    assert HeldDestinations(tmp_path).read() == {}


@pytest.mark.parametrize("content", [b"", b"[]", b'{"cloud": 1}', b'{"cloud": {"who": "ada"}}', b"\xff"])
def test_a_file_that_cannot_be_read_lets_nothing_go(tmp_path: Path, content: bytes) -> None:
    (tmp_path / HOLDS_FILE).write_bytes(content)
    with pytest.raises(StorageFailed, match="mend or remove it"):
        HeldDestinations(tmp_path).read()


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / HOLDS_FILE).mkdir()
    with pytest.raises(StorageFailed):
        HeldDestinations(tmp_path).write({})
