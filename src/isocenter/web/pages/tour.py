"""The guided tour of the hospital: nine cards with a button each, what came of them, and where to look.

What is opened of a card is in the address, so that a page that is shown anew while a step is played shows the same.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from starlette.responses import Response
from starlette.routing import BaseRoute

from isocenter.domain.errors import Conflict, NotFound
from isocenter.domain.principal import DataAction
from isocenter.web.console.console import Console, Done, Form, Visit
from isocenter.web.console.section import Section
from isocenter.web.pages.tour_drawing import Drawing, OutageView, draw

TOUR_PATH = "/tour"
TOUR_TOPIC = "tour"
TOUR = Section("tour", "Tour", TOUR_PATH, "play")
NUMBER_LENGTH_MAX = 3
"""Digits of the number of a step."""


class CardState(StrEnum):
    """How a step stands, in the words of its card."""

    NOT_PLAYED = "not played"
    PLAYING = "playing"
    HELD = "held"
    FAILED = "failed"
    LEFT_OUT = "left out"


_TONES = {
    CardState.NOT_PLAYED: "",
    CardState.PLAYING: "busy",
    CardState.HELD: "good",
    CardState.FAILED: "bad",
    CardState.LEFT_OUT: "warn",
}


@dataclass(frozen=True, slots=True)
class ExpectationLine:
    """One thing that must be so."""

    text: str
    is_met: bool
    wanted: str
    found: str


@dataclass(frozen=True, slots=True)
class EvidenceLine:
    """Something that was seen."""

    name: str
    text: str
    details: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LookLink:
    """Where to look."""

    label: str
    """The part."""
    url: str
    text: str


@dataclass(frozen=True, slots=True)
class StepCard:
    """One step."""

    number: int
    title: str
    text: tuple[str, ...]
    state: CardState
    took: str
    reason: str
    """Why it was left out."""
    expectations: tuple[ExpectationLine, ...]
    evidence: tuple[EvidenceLine, ...]
    looks: tuple[LookLink, ...]
    outage: OutageView | None
    waits_for: int | None
    """The step that must be played before."""

    @property
    def tone(self) -> str:
        """Return the colour of its state."""
        return _TONES[self.state]

    @property
    def drawing(self) -> Drawing | None:
        """Return the picture of its outage."""
        return None if self.outage is None else draw(self.outage)


@dataclass(frozen=True, slots=True)
class TourView:
    """The whole tour at one moment."""

    cards: tuple[StepCard, ...]
    playing: int | None
    """The step that is being played."""
    verdict: str
    """Of all steps, once all have been played."""
    is_met: bool

    @property
    def held(self) -> int:
        """Return how many steps held."""
        return sum(card.state is CardState.HELD for card in self.cards)

    @property
    def is_begun(self) -> bool:
        """Tell whether anything was played."""
        return any(card.state is not CardState.NOT_PLAYED for card in self.cards)


class Tour(Protocol):
    """Whoever plays the story. Methods may wait for the disk."""

    def view(self) -> TourView:
        """Return how everything stands."""
        ...

    def play(self, number: int) -> None:
        """Begin to play a step; raises Conflict where that cannot be now, NotFound."""
        ...

    def play_all(self) -> None:
        """Begin to play all steps; raises Conflict where that cannot be now."""
        ...

    def mark(self) -> Hashable:
        """Return what changes whenever there is something else to see."""
        ...


def tour_routes(console: Console, tour: Tour) -> list[BaseRoute]:
    """Return the routes of the tour."""

    def show(visit: Visit) -> Response:
        opened = _number(visit.parameter("evidence"))
        address = visit.prefix + TOUR_PATH + (f"?evidence={opened}" if opened else "")
        values = {"tour": tour.view(), "opened": opened, "tour_path": TOUR_PATH, "topic": TOUR_TOPIC, "here": address}
        return console.page(visit, "tour.html", values, section=TOUR.key)

    def play(visit: Visit, _form: Form) -> Done:
        number = _number(visit.part("number"))
        if number is None:
            raise NotFound("There is no such step.")
        try:
            tour.play(number)
        except Conflict as error:
            return Done(TOUR_PATH, error.message, is_failure=True)
        return Done(f"{TOUR_PATH}#step-{number}")

    def play_all(_visit: Visit, _form: Form) -> Done:
        try:
            tour.play_all()
        except Conflict as error:
            return Done(TOUR_PATH, error.message, is_failure=True)
        return Done(TOUR_PATH)

    return [
        console.get(TOUR_PATH, show, name="tour"),
        console.post(TOUR_PATH + "/play", play_all, name="tour-play-all", action=DataAction.READ),
        console.post(TOUR_PATH + "/steps/{number}/play", play, name="tour-play", action=DataAction.READ),
    ]


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= NUMBER_LENGTH_MAX else None
