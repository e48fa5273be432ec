"""Ask an ASGI application in this process, without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import httpx
from starlette.types import ASGIApp


class AsgiClient:
    """A browser that follows no redirect."""

    def __init__(self, application: ASGIApp) -> None:
        self._application = application

    def get(
        self, path: str, *, headers: Mapping[str, str] | None = None, params: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """Return the answer to a GET."""
        return self._ask("GET", path, headers, params)

    def head(self, path: str, *, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """Return the answer to a HEAD."""
        return self._ask("HEAD", path, headers, None)

    def request(self, method: str, path: str, *, headers: Mapping[str, str], content: bytes = b"") -> httpx.Response:
        """Return the answer to a request with a body."""
        return self._ask(method, path, headers, None, content=content or None)

    def _ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None,
        params: Mapping[str, str] | None,
        content: bytes | None = None,
    ) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self._application)
            async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
                return await client.request(method, path, headers=headers, params=params, content=content)

        return asyncio.run(ask())
