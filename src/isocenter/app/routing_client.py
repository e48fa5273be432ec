"""Ask a router: over its JSON where its node runs, of its folder where it does not, with the same answers."""

from __future__ import annotations

import asyncio
import inspect
import re
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol
from urllib.parse import quote

import httpx

from isocenter.app.peer import trusting
from isocenter.app.settings import Settings
from isocenter.app.web_archive import WebArchive
from isocenter.dicomweb.client.credentials import ClientCredentials, ClientSecret
from isocenter.domain.errors import (
    Conflict,
    Forbidden,
    InvalidRequest,
    IsocenterError,
    NotFound,
    PeerUnreachable,
    Unauthenticated,
    Unavailable,
)
from isocenter.domain.principal import LOCAL_OWNER
from isocenter.web.api.router import ROUTER_PATH, ROUTER_ROUTES, RouterRoute, concrete_paths
from isocenter.web.api.router_asked import Asked
from isocenter.web.api.router_desk import RouterDesk

CONNECT_TIMEOUT_S = 5.0
TIMEOUT_S = 300.0
"""A step on a hundred thousand deliveries, or a replay of a week, takes some time."""
_ERRORS: Mapping[int, type[IsocenterError]] = {
    400: InvalidRequest,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    503: Unavailable,
}
_PARAMETER = re.compile(r"\{(\w+)(?::int)?\}")


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a router: a route of its JSON."""

    method: str
    path: str
    """Below `/api/router`, each part as it is."""
    query: Sequence[tuple[str, str]] = ()
    body: Mapping[str, object] | None = None


class RouterClient(Protocol):
    """Where commands ask the router."""

    def ask(self, question: Question) -> Any:
        """Return the answer; raises errors of the tree."""
        ...


@dataclass(frozen=True, slots=True)
class WebRouter:
    """The router of a node that runs."""

    client: httpx.Client
    url: str

    def ask(self, question: Question) -> Any:
        """Ask over HTTP."""
        path = ROUTER_PATH + "/".join(quote(part, safe="") for part in question.path.split("/"))
        try:
            answer = (
                self.client.request(question.method, path, params=list(question.query), json=question.body or {})
                if question.method != "GET"
                else self.client.get(path, params=list(question.query))
            )
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise PeerUnreachable(f"Nobody answers at {self.url}.") from error
        except httpx.HTTPError as error:
            raise Unavailable(f"{self.url} does not answer as it should: {type(error).__name__}.") from error
        return self._content(answer)

    def _content(self, answer: httpx.Response) -> Any:
        try:
            document = answer.json()
        except ValueError:
            document = None
        if answer.is_success and document is not None:
            return document
        if not isinstance(document, dict) or "error" not in document:
            raise NotFound(
                f"The node at {self.url} routes nothing: set routing.configuration to a file of channels."
                if answer.status_code == httpx.codes.NOT_FOUND
                else f"{self.url} answered {answer.status_code}."
            )
        hint = " Give --token; `isocenter token` prints one." if answer.status_code == httpx.codes.UNAUTHORIZED else ""
        raise _ERRORS.get(answer.status_code, IsocenterError)(f"{document['error']}{hint}")


@dataclass(frozen=True, slots=True)
class FolderRouter:
    """The router of a node that does not run."""

    desk: RouterDesk
    is_running: bool = field(default=False)

    def ask(self, question: Question) -> Any:
        """Do what the node would do."""
        for route, path in _paths():
            parameters = _match(path, question.path) if route.method == question.method else None
            if parameters is not None:
                return self._do(route, question, parameters, path.rpartition("/")[2])
        raise NotFound("There is no such thing to ask of a router.")

    def _do(self, route: RouterRoute, question: Question, parameters: Mapping[str, str], word: str) -> Any:
        query: dict[str, list[str]] = {}
        for name, value in question.query:
            query.setdefault(name, []).append(value)
        asked = Asked(LOCAL_OWNER, parameters, query, word, question.body or {})
        if route.handle_async is not None:
            return asyncio.run(_awaited(route.handle_async(self.desk, asked)))
        assert route.handle is not None, "each route has one of both"
        return _told_as_stopped(route.handle(self.desk, asked))


async def _awaited(answer: Any) -> Any:
    return await answer if inspect.isawaitable(answer) else answer


def _told_as_stopped(answer: Any) -> Any:
    """Return an answer in which destinations say that nobody sends, rather than what a running node would say."""
    if isinstance(answer, dict):
        rows = [answer, *answer.get("destinations", [])] if isinstance(answer.get("destinations", []), list) else []
        for row in rows:
            if isinstance(row, dict) and "words" in row and "clears_in_s" in row and row["hold"] is None:
                row["state"], row["words"] = "not running", "The node does not run, so that nothing is sent."
    return answer


@lru_cache(maxsize=1)
def _paths() -> tuple[tuple[RouterRoute, str], ...]:
    return tuple((route, path) for route in ROUTER_ROUTES for path in concrete_paths(route))


def _match(pattern: str, path: str) -> Mapping[str, str] | None:
    expected, given = pattern.split("/"), path.split("/")
    if len(expected) != len(given):
        return None
    parameters: dict[str, str] = {}
    for part, value in zip(expected, given, strict=True):
        named = _PARAMETER.fullmatch(part)
        if named is None and part != value:
            return None
        if named is not None:
            if ":int" in part and not value.isdecimal():
                return None
            parameters[named[1]] = value
    return parameters


@contextmanager
def open_web_router(service: WebArchive) -> Iterator[WebRouter]:
    """Give the router of the node at an address."""
    tls: ssl.SSLContext | None = None if service.authorities is None else trusting(service.authorities)
    auth = None
    if service.client_id is not None:
        auth = ClientCredentials(ClientSecret(service.client_id, service.client_secret, service.authority), tls=tls)
    headers = {"Authorization": f"Bearer {service.token}"} if service.token else {}
    timeout = httpx.Timeout(TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
    with httpx.Client(
        base_url=service.url.rstrip("/"), headers=headers, auth=auth, verify=tls or True, timeout=timeout
    ) as client:
        yield WebRouter(client, service.url)


@contextmanager
def open_folder_router(settings: Settings) -> Iterator[FolderRouter]:
    """Give the router of the node that would run on a folder; raises Conflict while one does."""
    # Only whoever works on a folder pays for what a node is made of.
    from isocenter.app.channels.offline_desk import OfflineDesk
    from isocenter.app.offline import require_archive
    from isocenter.app.wiring import open_archive

    require_archive(settings)
    with open_archive(settings) as archive:
        yield FolderRouter(OfflineDesk(archive, settings))
