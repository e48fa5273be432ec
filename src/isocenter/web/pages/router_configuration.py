"""The configuration of channels: its text with an editor, its versions, what would change before it does, and back.

Nothing is applied that was not shown: the editor leads to a page with the difference, warnings and missing secrets, and
that page applies it in the place of the version that it was compared with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from isocenter.domain.errors import Conflict, InvalidRequest, IsocenterError, Unavailable
from isocenter.domain.principal import DataAction
from isocenter.domain.statuses import statuses_of
from isocenter.routing.configuration.difference import Change, Difference, compare_configurations
from isocenter.routing.configuration.problem import InvalidConfiguration, Problem
from isocenter.routing.configuration.read import TEXT_LENGTH_MAX
from isocenter.web.api.router_asked import REASON_LENGTH_MAX
from isocenter.web.console.console import Done, Form, Visit
from isocenter.web.console.moment import format_moment
from isocenter.web.form_body import read_pairs
from isocenter.web.number_in_path import number_part
from isocenter.web.pages.router_configuration_text import parsed
from isocenter.web.pages.router_frame import CONFIGURATION, RouterFrame

TAB = "configuration"
FORM_SIZE_MAX_BYTES = 4 * TEXT_LENGTH_MAX
"""The encoding of a form writes one character as up to three, and some text comes beside."""
EXCERPT_LENGTH_MAX = 160
VERSION_MAX = 2**31
CHANGE_TONES: Mapping[Change, str] = {
    Change.ADDED: "good",
    Change.REMOVED: "bad",
    Change.CHANGED: "busy",
    Change.MOVED: "warn",
}


@dataclass(frozen=True, slots=True)
class ShownProblem:
    """What is wrong with a text at one place, with its line."""

    problem: Problem
    excerpt: str


def configuration_pages(frame: RouterFrame) -> list[BaseRoute]:
    """Return the routes of the configuration."""
    console, needs = frame.console, frame.needs
    desk = needs.desk

    def show(visit: Visit) -> Response:
        number, text = desk.text(None, as_written=True)
        return editor(visit, number, text)

    def editor(visit: Visit, number: int, text: str, *, error: InvalidConfiguration | None = None) -> Response:
        values = {
            "number": number,
            "text": text,
            "error": "" if error is None else error.message,
            "problems": [] if error is None else _shown(error.problems, text),
            "versions": [(one, format_moment(one.at)) for one in desk.versions()],
        }
        status = 200 if error is None else statuses_of(error).http_status
        return frame.page(visit, "router_configuration.html", values, tab=TAB, status_code=status)

    def preview(visit: Visit, form: Form) -> Response:
        number, _ = desk.text(None, as_written=True)
        return previewed(visit, _text_of(form), _version(form.one("version")) or number)

    def previewed(visit: Visit, text: str, number: int, *, failure: IsocenterError | None = None) -> Response:
        try:
            found = desk.preview(text)
        except InvalidConfiguration as error:
            return editor(visit, number, text, error=error)
        values = {
            "text": text,
            "number": number,
            "differences": _toned(found.differences),
            "warnings": _shown(found.warnings, text),
            "missing_secrets": found.missing_secrets,
            "failure": "" if failure is None else failure.message,
            "current": desk.text(None, as_written=True)[0],
        }
        status = 200 if failure is None else statuses_of(failure).http_status
        return frame.page(visit, "router_preview.html", values, tab=TAB, status_code=status)

    async def apply(visit: Visit, form: Form) -> Done | Response:
        text, reason = _text_of(form), form.one("reason")[:REASON_LENGTH_MAX]
        expected = _version(form.one("version"))
        try:
            with needs.audited(visit, "configuration", reason=reason):
                number = await desk.replace_configuration(
                    text, author=visit.principal.name, reason=reason, expected=expected
                )
        except (InvalidConfiguration, Conflict, Unavailable) as error:
            # What somebody wrote is shown again, and never lost by an error.
            again = partial(previewed, visit, text, expected or 0, failure=error)
            return await run_in_threadpool(again)
        return Done(CONFIGURATION, f"Version {number} holds now.")

    def version(visit: Visit) -> Response:
        number, text = desk.text(_required(visit.part("version")), as_written=True)
        current, current_text = desk.text(None, as_written=True)
        values = {
            "number": number,
            "text": text,
            "current": current,
            **_compared(current_text, text),
            "version": next((one for one in desk.versions() if one.number == number), None),
        }
        return frame.page(visit, "router_version.html", values, tab=TAB)

    async def roll_back(visit: Visit, form: Form) -> Done:
        number, reason = _required(visit.part("version")), form.one("reason")[:REASON_LENGTH_MAX]
        with needs.audited(visit, "configuration rollback", reason=reason):
            new = await desk.roll_back(number, author=visit.principal.name, reason=reason)
        return Done(CONFIGURATION, f"Version {number} holds again, as version {new}.")

    def difference(visit: Visit) -> Response:
        numbers = [_required(visit.parameter(name)) for name in ("before", "after")]
        (before, old), (after, new) = (desk.text(number, as_written=True) for number in numbers)
        values = {
            "before": before,
            "after": after,
            **_compared(old, new),
            "versions": [one.number for one in desk.versions()],
        }
        return frame.page(visit, "router_difference.html", values, tab=TAB)

    export = DataAction.EXPORT
    base = f"{CONFIGURATION}/versions/{number_part('version')}"
    return [
        console.get(CONFIGURATION, show, name="router-configuration"),
        console.post(
            f"{CONFIGURATION}/preview", preview, name="router-preview", action=DataAction.READ, read=_read_text_form
        ),
        console.post(f"{CONFIGURATION}/apply", apply, name="router-apply", action=export, read=_read_text_form),
        console.get(f"{CONFIGURATION}/difference", difference, name="router-difference"),
        console.get(base, version, name="router-version"),
        console.post(f"{base}/rollback", roll_back, name="router-rollback", action=export),
    ]


async def _read_text_form(request: Request) -> Form:
    return Form(tuple(await read_pairs(request, size_max_bytes=FORM_SIZE_MAX_BYTES)))


def _text_of(form: Form) -> str:
    """Return the text that was sent, with the ends of lines as files have them."""
    return next((value for name, value in form.pairs if name == "text"), "").replace("\r\n", "\n")


def _compared(before: str, after: str) -> dict[str, object]:
    """Return what is otherwise between two texts; of one that cannot be read any more, why."""
    try:
        return {"differences": _toned(compare_configurations(parsed(before), parsed(after))), "unread": ""}
    except InvalidConfiguration as error:
        return {"differences": [], "unread": error.message}


def _toned(differences: Sequence[Difference]) -> list[tuple[Difference, str]]:
    return [(one, CHANGE_TONES[one.change]) for one in differences]


def _shown(problems: Sequence[Problem], text: str) -> list[ShownProblem]:
    lines = text.splitlines()
    return [
        ShownProblem(one, lines[one.line - 1][:EXCERPT_LENGTH_MAX] if 0 < one.line <= len(lines) else "")
        for one in problems
    ]


def _version(text: str) -> int | None:
    return (
        int(text) if text.isascii() and text.isdecimal() and len(text) < 11 and 0 < int(text) <= VERSION_MAX else None
    )


def _required(text: str) -> int:
    number = _version(text)
    if number is None:
        raise InvalidRequest("Versions are numbered from 1.")
    return number
