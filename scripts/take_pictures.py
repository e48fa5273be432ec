"""Take the pictures of the tutorials from a running hospital: `python scripts/take_pictures.py`, some two minutes.

It starts a demo of its own on free ports, plays the story by the buttons of its pages in Chromium, keeps small PNGs.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from isocenter.app.hospital.control import Line
from isocenter.app.hospital.options import HospitalOptions, PortName
from isocenter.app.hospital.running import RunningHospital, running_hospital

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "tutorials" / "pictures"
SIZE_MAX_BYTES = 64 * 1024
"""What the repository takes."""
COLOURS = (256, 128, 64, 32)
"""Tried one after the other, until a picture is small enough."""
WINDOW = {"width": 1180, "height": 760}
MAP_HEIGHT = 650
"""As far as the map of the network goes."""
PLAYED_WITHIN_MS = 240_000
FILLED_WITHIN_S = 180.0
FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--hide-scrollbars")


def main() -> int:
    """Take all pictures, or those of one page: `story` or `drill`."""
    wanted = sys.argv[1:] or ["story", "drill"]
    FOLDER.mkdir(exist_ok=True)
    ports = dict.fromkeys(PortName, 0)
    with (
        tempfile.TemporaryDirectory(prefix="isocenter-pictures-") as folder,
        running_hospital(Path(folder), HospitalOptions(ports=ports), tell=print) as hospital,
        _browser() as browser,
    ):
        _wait_until_filled(hospital)
        if "story" in wanted:
            _take_story(hospital, browser)
        if "drill" in wanted:
            _take_drill(hospital, browser)
    return 0


@contextmanager
def _browser() -> Iterator[Browser]:
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        raise SystemExit("Chromium is not installed; scripts/install_peers.sh installs it.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        yield browser
        browser.close()


def _wait_until_filled(hospital: RunningHospital) -> None:
    """Wait for the first images: pictures of a hospital that is half full puzzle."""
    deadline = time.monotonic() + FILLED_WITHIN_S
    while hospital.control.status().filling and time.monotonic() < deadline:
        time.sleep(1)


def _take_story(hospital: RunningHospital, browser: Browser) -> None:
    front = hospital.reach.supervisor.web_url
    _take_network(hospital, browser, "network")
    page = _page(browser)
    page.goto(f"{front}/tour")
    _keep(page, "tour")
    _play(page, 1)
    _keep(page.locator("#step-1"), "step-1")
    for number in range(2, 8):
        _play(page, number)
    _keep(page.locator("#step-3"), "step-3")
    for number in (8, 9):
        _play(page, number)
        _keep(page.locator(f"#step-{number}"), f"step-{number}")
    page.goto(f"{front}/tour")
    page.locator(".tour-head").scroll_into_view_if_needed()
    _keep(page, "tour-held")
    pacs = _signed_in(hospital, browser, hospital.reach.pacs.web_url)
    pacs.goto(f"{hospital.reach.pacs.web_url}/?patient=Schmeler639")
    _keep(pacs, "jule-in-the-pacs")
    page.close()


def _take_drill(hospital: RunningHospital, browser: Browser) -> None:
    """Take what one sees while the line is cut, and afterwards."""
    router = _signed_in(hospital, browser, hospital.reach.router.web_url)
    hospital.control.cut(Line.CLOUD)
    _scan(hospital)
    _take_network(hospital, browser, "line-cut")
    router.goto(f"{hospital.reach.router.web_url}/router")
    router.wait_for_timeout(3000)  # the destination is found sick at its second failure
    _keep(router, "backlog")
    hospital.control.heal(Line.CLOUD)
    router.wait_for_timeout(6000)
    router.goto(f"{hospital.reach.router.web_url}/router")
    _keep(router, "backlog-gone")


def _take_network(hospital: RunningHospital, browser: Browser, name: str) -> None:
    page = _page(browser)
    page.set_viewport_size({"width": WINDOW["width"], "height": MAP_HEIGHT})
    page.goto(f"{hospital.reach.supervisor.web_url}/")
    _keep(page, name)
    page.close()


def _scan(hospital: RunningHospital) -> None:
    """Let devices send what the drill lets them send."""
    router = str(hospital.reach.router.qierouter)
    for device in (("CR",), ("CT", "--slices", "20")):
        command = [sys.executable, "-m", "isocenter.app.cli", "modality", "scan", "--to", router, "--pace", "fast"]
        subprocess.run([*command, "--profile", *device], check=True, capture_output=True)


def _page(browser: Browser) -> Page:
    return browser.new_page(viewport={"width": WINDOW["width"], "height": WINDOW["height"]}, reduced_motion="reduce")


def _signed_in(hospital: RunningHospital, browser: Browser, url: str) -> Page:
    page = _page(browser)
    page.goto(f"{url}/login")
    page.locator("input[name=name]").fill(hospital.reach.person.name)
    page.locator("input[name=password]").fill(hospital.reach.person.password)
    page.locator("form button[type=submit]").first.click()
    page.wait_for_load_state()
    return page


def _play(page: Page, number: int) -> None:
    """Press the button of a step, and wait until it has been played."""
    card = page.locator(f"#step-{number}")
    card.get_by_role("button").click()
    expect(card.get_by_role("button")).to_be_visible(timeout=PLAYED_WITHIN_MS)


def _keep(seen: Page | Locator, name: str) -> None:
    path = FOLDER / f"{name}.png"
    content = _small(seen.screenshot())
    path.write_bytes(content)
    print(f"{path.name}: {len(content):,} bytes")


def _small(png: bytes) -> bytes:
    with Image.open(io.BytesIO(png)) as picture:
        for colours in COLOURS:
            out = io.BytesIO()
            picture.convert("RGB").quantize(colours, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
            if out.tell() <= SIZE_MAX_BYTES:
                return out.getvalue()
    raise SystemExit("A picture does not become small enough.")


if __name__ == "__main__":
    sys.exit(main())
