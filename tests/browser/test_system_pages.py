"""System in Chromium: figures, associations, doctor, audit trail, people, settings; on a desk and on a phone."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.support.command_line import CommandLine
from tests.support.peers import require
from tests.support.processes import Node, free_port, serve

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

PASSWORD = "correct horse battery"
HOSTILE = "<img src=x onerror=alert(1)>{{7*7}}"
PAGES = ("", "/associations", "/doctor", "/audit", "/users", "/settings")


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    folder = tmp_path_factory.mktemp("system")
    commands = CommandLine(folder / "state")
    for name, role in (("jane", "owner"), ("rita", "reader")):
        options = ("--role", role, "--password-file", "-", "--data-dir", folder / "node")
        commands.must("user", "add", name, *options, answer=PASSWORD + "\n")
    port = free_port()
    arguments = ("--auth", "required", "--set", f"dicom.listen=NODE@127.0.0.1:{port}")
    with serve(folder / "node", arguments=arguments) as started:
        program = require("echoscu")
        subprocess.run([program, "-aec", "WRONG", "127.0.0.1", str(port)], capture_output=True, timeout=60, check=False)
        yield started


def _signed_in(page: Page, node: Node, name: str = "jane", password: str = PASSWORD) -> Page:
    page.goto(f"{node.base_url}/login")
    page.locator("input[name=name]").fill(name)
    page.locator("input[name=password]").fill(password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    return page


@pytest.fixture
def page(node: Node, open_page: OpenPage) -> Page:
    return _signed_in(open_page(width=1440, height=900), node)


def test_figures_are_drawn_and_told_as_numbers(node: Node, page: Page) -> None:
    page.goto(f"{node.base_url}/system")
    expect(page.locator("figure[data-figure=free_bytes] polyline")).to_have_count(1)
    expect(page.locator("table")).to_contain_text("Open associations")
    page.get_by_role("link", name="Last day").click()
    expect(page.locator("[aria-current=true]")).to_have_text("Last day")


def test_a_rejected_association_is_told_with_its_reason(node: Node, page: Page) -> None:
    page.goto(f"{node.base_url}/system/associations?show=failed")
    row = page.locator("tr[data-association]").first
    expect(row).to_contain_text("rejected")
    expect(row).to_contain_text("called AE title not recognized")
    row.get_by_role("link").click()
    expect(page.locator("main")).to_contain_text("127.0.0.1")


def test_the_doctor_examines_and_does_so_again(node: Node, page: Page) -> None:
    page.goto(f"{node.base_url}/system/doctor")
    expect(page.locator("tr[data-check='disk space']")).to_contain_text("GB free")
    expect(page.locator("tr[data-check=port]")).to_contain_text("a node of ours answers")
    page.get_by_role("button", name="Examine again").click()
    expect(page.locator("#doctor[data-running=no]")).to_contain_text("python")


def test_a_person_is_added_signs_in_and_is_removed(node: Node, page: Page, open_page: OpenPage) -> None:
    page.goto(f"{node.base_url}/system/users")
    page.locator("form", has_text="Add a person").locator("input[name=name]").fill("bob")
    page.get_by_role("button", name="Add").click()
    password = page.locator("[data-password]").inner_text()
    other = _signed_in(open_page(), node, "bob", password)
    other.goto(f"{node.base_url}/system")
    expect(other.get_by_role("navigation", name="Pages of this section")).not_to_contain_text("Users")
    page.goto(f"{node.base_url}/system/users")
    expect(page.locator("[data-password]")).to_have_count(0)
    page.locator("tr[data-user=bob]").get_by_role("link", name="Remove").click()
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_role("status")).to_contain_text("bob is removed")
    other.reload()
    expect(other.get_by_role("button", name="Sign in")).to_be_visible()


def test_a_person_cannot_lock_out_the_last_owner(node: Node, page: Page) -> None:
    page.goto(f"{node.base_url}/system/users")
    row = page.locator("tr[data-user=jane]")
    expect(row).to_contain_text("the last who may do everything")
    expect(row.get_by_role("link", name="Remove")).to_have_count(0)
    expect(row.locator("select")).to_be_disabled()


def test_the_audit_trail_is_filtered(node: Node, page: Page) -> None:
    page.goto(f"{node.base_url}/system/users")
    page.locator("form", has_text="Add a person").locator("input[name=name]").fill(HOSTILE)
    page.get_by_role("button", name="Add").click()
    expect(page.locator("[data-password]")).to_be_visible()
    page.goto(f"{node.base_url}/system/audit?person=jane")
    expect(page.locator("tbody")).to_contain_text(HOSTILE)
    page.locator("input[name=operation]").fill("remove-nothing")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("main")).to_contain_text("No record is like that.")
    assert "operation=remove-nothing" in page.url


def test_settings_tell_where_each_comes_from(node: Node, page: Page) -> None:
    page.goto(f"{node.base_url}/system/settings?show=chosen")
    expect(page.locator("tr[data-setting='dicom.listen']")).to_contain_text("flag")
    page.goto(f"{node.base_url}/system/settings?name=password")
    expect(page.locator("tr[data-setting='dicom.tls_key_password']")).to_contain_text("********")


def test_who_reads_only_sees_figures_and_associations(node: Node, open_page: OpenPage) -> None:
    page = _signed_in(open_page(), node, "rita")
    page.goto(f"{node.base_url}/system")
    tabs = page.get_by_role("navigation", name="Pages of this section")
    assert tabs.get_by_role("link").all_inner_texts() == ["Figures", "Associations"]
    for path in ("doctor", "audit", "users", "settings"):
        answer = page.goto(f"{node.base_url}/system/{path}")
        assert answer is not None
        assert answer.status == 403


@pytest.mark.parametrize(("width", "height", "scheme"), [(1440, 900, "light"), (390, 844, "dark")])
def test_every_page_fits_the_screen(node: Node, open_page: OpenPage, width: int, height: int, scheme: str) -> None:
    page = open_page(width=width, height=height, color_scheme="dark" if scheme == "dark" else "light")
    _signed_in(page, node)
    for path in PAGES:
        page.goto(f"{node.base_url}/system{path}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", ground)[:3])) < 200) is (scheme == "dark")
