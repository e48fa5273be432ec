"""What operators see of associations, at a started node: JSON at /api/associations, text at /metrics."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.peers import require_module
from tests.support.processes import Node, free_port, serve

VERIFICATION, SECONDARY_CAPTURE = "1.2.840.10008.1.1", "1.2.840.10008.5.1.4.1.1.7"
NOT_A_SERVICE_OF_OURS = "1.2.840.10008.5.1.1.9"


@pytest.fixture
def dicom_port() -> int:
    return free_port()


@pytest.fixture
def node(tmp_path: Path, dicom_port: int) -> Iterator[Node]:
    arguments = ("--auth", "off", "--dicom", f"ISOCENTER@127.0.0.1:{dicom_port}")
    with serve(tmp_path / "node", arguments=arguments) as started:
        yield started


def test_an_association_is_seen_while_it_lives_and_when_it_has_ended(node: Node, dicom_port: int) -> None:
    ae = require_module("pynetdicom").AE("MODALITY")
    for uid in (VERIFICATION, SECONDARY_CAPTURE, NOT_A_SERVICE_OF_OURS):
        ae.add_requested_context(uid)
    association = ae.associate("127.0.0.1", dicom_port, ae_title="ISOCENTER")
    try:
        assert association.send_c_echo().Status == 0
        [live] = httpx.get(f"{node.base_url}/api/associations").json()["live"]
        assert (live["calling_ae_title"], live["contexts_accepted"], live["contexts_refused"]) == ("MODALITY", 2, 1)
        whole = httpx.get(f"{node.base_url}/api/associations/{live['id']}").json()
        assert whole["messages_received"] == {"C-ECHO-RQ": 1}
        assert whole["statuses_sent"] == [{"message": "C-ECHO-RSP", "status": "0000", "count": 1}]
    finally:
        association.release()
    node.process.wait_until(lambda: not httpx.get(f"{node.base_url}/api/associations").json()["live"])
    [ended] = httpx.get(f"{node.base_url}/api/associations").json()["recent"]
    assert ended["end"] == "released"
    metrics = httpx.get(f"{node.base_url}/metrics").text
    assert 'isocenter_associations_ended_total{end="released"} 1.0' in metrics
    assert 'isocenter_dimse_responses_total{direction="sent",message="C-ECHO-RSP",status="0000"} 1.0' in metrics


def test_a_rejection_is_seen_with_its_cause(node: Node, dicom_port: int) -> None:
    ae = require_module("pynetdicom").AE("MODALITY")
    ae.add_requested_context(VERIFICATION)
    association = ae.associate("127.0.0.1", dicom_port, ae_title="SOMEBODY")
    assert association.is_rejected
    node.process.wait_until(lambda: bool(httpx.get(f"{node.base_url}/api/associations").json()["recent"]))
    [rejected] = httpx.get(f"{node.base_url}/api/associations").json()["recent"]
    assert (rejected["end"], rejected["cause"]) == ("rejected", "called AE title not recognized")


def test_a_page_under_a_foreign_name_sees_neither(node: Node) -> None:
    for path in ("/api/associations", "/metrics"):
        assert httpx.get(node.base_url + path, headers={"Host": "evil.example"}).status_code == 403
