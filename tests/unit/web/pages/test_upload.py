from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence

import pytest
from starlette.routing import BaseRoute

from isocenter.archive.archive import Archive
from isocenter.domain.audit import AuditRecord
from isocenter.domain.identifiers import Scope
from isocenter.domain.principal import READER_ACTIONS, Principal
from isocenter.web.console.console import Console
from isocenter.web.pages.upload import upload_routes
from isocenter.web.pages.upload_intake import file_name
from tests.support.console_studies import ROOT, asked, make_instance, send_files

JSON = "application/json"


def _routes(console: Console, archive: Archive) -> Sequence[BaseRoute]:
    return upload_routes(console, archive, audit=None)


def _zip(entries: Sequence[tuple[str, bytes]], *, packed: bool = True) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as file:
        for name, data in entries:
            file.writestr(name, data)
    return content.getvalue()


def test_files_are_stored_and_the_one_that_is_no_dicom_is_named_with_its_reason() -> None:
    with asked(_routes) as (client, archive):
        files = [
            ("a.dcm", make_instance()),
            ("notes.txt", b"to whom it may concern"),
            ("b.dcm", make_instance(number=2)),
        ]
        told = send_files(client, files, accept=JSON).json()
        assert (told["stored"], told["failed"]) == (2, 1)
        assert told["failures"] == [{"name": "notes.txt", "reason": "It is not a DICOM file."}]
        assert told["studies"] == [f"{ROOT}.1"]
        assert len(archive.index.instances(Scope(f"{ROOT}.1"))) == 2


def test_the_same_bytes_again_are_told_as_known_and_others_under_their_name_are_refused() -> None:
    with asked(_routes) as (client, _):
        send_files(client, [("a.dcm", make_instance())])
        again = send_files(client, [("a.dcm", make_instance())], accept=JSON).json()
        other = send_files(client, [("a.dcm", make_instance(PatientID="X"))], accept=JSON).json()
    assert (again["stored"], again["known"], again["failed"]) == (0, 1, 0)
    assert "stored already" in other["failures"][0]["reason"]


def test_without_script_the_page_tells_what_became_of_the_files() -> None:
    with asked(_routes) as (client, _):
        page = send_files(client, [("a.dcm", make_instance()), ('"><script>.txt', b"no")]).text
    assert "1 image stored" in page
    assert f'href="/studies/{ROOT}.1"' in page
    assert "<script>.txt" not in page


def test_a_form_without_a_file_says_nothing_of_failures() -> None:
    with asked(_routes) as (client, _):
        told = send_files(client, [("", b"")], accept=JSON).json()
    assert told["failed"] == 0


def test_what_systems_put_beside_images_is_passed_over() -> None:
    with asked(_routes) as (client, _):
        told = send_files(client, [("disc/DICOMDIR", b"x" * 200), ("disc/.DS_Store", b"x")], accept=JSON).json()
    assert (told["passedOver"], told["failed"]) == (2, 0)


def test_a_file_that_is_cut_short_is_refused_with_a_reason() -> None:
    with asked(_routes) as (client, _):
        told = send_files(client, [("cut.dcm", make_instance()[:300])], accept=JSON).json()
    assert told["failed"] == 1
    assert told["failures"][0]["reason"]


def test_a_zip_file_is_taken_apart_and_its_entries_are_named() -> None:
    content = _zip([("x/a.dcm", make_instance()), ("x/readme.txt", b"hello"), ("__MACOSX/x/._a.dcm", b"junk")])
    with asked(_routes) as (client, _):
        told = send_files(client, [("study.zip", content)], accept=JSON).json()
    assert (told["stored"], told["failed"], told["passedOver"]) == (1, 1, 1)
    assert told["failures"][0] == {"name": "study.zip: x/readme.txt", "reason": "It is not a DICOM file."}


def test_a_zip_file_within_a_zip_file_is_not_opened() -> None:
    inner = _zip([("a.dcm", make_instance())])
    with asked(_routes) as (client, _):
        told = send_files(client, [("outer.zip", _zip([("inner.zip", inner)]))], accept=JSON).json()
    assert told["stored"] == 0
    assert "ZIP file within a ZIP file" in told["failures"][0]["reason"]


