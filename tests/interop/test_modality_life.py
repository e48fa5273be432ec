"""The simulated modality against other people's programs: DCMTK's work list and storage, pynetdicom's department."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from isocenter.app.committing import bind
from isocenter.app.dimse_peer import DimsePeer
from isocenter.app.modality.choosing import Choice, choose_order
from isocenter.app.modality.report import ScanReport
from isocenter.app.modality.scanning import Manner, Peers, Scan
from isocenter.domain.application_entity import RemoteAe
from isocenter.domain.errors import NotFound
from isocenter.modality.devices.acquisition import Acquisition
from isocenter.modality.devices.misbehaviour import Misbehaviour
from isocenter.modality.devices.order import Order
from isocenter.modality.devices.outcome import Outcome
from isocenter.modality.devices.sending import AssociationPer
from tests.support.command_line import must_here
from tests.support.dcmtk import DcmtkServer, storescp, wlmscpfs
from tests.support.device_studies import BEGUN_AT, acquisition, dataset_of, file_of
from tests.support.dicom_files import EXPLICIT, write_file
from tests.support.processes import free_port, orthanc
from tests.support.pynetdicom_ris import PERFORMED_STEP, Department, department
from tests.support.pynetdicom_scp import CT_IMAGE_STORAGE, storage_scp

IMPLICIT_UID, EXPLICIT_UID = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
MULTIFRAME_WORD = "1.2.840.10008.5.1.4.1.1.7.3"
ALONE = Misbehaviour(tells_no_step=True, asks_no_commitment=True)


def _peer(title: str, port: int, *, calling: str = "CT01") -> DimsePeer:
    return DimsePeer(RemoteAe(title, "127.0.0.1", port), calling, timeout_s=30.0)


def _at(server: DcmtkServer) -> DimsePeer:
    return _peer(server.ae_title, server.port)


def _item(accession: str) -> bytes:
    step = Dataset()
    step.Modality, step.ScheduledStationAETitle = "CT", "CT01"
    step.ScheduledProcedureStepStartDate, step.ScheduledProcedureStepStartTime = "20221122", "0930"
    step.ScheduledProcedureStepID, step.ScheduledProcedureStepDescription = f"S{accession}", "Head plain"
    item = Dataset()
    item.SpecificCharacterSet = "ISO_IR 100"
    item.SOPClassUID, item.SOPInstanceUID = "1.2.276.0.7230010.3.1.0.1", f"1.2.{len(accession)}"
    item.PatientName, item.PatientID = "Müller^Eva", "P77"
    item.PatientBirthDate, item.PatientSex = "19500102", "F"
    item.AccessionNumber, item.StudyInstanceUID = accession, "1.2.3.77"
    item.RequestedProcedureID, item.RequestedProcedureDescription = f"RP{accession}", "HEAD"
    item.ReferringPhysicianName = "Quill^Ada"
    item.ScheduledProcedureStepSequence = [step]
    return write_file(item, EXPLICIT)


def _chosen(server: DcmtkServer, choice: Choice) -> Order:
    return choose_order(_at(server), acquisition().profile, choice, ae_title="CT01", day=BEGUN_AT.date())


def test_an_item_of_dcmtks_work_list_stands_in_the_images_that_dcmtk_receives(tmp_path: Path) -> None:
    with wlmscpfs(tmp_path / "items") as list_, storescp(tmp_path / "received") as archive:
        (list_.folder / "item.wl").write_bytes(_item("A77"))
        order = _chosen(list_, Choice())
        made = acquisition(order=order, misbehaviour=ALONE)
        report = Scan(made, Peers(_at(archive))).run()
        received = [dcmread(path) for path in archive.files()]
        with pytest.raises(NotFound, match="AccessionNumber"):
            _chosen(list_, Choice(accession_number="A78"))
    assert report.held
    assert len(received) == 3
    for image in received:
        assert (str(image.PatientName), image.PatientID) == ("Müller^Eva", "P77")
        assert (image.StudyInstanceUID, image.AccessionNumber) == ("1.2.3.77", "A77")
        assert str(image.ReferringPhysicianName) == "Quill^Ada"
        (request,) = image.RequestAttributesSequence
        assert (request.RequestedProcedureID, request.ScheduledProcedureStepID) == ("RPA77", "SA77")


def _life(ris: Department, made: Acquisition, *, title: str = "RIS") -> ScanReport:
    peer = _peer(title, ris.port)
    with closing(bind("127.0.0.1", ris.calls_back_at)) as listener:
        return Scan(made, Peers(peer, steps=peer, commitment=peer), Manner(listener=listener)).run()


def test_pynetdicom_sees_the_whole_life_and_reports_on_an_association_of_its_own() -> None:
    made = acquisition()
    with department() as ris:
        report = _life(ris, made)
    assert report.held, report.as_json()["checks"]
    assert ris.reported == [0x0000]
    (created,), (changed,) = ris.created, ris.changed
    assert (created.PerformedProcedureStepStatus, changed.PerformedProcedureStepStatus) == ("IN PROGRESS", "COMPLETED")
    assert created.PerformedStationAETitle == "CT01"
    (series,) = changed.PerformedSeriesSequence
    assert [image.ReferencedSOPInstanceUID for image in series.ReferencedImageSequence] == ris.stored


def test_orthanc_commits_to_what_it_took(tmp_path: Path) -> None:
    port = free_port()
    device = {"DicomModalities": {"ct": ["CT01", "127.0.0.1", port]}}
    with orthanc(tmp_path / "orthanc", configuration=device) as pacs, closing(bind("127.0.0.1", port)) as listener:
        peer = _peer(pacs.ae_title, pacs.dicom_port)
        made = acquisition(misbehaviour=Misbehaviour(tells_no_step=True))
        report = Scan(made, Peers(peer, commitment=peer), Manner(listener=listener)).run()
    assert report.held, report.checks
    assert report.commitment is not None
    assert len(report.commitment.committed) == 3


def test_an_instance_that_is_not_committed_to_is_named_with_its_reason() -> None:
    made = acquisition()
    lost = next(made.iter_images()).sop_instance_uid
    with department() as ris:
        ris.lost.add(lost)
        report = _life(ris, made)
    assert not report.held
    told = report.as_json()["commitment"]
    assert [(one["sop_instance_uid"], one["reason"]) for one in told["failed"]] == [(lost, "0112")]
    assert len(told["committed"]) == 2
    (failed,) = (check for check in report.checks if not check.held)
    assert failed.told.endswith("commits to 2 of 3; 1 failed, 0 unanswered: it is not there (0112).")


def test_a_department_without_steps_is_told_of_as_such() -> None:
    with department(refuses=(PERFORMED_STEP,)) as ris:
        report = _life(ris, acquisition())
    assert [check.name for check in report.checks if not check.held] == ["performed step"]
    assert "RIS accepts no context for Modality Performed Procedure Step" in report.step_problem


def test_a_peer_that_is_killed_in_the_middle_leaves_what_it_acknowledged(tmp_path: Path) -> None:
    told: list[Outcome] = []
    with storescp(tmp_path / "received") as archive, department() as ris:

        def note(outcome: Outcome) -> None:
            told.append(outcome)
            if len(told) == 2:
                archive.process.kill()

        made = acquisition(slices=6, misbehaviour=Misbehaviour(asks_no_commitment=True))
        report = Scan(made, Peers(_at(archive), steps=_peer("RIS", ris.port)), on_outcome=note).run()
        assert len(archive.files()) == 2
    assert [outcome.is_acknowledged for outcome in told] == [True, True, False]
    assert not report.held
    assert report.was_reached
    images = report.checks[0]
    assert "acknowledged 2 of 6" in images.told
    assert "ended while an instance was sent" in images.told or "Connection refused" in images.told
    (changed,) = ris.changed
    assert changed.PerformedProcedureStepStatus == "DISCONTINUED"
    assert len(changed.PerformedSeriesSequence[0].ReferencedImageSequence) == 2


@pytest.mark.parametrize(
    ("per", "associations"), [(AssociationPer.IMAGE, 6), (AssociationPer.SERIES, 3), (AssociationPer.STUDY, 1)]
)
def test_associations_are_kept_as_long_as_the_device_keeps_them(per: AssociationPer, associations: int) -> None:
    mr_image_storage = "1.2.840.10008.5.1.4.1.1.4"
    with storage_scp([(mr_image_storage, (EXPLICIT_UID,))]) as scp:
        made = acquisition("MR", slices=2, misbehaviour=ALONE)
        report = Scan(made, Peers(_peer("PACS", scp.port)), Manner(association_per=per)).run()
    assert report.held
    assert scp.callers == ["CT01"] * associations


def test_an_instance_is_aborted_in_its_middle_and_never_counted(tmp_path: Path) -> None:
    with storescp(tmp_path / "received") as archive:
        made = acquisition(misbehaviour=replace(ALONE, abort_after=1))
        report = Scan(made, Peers(_at(archive))).run()
        archive.process.wait_until(lambda: "Association Aborted" in archive.process.log())
        whole = [path for path in archive.files() if path.read_bytes() == file_of(next(made.iter_images()))]
    assert report.held
    assert [outcome.is_acknowledged for outcome in report.outcomes] == [True, False]
    assert len(whole) <= 1


def test_a_device_that_knows_implicit_vr_alone_offers_nothing_else(tmp_path: Path) -> None:
    made = acquisition(misbehaviour=replace(ALONE, implicit_vr=True))
    both = [(CT_IMAGE_STORAGE, (EXPLICIT_UID, IMPLICIT_UID))]
    with storage_scp(both) as scp:
        assert Scan(made, Peers(_peer("PACS", scp.port))).run().held
    assert set(scp.syntaxes.values()) == {IMPLICIT_UID}
    assert scp.contexts == [1]
    with storage_scp([(CT_IMAGE_STORAGE, (EXPLICIT_UID,))]) as scp:
        refused = Scan(made, Peers(_peer("PACS", scp.port))).run()
    assert not refused.held
    assert "accepts no context for CT Image Storage" in refused.checks[0].told


def test_an_instance_is_turned_into_what_the_peer_takes_without_loss() -> None:
    made = acquisition(misbehaviour=ALONE)
    with storage_scp([(CT_IMAGE_STORAGE, (IMPLICIT_UID,))]) as scp:
        assert Scan(made, Peers(_peer("PACS", scp.port))).run().held
    first = next(made.iter_images())
    assert dataset_of(first).PixelData in scp.datasets[first.sop_instance_uid]


def test_contexts_beyond_those_of_one_association_go_to_several() -> None:
    made = acquisition(misbehaviour=replace(ALONE, contexts=200))
    with storage_scp([(CT_IMAGE_STORAGE, (EXPLICIT_UID,)), (PERFORMED_STEP, (EXPLICIT_UID,))]) as scp:
        report = Scan(made, Peers(_peer("PACS", scp.port))).run()
    assert report.held, report.checks
    assert scp.contexts == [128, 72]


def test_a_huge_multi_frame_instance_arrives_whole() -> None:
    frames = 3_000
    made = acquisition(misbehaviour=replace(ALONE, huge_multiframe=frames))
    with storage_scp([(MULTIFRAME_WORD, (EXPLICIT_UID,))]) as scp:
        report = Scan(made, Peers(_peer("PACS", scp.port))).run()
    assert report.held
    (sent,) = made.iter_images()
    (received,) = scp.datasets.values()
    assert received.endswith(sent.frame * 2)
    assert len(received) == sent.size_bytes - sent.dataset_offset


@pytest.mark.parametrize("name", ["mislabelled", "ISO 2022 IR 87"])
def test_an_odd_character_set_arrives_as_it_was_written(tmp_path: Path, name: str) -> None:
    made = acquisition(slices=1, misbehaviour=replace(ALONE, character_set=name))
    with storescp(tmp_path / "received") as archive:
        assert Scan(made, Peers(_at(archive))).run().held
        (received,) = (dcmread(path) for path in archive.files())
    sent = dataset_of(next(made.iter_images()))
    assert received.get_item("PatientName").value == sent.get_item("PatientName").value
    assert received.SpecificCharacterSet == sent.SpecificCharacterSet


def test_what_is_written_is_what_is_sent(tmp_path: Path) -> None:
    small = ("--profile", "CT", "--seed", "7", "--coarse", "16", "--slices", "2")
    must_here("modality", "write", tmp_path / "written", *small, "--private-tags")
    with storescp(tmp_path / "received", "+B") as archive:
        alone = ("--private-tags", "--no-commit", "--no-mpps")
        ended = must_here("modality", "scan", "--to", archive.peer, *small, *alone, "--json")
        received = {dcmread(path).SOPInstanceUID: dcmread(path) for path in archive.files()}
    assert json.loads(ended)["held"]
    for path in (tmp_path / "written").iterdir():
        written = dcmread(path)
        for element in written:
            if element.keyword != "ReferencedPerformedProcedureStepSequence":  # who writes a file tells of no step
                assert received[written.SOPInstanceUID][element.tag] == element
