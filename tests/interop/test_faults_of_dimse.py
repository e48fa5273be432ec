"""Faults of DIMSE between DCMTK's programs and ours: each is what the other side of a real association would see."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from isocenter.modality.faults.fault import Close, DimseAbort, DimseReject, DimseStatus, Garble, Reset
from isocenter.modality.workload import WorkloadShape, write_workload
from tests.support.command_line import CommandLine
from tests.support.dcmtk import DcmtkServer, storescp
from tests.support.fault_plane import FaultLink, fault_link
from tests.support.peers import require

pytestmark = pytest.mark.interop

SMALL = WorkloadShape("small", studies=1, series=1, instances=5, rows=64, columns=64)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[DcmtkServer]:
    with storescp(tmp_path / "scp", "+uf") as running:
        yield running


@pytest.fixture
def link(server: DcmtkServer) -> Iterator[FaultLink]:
    with fault_link(server.port, protocol="dimse") as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_workload(tmp_path / "sources", SMALL)
    return tmp_path / "sources" / SMALL.name


def _storescu(link: FaultLink, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [require("storescu"), "-v", *arguments, "+sd", "+r", "127.0.0.1", str(link.port), str(folder)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def _echoscu(link: FaultLink) -> subprocess.CompletedProcess[str]:
    command = [require("echoscu"), "-v", "-to", "5", "127.0.0.1", str(link.port)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_without_faults_everything_arrives(link: FaultLink, server: DcmtkServer, folder: Path) -> None:
    done = _storescu(link, folder)
    assert done.returncode == 0, done.stderr
    assert len(server.files()) == 5
    state = link.state()
    assert (state["counts"]["stores"], state["counts"]["stores succeeded"], state["instances_sent_again"]) == (5, 5, 0)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (DimseReject(reason=3), "Calling AE Title Not Recognized"),
        (DimseReject(reason=7), "Called AE Title Not Recognized"),
        (DimseReject(source=2, reason=2), "Protocol Version Not Supported"),
        (DimseReject(result=2, source=3, reason=1), "Temporary Congestion"),
        (DimseReject(result=2, source=3, reason=2), "Local Limit Exceeded"),
    ],
)
def test_an_association_is_rejected_with_its_reason(link: FaultLink, fault: DimseReject, words: str) -> None:
    link.set(fault)
    done = _echoscu(link)
    assert done.returncode != 0
    assert words in done.stdout + done.stderr


def test_an_association_is_aborted_behind_so_many_instances(link: FaultLink, server: DcmtkServer, folder: Path) -> None:
    link.set(DimseAbort(after_instances=3))
    done = _storescu(link, folder)
    assert "Abort" in done.stdout + done.stderr
    assert len(server.files()) == 3
    assert link.state()["counts"]["stores answered"] == 3


def test_an_abort_can_hide_that_an_instance_was_stored(link: FaultLink, server: DcmtkServer, folder: Path) -> None:
    link.set(DimseAbort(after_instances=2, hides_answer=True))
    assert "Abort" in "".join([(done := _storescu(link, folder)).stdout, done.stderr])
    assert len(server.files()) == 3


def test_a_status_is_told_for_what_never_reached_the_target(link: FaultLink, server: DcmtkServer, folder: Path) -> None:
    link.set(DimseStatus(status=0xA700, count=1))
    done = _storescu(link, folder, "-nh")
    assert "OutOfResources" in done.stdout + done.stderr
    assert len(server.files()) == 4


def test_a_status_is_told_for_what_the_target_stored(link: FaultLink, server: DcmtkServer, folder: Path) -> None:
    link.set(DimseStatus(status=0xB000, count=1, reaches_target=True))
    done = _storescu(link, folder, "-nh")
    assert "Warning" in done.stdout + done.stderr
    assert len(server.files()) == 5
    assert link.state()["counts"]["stores succeeded"] == 4


@pytest.mark.parametrize(
    "fault", [Garble(after_bytes=0), Close(after_bytes=5), Reset()], ids=["garbage", "early", "rst"]
)
def test_faults_of_bytes_strike_associations_too(link: FaultLink, fault: Garble | Close | Reset) -> None:
    link.set(fault)
    assert _echoscu(link).returncode != 0
    link.clear()
    assert _echoscu(link).returncode == 0


# Our own sender


def _store(tmp_path: Path, folder: Path, link: FaultLink) -> tuple[int, str]:
    line = CommandLine(tmp_path / "state")
    done = line.run("store", folder, "--to", f"STORESCP@127.0.0.1:{link.port}")
    return done.code, done.out + done.err


def test_our_sender_opens_an_aborted_association_again_and_loses_nothing(
    tmp_path: Path, link: FaultLink, server: DcmtkServer, folder: Path
) -> None:
    link.set(DimseAbort(after_instances=2, count=1))
    code, told = _store(tmp_path, folder, link)
    assert code == 0, told
    state = link.state()
    assert state["counts"]["associations"] == 2
    assert (state["instances_sent"], state["instances_sent_again"]) == (5, 1)
    assert len({path.name.partition(".")[2] or path.name for path in server.files()}) >= 5


def test_our_sender_says_which_reason_a_rejection_has_and_sends_later(
    tmp_path: Path, link: FaultLink, folder: Path
) -> None:
    link.set(DimseReject(result=2, source=3, reason=2, count=1))
    code, told = _store(tmp_path, folder, link)
    assert code != 0
    assert "rejected the association" in told
    code, told = _store(tmp_path, folder, link)
    assert code == 0, told


def test_our_sender_tells_a_refused_instance_apart_and_sends_only_that_again(
    tmp_path: Path, link: FaultLink, server: DcmtkServer, folder: Path
) -> None:
    link.set(DimseStatus(status=0xA700, count=1))
    code, told = _store(tmp_path, folder, link)
    assert code != 0
    assert "A700" in told
    code, told = _store(tmp_path, folder, link)
    assert code == 0, told
    assert link.state()["counts"]["stores"] == 6
    assert len(server.files()) == 5
