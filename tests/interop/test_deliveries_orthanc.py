"""Both senders before Orthanc (Debian): by C-STORE and by STOW-RS to its DICOMweb plugin."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO

import httpx
import pydicom
import pytest

from isocenter.app.senders.dimse import OwnSide
from isocenter.app.senders.open_sender import Senders
from isocenter.dicom.part10 import read_encoding
from isocenter.domain.application_entity import RemoteAe
from isocenter.routing.configuration.destination import Destination, DimseTarget, WebProfile, WebTarget
from isocenter.routing.deliveries.report import DimseAnswered, InstanceStored, Report
from isocenter.routing.deliveries.sender import Outgoing, Sender
from tests.support.instances import identify
from tests.support.memory_archive import memory_archive
from tests.support.processes import Orthanc, orthanc
from tests.support.senders import outgoing_of, sent, small_batch
from tests.support.small_instances import make_instance

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with orthanc(tmp_path_factory.mktemp("orthanc")) as started:
        yield started


@pytest.fixture(params=["dimse", "dicomweb"])
def sender(request: pytest.FixtureRequest, peer: Orthanc) -> Iterator[Sender]:
    with memory_archive() as archive:
        target = (
            DimseTarget(RemoteAe(peer.ae_title, "127.0.0.1", peer.dicom_port))
            if request.param == "dimse"
            else WebTarget(peer.dicomweb_url, profile=WebProfile.ORTHANC)
        )
        senders = Senders(archive, OwnSide("ROUTER"), read_secret=lambda name: "")
        opened = senders.open(Destination(request.param, target))
        yield opened
        opened.close()


def _kept(peer: Orthanc, outgoing: Outgoing) -> pydicom.Dataset:
    """Return what Orthanc has, which writes elements anew."""
    uid = outgoing.identifier.sop_instance_uid
    (found,) = httpx.post(f"{peer.base_url}/tools/lookup", content=uid).json()
    return pydicom.dcmread(BytesIO(httpx.get(f"{peer.base_url}/instances/{found['ID']}/file").content))


def _dataset(outgoing: Outgoing) -> pydicom.Dataset:
    return pydicom.dcmread(BytesIO(b"".join(outgoing.read())))


def test_what_is_delivered_is_there_as_it_was(peer: Orthanc, sender: Sender, request: pytest.FixtureRequest) -> None:
    batch = small_batch(12, first=100 if "dimse" in request.node.name else 200)
    reports = sent(sender, batch).reports
    assert set(reports) <= {InstanceStored(), DimseAnswered(0)}
    assert len(reports) == 12
    assert all(_kept(peer, one) == _dataset(one) for one in batch[:3])


def test_the_same_again_does_no_harm(peer: Orthanc, sender: Sender) -> None:
    batch = [outgoing_of(make_instance(identify(9), seed=1).content)]
    assert set(sent(sender, batch).reports + sent(sender, batch).reports) <= {InstanceStored(), DimseAnswered(0)}


def test_a_probe_finds_it_well(sender: Sender) -> None:
    assert sender.probe() is None


def test_an_instance_that_it_cannot_read_holds_the_others_up_by_nothing(peer: Orthanc) -> None:
    batch = small_batch(5, first=400)
    broken = b"".join(batch[2].read())
    broken = broken[: read_encoding(broken)[1]] + b"\xff" * 64
    damaged = Outgoing(
        delivery_key=batch[2].delivery_key,
        identifier=batch[2].identifier,
        sop_class_uid=batch[2].sop_class_uid,
        transfer_syntax_uid=batch[2].transfer_syntax_uid,
        size_bytes=len(broken),
        calling_ae_title="",
        read=lambda: iter((broken,)),
    )
    with memory_archive() as archive:
        senders = Senders(archive, OwnSide("ROUTER"), read_secret=lambda name: "")
        opened = senders.open(Destination("web", WebTarget(peer.dicomweb_url, profile=WebProfile.ORTHANC)))
        told = sent(opened, [*batch[:2], damaged, *batch[3:]]).by_key
        opened.close()
    stored: set[Report] = {told[one.delivery_key] for one in batch if one is not batch[2]}
    assert stored == {InstanceStored()}
    assert not isinstance(told[batch[2].delivery_key], InstanceStored)
