"""A modality that sends images and tells of its step (pynetdicom): the node knows when the study is whole, and why."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO

from tests.support.command_line import CommandLine
from tests.support.peers import require_module
from tests.support.prior_studies import PriorStudy
from tests.support.processes import free_port, serve
from tests.support.step_listener import MPPS

pytestmark = pytest.mark.interop


def _referenced(datasets: Sequence[Dataset]) -> Dataset:
    series = Dataset()
    series.SeriesInstanceUID = datasets[0].SeriesInstanceUID
    series.ReferencedImageSequence = []
    for dataset in datasets:
        reference = Dataset()
        reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = (
            dataset.SOPClassUID,
            dataset.SOPInstanceUID,
        )
        series.ReferencedImageSequence.append(reference)
    return series


def test_a_study_is_whole_by_its_performed_step_and_open_again_for_what_comes_late(tmp_path: Path) -> None:
    study = PriorStudy("P1", "20261101", instances=4)
    datasets = [dcmread(DicomBytesIO(content)) for _, content in study.files()]
    port, command_line = free_port(), CommandLine(tmp_path / "state")
    arguments = ("--auth", "off", "--dicom", f"NODE@127.0.0.1:{port}", "--set", "completeness.tracking=on")
    entity = require_module("pynetdicom").AE(ae_title="CT1")
    entity.add_requested_context(MPPS)
    entity.add_requested_context(datasets[0].SOPClassUID, datasets[0].file_meta.TransferSyntaxUID)
    with serve(tmp_path / "node", arguments=arguments) as node:
        url = f"{node.base_url}/api/completeness/{study.study_instance_uid}"
        association = entity.associate("127.0.0.1", port, ae_title="NODE")
        step, created, completed = Dataset(), Dataset(), Dataset()
        step.StudyInstanceUID, step.ScheduledProcedureStepID = study.study_instance_uid, "S1"
        created.ScheduledStepAttributesSequence = [step]
        created.PerformedProcedureStepID, created.PerformedStationAETitle = "P1", "CT1"
        created.PerformedProcedureStepStartDate, created.PerformedProcedureStepStartTime = "20261101", "120000"
        created.PerformedProcedureStepStatus, created.Modality = "IN PROGRESS", "CT"
        assert association.send_n_create(created, MPPS, "1.2.3")[0].Status == 0
        assert association.send_c_store(datasets[0]).Status == 0
        node.process.wait_until(lambda: "is in progress" in str(httpx.get(url).json().get("told")))
        completed.PerformedProcedureStepStatus = "COMPLETED"
        completed.PerformedSeriesSequence = [_referenced(datasets[:3])]
        assert association.send_n_set(completed, MPPS, "1.2.3")[0].Status == 0
        node.process.wait_until(lambda: "2 of 3 instances" in httpx.get(url).json()["told"])
        assert [association.send_c_store(dataset).Status for dataset in datasets[1:3]] == [0, 0]
        node.process.wait_until(lambda: bool(httpx.get(url).json()["evidence"] == "performed step"))
        assert association.send_c_store(datasets[3]).Status == 0
        association.release()
        node.process.wait_until(lambda: bool(httpx.get(url).json()["reopened"] == 1))
        assert not httpx.get(url).json()["is_complete"]
        command_line.must("completeness", study.study_instance_uid, "--complete", "--yes", "--data-dir", node.data_dir)
        node.process.wait_until(lambda: bool(httpx.get(url).json()["evidence"] == "request"))
        (row,) = json.loads(command_line.must("completeness", "--data-dir", node.data_dir, "--json"))
        assert (row["is_complete"], row["instances"], row["reopened"]) == (True, 4, 1)
        assert httpx.post(f"{node.base_url}/api/completeness/1.2.9").status_code == 404
