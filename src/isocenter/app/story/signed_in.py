"""Ask the nodes of the hospital as a person who signed in, for what a console and its pages are made of."""

from __future__ import annotations

import threading
from collections.abc import Generator

import httpx

from isocenter.app.hospital.reach import Person

LOGIN_PATH = "/login"
_REFUSED = frozenset({httpx.codes.UNAUTHORIZED, httpx.codes.SEE_OTHER})
"""A page leads to the sign-in, an API says that nobody is known."""


class SignedIn(httpx.Auth):
    """Send requests with the cookie of a session; sign in where there is none, or where it is not known any more.

    A node that lets everybody in has no sign-in, and needs none.
    """

    def __init__(self, person: Person, web_url: str) -> None:
        self._person = person
        self._url = httpx.URL(web_url.rstrip("/") + LOGIN_PATH)
        self._lock = threading.Lock()
        self._cookie = ""

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send a request as the person (httpx)."""
        with self._lock:
            shown = self._cookie
        if not shown:
            shown = yield from self._sign_in()
        self._show(request, shown)
        response = yield request
        can_be_sent_again = isinstance(request.stream, httpx.ByteStream)
        if response.status_code in _REFUSED and shown and can_be_sent_again:
            self._show(request, (yield from self._sign_in()))
            yield request

    def _sign_in(self) -> Generator[httpx.Request, httpx.Response, str]:
        form = {"name": self._person.name, "password": self._person.password}
        answer = yield httpx.Request("POST", self._url, data=form)
        cookie = "; ".join(f"{name}={value}" for name, value in answer.cookies.items())
        with self._lock:
            self._cookie = cookie
        return cookie

    def _show(self, request: httpx.Request, cookie: str) -> None:
        if cookie:
            request.headers["Cookie"] = cookie
