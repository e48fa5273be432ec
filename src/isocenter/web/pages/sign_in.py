"""Where people sign in and out: to the console, and for applications that ask in their name.

A session is a cookie that no script can read and no other site can use. Forms are taken from pages of our own only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from isocenter.dicomweb.server.public_path import public_prefix
from isocenter.domain.errors import Forbidden, IsocenterError, Overloaded, Unauthenticated
from isocenter.domain.statuses import statuses_of
from isocenter.identity.attempts import TooManyAttempts
from isocenter.identity.gate import PLAIN_COOKIE, SECURE_COOKIE, cookie_name, is_same_origin, session_cookie
from isocenter.identity.password import find_person, sign_in_attempts
from isocenter.identity.provider.provider import Provider
from isocenter.identity.relying_party import RelyingParty
from isocenter.identity.sessions import Sessions
from isocenter.web.console_page import Templates
from isocenter.web.form_body import local_path, read_pairs
from isocenter.web.provider_routes import address_of, requested_base

_log = structlog.get_logger()

LOGIN_PATH = "/login"
CALLBACK_PATH = "/login/callback"
NO_STORE = {"Cache-Control": "no-store"}
WRONG = "That name and password do not belong together."
STATE_COOKIE = "isocenter-sign-in"


@dataclass(frozen=True, slots=True)
class Asked:
    """What is known before a person signs in."""

    next_path: str
    name: str = ""
    tenant_id: str = ""
    application: str = ""
    """The program that wants it; empty for the console."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """What the pages work with: an embedded provider, or the console's place at an external issuer, or neither."""

    sessions: Sessions
    forget_cookie: Callable[[str], None]
    provider: Provider | None
    relying_party: RelyingParty | None
    templates: Templates

    def page(self, request: Request, asked: Asked, *, problem: str = "", status_code: int = 200) -> Response:
        """Return the page where a person signs in and then goes on to a path of ours."""
        values = {
            "prefix": public_prefix(request),
            "next": asked.next_path,
            "problem": problem,
            "name": asked.name,
            "tenant": asked.tenant_id,
            "application": asked.application,
            "is_local": self.provider is not None,
            "has_nobody": self.provider is not None and not self.provider.store.users(),
            "external": "" if self.relying_party is None else _host_of(self.relying_party),
        }
        return self.templates.page("sign_in.html", values, status_code=status_code)

    def begin_session(self, request: Request, cookie: str, next_path: str) -> Response:
        """Return the answer that gives the browser its cookie and lets it go on.

        On the way to an application by a page: were it a redirect, the policy of the page with the form, which leads
        to ourselves alone, would hold for the application's address too.
        """
        response: Response = RedirectResponse(next_path, 303, headers=NO_STORE)
        if "/oauth2/" in next_path:
            values = {"prefix": public_prefix(request), "target": next_path}
            response = self.templates.page("signed_in.html", values)
        is_secure = request.url.scheme == "https"
        name = cookie_name(SECURE_COOKIE if is_secure else PLAIN_COOKIE, request.headers)
        response.set_cookie(name, cookie, secure=is_secure, httponly=True, samesite="lax")
        return response

    def end_session(self, request: Request) -> Response:
        """End the session of a browser, on our side and on its own."""
        cookie = session_cookie(request.headers)
        if cookie is not None:
            self.sessions.close(cookie)
            self.forget_cookie(cookie)
        response = RedirectResponse(public_prefix(request) + LOGIN_PATH, 303, headers=NO_STORE)
        for kind, is_secure in ((SECURE_COOKIE, True), (PLAIN_COOKIE, False)):
            response.delete_cookie(cookie_name(kind, request.headers), secure=is_secure, httponly=True, samesite="lax")
        return response


