"""Query/Retrieve of the console over real peers: a second node by DIMSE and DICOMweb, DCMTK's archive, dead ones."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from pydicom import dcmread
from pydicom.filebase import DicomBytesIO
from pydicom.uid import UID

from tests.support.dcmtk import DcmtkServer, dcmqrscp
from tests.support.dicom_files import EXPLICIT
from tests.support.peers import require, require_module
from tests.support.prior_studies import PriorStudy, uid_of
from tests.support.processes import Node, free_port, serve
from tests.support.stow import store
from tests.support.translator import translating

ABROAD = [PriorStudy(f"P{number}", f"2024010{number}", series=2, instances=3) for number in range(1, 8)]
AT_DCMTK = [PriorStudy(f"D{number}", f"2023010{number}", instances=2) for number in range(1, 4)]


@dataclass(frozen=True, slots=True)
class Hospital:
    """A node and the archives that it knows."""

    node: Node
    far: str
    """Keys of archives: a node by DIMSE, the same by DICOMweb, DCMTK's archive, and three that do not work."""
    cloud: str
    dcmtk: str
    refusing: str
    dead: str
    silent: str
    endless: str
    endless_port: int
    own_port: int
    azure: str
    """A translator before the service, as the gateway of the story is."""


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    folder = tmp_path_factory.mktemp("query")
    own_port, far_port, endless_port = free_port(), free_port(), free_port()
    far_settings = ("--auth", "off", "--set", f"dicom.listen=FAR@127.0.0.1:{far_port}")
    knows_us = ("--set", f"dicom.remotes=NEAR@127.0.0.1:{own_port}", "--set", "dicom.unknown_callers=refuse")
    with (
        serve(folder / "far", arguments=(*far_settings, *knows_us)) as far,
        dcmqrscp(folder / "dcmtk", destinations={"SOMEONE": free_port()}, callers=("NEAR",)) as dcmtk,
        translating(folder / "router", f"{far.base_url}/v2", remotes=[f"NEAR@127.0.0.1:{own_port}"]) as translator,
        silent_listener() as silent_port,
    ):
        store(far.dicomweb_url, [content for study in ABROAD for _, content in study.files()])
        _fill(dcmtk, folder)
        routing = folder / "routing.toml"
        routing.write_text(
            f'[destinations.cloud]\nkind = "dicomweb"\nurl = "{far.base_url}/v2"\nprofile = "azure"\n'
            f'[destinations.gone]\nkind = "dicomweb"\nurl = "http://127.0.0.1:{free_port()}/v2"\n'
        )
        keys = {
            "far": f"FAR@127.0.0.1:{far_port}",
            "dcmtk": dcmtk.peer,
            "refusing": f"NOBODY@127.0.0.1:{far_port}",
            "dead": f"DEAD@127.0.0.1:{free_port()}",
            "silent": f"SILENT@127.0.0.1:{silent_port}",
            "azure": translator.address,
            "endless": f"ENDLESS@127.0.0.1:{endless_port}",
        }
        arguments = (
            *(
                "--auth",
                "off",
                "--set",
                f"dicom.listen=NEAR@127.0.0.1:{own_port}",
                "--set",
                "dicom.acse_timeout_s=500ms",
            ),
            *("--set", f"dicom.remotes={';'.join(keys.values())}", "--set", f"routing.configuration={routing}"),
        )
        with serve(folder / "near", arguments=arguments) as node:
            yield Hospital(node, cloud="web:cloud", own_port=own_port, endless_port=endless_port, **keys)


