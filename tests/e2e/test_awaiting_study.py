"""A rule that holds images back until their study is whole: what goes out, and what of late ones."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from isocenter.modality.workload import WorkloadInstance, WorkloadShape, write_workload
from tests.support.command_line import CommandLine
from tests.support.processes import Node, free_port, serve

SHAPE = WorkloadShape("gate", studies=1, series=1, instances=4, rows=16, columns=16)
WAIT_S = 30.0
CHANNELS = """
[channels.modalities]
source = {{ kind = "dimse", listen = "QIEROUTER@127.0.0.1:{port}" }}

[[channels.modalities.rules]]
name = "whole studies to the researchers"
to = ["research"]
wait_for = "study"

[destinations.research]
kind = "folder"
path = "{folder}"
"""


@dataclass(frozen=True, slots=True)
class Gate:
    """A running router that gives whole studies to a folder."""

    node: Node
    commands: CommandLine
    folder: Path
    sources: Path
    port: int
    instances: list[WorkloadInstance]

    @property
    def study(self) -> str:
        return self.instances[0].study

    def send(self, *instances: WorkloadInstance) -> None:
        paths = [self.sources / one.path for one in instances]
        self.commands.must("store", *paths, "--to", f"QIEROUTER@127.0.0.1:{self.port}")

    def given(self) -> set[str]:
        return {path.stem for path in self.folder.rglob("*") if path.is_file()}

    def deliveries(self, state: str) -> list[dict[str, Any]]:
        rows = self.commands.must(
            "delivery", "list", "--state", state, "--json", "--node", self.node.base_url, "--limit", "100"
        )
        found: list[dict[str, Any]] = json.loads(rows)
        return found

    def treat_as_complete(self) -> None:
        url = f"{self.node.base_url}/api/completeness/{self.study}"
        answer = httpx.post(url, json={}, trust_env=False)
        assert answer.status_code == 202, answer.text


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    port, folder = free_port(), tmp_path / "research"
    folder.mkdir()
    path = tmp_path / "channels.toml"
    path.write_text(CHANNELS.format(port=port, folder=folder))
    instances = write_workload(tmp_path / "sources", SHAPE)
    with serve(tmp_path / "node", environment={"ISOCENTER_ROUTING_CONFIGURATION": str(path)}) as node:
        yield Gate(node, CommandLine(tmp_path / "state"), folder, tmp_path / "sources", port, instances)


def _wait(is_so: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < deadline, f"not within {WAIT_S:.0f} s: {what}"
        time.sleep(0.05)


def test_a_study_goes_out_when_it_is_whole_and_late_images_by_themselves(gate: Gate) -> None:
    *early, late = gate.instances
    gate.send(*early)
    waiting = gate.deliveries("queued")
    assert [row["note"] for row in waiting] == ["delivery:awaiting-study"] * len(early)
    assert gate.given() == set()
    gate.treat_as_complete()
    _wait(lambda: len(gate.given()) == len(early), "the study is given")
    gate.send(late)
    assert len(gate.deliveries("queued")) == 1
    assert len(gate.given()) == len(early)
    gate.treat_as_complete()
    _wait(lambda: len(gate.given()) == len(gate.instances), "the late image is given")
    assert {row["failures"] for row in gate.deliveries("delivered")} == {0}
    assert len(gate.deliveries("delivered")) == len(gate.instances), "each once"
