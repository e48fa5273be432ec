"""What stands before every route: no plain http from afar, strict transport, the origins of other sites."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from starlette.middleware.cors import CORSMiddleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from isocenter.app.http_kinds import Network
from isocenter.app.settings import HttpSettings
from isocenter.identity.host_names import is_loopback

LOOPBACK = ("127.0.0.0/8", "::1")
HSTS = (b"strict-transport-security", b"max-age=31536000")
EXPOSED_HEADERS = (
    "ETag",
    "Location",
    "Content-Location",
    "Warning",
    "erroneous-dicom-attributes",
    "api-supported-versions",
    "x-ms-request-id",
    "Retry-After",
    "WWW-Authenticate",
)
"""What viewers and clients in a browser want to read (dicom-service 12.3)."""


def guarded(application: ASGIApp, http: HttpSettings, *, has_own_certificate: bool) -> ASGIApp:
    """Return an application behind what the settings ask for."""
    if http.cors_origins:
        application = CORSMiddleware(
            application,
            allow_origins=http.cors_origins,
            allow_methods=http.cors_methods,
            allow_headers=http.cors_headers,
            allow_credentials=http.cors_credentials == "on",
            expose_headers=EXPOSED_HEADERS,
            max_age=int(http.cors_max_age_s),
        )
    if http.tls_listen is not None and not has_own_certificate:
        application = _StrictTransport(application)
    proxies = [*LOOPBACK, *map(str, http.trusted_proxies)]
    application = ProxyHeadersMiddleware(application, trusted_hosts=proxies)  # type: ignore[arg-type, assignment]
    if http.listen is not None and not is_loopback(http.listen.host):
        application = _PlainGuard(application, http.trusted_proxies)
    return application


class _PlainGuard:
    """Take plain http from this machine and from trusted proxies alone."""

    def __init__(self, application: ASGIApp, proxies: Sequence[Network]) -> None:
        self._application = application
        self._proxies = proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        if scope["type"] == "http" and scope["scheme"] == "http" and not self._is_known(scope):
            refusal = PlainTextResponse("This node is reached over https, or through its proxy.", 403)
            await refusal(scope, receive, send)
            return
        await self._application(scope, receive, send)

    def _is_known(self, scope: Scope) -> bool:
        client = scope.get("client")
        if client is None or scope["path"].startswith("/health/"):
            return client is not None
        address = ipaddress.ip_address(client[0].partition("%")[0])
        mapped = getattr(address, "ipv4_mapped", None)
        if mapped is not None:
            address = mapped
        return address.is_loopback or any(address in network for network in self._proxies)


class _StrictTransport:
    """Tell browsers to come back over https only.

    Not with a certificate of the node's own authority: the rule holds for a name on all ports, `localhost` for one.
    """

    def __init__(self, application: ASGIApp) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        if scope["type"] != "http" or scope["scheme"] != "https":
            await self._application(scope, receive, send)
            return

        async def send_strict(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], HSTS]}
            await send(message)

        await self._application(scope, receive, send_strict)