@contextmanager
def silent_listener() -> Iterator[int]:
    """Take connections on a port and say nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def _fill(dcmtk: DcmtkServer, folder: Path) -> None:
    files = folder / "files"
    files.mkdir()
    for number, (_, content) in enumerate(one for study in AT_DCMTK for one in study.files()):
        (files / f"{number}.dcm").write_bytes(content)
    command = [require("storescu"), "-aet", "NEAR", "-aec", dcmtk.ae_title, "127.0.0.1", str(dcmtk.port), "+sd"]
    subprocess.run([*command, str(files)], check=True, capture_output=True, timeout=60)


@pytest.fixture
def browse(hospital: Hospital) -> Iterator[httpx.Client]:
    headers = {"Origin": hospital.node.base_url}
    with httpx.Client(base_url=hospital.node.base_url, headers=headers, follow_redirects=True, timeout=60) as client:
        yield client


def _search(browse: httpx.Client, **parameters: str) -> str:
    answer = browse.get("/query?" + urlencode(parameters))
    assert answer.status_code == httpx.codes.OK, answer.text[:2000]
    return answer.text


def _marks(page: str) -> dict[str, str]:
    """Return how much of each study is here."""
    rows = re.findall(r'<tr id="study-\d+" data-study="([^"]+)">(.*?)</tr>', page, re.DOTALL)
    return {uid: re.findall(r'data-presence="(\w+)"', row)[0] for uid, row in rows}


def _retrieve(
    hospital: Hospital, browse: httpx.Client, peer: str, study: PriorStudy, *, series: int | None = None
) -> str:
    """Ask for a study or series, wait until that has ended, and return its page."""
    form = {"peer": peer, "study": study.study_instance_uid, "label": "a prior", "back": f"peer={peer}"}
    if series is not None:
        form["series"] = study.series_instance_uid(series)
    told = browse.post("/query/retrieve", data=form).text
    found = re.search(r"as number (\d+)", told)
    assert found is not None, told[:3000]
    return _ended(hospital, browse, f"/query/retrievals/{found[1]}")


def _ended(hospital: Hospital, browse: httpx.Client, path: str) -> str:
    """Wait until a retrieval has ended, and return its page."""
    hospital.node.process.wait_until(lambda: not re.search('data-state="(waiting|running)"', browse.get(path).text))
    return browse.get(path).text


@pytest.mark.parametrize("way", ["far", "cloud", "azure"])
def test_a_search_tells_what_is_here(hospital: Hospital, browse: httpx.Client, way: str) -> None:
    whole, part = ABROAD[0], ABROAD[1]
    store(hospital.node.dicomweb_url, [content for _, content in whole.files()])
    store(hospital.node.dicomweb_url, [content for series, content in part.files() if series == 0])
    marks = _marks(_search(browse, peer=getattr(hospital, way), patient="test", until="2024-01-03"))
    assert marks == {
        whole.study_instance_uid: "all",
        part.study_instance_uid: "some",
        ABROAD[2].study_instance_uid: "none",
    }


@pytest.mark.parametrize("way", ["far", "cloud", "azure"])
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("id", "P3"),
        ("patient", "Test, Prior"),
        ("patient", "TEST^P*"),
        ("modality", "ct"),
        ("since", "2024-01-03"),
    ],
)
def test_every_key_finds_the_study(hospital: Hospital, browse: httpx.Client, way: str, key: str, value: str) -> None:
    page = _search(browse, peer=getattr(hospital, way), **{key: value})
    assert ABROAD[2].study_instance_uid in _marks(page)
    assert ABROAD[2].study_instance_uid not in _marks(_search(browse, peer=getattr(hospital, way), id="nobody"))


@pytest.mark.parametrize("way", ["far", "cloud"])
def test_a_description_alone_finds_studies(hospital: Hospital, browse: httpx.Client, way: str) -> None:
    """The cloud cannot match a part of a description: what it has is looked through here."""
    page = _search(browse, peer=getattr(hospital, way), description="chest")
    assert ABROAD[2].study_instance_uid in _marks(page)
    assert _marks(_search(browse, peer=getattr(hospital, way), description="knee")) == {}


def test_a_search_that_an_archive_finds_too_wide_is_told_in_words(hospital: Hospital, browse: httpx.Client) -> None:
    page = _search(browse, peer=hospital.azure, description="chest")
    assert "A900" in page
    assert "What to do:" in page


@pytest.mark.parametrize(
    ("way", "study", "by"),
    [("far", ABROAD[5], "C-MOVE"), ("cloud", ABROAD[3], "WADO-RS"), ("azure", ABROAD[6], "C-MOVE")],
)
def test_a_study_comes_whole_and_is_marked(
    hospital: Hospital, browse: httpx.Client, way: str, study: PriorStudy, by: str
) -> None:
    peer = getattr(hospital, way)
    page = _retrieve(hospital, browse, peer, study)
    assert 'data-state="done"' in page
    assert f"by {by}" in page
    assert "All 6 instances are here." in page
    assert f'href="/studies/{study.study_instance_uid}"' in page
    assert _marks(_search(browse, peer=peer, id=study.patient_id)) == {study.study_instance_uid: "all"}


def test_one_series_comes_alone(hospital: Hospital, browse: httpx.Client) -> None:
    study = ABROAD[4]
    page = _retrieve(hospital, browse, hospital.far, study, series=1)
    assert "All 3 instances are here." in page
    opened = _search(browse, peer=hospital.far, id=study.patient_id, opened=study.study_instance_uid)
    rows = re.findall(r'data-series="([^"]+)">.*?data-presence="(\w+)"', opened, re.DOTALL)
    assert dict(rows) == {study.series_instance_uid(0): "none", study.series_instance_uid(1): "all"}


def test_an_archive_that_may_not_move_to_us_is_asked_by_c_get(hospital: Hospital, browse: httpx.Client) -> None:
    """DCMTK's archive refuses the destination NEAR with A801, and offers C-GET."""
    page = _retrieve(hospital, browse, hospital.dcmtk, AT_DCMTK[0])
    assert "by C-GET" in page
    assert "All 2 instances are here." in page


