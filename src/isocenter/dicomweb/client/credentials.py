"""Tokens for a service that asks for them: got by client credentials (RFC 6749 4.4), kept, renewed in time.

Where to get one is what the caller says, or what the service says in its 401. A service that names another place than
itself is not believed: it would learn our secret there.
"""

from __future__ import annotations

import re
import ssl
import threading
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field

import httpx
import orjson

from isocenter.dicomweb.client.answers import domain_errors, public_name
from isocenter.domain.errors import InvalidRequest, Unauthenticated, Unavailable

DEFAULT_RESOURCE = "https://dicom.healthcareapis.azure.com"
RENEWED_AT = 0.8
"""Of its life: a request that begins then ends before the token does."""
RENEWED_AGAIN_S = 5.0
"""A token that is younger is not thrown away: another thread has just got it."""
TIMEOUT_S = 30.0
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
    token_url: str = ""
    """The token endpoint itself, whatever its address looks like, in the place of an authority."""
    scope: str = ""
    """What the token is for; where neither this nor `resource` is set, what the service's 401 says."""
    resource: str = ""
    """The same in Azure's first version; it stands in the form in the place of a scope."""


class TokenFailure(Exception):
    """The token endpoint refused; the cause of the error of the tree, for those who must know the code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code
        """As RFC 6749 5.2 names it; empty where the endpoint did not."""


class HeaderKey(httpx.Auth):
    """Send requests with a key in a header."""

    def __init__(self, header: str, key: str) -> None:
        self._header = header
        self._key = key

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the key to a request (httpx)."""
        request.headers[self._header] = self._key
        yield request


class ClientCredentials(httpx.Auth):
    """Send requests with a token that is got and renewed by itself, once for all threads."""

    def __init__(
        self,
        client: ClientSecret,
        *,
        tls: ssl.SSLContext | None = None,
        transport: httpx.BaseTransport | None = None,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._verify = True if tls is None else tls
        self._transport = transport
        self._monotonic_s = monotonic_s
        self._lock = threading.Lock()
        self._endpoint = _checked(client.token_url) if client.token_url else None
        if self._endpoint is None and client.authority is not None:
            self._endpoint = token_endpoint(client.authority)
        self._resource = DEFAULT_RESOURCE
        self._token = ""
        self._renew_at = float("-inf")
        self._got_at_s = float("-inf")

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send a request with a token, and once more with a new one where it was refused (httpx)."""
        can_be_sent_again = isinstance(request.stream, httpx.ByteStream)  # a body that was streamed is gone afterwards
        shown = self._current_token()
        if shown:
            request.headers["Authorization"] = f"Bearer {shown}"
        response = yield request
        if response.status_code != httpx.codes.UNAUTHORIZED or not can_be_sent_again:
            return
        request.headers["Authorization"] = f"Bearer {self._token_instead_of(shown, response, request.url)}"
        yield request

    def renew(self) -> None:
        """Have the next request get a new token: this one is not taken any more, though its life is not over.

        Whoever asks for it while another thread has just done the same is given that one's.
        """
        with self._lock:
            if self._monotonic_s() - self._got_at_s >= RENEWED_AGAIN_S:
                self._renew_at = float("-inf")

    def _current_token(self) -> str:
        with self._lock:
            if self._endpoint is not None and self._monotonic_s() >= self._renew_at:
                self._renew(self._endpoint)
            return self._token

    def _token_instead_of(self, refused: str, response: httpx.Response, service: httpx.URL) -> str:
        """Return another token than the one that was refused; another thread may have it already."""
        with self._lock:
            if self._token == refused:
                self._renew(self._learn(response, service))
            return self._token

    def _learn(self, response: httpx.Response, service: httpx.URL) -> str:
        """Take from a 401 where tokens are given and for what, as far as it may be believed."""
        said = dict(_CHALLENGE.findall(response.headers.get("www-authenticate", "")))
        self._resource = said.get("resource_id") or self._resource
        if self._endpoint is None:
            authority = httpx.URL(said.get("authorization_uri", ""))
            if (authority.scheme, authority.host, authority.port) != (service.scheme, service.host, service.port):
                raise Unauthenticated(
                    f"{service.host} wants a token and does not give it itself; say where to get one with --authority."
                )
            self._endpoint = token_endpoint(str(authority))
        return self._endpoint

    def _renew(self, endpoint: str) -> None:
        form = {
            "grant_type": "client_credentials",
            "client_id": self._client.client_id,
            "client_secret": self._client.secret,
            **self._purpose(),
        }
        began_at, headers = self._monotonic_s(), {"Accept": "application/json"}
        with (
            domain_errors(public_name(httpx.URL(endpoint))),
            httpx.Client(verify=self._verify, transport=self._transport, timeout=TIMEOUT_S) as http,
            http.stream("POST", endpoint, data=form, headers=headers) as response,
        ):
            document = _read(response)
        token = document.get("access_token")
        if response.status_code != httpx.codes.OK or not isinstance(token, str):
            raise _refusal(response, document)
        self._token, self._renew_at = token, began_at + RENEWED_AT * _lifetime_s(document)
        self._got_at_s = began_at

    def _purpose(self) -> dict[str, str]:
        """Return what says in the form what the token is for: `scope`, or `resource` in Azure's first version."""
        if self._client.resource:
            return {"resource": self._client.resource}
        return {"scope": self._client.scope or f"{self._resource}/.default"}


def token_endpoint(authority: str) -> str:
    """Return the token endpoint of an authority, or the endpoint itself where one is given; raises InvalidRequest."""
    bare = _checked(authority).rstrip("/").removesuffix("/v2.0")
    return bare if bare.endswith("/token") else f"{bare}/oauth2/v2.0/token"


def _checked(address: str) -> str:
    """Return an address to which a secret may be sent; raises InvalidRequest."""
    try:
        url = httpx.URL(address)
    except httpx.InvalidURL as error:
        raise InvalidRequest("The address of the authority cannot be read.") from error
    if not url.host or (url.scheme != "https" and not (url.scheme == "http" and url.host in _LOOPBACK)):
        raise InvalidRequest("The authority must be an https address: a secret is sent to it.")
    return str(url)


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
    host = response.request.url.host
    error = kind(f"{host} gave no token ({response.status_code}): {words or 'it did not say why.'}")
    code = document.get("error")
    error.__cause__ = TokenFailure(code if isinstance(code, str) else "")
    return error
