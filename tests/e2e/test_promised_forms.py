"""The forms that README promises, on a started node: ready, store, search, fetch, a clean end."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.support.processes import serve
from tests.support.shared_data import manifest_rows, read_bytes

MULTIPART = 'multipart/related; type="application/dicom"; transfer-syntax=*'


def test_node_answers_ready_and_ends_cleanly_on_sigterm(tmp_path: Path) -> None:
    with serve(tmp_path / "node") as node:
        assert httpx.get(f"{node.base_url}/health/ready").status_code == httpx.codes.OK


@pytest.mark.parametrize("root", ["/dicom-web", "/v2"])
def test_stored_instance_is_found_and_comes_back_byte_for_byte(tmp_path: Path, root: str) -> None:
    row = manifest_rows(lambda row: row.path.startswith("demo/ct-head/"))[0]
    content = read_bytes(row)
    with serve(tmp_path / "node") as node, httpx.Client(base_url=node.base_url + root) as client:
        stored = client.post("/studies", content=content, headers={"Content-Type": "application/dicom"})
        assert stored.status_code == httpx.codes.OK, stored.text
        found = client.get("/studies", params={"PatientID": row.patient_id})
        assert found.json()[0]["0020000D"]["Value"] == [row.study_instance_uid]
        study = f"/studies/{row.study_instance_uid}"
        assert content in client.get(study, headers={"Accept": MULTIPART}).content
        instance = f"{study}/series/{row.series_instance_uid}/instances/{row.sop_instance_uid}"
        picture = client.get(f"{instance}/rendered", headers={"Accept": "image/jpeg"})
        assert picture.content.startswith(b"\xff\xd8"), picture.text


def test_acknowledged_instance_is_there_after_a_kill(tmp_path: Path) -> None:
    row = manifest_rows(lambda row: row.path.startswith("demo/ct-head/"))[0]
    study = f"/studies/{row.study_instance_uid}"
    with serve(tmp_path / "node", must_end_cleanly=False) as node:
        headers = {"Content-Type": "application/dicom"}
        assert httpx.post(f"{node.dicomweb_url}/studies", content=read_bytes(row), headers=headers).is_success
        node.process.kill()
    with serve(tmp_path / "node") as node:
        fetched = httpx.get(node.dicomweb_url + study, headers={"Accept": MULTIPART})
        assert read_bytes(row) in fetched.content
