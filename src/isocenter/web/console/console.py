"""The console as its pages see it: each page is a plain GET, each action a POST form that works without script.

    GET  ──▶ who is it? ──▶ may they? ──▶ show(visit) ──▶ page
    POST ──▶ from a page of ours? ──▶ who is it? ──▶ may they? ──▶ act(visit, form) ──▶ 303 to a page that tells

Whoever is not known is led to the sign-in and back; errors of the one tree become a page with their status. `show` and
`act` may wait for the disk: they run in threads, unless they are coroutines, which run on the event loop.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlencode

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from isocenter.dicomweb.server.public_path import public_prefix
from isocenter.domain.errors import Broken, Forbidden, IsocenterError, Unauthenticated
from isocenter.domain.identifiers import DEFAULT_PARTITION
from isocenter.domain.principal import DataAction, Principal
from isocenter.domain.statuses import statuses_of
from isocenter.identity.gate import is_same_origin
from isocenter.web.console.notices import Notice, Notices
from isocenter.web.console.section import Section, offered_to
from isocenter.web.console_page import Templates
from isocenter.web.file_form import SentFile
from isocenter.web.form_body import read_pairs
from isocenter.web.to_sign_in import to_sign_in

_log = structlog.get_logger()

TOLD = "told"
"""The parameter of an address that names a notice."""


@dataclass(frozen=True, slots=True)
class Form:
    """The fields that a person sent."""

    pairs: tuple[tuple[str, str], ...]
    files: tuple[SentFile, ...] = ()
    """What came with it, where the form takes files; closed when the action has ended."""

    def one(self, name: str) -> str:
        """Return the first value of a field without blanks around it, empty where it is not there."""
        return next((value.strip() for key, value in self.pairs if key == name), "")

    def all(self, name: str) -> list[str]:
        """Return all values of a field."""
        return [value for key, value in self.pairs if key == name]


@dataclass(frozen=True, slots=True)
class Done:
    """Where a page goes on after an action, and what it tells there."""

    path: str
    """Of this node, without the prefix of a proxy; a query may follow."""
    text: str = ""
    is_failure: bool = False


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of a person."""

    request: Request
    principal: Principal
    everywhere: Principal
    """The same person with what is granted for the whole node, not for the partition that the page shows."""
    prefix: str
    """What a proxy puts before all paths of this node."""

    def parameter(self, name: str, otherwise: str = "") -> str:
        """Return a parameter of the query."""
        return self.request.query_params.get(name, otherwise)

    def part(self, name: str) -> str:
        """Return a part of the path."""
        return str(self.request.path_params[name])

    @property
    def is_fragment_wanted(self) -> bool:
        """Tell whether htmx asks, which takes what it needs of the page."""
        return "hx-request" in self.request.headers


Show = Callable[[Visit], Response | Awaitable[Response]]
Act = Callable[[Visit, Form], Done | Response | Awaitable[Done | Response]]
ReadForm = Callable[[Request], Awaitable[Form]]


async def read_form(request: Request) -> Form:
    """Return the fields of a usual form."""
    return Form(tuple(await read_pairs(request)))


