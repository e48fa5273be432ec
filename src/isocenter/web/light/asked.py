"""A request of the light viewer on its way: who asks, for what, with a trail in the audit log.

    who is it? ──▶ record ──▶ answer, on a thread ──▶ record

A page leads whoever is not known to the sign-in and back; what a page loads is answered with a status alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from isocenter.archive.archive import Archive
from isocenter.dicomweb.server.public_path import public_prefix
from isocenter.dicomweb.server.service import Service
from isocenter.dicomweb.server.trail import open_trail
from isocenter.domain.errors import IsocenterError, Unauthenticated
from isocenter.domain.principal import DataAction, Principal
from isocenter.domain.statuses import statuses_of
from isocenter.web.console_page import CONSOLE_POLICY, Templates
from isocenter.web.light.place import Place, parse_place
from isocenter.web.to_sign_in import to_sign_in

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

        async def endpoint(request: Request) -> Response:
            try:
                return await self._answer(request, show, self.admit_page, "retrieve-metadata")
            except Unauthenticated as error:
                if self.login_path is None:
                    return self._error_page(request, error)
                return to_sign_in(request, self.login_path)
            except IsocenterError as error:
                return self._error_page(request, error)

        return Route(path, endpoint)

    def part_route(
        self, path: str, give: Callable[[Asked], Response], *, operation: str, decodes: bool = False
    ) -> Route:
        """Return the route of what a page loads; what decodes pixels runs on threads of its own."""
        service = self.service
        executor = service.picture_executor if decodes else None

        async def endpoint(request: Request) -> Response:
            try:
                return await self._answer(request, give, service.authenticate, operation, decodes=executor is not None)
            except IsocenterError as error:
                return PlainTextResponse(
                    error.message, statuses_of(error).http_status, headers={"Cache-Control": "no-store"}
                )

        return Route(path, endpoint)

    async def _answer(
        self,
        request: Request,
        answer: Callable[[Asked], Response],
        admit: Admit,
        operation: str,
        *,
        decodes: bool = False,
    ) -> Response:
        place = parse_place(request.path_params, request.query_params)
        trail = None
        if self.service.audit is not None:
            trail = open_trail(
                self.service.audit, request, operation=operation, resource=place.resource, properties={}
            )
        status = 500
        caller: Principal | None = None
        try:
            try:
                caller = admit(request.headers)
            finally:
                if trail is not None:
                    trail.begin(caller)
            principal = caller.within(place.partition_name)
            principal.require(DataAction.READ)
            asked = Asked(request, self.service.archive, principal, place, public_prefix(request))
            response = await self._run(answer, asked, decodes=decodes)
            status = response.status_code
            return response
        except IsocenterError as error:
            status = statuses_of(error).http_status
            raise
        finally:
            if trail is not None:
                trail.end(status)

    async def _run(self, answer: Callable[[Asked], Response], asked: Asked, *, decodes: bool) -> Response:
        service = self.service.for_pictures() if decodes else self.service
        return await service.run(answer, asked)

    def _error_page(self, request: Request, error: IsocenterError) -> Response:
        status = statuses_of(error).http_status
        values = {"prefix": public_prefix(request), "status": status, "message": error.message}
        return self.page("light_error.html", values, status_code=status)
