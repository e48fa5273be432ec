"""The part `viewers` of the benchmark: a CT of two series of 300 slices in both viewers, from the address to pixels."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path

from playwright.sync_api import Browser, Page

from bench.browser import fresh_profile, has_browser, running_browser, wait_for_number
from bench.figures import Figure
from bench.load import stow
from bench.measures import drive
from bench.servers import Server, start_isocenter
from isocenter.modality.patients import Patient
from isocenter.modality.plans import CtSeriesPlan, Region, StudyPlan
from isocenter.modality.studies import iter_study
from isocenter.web.viewer_assets import DEFAULT_ARCHIVE

SLICES, QUICK_SLICES = 300, 30
FIRST_MM, EXTENT_MM = -45.0, 110.0
"""Within the head: a slice beside it would be black, and never be seen as drawn."""
SEED = 7
PER_REQUEST = 50
LIGHT_VISITS, FULL_VISITS = 7, 3
LIGHT_MAX_MS, FULL_MAX_MS, PAUSE_MAX_MS = 300, 1500, 1000
SLOW_LINK_BYTES_PER_S, SLOW_LATENCY_MS = 50_000, 100
"""0.4 Mbit/s (viewer-ui 3.1)."""

_NOTE_PICTURE = """
window.pictureAt = null;
document.addEventListener("load", event => {
  if (event.target.id === "picture") window.pictureAt ??= performance.now();
}, true);
"""
_NOTE_PIXELS = """
window.pixelsAt = null;
performance.setResourceTimingBufferSize(5000);
const look = () => {
  const canvas = document.querySelector("canvas.cornerstone-canvas");
  if (canvas && canvas.width) {
    const small = new OffscreenCanvas(16, 16).getContext("2d");
    small.drawImage(canvas, 0, 0, 16, 16);
    const bright = small.getImageData(0, 0, 16, 16).data.filter((value, at) => at % 4 < 3 && value > 32).length;
    if (bright > 30) return void (window.pixelsAt = performance.now());
  }
  requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""
_FIRST_REQUEST = """() => Math.min(...performance.getEntriesByType("resource")
  .filter(entry => entry.name.includes("/dicom-web/studies?")).map(entry => entry.startTime))"""
_FRAMES = """() => performance.getEntriesByType("resource")
  .filter(entry => entry.name.includes("/frames/")).map(entry => [entry.name, entry.startTime, entry.responseEnd])"""
_SETTLED = """count => performance.getEntriesByType("resource")
  .filter(entry => entry.name.includes("/frames/") && entry.responseEnd).length >= count"""


def measure_viewers(folder: Path, *, quick: bool) -> list[Figure]:
    """Return how long both viewers take to show a CT, and how the full one fetches its second series."""
    if not has_browser():
        print("Chromium is not installed: nothing tells how viewers feel (apt install chromium).")
        return []
    slices = QUICK_SLICES if quick else SLICES
    server = start_isocenter(folder / "run")
    try:
        study_instance_uid = _store(server, slices)
        with running_browser() as browser:
            light = _light(browser, server, study_instance_uid)
            if not DEFAULT_ARCHIVE.is_file():
                print("The full viewer is not there: run scripts/vendor_viewer.py.")
                return light
            return [*light, *_full(browser, server, study_instance_uid, slices)]
    finally:
        server.stop()


def _store(server: Server, slices: int) -> str:
    """Store the CT and return its study."""
    series = tuple(
        CtSeriesPlan(Region.HEAD, name, slices, EXTENT_MM / slices, FIRST_MM, 240.0, window)
        for name, window in (("Head", (40, 90)), ("Bone", (500, 2000)))
    )
    plan = StudyPlan(
        Patient("Bench^Mark", "B1", date(1970, 1, 1), "O"),
        datetime(2026, 3, 1, 9, 30),
        "B1",
        "CT Head",
        series,
        study_instance_uid="1.2.826.0.1.3680043.10.1455.77",
    )
    batch: list[bytes] = []
    for content in _with_end(iter_study(plan, SEED)):
        if content is not None:
            batch.append(content)
        if batch and (content is None or len(batch) == PER_REQUEST):
            drive(server, [stow(f"{server.root}/studies", batch)])
            batch = []
    assert plan.study_instance_uid is not None
    return plan.study_instance_uid


def _with_end(contents: Iterator[bytes]) -> Iterator[bytes | None]:
    yield from contents
    yield None


def _light(browser: Browser, server: Server, study_instance_uid: str) -> list[Figure]:
    """Measure the light viewer: from the address to the load event of the picture."""
    address = f"http://127.0.0.1:{server.port}/light/{study_instance_uid}"

    def visit(*, width: int, height: int, slow: bool) -> float:
        with fresh_profile(browser, width=width, height=height) as context:
            page = context.new_page()
            page.add_init_script(_NOTE_PICTURE)
            if slow:
                context.new_cdp_session(page).send("Network.emulateNetworkConditions", {
                    "offline": False, "latency": SLOW_LATENCY_MS, "downloadThroughput": SLOW_LINK_BYTES_PER_S,
                    "uploadThroughput": SLOW_LINK_BYTES_PER_S,
                })  # fmt: skip
            page.goto(address, wait_until="commit")
            return wait_for_number(page, "window.pictureAt")

    visit(width=1440, height=900, slow=False)
    desk = Figure("light viewer: first picture", "ms", f"≤ {LIGHT_MAX_MS}", at_most=LIGHT_MAX_MS)
    phone = Figure("light viewer: first picture, phone at 0.4 Mbit/s", "ms", "–")
    desk.add(server.name, _median(lambda: visit(width=1440, height=900, slow=False), LIGHT_VISITS))
    phone.add(server.name, _median(lambda: visit(width=390, height=844, slow=True), LIGHT_VISITS))
    return [desk, phone]


def _full(browser: Browser, server: Server, study_instance_uid: str, slices: int) -> list[Figure]:
    """Measure the full viewer: its first request for the study to pixels, and the fetching of the second series."""
    address = f"http://127.0.0.1:{server.port}/viewer/viewer?StudyInstanceUIDs={study_instance_uid}"
    pixels = Figure(f"OHIF, CT of {slices}: study request to pixels", "ms", f"≤ {FULL_MAX_MS:,}", at_most=FULL_MAX_MS)
    whole = Figure("OHIF: address to pixels", "ms", "–")
    pause = Figure("OHIF: longest pause while both series come", "ms", f"≤ {PAUSE_MAX_MS:,}", at_most=PAUSE_MAX_MS)
    rate = Figure("OHIF: frames a second while both series come", "/s", "–")
    for visit in range(FULL_VISITS):
        with fresh_profile(browser) as context:
            page = context.new_page()
            page.add_init_script(_NOTE_PIXELS)
            page.goto(address)
            drawn_at = wait_for_number(page, "window.pixelsAt")
            pixels.add(server.name, drawn_at - float(page.evaluate(_FIRST_REQUEST)))
            whole.add(server.name, drawn_at)
            if visit == FULL_VISITS - 1:
                longest_s, per_second = _fetching(page, 2 * slices)
                pause.add(server.name, longest_s)
                rate.add(server.name, per_second)
    return [pixels, whole, pause, rate]


def _fetching(page: Page, frames: int) -> tuple[float, float]:
    """Return the longest time in which no frame came, and how many came a second."""
    wait_for_number(page, f"({_SETTLED})({frames})")
    found: list[tuple[str, float, float]] = page.evaluate(_FRAMES)
    ends = sorted(end for _, _, end in found)
    pauses = [later - earlier for earlier, later in pairwise(ends)]
    return max(pauses), len(ends) / (ends[-1] - min(start for _, start, _ in found)) * 1000


def _median(measure: Callable[[], float], times: int) -> float:
    return statistics.median(measure() for _ in range(times))
