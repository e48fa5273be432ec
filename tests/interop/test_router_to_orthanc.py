"""DCMTK sends to a channel, Orthanc gets it by C-STORE, and another node by STOW-RS."""

from __future__ import annotations

import subprocess
from pathlib import Path

import httpx

from tests.support.dicomweb import client
from tests.support.instances import identify
from tests.support.peers import require
from tests.support.processes import free_port, orthanc, serve
from tests.support.router import routing_node
from tests.support.small_instances import make_instance

CONFIGURATION = """
[channels.router]
source = {{ kind = "dimse", listen = "QIEROUTER@127.0.0.1:{port}" }}
[[channels.router.rules]]
name = "to the PACS"
to = ["pacs"]
[[channels.router.rules]]
name = "CT to the cloud"
when = 'Modality = "CT"'
to = ["cloud"]
[destinations.pacs]
kind = "dimse"
remote = "ORTHANC@127.0.0.1:{pacs_port}"
calling_ae_title = "keep"
[destinations.cloud]
kind = "dicomweb"
url = "{cloud_url}/v2"
profile = "azure"
"""
NUMBER = 5


def test_what_a_modality_sends_is_in_pacs_and_cloud_and_counted_twice(tmp_path: Path) -> None:
    files = []
    for number in range(NUMBER):
        path = tmp_path / f"{number}.dcm"
        path.write_bytes(make_instance(identify(1, 1, number)).content)
        files.append(str(path))
    port = free_port()
    with orthanc(tmp_path / "orthanc") as pacs, serve(tmp_path / "cloud") as cloud:
        text = CONFIGURATION.format(port=port, pacs_port=pacs.dicom_port, cloud_url=cloud.base_url)
        with routing_node(tmp_path, text) as routing:
            command = [require("storescu"), "-aet", "CT1", "-aec", "QIEROUTER", "127.0.0.1", str(port), *files]
            subprocess.run(command, check=True, timeout=60, capture_output=True)
            counters = routing.wait_settled("router", 2 * NUMBER)
            assert (counters["received"], counters["delivered"]) == (2 * NUMBER, 2 * NUMBER)
            by_destination = routing.get("/channels/router")["by_destination"]
            assert {one["destination"]: one["delivered"] for one in by_destination} == {"pacs": NUMBER, "cloud": NUMBER}
            routing.must("POST", "/destinations/cloud/hold", {"reason": "the line is down"})
            assert "Held by local" in routing.get("/destinations/cloud")["words"]
        held = client().get(f"{pacs.base_url}/statistics").json()
        assert held["CountInstances"] == NUMBER
        found = client().get(f"{cloud.base_url}/v2/instances", headers={"Accept": "application/dicom+json"})
        assert (found.status_code, len(found.json())) == (httpx.codes.OK, NUMBER)
