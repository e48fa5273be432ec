"""DICOMweb in front of archives that speak DIMSE: Orthanc by C-GET, DCMTK's dcmqrscp by C-MOVE."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pydicom
import pytest
from dicomweb_client.api import DICOMwebClient
from pynetdicom import AE, StoragePresentationContexts, evt

from isocenter.modality.workload import WorkloadInstance, WorkloadShape, write_workload
from tests.support.command_line import CommandLine
from tests.support.dcmtk import dcmqrscp
from tests.support.dicomweb import ANY_DICOM, ANY_FRAMES, JSON, client, get, parts
from tests.support.processes import Process, free_port, orthanc, serve

pytestmark = pytest.mark.interop

SHAPE = WorkloadShape("small", studies=3, series=2, instances=4, rows=16, columns=16)


@dataclass(frozen=True, slots=True)
class Gateway:
    """A node with a gateway, and the archive behind it."""

    url: str
    upstream: Process | None
    instances: list[WorkloadInstance]
    sources: Path

    def dataset(self, one: WorkloadInstance) -> pydicom.Dataset:
        """Return an instance as it was stored to the archive."""
        return pydicom.dcmread(self.sources / one.path)

    def get(self, path: str, accept: str = JSON) -> httpx.Response:
        return get(f"{self.url}/{path}", accept)

    def rows(self, path: str) -> list[dict[str, Any]]:
        answer = self.get(path)
        assert answer.status_code in (200, 204), answer.text
        rows: list[dict[str, Any]] = answer.json() if answer.content else []
        return rows


def _configuration(title: str, port: int, *, listen: str = "") -> str:
    moves = f'listen = "{listen}"\nprefers_move = true\n' if listen else ""
    return (
        f'[destinations.pacs]\nkind = "dimse"\nremote = "{title}@127.0.0.1:{port}"\n'
        f'[gateways.old-pacs]\nupstream = "pacs"\n{moves}'
    )


@contextmanager
def _in_front(folder: Path, configuration: str) -> Iterator[str]:
    path = folder / "routing.toml"
    path.write_text(configuration)
    environment = {"ISOCENTER_ROUTING_CONFIGURATION": str(path)}
    with serve(folder / "node", environment=environment) as node:
        yield f"{node.base_url}/gateways/old-pacs"


@contextmanager
def _orthanc(folder: Path) -> Iterator[Gateway]:
    instances = write_workload(folder / "sources", SHAPE)
    with orthanc(folder / "orthanc") as peer:
        address = f"{peer.ae_title}@127.0.0.1:{peer.dicom_port}"
        CommandLine(folder / "state").must("store", folder / "sources", "--to", address)
        with _in_front(folder, _configuration(peer.ae_title, peer.dicom_port)) as url:
            yield Gateway(url, peer.process, instances, folder / "sources")


@contextmanager
def _dcmqrscp(folder: Path) -> Iterator[Gateway]:
    instances = write_workload(folder / "sources", SHAPE)
    port = free_port()
    with dcmqrscp(folder / "qr", destinations={"GATEWAY": port}) as peer:
        CommandLine(folder / "state").must("store", folder / "sources", "--to", peer.peer)
        listen = f"GATEWAY@127.0.0.1:{port}"
        with _in_front(folder, _configuration(peer.ae_title, peer.port, listen=listen)) as url:
            yield Gateway(url, peer.process, instances, folder / "sources")


@pytest.fixture(scope="module", params=[_orthanc, _dcmqrscp], ids=["orthanc by C-GET", "dcmqrscp by C-MOVE"])
def gateway(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with ExitStack() as stack:
        yield stack.enter_context(request.param(tmp_path_factory.mktemp("gateway")))


def _uids(rows: list[dict[str, Any]], tag: str) -> set[str]:
    return {row[tag]["Value"][0] for row in rows}


def _of(gateway: Gateway, study: str) -> list[WorkloadInstance]:
    return [one for one in gateway.instances if one.study == study]


# ---- searches


def test_studies_series_and_instances_are_found_at_every_route(gateway: Gateway) -> None:
    everything = gateway.instances
    one = everything[0]
    assert _uids(gateway.rows("studies"), "0020000D") >= {each.study for each in everything}
    assert _uids(gateway.rows("series"), "0020000E") >= {each.series for each in everything}
    assert _uids(gateway.rows("instances"), "00080018") >= {each.sop for each in everything}
    study = _of(gateway, one.study)
    assert _uids(gateway.rows(f"studies/{one.study}/series"), "0020000E") == {each.series for each in study}
    assert _uids(gateway.rows(f"studies/{one.study}/instances"), "00080018") == {each.sop for each in study}
    found = gateway.rows(f"studies/{one.study}/series/{one.series}/instances")
    assert _uids(found, "00080018") == {each.sop for each in study if each.series == one.series}


def test_rows_tell_where_the_gateway_gives_what_they_name(gateway: Gateway) -> None:
    one = gateway.instances[0]
    (row,) = gateway.rows(f"studies?StudyInstanceUID={one.study}")
    assert row["00081190"]["Value"] == [f"{gateway.url}/studies/{one.study}"]
    assert row["00100020"]["Value"]


def test_a_search_narrows_by_key_wildcard_and_range(gateway: Gateway) -> None:
    (row,) = gateway.rows(f"studies?StudyInstanceUID={gateway.instances[0].study}&includefield=StudyDate")
    patient, day = row["00100020"]["Value"][0], row["00080020"]["Value"][0]
    assert gateway.instances[0].study in _uids(gateway.rows(f"studies?PatientID={patient}"), "0020000D")
    assert gateway.instances[0].study in _uids(gateway.rows(f"studies?PatientID={patient[:3]}*"), "0020000D")
    assert gateway.instances[0].study in _uids(gateway.rows(f"studies?StudyDate={day}-{day}"), "0020000D")
    assert gateway.rows("studies?PatientID=nobody") == []


def test_pages_together_have_every_row_once(gateway: Gateway) -> None:
    pages = [gateway.rows(f"instances?limit=5&offset={offset}") for offset in range(0, 40, 5)]
    found = [row["00080018"]["Value"][0] for page in pages for row in page]
    assert len(found) == len(set(found))
    assert set(found) >= {one.sop for one in gateway.instances}
    answer = gateway.get("instances?limit=5")
    assert "additional results" in answer.headers["warning"]


def test_a_key_that_cannot_be_is_refused_as_by_the_node_itself(gateway: Gateway) -> None:
    assert gateway.get("studies?StudyDate=yesterday").status_code == 400
    assert gateway.get("studies/none/series").status_code == 400


# ---- retrieval


def test_a_study_comes_back_whole(gateway: Gateway) -> None:
    study = _of(gateway, gateway.instances[0].study)
    found = parts(gateway.get(f"studies/{study[0].study}", ANY_DICOM))
    datasets = [pydicom.dcmread(pydicom.filebase.DicomBytesIO(part.content)) for part in found]
    assert sorted(str(dataset.SOPInstanceUID) for dataset in datasets) == sorted(one.sop for one in study)
    sent = {one.sop: gateway.dataset(one) for one in study}
    assert all(dataset.PixelData == sent[str(dataset.SOPInstanceUID)].PixelData for dataset in datasets)


def test_metadata_frames_and_pictures_are_given_of_what_was_never_asked_for_before(gateway: Gateway) -> None:
    one = gateway.instances[-1]
    instance = f"studies/{one.study}/series/{one.series}/instances/{one.sop}"
    (metadata,) = gateway.get(f"{instance}/metadata").json()
    assert metadata["00080018"]["Value"] == [one.sop]
    (frame,) = parts(gateway.get(f"{instance}/frames/1", ANY_FRAMES))
    assert frame.content == gateway.dataset(one).PixelData
    assert gateway.get(f"{instance}/rendered", "image/png").content.startswith(b"\x89PNG")


def test_many_who_ask_for_one_study_share_one_fetch(gateway: Gateway) -> None:
    study = gateway.instances[SHAPE.series * SHAPE.instances].study
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: gateway.get(f"studies/{study}", ANY_DICOM), range(8)))
    assert [answer.status_code for answer in answers] == [200] * 8
    assert {len(parts(answer)) for answer in answers} == {SHAPE.series * SHAPE.instances}


def test_what_the_archive_does_not_have_is_not_found(gateway: Gateway) -> None:
    answer = gateway.get("studies/1.2.3.4.5.6.7", ANY_DICOM)
    assert (answer.status_code, "has no study" in answer.text) == (404, True)
    assert gateway.get("studies/1.2.3.4.5.6.7/metadata").status_code == 404


def test_nothing_is_deleted_through_a_gateway(gateway: Gateway) -> None:
    one = gateway.instances[0]
    answer = httpx.delete(f"{gateway.url}/studies/{one.study}", verify=False)  # noqa: S501 - plain http
    assert answer.status_code == 405
    assert _uids(gateway.rows(f"studies?StudyInstanceUID={one.study}"), "0020000D") == {one.study}


def test_a_stock_client_searches_and_retrieves(gateway: Gateway) -> None:
    stock = DICOMwebClient(gateway.url)
    one = gateway.instances[0]
    assert len(stock.search_for_studies()) >= SHAPE.studies
    dataset = stock.retrieve_instance(one.study, one.series, one.sop)
    assert dataset.SOPInstanceUID == one.sop


def test_a_name_that_no_gateway_has_is_not_found(gateway: Gateway) -> None:
    other = gateway.url.replace("old-pacs", "new-pacs")
    assert get(f"{other}/studies", JSON).status_code == 404


def test_an_archive_that_is_away_is_told_as_that_and_taken_up_again(tmp_path: Path) -> None:
    with _orthanc(tmp_path) as gateway:
        seen = gateway.instances[0].study
        assert gateway.get(f"studies/{seen}/metadata").status_code == 200
        assert gateway.upstream is not None
        gateway.upstream.kill()
        answer = gateway.get("studies")
        assert answer.status_code == 503
        assert "ORTHANC" in answer.text
        assert gateway.get(f"studies/{seen}/metadata").status_code == 200  # looked at a moment ago
        assert gateway.get(f"studies/{gateway.instances[-1].study}/metadata").status_code == 503


# ---- stores


def _stored(gateway: Gateway, *contents: bytes) -> httpx.Response:
    boundary = "frontier"
    body = b"".join(
        b"--frontier\r\nContent-Type: application/dicom\r\n\r\n" + content + b"\r\n" for content in contents
    )
    headers = {"Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}', "Accept": JSON}
    return client().post(f"{gateway.url}/studies", content=body + b"--frontier--\r\n", headers=headers)


def _uids_told(answer: httpx.Response, sequence: str) -> list[str]:
    return [item["00081155"]["Value"][0] for item in answer.json().get(sequence, {}).get("Value", [])]


def test_what_is_stored_is_in_the_archive_and_is_told_of_each_instance(gateway: Gateway, tmp_path: Path) -> None:
    fresh = write_workload(tmp_path, WorkloadShape("fresh", studies=1, series=1, instances=3, rows=16, columns=16))
    answer = _stored(gateway, *((tmp_path / one.path).read_bytes() for one in fresh))
    assert answer.status_code == 200, answer.text
    assert sorted(_uids_told(answer, "00081199")) == sorted(one.sop for one in fresh)
    url = answer.json()["00081199"]["Value"][0]["00081190"]["Value"][0]
    assert url.startswith(f"{gateway.url}/studies/{fresh[0].study}/")
    assert len(gateway.rows(f"studies/{fresh[0].study}/instances")) == len(fresh)
    assert len(parts(gateway.get(f"studies/{fresh[0].study}", ANY_DICOM))) == len(fresh)


def test_what_is_no_instance_is_refused_and_the_others_are_stored(gateway: Gateway, tmp_path: Path) -> None:
    fresh = write_workload(tmp_path, WorkloadShape("mixed", studies=1, series=1, instances=1, rows=16, columns=16))
    answer = _stored(gateway, b"no DICOM at all", (tmp_path / fresh[0].path).read_bytes())
    assert answer.status_code == 202
    assert _uids_told(answer, "00081199") == [fresh[0].sop]
    assert len(answer.json()["00081198"]["Value"]) == 1


def test_what_the_archive_refuses_is_told_with_its_reason(tmp_path: Path) -> None:
    instances = write_workload(tmp_path / "sources", SHAPE)
    port = free_port()
    with _refusing_ae(port, 0xA900), _in_front(tmp_path, _configuration("REFUSES", port)) as url:
        gateway = Gateway(url, None, instances, tmp_path / "sources")
        answer = _stored(gateway, (tmp_path / "sources" / instances[0].path).read_bytes())
    assert answer.status_code == 409
    (failed,) = answer.json()["00081198"]["Value"]
    assert (failed["00081155"]["Value"], failed["00081197"]["Value"]) == ([instances[0].sop], [0xA900])


@contextmanager
def _refusing_ae(port: int, status: int) -> Iterator[None]:
    """Run an AE that answers every C-STORE with a status."""
    ae = AE("REFUSES")
    ae.supported_contexts = StoragePresentationContexts
    server: Any = ae.start_server(
        ("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_STORE, lambda event: status)]
    )
    try:
        yield
    finally:
        server.shutdown()


def test_an_archive_that_is_away_takes_nothing_and_nothing_is_kept(tmp_path: Path) -> None:
    with _orthanc(tmp_path) as gateway:
        assert gateway.upstream is not None
        gateway.upstream.kill()
        answer = _stored(gateway, (gateway.sources / gateway.instances[0].path).read_bytes())
        assert answer.status_code == 503
        assert "takes nothing" in answer.text
        assert answer.headers["retry-after"]
