"""pynetdicom against the node's listener, and as the destination of its moves."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset

from tests.support.instances import CT_IMAGE_STORAGE, EXPLICIT_VR_LITTLE_ENDIAN, identify
from tests.support.peers import require_module
from tests.support.processes import free_port, serve
from tests.support.small_instances import make_instance

pytestmark = [
    pytest.mark.interop,
    # As an acceptor it now and then leaves a socket open that the other end has closed.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

AE_TITLE = "NODE"
COUNT = 5
WAIT_S = 20
VERIFICATION = "1.2.840.10008.1.1"
STUDY_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
STUDY_GET = "1.2.840.10008.5.1.4.1.2.2.3"


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int]]:
    """Return the DICOM port of a running node, and that of its remote AE SINK."""
    port, sink = free_port(), free_port()
    arguments = ("--auth", "off", "--dicom", f"{AE_TITLE}@127.0.0.1:{port}", "--remote", f"SINK@127.0.0.1:{sink}")
    with serve(tmp_path_factory.mktemp("node") / "data", arguments=arguments):
        yield port, sink


@pytest.fixture(scope="module")
def datasets() -> list[Dataset]:
    contents = [make_instance(identify(1, 1, number)).content for number in range(1, COUNT + 1)]
    return [pydicom.dcmread(BytesIO(content)) for content in contents]


def _associate(port: int, *contexts: tuple[str, str], **options: Any) -> Any:
    pynetdicom = require_module("pynetdicom")
    entity = pynetdicom.AE("PYNETDICOM")
    for abstract_syntax, transfer_syntax in contexts:
        entity.add_requested_context(abstract_syntax, transfer_syntax)
    association = entity.associate("127.0.0.1", port, ae_title=AE_TITLE, **options)
    assert association.is_established
    return association


@pytest.fixture(scope="module")
def stored(ports: tuple[int, int], datasets: list[Dataset]) -> list[Dataset]:
    association = _associate(ports[0], (CT_IMAGE_STORAGE, EXPLICIT_VR_LITTLE_ENDIAN))
    assert [association.send_c_store(dataset).Status for dataset in datasets] == [0] * COUNT
    association.release()
    return datasets


def _asked() -> Dataset:
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "STUDY"
    identifier.StudyInstanceUID = identify(1).study_instance_uid
    return identifier


def _instances(found: list[Dataset]) -> dict[str, Dataset]:
    return {str(dataset.SOPInstanceUID): dataset for dataset in found}


def test_it_is_verified(ports: tuple[int, int]) -> None:
    association = _associate(ports[0], (VERIFICATION, EXPLICIT_VR_LITTLE_ENDIAN))
    assert association.send_c_echo().Status == 0
    association.release()


def test_a_study_comes_back_by_c_get(ports: tuple[int, int], stored: list[Dataset]) -> None:
    pynetdicom = require_module("pynetdicom")
    received: list[Dataset] = []

    def take(event: Any) -> int:
        received.append(event.dataset)
        return 0

    association = _associate(
        ports[0],
        (STUDY_GET, EXPLICIT_VR_LITTLE_ENDIAN),
        (CT_IMAGE_STORAGE, EXPLICIT_VR_LITTLE_ENDIAN),
        ext_neg=[pynetdicom.build_role(CT_IMAGE_STORAGE, scp_role=True)],
        evt_handlers=[(pynetdicom.evt.EVT_C_STORE, take)],
    )
    final = list(association.send_c_get(_asked(), STUDY_GET))[-1][0]
    association.release()
    assert (final.Status, final.NumberOfCompletedSuboperations) == (0, COUNT)
    assert _instances(received) == _instances(stored)


@pytest.mark.parametrize(("status", "final_status"), [(0x0000, 0x0000), (0xB007, 0xB000), (0xA700, 0xA702)])
def test_a_study_is_moved_to_it(
    ports: tuple[int, int], stored: list[Dataset], status: int, final_status: int, tmp_path: Path
) -> None:
    pynetdicom = require_module("pynetdicom")
    received: list[Dataset] = []
    originators: set[str] = set()

    def take(event: Any) -> int:
        received.append(event.dataset)
        originators.add(event.request.MoveOriginatorApplicationEntityTitle)
        return status

    sink = pynetdicom.AE("SINK")
    sink.add_supported_context(CT_IMAGE_STORAGE, EXPLICIT_VR_LITTLE_ENDIAN)
    server = sink.start_server(("127.0.0.1", ports[1]), block=False, evt_handlers=[(pynetdicom.evt.EVT_C_STORE, take)])
    try:
        association = _associate(ports[0], (STUDY_MOVE, EXPLICIT_VR_LITTLE_ENDIAN))
        answers = list(association.send_c_move(_asked(), "SINK", STUDY_MOVE))
        association.release()
        deadline = time.monotonic() + WAIT_S
        while server.active_associations and time.monotonic() < deadline:  # the node releases them behind its answer
            threading.Event().wait(0.02)
    finally:
        server.shutdown()
    final, identifier = answers[-1]
    assert final.Status == final_status
    assert _instances(received) == _instances(stored)
    assert originators == {"PYNETDICOM"}
    if final_status == 0xA702:
        assert sorted(identifier.FailedSOPInstanceUIDList) == sorted(_instances(stored))
