"""`isocenter demo`: a whole hospital by one command, what is ordered of it, and that nothing of it is left."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from isocenter.app.dimse_peer import DimsePeer
from isocenter.app.echoing import call_echo
from isocenter.app.hospital.control import Cut, HospitalControl, Part, PartState
from isocenter.app.hospital.first_images import give_all
from isocenter.app.hospital.given import Given, read_given, remember
from isocenter.app.hospital.options import HospitalOptions, PortName
from isocenter.app.hospital.reach import PacsKind, Reach, read_reach
from isocenter.app.hospital.running import running_hospital
from isocenter.app.modality.scripts import addresses_in, run_script
from isocenter.domain.application_entity import AeAddress, RemoteAe
from isocenter.domain.errors import IsocenterError, PeerUnreachable, Unavailable
from isocenter.modality.story import Script, iter_instances, story_studies
from tests.support.command_line import PROGRAM, CommandLine
from tests.support.peers import require
from tests.support.processes import Process, running

pytestmark = pytest.mark.timeout(240)

PATIENCE_S = 60.0
"""On a machine with two cores that does other things as well."""
READY = "Ctrl-C ends all of it"
ANY_PORTS = [word for name in PortName for word in ("--port", f"{name}=0")]
ANSWER_S = 3.0
"""Over loopback an answer takes milliseconds, over a slow line one second."""
COARSE = 16
"""Images are about their way here, not about what they show."""


@dataclass(frozen=True, slots=True)
class Demo:
    """A demo that runs, as another terminal sees it."""

    process: Process
    folder: Path
    commands: CommandLine

    @property
    def reach(self) -> Reach:
        return read_reach(self.folder)

    @property
    def control(self) -> HospitalControl:
        return HospitalControl.of_folder(self.folder)

    def order(self, *words: str) -> str:
        return self.commands.must("demo", "--folder", self.folder, *words)

    def children(self) -> list[int]:
        return [one.process_id for one in self.control.status().parts if one.process_id is not None]


def _wait(is_so: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline, f"not within {PATIENCE_S:.0f} s: {what}"
        time.sleep(0.1)


def _is_alive(process_id: int) -> bool:
    try:
        state = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@contextmanager
def _demo(folder: Path, commands: CommandLine, *arguments: str, **variables: str) -> Iterator[Demo]:
    command = [PROGRAM, "demo", "--folder", str(folder), *arguments]
    log_path = folder.with_name(f"{folder.name}-{len(list(folder.parent.glob('*.out')))}.out")
    with running(command, log_path=log_path, environment={**commands.environment(), **variables}) as process:
        process.wait_until(lambda: READY in process.log(), timeout_s=PATIENCE_S)
        yield Demo(process, folder, commands)


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    return CommandLine(tmp_path_factory.mktemp("state"))


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, commands: CommandLine) -> Iterator[Demo]:
    """Run a demo without first images; settings of the caller must not reach its parts."""
    folder = tmp_path_factory.mktemp("demo") / "hospital"
    with _demo(folder, commands, "--empty", *ANY_PORTS, ISOCENTER_AUTH="off", ISOCENTER_DICOM_LISTEN="NO@:1") as found:
        yield found
        found.process.popen.send_signal(signal.SIGINT)
        assert found.process.popen.wait(PATIENCE_S) == 0, found.process.log()
        assert "Traceback" not in found.process.log()


def _sign_in(client: httpx.Client, base_url: str, reach: Reach) -> httpx.Response:
    answer = client.post(f"{base_url}/login", data={"name": reach.person.name, "password": reach.person.password})
    assert answer.status_code == 303, answer.text
    return client.get(f"{base_url}/", follow_redirects=False)


def _studies(base_url: str, reach: Reach) -> list[dict[str, Any]]:
    with httpx.Client(trust_env=False) as client:
        _sign_in(client, base_url, reach)
        answer = client.get(f"{base_url}/dicom-web/studies", headers={"Accept": "application/dicom+json"})
    assert answer.status_code in (200, 204)
    rows: list[dict[str, Any]] = answer.json() if answer.content else []
    return rows


def test_one_browser_is_signed_in_to_pacs_router_and_cloud_at_once(demo: Demo) -> None:
    reach = demo.reach
    places = [reach.pacs.web_url, reach.router.web_url, reach.cloud_url]
    with httpx.Client(trust_env=False) as client:
        for place in places:
            assert client.get(f"{place}/").status_code == 303, "nobody sees it without signing in"
        for place in places:
            assert _sign_in(client, place, reach).status_code == 200
        assert [client.get(f"{place}/").status_code for place in places] == [200, 200, 200]
        assert client.get(f"{reach.cloud_url}/viewer/").status_code in (200, 503)  # 503: the viewer was not fetched


def test_what_a_cut_line_held_up_arrives_when_it_is_healed(demo: Demo) -> None:
    demo.order("cut", "cloud", "--how", "refuse")
    pacs, cloud = (len(_studies(url, demo.reach)) for url in (demo.reach.pacs.web_url, demo.reach.cloud_url))
    report = run_script(Script.TO_ROUTER, addresses_in(demo.folder), reduction=COARSE)
    assert report.held, report.problems
    _wait(lambda: len(_studies(demo.reach.pacs.web_url, demo.reach)) == pacs + 3, "the PACS has them")
    assert len(_studies(demo.reach.cloud_url, demo.reach)) == cloud
    assert "cut (refuse)" in demo.order("status")
    demo.order("heal", "cloud")
    _wait(lambda: len(_studies(demo.reach.cloud_url, demo.reach)) == cloud + 3, "the cloud has them as well")
    assert json.loads(demo.order("status", "--json"))["lines"][1]["cut"] is None


@pytest.mark.parametrize("how", [Cut.REFUSE, Cut.RESET, Cut.SLOW])  # silence lasts until an association gives up
def test_a_cut_line_fails_in_both_directions_and_leaves_the_straight_ways(demo: Demo, how: Cut) -> None:
    ports = json.loads((demo.folder / "ports.json").read_text())
    over_the_line = AeAddress("ORTHANC", "127.0.0.1", ports["line-pacs"])
    back = AeAddress("QIETOAZURE", "127.0.0.1", ports["line-translator"])
    demo.control.cut("pacs", how)
    assert demo.control.status().line("pacs").cut is how
    for address in (over_the_line, back):
        assert _answers(address) is (how is Cut.SLOW)
    assert _answers(demo.reach.pacs.address)
    assert _answers(demo.reach.router.qietoazure)
    demo.control.heal("pacs")
    assert _answers(over_the_line)
    assert _answers(back)


def _answers(address: AeAddress) -> bool:
    remote = RemoteAe(address.ae_title, address.host, address.port)
    try:
        call_echo(DimsePeer(remote, "ORTHANC", timeout_s=ANSWER_S))
    except IsocenterError:
        return False
    return True


def test_a_part_is_stopped_and_started_from_another_terminal(demo: Demo) -> None:
    before = demo.control.status().part(Part.PACS).process_id
    demo.order("stop", "pacs")
    assert demo.control.status().part(Part.PACS).state is PartState.STOPPED
    assert before is not None
    assert not _is_alive(before)
    demo.order("start", "pacs")
    assert _studies(demo.reach.pacs.web_url, demo.reach) is not None
    assert demo.control.status().part(Part.PACS).process_id != before


def test_a_part_that_ends_by_itself_is_started_again_and_told(demo: Demo) -> None:
    crashed = demo.control.status().part(Part.CLOUD)
    assert crashed.process_id is not None
    os.kill(crashed.process_id, signal.SIGKILL)
    _wait(lambda: demo.control.status().part(Part.CLOUD).restarts == crashed.restarts + 1, "it is started again")
    _wait(lambda: demo.control.status().part(Part.CLOUD).state is PartState.RUNNING, "it runs")
    assert "cloud is started again." in demo.process.log()


def test_settings_of_the_caller_do_not_reach_the_parts(demo: Demo) -> None:
    for process_id in demo.children():
        assert b"ISOCENTER_" not in Path(f"/proc/{process_id}/environ").read_bytes()


def test_a_second_demo_in_the_folder_is_refused_with_where_the_first_is(demo: Demo) -> None:
    ended = demo.commands.run("demo", "--folder", demo.folder)
    assert ended.code == 1
    assert f"process {demo.process.pid}" in ended.err
    assert demo.reach.supervisor.web_url in ended.err


def test_nobody_else_may_read_what_the_folder_says_of_passwords(demo: Demo) -> None:
    for name in ("hospital.json", "password", "router/secrets/cloud-client-secret"):
        assert (demo.folder / name).stat().st_mode & 0o077 == 0, name
    assert demo.reach.person.password in demo.order("status")


def test_the_front_page_takes_orders_from_itself_alone(demo: Demo) -> None:
    front = demo.reach.supervisor.web_url
    with httpx.Client(base_url=front, trust_env=False, timeout=PATIENCE_S) as client:
        page = client.get("/")
        assert page.status_code == 200
        assert demo.reach.person.password in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert client.get("/", headers={"Host": "hospital.example"}).status_code == 403
        assert client.post("/lines/cloud/cut", headers={"Origin": "https://elsewhere.example"}).status_code == 403
        assert client.post("/control/lines/cloud/cut", json={}).status_code == 401
        assert demo.control.status().line("cloud").cut is None
        form = {"Content-Type": "application/x-www-form-urlencoded", "Origin": front}
        assert client.post("/lines/cloud/cut", content="how=slow", headers=form).status_code == 303
        assert demo.control.status().line("cloud").cut == "slow"
        assert client.post("/lines/cloud/heal", content="", headers=form).status_code == 303
        assert demo.control.status().line("cloud").cut is None
        assert client.post("/lines/moon/cut", content="", headers=form).status_code == 404


def test_first_images_come_in_once(demo: Demo, tmp_path: Path) -> None:
    """Without the generated ones, which are many: the folder says that it has them."""
    remember(demo.folder, Given("2026-01-01T08:00:00", has_generated=True))
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / "one.dcm").write_bytes(next(iter_instances(story_studies()[0].reduced(COARSE))))
    reach = demo.reach
    pacs, cloud = (len(_studies(url, reach)) for url in (reach.pacs.web_url, reach.cloud_url))
    for _ in range(2):
        assert give_all(demo.folder, tmp_path / "samples", reduction=COARSE) == 0
        assert len(_studies(reach.pacs.web_url, reach)) == pacs + 8
        assert len(_studies(reach.cloud_url, reach)) == cloud + 1
    assert read_given(demo.folder).is_all


def test_an_order_for_what_there_is_not_says_what_there_is(demo: Demo) -> None:
    ended = demo.commands.run("demo", "--folder", demo.folder, "stop", "viewer")
    assert ended.code == 2
    assert "'pacs', 'router', 'cloud'" in ended.err


def test_where_no_demo_runs_an_order_says_how_to_start_one(commands: CommandLine, tmp_path: Path) -> None:
    ended = commands.run("demo", "--folder", tmp_path, "status")
    assert ended.code == 3
    assert f"isocenter demo --folder {tmp_path}" in ended.err


def test_a_demo_goes_on_where_a_killed_one_ended(commands: CommandLine, tmp_path: Path) -> None:
    folder = tmp_path / "hospital"
    with _demo(folder, commands, "--empty", *ANY_PORTS) as first:
        assert run_script(Script.TO_PACS, addresses_in(folder), reduction=COARSE).held
        password, children = first.reach.person.password, first.children()
        os.kill(first.process.pid, signal.SIGKILL)
        first.process.popen.wait(PATIENCE_S)
        _wait(lambda: not any(map(_is_alive, children)), "its parts end with it")
    with pytest.raises(PeerUnreachable, match="No demo runs"):
        read_reach(folder)
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        taken = stranger.getsockname()[1]
        with _demo(folder, commands, "--empty", *ANY_PORTS, "--port", f"cloud={taken}") as second:
            assert f"Port {taken} is taken; cloud listens on " in second.process.log_path.read_text()
            assert second.reach.person.password == password
            assert len(_studies(second.reach.pacs.web_url, second.reach)) == 3
            children = second.children()
            second.process.popen.send_signal(signal.SIGINT)
            assert second.process.popen.wait(PATIENCE_S) == 0, second.process.log()
    assert not any(map(_is_alive, children))
    assert not (folder / "hospital.json").exists()


def test_ctrl_c_in_the_middle_of_the_first_start_leaves_nothing(commands: CommandLine, tmp_path: Path) -> None:
    folder = tmp_path / "hospital"
    command = [PROGRAM, "demo", "--folder", str(folder), *ANY_PORTS]
    with running(command, log_path=tmp_path / "out", environment=commands.environment()) as process:
        process.wait_until((folder / "ports.json").exists)
        children = _children_of(process.pid)
        process.popen.send_signal(signal.SIGINT)
        assert process.popen.wait(PATIENCE_S) == 0, process.log()
        assert "The hospital has ended" in process.log()
    assert not any(map(_is_alive, children))


def _children_of(process_id: int) -> list[int]:
    tasks = Path(f"/proc/{process_id}/task").glob("*/children")
    return [int(word) for path in tasks for word in path.read_text().split()]


@pytest.mark.interop
def test_orthanc_stands_in_for_the_pacs(tmp_path: Path) -> None:
    require("Orthanc")
    with running_hospital(tmp_path / "hospital", HospitalOptions.for_a_check(PacsKind.ORTHANC)) as hospital:
        reach = hospital.reach
        person = (reach.person.name, reach.person.password)
        with httpx.Client(base_url=reach.pacs.web_url, trust_env=False, timeout=PATIENCE_S) as client:
            assert client.get("/system").status_code == 401
            assert client.get("/system", auth=person).json()["DicomAet"] == "ORTHANC"
            assert run_script(Script.TO_ROUTER_EXTRA, addresses_in(reach.folder), reduction=COARSE).held
            _wait(lambda: len(client.get("/studies", auth=person).json()) == 2, "Orthanc has what the router took")
            _wait(lambda: len(_studies(reach.cloud_url, reach)) == 2, "the cloud has it")
            query = {"Level": "Study", "Query": {"StudyInstanceUID": ""}}
            found = client.post("/modalities/QIETOAZURE/query", json=query, auth=person).json()
            answers = client.get(f"/queries/{found['ID']}/answers", auth=person).json()
            assert len(answers) == 2, "it finds the cloud through the translator"
            hospital.control.cut("pacs")
            assert client.post("/modalities/QIETOAZURE/echo", json={}, auth=person).status_code != 200
            hospital.control.kill("pacs")
            hospital.control.heal("pacs")
            hospital.control.start("pacs")
            assert client.post("/modalities/QIETOAZURE/echo", json={}, auth=person).status_code == 200
            assert len(client.get("/studies", auth=person).json()) == 2


def test_without_orthanc_its_demo_says_how_to_install_it(commands: CommandLine, tmp_path: Path) -> None:
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    command = [PROGRAM, "demo", "--folder", str(tmp_path / "hospital"), "--pacs", "orthanc", *ANY_PORTS]
    environment = {**commands.environment(), "PATH": str(nothing)}
    with running(command, log_path=tmp_path / "out", environment=environment) as process:
        assert process.popen.wait(PATIENCE_S) == 2
        assert "apt-get install orthanc" in process.log()


def test_a_part_that_cannot_start_ends_the_demo_with_its_last_words(tmp_path: Path) -> None:
    folder = tmp_path / "hospital"
    (folder / "router").mkdir(parents=True)
    (folder / "router" / "channels.toml").write_text("[channels.router]\nsauce = 1\n")
    with (
        pytest.raises(Unavailable, match="router ended before it was ready"),
        running_hospital(folder, HospitalOptions.for_a_check()),
    ):
        raise AssertionError
