"""Try the rules on a file: which match and why, where it would go, what transforms would change. Nothing is kept."""

from __future__ import annotations

from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from isocenter.domain.errors import InvalidRequest
from isocenter.domain.principal import DataAction
from isocenter.domain.statuses import statuses_of
from isocenter.routing.configuration.problem import InvalidConfiguration
from isocenter.web.console.console import Form, Visit
from isocenter.web.file_form import read_file_form
from isocenter.web.pages.router_configuration_text import current_configuration
from isocenter.web.pages.router_frame import TRY, RouterFrame
from isocenter.web.pages.router_needs import TriedFile
from isocenter.web.pages.router_words import size_words

TAB = "try"
FILE_SIZE_MAX_BYTES = 512 * 1024**2
"""Larger than nearly every instance; it lies on the disk for as long as it is looked at."""
FIELDS = ("channel", "calling", "called", "address", "text")


def trial_pages(frame: RouterFrame) -> list[BaseRoute]:
    """Return the routes of the trial."""
    console, needs = frame.console, frame.needs

    def ask(visit: Visit) -> Response:
        return page(visit, dict.fromkeys(FIELDS, ""))

    def try_file(visit: Visit, form: Form) -> Response:
        fields = {name: form.one(name) for name in FIELDS}
        sent = next((one for one in form.files if one.size_bytes), None)
        try:
            if sent is None:
                raise InvalidRequest("Choose a DICOM file first.")
            file = TriedFile(sent.path, fields["calling"], fields["called"], fields["address"])
            tried = needs.trial.run(file, text=fields["text"] or None, channel=fields["channel"])
        except (InvalidRequest, InvalidConfiguration) as error:
            return page(visit, fields, problem=error.message, status_code=statuses_of(error).http_status)
        return page(visit, fields, tried=tried, file=(sent.name, size_words(sent.size_bytes)))

    def page(
        visit: Visit,
        fields: dict[str, str],
        *,
        tried: object = (),
        file: tuple[str, str] | None = None,
        problem: str = "",
        status_code: int = 200,
    ) -> Response:
        channels = [one.name for one in current_configuration(needs.desk).channels]
        values = {"fields": fields, "tried": tried, "file": file, "problem": problem, "channels": channels}
        return frame.page(visit, "router_try.html", values, tab=TAB, status_code=status_code)

    read = partial(_read, size_max_bytes=FILE_SIZE_MAX_BYTES)
    return [
        console.get(TRY, ask, name="router-try"),
        console.post(TRY, try_file, name="router-tried", action=DataAction.READ, read=read),
    ]


async def _read(request: Request, *, size_max_bytes: int) -> Form:
    return Form(*await read_file_form(request, size_max_bytes=size_max_bytes))
