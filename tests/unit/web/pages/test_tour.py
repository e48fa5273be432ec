from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field, replace

import pytest
from starlette.applications import Starlette

from isocenter.domain.errors import Conflict, NotFound
from isocenter.domain.principal import LOCAL_OWNER
from isocenter.web.console.console import Console
from isocenter.web.pages.tour import (
    TOUR,
    CardState,
    EvidenceLine,
    ExpectationLine,
    LookLink,
    StepCard,
    TourView,
    tour_routes,
)
from isocenter.web.pages.tour_drawing import Curve, Mark, OutageView, Trouble
from tests.support.asgi_client import AsgiClient

OWN = {"Sec-Fetch-Site": "same-origin", "Content-Type": "application/x-www-form-urlencoded"}
HOSTILE = '"><script>alert(1)</script>\u202e'
CARD = StepCard(
    number=1,
    title="Fill the PACS",
    text=("One.", "Two."),
    state=CardState.NOT_PLAYED,
    took="",
    reason="",
    expectations=(),
    evidence=(),
    looks=(LookLink("PACS", "http://127.0.0.1:8042/", "Eight people."),),
    outage=None,
    waits_for=None,
)


@dataclass
class MemoryTour:
    """A tour without a hospital."""

    cards: tuple[StepCard, ...] = (CARD, replace(CARD, number=2, title="Again", waits_for=1))
    playing: int | None = None
    verdict: str = ""
    pressed: list[int] = field(default_factory=list)

    def view(self) -> TourView:
        return TourView(self.cards, self.playing, self.verdict, is_met=not self.verdict.startswith("NOT"))

    def play(self, number: int) -> None:
        if number > len(self.cards):
            raise NotFound("There is no such step.")
        if self.playing is not None:
            raise Conflict(f"Step {self.playing} is being played; wait until it has ended.")
        self.pressed.append(number)

    def play_all(self) -> None:
        self.play(1)

    def mark(self) -> Hashable:
        return len(self.pressed)


def _client(tour: MemoryTour) -> AsgiClient:
    console = Console(authenticate=lambda headers: LOCAL_OWNER, login_path=None, sections=(TOUR,))
    return AsgiClient(Starlette(routes=tour_routes(console, tour)))


def _played(state: CardState, *, is_met: bool) -> StepCard:
    return replace(
        CARD,
        state=state,
        took="1.0 s",
        expectations=(ExpectationLine("Every image is acknowledged", is_met, "8 images", "7 images"),),
        evidence=(EvidenceLine("Studies", "8 studies", ("2.25.1", "2.25.2")),),
    )


def test_a_step_that_can_be_played_has_a_button_and_one_that_waits_says_for_what() -> None:
    page = _client(MemoryTour()).get("/tour").text
    assert 'action="/tour/steps/1/play"' in page
    assert 'action="/tour/steps/2/play"' not in page
    assert "after step 1" in page
    assert "Look here" not in page, "there is nothing to see yet"


def test_a_press_plays_the_step_and_leads_back_to_its_card() -> None:
    tour = MemoryTour()
    answer = _client(tour).request("POST", "/tour/steps/1/play", headers=OWN)
    assert (answer.status_code, answer.headers["location"]) == (303, "/tour#step-1")
    assert tour.pressed == [1]


def test_all_steps_are_played_by_one_press() -> None:
    tour = MemoryTour()
    assert _client(tour).request("POST", "/tour/play", headers=OWN).headers["location"] == "/tour"
    assert tour.pressed == [1]


@pytest.mark.parametrize("path", ["/tour/steps/1/play", "/tour/play"])
def test_a_second_press_is_refused_with_the_reason(path: str) -> None:
    tour = MemoryTour(playing=1)
    client = _client(tour)
    answer = client.request("POST", path, headers=OWN)
    assert "Step 1 is being played; wait until it has ended." in client.get(answer.headers["location"]).text
    assert tour.pressed == []


