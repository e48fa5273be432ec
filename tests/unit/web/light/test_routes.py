from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, datetime
from html import unescape
from io import BytesIO

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.uid import UID
from starlette.applications import Starlette

from isocenter.archive.archive import Archive
from isocenter.dicomweb.server.service import Service
from isocenter.domain.audit import AuditRecord
from isocenter.domain.errors import Unauthenticated
from isocenter.domain.principal import LOCAL_OWNER, Principal
from isocenter.modality.patients import Patient
from isocenter.modality.plans import CtSeriesPlan, Region, StudyPlan
from isocenter.modality.studies import iter_study
from isocenter.web.console_page import Templates
from isocenter.web.light.asked import Light
from isocenter.web.light.routes import light_routes
from tests.support.asgi_client import AsgiClient
from tests.support.memory_archive import memory_archive, store

SEED, SLICES = 7, 3
HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(2)>'{{7*7}}"
PDF = b"%PDF-1.4 nothing else\n"


def _instances() -> list[pydicom.Dataset]:
    series = CtSeriesPlan(Region.HEAD, "Head", SLICES, 5.0, 0.0, 240.0, (40, 90), edge=64)
    patient = Patient("Wide^Wanda", "W1", date(1970, 1, 1), "O")
    plan = StudyPlan(patient, datetime(2026, 3, 1, 9, 30), "W1", "CT Head", (series,))
    return [pydicom.dcmread(BytesIO(content)) for content in iter_study(plan, SEED)]


def _without_pixels(like: pydicom.Dataset, *, sop_class_uid: str, modality: str, number: int) -> pydicom.Dataset:
    other = pydicom.Dataset()
    for keyword in ("PatientName", "PatientID", "StudyInstanceUID", "StudyDate", "StudyTime", "StudyDescription"):
        other[keyword] = like[keyword]
    other.file_meta = pydicom.dataset.FileMetaDataset()
    other.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    other.SOPClassUID = other.file_meta.MediaStorageSOPClassUID = UID(sop_class_uid)
    other.SeriesInstanceUID = f"{like.SeriesInstanceUID}.{number}"
    other.SOPInstanceUID = other.file_meta.MediaStorageSOPInstanceUID = UID(f"{like.SOPInstanceUID}.{number}")
    other.Modality, other.SeriesNumber, other.InstanceNumber = modality, number, 1
    return other


def _bytes(dataset: pydicom.Dataset) -> bytes:
    out = BytesIO()
    dataset.save_as(out, enforce_file_format=True)
    return out.getvalue()


@dataclass
class Scene:
    """A light viewer over a memory archive with one CT in it."""

    archive: Archive
    client: AsgiClient
    images: list[pydicom.Dataset]
    records: list[AuditRecord] = field(default_factory=list)

    @property
    def study(self) -> str:
        return f"/light/{self.images[0].StudyInstanceUID}"

    def address(self, dataset: pydicom.Dataset) -> str:
        return f"/light/{dataset.StudyInstanceUID}/{dataset.SeriesInstanceUID}/{dataset.SOPInstanceUID}"

    def picture(self, page: str) -> str:
        """Return the address of the picture of a page."""
        found = re.search(r'id="picture" src="([^"]+)"', page)
        assert found
        return unescape(found[1])

    def add(self, dataset: pydicom.Dataset) -> str:
        """Store something else and return where it is shown."""
        store(self.archive, _bytes(dataset))
        return self.address(dataset)


Admit = Callable[[Mapping[str, str]], Principal]


def _nobody(headers: Mapping[str, str]) -> Principal:
    raise Unauthenticated()


def _routes(archive: Archive, executor: ThreadPoolExecutor, records: list[AuditRecord], admit: Admit) -> Starlette:
    service = Service(archive, executor, authenticate=admit, picture_executor=executor, audit=records.append)
    return Starlette(routes=light_routes(Light(service, Templates(), admit, "/login")))


@pytest.fixture
def scene() -> Iterator[Scene]:
    images, records = _instances(), list[AuditRecord]()
    with memory_archive() as archive, ThreadPoolExecutor(2) as executor:
        for image in images:
            store(archive, _bytes(image))
        client = AsgiClient(_routes(archive, executor, records, lambda headers: LOCAL_OWNER))
        yield Scene(archive, client, images, records)


def test_a_study_opens_at_its_first_picture_in_the_page_itself(scene: Scene) -> None:
    page = scene.client.get(scene.study).text
    assert "Wide, Wanda" in page
    assert "Not for diagnosis" in page
    answer = scene.client.get(scene.picture(page))
    assert answer.headers["content-type"] == "image/jpeg"
    assert Image.open(BytesIO(answer.content)).size == (64, 64)


def test_links_lead_through_the_series_without_a_script(scene: Scene) -> None:
    page, seen = scene.client.get(scene.study).text, []
    for _ in range(SLICES):
        seen.append(scene.picture(page).split("/")[4])
        following = re.search(r'rel="next" href="([^"]+)"', page)
        if following is None:
            break
        page = scene.client.get(unescape(following[1])).text
    assert seen == [image.SOPInstanceUID for image in scene.images]
    assert f"{SLICES} / {SLICES}" in re.sub(r"</?span[^>]*>", "", page)


