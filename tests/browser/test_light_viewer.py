"""The light viewer on a real node in a real browser: pixels against what the node renders, with and without script."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from io import BytesIO
from typing import Any, Literal

import httpx
import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from pydicom.uid import UID

from isocenter.modality.patients import Patient
from isocenter.modality.plans import CtSeriesPlan, Region, StudyPlan
from isocenter.modality.studies import iter_study
from tests.browser.conftest import OpenPage
from tests.support.canvases import Picture, mean_difference
from tests.support.processes import Node, serve
from tests.support.stow import store

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

SEED, SLICES, FRAMES = 7, 10, 12
STARTED_AT = datetime(2026, 3, 1, 9, 30)
HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>\u202e'
SAME_MAX, OTHER_MIN = 2.0, 3.0
"""Levels of 256: a JPEG differs from what it was made of by less, one slice from the next but two by more."""
SLOW_LINK_BYTES_PER_S, LATENCY_MS = 50_000, 100
FRAME_TIME_MS = 40

_SHOWN = """async () => {
  const picture = document.getElementById("picture");
  await picture.decode();
  const small = document.createElement("canvas");
  const width = small.width = picture.naturalWidth, height = small.height = picture.naturalHeight;
  const context = small.getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0);
  const values = [...context.getImageData(0, 0, width, height).data].filter((_, position) => position % 4 < 3);
  return { width, height, values };
}"""


@dataclass(frozen=True, slots=True)
class LightNode:
    """A node with a CT, a film and a study of hostile values."""

    node: Node
    slices: tuple[pydicom.Dataset, ...]
    film: pydicom.Dataset

    def address(self, dataset: pydicom.Dataset) -> str:
        """Return where the light viewer shows the study of an instance."""
        return f"{self.node.base_url}/light/{dataset.StudyInstanceUID}"

    def rendered(self, dataset: pydicom.Dataset, query: str = "") -> Picture:
        """Return how DICOMweb renders an instance, at half its size."""
        path = f"{dataset.StudyInstanceUID}/series/{dataset.SeriesInstanceUID}/instances/{dataset.SOPInstanceUID}"
        address = f"{self.node.dicomweb_url}/studies/{path}/rendered{query}"
        content = httpx.get(address, headers={"Accept": "image/png"}).content
        return _halved(np.asarray(Image.open(BytesIO(content)).convert("RGB")))


def _ct(name: str, patient_id: str, slices: int) -> list[bytes]:
    series = CtSeriesPlan(Region.HEAD, "Head", slices, 8.0, -20.0, 240.0, (40, 90), edge=128)
    return list(iter_study(StudyPlan(Patient(name, patient_id, date(1970, 1, 1), "O"), STARTED_AT, patient_id,
                                     "CT Head", (series,)), SEED))  # fmt: skip


def _film(like: pydicom.Dataset) -> pydicom.Dataset:
    """Return a film of colours whose frames grow brighter, in a study of its own."""
    film = pydicom.Dataset()
    film.file_meta = pydicom.dataset.FileMetaDataset()
    film.file_meta.TransferSyntaxUID = like.file_meta.TransferSyntaxUID
    film.SOPClassUID = film.file_meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.3.1")
    film.SOPInstanceUID = film.file_meta.MediaStorageSOPInstanceUID = UID(f"{like.StudyInstanceUID}.9.3")
    film.StudyInstanceUID, film.SeriesInstanceUID = f"{like.StudyInstanceUID}.9", f"{like.StudyInstanceUID}.9.2"
    film.SpecificCharacterSet = "ISO_IR 192"
    film.PatientName, film.PatientID, film.Modality = HOSTILE, "H1", "US"
    film.StudyDescription = film.SeriesDescription = HOSTILE
    film.Rows = film.Columns = 32
    film.SamplesPerPixel, film.PhotometricInterpretation, film.PlanarConfiguration = 3, "RGB", 0
    film.BitsAllocated = film.BitsStored = 8
    film.HighBit, film.PixelRepresentation = 7, 0
    film.NumberOfFrames, film.FrameTime = FRAMES, FRAME_TIME_MS
    film.PixelData = b"".join(bytes([20 * frame, 10, 10]) * 32 * 32 for frame in range(FRAMES))
    return film


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LightNode]:
    contents = _ct("Wide^Wanda", "W1", SLICES)
    slices = tuple(pydicom.dcmread(BytesIO(content)) for content in contents)
    film, out = _film(slices[0]), BytesIO()
    film.save_as(out, enforce_file_format=True)
    with serve(tmp_path_factory.mktemp("light") / "data") as node:
        store(node.dicomweb_url, [*contents, out.getvalue()])
        yield LightNode(node, slices, film)


def _open(page: Page, address: str) -> None:
    """Open a page and wait until its script knows the whole series."""
    page.goto(address)
    expect(page.locator("#stage[data-ready]")).to_be_attached()


def _shown(page: Page) -> Picture:
    """Return the picture on the screen at half its size."""
    found = page.evaluate(_SHOWN)
    return _halved(np.array(found["values"]).reshape(found["height"], found["width"], 3))


def _halved(pixels: npt.NDArray[Any]) -> Picture:
    """Return a picture at half its size, each pixel the mean of four."""
    rows, columns = pixels.shape[0] // 2, pixels.shape[1] // 2
    halved: Picture = pixels.reshape(rows, 2, columns, 2, 3).mean(axis=(1, 3)).astype(np.int16)
    return halved


def _wait_for_source(page: Page, part: str) -> None:
    expect(page.locator("#picture")).to_have_attribute("src", re.compile(re.escape(part)))


def _has_sideways_scroll(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
def test_the_first_picture_is_that_of_the_node_whatever_the_screen(
    light: LightNode, open_page: OpenPage, width: int, height: int, color_scheme: Literal["light", "dark"]
) -> None:
    page = open_page(width=width, height=height, color_scheme=color_scheme)
    _open(page, light.address(light.slices[0]))
    assert mean_difference(_shown(page), light.rendered(light.slices[0])) <= SAME_MAX
    expect(page.get_by_text("Not for diagnosis")).to_be_in_viewport()
    expect(page.locator(".edge.left")).to_have_text("R")
    expect(page.locator("#scale text")).to_have_text("5 cm")
    expect(page.locator("#next")).to_be_in_viewport()
    assert not _has_sideways_scroll(page)


def test_without_script_links_lead_through_pictures_windows_and_attributes(light: LightNode, chromium: Browser) -> None:
    context = chromium.new_context(java_script_enabled=False)
    try:
        page = context.new_page()
        page.goto(light.address(light.slices[0]))
        expect(page.locator("#picture")).to_have_js_property("naturalWidth", 128)
        page.get_by_role("link", name="Next picture").click()
        _wait_for_source(page, light.slices[1].SOPInstanceUID)
        page.get_by_role("link", name="Bone").click()
        _wait_for_source(page, "window=400,1800")
        expect(page.locator("#picture")).to_have_js_property("naturalWidth", 128)
        page.get_by_role("link", name="Attributes").click()
        expect(page.get_by_text("Rescale Intercept")).to_be_visible()
    finally:
        context.close()


def test_the_wheel_the_keys_and_the_slider_scroll(light: LightNode, open_page: OpenPage) -> None:
    page = open_page()
    _open(page, light.address(light.slices[0]))
    before = _shown(page)
    page.locator("#stage").hover()
    for _ in range(3):
        page.mouse.wheel(0, 100)
    _wait_for_source(page, light.slices[5].SOPInstanceUID)
    after = _shown(page)
    assert mean_difference(before, after) >= OTHER_MIN
    assert mean_difference(after, light.rendered(light.slices[5])) <= SAME_MAX
    page.keyboard.press("End")
    expect(page.locator("#position")).to_have_text(str(SLICES))
    page.keyboard.press("ArrowUp")
    expect(page.locator("#position")).to_have_text(str(SLICES - 1))
    page.locator("#slider").fill("2")
    _wait_for_source(page, light.slices[1].SOPInstanceUID)
    expect(page).to_have_url(re.compile(light.slices[1].SOPInstanceUID))


def test_dragging_sideways_windows_at_once_and_exactly_when_let_go(light: LightNode, open_page: OpenPage) -> None:
    page = open_page()
    _open(
        page, light.address(light.slices[4]) + f"/{light.slices[4].SeriesInstanceUID}/{light.slices[4].SOPInstanceUID}"
    )
    box = page.locator("#stage").bounding_box()
    assert box
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 200, y, steps=4)
    expect(page.locator("#picture")).to_have_css("filter", re.compile("windowed"))
    expect(page.locator("#levels")).to_have_text("W 245 L 40")
    page.mouse.up()
    _wait_for_source(page, "window=40,245")
    expect(page.locator("#picture")).to_have_css("filter", "none")
    assert mean_difference(_shown(page), light.rendered(light.slices[4], "?window=40,245,linear")) <= SAME_MAX
    page.get_by_role("link", name="Default").click()
    expect(page.locator("#levels")).to_have_text("W 90 L 40")


def test_dragging_down_scrolls(light: LightNode, open_page: OpenPage) -> None:
    page = open_page()
    _open(page, light.address(light.slices[0]))
    box = page.locator("#stage").bounding_box()
    assert box
    x, y = box["x"] + box["width"] / 2, box["y"] + 40
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y + box["height"] / 2, steps=5)
    page.mouse.up()
    expect(page.locator("#position")).to_have_text(str(1 + SLICES // 2))


def test_what_is_magnified_is_moved_and_fits_again(light: LightNode, open_page: OpenPage) -> None:
    page = open_page()
    _open(page, light.address(light.slices[0]))
    page.locator("#stage").dblclick()
    expect(page.locator("#magnification")).to_have_text("2.5×")
    page.keyboard.press("+")
    expect(page.locator("#magnification")).to_have_text("3.8×")
    before = page.locator("#moving").evaluate("it => it.style.transform")
    page.locator("#stage").drag_to(
        page.locator("#stage"), source_position={"x": 300, "y": 300}, target_position={"x": 200, "y": 250}
    )
    assert page.locator("#moving").evaluate("it => it.style.transform") != before
    expect(page.locator("#position")).to_have_text("1")
    page.get_by_role("button", name="Fit").click()
    expect(page.locator("#magnification")).to_have_text("")


def test_a_film_plays_at_the_rate_of_its_file_and_pauses(light: LightNode, open_page: OpenPage) -> None:
    page = open_page()
    _open(page, light.address(light.film))
    expect(page.locator("#rate")).to_have_value("25")
    page.keyboard.press(" ")
    expect(page.locator("#play")).to_have_text("Pause")
    expect(page.locator("#position")).to_have_text(re.compile(r"[4-9]|1\d"))
    page.get_by_role("button", name="Pause").click()
    at = int(page.locator("#position").inner_text())
    _wait_for_source(page, f"/frames/{at}?")
    assert abs(int(_shown(page)[8, 8, 0]) - 20 * (at - 1)) <= 6


def test_hostile_values_are_only_text(light: LightNode, open_page: OpenPage) -> None:
    page = open_page(width=1440)
    _open(page, light.address(light.film))
    expect(page.locator(".north-west")).to_contain_text("<script>alert(1)</script>")
    page.get_by_role("link", name="Attributes").click()
    expect(page.get_by_text("<script>alert(1)</script>").first).to_be_visible()
    assert page.locator("img[src=x]").count() == 0


def test_on_a_phone_with_a_slow_link_a_finger_scrolls_and_two_magnify(light: LightNode, chromium: Browser) -> None:
    context = chromium.new_context(viewport={"width": 390, "height": 844}, has_touch=True, device_scale_factor=2)
    try:
        page = context.new_page()
        wire = context.new_cdp_session(page)
        wire.send("Network.emulateNetworkConditions", {
            "offline": False, "latency": LATENCY_MS, "downloadThroughput": SLOW_LINK_BYTES_PER_S,
            "uploadThroughput": SLOW_LINK_BYTES_PER_S,
        })  # fmt: skip
        _open(page, light.address(light.slices[0]))

        def touch(kind: str, *points: tuple[int, int]) -> None:
            wire.send("Input.dispatchTouchEvent", {
                "type": kind, "touchPoints": [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)],
            })  # fmt: skip

        touch("touchStart", (200, 300))
        for y in range(320, 521, 40):
            touch("touchMove", (200, y))
        touch("touchEnd")
        expect(page.locator("#position")).not_to_have_text("1")
        touch("touchStart", (180, 400), (220, 400))
        for spread in (30, 60, 90):
            touch("touchMove", (200 - spread, 400), (200 + spread, 400))
        touch("touchEnd")
        expect(page.locator("#magnification")).to_have_text(re.compile("[3-5]\\.\\d×"))
    finally:
        context.close()


def test_the_full_viewer_and_the_studies_are_one_click_away(light: LightNode, open_page: OpenPage) -> None:
    page = open_page()
    page.goto(light.address(light.slices[0]))
    full = page.get_by_role("link", name="Full viewer").get_attribute("href") or ""
    assert full.startswith(f"/viewer/viewer?StudyInstanceUIDs={light.slices[0].StudyInstanceUID}")
    page.get_by_role("link", name="Studies").click()
    expect(page).to_have_url(light.node.base_url + "/")