def sign_in_routes(sign_in: SignIn, executor: Executor) -> list[BaseRoute]:
    """Return the routes of signing in and out, to be mounted at the root of the node."""

    async def run(function: Callable[[], Response]) -> Response:
        return await asyncio.get_running_loop().run_in_executor(executor, function)

    def show(request: Request) -> Response:
        next_path = local_path(request.query_params.get("next", ""), otherwise=public_prefix(request) + "/")
        cookie = session_cookie(request.headers)
        if cookie is not None and sign_in.sessions.find(cookie) is not None:
            return RedirectResponse(next_path, 303, headers=NO_STORE)
        return sign_in.page(request, Asked(next_path))

    async def take(request: Request) -> Response:
        if not is_same_origin(request.headers):
            return _refused(sign_in, request, Forbidden("Sign in on the page of this node."))
        try:
            form = dict(await read_pairs(request))
        except IsocenterError as error:
            return _refused(sign_in, request, error)
        return await run(lambda: _check_password(sign_in, request, form))

    async def leave(request: Request) -> Response:
        if not is_same_origin(request.headers):
            return _refused(sign_in, request, Forbidden("Sign out on a page of this node."))
        return await run(lambda: sign_in.end_session(request))

    def begin_external(request: Request) -> Response:
        next_path = local_path(request.query_params.get("next", ""), otherwise=public_prefix(request) + "/")
        try:
            return _to_issuer(sign_in, request, next_path)
        except IsocenterError as error:
            return _refused(sign_in, request, error)

    async def finish_external(request: Request) -> Response:
        try:
            return await run(lambda: _from_issuer(sign_in, request))
        except IsocenterError as error:
            return _refused(sign_in, request, error)

    return [
        Route(LOGIN_PATH, show, name="sign-in"),
        Route(LOGIN_PATH, take, methods=["POST"]),
        Route("/logout", leave, methods=["POST"], name="sign-out"),
        Route("/login/external", begin_external),
        Route(CALLBACK_PATH, finish_external),
    ]


def _check_password(sign_in: SignIn, request: Request, form: Mapping[str, str]) -> Response:
    provider = sign_in.provider
    if provider is None:
        return _refused(sign_in, request, Forbidden("People sign in at the identity provider of this node."))
    name, next_path = form.get("name", ""), local_path(form.get("next", ""), otherwise=public_prefix(request) + "/")
    asked = Asked(next_path, name, form.get("tenant", ""), form.get("application", ""))
    address = address_of(request)
    counted = sign_in_attempts(name, address)
    try:
        provider.failures.check(counted)
        password = form.get("password", "")
        user = find_person(provider.store, provider.hasher, name, password, tenant_id=asked.tenant_id)
    except TooManyAttempts as error:
        response = sign_in.page(request, asked, problem=error.message, status_code=429)
        response.headers["Retry-After"] = str(error.retry_after_s)
        return response
    except Overloaded as error:
        return sign_in.page(request, asked, problem=error.message, status_code=503)
    if user is None:
        provider.failures.note_failure(counted)
        _log.warning("identity.sign_in_refused", address=address)
        return sign_in.page(request, asked, problem=WRONG, status_code=401)
    _log.info("identity.signed_in", object_id=user.object_id, address=address)
    _end_other_session(sign_in, request)
    return sign_in.begin_session(request, sign_in.sessions.open(user.object_id), next_path)


def _end_other_session(sign_in: SignIn, request: Request) -> None:
    """End the session that the browser has already: each sign-in gets a cookie of its own."""
    cookie = session_cookie(request.headers)
    if cookie is not None:
        sign_in.sessions.close(cookie)
        sign_in.forget_cookie(cookie)


def _to_issuer(sign_in: SignIn, request: Request, next_path: str) -> Response:
    if sign_in.relying_party is None:
        raise Forbidden("This node knows no external identity provider.")
    redirect_uri = requested_base(request) + CALLBACK_PATH
    address, state = sign_in.relying_party.begin(redirect_uri=redirect_uri, next_path=next_path)
    response = RedirectResponse(address, 303, headers=NO_STORE)
    is_secure = request.url.scheme == "https"
    response.set_cookie(
        cookie_name(STATE_COOKIE, request.headers), state, max_age=600, secure=is_secure, httponly=True, samesite="lax"
    )
    return response


def _from_issuer(sign_in: SignIn, request: Request) -> Response:
    query = request.query_params
    if sign_in.relying_party is None:
        raise Forbidden("This node knows no external identity provider.")
    if query.get("error"):
        raise Unauthenticated("The identity provider did not let you in.")
    state = query.get("state", "")
    if not state or state != request.cookies.get(cookie_name(STATE_COOKIE, request.headers)):
        raise Unauthenticated("The sign-in began in another browser; begin again.")
    signed_in = sign_in.relying_party.finish(state=state, code=query.get("code", ""))
    _end_other_session(sign_in, request)
    cookie = sign_in.sessions.open(signed_in.object_id, signed_in.details)
    _log.info("identity.signed_in", object_id=signed_in.object_id, address=address_of(request))
    response = sign_in.begin_session(request, cookie, local_path(signed_in.next_path, otherwise="/"))
    response.delete_cookie(cookie_name(STATE_COOKIE, request.headers))
    return response


def _refused(sign_in: SignIn, request: Request, error: IsocenterError) -> Response:
    status = statuses_of(error).http_status
    values = {"prefix": public_prefix(request), "status": status, "message": error.message}
    return sign_in.templates.page("error.html", values, status_code=status)


def _host_of(relying_party: RelyingParty) -> str:
    return relying_party.issuer.discovery_url.split("/")[2]
