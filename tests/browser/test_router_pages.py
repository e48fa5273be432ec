"""The router's pages on a node that routes to a DCMTK server, in a real browser: live, by buttons, hostile values."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import OpenPage
from tests.support.dcmtk import storescp
from tests.support.instances import identify
from tests.support.processes import free_port
from tests.support.router import RoutingNode, routing_node, send
from tests.support.small_instances import SmallInstance, make_instance

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>'
CONFIGURATION = """
[channels.router]
description = "Modalities send here"
source = {{ kind = "dimse", listen = "QIEROUTER@127.0.0.1:{router}" }}
[[channels.router.rules]]
name = '{hostile}'
when = 'Modality = "CT"'
to = ["pacs"]
transforms = ["named"]
[[channels.router.rules]]
name = "copy"
to = ["cloud"]

[channels.odd]
source = {{ kind = "dimse", listen = "ODD@127.0.0.1:{odd}" }}
[[channels.odd.rules]]
name = "all"
to = ["tape"]
transforms = ["strict"]

[[transforms.named.steps]]
set = "InstitutionName"
to = "General"
[[transforms.strict.steps]]
map = "Modality"
values = {{ MR = "MR" }}
otherwise = "refuse"

[destinations.pacs]
kind = "dimse"
remote = "PACS@127.0.0.1:{pacs}"
[destinations.cloud]
kind = "dicomweb"
url = "http://127.0.0.1:{dead}/v2"
[destinations.tape]
kind = "folder"
path = "{folder}"
"""


@dataclass(frozen=True, slots=True)
class Hospital:
    """A node with channels, and where they listen."""

    routing: RoutingNode
    router_port: int
    odd_port: int

    @property
    def url(self) -> str:
        """Return where the router's pages are."""
        return f"{self.routing.node.base_url}/router"

    def send(self, study: int, count: int = 1) -> None:
        """Send instances of a study as a modality does."""
        _send(self.router_port, *(make_instance(identify(study, 1, number)) for number in range(count)))

    def wait_delivered(self) -> dict[str, int]:
        """Return the counters of the channel once nothing waits for the PACS."""
        routing = self.routing

        def is_delivered() -> bool:
            return bool(routing.get("/destinations/pacs")["counters"]["waiting"] == 0)

        routing.node.process.wait_until(is_delivered)
        return routing.counters("router")


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    folder = tmp_path_factory.mktemp("router-pages")
    (folder / "tape").mkdir()
    with storescp(folder / "pacs", ae_title="PACS") as pacs:
        router, odd = free_port(), free_port()
        text = CONFIGURATION.format(
            router=router, odd=odd, pacs=pacs.port, dead=free_port(), folder=folder / "tape", hostile=HOSTILE
        )
        with routing_node(folder, text) as routing:
            yield Hospital(routing, router, odd)


def _send(port: int, *instances: SmallInstance, called: str = "QIEROUTER") -> None:
    """Send by a thread: this one has the event loop of the browser."""
    with ThreadPoolExecutor(1) as executor:
        statuses = executor.submit(send, port, *instances, called=called).result()
    assert statuses == [0] * len(instances)


def _sum(page: Page, channel: str) -> Locator:
    return page.locator(f"[data-channel={channel}] .sum")


