"""The router's pages without a browser: who may do what, what is told before it is done, what cannot be meant."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from starlette.applications import Starlette

from isocenter.app.channels.offline_desk import OfflineDesk
from isocenter.app.completing.table import Completeness
from isocenter.app.prefetching.desk import PrefetchDesk
from isocenter.app.prefetching.table import RunningTable
from isocenter.app.settings import load_settings
from isocenter.app.worklist_pass import PassStatus
from isocenter.app.worklist_pass_status import overview
from isocenter.archive.archive import Archive
from isocenter.archive.search import search
from isocenter.domain.audit import AuditRecord
from isocenter.domain.delivery import NOWHERE, DeliveryPlan
from isocenter.domain.errors import Unavailable
from isocenter.domain.principal import DataAction, Principal
from isocenter.domain.query import Query, SearchRow
from isocenter.ports.ledger import Selection
from isocenter.ports.prefetches import NewRun, RunState
from isocenter.ports.watched_studies import KeptExpectation, WatchedStudy
from isocenter.routing.connection_test.report import ConnectionReport, OnStep, StepName, passed
from isocenter.web.console.console import Console
from isocenter.web.console.section import ROUTER
from isocenter.web.pages.router import router_routes
from isocenter.web.pages.router_jobs import Jobs
from isocenter.web.pages.router_needs import RouterNeeds, TriedFile
from isocenter.web.pages.router_trial import TRIALS_MAX
from tests.support.asgi_client import AsgiClient
from tests.support.instances import identify
from tests.support.memory_archive import memory_archive, store
from tests.support.small_instances import make_instance

HOSTILE = '"><script>alert(1)</script>'
CHANNELS = """
[channels.router]
source = { kind = "stow" }
[[channels.router.rules]]
name = 'CT <script>alert(1)</script>'
when = 'Modality = "CT"'
to = ["pacs"]
[destinations.pacs]
kind = "folder"
path = "/nowhere"
"""
PAUSE = threading.Event()
"""Never set: to look again in a moment."""
READER = Principal("reader", frozenset({DataAction.READ}))
OWNER = Principal("owner", frozenset(DataAction))


@dataclass(frozen=True)
class _Tests:
    """A test that passes one step."""

    own_title: str = "ISOCENTER"

    def run(self, destination: str, *, calling_ae_title: str, stores: bool, on_step: OnStep) -> ConnectionReport:
        step = passed(StepName.FOLDER, f"Called as {calling_ae_title}.")
        on_step(step)
        return ConnectionReport(destination, "/nowhere", (step,))


@dataclass(frozen=True)
class _Trial:
    """A trial that tells the size of what it was given."""

    def run(self, file: TriedFile, *, text: str | None, channel: str) -> Sequence[Mapping[str, Any]]:
        size = Path(file.path).stat().st_size
        rule = {"name": HOSTILE, "outcome": "matched", "why": [f"{size} bytes from {file.calling_ae_title}"]}
        return [{"channel": "router", "matched": [HOSTILE], "deliveries": [], "rules": [rule]}]


@dataclass(frozen=True)
class _Studies:
    archive: Archive

    def search(self, principal: Principal, query: Query) -> list[SearchRow]:
        return search(self.archive, principal, query)


class Pages:
    """The pages of a router over a folder, for the one who visits."""

    def __init__(self, archive: Archive, desk: OfflineDesk, jobs: Jobs) -> None:
        self.archive = archive
        self.desk = desk
        self.jobs = jobs
        self.principal = OWNER
        self.trail: list[AuditRecord] = []
        prefetching = PrefetchDesk(archive.prefetches, (), archive.clock)
        status = PassStatus(
            "RIS", is_away=True, reached_at=None, away_since=5.0, reason=HOSTILE, cached=3, oldest_at=None
        )
        needs = RouterNeeds(
            *(desk, jobs, _Tests(), _Trial(), _Studies(archive), lambda name: [1, 2]),
            completeness=Completeness(archive.watched_studies, now=archive.clock.now),
            prefetch=RunningTable(archive.prefetches, prefetching, dict),
            worklist=lambda: overview(status, archive.step_messages, now=10.0),
            audit=self.trail.append,
        )
        console = Console(authenticate=lambda headers: self.principal, login_path=None, sections=(ROUTER,))
        self.application = Starlette(routes=router_routes(console, needs))
        self._client = AsgiClient(self.application)

    def get(self, path: str) -> str:
        """Return a page that must be there."""
        answer = self._client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.text

    def status(self, path: str) -> int:
        """Return how a page answers."""
        return self._client.get(path).status_code

    def post(self, path: str, **fields: str) -> httpx.Response:
        """Send a form."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._client.request("POST", path, headers=headers, content=urlencode(fields).encode())

    def post_file(self, path: str, content: bytes, **fields: str) -> httpx.Response:
        """Send a form with a file."""
        parts = [f'--XX\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode() for name, value in
                 fields.items()]  # fmt: skip
        head = b'--XX\r\nContent-Disposition: form-data; name="file"; filename="a.dcm"\r\n\r\n'
        body = b"".join([*parts, head, content, b"\r\n--XX--\r\n"])
        return self._client.request(
            "POST", path, headers={"Content-Type": "multipart/form-data; boundary=XX"}, content=body
        )

    def get_ended(self, location: str) -> str:
        """Return the page of a job that has ended."""
        name = location.rpartition("/")[2]
        while not self.jobs.find(name).is_done:
            PAUSE.wait(0.01)
        return self.get(location)

    def watch(self, study_instance_uid: str) -> None:
        """Have a study under way, with runs that fetch for it."""
        study = WatchedStudy(study_instance_uid, HOSTILE, "CT", 1.0, 2.0, 1, 4, told=HOSTILE)
        self.archive.watched_studies.keep([study])
        self.archive.watched_studies.expect(KeptExpectation(study_instance_uid, "count", HOSTILE, count=7))
        run = NewRun(HOSTILE, "p", "request", {"patient_id": HOSTILE}, start_at=1.0, deadline=None)
        (kept,) = self.archive.prefetches.add([run], now=1.0)
        judgement = {"study_date": "", "modalities": ["CT"], "source": HOSTILE, "is_chosen": True, "reason": HOSTILE}
        problem = {"source": HOSTILE, "reason": HOSTILE}
        report = {"judgements": [judgement], "problems": [problem]}
        self.archive.prefetches.replace(replace(kept, state=RunState.DONE, report=report))

    def deliver(self, number: int = 1, *, destination: str = "pacs") -> int:
        """Plan a delivery of an instance and return its number."""
        key = store(self.archive, make_instance(identify(number)).content).instance_key
        plan = DeliveryPlan(destination, "router", "CT <script>alert(1)</script>", configuration_version=1)
        self.archive.index.ledger.add([key], plan, now=self.archive.clock.now().timestamp())
        return self.archive.index.ledger.page(Selection(), limit=1)[0].delivery_key


