"""`isocenter demo`: what a visitor sees on the first start, on the second, and beside a taken port."""

from __future__ import annotations

import json
import signal
import socket
from pathlib import Path

import httpx
import pytest

from tests.support.command_line import PROGRAM, Answer, CommandLine
from tests.support.processes import answers_ok, free_port, running
from tests.support.shared_data import find_shared_data

FIRST_START_S = 280
"""Three hundred instances are drawn first; on a loaded machine with two cores that takes minutes."""
GENERATED = 307
SAMPLES = 107


@pytest.fixture(scope="module")
def command_line(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    return CommandLine(tmp_path_factory.mktemp("state"))


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, command_line: CommandLine) -> tuple[Path, Answer]:
    """Return a folder on which the demo was checked once, and what that printed."""
    data_dir = tmp_path_factory.mktemp("demo") / "demo-data"
    return data_dir, command_line.run("demo", "--check", "--data-dir", data_dir, "--port", str(free_port()))


pytestmark = pytest.mark.timeout(FIRST_START_S)


def test_first_start_shows_list_metadata_and_pictures(first: tuple[Path, Answer]) -> None:
    _data_dir, ended = first
    assert ended.code == 0, ended.out + ended.err
    assert f"Generated studies: {GENERATED} instances taken in." in ended.out
    assert "Study list, metadata and pictures are right." in ended.out
    if find_shared_data() is not None:
        assert f"Sample studies: {SAMPLES} instances taken in" in ended.out


def test_second_start_finds_everything_in_place_beside_a_taken_port(
    first: tuple[Path, Answer], command_line: CommandLine, tmp_path: Path
) -> None:
    data_dir, _ended = first
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        taken = stranger.getsockname()[1]
        command = [PROGRAM, "demo", "--data-dir", str(data_dir), "--port", str(taken)]
        with running(command, log_path=tmp_path / "demo.log", environment=command_line.environment()) as process:
            process.wait_until(lambda: "Ctrl-C stops it" in process.log())
            said = process.log()
            assert f"Port {taken} is taken; using " in said
            assert "Generated studies: all were there." in said
            base_url = next(word for word in said.split() if word.startswith("http://")).rstrip("/")
            assert answers_ok(base_url)
            rows = json.loads(command_line.must("find", "--from", base_url, "--limit", "200", "--json"))
            assert sum(row["00201208"]["Value"][0] for row in rows) >= GENERATED
            process.popen.send_signal(signal.SIGINT)
            assert process.popen.wait(60) == 0, process.log()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{base_url}/health/ready")
