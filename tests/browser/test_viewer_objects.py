"""Each kind of study in the full viewer, seen by somebody who is signed in: pixels against what the node renders.

One node, one browser, one page: what differs from test to test is the study.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from io import BytesIO

import httpx
import numpy as np
import pydicom
import pytest
from playwright.sync_api import Browser, Page, expect
from pydicom.uid import UID

from isocenter.modality.identifiers import derive_uid
from isocenter.modality.patients import Patient
from isocenter.modality.plans import CrSeriesPlan, CtSeriesPlan, Region, StudyPlan, reduced
from isocenter.modality.studies import iter_study
from isocenter.web.viewer_assets import DEFAULT_ARCHIVE
from tests.browser.conftest import ACTION_TIMEOUT_MS, WatchedPage
from tests.support.canvases import Picture, mean_difference, read_pictures, wait_for_pictures
from tests.support.expected_pictures import fitted
from tests.support.peers import missing
from tests.support.secure_node import SecureNode, serve_securely
from tests.support.shared_data import ManifestRow, manifest_rows, read_bytes

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

SEED = 7
STARTED_AT = datetime(2026, 3, 1, 9, 30)
PASSWORD = "correct horse battery"
PATIENT = Patient("Many^Kinds", "MK-1", date(1970, 1, 1), "O")
DIGITAL_MAMMOGRAPHY, X_RAY_ANGIOGRAPHY = "1.2.840.10008.5.1.4.1.1.1.2", "1.2.840.10008.5.1.4.1.1.12.1"
XA_FRAMES = 6
DIFFERENCE_MAX = 6.0
"""Levels of 256, on average: two programs scale differently, and letters lie over the picture; an empty viewport, a
wrong window or another frame differ by far more."""
COLOURED_PIXELS_MIN = 40
"""Of 4096: a liver; the picture below it is grey."""

CT, MR, US, DX = (
    "ct",
    "transfer-syntax/mr-small/MR_small.dcm",
    "transfer-syntax/other/examples_ybr_color.dcm",
    ("sop-classes/dx/dx_image.dcm"),
)
DOSE, ECG = "sop-classes/rt/rtdose.dcm", "sop-classes/waveform/waveform_ecg.dcm"
PDF, REPORT = "sop-classes/pdf/sample-pdf.dcm", "sop-classes/sr/reportsi.dcm"
PLAN = "sop-classes/rt/rtplan.dcm"
SEGMENTED = tuple(f"sop-classes/seg/{name}.dcm" for name in ("01", "02", "03", "liver"))
SHARED = (MR, US, DX, DOSE, ECG, PDF, REPORT, PLAN, *SEGMENTED)


@dataclass(frozen=True, slots=True)
class Kept:
    """An instance in the archive."""

    study: str
    series: str
    instance: str

    @property
    def path(self) -> str:
        """Return its path below the root of DICOMweb."""
        return f"/studies/{self.study}/series/{self.series}/instances/{self.instance}"


def _kept(dataset: pydicom.Dataset) -> Kept:
    return Kept(dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID)


def _as_kind(content: bytes, *, sop_class_uid: str, modality: str) -> pydicom.Dataset:
    """Return an image as one of another kind, in a study of its own."""
    dataset = pydicom.dcmread(BytesIO(content))
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        setattr(dataset, keyword, derive_uid(SEED, modality, keyword))
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = UID(sop_class_uid)
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.Modality, dataset.PatientID = modality, f"MK-{modality}"
    return dataset


def _angiogram(ct: list[bytes]) -> pydicom.Dataset:
    """Return a run of frames, each another slice, in eight bits."""
    dataset = _as_kind(ct[0], sop_class_uid=X_RAY_ANGIOGRAPHY, modality="XA")
    frames = [pydicom.dcmread(BytesIO(content)).pixel_array for content in ct[:XA_FRAMES]]
    levels = np.clip((np.stack(frames).astype(np.float64) + 100) / 300 * 255, 0, 255).astype(np.uint8)
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "WindowCenter", "WindowWidth"):
        delattr(dataset, keyword)
    dataset.RescaleIntercept, dataset.RescaleSlope = 0, 1
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    dataset.NumberOfFrames, dataset.FrameTime, dataset.PixelData = XA_FRAMES, 66, levels.tobytes()
    return dataset


def _bytes(dataset: pydicom.Dataset) -> bytes:
    out = BytesIO()
    dataset.save_as(out, enforce_file_format=True)
    return out.getvalue()


@dataclass(frozen=True, slots=True)
class Viewing:
    """A page of somebody who is signed in, in a node with one study of each kind."""

    node: SecureNode
    page: Page
    watched: WatchedPage
    kept: dict[str, Kept]
    token: str

    def open(self, name: str, query: str = "") -> None:
        """Open the study of an instance."""
        self.page.goto(f"{self.node.base_url}/viewer/viewer?StudyInstanceUIDs={self.kept[name].study}{query}")

    def drawn(self, name: str) -> Picture:
        """Open a study and return what its one viewport shows."""
        self.open(name)
        (picture,) = wait_for_pictures(self.page)
        return picture

    def expected(self, name: str, *, frame: int = 1, query: str = "") -> Picture:
        """Return what the viewport must show of a frame."""
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "image/png"}
        with self.node.client(headers) as client:
            answer = client.get(f"/dicom-web{self.kept[name].path}/frames/{frame}/rendered{query}")
        assert answer.status_code == httpx.codes.OK
        width, height = self.page.evaluate(
            "(({clientWidth, clientHeight}) => [clientWidth, clientHeight])"
            "(document.querySelector('canvas.cornerstone-canvas'))"
        )
        return fitted(answer.content, width=width, height=height)


@pytest.fixture(scope="module")
def viewing(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Viewing]:
    if not DEFAULT_ARCHIVE.is_file():
        missing("the viewer's archive is not there; run scripts/vendor_viewer.py")
    ct_series = CtSeriesPlan(Region.HEAD, "Head", 12, 5.0, -20.0, 240.0, (40, 90), edge=96)
    ct = list(iter_study(StudyPlan(PATIENT, STARTED_AT, "MK1", "CT Head", (ct_series,)), SEED))
    chest = StudyPlan(PATIENT, STARTED_AT, "MK2", "Breast", (CrSeriesPlan("AP", "AP"),))
    mammogram = _as_kind(next(iter_study(reduced(chest, 8), SEED)), sop_class_uid=DIGITAL_MAMMOGRAPHY, modality="MG")
    angiogram = _angiogram(ct)
    rows: dict[str, ManifestRow] = {row.path: row for row in manifest_rows(lambda row: row.path in SHARED)}
    kept = {
        path: Kept(row.study_instance_uid, row.series_instance_uid, row.sop_instance_uid) for path, row in rows.items()
    }
    kept |= {CT: _kept(pydicom.dcmread(BytesIO(ct[-1]))), "mg": _kept(mammogram), "xa": _kept(angiogram)}
    contents = [*ct, _bytes(mammogram), _bytes(angiogram), *map(read_bytes, rows.values())]
    with serve_securely(tmp_path_factory.mktemp("kinds")) as node:
        node.operate("user", "add", "jane", "--role", "reader", "--password-file", "-", answer=PASSWORD + "\n")
        token = node.operate("token").strip()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/dicom"}
        with node.client({**headers, "Accept": "application/dicom+json"}) as client:
            for content in contents:
                assert client.post("/dicom-web/studies", content=content).status_code == httpx.codes.OK
        context = chromium.new_context(viewport={"width": 900, "height": 640}, ignore_https_errors=True)
        context.set_default_timeout(ACTION_TIMEOUT_MS)
        watched = WatchedPage(context.new_page())
        watched.watch()
        watched.page.goto(node.base_url)
        _sign_in(watched.page)
        yield Viewing(node, watched.page, watched, kept, token)
        context.close()


def _sign_in(page: Page) -> None:
    page.get_by_label("Name").fill("jane")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


@pytest.fixture(autouse=True)
def _nothing_broke_the_policy(viewing: Viewing) -> Iterator[None]:
    yield
    viewing.watched.check()


@pytest.mark.parametrize("name", [CT, MR, DX, US, "mg", "xa"])
def test_a_picture_is_drawn_as_the_node_renders_it(viewing: Viewing, name: str) -> None:
    drawn = viewing.drawn(name)
    assert mean_difference(drawn, viewing.expected(name)) <= DIFFERENCE_MAX


def test_a_film_goes_on_to_other_frames(viewing: Viewing) -> None:
    first = viewing.drawn("xa")
    viewing.page.locator("canvas.cornerstone-canvas").hover()
    for _ in range(XA_FRAMES):
        viewing.page.mouse.wheel(0, 100)
    expect(viewing.page.get_by_text(re.compile(rf"{XA_FRAMES}/{XA_FRAMES}"))).to_be_visible()
    (last,) = wait_for_pictures(viewing.page)
    expected = viewing.expected("xa", frame=XA_FRAMES)
    assert mean_difference(last, expected) <= DIFFERENCE_MAX
    assert mean_difference(last, expected) < mean_difference(first, expected)


def test_mpr_of_a_ct_shows_three_planes(viewing: Viewing) -> None:
    viewing.drawn(CT)
    viewing.page.locator('[data-cy="Layout"]').click()
    viewing.page.get_by_text("MPR", exact=True).first.click()
    axial, *others = wait_for_pictures(viewing.page, canvases=3)
    assert all(mean_difference(axial, other) > 1.0 for other in others)


def test_a_segmentation_lies_in_colour_over_its_images(viewing: Viewing) -> None:
    images = viewing.kept[SEGMENTED[0]]
    viewing.open(SEGMENTED[0], f"&initialSeriesInstanceUID={images.series}")
    wait_for_pictures(viewing.page)
    viewing.page.locator('[data-cy="study-browser-thumbnail-no-image"]').filter(has_text="SEG").first.dblclick()
    expect(viewing.page.get_by_text("LOAD", exact=True)).to_be_visible()
    expect(viewing.page.get_by_text("Loading SEG")).to_be_hidden()
    (picture,) = wait_for_pictures(viewing.page)
    coloured = (picture.max(axis=2) - picture.min(axis=2)) > 24
    assert coloured.sum() >= COLOURED_PIXELS_MIN


def test_a_dose_is_drawn_as_a_picture(viewing: Viewing) -> None:
    assert viewing.drawn(DOSE).std() > 16


def test_curves_of_a_waveform_are_drawn(viewing: Viewing) -> None:
    viewing.open(ECG)
    expect(viewing.page.get_by_text("25-Jan-2013").first).to_be_visible()
    wait_for_pictures(viewing.page)


def test_a_document_is_opened_from_its_bytes(viewing: Viewing) -> None:
    with viewing.page.expect_response(lambda answer: "bulkdata" in answer.url or "/rendered" in answer.url) as response:
        viewing.open(PDF)
    assert response.value.status == httpx.codes.OK
    frame = viewing.page.locator("object[type='application/pdf'], iframe, embed").first
    expect(frame).to_be_visible()
    assert read_pictures(viewing.page) == []


def test_a_report_is_read_as_text(viewing: Viewing) -> None:
    viewing.open(REPORT)
    expect(viewing.page.get_by_text("Recording Observer").first).to_be_visible()


def test_what_cannot_be_drawn_is_one_click_away_in_the_light_viewer(viewing: Viewing) -> None:
    viewing.open(PLAN)
    viewing.page.get_by_role("link", name="Light viewer").click()
    expect(viewing.page.get_by_text("RT Plan Label").first).to_be_visible()


def test_a_session_that_ended_leads_to_the_sign_in_and_back(viewing: Viewing) -> None:
    viewing.drawn(CT)
    address = viewing.page.url
    viewing.page.context.clear_cookies()
    viewing.page.reload()
    expect(viewing.page).to_have_url(re.compile("/login"))
    _sign_in(viewing.page)
    expect(viewing.page).to_have_url(address)
    wait_for_pictures(viewing.page)
