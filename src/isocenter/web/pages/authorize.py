"""Where an application sends a person to sign in for it: the authorization endpoint of both versions.

Applications are registered by whoever runs the node, so that nobody is asked for consent once more.
"""

from __future__ import annotations

from functools import partial

from starlette.datastructures import URL
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from isocenter.dicomweb.server.public_path import public_prefix
from isocenter.domain.directory import Tenant, User
from isocenter.identity.access_token import TokenVersion
from isocenter.identity.gate import session_cookie
from isocenter.identity.provider.authorization import (
    AuthorizationRequest,
    ResponseMode,
    WayBack,
    grant_code,
    read_authorization_request,
    read_way_back,
    tell_refusal,
)
from isocenter.identity.provider.form import Form, read_form
from isocenter.identity.provider.provider import Provider
from isocenter.identity.provider.refusal import LOGIN_NEEDED, OAuthRefusal
from isocenter.web.pages.sign_in import NO_STORE, Asked, SignIn

ASKS_AGAIN = frozenset({"login", "select_account"})


def authorize_routes(provider: Provider, sign_in: SignIn) -> list[BaseRoute]:
    """Return the routes of the authorization endpoints, to be mounted at the root of the node."""

    def authorize(request: Request, *, version: TokenVersion) -> Response:
        try:
            tenant = provider.tenant(request.path_params["tenant"])
            form = read_form(request.query_params.multi_items())
            application, way_back = read_way_back(provider, form, tenant)
        except OAuthRefusal as refusal:
            return _show_refusal(sign_in, request, refusal)
        try:
            asked = read_authorization_request(provider, form, application, version)
            user = _signed_in(provider, sign_in, request, tenant)
            if user is None or asked.prompt in ASKS_AGAIN:
                return _ask_to_sign_in(sign_in, request, asked, tenant)
            answer = grant_code(provider, asked, object_id=user.object_id)
        except OAuthRefusal as refusal:
            answer = tell_refusal(refusal)
        return _send_back(sign_in, request, way_back, form, answer=dict(answer))

    def leave(request: Request) -> Response:
        return sign_in.templates.page("sign_out.html", {"prefix": public_prefix(request)})

    return [
        route
        for in_path, version in (("/oauth2", TokenVersion.V1), ("/oauth2/v2.0", TokenVersion.V2))
        for route in (
            Route(f"/{{tenant}}{in_path}/authorize", partial(authorize, version=version)),
            Route(f"/{{tenant}}{in_path}/logout", leave),
        )
    ]


def _signed_in(provider: Provider, sign_in: SignIn, request: Request, tenant: Tenant) -> User | None:
    """Return who is signed in, as far as the tenant knows that person."""
    cookie = session_cookie(request.headers)
    session = None if cookie is None else sign_in.sessions.find(cookie)
    user = None if session is None else provider.store.user(session.object_id)
    return user if user is not None and user.tenant_id == tenant.tenant_id else None


def _ask_to_sign_in(sign_in: SignIn, request: Request, asked: AuthorizationRequest, tenant: Tenant) -> Response:
    if asked.prompt == "none":
        raise OAuthRefusal(LOGIN_NEEDED)
    url: URL = request.url.remove_query_params("prompt")  # the person comes back here, and is asked only once
    next_path = f"{public_prefix(request)}{url.path}?{url.query}"
    return sign_in.page(request, Asked(next_path, asked.login_hint, tenant.tenant_id, asked.application.name))


def _send_back(sign_in: SignIn, request: Request, way_back: WayBack, form: Form, *, answer: dict[str, str]) -> Response:
    if way_back.mode is not ResponseMode.FORM_POST:
        return RedirectResponse(way_back.address(answer), 303, headers=NO_STORE)
    values = {
        "prefix": public_prefix(request),
        "target": way_back.redirect_uri,
        "fields": dict(way_back.fields(answer)),
    }
    return sign_in.templates.page("form_post.html", values, form_target=way_back.origin)


def _show_refusal(sign_in: SignIn, request: Request, refusal: OAuthRefusal) -> Response:
    status = refusal.reason.status
    values = {"prefix": public_prefix(request), "status": status, "message": refusal.message}
    return sign_in.templates.page("error.html", values, status_code=status)
