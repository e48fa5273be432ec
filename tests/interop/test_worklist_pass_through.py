"""A RIS behind the node: wlmscpfs for the work list, pynetdicom for performed steps, findscu as the modality."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydicom.dataset import Dataset

from tests.support.dcmtk import wlmscpfs
from tests.support.peers import require, require_module
from tests.support.processes import Node, free_port, serve
from tests.support.step_listener import MPPS, step_listener

pytestmark = pytest.mark.interop

FINDSCU_TIMEOUT_S = 60
ACCESSION = re.compile(r"\(0008,0050\) SH \[([^\]]*)\]")
TODAY = f"{datetime.now():%Y%m%d}"


def _item(folder: Path, accession: str, *, modality: str = "CT", day: str = TODAY) -> None:
    dump = folder.parent / f"{accession}.dump"
    dump.write_text(
        f"""(0008,0005) CS [ISO_IR 100]
(0008,0050) SH [{accession}]
(0010,0010) PN [M\xfcller^{accession}]
(0010,0020) LO [P{accession}]
(0020,000d) UI [1.2.{accession[1:]}]
(0032,1060) LO [CT chest]
(0040,1001) SH [R{accession}]
(0040,0100) SQ
(fffe,e000) -
(0008,0060) CS [{modality}]
(0040,0001) AE [STATION]
(0040,0002) DA [{day}]
(0040,0003) TM [0900]
(0040,0006) PN [READER^ONE]
(0040,0007) LO [CT chest]
(0040,0009) SH [S{accession}]
(fffe,e00d) -
(fffe,e0dd) -
""",
        encoding="latin-1",
    )
    subprocess.run([require("dump2dcm"), str(dump), str(folder / f"{accession}.wl")], check=True, timeout=60)


def _find(port: int, *keys: str) -> tuple[list[str], str]:
    """Return the accession numbers that a modality is answered, and everything that findscu prints."""
    command = [
        require("findscu"),
        "-v",
        "-W",
        "-aec",
        "ROUTER",
        "127.0.0.1",
        str(port),
        "-k",
        "0008,0050",
        "-k",
        "0010,0010",
    ]
    asked = [part for key in ("(0040,0100)[0].Modality", "(0040,0100)[0].0040,0009", *keys) for part in ("-k", key)]
    done = subprocess.run([*command, *asked], capture_output=True, timeout=FINDSCU_TIMEOUT_S, check=False)
    printed = (done.stdout + done.stderr).decode("latin-1")
    return sorted(ACCESSION.findall(printed)), printed


@contextmanager
def _router(folder: Path, *, ris_port: int, dicom_port: int) -> Iterator[Node]:
    folder.mkdir(exist_ok=True)
    settings = [
        f'dicom.listen = "ROUTER@127.0.0.1:{dicom_port}"',
        f'dicom.remotes = ["RIS@127.0.0.1:{ris_port}"]',
        'worklist.ris = "RIS"',
        'worklist.timeout_s = "5s"',
    ]
    (folder / "isocenter.toml").write_text("\n".join(settings))
    with serve(folder, must_end_cleanly=False) as node:
        yield node


def test_a_modality_is_answered_what_the_ris_has_and_what_it_had_while_it_is_away(tmp_path: Path) -> None:
    dicom_port = free_port()
    with ExitStack() as stack:
        ris = stack.enter_context(wlmscpfs(tmp_path / "ris", ae_title="RIS"))
        for accession, modality in (("A1", "CT"), ("A2", "MR"), ("A3", "CT")):
            _item(ris.folder, accession, modality=modality)
        with _router(tmp_path / "router", ris_port=ris.port, dicom_port=dicom_port) as node:
            assert _find(dicom_port)[0] == ["A1", "A2", "A3"]
            assert _find(dicom_port, "(0040,0100)[0].Modality=MR")[0] == ["A2"]
            _item(ris.folder, "A4")
            (ris.folder / "A1.wl").unlink()
            assert _find(dicom_port)[0] == ["A2", "A3", "A4"], "what the RIS has now, not what it had"
            ris.process.kill()
            answered, printed = _find(dicom_port, "(0040,0100)[0].Modality=CT")
            assert answered == ["A3", "A4"]
            assert "M\xfcller^A3" in printed
            status = httpx.get(f"{node.base_url}/api/worklist").json()["ris"]
            assert (status["ae_title"], status["is_away"], status["cached_entries"]) == ("RIS", True, 3)
            assert status["oldest_age_s"] >= 0
            node.process.kill()
        with _router(tmp_path / "router", ris_port=ris.port, dicom_port=dicom_port):
            assert _find(dicom_port)[0] == ["A2", "A3", "A4"], "a node that was killed still knows it"


def test_the_listener_of_a_channel_passes_the_work_list_through_under_its_own_title(tmp_path: Path) -> None:
    channel_port, folder = free_port(), tmp_path / "router"
    folder.mkdir()
    (folder / "routing.toml").write_text(
        f"""