def test_what_cannot_come_is_told_by_its_uid(hospital: Hospital, browse: httpx.Client) -> None:
    """The archive lost the file of an instance that its index still has."""
    study = AT_DCMTK[1]
    lost = _lose_one(hospital, study)
    page = _retrieve(hospital, browse, hospital.dcmtk, study)
    assert 'data-state="incomplete"' in page or 'data-state="failed"' in page
    assert f"<code>{lost}</code>" in page


def _lose_one(hospital: Hospital, study: PriorStudy) -> str:
    folder = hospital.node.data_dir.parent / "dcmtk"
    for path in folder.rglob("*"):
        if path.is_file() and study.patient_id.encode() in path.read_bytes() and not path.name.startswith("index"):
            dataset = dcmread(path)
            if dataset.PatientID == study.patient_id and dataset.InstanceNumber == 2:
                path.unlink()
                return str(dataset.SOPInstanceUID)
    raise AssertionError("DCMTK keeps its files elsewhere")


@pytest.mark.parametrize(
    ("way", "told"),
    [
        ("dead", "Connection refused"),
        ("silent", "did not answer the association"),
        ("refusing", "its own AE title is not"),
    ],
)
def test_an_archive_that_does_not_work_is_told_in_words(
    hospital: Hospital, browse: httpx.Client, way: str, told: str
) -> None:
    peer = getattr(hospital, way)
    page = _search(browse, peer=peer, patient="test")
    assert 'role="alert"' in page
    assert told in page.replace("&#39;", "'")
    assert "What to do:" in page
    echoed = browse.post("/query/echo", data={"peer": peer, "back": ""}).text
    assert 'class="told failure"' in echoed
    failed = _retrieve(hospital, browse, peer, PriorStudy("X", "19990101"))
    assert 'data-state="failed"' in failed


def test_a_service_that_is_away_is_told_in_words(hospital: Hospital, browse: httpx.Client) -> None:
    page = _search(browse, peer="web:gone", patient="test")
    assert "What to do:" in page
    assert "transport:" in page


def test_while_an_archive_is_silent_others_are_served(hospital: Hospital, browse: httpx.Client) -> None:
    with ThreadPoolExecutor(1) as other:
        waiting = other.submit(_search_alone, hospital, hospital.silent)
        assert "studies at" in _search(browse, peer=hospital.far, patient="test")
        assert "did not answer the association" in waiting.result()


def _search_alone(hospital: Hospital, peer: str) -> str:
    with httpx.Client(base_url=hospital.node.base_url, timeout=60) as client:
        return _search(client, peer=peer, patient="x")


def test_echo_tells_who_answers(hospital: Hospital, browse: httpx.Client) -> None:
    told = browse.post("/query/echo", data={"peer": hospital.dcmtk, "back": ""}).text
    assert re.search(r"answers \(OFFIS_DCMTK_\w+\): association in \d+ ms", told)
    assert "answers a search in" in browse.post("/query/echo", data={"peer": "web:cloud", "back": ""}).text