def test_a_zip_file_that_grows_beyond_measure_is_given_up() -> None:
    bomb = make_instance() + bytes(80 * 1024**2)
    content = _zip([("a.dcm", bomb), ("b.dcm", make_instance(number=2))])
    assert len(content) < 1_000_000
    with asked(_routes) as (client, archive):
        told = send_files(client, [("bomb.zip", content)], accept=JSON).json()
        assert archive.index.totals().instances == 0
    assert told["stored"] == 0
    assert "do harm" in told["failures"][0]["reason"]


@pytest.mark.parametrize("offset", [bytes(4), b"PK\x05\x06"])
def test_a_zip_file_that_announces_an_endless_list_is_refused_unread(offset: bytes) -> None:
    end = b"PK\x05\x06" + bytes(8) + (0x7FFF_FFFF).to_bytes(4, "little") + offset + bytes(2)
    with asked(_routes) as (client, _):
        told = send_files(client, [("x.zip", b"PK\x03\x04" + bytes(200) + end)], accept=JSON).json()
    assert "do harm" in told["failures"][0]["reason"]


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_is_packed_in_a_way_that_unpacks_without_bound_is_refused_unread(method: int) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr("a.dcm", make_instance() + bytes(1_000_000), method)
        file.writestr("b.dcm", make_instance(number=2), zipfile.ZIP_DEFLATED)
    with asked(_routes) as (client, _):
        told = send_files(client, [("x.zip", content.getvalue())], accept=JSON).json()
    assert (told["stored"], told["failed"]) == (1, 1)
    assert told["failures"][0]["name"] == "x.zip: a.dcm"
    assert "another way than by deflate" in told["failures"][0]["reason"]


def test_a_damaged_or_encrypted_zip_file_is_told_as_such() -> None:
    good = _zip([("a.dcm", make_instance())], packed=False)
    encrypted = bytearray(good)
    encrypted[6] |= 1
    encrypted[good.index(b"PK\x01\x02") + 8] |= 1
    with asked(_routes) as (client, _):
        cut = send_files(client, [("cut.zip", good[:-30])], accept=JSON).json()
        locked = send_files(client, [("locked.zip", bytes(encrypted))], accept=JSON).json()
    assert "damaged" in cut["failures"][0]["reason"]
    assert "encrypted" in locked["failures"][0]["reason"]


def test_names_of_files_keep_their_letters_and_lose_what_cannot_be_shown() -> None:
    sent = 'form-data; name="files"; filename="Köpfe/größe \x07%22.dcm"'.encode().decode("latin-1")
    assert file_name(sent) == 'Köpfe/größe ".dcm'
    assert file_name('form-data; name="comment"') is None


def test_a_body_that_is_no_form_is_refused() -> None:
    with asked(_routes) as (client, _):
        answer = client.request("POST", "/upload", headers={"Content-Type": "text/plain"}, content=b"x")
    assert answer.status_code == 415


def test_a_form_that_breaks_off_stores_what_was_whole() -> None:
    with asked(_routes) as (client, archive):
        body = (
            b'--b\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
            + make_instance()
            + b'\r\n--b\r\nContent-Disposition: form-data; name="files"; filename="b"\r\n\r\nhalf'
        )
        headers = {"Content-Type": "multipart/form-data; boundary=b", "Accept": JSON}
        answer = client.request("POST", "/upload", headers=headers, content=body)
        assert answer.status_code == 400
        assert archive.index.totals().instances == 1


def test_who_may_only_read_uploads_nothing() -> None:
    with asked(_routes, principal=Principal("reader", READER_ACTIONS)) as (client, archive):
        assert client.get("/upload").status_code == 403
        assert send_files(client, [("a.dcm", make_instance())]).status_code == 403
        assert archive.index.totals().instances == 0


def test_pages_of_other_sites_upload_nothing() -> None:
    with asked(_routes) as (client, _):
        headers = {"Content-Type": "multipart/form-data; boundary=b", "Sec-Fetch-Site": "cross-site"}
        assert client.request("POST", "/upload", headers=headers, content=b"--b--").status_code == 403


def test_an_upload_leaves_its_trail() -> None:
    records: list[AuditRecord] = []
    with asked(lambda console, archive: upload_routes(console, archive, audit=records.append)) as (client, _):
        send_files(client, [("a.dcm", make_instance())])
    assert [(record.operation, record.status) for record in records] == [("store", None), ("store", 200)]
