"""The doctor's checks of a running node: what was found, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from starlette.responses import Response
from starlette.routing import BaseRoute

from isocenter.domain.principal import DataAction
from isocenter.web.console.console import Console, Done, Form, Visit
from isocenter.web.pages.system_frame import DOCTOR, system_page


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One check and how it ended."""

    name: str
    state: str
    """`ok`, `warn` or `fail`."""
    finding: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Examination:
    """The last examination, and whether one is under way."""

    rows: Sequence[CheckRow]
    ended_at: float | None
    """None before the first has ended."""
    took_s: float
    is_running: bool
    problem: str = ""
    """Why the last examination found nothing, in a sentence; empty where it came to its end."""


class Doctor(Protocol):
    """Who examines the node."""

    def last(self) -> Examination:
        """Return what was found last."""
        ...

    def begin(self) -> bool:
        """Begin to examine in the background; return False where that is under way."""
        ...


def doctor_routes(console: Console, doctor: Doctor) -> list[BaseRoute]:
    """Return the routes of the doctor's page; the first who looks has it examined."""

    def show(visit: Visit) -> Response:
        visit.principal.require_owner()
        if doctor.last().ended_at is None:
            doctor.begin()
        last = doctor.last()
        states = [row.state for row in last.rows]
        values = {"last": last, "failed": states.count("fail"), "warned": states.count("warn")}
        return system_page(console, visit, "system_doctor.html", values, tab="doctor")

    def run(visit: Visit, form: Form) -> Done:
        visit.principal.require_owner()
        return Done(DOCTOR, "" if doctor.begin() else "The doctor is examining already.")

    return [
        console.get(DOCTOR, show, name="system-doctor"),
        console.post(DOCTOR, run, name="system-doctor-run", action=DataAction.READ),
    ]