def _has_sideways_scroll(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


def _drop(page: Page, name: str, content: bytes) -> None:
    """Drop a file, as a person would from a folder."""
    transfer = page.evaluate_handle(
        """([name, content]) => {
            const bytes = Uint8Array.from(atob(content), letter => letter.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], name));
            return transfer;
        }""",
        [name, b64encode(content).decode()],
    )
    page.locator("#drop").dispatch_event("drop", {"dataTransfer": transfer})


def test_counters_go_up_without_a_reload_and_add_up(hospital: Hospital, open_page: OpenPage) -> None:
    page = open_page(width=1440, height=900)
    with page.expect_response("**/console/events"):
        page.goto(hospital.url)
    before = hospital.wait_delivered()
    page.evaluate("window.isTheSamePage = true")
    hospital.send(1, 3)
    expect(_sum(page, "router")).to_contain_text(f"{before['received'] + 6} received")
    expect(_sum(page, "router")).to_contain_text(f"{before['delivered'] + 3} delivered")
    for counters in (_sum(page, "router"), page.locator("#totals .sum")):
        expect(counters).to_contain_text("adds up")
        received, *parts = map(int, re.findall(r"\d+", counters.inner_text()))
        assert received == sum(parts)
    expect(page.locator(".flow .count").first).to_contain_text(f"{before['delivered'] + 3} delivered")
    assert page.evaluate("window.isTheSamePage")


def test_pause_and_start_act_and_tell_who_and_why(hospital: Hospital, open_page: OpenPage) -> None:
    page = open_page(width=1440, height=900)
    page.goto(hospital.url)
    lane = page.locator("[data-channel=odd]")
    lane.get_by_label("Reason for what is done with odd").fill(f"maintenance {HOSTILE}")
    lane.get_by_role("button", name="Pause odd").click()
    expect(page.get_by_role("status").first).to_have_text("Channel odd is paused.")
    expect(lane.locator(".state").first).to_have_text("paused")
    expect(lane).to_contain_text("By local")
    expect(lane).to_contain_text(f"maintenance {HOSTILE}")
    assert hospital.routing.get("/channels/odd")["state"] == "paused"
    lane.get_by_role("button", name="Start odd", exact=True).click()
    expect(lane.locator(".state").first).to_have_text("started")
    assert hospital.routing.get("/channels/odd")["state"] == "started"


def test_a_dead_destination_shows_what_waits_for_how_long_and_why(hospital: Hospital, open_page: OpenPage) -> None:
    hospital.send(2)
    page = open_page(width=1440, height=900)
    page.goto(hospital.url)
    card = page.locator("[data-destination=cloud]")
    expect(card).to_contain_text("Connection refused")
    expect(card).to_contain_text("nobody listens on that port")
    expect(card).to_contain_text("safe on disk")
    expect(card.locator(".facts")).to_contain_text(re.compile(r"Oldest waits\s*\d+ (s|min)"))
    card.get_by_role("button", name="Hold cloud").click()
    expect(card.locator(".state").first).to_have_text("held")
    card.get_by_role("button", name="Release cloud").click()
    expect(card.get_by_role("button", name="Hold cloud")).to_be_visible()
    card.get_by_role("button", name="Test the connection to cloud").click()
    expect(page.locator(".stage.bad")).to_contain_text("nobody listens on that port")
    expect(page.get_by_role("heading", name="Connection test of cloud")).to_contain_text("failed")


def test_a_peer_is_tested_step_by_step_as_whom_one_says(hospital: Hospital, open_page: OpenPage) -> None:
    page = open_page()
    page.goto(f"{hospital.url}/destinations/pacs")
    page.get_by_label("We call as").fill("TESTROOM")
    page.get_by_role("button", name="Test the connection").click()
    expect(page.locator(".stage").filter(has_text="echo")).to_be_visible()
    expect(page.get_by_text("we call as TESTROOM")).to_be_visible()


def test_from_a_study_to_its_attempts_and_the_decision_behind_a_click(hospital: Hospital, open_page: OpenPage) -> None:
    hospital.send(3)
    hospital.wait_delivered()
    page = open_page(width=1440, height=900)
    page.goto(f"{hospital.url}/studies?destination=pacs")
    page.locator("tbody a").first.click()
    page.locator("tbody tr").filter(has_text="pacs").get_by_role("link").first.click()
    page.locator("tbody a").first.click()
    expect(page.locator(".stage")).to_contain_text("Success")
    expect(page.locator(".rules")).to_contain_text(HOSTILE)
    expect(page.locator(".rules")).not_to_contain_text("it is 'CT'")
    page.get_by_role("button", name="Show the compared values").click()
    expect(page.locator(".rules")).to_contain_text("it is 'CT'")


def test_the_shelf_tells_why_and_its_button_acts(hospital: Hospital, open_page: OpenPage) -> None:
    page = open_page()
    with page.expect_response("**/console/events"):
        page.goto(f"{hospital.url}/shelf")
    _send(hospital.odd_port, make_instance(identify(4)), called="ODD")
    group = page.locator(".group[data-note='local:transform-refused']")
    expect(group).to_contain_text("Transform not possible")
    expect(group).to_contain_text("change the transform, or the instance at its source")
    group.get_by_role("link", name="Cancel").click()
    expect(page.get_by_role("heading", name=re.compile(r"Cancel: \d+ deliver"))).to_be_visible()
    page.get_by_label("Reason").fill("a test image")
    page.get_by_role("button", name=re.compile(r"Cancel \d+")).click()
    expect(page.get_by_role("status").first).to_contain_text("cancelled.")
    page.goto(f"{hospital.url}/shelf")
    expect(page.get_by_text("Nothing needs a person")).to_be_visible()


def test_a_dropped_file_shows_which_rules_match_and_what_would_change(hospital: Hospital, open_page: OpenPage) -> None:
    page = open_page(width=1440, height=900)
    page.goto(f"{hospital.url}/try")
    content = make_instance(identify(5)).content.replace(b"Test^Durability ", b"<script>alert(3)"[:16])
    _drop(page, f"{HOSTILE}.dcm", content)
    tried = page.locator(".tried").filter(has=page.get_by_role("heading", name="Channel router"))
    expect(tried).to_contain_text("would go to pacs")
    row = tried.locator("tr").filter(has_text="InstitutionName")
    expect(row).to_contain_text("absent")
    expect(row).to_contain_text("General")
    expect(tried.locator(".rules")).to_contain_text(HOSTILE)
    odd = page.locator(".tried").filter(has=page.get_by_role("heading", name="Channel odd"))
    expect(odd.locator(".problem")).to_be_visible()


def test_what_is_no_dicom_file_is_told(hospital: Hospital, open_page: OpenPage) -> None:
    page = open_page()
    page.goto(f"{hospital.url}/try")
    page.locator("input[type=file]").set_input_files({"name": "a.txt", "mimeType": "text/plain", "buffer": b"hello"})
    page.get_by_role("button", name="Try").click()
    expect(page.get_by_role("alert")).to_contain_text("no DICOM file")


def test_a_configuration_is_compared_applied_and_rolled_back(hospital: Hospital, open_page: OpenPage) -> None:
    page = open_page(width=1440, height=900)
    page.goto(f"{hospital.url}/configuration")
    editor = page.locator("#text")
    text = editor.input_value()
    editor.fill(text.replace('to = ["cloud"]', 'to = ["clowd"]'))
    page.get_by_role("button", name="Show what would change").click()
    expect(page.get_by_role("alert")).to_contain_text("clowd")
    page.get_by_role("link", name="Line").first.click()
    assert page.evaluate("getSelection().toString()") == 'to = ["clowd"]'
    page.locator("#text").fill(text.replace('name = "copy"', 'name = "copy to the cloud"'))
    page.get_by_role("button", name="Show what would change").click()
    expect(page.locator(".differences")).to_contain_text("copy to the cloud")
    expect(page.locator(".differences")).to_contain_text("added")
    page.get_by_label("Why it is changed").fill("clearer")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("status").first).to_have_text("Version 2 holds now.")
    page.get_by_role("link", name="Go back to it").click()
    expect(page.locator(".differences")).to_contain_text("removed")
    page.get_by_role("button", name="Have version 1 hold again").click()
    expect(page.get_by_role("status").first).to_have_text("Version 1 holds again, as version 3.")
    assert hospital.routing.get("/configuration")["version"] == 3


def test_past_traffic_is_replayed(hospital: Hospital, open_page: OpenPage) -> None:
    hospital.send(6)
    page = open_page()
    page.goto(f"{hospital.url}/replay")
    text = page.locator("#text").input_value()
    page.locator("#text").fill(text.replace('to = ["cloud"]', 'to = ["tape"]'))
    page.get_by_role("button", name="Replay").click()
    expect(page.locator(".differences").first).to_contain_text("also to tape; no more to cloud")


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
def test_pages_fit_the_screen(
    hospital: Hospital,
    open_page: OpenPage,
    tmp_path: Path,
    width: int,
    height: int,
    color_scheme: Literal["light", "dark"],
) -> None:
    hospital.send(7)
    _send(hospital.odd_port, make_instance(identify(8)), called="ODD")
    page = open_page(width=width, height=height, color_scheme=color_scheme)
    for path in (
        "",
        "/deliveries",
        "/studies",
        "/shelf",
        "/try",
        "/configuration",
        "/destinations/cloud",
        "/under-way",
    ):
        page.goto(hospital.url + path)
        expect(page.locator("#totals .sum")).to_contain_text("adds up")
        assert not _has_sideways_scroll(page), path