@pytest.fixture
def pages(tmp_path: Path) -> Iterator[Pages]:
    file = tmp_path / "channels.toml"
    file.write_text(CHANNELS)
    given = {"data_dir": str(tmp_path), "routing.configuration": str(file)}
    with memory_archive() as archive, closing(Jobs(now=lambda: archive.clock.now().timestamp())) as jobs:
        yield Pages(archive, OfflineDesk(archive, load_settings(given, {}, None)), jobs)


def _text(page: str) -> str:
    """Return what a person reads of a page."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))


def test_every_page_can_be_looked_at_by_a_reader_and_runs_no_script_of_a_rule(pages: Pages) -> None:
    key = pages.deliver()
    pages.deliver(2, destination=NOWHERE)
    pages.principal = READER
    study = identify(1).study_instance_uid
    pages.watch(study)
    for path in (
        *("/router", "/router/channels/router", "/router/destinations/pacs", "/router/deliveries"),
        *(f"/router/deliveries/{key}", "/router/studies", f"/router/studies/{study}", "/router/shelf"),
        *("/router/try", "/router/configuration", "/router/configuration/versions/1", "/router/replay"),
        *("/router/configuration/difference?before=1&after=1", "/router/prefetch", "/router/worklist"),
        *("/router/under-way", "/router/under-way?show=all", f"/router/under-way/{study}"),
    ):
        page = pages.get(path)
        assert "<script>alert" not in page, path
        assert "2 received = 0 delivered + 1 waiting + 0 need a person + 1 cancelled" in _text(page), path


def test_a_reader_sees_no_buttons_that_change_and_is_refused_their_forms(pages: Pages) -> None:
    key = pages.deliver()
    pages.principal = READER
    for path in ("/router", "/router/channels/router", "/router/destinations/pacs", f"/router/deliveries/{key}"):
        assert ">Pause<" not in (page := pages.get(path)), path
        assert ">Hold<" not in page, path
    for path in (
        *("/router/channels/router/stop", "/router/destinations/pacs/hold", "/router/destinations/pacs/test"),
        *("/router/deliveries/step", f"/router/deliveries/{key}/step"),
        *("/router/configuration/apply", "/router/configuration/versions/1/rollback"),
    ):
        assert pages.post(path).status_code == 403, path
    assert pages.status("/router/deliveries/step?action=cancel&destination=pacs") == 403


def test_what_is_not_there_is_told(pages: Pages) -> None:
    for path in (
        *("/router/channels/lost", "/router/destinations/lost", "/router/deliveries/7", "/router/studies/1.2.3"),
        *("/router/tests/lost", "/router/replay/lost", "/router/configuration/versions/9", "/router/under-way/1.2"),
    ):
        assert pages.status(path) == 404, path
    assert pages.post("/router/destinations/lost/hold").status_code == 404
    assert pages.trail[-1].status == 404
    for path in ("/router/channels/lost/stop", "/router/channels/router/explode", "/router/destinations/pacs/explode"):
        assert pages.post(path).status_code == 404, path


@pytest.mark.parametrize("number", ["0", "9" * 18, "9" * 19, "9" * 4_301])
def test_what_no_database_counts_to_is_not_there(pages: Pages, number: str) -> None:
    assert pages.status(f"/router/deliveries/{number}") == 404
    assert pages.status(f"/router/configuration/versions/{number}") in (400, 404)


def test_what_cannot_be_meant_is_refused(pages: Pages) -> None:
    for path in (
        "/router/deliveries?study=x",
        "/router/studies?after=x",
        "/router/studies?after=1.0,99999999999999999999",
        "/router/deliveries/step?action=explode",
    ):
        assert pages.status(path) == 400, path
    assert pages.status("/router/deliveries/step?action=cancel&state=queued") == 400


def test_an_order_is_given_with_its_reason_and_recorded(pages: Pages) -> None:
    answer = pages.post("/router/channels/router/pause", reason="maintenance", back="/router/channels/router")
    assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/router/channels/router")
    assert (pages.desk.channels()[0].state, pages.desk.channels()[0].reason) == ("paused", "maintenance")
    assert "maintenance" in pages.get("/router")
    assert [(one.operation, one.status) for one in pages.trail] == [
        ("console router channel pause", None),
        ("console router channel pause", 200),
    ]
    assert pages.trail[0].properties == {"reason": "maintenance"}


def test_a_form_leads_to_no_other_site(pages: Pages) -> None:
    for back in ("//elsewhere.example/", "https://elsewhere.example/", "/router\\x"):
        answer = pages.post("/router/channels/router/start", back=back)
        assert answer.headers["location"].startswith("/router?"), back


def test_a_destination_is_put_aside_and_taken_up_again(pages: Pages) -> None:
    pages.post("/router/destinations/pacs/hold", reason="moving house")
    assert "moving house" in pages.get("/router/destinations/pacs")
    pages.post("/router/destinations/pacs/release")
    assert pages.desk.destinations()[0].hold is None


def test_deliveries_are_filtered_and_paged_and_keep_that_in_the_address(pages: Pages) -> None:
    keys = [pages.deliver(number) for number in range(1, 53)]
    page = pages.get("/router/deliveries?destination=pacs")
    assert f">{keys[-1]}</a>" in page
    assert f">{keys[0]}</a>" not in page
    (older,) = re.findall(r'rel="next" href="([^"]*)"', page)
    assert older == f"/router/deliveries?destination=pacs&amp;after={keys[2]}"
    assert f">{keys[0]}</a>" in pages.get(older.replace("&amp;", "&"))
    assert "No delivery matches" in pages.get("/router/deliveries?state=held")


def test_many_are_cancelled_only_after_a_page_that_says_how_many(pages: Pages) -> None:
    for number in range(1, 4):
        pages.deliver(number)
    page = pages.get("/router/deliveries/step?action=cancel&destination=pacs&state=queued")
    assert "Cancel: 3 deliveries" in _text(page)
    assert pages.desk.ledger.tallies()[0].counters.waiting == 3
    answer = pages.post("/router/deliveries/step", action="cancel", destination="pacs", state="queued", reason="old")
    assert pages.desk.ledger.tallies()[0].counters.cancelled == 3
    assert "3 deliveries are cancelled" in pages.get(answer.headers["location"])


def test_many_are_sent_anew_by_the_rules_that_hold_now(pages: Pages) -> None:
    for number in range(1, 4):
        pages.deliver(number)
    pages.post("/router/deliveries/step", action="cancel", destination="pacs")
    text = CHANNELS.replace("to = [", 'priority = "stat"\nto = [')
    pages.post("/router/configuration/apply", text=text)
    fields = {"action": "send-again", "destination": "pacs", "state": "cancelled", "rules": "current"}
    answer = pages.post("/router/deliveries/step", **fields)
    assert "3 deliveries are queued again" in pages.get(answer.headers["location"])
    rows = pages.archive.index.ledger.page(Selection())
    assert {row.plan.priority.value for row in rows} == {"stat"}
    assert pages.post("/router/deliveries/step", **(fields | {"destination": ""})).status_code == 400


def test_one_is_cancelled_and_sent_again(pages: Pages) -> None:
    path = f"/router/deliveries/{pages.deliver()}"
    pages.post(f"{path}/step", action="cancel")
    assert '<span class="state ">cancelled</span>' in pages.get(path)
    pages.post(f"{path}/step", action="send-again", rules="current")
    assert '<span class="state busy">queued</span>' in pages.get(path)


def test_compared_values_are_shown_to_whoever_asks_and_that_is_recorded(pages: Pages) -> None:
    path = f"/router/deliveries/{pages.deliver()}"
    pages.principal = READER
    assert "it is &#39;CT&#39;" not in pages.get(path)
    assert pages.trail == []
    assert "it is &#39;CT&#39;" in pages.post(f"{path}/values").text
    assert [one.operation for one in pages.trail] == ["console router explanation with values"] * 2


def test_a_text_with_an_error_comes_back_with_its_line_and_is_not_lost(pages: Pages) -> None:
    text = CHANNELS.replace('to = ["pacs"]', 'to = ["tape"]')
    answer = pages.post("/router/configuration/preview", text=text.replace("\n", "\r\n"))
    assert answer.status_code == 400
    line = 1 + CHANNELS.splitlines().index('to = ["pacs"]')
    assert f'data-line="{line}"' in answer.text
    assert "[&#34;tape&#34;]" in answer.text


def test_a_text_is_compared_applied_with_a_reason_and_rolled_back(pages: Pages) -> None:
    text = CHANNELS.replace('"/nowhere"', '"/elsewhere"')
    shown = pages.post("/router/configuration/preview", text=text, version="1").text
    assert "destination pacs" in _text(shown)
    assert "path was &#34;/nowhere&#34; and is &#34;/elsewhere&#34;" in shown
    assert pages.post("/router/configuration/apply", text=text, version="1", reason="moved").status_code == 303
    page = pages.get("/router/configuration")
    assert "moved" in page
    assert "/elsewhere" in page
    assert "path was" in pages.get("/router/configuration/difference?before=1&after=2")
    assert "path was" in pages.get("/router/configuration/versions/1")
    assert pages.post("/router/configuration/versions/1/rollback", reason="wrong").status_code == 303
    assert pages.desk.text(None, as_written=True) == (3, CHANNELS)


def test_a_text_in_the_place_of_a_version_that_does_not_hold_any_more_is_told_and_shown_again(pages: Pages) -> None:
    text = CHANNELS.replace('"/nowhere"', '"/elsewhere"')
    pages.post("/router/configuration/apply", text=text, version="1")
    answer = pages.post("/router/configuration/apply", text=text.replace("elsewhere", "third"), version="1")
    assert answer.status_code == 409
    assert "Version 2 holds by now" in answer.text
    assert "/third" in answer.text
    assert pages.desk.versions()[0].number == 2


def test_a_study_under_way_is_treated_as_complete_by_whoever_may_write(pages: Pages) -> None:
    study = identify(1).study_instance_uid
    pages.watch(study)
    pages.principal = READER
    assert "Treat as complete" not in pages.get("/router/under-way")
    assert pages.post(f"/router/under-way/{study}/complete").status_code == 403
    pages.principal = OWNER
    assert "Treat as complete" in pages.get("/router/under-way")
    assert pages.post(f"/router/under-way/{study}/complete").status_code == 303
    assert "request" in {one.kind for one in pages.archive.watched_studies.expectations(study)}


def test_a_file_is_tried_without_script(pages: Pages) -> None:
    pages.principal = READER
    answer = pages.post_file("/router/try", b"0123456789", calling="CT1")
    assert answer.status_code == 200
    assert "10 bytes from CT1" in answer.text
    assert "<script>alert" not in answer.text
    assert pages.post_file("/router/try", b"").status_code == 400


def test_so_many_files_are_tried_at_a_time_from_their_first_byte_on(pages: Pages) -> None:
    head = b'--XX\r\nContent-Disposition: form-data; name="file"; filename="a.dcm"\r\n\r\n'

    async def try_files() -> list[int]:
        begun, may_end = asyncio.Semaphore(0), asyncio.Event()

        async def slowly() -> AsyncIterator[bytes]:
            yield head
            begun.release()
            await may_end.wait()
            yield b"0123456789\r\n--XX--\r\n"

        transport = httpx.ASGITransport(pages.application)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            headers = {"Content-Type": "multipart/form-data; boundary=XX"}

            async def post(content: AsyncIterator[bytes]) -> int:
                return (await client.post("/router/try", headers=headers, content=content)).status_code

            first = [asyncio.create_task(post(slowly())) for _ in range(TRIALS_MAX)]
            for _ in first:
                await begun.acquire()
            refused = await post(slowly())
            may_end.set()
            return [refused, *[await one for one in first], await post(slowly())]

    assert asyncio.run(try_files()) == [503, *[200] * TRIALS_MAX, 200]


def test_a_connection_test_shows_its_steps(pages: Pages) -> None:
    answer = pages.post("/router/destinations/pacs/test", calling="OTHER")
    page = pages.get_ended(answer.headers["location"])
    assert "Called as OTHER." in page
    assert "passed" in page
    assert pages.post("/router/destinations/pacs/test", calling="MUCH TOO LONG A TITLE").status_code == 400


def test_past_traffic_is_replayed_by_an_edited_text(pages: Pages) -> None:
    pages.deliver()
    text = CHANNELS.replace('"CT"', '"MR"')
    location = pages.post("/router/replay", text=text, days="7").headers["location"]
    assert "no more to pacs" in pages.get_ended(location)
    assert pages.post("/router/replay", text="not = [toml", days="7").status_code == 400
    assert pages.post("/router/replay", days="many").status_code == 400


def test_a_look_at_past_traffic_is_given_up_when_the_node_ends(pages: Pages) -> None:
    pages.deliver()
    rows = iter([False, True])
    with pytest.raises(Unavailable):
        pages.desk.replay(7, None, is_given_up=lambda: next(rows))
    assert next(rows, None) is None
