from __future__ import annotations

import pydicom
from pydicom.filebase import DicomBytesIO

from isocenter.archive.delete import delete
from isocenter.dicom.part10 import read_encoding
from isocenter.domain.delivery import DeliveryPlan
from isocenter.domain.identifiers import Scope
from isocenter.domain.principal import LOCAL_OWNER
from isocenter.routing.configuration.channel import Configuration
from isocenter.routing.deliveries.report import InstanceStored, Report
from isocenter.routing.deliveries.sender import Outgoing
from isocenter.routing.rules.expression import Path, PathStep
from isocenter.routing.sending.supply import VERIFIED_IN_MEMORY_MAX_BYTES, Supply
from isocenter.routing.transforms.step import Remove, SetValue, Step, Transform
from tests.support.deliveries import ScriptedSender, deliverer
from tests.support.instances import identify
from tests.support.memory_archive import store
from tests.support.small_instances import make_instance

PATIENT_NAME, MODALITY, PATIENT_ID = 0x00100010, 0x00080060, 0x00100020


def _path(tag: int) -> Path:
    return Path((PathStep(tag),))


RENAME = Transform("rename", (Step(SetValue(_path(PATIENT_NAME), ("Other^Name",))),))
NAMELESS = Transform("nameless", (Step(Remove(_path(PATIENT_ID))),), keeps_originals=False)
IMPOSSIBLE = Transform("impossible", (Step(SetValue(_path(MODALITY), ("NOT A CODE STRING OF SIXTEEN",))),))
LARGE = make_instance(identify(), size_bytes=VERIFIED_IN_MEMORY_MAX_BYTES + 1024, columns=2048).content
CONFIGURATION = Configuration(transforms=(RENAME, NAMELESS, IMPOSSIBLE))


def _sent(*transforms: str, content: bytes | None = None) -> tuple[bytes, bytes, int]:
    """Return what was stored, what went out, and the length that was announced."""
    out: list[bytes] = []
    sizes: list[int] = []
    with deliverer(configuration=CONFIGURATION) as at:
        content = content or make_instance(identify()).content
        key = store(at.archive, content).instance_key
        plan = DeliveryPlan(at.desk.destination.name, transforms=transforms)
        at.ledger.add([key], plan, now=at.clock.now().timestamp())

        def answer(outgoing: Outgoing) -> Report:
            out.append(b"".join(outgoing.read()))
            sizes.append(outgoing.size_bytes)
            return InstanceStored()

        at.sender.answer = answer
        at.work()
        assert at.states() == ["delivered"]
    return content, out[0], sizes[0]


def test_without_transforms_the_bytes_go_out_as_they_came() -> None:
    stored, sent, size_bytes = _sent()
    assert sent == stored
    assert size_bytes == len(stored)


def test_a_large_instance_goes_out_as_it_came_too() -> None:
    stored, sent, _ = _sent(content=make_instance(identify(), size_bytes=3 * 1024**2).content)
    assert sent == stored


def test_transforms_are_made_on_the_way_out() -> None:
    stored, sent, size_bytes = _sent("rename", "nameless")
    dataset = pydicom.dcmread(DicomBytesIO(sent))
    assert (dataset.PatientName, "PatientID" in dataset) == ("Other^Name", False)
    assert dataset.PixelData == pydicom.dcmread(DicomBytesIO(stored)).PixelData
    assert size_bytes == len(sent)


def test_transforms_of_a_large_instance_leave_its_pixels_alone() -> None:
    stored, sent, size_bytes = _sent("rename", content=LARGE)
    assert sent[-1024:] == stored[-1024:]
    assert size_bytes == len(sent)
    assert read_encoding(sent[:4096])[0].transfer_syntax_uid == "1.2.840.10008.1.2.1"


def test_a_transform_that_cannot_be_made_stops_its_instance_and_says_why() -> None:
    with deliverer(configuration=CONFIGURATION) as at:
        at.queue(1, transforms=("impossible",))
        at.queue(1)
        at.work()
        assert at.states() == ["needs-human", "delivered"]
        attempt = at.ledger.attempts(1)[0]
        assert attempt.note == "local:transform-refused"
        assert "Step 1 of transform impossible" in attempt.detail


def test_a_transform_that_is_gone_stops_its_instance() -> None:
    with deliverer(configuration=Configuration()) as at:
        at.queue(1, transforms=("rename",))
        at.work()
        assert at.states() == ["needs-human"]
        assert at.sender.sent == []


def test_the_transforms_are_those_of_the_version_that_the_plan_was_made_by() -> None:
    versions = {1: CONFIGURATION, 2: Configuration()}
    with deliverer() as at:
        supply = Supply(at.archive.index, at.archive.blobs, at.clock, configuration_of=versions.get, system="test")
        at.queue(1, transforms=("rename",), configuration_version=1)
        at.queue(1, transforms=("rename",), configuration_version=2)
        kinds = [type(one).__name__ for one in supply.prepare(at.rows())]
        assert kinds == ["Outgoing", "Unsendable"]


def test_an_instance_that_was_deleted_is_not_sent() -> None:
    with deliverer(sender=ScriptedSender()) as at:
        at.queue(1)
        rows = at.rows()
        identifier = rows[0].identifier
        delete(at.archive, LOCAL_OWNER, Scope(identifier.study_instance_uid))
        supply = Supply(at.archive.index, at.archive.blobs, at.clock, configuration_of=lambda version: None, system="")
        prepared = supply.prepare(rows)
        assert [type(one).__name__ for one in prepared] == ["Unsendable"]
