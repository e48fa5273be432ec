"""Tokens for a service that asks for them: got by client credentials (RFC 6749 4.4), kept, renewed in time.

Where to get one is what the caller says, or what the service says in its 401. A service that names another place than
itself is not believed: it would learn our secret there.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field

import httpx
import orjson

from isocenter.domain.errors import InvalidRequest, Unauthenticated, Unavailable

DEFAULT_RESOURCE = "https://dicom.healthcareapis.azure.com"
RENEWED_AT = 0.8
"""Of its life: a request that begins then ends before the token does."""
LIFETIME_DEFAULT_S = 300.0
"""For an answer that does not say."""
ANSWER_SIZE_MAX_BYTES = 256 * 1024
"""A token has a few kilobytes, and so has an error."""
REASON_LENGTH_MAX = 300
_CHALLENGE = re.compile(r'(authorization_uri|resource_id)="([^"]*)"')
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """What a program has to show for itself."""

    client_id: str
    secret: str = field(repr=False)
    authority: str | None = None
    """Where tokens come from: an authority as Entra's (https://HOST/TENANT), or the address of a token endpoint."""


class ClientCredentials(httpx.Auth):
    """Send requests with a token that is got and renewed by itself; safe for threads."""

    def __init__(self, client: ClientSecret, *, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._monotonic_s = monotonic_s
        self._lock = threading.Lock()
        self._endpoint = None if client.authority is None else token_endpoint(client.authority)
        self._resource = DEFAULT_RESOURCE
        self._token = ""
        self._renew_at = float("-inf")

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send a request, with a token before it where one is needed (httpx)."""
        can_be_sent_again = isinstance(request.stream, httpx.ByteStream)  # a body that was streamed is gone afterwards
        if self._endpoint is not None and self._monotonic_s() >= self._renew_at:
            yield from self._renew()
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
        response = yield request
        if response.status_code != httpx.codes.UNAUTHORIZED or not can_be_sent_again:
            return
        self._learn(response, request.url)
        yield from self._renew()
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request

    def _learn(self, response: httpx.Response, service: httpx.URL) -> None:
        """Take from a 401 where tokens are given and for what, as far as it may be believed."""
        said = dict(_CHALLENGE.findall(response.headers.get("www-authenticate", "")))
        self._resource = said.get("resource_id") or self._resource
        if self._endpoint is not None:
            return
        authority = httpx.URL(said.get("authorization_uri", ""))
        if (authority.scheme, authority.host, authority.port) != (service.scheme, service.host, service.port):
            raise Unauthenticated(
                f"{service.host} wants a token and does not give it itself; say where to get one with --authority."
            )
        self._endpoint = token_endpoint(str(authority))

    def _renew(self) -> Generator[httpx.Request, httpx.Response, None]:
        assert self._endpoint is not None, "it is known, or learned before"
        form = {
            "grant_type": "client_credentials",
            "client_id": self._client.client_id,
            "client_secret": self._client.secret,
            "scope": f"{self._resource}/.default",
        }
        began_at = self._monotonic_s()
        response = yield httpx.Request("POST", self._endpoint, data=form, headers={"Accept": "application/json"})
        document = _read(response)
        token = document.get("access_token")
        if response.status_code != httpx.codes.OK or not isinstance(token, str):
            raise _refusal(response, document)
        with self._lock:
            self._token = token
            self._renew_at = began_at + RENEWED_AT * _lifetime_s(document)


def token_endpoint(authority: str) -> str:
    """Return the token endpoint of an authority, or the endpoint itself where one is given; raises InvalidRequest."""
    try:
        url = httpx.URL(authority)
    except httpx.InvalidURL as error:
        raise InvalidRequest("The address of the authority cannot be read.") from error
    if not url.host or (url.scheme != "https" and not (url.scheme == "http" and url.host in _LOOPBACK)):
        raise InvalidRequest("The authority must be an https address: a secret is sent to it.")
    bare = str(url).rstrip("/").removesuffix("/v2.0")
    return bare if bare.endswith("/token") else f"{bare}/oauth2/v2.0/token"


def _read(response: httpx.Response) -> Mapping[str, object]:
    content = bytearray()
    for chunk in response.iter_bytes():
        content += chunk
        if len(content) > ANSWER_SIZE_MAX_BYTES:
            raise Unavailable(f"The answer of {response.request.url.host} is no token.")
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}


def _lifetime_s(document: Mapping[str, object]) -> float:
    said = document.get("expires_in")
    try:
        return float(said) if isinstance(said, int | float | str) else LIFETIME_DEFAULT_S
    except ValueError:
        return LIFETIME_DEFAULT_S


def _refusal(response: httpx.Response, document: Mapping[str, object]) -> Unauthenticated | Unavailable:
    said = document.get("error_description") or document.get("error") or ""
    words = " ".join(str(said).split())[:REASON_LENGTH_MAX]
    kind = Unauthenticated if response.status_code < 500 and response.status_code != 429 else Unavailable
    return kind(f"{response.request.url.host} gave no token ({response.status_code}): {words or 'it did not say why.'}")
