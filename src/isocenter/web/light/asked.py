"""A request of the light viewer on its way: who asks, for what, with a trail in the audit log.

    who is it? ──▶ record ──▶ answer, on a thread ──▶ record

A page leads whoever is not known to the sign-in and back; what a page loads is answered with a status alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from isocenter.archive.archive import Archive
from isocenter.dicomweb.server.metadata import gzip
from isocenter.dicomweb.server.public_path import public_prefix
from isocenter.dicomweb.server.service import Service
from isocenter.dicomweb.server.trail import Trail, open_trail
from isocenter.domain.errors import Forbidden, IsocenterError, Unauthenticated
from isocenter.domain.principal import Principal
from isocenter.domain.statuses import statuses_of
from isocenter.web.console_page import CONSOLE_POLICY, Templates
from isocenter.web.light.place import Place, parse_place
from isocenter.web.to_sign_in import to_sign_in
from isocenter.web.viewer_assets import accepts_gzip

LIGHT_POLICY = f"{CONSOLE_POLICY}; media-src 'self'; frame-src 'self'"
"""That of the console, and films and documents of this node."""
Admit = Callable[[Mapping[str, str]], Principal]


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, as what answers it sees it."""

    request: Request
    archive: Archive
    principal: Principal
    place: Place
    prefix: str
    """Of a proxy; goes before every address."""


@dataclass(frozen=True, slots=True)
class Light:
    """What the light viewer of a node works with."""

    service: Service
    templates: Templates
    admit_page: Admit
    login_path: str | None = None
    """Where a person signs in; None where nobody does."""
    dicomweb_path: str = "/dicom-web"
    viewer_path: str = "/viewer"

    def page(self, name: str, values: Mapping[str, object], *, status_code: int = 200) -> Response:
        """Return a rendered page under the policy of the light viewer."""
        response = self.templates.page(name, values, status_code=status_code)
        response.headers["Content-Security-Policy"] = LIGHT_POLICY
        return response

    def page_route(self, path: str, show: Callable[[Asked], Response]) -> Route:
        """Return the route of a page."""
        way = _Way(self.service, self.admit_page, "retrieve-metadata")

        async def endpoint(request: Request) -> Response:
            try:
                return _compressed(request, await _answer(request, show, way))
            except Unauthenticated as error:
                if self.login_path is None:
                    return self._error_page(request, error)
                return to_sign_in(request, self.login_path)
            except IsocenterError as error:
                if isinstance(error, Forbidden) and await run_in_threadpool(self._came_by_link, request):
                    return to_sign_in(request, self.login_path or "")
                return self._error_page(request, error)

        return Route(path, endpoint)

    def _came_by_link(self, request: Request) -> bool:
        """Tell whether somebody with a link to one study asks for something else: whoever has an account signs in."""
        return self.login_path is not None and self.admit_page(request.headers).shared_study is not None

    def part_route(
        self, path: str, give: Callable[[Asked], Response], *, operation: str, decodes: bool = False
    ) -> Route:
        """Return the route of what a page loads; what decodes pixels runs on threads of its own."""
        service = self.service
        if decodes and service.picture_executor is not None:
            service = replace(service, executor=service.picture_executor)
        way = _Way(service, service.authenticate, operation)

        async def endpoint(request: Request) -> Response:
            try:
                return await _answer(request, give, way)
            except IsocenterError as error:
                status = statuses_of(error).http_status
                return PlainTextResponse(error.message, status, headers={"Cache-Control": "no-store"})

        return Route(path, endpoint)

    def _error_page(self, request: Request, error: IsocenterError) -> Response:
        status = statuses_of(error).http_status
        values = {"prefix": public_prefix(request), "status": status, "message": error.message}
        return self.page("light_error.html", values, status_code=status)


@dataclass(frozen=True, slots=True)
class _Way:
    """How requests of one route are admitted, run and named in the audit log."""

    service: Service
    admit: Admit
    operation: str


def _compressed(request: Request, page: Response) -> Response:
    """Return a page as few bytes as the browser takes: on a slow link it goes before the picture."""
    if accepts_gzip(request.headers.get("accept-encoding", "")):
        page.body = gzip(bytes(page.body))
        page.headers["Content-Length"] = str(len(page.body))
        page.headers["Content-Encoding"] = "gzip"
    page.headers["Vary"] = "Accept-Encoding"
    return page


async def _answer(request: Request, answer: Callable[[Asked], Response], way: _Way) -> Response:
    place = parse_place(request.path_params, request.query_params)
    trail = None
    if way.service.audit is not None:
        trail = open_trail(way.service.audit, request, operation=way.operation, resource=place.resource, properties={})
    try:
        principal = _admitted(request, way, trail).within(place.partition_name)
        principal.require_reading(place.study_instance_uid, place.partition_name)
        asked = Asked(request, way.service.archive, principal, place, public_prefix(request))
        response = await way.service.run(answer, asked)
    except IsocenterError as error:
        if trail is not None:
            trail.end(statuses_of(error).http_status)
        raise
    if trail is not None:
        trail.end(response.status_code)
    return response


def _admitted(request: Request, way: _Way, trail: Trail | None) -> Principal:
    """Return who asks, recorded whether that is known or not; raises Unauthenticated."""
    caller: Principal | None = None
    try:
        caller = way.admit(request.headers)
    finally:
        if trail is not None:
            trail.begin(caller)
    return caller
