"""What people do with studies in a browser: search as they type, upload, download, delete; pictures of each page."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import OpenPage
from tests.support.console_studies import ROOT, make_instance
from tests.support.processes import Node, serve
from tests.support.stow import store

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

STUDY = f"/studies/{ROOT}.1"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with serve(tmp_path_factory.mktemp("worked") / "data") as node:
        store(node.dicomweb_url, [make_instance(1, number=number) for number in (1, 2)])
        store(node.dicomweb_url, [make_instance(2, PatientName="Narrow^Norbert")])
        yield node


def _folder(tmp_path: Path) -> Path:
    """Return a folder of files: some images, one in a folder below, and a letter."""
    folder = tmp_path / "from the disc"
    (folder / "below").mkdir(parents=True)
    for number in (1, 2):
        (folder / f"{number}.dcm").write_bytes(make_instance(7, number=number, PatientName="Disc^Dora"))
    (folder / "below" / "3").write_bytes(make_instance(7, number=3, PatientName="Disc^Dora"))
    (folder / "letter.txt").write_text("no image")
    return folder


def test_the_list_follows_what_is_typed_with_one_request_for_a_pause(node: Node, open_page: OpenPage) -> None:
    page = open_page(width=1440)
    page.goto(node.base_url)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "patient=" in request.url else None)
    page.keyboard.press("/")
    page.keyboard.type("norbert", delay=5)
    expect(page.locator("tr.study")).to_have_count(1)
    expect(page).to_have_url(f"{node.base_url}/?patient=norbert")
    assert asked == [f"{node.base_url}/?patient=norbert"]
    expect(page.get_by_label("Patient", exact=True)).to_be_focused()
    page.go_back()
    expect(page).to_have_url(f"{node.base_url}/")
    expect(page.get_by_label("Patient", exact=True)).to_have_value("")
    expect(page.locator("tr.study").filter(has_text="Wide, Wanda")).to_be_visible()


def test_a_study_that_arrives_shows_without_a_reload(node: Node, open_page: OpenPage) -> None:
    page = open_page(width=1440)
    page.goto(f"{node.base_url}/?patient=late")
    expect(page.get_by_text("No study matches")).to_be_visible()
    page.evaluate("window.notReloaded = true")
    store(node.dicomweb_url, [make_instance(3, PatientName="Late^Lara")])
    expect(page.locator("tr.study").filter(has_text="Late, Lara")).to_be_visible()
    assert page.evaluate("window.notReloaded") is True


def test_patients_lead_to_their_studies(node: Node, open_page: OpenPage) -> None:
    page = open_page(width=1440)
    page.goto(f"{node.base_url}/patients")
    page.get_by_role("link", name="Wide, Wanda").click()
    expect(page).to_have_url(f"{node.base_url}/?of=W1")
    expect(page.locator("tr.study")).to_have_count(1)


def test_a_folder_goes_up_with_its_bad_file_told_by_name(node: Node, open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page(width=1440)
    page.goto(f"{node.base_url}/upload")
    page.get_by_label("A folder with all that is in it").set_input_files(_folder(tmp_path))
    expect(page.locator("#upload-progress [data-said]")).to_have_text("Done: 3 stored, 1 not stored")
    expect(page.locator("[data-failures] li")).to_have_text("from the disc/letter.txt It is not a DICOM file.")
    page.get_by_role("link", name="Study 1").click()
    expect(page.get_by_role("heading", name="Disc, Dora")).to_be_visible()


def test_a_zip_file_goes_up(node: Node, open_page: OpenPage, tmp_path: Path) -> None:
    path = tmp_path / "study.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a/1.dcm", make_instance(8, PatientName="Zip^Zora"))
    page = open_page()
    page.goto(f"{node.base_url}/upload")
    page.get_by_label("DICOM or ZIP files").set_input_files(path)
    expect(page.locator("#upload-progress [data-said]")).to_have_text("Done: 1 stored")


def test_files_dropped_on_the_list_go_up_and_a_broken_connection_can_be_tried_again(
    node: Node, open_page: OpenPage
) -> None:
    page = open_page(width=1440)
    page.goto(node.base_url)
    page.route("**/upload", lambda route: route.abort())
    content = list(make_instance(9, PatientName="Drop^Dana"))
    page.evaluate(
        """content => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(content)], "dropped.dcm"));
          for (const kind of ["dragenter", "dragover", "drop"])
            document.body.dispatchEvent(new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true }));
        }""",
        content,
    )
    expect(page.locator("[data-failures] li")).to_contain_text("The connection broke off")
    page.unroute("**/upload")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#upload-progress [data-said]")).to_have_text("Done: 1 stored")
    expect(page.locator("tr.study").filter(has_text="Drop, Dana")).to_be_visible()


def test_fifty_thousand_files_leave_the_page_quick(node: Node, open_page: OpenPage) -> None:
    page = open_page(width=1440)
    page.goto(node.base_url)
    page.route(
        "**/upload",
        lambda route: route.fulfill(
            json={
                "stored": 0,
                "known": 0,
                "failed": 40,
                "studies": [],
                "failures": [{"name": f"file {number}", "reason": "It is not a DICOM file."} for number in range(40)],
            }
        ),
    )
    page.evaluate(
        """() => {
          const data = new DataTransfer();
          const files = Array.from({ length: 50000 }, (_, number) => new File(["x"], `${number}.txt`));
          const event = new DragEvent("drop", { bubbles: true, cancelable: true });
          Object.defineProperty(event, "dataTransfer", { value: { types: ["Files"], items: [], files } });
          document.body.dispatchEvent(event);
        }"""
    )
    expect(page.locator("#upload-progress [data-said]")).to_contain_text("not stored")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#upload-progress [data-said]")).to_contain_text("Stopped")
    assert page.locator("[data-failures] li").count() <= 50


def test_without_script_a_form_uploads(node: Node, chromium: Browser, tmp_path: Path) -> None:
    context = chromium.new_context(java_script_enabled=False)
    try:
        page = context.new_page()
        page.goto(f"{node.base_url}/upload")
        path = tmp_path / "plain.dcm"
        path.write_bytes(make_instance(10, PatientName="Plain^Paul"))
        page.get_by_label("DICOM or ZIP files").set_input_files([path])
        page.get_by_role("button", name="Upload").click()
        expect(page.get_by_role("status")).to_contain_text("1 image stored")
    finally:
        context.close()


def test_chosen_studies_are_downloaded_together(node: Node, open_page: OpenPage) -> None:
    page = open_page(width=1440)
    page.goto(node.base_url)
    for name in ("Wide, Wanda", "Narrow, Norbert"):
        page.locator("tr.study").filter(has_text=name).get_by_role("checkbox").check()
    page.get_by_role("button", name="Download").click()
    expect(page.get_by_role("heading", name="Download 3 instances")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="ZIP with readable folders").click()
    with zipfile.ZipFile(download.value.path()) as file:
        assert len(file.namelist()) == 3


def test_a_study_is_deleted_after_it_was_asked(node: Node, open_page: OpenPage) -> None:
    store(node.dicomweb_url, [make_instance(11, PatientName="Gone^Gina")])
    page = open_page(width=1440)
    page.goto(f"{node.base_url}/studies/{ROOT}.11")
    page.get_by_role("link", name="Delete").click()
    expect(page.get_by_text("This cannot be undone.")).to_be_visible()
    page.get_by_role("button", name="Delete for good").click()
    expect(page.get_by_text("1 instance deleted.")).to_be_visible()
    expect(page.locator("tr.study").filter(has_text="Gone, Gina")).to_have_count(0)


@pytest.mark.parametrize(("width", "height", "scheme"), [(1440, 900, "light"), (390, 844, "dark")])
def test_every_page_fits_the_screen(
    node: Node, open_page: OpenPage, tmp_path: Path, width: int, height: int, scheme: Literal["light", "dark"]
) -> None:
    store(node.dicomweb_url, [make_instance(12, PatientName="N" * 10_000, StudyDescription="\u202e" + "D" * 10_000)])
    page = open_page(width=width, height=height, color_scheme=scheme)
    series = f"{STUDY}/series/{ROOT}.1.1"
    paths = ("/", "/patients", STUDY, series, f"{series}/instances/{ROOT}.1.1.1", "/upload", "/send")
    chosen = (f"/download?study={ROOT}.1", f"/delete?study={ROOT}.12", f"/studies/{ROOT}.12")
    for path in (*paths, *chosen):
        page.goto(node.base_url + path)
        page.screenshot(path=tmp_path / f"{width}.png")
        assert not page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"), path
