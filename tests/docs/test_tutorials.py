"""The tutorials are run, each on a node of its own, and their answers are those that the pages show."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from scripts.make_samples import make_samples
from tests.support.command_line import CommandLine
from tests.support.newman import SCRIPT as NEWMAN
from tests.support.peers import missing, require
from tests.support.processes import answers_ok, free_port, running
from tests.support.shared_data import REPOSITORY, shared_data
from tests.support.tutorial import PUBLISHED, Block, agrees, read_page, run_python, shell

SERVE = "isocenter serve"


@pytest.fixture(params=["published", "drawn"])
def changes(request: pytest.FixtureRequest, tmp_path: Path) -> Mapping[str, str]:
    """Put the samples in place; return what a page must say of them instead of what it says."""
    if request.param == "published":
        shutil.copytree(shared_data() / "azure-tutorial", tmp_path / "samples")
        return {}
    make_samples(tmp_path / "samples")
    return PUBLISHED


def _environment(folder: Path) -> dict[str, str]:
    inherited = CommandLine(folder / "state").environment()
    places = (str(folder / "bin"), str(Path(sys.executable).parent), inherited["PATH"])
    return {**inherited, "PATH": os.pathsep.join(places), "HOME": str(folder)}


def _given(came: str) -> Mapping[str, str]:
    """Return what takes the place of the words that a reader fills in, from what registering printed."""
    return {f"YOUR-{name.upper()}": value for name, value in re.findall(r"^(Tenant|Client|Secret) +(\S+)$", came, re.M)}


def _filled(code: str, given: Mapping[str, str]) -> str:
    for word, value in given.items():
        code = code.replace(word, value)
    return code


@contextmanager
def _node(code: str, folder: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """Run what a page runs in another terminal."""
    [address] = re.findall(r"--https (\S+)", code)
    with running(
        ["bash", "-c", f"exec {code}"], log_path=folder / "node.log", environment=environment, cwd=folder
    ) as it:
        it.wait_until(lambda: answers_ok(f"https://{address}/health/ready"))
        yield
        assert it.terminate() == 0, it.log()


def _follow(page: str, folder: Path, changes: Mapping[str, str]) -> None:
    """Do what a page says, from the first block to the last, and compare what came with what it shows."""
    require("curl")
    port = str(free_port())
    _put_postman_in_place(folder, port)
    blocks = read_page(page, {**changes, "8443": port})
    assert any(block.shown for block in blocks)
    environment, given = _environment(folder), dict[str, str]()
    with ExitStack() as stack:
        run = stack.enter_context(shell(folder, environment))
        for block in (block for block in blocks if block.language == "sh"):
            if block.code.startswith(SERVE):
                stack.enter_context(_node(block.code, folder, environment))
                continue
            came = run(_filled(block.code, given))
            given |= _given(came)
            _compare(block, came)
        programs = [Block(one.language, _filled(one.code, given), one.shown) for one in blocks if one.language != "sh"]
        if programs:
            for block, came in zip(programs, run_python(sys.executable, programs, folder, environment), strict=True):
                _compare(block, came)


def _put_postman_in_place(folder: Path, port: str) -> None:
    """Let the folder look like a checkout to who runs the collection, with newman at hand."""
    shutil.copytree(REPOSITORY / "docs/postman", folder / "docs/postman")
    environment = folder / "docs/postman/node.postman_environment.json"
    environment.write_text(environment.read_text(encoding="utf-8").replace("8443", port), encoding="utf-8")
    program = folder / "bin/newman"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec node {REPOSITORY / NEWMAN} "$@"\n', encoding="utf-8")
    program.chmod(0o755)


def _compare(block: Block, came: str) -> None:
    if block.shown:
        assert agrees(block.shown, came), f"{block.code}\nshown:\n{block.shown}\ncame:\n{came}"
    else:
        assert came == "", f"{block.code}\nprinted what the page does not show:\n{came}"


@pytest.mark.parametrize("page", ["dicomweb-with-curl.md", "dicomweb-with-python.md", "viewer.md"])
def test_a_tutorial_leads_where_it_says(page: str, tmp_path: Path, changes: Mapping[str, str]) -> None:
    _follow(f"tutorials/{page}", tmp_path, changes)


def test_the_collection_of_requests_runs_as_its_page_says(tmp_path: Path) -> None:
    if not (REPOSITORY / NEWMAN).is_file():
        missing("newman is not installed; run scripts/install_peers.sh")
    make_samples(tmp_path / "samples")
    _follow("postman/README.md", tmp_path, PUBLISHED)
