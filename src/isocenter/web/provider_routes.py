"""The embedded identity provider over HTTP: discovery, keys, tokens, as clients of Entra ID ask for them.

Answers of the token endpoint are kept by nobody on the way. What hashes or writes runs on threads of its own, so that
many who ask for tokens hold up nobody else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from uuid import uuid4

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from isocenter.dicomweb.server.public_path import public_origin, public_prefix
from isocenter.domain.directory import Tenant
from isocenter.domain.errors import IsocenterError, Overloaded
from isocenter.domain.statuses import statuses_of
from isocenter.identity.access_token import TokenVersion
from isocenter.identity.provider.documents import discovery_document, instance_document, keys_document
from isocenter.identity.provider.form import read_form
from isocenter.identity.provider.provider import Provider
from isocenter.identity.provider.refusal import BUSY, MALFORMED, OAuthRefusal, refusal_document
from isocenter.identity.provider.token_endpoint import TokenRequest, answer_token_request
from isocenter.web.form_body import read_pairs

_log = structlog.get_logger()

V1, V2 = TokenVersion.V1, TokenVersion.V2
CORRELATION_LENGTH_MAX = 64
_KEPT_BY_NOBODY = {"Cache-Control": "no-store", "Pragma": "no-cache", "X-Content-Type-Options": "nosniff"}
_PUBLIC = {"Cache-Control": "public, max-age=3600", "X-Content-Type-Options": "nosniff"}
"""An hour: a key is published a day before it signs."""


def provider_routes(provider: Provider, executor: Executor) -> list[BaseRoute]:
    """Return the routes of the provider, to be mounted at the root of the node."""

    async def run(function: Callable[[], Response]) -> Response:
        return await asyncio.get_running_loop().run_in_executor(executor, function)

    def base_and_tenant(request: Request) -> tuple[str, Tenant]:
        tenant = provider.tenant(request.path_params.get("tenant", "common"))
        return provider.base(requested_base(request)), tenant

    def discovery(request: Request, *, version: TokenVersion) -> Response:
        base, tenant = base_and_tenant(request)
        return JSONResponse(discovery_document(base, tenant.tenant_id, version), headers=_PUBLIC)

    def keys(request: Request) -> Response:
        base_and_tenant(request)
        return JSONResponse(keys_document(provider.key_documents()), headers=_PUBLIC)

    def instance(request: Request) -> Response:
        base, tenant = base_and_tenant(request)
        return JSONResponse(instance_document(base, tenant.tenant_id), headers=_PUBLIC)

    def answer(request: Request, pairs: list[tuple[str, str]], version: TokenVersion) -> Response:
        base, tenant = base_and_tenant(request)
        authorization, form = request.headers.get("authorization"), read_form(pairs)
        asked = TokenRequest(form, authorization, tenant, version, base=base, address=address_of(request))
        given = answer_token_request(provider, asked)
        _log.info("identity.token_issued", client_id=form.get("client_id")[:64], address=asked.address)
        return JSONResponse(given, headers=_KEPT_BY_NOBODY)

    def document_route(path: str, endpoint: Callable[[Request], Response]) -> Route:
        async def tell(request: Request) -> Response:
            try:
                return await run(partial(endpoint, request))
            except IsocenterError as error:
                return _refusal_response(provider, request, error)

        return Route(path, tell)

    def token_route(path: str, version: TokenVersion) -> Route:
        async def tell(request: Request) -> Response:
            try:
                pairs = await read_pairs(request)
                return await run(partial(answer, request, pairs, version))
            except IsocenterError as error:
                return _refusal_response(provider, request, error)

        return Route(path, tell, methods=["POST"])

    document = "/.well-known/openid-configuration"
    return [
        document_route("/common/discovery/instance", instance),
        document_route("/{tenant}" + document, partial(discovery, version=V1)),
        document_route("/{tenant}/v2.0" + document, partial(discovery, version=V2)),
        document_route("/{tenant}/discovery/keys", keys),
        document_route("/{tenant}/discovery/v2.0/keys", keys),
        token_route("/{tenant}/oauth2/token", V1),
        token_route("/{tenant}/oauth2/v2.0/token", V2),
    ]


def requested_base(request: Request) -> str:
    """Return under which name a request came: scheme, host and path before ours."""
    return public_origin(request) + public_prefix(request)


def address_of(request: Request) -> str:
    """Return where a request came from."""
    return "" if request.client is None else request.client.host


def _refusal_response(provider: Provider, request: Request, error: IsocenterError) -> Response:
    refusal, status = _as_refusal(error)
    correlation_id = request.headers.get("client-request-id", "")[:CORRELATION_LENGTH_MAX]
    document = refusal_document(
        refusal,
        now=provider.now(),
        trace_id=str(uuid4()),
        correlation_id=correlation_id if correlation_id.isascii() and correlation_id.isprintable() else "",
    )
    headers = dict(_KEPT_BY_NOBODY)
    if refusal.retry_after_s is not None:
        headers["Retry-After"] = str(refusal.retry_after_s)
    if status == 401 and request.headers.get("authorization"):
        headers["WWW-Authenticate"] = "Basic"  # RFC 6749 5.2
    _log.info("identity.token_refused", reason=refusal.reason.error, number=refusal.reason.number)
    return JSONResponse(document, status, headers)


def _as_refusal(error: IsocenterError) -> tuple[OAuthRefusal, int]:
    if isinstance(error, OAuthRefusal):
        return error, error.reason.status
    if isinstance(error, Overloaded):
        return OAuthRefusal(BUSY, retry_after_s=1), BUSY.status
    return OAuthRefusal(MALFORMED, error.message), statuses_of(error).http_status