def test_there_is_no_button_while_a_step_is_played() -> None:
    page = _client(MemoryTour(playing=1)).get("/tour").text
    assert "<button" not in page
    assert "Step 1 is being played" in page


@pytest.mark.parametrize("number", ["3", "0", "x", "²", "1" * 400])
def test_a_step_that_there_is_not_is_not_found(number: str) -> None:
    tour = MemoryTour()
    answer = _client(tour).request("POST", f"/tour/steps/{number}/play", headers=OWN)
    assert (answer.status_code, tour.pressed) == ((404, []) if number != "0" else (303, [0]))


def test_a_press_on_a_page_of_another_site_plays_nothing() -> None:
    tour = MemoryTour()
    foreign = {**OWN, "Sec-Fetch-Site": "cross-site"}
    assert _client(tour).request("POST", "/tour/play", headers=foreign).status_code == 403
    assert tour.pressed == []


def test_what_held_is_told_with_what_was_found_and_where_to_look() -> None:
    page = _client(MemoryTour((_played(CardState.HELD, is_met=True),), verdict="All held.")).get("/tour").text
    assert "7 images" in page
    assert "expected 8 images" not in page
    assert 'href="http://127.0.0.1:8042/"' in page
    assert "All held." in page


def test_what_failed_is_told_with_what_was_expected_and_found() -> None:
    page = _client(MemoryTour((_played(CardState.FAILED, is_met=False),), verdict="NOT as expected.")).get("/tour").text
    assert "expected 8 images; found 7 images" in page
    assert "Not met:" in page
    assert "Play again" in page


def test_evidence_is_opened_by_an_address() -> None:
    client = _client(MemoryTour((_played(CardState.HELD, is_met=True),)))
    assert "2.25.1" not in client.get("/tour").text
    opened = client.get("/tour?evidence=1").text
    assert "<code>2.25.1</code><code>2.25.2</code>" in opened
    assert 'hx-get="/tour?evidence=1"' in opened, "what is shown anew is opened too"


@pytest.mark.parametrize("evidence", ["x", "99", "<b>", "-1"])
def test_an_address_that_opens_nothing_shows_the_page(evidence: str) -> None:
    answer = _client(MemoryTour()).get("/tour", params={"evidence": evidence})
    assert answer.status_code == 200
    assert "<b>" not in answer.text


def test_an_outage_is_drawn() -> None:
    outage = OutageView(
        "The PACS dies",
        10.0,
        (Curve("waiting for the PACS", ((0.0, 0.0), (5.0, 30.0), (10.0, 0.0))), Curve("other", ((0.0, 0.0),))),
        (Trouble(1.0, 5.0),),
        (Mark(1.0, "killed"), Mark(5.0, "started")),
        "Nothing lost.",
        is_met=True,
    )
    page = _client(MemoryTour((replace(_played(CardState.HELD, is_met=True), outage=outage),))).get("/tour").text
    assert page.count("<polyline") == 2
    assert page.count('class="trouble"') == 1
    assert ">killed</text>" in page
    assert "Nothing lost." in page


def test_what_comes_from_outside_is_only_text() -> None:
    card = replace(
        _played(CardState.FAILED, is_met=False),
        title=HOSTILE,
        reason=HOSTILE,
        expectations=(ExpectationLine(HOSTILE, is_met=False, wanted=HOSTILE, found=HOSTILE),),
        evidence=(EvidenceLine(HOSTILE, HOSTILE, (HOSTILE * 500,)),),
        outage=OutageView(HOSTILE, 1.0, (Curve(HOSTILE, ()),), (), (Mark(0.5, HOSTILE),), HOSTILE, is_met=False),
    )
    page = _client(MemoryTour((card,), verdict=HOSTILE)).get("/tour?evidence=1").text
    assert "<script>alert" not in page
    assert "style=" not in page, "the policy of the console would refuse it"
