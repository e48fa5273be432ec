"""`isocenter commit` of studies by their UIDs: listed by files, by a node over HTTP, by a peer, by the peer itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from isocenter.modality.workload import WorkloadInstance, WorkloadShape, write_workload
from tests.support.command_line import CommandLine
from tests.support.processes import Node, free_port, serve

SHAPE = WorkloadShape("commit", studies=2, series=2, instances=2, rows=16, columns=16)
Listed = tuple[str | Path, ...]
PER_STUDY = SHAPE.series * SHAPE.instances


@dataclass(frozen=True, slots=True)
class Pair:
    """An archive that has both studies whole, and a second one that lacks an instance of the second study."""

    whole: Node
    whole_peer: str
    lacking_peer: str
    folder: Path
    studies: list[str]
    missing: str
    commands: CommandLine


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("commit")
    instances: list[WorkloadInstance] = write_workload(folder / "sources", SHAPE)
    paths = [folder / "sources" / instance.path for instance in instances]
    commands = CommandLine(folder / "state")
    ports = free_port(), free_port()
    arguments = [("--auth", "off", "--dicom", f"NODE@127.0.0.1:{port}") for port in ports]
    with (
        serve(folder / "whole", arguments=arguments[0]) as whole,
        serve(folder / "lacking", arguments=arguments[1]) as lacking,
    ):
        commands.must("store", *paths, "--to", whole.base_url)
        commands.must("store", *paths[:-1], "--to", lacking.base_url)
        peers = [f"NODE@127.0.0.1:{port}" for port in ports]
        studies = list(dict.fromkeys(instance.study for instance in instances))
        yield Pair(whole, peers[0], peers[1], folder / "sources" / SHAPE.name, studies, instances[-1].sop, commands)


def _told(pair: Pair, *arguments: str | Path, code: int) -> dict[str, list[dict[str, str]]]:
    ended = pair.commands.run("commit", *arguments, "--json")
    assert ended.code == code, ended.err
    told: dict[str, list[dict[str, str]]] = json.loads(ended.out)
    return told


@pytest.mark.parametrize("source", ["node", "peer", "files"])
def test_a_study_is_held_against_what_somebody_else_has_of_it(pair: Pair, source: str) -> None:
    sources: dict[str, Listed] = {
        "node": ("--listed-by", pair.whole.base_url),
        "peer": ("--listed-by", pair.whole_peer),
        "files": (pair.folder,),
    }
    listed = sources[source]
    first, second = pair.studies
    safe = _told(pair, "--study", first, *listed, "--to", pair.lacking_peer, code=0)
    assert (len(safe["committed"]), safe["failed"]) == (PER_STUDY, [])
    told = _told(pair, "--study", second, *listed, "--to", pair.lacking_peer, code=1)
    assert len(told["committed"]) == PER_STUDY - 1
    assert [(one["sop_instance_uid"], one["reason"]) for one in told["failed"]] == [(pair.missing, "0112")]


def test_several_studies_are_asked_for_together(pair: Pair) -> None:
    studies = [word for uid in pair.studies for word in ("--study", uid)]
    told = _told(pair, *studies, "--to", pair.whole_peer, "--listed-by", pair.whole.base_url, code=0)
    assert len(told["committed"]) == 2 * PER_STUDY


def test_a_peer_commits_to_what_it_says_it_has(pair: Pair) -> None:
    told = _told(pair, "--study", pair.studies[1], "--to", pair.lacking_peer, code=0)
    assert len(told["committed"]) == PER_STUDY - 1


@pytest.mark.parametrize("source", ["files", "node", "peer"])
def test_a_study_that_nobody_has_is_told_as_such(pair: Pair, source: str) -> None:
    sources: dict[str, Listed] = {
        "node": ("--listed-by", pair.whole.base_url),
        "peer": (),
        "files": (pair.folder,),
    }
    listed = sources[source]
    ended = pair.commands.run("commit", "--study", "1.2.3.4", *listed, "--to", pair.whole_peer)
    assert ended.code == 1
    assert "There is no instance of study 1.2.3.4" in ended.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Name files and folders, or a study by --study."),
        (["--study", "x"], "x is no UID"),
        (["{folder}", "--listed-by", "http://127.0.0.1:1"], "--listed-by is for --study without files"),
        (["--listed-by", "http://127.0.0.1:1"], "Name files and folders"),
        (["--study", "1.2", "--listed-by", "PACS"], "TITLE@HOST:PORT"),
        (["--study", "1.2", "--listed-by", "PACS@127.0.0.1"], "has no port"),
    ],
)
def test_wrong_usage_is_told_before_anybody_is_called(pair: Pair, arguments: list[str], said: str) -> None:
    given = [argument.format(folder=pair.folder) for argument in arguments]
    ended = pair.commands.run("commit", *given, "--to", "NODE@127.0.0.1:1")
    assert (ended.code, said in ended.err) == (2, True), ended.err


def test_who_cannot_be_reached_is_exit_code_3(pair: Pair) -> None:
    nobody = f"NODE@127.0.0.1:{free_port()}"
    for arguments in (
        ("--study", pair.studies[0], "--to", nobody),
        ("--study", pair.studies[0], "--listed-by", nobody, "--to", pair.whole_peer),
        ("--study", pair.studies[0], "--listed-by", f"http://127.0.0.1:{free_port()}", "--to", pair.whole_peer),
    ):
        assert pair.commands.run("commit", *arguments).code == 3