class Console:
    """Pages in one frame, for the people that a node knows."""

    def __init__(
        self,
        *,
        authenticate: Callable[[Mapping[str, str]], Principal],
        login_path: str | None,
        sections: tuple[Section, ...],
        node_name: str = "",
    ) -> None:
        """`authenticate` learns from request headers (names in lower case) who visits, or raises Unauthenticated.

        `login_path` is where people sign in, None where nobody has to; `node_name` tells the consoles of a network
        apart.
        """
        self.templates = Templates()
        self._partition_name = ""
        self._authenticate = authenticate
        self._login_path = login_path
        self._sections = sections
        self._node_name = node_name
        self._notices = Notices()

    def within(self, partition_name: str) -> Console:
        """Return the same console for pages that show one partition: grants in it count there, and nowhere else."""
        narrowed = copy.copy(self)
        narrowed._partition_name = partition_name
        return narrowed

    def page(
        self, visit: Visit, template: str, values: Mapping[str, object], *, section: str, status_code: int = 200
    ) -> Response:
        """Return a page in the frame; `section` is the key of where it belongs."""
        return self.templates.page(template, {**self._frame(visit, section), **values}, status_code=status_code)

    def get(self, path: str, show: Show, *, name: str, action: DataAction = DataAction.READ) -> BaseRoute:
        """Return the route of a page."""

        async def answer(request: Request) -> Response:
            try:
                visit = await run_in_threadpool(self._admit, request, action)
                return await _run(show, visit)
            except Unauthenticated as error:
                return self._unknown(request, error)
            except IsocenterError as error:
                return self._failed(request, error)
            except Exception:  # the outermost loop of the edge: the next request is served
                return self._broken(request)

        return Route(path, answer, methods=["GET"], name=name)

    def post(self, path: str, act: Act, *, name: str, action: DataAction, read: ReadForm = read_form) -> BaseRoute:
        """Return the route of an action; `read` is for forms that are larger than usual, or hold files."""

        async def answer(request: Request) -> Response:
            try:
                if not is_same_origin(request.headers):
                    raise Forbidden("This form must be sent from a page of this node.")
                visit = await run_in_threadpool(self._admit, request, action)
                form = await read(request)
                with ExitStack() as stack:
                    for sent in form.files:
                        stack.callback(sent.file.close)
                    done = await _run_form(act, visit, form)
            except Unauthenticated as error:
                return self._unknown(request, error)
            except IsocenterError as error:
                return self._failed(request, error)
            except ClientDisconnect:
                return Response(status_code=400)
            except Exception:  # the outermost loop of the edge: the next request is served
                return self._broken(request)
            return self.go_on(visit, done) if isinstance(done, Done) else done

        return Route(path, answer, methods=["POST"], name=name)

    def go_on(self, visit: Visit, done: Done) -> Response:
        """Return the redirect to the page that tells what was done."""
        target = visit.prefix + done.path
        if done.text:
            told = urlencode({TOLD: self._notices.keep(Notice(done.text, done.is_failure))})
            target += ("&" if "?" in target else "?") + told
        return RedirectResponse(target, 303, headers={"Cache-Control": "no-store"})

    def _admit(self, request: Request, action: DataAction) -> Visit:
        everywhere = self._authenticate(request.headers)
        if everywhere.shared_study is not None:
            raise Unauthenticated("A link to one study shows that study; for everything else people sign in.")
        principal = everywhere.within(self._partition_name) if self._partition_name else everywhere
        principal.require(action)
        return Visit(request, principal, everywhere, public_prefix(request))

    def _frame(self, visit: Visit, section: str) -> dict[str, object]:
        return {
            "prefix": visit.prefix,
            "user": visit.principal.name if self._login_path is not None else "",
            "node_name": self._node_name,
            "sections": offered_to(visit.everywhere, self._sections, partition_name=DEFAULT_PARTITION),
            "section": section,
            "notice": self._notices.find(visit.parameter(TOLD)),
            "may": {str(action): action in visit.principal.data_actions for action in DataAction},
        }

    def _unknown(self, request: Request, error: Unauthenticated) -> Response:
        if self._login_path is None:
            return self._failed(request, error)
        if "hx-request" in request.headers:
            # A part of a page cannot show the sign-in; the browser goes there with the whole page.
            return Response(status_code=401, headers={"HX-Refresh": "true", "Cache-Control": "no-store"})
        if request.method == "GET":
            return to_sign_in(request, self._login_path)
        return RedirectResponse(public_prefix(request) + self._login_path, 303, headers={"Cache-Control": "no-store"})

    def _broken(self, request: Request) -> Response:
        _log.exception("console.broken", path=request.url.path)
        return self._failed(request, Broken())

    def _failed(self, request: Request, error: IsocenterError) -> Response:
        status = statuses_of(error).http_status
        if status >= 500:
            _log.warning("console.failed", path=request.url.path, status=status, reason=error.message)
        values = {"prefix": public_prefix(request), "status": status, "message": error.message}
        return self.templates.page("error.html", values, status_code=status)


async def _run(show: Show, visit: Visit) -> Response:
    if inspect.iscoroutinefunction(show):
        return cast("Response", await show(visit))
    return cast("Response", await run_in_threadpool(show, visit))  # a plain function gives no awaitable


async def _run_form(act: Act, visit: Visit, form: Form) -> Done | Response:
    if inspect.iscoroutinefunction(act):
        return cast("Done | Response", await act(visit, form))
    return cast("Done | Response", await run_in_threadpool(act, visit, form))  # a plain function gives no awaitable