def test_frames_of_one_instance_count_as_pictures(scene: Scene) -> None:
    film = _without_pixels(scene.images[0], sop_class_uid="1.2.840.10008.5.1.4.1.1.7.2", modality="US", number=5)
    film.Rows = film.Columns = 8
    film.NumberOfFrames, film.SamplesPerPixel, film.PhotometricInterpretation = 3, 1, "MONOCHROME2"
    film.BitsAllocated = film.BitsStored = 8
    film.HighBit, film.PixelRepresentation, film.FrameTime = 7, 0, 40
    film.PixelData = bytes([0] * 64 + [128] * 64 + [255] * 64)
    page = scene.client.get(scene.add(film) + "?frame=2").text
    assert 'data-position="2" data-count="3"' in page
    assert 'value="25"' in page
    assert "?frame=3" in page


def test_a_picture_whose_address_names_its_content_is_kept_and_another_is_not(scene: Scene) -> None:
    address = scene.picture(scene.client.get(scene.study).text)
    kept = scene.client.get(address).headers["cache-control"]
    assert kept.startswith("private")
    assert "immutable" in kept
    stale = re.sub(r"v=\d+", "v=999999", address)
    assert scene.client.get(stale).headers["cache-control"] == "no-store"


def test_a_window_changes_the_picture_and_stays_in_the_links(scene: Scene) -> None:
    plain = scene.client.get(scene.picture(scene.client.get(scene.study).text)).content
    page = scene.client.get(f"{scene.address(scene.images[0])}?window=400,1800").text
    windowed = scene.client.get(scene.picture(page)).content
    assert np.asarray(Image.open(BytesIO(plain))).mean() != np.asarray(Image.open(BytesIO(windowed))).mean()
    assert "W 1800 L 400" in page
    assert re.search(r'rel="next" href="[^"]+window=400,1800', page)


def test_only_shades_have_presets_and_only_ct_has_those_of_hounsfield(scene: Scene) -> None:
    page = scene.client.get(scene.study).text
    assert [name for name in ("Brain", "Lung", "Bone", "Abdomen") if f">{name}</a>" in page] == [
        "Brain", "Lung", "Bone", "Abdomen"
    ]  # fmt: skip


def test_the_script_learns_the_series_at_once(scene: Scene) -> None:
    found = re.search(r'data-stack="([^"]+)"', scene.client.get(scene.study).text)
    assert found
    images = scene.client.get(unescape(found[1])).json()["images"]
    assert [image["instance"] for image in images] == [image.SOPInstanceUID for image in scene.images]
    assert images[0]["window"] == [40, 90]
    assert images[0]["edges"] == ["R", "L", "A", "P"]


def test_a_picture_without_a_window_tells_that_of_its_values(scene: Scene) -> None:
    image = scene.images[0]
    del image.WindowCenter, image.WindowWidth
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = UID("1.2.3.4")
    values = image.pixel_array * image.RescaleSlope + image.RescaleIntercept
    center, width = json.loads(scene.client.get(scene.add(image) + "/frames/1/window").content)
    assert (center - width / 2, center + width / 2) == (values.min(), values.max())


def test_hostile_values_are_only_text(scene: Scene) -> None:
    image = scene.images[0]
    image.PatientName = image.SeriesDescription = image.StudyDescription = HOSTILE
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = UID("1.2.3.4")
    image.SeriesInstanceUID = "1.2.3.5"
    image.StudyInstanceUID = "1.2.3.6"
    address = scene.add(image)
    pages = [scene.client.get(path).text for path in (address, address + "/attributes")]
    pages.append(scene.client.get(f"{address}/attributes", params={"q": HOSTILE}).text)
    for page in pages:
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert "&lt;script&gt;alert(1)" in page
        assert " style=" not in page
        assert re.search(r"<[^>]*\son\w+=", re.sub(r'"[^"]*"', '""', page)) is None


def test_a_report_reads_as_text_and_leads_to_its_images(scene: Scene) -> None:
    image = scene.images[1]
    report = _without_pixels(image, sop_class_uid="1.2.840.10008.5.1.4.1.1.88.11", modality="SR", number=7)
    reference = pydicom.Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = image.SOPClassUID, image.SOPInstanceUID
    text, link = pydicom.Dataset(), pydicom.Dataset()
    text.ValueType, text.TextValue = "TEXT", HOSTILE
    link.ValueType, link.ReferencedSOPSequence = "IMAGE", [reference]
    report.ContentSequence = [text, link]
    series, study = pydicom.Dataset(), pydicom.Dataset()
    series.SeriesInstanceUID, series.ReferencedSOPSequence = image.SeriesInstanceUID, [reference]
    study.StudyInstanceUID, study.ReferencedSeriesSequence = image.StudyInstanceUID, [series]
    report.CurrentRequestedProcedureEvidenceSequence = [study]
    page = scene.client.get(scene.add(report)).text
    assert "&lt;script&gt;alert(1)" in page
    assert f'href="{scene.address(image)}">An image</a>' in page


