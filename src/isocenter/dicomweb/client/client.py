"""A client of one DICOMweb service (PS3.18 section 10)."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import httpx
import orjson

from isocenter.dicomweb.client.answers import (
    REASON_LENGTH_MAX,
    AnsweredStatus,
    domain_errors,
    error_of,
    not_dicomweb,
    public_name,
)
from isocenter.dicomweb.client.bulk_transport import BulkTransport, has_proxy
from isocenter.dicomweb.client.open_sockets import OpenSockets
from isocenter.dicomweb.client.upload import (
    BATCH_SIZE_BYTES,
    InstanceSource,
    Meter,
    StoreResult,
    batches,
    body_length,
    iter_body,
    match_answer,
)
from isocenter.dicomweb.codec.media_type import MediaType, parse_media_type
from isocenter.dicomweb.codec.multipart import (
    End,
    Event,
    MultipartDecoder,
    PartBegin,
    PartData,
    PartEnd,
    multipart_content_type,
)
from isocenter.domain.errors import InvalidRequest, IsocenterError, TooLarge, Unavailable
from isocenter.domain.identifiers import Level, Scope

TIMEOUT_S = 120.0
"""Without a byte from the service: a large store is answered only when all of it is durable."""
CONNECTIONS_MAX = 32
"""At once; beyond it requests wait for one. Services limit their callers, and nobody here asks for so many."""
KEEP_ALIVE_S = 25.0
"""How long an idle connection is kept for the next request; most services close it after half a minute or more."""
JSON_SIZE_MAX_BYTES = 512 * 1024 * 1024
"""The metadata of a study of some ten thousand instances."""

_DICOM = "application/dicom"
_DICOM_JSON = "application/dicom+json"
_ROOT_PATHS = frozenset({"/studies", "/series", "/instances"})
"""What every service has, empty or not."""
_HAS_MORE = "additional results"
"""In the warning of an answer that is cut off: `299 …: There are N additional results that can be requested`."""
_COLLECTIONS = {Level.STUDY: "studies", Level.SERIES: "series", Level.INSTANCE: "instances"}


@dataclass(frozen=True, slots=True)
class RetrievedInstance:
    """An instance as it arrives; its chunks must be read before the next instance is asked for."""

    transfer_syntax_uid: str | None
    chunks: Iterator[bytes | memoryview]


@dataclass(frozen=True, slots=True)
class RowPage:
    """Rows of a search."""

    rows: list[dict[str, Any]]
    has_more: bool
    """The service says that there are further ones (PS3.18 8.3.4.4)."""


class DicomwebClient:
    """Talk to one service. Use it as a context manager; it keeps a connection open."""

    def __init__(
        self,
        base_url: str,
        *,
        token: str | None = None,
        auth: httpx.Auth | None = None,
        tls: ssl.SSLContext | None = None,
        timeout_s: float = TIMEOUT_S,
        transport: httpx.BaseTransport | None = None,
        new_boundary: Callable[[], str] = lambda: uuid4().hex,
    ) -> None:
        self._new_boundary = new_boundary
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        try:
            url = httpx.URL(base_url)
        except httpx.InvalidURL as error:
            raise InvalidRequest("The address of the service cannot be read.") from error
        if url.scheme not in {"http", "https"} or not url.host:
            raise InvalidRequest("The address of the service must begin with http:// or https:// and name a host.")
        self.service = public_name(url)
        """The address as it may be shown."""
        self._open_sockets = OpenSockets()
        self._http = httpx.Client(
            base_url=str(url).rstrip("/"),
            headers=headers,
            auth=auth,
            verify=True if tls is None else tls,
            timeout=timeout_s,
            limits=httpx.Limits(max_connections=CONNECTIONS_MAX, keepalive_expiry=KEEP_ALIVE_S),
            transport=transport,
            follow_redirects=False,
        )
        self._bulk = self._http
        if transport is None and not has_proxy(url):
            self._bulk = httpx.Client(
                base_url=self._http.base_url,
                headers=self._http.headers,
                auth=auth,
                timeout=timeout_s,
                transport=BulkTransport(tls, self._open_sockets),
                follow_redirects=False,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def interrupt(self) -> None:
        """End all requests, for good: whoever waits for an answer is told that the connection broke."""
        self._open_sockets.shut_down()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()
        self._bulk.close()

    def store(
        self,
        sources: Iterable[InstanceSource],
        *,
        batch_size_bytes: int = BATCH_SIZE_BYTES,
        on_sent: Callable[[int], None] = lambda size_bytes: None,
    ) -> Iterator[StoreResult]:
        """Send instances in batches and yield what became of each, batch by batch; memory stays flat.

        `on_sent` is told the bytes that went out since its last call, less than none where they have to go again.
        Raises Unavailable and its like when a batch as a whole was not taken; what was yielded before stays true.
        """
        for batch in batches(sources, batch_size_bytes):
            yield from self._store_batch(batch, on_sent)

    def _store_batch(self, batch: Sequence[InstanceSource], on_sent: Callable[[int], None]) -> list[StoreResult]:
        """Send one request; where the service refuses it as malformed, find out in halves whose fault it is.

        Some services refuse a whole request for one part that they cannot read.
        """
        sent = Meter(on_sent)
        try:
            return self.store_together(batch, on_sent=sent.count)
        except IsocenterError as error:
            if not (isinstance(error.__cause__, AnsweredStatus) and error.__cause__.status == 400):
                raise
            refusal = error
        if len(batch) == 1:
            alone = StoreResult(batch[0], is_known=False, error_comments=(refusal.message,), http_status=400)
            return [alone]
        sent.take_back()
        middle = len(batch) // 2
        return self._store_batch(batch[:middle], on_sent) + self._store_batch(batch[middle:], on_sent)

    def store_together(
        self,
        batch: Sequence[InstanceSource],
        *,
        replaces: bool = False,
        on_sent: Callable[[int], None] = lambda size_bytes: None,
    ) -> list[StoreResult]:
        """Send instances in one request and return what became of each.

        With `replaces` what is there already is replaced, where the service knows that (PUT). Raises what the status
        means where it says nothing of the single instances: Refused, Conflict, Unavailable and their like.
        """
        boundary = self._new_boundary()
        headers = {
            "Content-Type": multipart_content_type(boundary, _DICOM),
            "Content-Length": str(body_length(batch, boundary)),
            "Accept": _DICOM_JSON,
        }
        body = iter_body(batch, boundary, on_sent)
        method = "PUT" if replaces else "POST"
        with self._answer(method, "/studies", headers, content=body, also=frozenset({400, 409})) as response:
            results = self._results(batch, response)
            if results is not None:
                return results
            refusal = error_of(response.status_code, self.service, _reason(response), headers=response.headers)
        raise not_dicomweb(self.service) if response.is_success else refusal

    def _results(self, batch: Sequence[InstanceSource], response: httpx.Response) -> list[StoreResult] | None:
        """Return what an answer says of each instance; None where it refuses them all without naming any."""
        if not _is_json(response) or response.status_code == 400:
            return None
        try:
            results = match_answer(batch, self._read_object(response))
        except InvalidRequest:
            if response.is_success:
                raise
            return None
        return results if response.is_success or any(result.is_known for result in results) else None

    def search(
        self, level: Level, parameters: Sequence[tuple[str, str]] = (), *, within: Scope | None = None
    ) -> list[dict[str, Any]]:
        """Return the DICOM JSON rows that match, of a level, below a study or series where one is given."""
        path = f"{_path(within)}/{_COLLECTIONS[level]}"
        return self._get_rows(path, list(parameters))

    def metadata(self, scope: Scope) -> list[dict[str, Any]]:
        """Return the metadata of each instance of a scope."""
        return self._get_rows(f"{_path(scope)}/metadata", [])

    def page(self, path: str, query_string: str) -> RowPage:
        """Return some rows of a search, as a path below the root and what follows the question mark."""
        return self._get_page(path, query_string)

    def _get_rows(self, path: str, parameters: list[tuple[str, str]]) -> list[dict[str, Any]]:
        return self._get_page(path, httpx.QueryParams(tuple(parameters))).rows

    def _get_page(self, path: str, parameters: str | httpx.QueryParams) -> RowPage:
        with self._answer("GET", path, {"Accept": _DICOM_JSON}, parameters=parameters) as response:
            if response.status_code == 204:
                return RowPage([], has_more=False)
            if not _is_json(response):
                raise not_dicomweb(self.service)
            rows = self._read_json(response)
            has_more = _HAS_MORE in response.headers.get("warning", "")
        if not isinstance(rows, list):
            raise not_dicomweb(self.service)
        return RowPage([row for row in rows if isinstance(row, dict)], has_more=has_more)

    def retrieve(self, scope: Scope, *, transfer_syntax: str = "*") -> Generator[RetrievedInstance, None, None]:
        """Yield the instances of a scope as they arrive, by default in the transfer syntax they are stored in."""
        accept = f'multipart/related; type="{_DICOM}"; transfer-syntax={transfer_syntax}'
        with self._answer("GET", _path(scope), {"Accept": accept}, by=self._bulk) as response:
            media_type = _media_type(response)
            if media_type is not None and media_type.essence == _DICOM:
                yield RetrievedInstance(_transfer_syntax_uid(media_type), self._iter_bytes(response))
                return
            if media_type is None or media_type.essence != "multipart/related":
                raise not_dicomweb(self.service)
            yield from _iter_instances(self._iter_events(response, media_type.parameters.get("boundary", "")))

    def _iter_events(self, response: httpx.Response, boundary: str) -> Iterator[Event]:
        try:
            decoder = MultipartDecoder(boundary)
            for chunk in self._iter_bytes(response):
                yield from decoder.feed(chunk)
            decoder.close()
        except InvalidRequest as error:
            raise Unavailable(f"The answer of {self.service} ended early or cannot be read.") from error

    def _iter_bytes(self, response: httpx.Response) -> Iterator[bytes]:
        with domain_errors(self.service):
            yield from response.iter_bytes()

    def delete(self, scope: Scope) -> None:
        """Delete a study, series or instance; raise NotFound where nothing is there."""
        with self._answer("DELETE", _path(scope), {}):
            return

    @contextmanager
    def _answer(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        *,
        parameters: str | httpx.QueryParams = "",
        content: Iterator[bytes] | None = None,
        also: frozenset[int] = frozenset(),
        by: httpx.Client | None = None,
    ) -> Iterator[httpx.Response]:
        """Send a request and give its answer, unread; statuses other than success and `also` are raised."""
        address = f"{path}?{parameters}" if parameters else path
        http = by or self._http
        extensions = {"trace": self._open_sockets.trace}
        request = http.build_request(method, address, headers=headers, content=content, extensions=extensions)
        with domain_errors(self.service):
            response = http.send(request, stream=True)
            try:
                status = response.status_code
                if response.is_redirect or (status == 404 and path in _ROOT_PATHS):
                    raise not_dicomweb(self.service, status=status)
                if not response.is_success and status not in also:
                    raise error_of(status, self.service, _reason(response), headers=response.headers)
                yield response
            finally:
                response.close()

    def _read_object(self, response: httpx.Response) -> dict[str, Any]:
        answer = self._read_json(response)
        if not isinstance(answer, dict):
            raise not_dicomweb(self.service)
        return answer

    def _read_json(self, response: httpx.Response) -> Any:
        content = bytearray()
        for chunk in response.iter_bytes():
            content += chunk
            if len(content) > JSON_SIZE_MAX_BYTES:
                raise TooLarge(f"The answer of {self.service} is larger than {JSON_SIZE_MAX_BYTES} bytes.")
        try:
            return orjson.loads(content)
        except orjson.JSONDecodeError as error:
            raise not_dicomweb(self.service) from error


@lru_cache(64)
def _part_media_type(text: str) -> MediaType | None:
    """Return the media type of a part; the parts of an answer have a few between them."""
    return parse_media_type(text)


def _iter_instances(events: Iterator[Event]) -> Iterator[RetrievedInstance]:
    for event in events:
        if isinstance(event, PartBegin):
            media_type = _part_media_type(event.headers.get("content-type", ""))
            chunks = _part_chunks(events)
            yield RetrievedInstance(
                None if media_type is None else media_type.parameters.get("transfer-syntax"), chunks
            )
            for _ in chunks:  # what the caller did not read
                pass


def _part_chunks(events: Iterator[Event]) -> Iterator[memoryview]:
    for event in events:
        if isinstance(event, PartData):
            yield event.data
        elif isinstance(event, PartEnd | End):
            return


def _path(scope: Scope | None) -> str:
    if scope is None:
        return ""
    path = f"/studies/{scope.study_instance_uid}"
    if scope.series_instance_uid is not None:
        path += f"/series/{scope.series_instance_uid}"
    if scope.sop_instance_uid is not None:
        path += f"/instances/{scope.sop_instance_uid}"
    return path


def _transfer_syntax_uid(media_type: MediaType | None) -> str | None:
    return None if media_type is None else media_type.parameters.get("transfer-syntax")


def _media_type(response: httpx.Response) -> MediaType | None:
    return parse_media_type(response.headers.get("content-type", ""))


def _is_json(response: httpx.Response) -> bool:
    media_type = _media_type(response)
    return media_type is not None and media_type.essence in {_DICOM_JSON, "application/json"}


def _reason(response: httpx.Response) -> str:
    """Return the beginning of the service's own words, where they are plain text."""
    media_type = _media_type(response)
    if media_type is None or media_type.essence != "text/plain":
        return ""
    words = bytearray()
    for chunk in response.iter_bytes(REASON_LENGTH_MAX):
        words += chunk
        if len(words) >= REASON_LENGTH_MAX:
            break
    return words.decode("utf-8", "replace")
