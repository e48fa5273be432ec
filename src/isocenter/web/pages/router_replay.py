"""Replay: where what came in the last days would go, by the configuration that holds or by one that somebody edits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from isocenter.domain.errors import InvalidRequest
from isocenter.domain.principal import DataAction
from isocenter.web.api.router_configuration import REPLAY_DAYS_MAX
from isocenter.web.console.console import Done, Form, Visit
from isocenter.web.console.moment import format_moment
from isocenter.web.form_body import read_pairs
from isocenter.web.pages.router_configuration import FORM_SIZE_MAX_BYTES
from isocenter.web.pages.router_configuration_text import parsed
from isocenter.web.pages.router_frame import REPLAY, RouterFrame
from isocenter.web.pages.router_jobs import Note

TAB = "replay"
KIND = "replay"
DAYS_OFFERED = (1, 7, 30, 92)


def replay_pages(frame: RouterFrame) -> list[BaseRoute]:
    """Return the routes of replays."""
    console, needs = frame.console, frame.needs
    desk = needs.desk

    def ask(visit: Visit) -> Response:
        number, text = desk.text(None, as_written=True)
        values = {"number": number, "text": text, "days_offered": DAYS_OFFERED}
        return frame.page(visit, "router_replay.html", values, tab=TAB)

    def start(visit: Visit, form: Form) -> Done:
        days = _days(form.one("days"))
        text = next((value for name, value in form.pairs if name == "text"), "").replace("\r\n", "\n")
        is_current = not text.strip() or text.strip() == desk.text(None, as_written=True)[1].strip()
        if not is_current:
            parsed(text)  # what is wrong with it is told now, by the page of the error
        title = f"The last {days:g} day{'' if days == 1 else 's'} by " + (
            "the configuration that holds" if is_current else "the edited configuration"
        )

        def work(note: Note) -> object:
            return desk.replay(days, None if is_current else text, is_given_up=needs.jobs.is_ending)

        name = needs.jobs.start(KIND, title, work, by=visit.principal.name)
        return Done(f"{REPLAY}/{name}")

    def show(visit: Visit) -> Response:
        job = needs.jobs.find(visit.part("job"))
        result = cast("Mapping[str, object] | None", job.result)  # what this kind of job comes to
        channels = [] if result is None else result["channels"]
        values = {"job": job, "began_at": format_moment(job.began_at), "channels": channels}
        return frame.page(visit, "router_replayed.html", values, tab=TAB)

    return [
        console.get(REPLAY, ask, name="router-replay"),
        console.post(REPLAY, start, name="router-replay-start", action=DataAction.READ, read=_read_text_form),
        console.get(f"{REPLAY}/{{job}}", show, name="router-replayed"),
    ]


async def _read_text_form(request: Request) -> Form:
    return Form(tuple(await read_pairs(request, size_max_bytes=FORM_SIZE_MAX_BYTES)))


def _days(text: str) -> float:
    try:
        days = float(text)
    except ValueError as error:
        raise InvalidRequest("Days are a number.") from error
    if not 0 < days <= REPLAY_DAYS_MAX:
        raise InvalidRequest(f"Days are a number up to {REPLAY_DAYS_MAX:.0f}.")
    return days
