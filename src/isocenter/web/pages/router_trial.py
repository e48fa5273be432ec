"""Try the rules on a file: which match and why, where it would go, what transforms would change. Nothing is kept."""

from __future__ import annotations

from contextlib import ExitStack

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from isocenter.domain.errors import InvalidRequest, Overloaded
from isocenter.domain.principal import DataAction
from isocenter.domain.statuses import statuses_of
from isocenter.routing.configuration.problem import InvalidConfiguration
from isocenter.routing.sending.status import describe_size
from isocenter.web.console.console import Form, Visit
from isocenter.web.file_form import read_file_form
from isocenter.web.pages.router_configuration_text import current_configuration
from isocenter.web.pages.router_frame import TRY, RouterFrame
from isocenter.web.pages.router_needs import TriedFile

TAB = "try"
FILE_SIZE_MAX_BYTES = 512 * 1024**2
"""Larger than nearly every instance; it lies on the disk for as long as it is looked at."""
TRIALS_MAX = 2
"""At a time, from the first byte of a file on: this bounds what lies on the disk, and each takes a core a while."""
FIELDS = ("channel", "calling", "called", "address", "text")


def trial_pages(frame: RouterFrame) -> list[BaseRoute]:
    """Return the routes of the trial."""
    console, needs = frame.console, frame.needs

    def ask(visit: Visit) -> Response:
        return page(visit, dict.fromkeys(FIELDS, ""))

    running = 0

    async def try_file(visit: Visit, _form: Form) -> Response:
        nonlocal running
        if running >= TRIALS_MAX:
            raise Overloaded("Other files are being tried; try again in a moment.")
        running += 1
        try:
            form = Form(*await read_file_form(visit.request, size_max_bytes=FILE_SIZE_MAX_BYTES))
            with ExitStack() as stack:
                for sent in form.files:
                    stack.callback(sent.file.close)
                return await run_in_threadpool(try_form, visit, form)
        except ClientDisconnect as error:
            raise InvalidRequest("The file broke off on its way.") from error
        finally:
            running -= 1

    def try_form(visit: Visit, form: Form) -> Response:
        fields = {name: form.one(name) for name in FIELDS}
        sent = next((one for one in form.files if one.size_bytes), None)
        try:
            if sent is None:
                raise InvalidRequest("Choose a DICOM file first.")
            file = TriedFile(sent.path, fields["calling"], fields["called"], fields["address"])
            tried = needs.trial.run(file, text=fields["text"] or None, channel=fields["channel"])
        except (InvalidRequest, InvalidConfiguration) as error:
            return page(visit, fields, problem=error.message, status_code=statuses_of(error).http_status)
        return page(visit, fields, tried=tried, file=(sent.name, describe_size(sent.size_bytes)))

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

    return [
        console.get(TRY, ask, name="router-try"),
        console.post(TRY, try_file, name="router-tried", action=DataAction.READ, read=_read_later),
    ]


async def _read_later(request: Request) -> Form:
    """Leave the body to the action, which reads it when it is its turn."""
    return Form(())
