"""Query/Retrieve in Chromium, against a second node: what is here, retrieval to its end, dead archives."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Page, expect
from pydicom import dcmread
from pydicom.filebase import DicomBytesIO

from tests.browser.conftest import OpenPage
from tests.support.dicom_files import EXPLICIT, write_file
from tests.support.prior_studies import PriorStudy
from tests.support.processes import Node, free_port, serve
from tests.support.stow import store

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>{{7*7}}"
STUDIES = [PriorStudy(f"B{number}", f"2024010{number}", series=2, instances=10) for number in range(1, 6)]


@dataclass(frozen=True, slots=True)
class Network:
    """A node, and the keys of archives that it knows."""

    node: Node
    far: str
    dead: str


def _hostile_study() -> list[bytes]:
    """Return a study whose texts are what somebody would try, and very long."""
    study = PriorStudy("H1", "20240109")
    instances = []
    for _, content in study.files():
        dataset = dcmread(DicomBytesIO(content))
        del dataset.file_meta
        dataset.SpecificCharacterSet = "ISO_IR 192"
        dataset.PatientName = HOSTILE[:60] + "\u202eesrever"
        dataset.StudyDescription = HOSTILE[:64]
        dataset.PatientID = "H1\u202e" + "W" * 50
        instances.append(write_file(dataset, EXPLICIT))
    return instances


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    folder = tmp_path_factory.mktemp("query")
    own, far, dead = free_port(), free_port(), free_port()
    far_settings = ("--set", f"dicom.listen=FAR@127.0.0.1:{far}", "--set", f"dicom.remotes=NEAR@127.0.0.1:{own}")
    remotes = f"FAR@127.0.0.1:{far};DEAD@127.0.0.1:{dead}"
    own_settings = ("--set", f"dicom.listen=NEAR@127.0.0.1:{own}", "--set", f"dicom.remotes={remotes}")
    with (
        serve(folder / "far", arguments=("--auth", "off", *far_settings)) as abroad,
        serve(folder / "near", arguments=("--auth", "off", *own_settings)) as node,
    ):
        store(abroad.dicomweb_url, [content for study in STUDIES for _, content in study.files()])
        store(abroad.dicomweb_url, _hostile_study())
        store(node.dicomweb_url, [content for series, content in STUDIES[0].files() if series == 0])
        yield Network(node, f"FAR@127.0.0.1:{far}", f"DEAD@127.0.0.1:{dead}")


def _search(page: Page, network: Network, *, peer: str = "", **fields: str) -> None:
    page.goto(f"{network.node.base_url}/query")
    page.locator("select[name=peer]").select_option(peer or network.far)
    for name, value in fields.items():
        page.locator(f"input[name={name}]").fill(value)
    page.get_by_role("button", name="Search").click()


def test_a_study_is_found_retrieved_and_marked_without_a_reload(network: Network, open_page: OpenPage) -> None:
    page, study = open_page(width=1440, height=900), STUDIES[1]
    _search(page, network, id=study.patient_id)
    row = page.locator(f'tr[data-study="{study.study_instance_uid}"]')
    expect(row).to_contain_text("Not here")
    assert "patient=" not in page.url, "fields that are empty stay out of the address"
    row.get_by_role("button", name="Retrieve").click()
    expect(page.get_by_role("status")).to_contain_text("is being retrieved from FAR")
    expect(row).to_contain_text("All here")
    job = page.locator("tr[data-retrieval]").first
    expect(job).to_have_attribute("data-state", "done")
    expect(job).to_contain_text("20 of 20 come")
    job.get_by_role("link", name="Open here").click()
    expect(page.locator("main")).to_contain_text("Test, Prior")


def test_series_are_shown_on_demand_and_retrieved_one_by_one(network: Network, open_page: OpenPage) -> None:
    page, study = open_page(width=1440, height=900), STUDIES[0]
    _search(page, network, id=study.patient_id)
    row = page.locator(f'tr[data-study="{study.study_instance_uid}"]')
    expect(row).to_contain_text("10 of 20 here")
    row.get_by_role("link", name="Series").click()
    series = page.locator(f'tr[data-series="{study.series_instance_uid(1)}"]')
    expect(series).to_contain_text("Not here")
    series.get_by_role("button", name="Retrieve").click()
    expect(page.locator(f'tr[data-series="{study.series_instance_uid(1)}"]')).to_contain_text("All here")
    expect(row).to_contain_text("All here")


def test_an_archive_that_is_dead_is_told_with_what_to_do(network: Network, open_page: OpenPage) -> None:
    page = open_page()
    _search(page, network, peer=network.dead, patient="x")
    expect(page.get_by_role("alert")).to_contain_text("Connection refused")
    expect(page.get_by_role("alert")).to_contain_text("What to do:")
    page.locator("tr", has_text="FAR").get_by_role("button", name="Echo").click()
    expect(page.get_by_role("status")).to_contain_text("FAR answers")


def test_a_retrieval_survives_navigation(network: Network, open_page: OpenPage) -> None:
    page, study = open_page(), STUDIES[2]
    _search(page, network, id=study.patient_id)
    page.locator(f'tr[data-study="{study.study_instance_uid}"]').get_by_role("button", name="Retrieve").click()
    page.goto(f"{network.node.base_url}/")
    page.goto(f"{network.node.base_url}/query/retrievals")
    job = page.locator("tr[data-retrieval]").first
    expect(job).to_have_attribute("data-state", "done")
    job.get_by_role("link", name="Details").click()
    expect(page.locator("main")).to_contain_text("All 20 instances are here.")
    expect(page.locator("main")).to_contain_text("FAR, by C-MOVE")


@pytest.mark.parametrize(("width", "height", "scheme"), [(1440, 900, "light"), (390, 844, "dark")])
def test_hostile_values_are_only_text_and_break_no_layout(
    network: Network, open_page: OpenPage, width: int, height: int, scheme: str
) -> None:
    page = open_page(width=width, height=height, color_scheme="dark" if scheme == "dark" else "light")
    _search(page, network, since="2024-01-09", until="2024-01-09")
    expect(page.locator("tr[data-study]").first).to_contain_text("<img src=x onerror=alert(1)>")
    page.locator("tr[data-study]").first.get_by_role("link", name="Series").click()
    expect(page.locator("tr[data-series]").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", ground)[:3])) < 200) is (scheme == "dark")


def test_the_search_works_by_keyboard_and_without_script(network: Network, open_page: OpenPage) -> None:
    page = open_page()
    page.route("**/*.js*", lambda route: route.abort())
    page.goto(f"{network.node.base_url}/query")
    page.locator("input[name=id]").focus()
    page.keyboard.type("B4")
    page.keyboard.press("Enter")
    row = page.locator(f'tr[data-study="{STUDIES[3].study_instance_uid}"]')
    expect(row).to_contain_text("Not here")
    row.get_by_role("link", name="Series").press("Enter")
    expect(page.locator("tr[data-series]")).to_have_count(2)
    row = page.locator(f'tr[data-study="{STUDIES[3].study_instance_uid}"]')
    row.get_by_role("button", name="Retrieve").press("Enter")
    expect(page.get_by_role("status")).to_contain_text("is being retrieved")
