"""`isocenter faults`: links driven from the command line, and outages of real processes played to a verdict."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from isocenter.app.faults.shipped import check_scenario, shipped_names
from tests.support.command_line import PROGRAM, CommandLine
from tests.support.peers import not_possible_here
from tests.support.processes import Node, Process, free_port, running
from tests.support.shared_data import REPOSITORY

NOBODY_THERE = """\
name = "nobody there"
duration_max = "1s"

[links.line]
listen = "127.0.0.1:{port.line}"
target = "127.0.0.1:{port.nobody}"
protocol = "dimse"

[load]
to = "PACS@127.0.0.1:{port.nobody}"
instances = 3
size = "1kB"

[[timeline]]
at = "100ms"
link = "line"
set = { kind = "latency", delay = "100ms" }

[[timeline]]
after = "all instances acknowledged"
link = "line"
clear = true

[[expectations]]
kind = "all-acknowledged"
"""


FAILING_VOLUME = """\
name = "a volume that fails"
duration_max = "60s"

[processes.pacs]
command = [
  "isocenter", "serve", "--data-dir", "{folder}/pacs", "--http", "127.0.0.1:{port.http}", "--auth", "off",
  "--set", "dicom.listen=PACS@127.0.0.1:{port.dimse}",
]
ready = "http://127.0.0.1:{port.http}/health/ready"

[load]
to = "PACS@127.0.0.1:{port.dimse}"
instances = 40
studies = 2
size = "20kB"
instances_per_s = 20

[[timeline]]
after = "5 instances acknowledged"
process = "pacs"
do = "deny-writes"

[[timeline]]
wait = "700ms"
process = "pacs"
do = "kill"

[[timeline]]
wait = "100ms"
process = "pacs"
do = "start"

[[timeline]]
after = "15 instances acknowledged"
process = "pacs"
do = "stop"

[[timeline]]
wait = "700ms"
process = "pacs"
do = "continue"

[[timeline]]
after = "25 instances acknowledged"
process = "pacs"
do = "terminate"

[[timeline]]
wait = "100ms"
process = "pacs"
do = "start"

[[expectations]]
kind = "nothing-lost"
archives = ["http://127.0.0.1:{port.http}/v2"]