[channels.router]
source = {{ kind = "dimse", listen = "ROUTER@127.0.0.1:{channel_port}" }}
[[channels.router.rules]]
name = "nothing goes anywhere"
"""
    )
    with wlmscpfs(tmp_path / "ris", ae_title="RIS") as ris:
        _item(ris.folder, "A1")
        arguments = (
            *("--auth", "off", "--set", f"routing.configuration={folder / 'routing.toml'}"),
            *("--set", f"dicom.remotes=RIS@127.0.0.1:{ris.port}", "--set", "worklist.ris=RIS"),
        )
        with serve(folder, arguments=arguments) as node:
            assert _find(channel_port)[0] == ["A1"]
            assert _perform(channel_port, "1.2.3.1") == [0, 0]
            told = httpx.get(f"{node.base_url}/api/worklist").json()
            assert (told["ris"]["is_away"], told["performed_steps"]["waiting"]) == (False, 2)


def test_a_ris_that_was_never_there_is_told_as_such(tmp_path: Path) -> None:
    dicom_port = free_port()
    with _router(tmp_path / "router", ris_port=free_port(), dicom_port=dicom_port):
        answered, printed = _find(dicom_port)
        assert answered == []
        assert "Refused: OutOfResources" in printed


def _perform(port: int, uid: str, *, statuses: tuple[str, ...] = ("COMPLETED",)) -> list[int]:
    """Create a step and change it, as a modality; return the statuses of the answers."""
    entity = require_module("pynetdicom").AE(ae_title="CT1")
    entity.add_requested_context(MPPS)
    association = entity.associate("127.0.0.1", port, ae_title="ROUTER")
    assert association.is_established
    step = Dataset()
    step.StudyInstanceUID, step.ScheduledProcedureStepID, step.AccessionNumber = "1.2.3", "S1", "A1"
    created = Dataset()
    created.ScheduledStepAttributesSequence = [step]
    created.PerformedProcedureStepID, created.PerformedStationAETitle = "P1", "CT1"
    created.PerformedProcedureStepStartDate, created.PerformedProcedureStepStartTime = "20261121", "120000"
    created.PerformedProcedureStepStatus, created.Modality = "IN PROGRESS", "CT"
    answers = [association.send_n_create(created, MPPS, uid)[0].Status]
    for status in statuses:
        changed = Dataset()
        changed.PerformedProcedureStepStatus = status
        changed.PerformedProcedureStepEndDate, changed.PerformedProcedureStepEndTime = "20261121", "121000"
        changed.PerformedSeriesSequence = []
        answers.append(association.send_n_set(changed, MPPS, uid)[0].Status)
    association.release()
    return answers


def test_performed_steps_reach_the_ris_once_and_in_order_though_it_was_away_and_the_node_was_killed(
    tmp_path: Path,
) -> None:
    ris_port, dicom_port, folder = free_port(), free_port(), tmp_path / "router"
    uids = [f"1.2.3.{number}" for number in (1, 2)]
    with _router(folder, ris_port=ris_port, dicom_port=dicom_port) as node:
        for uid in uids:
            assert _perform(dicom_port, uid, statuses=("IN PROGRESS", "COMPLETED")) == [0, 0, 0]
        waiting = httpx.get(f"{node.base_url}/api/worklist").json()["performed_steps"]
        assert waiting["waiting"] == 6
        node.process.kill()
    with (
        step_listener(ris_port) as ris,
        _router(folder, ris_port=ris_port, dicom_port=dicom_port) as node,
    ):
        told = ris.wait_for(6)
        url = f"{node.base_url}/api/worklist"
        node.process.wait_until(lambda: bool(httpx.get(url).json()["performed_steps"]["waiting"] == 0))
        assert ris.told == told, "nothing comes twice"
    for uid in uids:
        assert [(operation, status) for operation, named, status in told if named == uid] == [
            ("create", "IN PROGRESS"),
            ("set", "IN PROGRESS"),
            ("set", "COMPLETED"),
        ]


def test_what_the_ris_has_already_or_does_not_want_is_settled_and_holds_nothing_up(tmp_path: Path) -> None:
    ris_port, dicom_port = free_port(), free_port()
    with (
        step_listener(ris_port, known={"1.2.3.1"}) as ris,
        _router(tmp_path / "router", ris_port=ris_port, dicom_port=dicom_port) as node,
    ):
        url = f"{node.base_url}/api/worklist"

        def settled() -> list[dict[str, Any]]:
            node.process.wait_until(lambda: bool(httpx.get(url).json()["performed_steps"]["waiting"] == 0))
            recent: list[dict[str, Any]] = httpx.get(url).json()["performed_steps"]["recent"]
            return recent

        assert _perform(dicom_port, "1.2.3.1") == [0, 0]
        assert [operation for operation, _, _ in ris.wait_for(2)] == ["create", "set"]
        changed, created = settled()
        assert (changed["state"], created["state"], created["problem"]) == ("sent", "sent", "It had the step already.")
        ris.refuse_with = 0x0106
        assert _perform(dicom_port, "1.2.3.2", statuses=()) == [0]
        ris.wait_for(3)
        refused = settled()[0]
        assert refused["state"] == "refused"
        assert "0106" in refused["problem"]
        ris.refuse_with = 0
        assert _perform(dicom_port, "1.2.3.3") == [0, 0]
        assert [uid for _, uid, _ in ris.wait_for(5)][3:] == ["1.2.3.3", "1.2.3.3"]
