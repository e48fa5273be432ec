"""The viewer on a real node in a real browser: from the list to the picture, one study per encoding."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from io import BytesIO

import pydicom
import pytest
from playwright.sync_api import Page, expect
from pydicom.uid import JPEG2000, ExplicitVRLittleEndian, JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless

from isocenter.modality.encodings import ENCODINGS, EncodedInstance, PictureEncoding, Sample, iter_encodings
from isocenter.modality.identifiers import derive_uid
from isocenter.modality.patients import Patient
from isocenter.modality.plans import CtSeriesPlan, Region, StudyPlan
from isocenter.modality.studies import iter_study
from isocenter.web.viewer_assets import DEFAULT_ARCHIVE
from tests.browser.conftest import OpenPage, WatchedPage
from tests.support.canvases import Picture, mean_difference, read_pictures, wait_for_pictures
from tests.support.peers import missing
from tests.support.prefix_proxy import prefix_proxy
from tests.support.processes import Node, serve
from tests.support.shared_data import ManifestRow, manifest_params, manifest_rows, read_bytes
from tests.support.stow import store

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

SEED = 7
STARTED_AT = datetime(2026, 3, 1, 9, 30)
SLICES = 24
LOSSLESS_DIFFERENCE_MAX = 0.1
"""Levels of 256: the same values, drawn by the same program."""
LOSSY_DIFFERENCE_MAX = 4.0
"""Lossy codecs change up to 2.0 here, and 3.8 the JPEG whose eight bits stand for steps of 32 HU; noise or a
blank picture changes far more."""


JPEG_SPECTRAL_SELECTION, JPEG_PROGRESSION = "1.2.840.10008.1.2.4.53", "1.2.840.10008.1.2.4.55"
LOSSY_OF_FAMILY = frozenset(
    {JPEG2000, JPEGLSNearLossless, JPEGBaseline8Bit, JPEGExtended12Bit, JPEG_SPECTRAL_SELECTION, JPEG_PROGRESSION}
)


@dataclass(frozen=True, slots=True)
class ViewerNode:
    """A node with the studies of this module in it."""

    node: Node
    ct_study_instance_uid: str

    def address(self, study_instance_uid: str) -> str:
        """Return where the viewer shows a study."""
        return f"{self.node.base_url}/viewer/viewer?StudyInstanceUIDs={study_instance_uid}"


@cache
def _encoded() -> dict[str, EncodedInstance]:
    return {one.encoding.name: one for one in iter_encodings(SEED, started_at=STARTED_AT)}


def _uid_in(part10: bytes) -> str:
    uid: str = pydicom.dcmread(BytesIO(part10), specific_tags=["StudyInstanceUID"]).StudyInstanceUID
    return uid


def _is_family(row: ManifestRow) -> bool:
    return row.path.startswith("transfer-syntax/ctimage/")


def _is_report_without_a_concept_name(row: ManifestRow) -> bool:
    return row.path == "sop-classes/sr/test-SR.dcm"


def _as_study_of_its_own(row: ManifestRow) -> bytes:
    """Return a file of the family under identifiers of its own: they all share one."""
    dataset = pydicom.dcmread(BytesIO(read_bytes(row)))
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        setattr(dataset, keyword, derive_uid(SEED, row.path, keyword))
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.PatientID = dataset.PatientName = row.path.rsplit("/", 1)[-1][-60:]
    out = BytesIO()
    dataset.save_as(out, enforce_file_format=True)
    return out.getvalue()


def _ct_plan() -> StudyPlan:
    series = CtSeriesPlan(Region.HEAD, "Head 3.0", SLICES, 3.0, -20.0, 240.0, (40, 90), edge=128)
    return StudyPlan(
        Patient("Multi^Planar", "MPR-1", date(1970, 1, 1), "O"), STARTED_AT, "MPR0001", "CT Head", (series,)
    )


@pytest.fixture(scope="module")
def viewer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ViewerNode]:
    if not DEFAULT_ARCHIVE.is_file():
        missing("the viewer's archive is not there; run scripts/vendor_viewer.py")
    ct = list(iter_study(_ct_plan(), SEED))
    with serve(tmp_path_factory.mktemp("viewer") / "data") as node:
        store(node.dicomweb_url, ct)
        store(node.dicomweb_url, [one.part10 for one in _encoded().values()])
        store(node.dicomweb_url, [_as_study_of_its_own(row) for row in manifest_rows(_is_family)])
        store(node.dicomweb_url, [read_bytes(row) for row in manifest_rows(_is_report_without_a_concept_name)])
        yield ViewerNode(node, _uid_in(ct[0]))


def _picture_of(page: Page, viewer: ViewerNode, study_instance_uid: str) -> Picture:
    page.goto(viewer.address(study_instance_uid))
    (picture,) = wait_for_pictures(page)
    return picture


def _reference_of(encoding: PictureEncoding) -> str:
    if encoding.sample is Sample.GREY_12:
        return "explicit-le"
    return "grey-8-explicit-le" if encoding.photometric_interpretation == "MONOCHROME2" else "rgb-explicit-le"


@dataclass(frozen=True, slots=True)
class Screen:
    """One page in which many studies are opened one after the other, and what was drawn of each."""

    viewer: ViewerNode
    watched: WatchedPage
    drawn: dict[str, Picture] = field(default_factory=dict)

    def picture_of(self, study_instance_uid: str) -> Picture:
        """Return what the viewer draws of a study; the browser must not complain meanwhile."""
        if study_instance_uid not in self.drawn:
            self.drawn[study_instance_uid] = _picture_of(self.watched.page, self.viewer, study_instance_uid)
            self.watched.check()
        return self.drawn[study_instance_uid]


@pytest.fixture(scope="module")
def screen(viewer: ViewerNode, lasting_page: WatchedPage) -> Screen:
    return Screen(viewer, lasting_page)


@pytest.mark.parametrize("encoding", ENCODINGS, ids=lambda encoding: encoding.name)
def test_every_encoding_looks_like_the_uncompressed_picture(encoding: PictureEncoding, screen: Screen) -> None:
    expected = screen.picture_of(_uid_in(_encoded()[_reference_of(encoding)].part10))
    picture = screen.picture_of(_uid_in(_encoded()[encoding.name].part10))
    limit = LOSSLESS_DIFFERENCE_MAX if encoding.is_lossless else LOSSY_DIFFERENCE_MAX
    assert mean_difference(picture, expected) <= limit


@pytest.mark.parametrize("row", manifest_params(_is_family))
def test_every_file_of_a_real_family_looks_like_the_uncompressed_one(row: ManifestRow, screen: Screen) -> None:
    (first,) = manifest_rows(lambda other: _is_family(other) and other.transfer_syntax_uid == ExplicitVRLittleEndian)
    expected = screen.picture_of(derive_uid(SEED, first.path, "StudyInstanceUID"))
    picture = screen.picture_of(derive_uid(SEED, row.path, "StudyInstanceUID"))
    limit = LOSSY_DIFFERENCE_MAX if row.transfer_syntax_uid in LOSSY_OF_FAMILY else LOSSLESS_DIFFERENCE_MAX
    assert mean_difference(picture, expected) <= limit


def test_the_list_leads_to_the_picture_and_the_viewer_back_to_the_list(viewer: ViewerNode, open_page: OpenPage) -> None:
    page = open_page(width=1440, height=900)
    page.goto(f"{viewer.node.base_url}/?patient=multi")
    page.get_by_role("link", name="Open Multi, Planar").click()
    wait_for_pictures(page)
    page.get_by_role("link", name="Studies").click()
    expect(page).to_have_title("Studies · isocenter")


def test_the_wheel_scrolls_through_the_slices(viewer: ViewerNode, open_page: OpenPage) -> None:
    page = open_page()
    before = _picture_of(page, viewer, viewer.ct_study_instance_uid)
    page.locator("canvas.cornerstone-canvas").hover()
    for _ in range(SLICES // 2):
        page.mouse.wheel(0, 100)
    expect(page.get_by_text(re.compile(rf"\((1\d|2\d)/{SLICES}\)"))).to_be_visible()
    (after,) = wait_for_pictures(page)
    assert mean_difference(before, after) > LOSSY_DIFFERENCE_MAX


def test_mpr_of_a_ct_gives_three_pictures(viewer: ViewerNode, open_page: OpenPage) -> None:
    page = open_page()
    _picture_of(page, viewer, viewer.ct_study_instance_uid)
    page.locator('[data-cy="Layout"]').click()
    page.get_by_text("MPR", exact=True).first.click()
    axial, *others = wait_for_pictures(page, canvases=3)
    assert all(mean_difference(axial, other) > LOSSLESS_DIFFERENCE_MAX for other in others)


def test_a_study_that_is_not_there_is_told_politely(viewer: ViewerNode, open_page: OpenPage) -> None:
    page = open_page()
    page.goto(viewer.address("1.2.3.4.5.6"))
    expect(page.get_by_text("not available")).to_be_visible()
    assert read_pictures(page) == []


def test_a_report_with_an_unnamed_item_is_read_as_text(viewer: ViewerNode, open_page: OpenPage) -> None:
    (report,) = manifest_rows(_is_report_without_a_concept_name)
    page = open_page()
    page.goto(viewer.address(report.study_instance_uid))
    expect(page.get_by_text("Diagnosis").first).to_be_visible()


def test_list_and_viewer_work_below_a_path_of_a_site(viewer: ViewerNode, open_page: OpenPage) -> None:
    with prefix_proxy(viewer.node.base_url, "/hospital/imaging") as site:
        page = open_page()
        failed: list[str] = []
        page.on("response", lambda answer: failed.append(answer.url) if answer.status == 404 else None)
        page.goto(f"{site}/hospital/imaging/?patient=multi")
        page.get_by_role("link", name="Open Multi, Planar").click()
        wait_for_pictures(page)
        page.get_by_role("link", name="Studies").click()
        expect(page).to_have_url(f"{site}/hospital/imaging/")
        assert [address for address in failed if "/hospital/imaging/" not in address] == []
