"""The study list on a real node in a real browser: wide and narrow, light and dark, with hostile values."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from isocenter.modality.patients import Patient
from isocenter.modality.plans import CtSeriesPlan, Region, StudyPlan
from isocenter.modality.studies import iter_study
from tests.browser.conftest import OpenPage
from tests.support.processes import Node, serve
from tests.support.stow import store

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

SEED = 7
STARTED_AT = datetime(2026, 3, 1, 9, 30)
HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>'


def _study(name: str, patient_id: str, description: str) -> list[bytes]:
    series = CtSeriesPlan(Region.HEAD, "Head", 2, 5.0, 0.0, 240.0, (40, 90), edge=64)
    patient = Patient(name, patient_id, date(1970, 1, 1), "O")
    return list(iter_study(StudyPlan(patient, STARTED_AT, patient_id, description, (series,)), SEED))


@pytest.fixture(scope="module")
def empty_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with serve(tmp_path_factory.mktemp("empty") / "data") as node:
        yield node


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with serve(tmp_path_factory.mktemp("list") / "data") as node:
        store(node.dicomweb_url, _study("Wide^Wanda", "W1", "CT Head without contrast"))
        store(node.dicomweb_url, _study("Narrow^Norbert", "N2", "CT Head follow-up"))
        store(node.dicomweb_url, _study(HOSTILE, "H3", HOSTILE))
        yield node


def _has_sideways_scroll(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
def test_the_list_fits_the_screen_and_opens_series_with_their_pictures(
    node: Node, open_page: OpenPage, width: int, height: int, color_scheme: Literal["light", "dark"]
) -> None:
    page = open_page(width=width, height=height, color_scheme=color_scheme)
    page.goto(node.base_url)
    row = page.locator("tr.study").filter(has_text="Wide, Wanda")
    expect(row.get_by_role("link", name="Open Wide, Wanda")).to_be_in_viewport()
    row.get_by_role("button", name="Series of Wide, Wanda").click()
    picture = page.locator(".series-row:not([hidden]) .picture img")
    expect(picture).to_have_js_property("naturalWidth", 128)
    assert not _has_sideways_scroll(page)


def test_a_search_narrows_the_list_and_stays_in_the_address(node: Node, open_page: OpenPage) -> None:
    page = open_page()
    page.goto(node.base_url)
    page.keyboard.press("/")
    page.keyboard.type("norb")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{node.base_url}/?patient=norb")
    expect(page.locator("tr.study")).to_have_count(1)
    expect(page.locator("#found").get_by_role("status")).to_have_text("1 study found")
    page.go_back()
    expect(page.locator("tr.study")).to_have_count(3)


def test_choosing_a_modality_searches_at_once(node: Node, open_page: OpenPage) -> None:
    page = open_page(width=1440)
    page.goto(node.base_url)
    page.get_by_label("Modality").select_option("MR")
    expect(page.get_by_text("No study matches")).to_be_visible()
    page.get_by_role("link", name="Show all studies").click()
    expect(page.locator("tr.study")).to_have_count(3)


def test_the_list_works_with_the_keyboard_alone(node: Node, open_page: OpenPage) -> None:
    page = open_page(width=1440)
    page.goto(f"{node.base_url}/?patient=wanda")
    page.get_by_role("button", name="Series of Wide, Wanda").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".series li")).to_have_count(1)
    page.keyboard.press("Space")
    expect(page.locator(".series li")).to_be_hidden()


def test_hostile_values_are_only_text(node: Node, open_page: OpenPage) -> None:
    page = open_page(width=1440)
    page.goto(f"{node.base_url}/?id=H3")
    expect(page.locator("tr.study")).to_contain_text("<script>alert(1)</script>")
    page.locator("a.toggle").click()
    expect(page.locator(".series li")).to_have_count(1)
    assert page.locator("img[src=x]").count() == 0


def test_an_empty_node_says_what_to_do(empty_node: Node, open_page: OpenPage) -> None:
    page = open_page(width=390, height=844)
    page.goto(empty_node.base_url)
    expect(page.get_by_text(f"isocenter store PATH --to {empty_node.base_url}")).to_be_visible()
    assert not _has_sideways_scroll(page)
