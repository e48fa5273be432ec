"""The scripts of the walk-through against other people's storage SCPs."""

from __future__ import annotations

from pathlib import Path

from pydicom import dcmread

from isocenter.app.modality.scripts import SentImage, run_script
from isocenter.domain.application_entity import AeAddress
from isocenter.modality.devices.scripts import StoryAddresses
from tests.support.dcmtk import storescp
from tests.support.processes import free_port
from tests.support.pynetdicom_scp import storage_scp

REDUCTION = 16
CR_IMAGE_STORAGE, EXPLICIT = "1.2.840.10008.5.1.4.1.1.1", "1.2.840.10008.1.2.1"


def _addresses(title: str, port: int) -> StoryAddresses:
    peer = AeAddress(title, "127.0.0.1", port)
    return StoryAddresses(peer, peer, peer)


def test_each_image_has_an_association_of_its_own_called_by_gdcm(tmp_path: Path) -> None:
    told: list[SentImage] = []
    with storage_scp([(CR_IMAGE_STORAGE, (EXPLICIT,))]) as scp:
        report = run_script(2, _addresses("PACS", scp.port), on_image=told.append, reduction=REDUCTION)
    assert report.held
    assert scp.callers == ["GDCM"] * 3
    assert scp.stored == [image.outcome.reference.sop_instance_uid for image in told]
    assert told == report.images


def test_what_a_script_sent_is_what_the_story_says(tmp_path: Path) -> None:
    with storescp(tmp_path / "received") as scp:
        report = run_script("4-modality-pushing-to-qie-extra", _addresses(scp.ae_title, scp.port), reduction=REDUCTION)
        received = [dcmread(path) for path in scp.files()]
    assert report.held
    assert {str(each.PatientName) for each in received} == {"Mayert710^Sigrid77", "Olson653^Quentin3"}
    assert {each.StudyDate for each in received} == {"20221122"}
    assert {each.StudyInstanceUID for each in received} == {image.study.study_instance_uid for image in report.images}


def test_an_image_that_is_refused_is_told_and_the_next_one_is_sent() -> None:
    with storage_scp([(CR_IMAGE_STORAGE, (EXPLICIT,))]) as scp:
        scp.answer = lambda uid: 0xA700 if not scp.stored and scp.callers.count("GDCM") == 1 else 0x0000
        report = run_script(2, _addresses("PACS", scp.port), reduction=REDUCTION)
    assert not report.held
    assert [image.outcome.is_acknowledged for image in report.images] == [False, True, True]
    assert report.problems == [f"PACS@127.0.0.1:{scp.port} answers A700, it is out of resources; try again later"]


def test_a_script_against_nobody_tells_where_it_called() -> None:
    port = free_port()
    report = run_script(2, _addresses("PACS", port), reduction=REDUCTION)
    assert (report.held, report.was_reached, len(report.images)) == (False, False, 3)
    assert report.problems == [f"PACS@127.0.0.1:{port} cannot be reached: Connection refused."]