[[expectations]]
kind = "all-acknowledged"
"""


@pytest.fixture
def command_line(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path / "state")


@contextlib.contextmanager
def _proxy(node: Node, folder: Path) -> Iterator[tuple[Process, str, Path]]:
    control, port = folder / "control.json", free_port()
    link = f"node@{port}={node.base_url}"
    command = [PROGRAM, "faults", "proxy", link, "--control", str(control)]
    with running(command, log_path=folder / "proxy.log") as process:
        process.wait_until(control.exists)
        yield process, f"http://127.0.0.1:{port}", control


def _status(url: str) -> int:
    return httpx.get(f"{url}/health/live", timeout=20, verify=False).status_code  # noqa: S501


def test_faults_are_set_listed_and_cleared_while_components_talk(
    command_line: CommandLine, node: Node, tmp_path: Path
) -> None:
    with _proxy(node, tmp_path) as (process, url, control):
        assert _status(url) == 200
        told = command_line.must(
            "faults", "set", "node", "http-answer", "status=503", "retry_after=5s", "--control", control
        )
        assert "fault 1 is set: http-answer status=503" in told
        assert _status(url) == 503
        listed = json.loads(command_line.must("faults", "list", "--json", "--control", control))
        assert (listed[0]["name"], listed[0]["faults"][0]["struck"]) == ("node", 1)
        assert "http-answer status=503" in command_line.must("faults", "list", "--control", control)
        assert "1 fault cleared" in command_line.must("faults", "clear", "node", "1", "--control", control)
        assert _status(url) == 200
        assert command_line.run("faults", "clear", "node", "--control", control).code == 1
        assert process.terminate() == 0
    assert not control.exists()


def test_what_cannot_be_set_is_told(command_line: CommandLine, node: Node, tmp_path: Path) -> None:
    with _proxy(node, tmp_path) as (_, _, control):
        for words, told in (
            (("noed", "refuse"), "did you mean node"),
            (("node", "dimse-reject"), "needs a link of protocol dimse"),
            (("node", "refuse", "--for", "soon"), "duration"),
        ):
            answer = command_line.run("faults", "set", *words, "--control", control)
            assert answer.code != 0
            assert told in answer.err
        second = command_line.run("faults", "proxy", f"{free_port()}=http://127.0.0.1:1", "--control", control)
        assert second.code == 2
        assert "--control" in second.err


def test_without_a_plane_the_commands_say_how_to_get_one(command_line: CommandLine, tmp_path: Path) -> None:
    answer = command_line.run("faults", "list", "--control", tmp_path / "none.json")
    assert answer.code == 3
    assert "No fault plane is announced" in answer.err


def test_the_api_is_for_whoever_has_its_token(node: Node, tmp_path: Path) -> None:
    with _proxy(node, tmp_path) as (_, _, control):
        assert stat.S_IMODE(os.stat(control).st_mode) == 0o600
        found = json.loads(control.read_text())
        good = {"Authorization": f"Bearer {found['token']}"}
        with httpx.Client(base_url=found["url"], timeout=20) as client:
            for headers in ({}, {"Authorization": "Bearer wrong"}):
                assert client.get("/links", headers=headers).status_code == 401
                assert client.post("/links/node/faults", headers=headers, json={"kind": "refuse"}).status_code == 401
            assert client.get("/links/node", headers=good).json()["protocol"] == "http"
            assert client.get("/links/other", headers=good).status_code == 404
            for body in (b"", b"[]", b"{", b'{"kind": "refuse", "for": 5}', b'{"kind": "nothing"}'):
                answer = client.post("/links/node/faults", headers=good, content=body)
                assert (answer.status_code, bool(answer.json()["error"])) == (400, True), body
            made = client.post(
                "/links/node/faults", headers=good, json={"kind": "latency", "delay": "5ms", "for": "1s"}
            )
            assert made.status_code == 201
            assert client.delete("/links/node/faults", headers=good).json() == {"cleared": 1}


def test_kinds_and_their_keys_are_told(command_line: CommandLine) -> None:
    assert "dimse-abort" in command_line.must("faults", "kinds")
    assert "retry_after" in command_line.must("faults", "kinds", "http-answer")
    assert "did you mean http-answer" in command_line.run("faults", "kinds", "http-anser").err


@pytest.mark.parametrize("name", shipped_names())
def test_a_scenario_that_ships_is_sound(name: str) -> None:
    scenario = check_scenario(name)
    assert scenario.description
    assert scenario.steps


def test_the_scenario_of_the_how_to_is_sound(command_line: CommandLine, tmp_path: Path) -> None:
    page = (REPOSITORY / "docs/how-to/outages.md").read_text(encoding="utf-8")
    path = tmp_path / "outage.toml"
    path.write_text(page.partition("```toml\n")[2].partition("```")[0])
    assert "Sound: 1 process, 1 link, 1 step, 2 expectations." in command_line.must("faults", "check", path)


def test_a_scenario_that_ships_is_shown_to_be_changed(command_line: CommandLine, tmp_path: Path) -> None:
    copy = tmp_path / "mine.toml"
    copy.write_text(command_line.must("faults", "show", "pacs-outage"))
    assert "Sound" in command_line.must("faults", "check", copy)
    listed = command_line.must("faults", "scenarios")
    assert all(name in listed for name in shipped_names())


def test_what_is_wrong_with_a_scenario_is_told_with_its_line(command_line: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "outage.toml"
    path.write_text(NOBODY_THERE.replace('kind = "latency"', 'kind = "latncy"'))
    answer = command_line.run("faults", "check", path)
    assert answer.code == 2
    assert "outage.toml:17: timeline[1].set" in answer.err
    assert command_line.run("faults", "run", "internet-outag").code == 2


def test_an_outage_that_ends_otherwise_is_told_so(command_line: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "outage.toml"
    path.write_text(NOBODY_THERE)
    answer = command_line.run("faults", "run", path, "--control", tmp_path / "c.json")
    assert answer.code == 1
    assert "NO\tevery instance is acknowledged\t0 of 3" in answer.out
    assert "NO\tplayed as written\tline: latency never struck; 1 of 2 steps were never due" in answer.out
    assert "NOT as expected." in answer.out


def test_an_outage_of_the_internet_ends_as_it_promises_and_is_drawn(command_line: CommandLine, tmp_path: Path) -> None:
    answer = command_line.run("faults", "run", "internet-outage", "--control", tmp_path / "c.json")
    assert answer.code == 0, answer.out + answer.err
    lines = answer.out.splitlines()
    assert "█" in next(line for line in lines if line.startswith("internet  "))
    assert "█" in next(line for line in lines if line.startswith("cloud-waiting "))
    assert sum(line.startswith("yes\t") for line in lines) == 10
    assert lines[-1] == "As expected."


def test_an_outage_of_the_pacs_ends_as_it_promises_and_is_told_to_programs(
    command_line: CommandLine, tmp_path: Path
) -> None:
    folder, control = tmp_path / "run", tmp_path / "c.json"
    answer = command_line.run("faults", "run", "pacs-outage", "--folder", folder, "--control", control, "--json")
    outcome = json.loads(answer.out)
    assert answer.code == 0, json.dumps(outcome["findings"], indent=1) + answer.err
    assert all(finding["is_met"] for finding in outcome["findings"])
    assert [one["thing"] for one in outcome["happenings"]] == ["pacs-line"] * 3 + ["pacs"] * 2
    assert outcome["samples"][-1]["acknowledged"] == 180
    assert (folder / "router.log").exists()


@pytest.mark.long
def test_a_node_that_cannot_write_or_stands_still_acknowledges_nothing_that_it_loses(
    command_line: CommandLine, tmp_path: Path
) -> None:
    path = tmp_path / "outage.toml"
    path.write_text(FAILING_VOLUME)
    answer = command_line.run("faults", "run", path, "--control", tmp_path / "c.json", "--json")
    outcome = json.loads(answer.out)
    assert answer.code == 0, json.dumps(outcome["findings"], indent=1) + answer.err
    assert [one["text"] for one in outcome["happenings"]] == [
        *("deny-writes", "kill", "start", "stop", "continue", "terminate", "start")
    ]


def test_a_full_disk_ends_as_it_promises(command_line: CommandLine, tmp_path: Path) -> None:
    alone = ["unshare", "--user", "--map-root-user", "--mount", "true"]
    if subprocess.run(alone, check=False, capture_output=True).returncode != 0:
        not_possible_here("the kernel lets users make no namespaces")
    answer = command_line.run(
        "faults", "run", "full-disk", "--folder", tmp_path / "run", "--control", tmp_path / "c.json"
    )
    assert answer.code == 0, answer.out + answer.err
    assert "There is no room left" in (tmp_path / "run" / "pacs.log").read_text()