@pytest.mark.parametrize(
    ("content", "media_type", "disposition"), [(PDF, "application/pdf", "inline"), (b"<script>", "", "attachment")]
)
def test_only_what_is_a_pdf_is_opened_as_one(scene: Scene, content: bytes, media_type: str, disposition: str) -> None:
    document = _without_pixels(scene.images[0], sop_class_uid="1.2.840.10008.5.1.4.1.1.104.1", modality="DOC", number=8)
    document.MIMETypeOfEncapsulatedDocument = "application/pdf"
    document.EncapsulatedDocument = content
    address = scene.add(document)
    assert "/document" in scene.client.get(address).text
    answer = scene.client.get(address + "/document")
    assert answer.headers["content-disposition"].startswith(disposition)
    assert answer.headers["content-type"] == (media_type or "application/octet-stream")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.content.startswith(content)


def test_what_has_no_picture_shows_its_attributes(scene: Scene) -> None:
    plan = _without_pixels(scene.images[0], sop_class_uid="1.2.840.10008.5.1.4.1.1.481.5", modality="RTPLAN", number=9)
    plan.RTPlanLabel = "Boost"
    page = scene.client.get(scene.add(plan)).text
    assert "RT Plan Label" in page
    assert "Boost" in page


def test_images_open_before_what_lies_on_them(scene: Scene) -> None:
    scene.add(_without_pixels(scene.images[0], sop_class_uid="1.2.840.10008.5.1.4.1.1.66.4", modality="SEG", number=0))
    assert scene.images[0].SeriesInstanceUID in scene.picture(scene.client.get(scene.study).text)


@pytest.mark.parametrize("tail", ["", "/1.9", "/1.9/1.10", "/1.9/1.10/attributes"])
def test_what_is_not_there_is_told_on_a_page(scene: Scene, tail: str) -> None:
    answer = scene.client.get("/light/1.2.3" + tail)
    assert answer.status_code == 404
    assert "cannot be found" in answer.text
    assert "Back to the studies" in answer.text


def test_malformed_addresses_are_refused_and_broken_pictures_say_why(scene: Scene) -> None:
    address = scene.address(scene.images[0])
    assert scene.client.get("/light/abc").status_code == 400
    assert scene.client.get(address + "?frame=2").status_code == 404
    assert scene.client.get(address + "?window=x").status_code == 400
    assert scene.client.get(address + "/frames/1?edge=99999").status_code == 400
    assert scene.client.get(address + "/attributes?page=0").status_code == 400
    assert scene.client.get(address + "/document").status_code == 404


def test_pages_run_no_foreign_script_and_are_not_stored(scene: Scene) -> None:
    headers = scene.client.get(scene.study).headers
    assert headers["cache-control"] == "no-store"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]


def test_a_page_comes_in_few_bytes_where_the_browser_takes_them(scene: Scene) -> None:
    for offered, encoding in (("gzip", "gzip"), ("identity", None)):
        answer = scene.client.get(scene.study, headers={"Accept-Encoding": offered})
        assert answer.headers.get("content-encoding") == encoding
        assert "Wide, Wanda" in answer.text


def test_behind_a_proxy_every_link_carries_its_prefix(scene: Scene) -> None:
    for path in (scene.study, scene.address(scene.images[0]) + "/attributes"):
        page = scene.client.get(path, headers={"X-Forwarded-Prefix": "/imaging"}).text
        links = re.findall(r'(?:href|src|action|data-base|data-stack)="([^"]+)"', page)
        assert links
        assert [link for link in links if not link.startswith("/imaging/")] == []


def test_what_was_seen_is_in_the_audit_log(scene: Scene) -> None:
    page = scene.client.get(scene.study).text
    scene.client.get(scene.picture(page))
    assert [(one.operation, one.status) for one in scene.records] == [
        ("retrieve-metadata", None),
        ("retrieve-metadata", 200),
        ("retrieve-rendered", None),
        ("retrieve-rendered", 200),
    ]
    assert scene.records[3].resource["instance"] == scene.images[0].SOPInstanceUID
    assert scene.records[3].caller == LOCAL_OWNER


def test_strangers_are_led_to_the_sign_in_and_back_and_get_no_picture(scene: Scene) -> None:
    records: list[AuditRecord] = []
    with ThreadPoolExecutor(1) as executor:
        client = AsgiClient(_routes(scene.archive, executor, records, _nobody))
        answer = client.get(scene.study)
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/login?next=%2Flight%2F")
        assert client.get(scene.address(scene.images[0]) + "/frames/1").status_code == 401
    assert [one.status for one in records] == [None, 401, None, 401]


def test_who_may_not_read_sees_nothing(scene: Scene) -> None:
    with ThreadPoolExecutor(1) as executor:
        client = AsgiClient(_routes(scene.archive, executor, [], lambda headers: Principal("guest", frozenset())))
        for path in (scene.study, scene.address(scene.images[0]) + "/frames/1", scene.study + "/1.2/stack"):
            assert client.get(path).status_code == 403


def test_the_bare_path_leads_to_the_studies(scene: Scene) -> None:
    assert scene.client.get("/light/").headers["location"] == "/"
