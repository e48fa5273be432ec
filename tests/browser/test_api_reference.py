"""The page about the API on a real node in a real browser: wide and narrow, light and dark, with and without script."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import OpenPage
from tests.support.processes import Node, serve

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with serve(tmp_path_factory.mktemp("api") / "data") as started:
        yield started


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
def test_an_address_leads_into_a_route_whatever_the_screen(
    node: Node, open_page: OpenPage, width: int, height: int, color_scheme: Literal["light", "dark"]
) -> None:
    page = open_page(width=width, height=height, color_scheme=color_scheme)
    page.goto(f"{node.base_url}/docs/api/v2#SearchStudies")
    expect(page.get_by_text("Whether names match by the beginnings of their words.").first).to_be_visible()
    expect(page.locator("#SearchStudies pre")).to_be_in_viewport()
    assert not page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")


def test_the_contents_lead_to_a_route_on_a_phone(node: Node, open_page: OpenPage) -> None:
    page = open_page(width=390, height=844)
    page.goto(f"{node.base_url}/docs/api")
    link = page.get_by_role("link", name="Delete a study")
    expect(link).to_be_hidden()
    page.get_by_text("Contents", exact=True).click()
    link.click()
    expect(page.locator("#DeleteStudy")).to_be_in_viewport()


def test_it_works_without_script(node: Node, chromium: Browser) -> None:
    context = chromium.new_context(java_script_enabled=False)
    try:
        page = context.new_page()
        page.goto(f"{node.base_url}/docs/api")
        page.get_by_role("link", name="DICOMweb standard").click()
        expect(page).to_have_title("isocenter, DICOMweb")
        page.get_by_role("link", name="GET Search for studies").click()
        expect(page.locator("#SearchStudies")).to_be_visible()
    finally:
        context.close()
