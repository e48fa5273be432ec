"""The walk-through of a hospital, steps 1 to 9 (routing-and-gateway 2.8), as `isocenter demo --check` plays it.

Real processes, real sockets, real faults; once with our own node as the PACS, once with Orthanc.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from isocenter.app.hospital.control import HospitalControl, Line, Part
from isocenter.app.hospital.options import HospitalOptions
from isocenter.app.hospital.reach import STATE_FILE
from isocenter.app.hospital.running import RunningHospital, running_hospital
from tests.support.command_line import PROGRAM, CommandLine
from tests.support.peers import require
from tests.support.processes import Process, running

pytestmark = pytest.mark.timeout(240)

STEPS = range(1, 10)
SCAN = 40
"""Slices of the scan that is sent while something breaks."""
BACKLOG_MIN = 20
ENDED_WITHIN_S = 120.0
PLAYED_WITHIN_S = 90.0
"""Pictures of full size are made first, on a loaded machine."""
FORM = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}


def _checked(folder: Path, pacs: str) -> tuple[int, str, dict[str, Any]]:
    """Play the check; return its exit status, what it printed, and its report."""
    report = folder / "report.json"
    answer = CommandLine(folder / "state").run("demo", "--check", "--pacs", pacs, "--report", report)
    return answer.code, answer.out + answer.err, json.loads(report.read_text())


def _evidence(step: dict[str, Any], name: str) -> Any:
    return next(one["data"] for one in step["evidence"] if one["name"].startswith(name))


@pytest.mark.parametrize("pacs", ["isocenter", pytest.param("orthanc", marks=pytest.mark.interop)])
def test_the_walk_through_of_a_hospital_holds(pacs: str, tmp_path: Path) -> None:
    if pacs == "orthanc":
        require("Orthanc")
    code, printed, report = _checked(tmp_path, pacs)
    assert code == 0, printed
    assert report["held"]
    assert report["pacs"] == pacs
    steps = {step["number"]: step for step in report["steps"]}
    assert sorted(steps) == list(STEPS)
    assert {step["state"] for step in steps.values()} == {"held"}
    assert "All 9 steps held." in printed
    _look_at_studies(steps)
    _look_at_pixels(steps)
    for number in (8, 9):
        _look_at_outage(steps[number], printed)


def _look_at_studies(steps: dict[int, dict[str, Any]]) -> None:
    """Look whether the evidence says that each study is where the walk-through has it."""
    numbers = {
        (1, "Studies in the PACS"): 8,
        (2, "Studies in the PACS"): 11,
        (5, "Studies in the PACS"): 16,
        (5, "Studies in the cloud"): 6,
        (6, "Studies in the cloud"): 14,
        (6, "Studies in the PACS of Jule"): 2,
        (7, "Studies in the PACS of Jule"): 3,
    }
    for (step, name), number in numbers.items():
        uids = [uid for listed in _evidence(steps[step], name).values() for uid in listed]
        assert (step, name, len(set(uids))) == (step, name, number)
    counters = _evidence(steps[5], "Counters of the router")
    assert counters["received"] == counters["delivered"] == 10


def _look_at_pixels(steps: dict[int, dict[str, Any]]) -> None:
    """Look whether what both archives gave back has the digests of what the device made."""
    found: dict[str, set[str]] = {}
    for step in steps.values():
        for one in step["evidence"]:
            if one["name"].startswith("SHA-256"):
                assert one["data"]["made"] == one["data"]["found"]
                for uid, digest in one["data"]["made"].items():
                    found.setdefault(uid, set()).add(digest)
    assert len(found) == 24 + 2 * SCAN
    assert all(len(digests) == 1 for digests in found.values())
    # No two are alike, so that none can be taken for another one.
    assert len({digest for digests in found.values() for digest in digests}) == len(found)


def _look_at_outage(step: dict[str, Any], printed: str) -> None:
    outage = step["outage"]
    assert outage["is_met"]
    assert outage["verdict"].startswith("Nothing lost, 0 duplicates, recovered in ")
    assert outage["verdict"] in printed
    suffers = "waiting for the cloud" if step["number"] == 8 else "waiting for the PACS"
    curve = [sample["counters"][suffers] for sample in outage["samples"] if sample["counters"]]
    assert max(curve) >= BACKLOG_MIN
    assert curve[-1] == 0
    assert outage["samples"][-1]["acknowledged"] == SCAN
    words = [one["text"] for one in outage["happenings"]]
    assert words == (["cut", "mended", "drained"] if step["number"] == 8 else ["killed", "started", "drained"])


@contextmanager
def _check_under_way(folder: Path) -> Iterator[tuple[Process, Path]]:
    """Start a check, and give the folder of its hospital once that can be ordered."""
    command = [PROGRAM, "demo", "--check", "--report", str(folder / "report.json")]
    environment = {**CommandLine(folder / "state").environment(), "TMPDIR": str(folder)}
    with running(command, log_path=folder / "check.log", environment=environment) as process:
        process.wait_until(lambda: any(folder.glob(f"*/{STATE_FILE}")))
        yield process, next(folder.glob(f"*/{STATE_FILE}")).parent


def test_a_check_whose_cloud_is_stopped_fails_and_says_what_is_not_as_expected(tmp_path: Path) -> None:
    with _check_under_way(tmp_path) as (process, hospital):
        HospitalControl.of_folder(hospital).stop(Part.CLOUD)
        code = process.popen.wait(ENDED_WITHIN_S)
        printed = process.log_path.read_text()
    assert code == 1, printed
    steps = {step["number"]: step for step in json.loads((tmp_path / "report.json").read_text())["steps"]}
    assert [steps[number]["state"] for number in (1, 2, 3, 4)] == ["held", "held", "failed", "left out"]
    unmet = [one for one in steps[3]["expectations"] if not one["is_met"]]
    assert "the cloud gives an access token" in unmet[0]["text"]
    assert (unmet[0]["wanted"], unmet[0]["found"].partition(" (")[0]) == ("200, Bearer", "no answer")
    assert "NO   Test OAuth: the cloud gives an access token" in printed
    assert "NOT as expected." in printed
    assert not hospital.exists(), "nothing of the hospital is left"


def test_a_report_that_cannot_be_written_is_told_before_anything_is_played(tmp_path: Path) -> None:
    answer = CommandLine(tmp_path / "state").run("demo", "--check", "--report", tmp_path / "nowhere" / "report.json")
    assert answer.code == 2
    assert "report" in answer.err
    assert "Fill the PACS" not in answer.out


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHospital]:
    with running_hospital(tmp_path_factory.mktemp("hospital"), HospitalOptions.for_a_check()) as running:
        yield running


def _press(hospital: RunningHospital, path: str) -> str:
    """Press a button of the tour, and return the page that follows."""
    with httpx.Client(base_url=hospital.reach.supervisor.web_url, trust_env=False, follow_redirects=True) as client:
        return client.post(path, headers=FORM).text


def _page(hospital: RunningHospital, path: str = "/tour") -> str:
    return httpx.get(hospital.reach.supervisor.web_url + path, trust_env=False).text


def test_the_tour_plays_a_step_at_the_press_of_a_button_and_shows_what_came_of_it(hospital: RunningHospital) -> None:
    assert "after step 1" in _page(hospital)
    assert "Play step 1 first" in _press(hospital, "/tour/steps/4/play")
    hospital.control.cut(Line.CLOUD)
    assert "The line to the cloud is cut; heal it" in _press(hospital, "/tour/steps/1/play")
    hospital.control.heal(Line.CLOUD)
    _press(hospital, "/tour/steps/1/play")
    assert "Step 1 is being played" in _press(hospital, "/tour/play"), "a second press is refused"
    _wait_until_played(hospital)
    page = _page(hospital, "/tour?evidence=1")
    assert "1 of 9 steps held" in page
    assert "The PACS has the right studies" in page
    assert page.count("<code>2.25.") >= 8, "the digest of each image is shown"
    assert f'href="{hospital.reach.pacs.web_url}/"' in page, "one is told where to look"


def _wait_until_played(hospital: RunningHospital) -> None:
    deadline = time.monotonic() + PLAYED_WITHIN_S
    while "is being played" in _page(hospital):
        assert time.monotonic() < deadline, "the step does not end"
