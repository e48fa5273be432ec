from __future__ import annotations

import io
import tracemalloc
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.fileset import FileSet
from starlette.routing import BaseRoute

from isocenter.archive.archive import Archive
from isocenter.domain.audit import AuditRecord
from isocenter.web.console.console import Console
from isocenter.web.pages import download_plan
from isocenter.web.pages.download import download_routes
from isocenter.web.pages.zip_names import UniqueNames, safe_name
from isocenter.web.pages.zip_stream import ZipEntry, iter_zip
from tests.support.console_studies import ROOT, asked, make_instance
from tests.support.memory_archive import store

STUDY = f"/download?study={ROOT}.1"


def _routes(console: Console, archive: Archive) -> Sequence[BaseRoute]:
    return download_routes(console, archive, audit=None)


def _unpacked(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        assert file.testzip() is None
        return {name: file.read(name) for name in file.namelist()}


def test_the_page_tells_what_would_come_and_offers_both_forms() -> None:
    with asked(_routes) as (client, archive):
        store(archive, make_instance())
        page = client.get(STUDY).text
    assert "Download 1 instance" in page
    assert f'href="/download?study={ROOT}.1&amp;media=zip"' in page
    assert f'href="/download?study={ROOT}.1&amp;media=dicomdir"' in page


def test_a_study_comes_as_it_was_stored_in_folders_that_people_can_read() -> None:
    first, second = make_instance(), make_instance(series=2, number=5, SeriesDescription="Lung")
    with asked(_routes) as (client, archive):
        store(archive, first)
        store(archive, second)
        answer = client.get(STUDY + "&media=zip")
    assert answer.headers["content-disposition"] == 'attachment; filename="W1 2026-03-01.zip"'
    assert _unpacked(answer.content) == {
        "W1 Wide, Wanda/2026-03-01 CT Head/001 OT Topogram/00001.dcm": first,
        "W1 Wide, Wanda/2026-03-01 CT Head/002 OT Lung/00005.dcm": second,
    }


def test_several_studies_and_single_series_can_be_chosen() -> None:
    with asked(_routes) as (client, archive):
        for study, series in ((1, 1), (1, 2), (2, 1)):
            store(archive, make_instance(study, series))
        both = _unpacked(client.get(f"{STUDY}&study={ROOT}.2&media=zip").content)
        one = _unpacked(client.get(f"{STUDY}&series={ROOT}.1.2&media=zip").content)
    assert len(both) == 3
    assert [name.split("/")[2] for name in one] == ["002 OT Topogram"]


def test_hostile_values_lead_out_of_no_folder() -> None:
    with asked(_routes) as (client, archive):
        store(
            archive,
            make_instance(
                PatientID="../../etc", PatientName="..", StudyDescription="CON/..\\x", SeriesDescription="a:b*?"
            ),
        )
        (name,) = _unpacked(client.get(STUDY + "&media=zip").content)
    assert ".." not in name.split("/")
    assert not set(name) & set('\\:*?"<>|')
    assert len(name.split("/")) == 4


def test_a_number_of_a_series_of_five_thousand_digits_is_only_a_name() -> None:
    element = b"\x20\x00\x11\x00IS"
    content = make_instance().replace(element + b"\x02\x001 ", element + (5000).to_bytes(2, "little") + b"9" * 5000)
    with asked(_routes) as (client, archive):
        store(archive, content)
        answer = client.get(STUDY + "&media=zip")
    (name,) = _unpacked(answer.content)
    assert name.split("/")[2].startswith("999")


def test_names_are_safe_on_every_system_and_given_once() -> None:
    assert safe_name("nul.txt", otherwise="x") == "nul.txt_"
    assert safe_name("\u202etxt.exe", otherwise="x") == "txt.exe"
    assert safe_name(" . ", otherwise="Study") == "Study"
    assert safe_name("山" * 200, otherwise="x") == "山" * 40
    names = UniqueNames()
    assert [names.give("a", name) for name in ("x", "X", "x (2)", "x")] == ["x", "X (2)", "x (2) (2)", "x (3)"]


def test_a_file_set_opens_by_its_directory(tmp_path: Path) -> None:
    with asked(_routes) as (client, archive):
        for study, series, number in ((1, 1, 1), (1, 1, 2), (1, 2, 1), (2, 1, 1)):
            store(archive, make_instance(study, series, number, PatientName="Größe^Åsa"))
        answer = client.get(f"{STUDY}&study={ROOT}.2&media=dicomdir")
    for name, content in _unpacked(answer.content).items():
        assert all(len(part) <= 8 for part in name.split("/"))
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    file_set = FileSet(tmp_path / "DICOMDIR")
    found = {(one.PatientID, one.StudyInstanceUID, one.SeriesInstanceUID, one.SOPInstanceUID) for one in file_set}
    assert len(found) == 4
    assert str(next(iter(file_set)).PatientName) == "Größe^Åsa"
    assert all(dcmread(one.path).SOPInstanceUID == one.SOPInstanceUID for one in file_set)
    file_set._stage["t"].cleanup()  # pydicom leaves that to the garbage collector, which warns


def test_a_report_has_a_record_of_its_own_kind(tmp_path: Path) -> None:
    report = make_instance(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11", CompletionFlag="COMPLETE", VerificationFlag="UNVERIFIED"
    )
    with asked(_routes) as (client, archive):
        store(archive, report)
        content = _unpacked(client.get(STUDY + "&media=dicomdir").content)["DICOMDIR"]
    records = dcmread(io.BytesIO(content)).DirectoryRecordSequence
    assert [one.DirectoryRecordType for one in records] == ["PATIENT", "STUDY", "SERIES", "SR DOCUMENT"]
    assert records[3].CompletionFlag == "COMPLETE"


def test_memory_stays_flat_whatever_the_size() -> None:
    def entries() -> Iterator[ZipEntry]:
        for number in range(40):
            yield ZipEntry(f"{number}", 2_000_000, (bytes(500_000) for _ in range(4)))

    tracemalloc.start()
    try:
        total = sum(len(piece) for piece in iter_zip(entries()))
        assert total > 80_000_000
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "address", ["/download", "/download?study=x", f"{STUDY}&instance=1.2", f"{STUDY}&study=1.2&series=1.3"]
)
def test_a_choice_that_makes_no_sense_is_refused(address: str) -> None:
    with asked(_routes) as (client, archive):
        store(archive, make_instance())
        assert client.get(address).status_code == 400


def test_too_many_instances_for_a_file_set_are_refused_by_a_page_and_not_within_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(download_plan, "FILE_SET_INSTANCES_MAX", 1)
    with asked(_routes) as (client, archive):
        store(archive, make_instance())
        assert client.get(f"{STUDY}&media=dicomdir").status_code == 200
        store(archive, make_instance(number=2))
        answer = client.get(f"{STUDY}&media=dicomdir")
    assert answer.status_code == 413
    assert "choose fewer studies" in answer.text


def test_what_is_not_there_is_not_found() -> None:
    with asked(_routes) as (client, _):
        assert client.get(STUDY + "&media=zip").status_code == 404


def test_a_download_leaves_its_trail() -> None:
    records: list[AuditRecord] = []
    with asked(lambda console, archive: download_routes(console, archive, audit=records.append)) as (client, archive):
        store(archive, make_instance())
        client.get(STUDY + "&media=zip")
    assert [record.operation for record in records] == ["retrieve", "retrieve"]
    assert records[0].resource == {"study": f"{ROOT}.1"}