def test_the_same_is_not_retrieved_twice_at_once(hospital: Hospital, browse: httpx.Client) -> None:
    form = {"peer": hospital.silent, "study": "1.2.3", "label": "twice", "back": ""}
    first, second = browse.post("/query/retrieve", data=form), browse.post("/query/retrieve", data=form)
    assert "is being retrieved from" in first.text
    assert "This is being retrieved already." in second.text


def test_a_retrieval_that_waits_can_be_cancelled(hospital: Hospital, browse: httpx.Client) -> None:
    numbers = []
    for number in range(4):
        form = {"peer": hospital.silent, "study": f"1.2.4.{number}", "label": "late", "back": ""}
        found = re.search(r"as number (\d+)", browse.post("/query/retrieve", data=form).text)
        assert found is not None
        numbers.append(found[1])
    browse.post("/query/cancel", data={"number": numbers[-1]})
    assert 'data-state="cancelled"' in _ended(hospital, browse, f"/query/retrievals/{numbers[-1]}")


def test_what_is_no_archive_of_ours_is_never_called(hospital: Hospital, browse: httpx.Client) -> None:
    with silent_listener() as port:
        for peer in (f"X@127.0.0.1:{port}", f"web:http://127.0.0.1:{port}"):
            answer = browse.get("/query?" + urlencode({"peer": peer, "patient": "x"}))
            assert answer.status_code == httpx.codes.NOT_FOUND
            assert "This archive is not configured" in answer.text


def test_a_form_of_another_site_retrieves_nothing(hospital: Hospital) -> None:
    form = {"peer": hospital.far, "study": "1.2.3", "back": ""}
    answer = httpx.post(
        f"{hospital.node.base_url}/query/retrieve", data=form, headers={"Origin": "http://evil.example"}
    )
    assert answer.status_code == httpx.codes.FORBIDDEN


def test_a_retrieval_under_way_is_ended_by_c_cancel(hospital: Hospital, browse: httpx.Client) -> None:
    """The archive would send a thousand instances; it ends when it is asked to, and what came stays."""
    with _endless_archive(hospital) as archive:
        form = {"peer": hospital.endless, "study": archive.study.study_instance_uid, "label": "long", "back": ""}
        found = re.search(r"as number (\d+)", browse.post("/query/retrieve", data=form).text)
        assert found is not None
        path = f"/query/retrievals/{found[1]}"
        hospital.node.process.wait_until(
            lambda: re.search(r"[1-9]\d* of 1,000 come", browse.get(path).text) is not None
        )
        browse.post("/query/cancel", data={"number": found[1]})
        page = _ended(hospital, browse, path)
    assert 'data-state="cancelled"' in page
    assert "Cancelled." in page
    assert archive.was_cancelled


@dataclass
class EndlessArchive:
    """An archive of pynetdicom's with one long series."""

    study: PriorStudy
    was_cancelled: bool = False


@contextmanager
def _endless_archive(hospital: Hospital) -> Iterator[EndlessArchive]:
    pynetdicom, events = require_module("pynetdicom"), require_module("pynetdicom.events")
    archive = EndlessArchive(PriorStudy("E1", "20240301"))
    _, content = next(iter(archive.study.files()))
    dataset = dcmread(DicomBytesIO(content))

    def move(event: Any) -> Iterator[Any]:
        yield "127.0.0.1", hospital.own_port
        yield 1000
        for number in range(1000):
            if event.is_cancelled:
                archive.was_cancelled = True
                yield 0xFE00, None
                return
            dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = UID(uid_of("endless", number))
            yield 0xFF00, dataset

    entity = pynetdicom.AE(ae_title="ENDLESS")
    entity.add_supported_context("1.2.840.10008.5.1.4.1.2.2.2")
    entity.add_requested_context(str(dataset.SOPClassUID), EXPLICIT)
    address = ("127.0.0.1", hospital.endless_port)
    server = entity.start_server(address, block=False, evt_handlers=[(events.EVT_C_MOVE, move)])
    try:
        yield archive
    finally:
        server.shutdown()
