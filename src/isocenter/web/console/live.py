"""Tell open pages that something changed, by one stream of server-sent events for each page.

An event is the name of a topic and nothing else; the page then asks anew for the part of it that shows the topic, as a
plain GET. So nothing is pushed that a person may not see, and a page that misses an event is only older for a while.

One task looks at all topics, and only while somebody listens.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Hashable, Mapping

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from isocenter.domain.errors import IsocenterError, Unauthenticated
from isocenter.domain.principal import DataAction, Principal

_log = structlog.get_logger()

EVENTS_PATH = "/console/events"
LISTENERS_MAX = 200
"""Each is a connection and a queue; a page without one is refreshed by hand."""
LOOK_INTERVAL_S = 0.5
"""People do not read faster; each look costs some indexed reads."""
KEEP_ALIVE_S = 15.0
"""Below the idle limits of common proxies."""
EVENTS_WAITING_MAX = 32
"""More topics than there are; a page that does not read loses events, and catches up with the next."""
OPENED = b"event: opened\ndata: now\n\n"
"""The first event of every stream: what changed while a page was on its way is not told again, so that a part that
must not miss it listens to this."""
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "X-Content-Type-Options": "nosniff"}

Mark = Callable[[], Hashable]
"""What changes when a topic changes; may wait for the disk."""


class LiveTopics:
    """The topics of a node and who listens to them; an edge of the node, so that streams end before it does."""

    def __init__(self, topics: Mapping[str, Mark]) -> None:
        self._topics = dict(topics)
        self._listeners: set[asyncio.Queue[str | None]] = set()
        self._looking: asyncio.Task[None] | None = None
        self._is_stopping = False

    def listen(self) -> None:
        """Need no port."""

    async def start(self) -> None:
        """Wait for the first listener."""

    async def stop(self) -> None:
        """End all streams."""
        self._is_stopping = True
        for queue in self._listeners:
            _put(queue, None)
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])

    async def iter_events(self) -> AsyncIterator[bytes]:
        """Yield the stream of one page, until it goes or the node ends."""
        queue: asyncio.Queue[str | None] = asyncio.Queue(EVENTS_WAITING_MAX)
        self._listeners.add(queue)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            yield b"retry: 1000\n\n" + OPENED
            while not self._is_stopping:
                try:
                    async with asyncio.timeout(KEEP_ALIVE_S):
                        topic = await queue.get()
                except TimeoutError:
                    yield b": still here\n\n"
                    continue
                if topic is None:
                    return
                yield f"event: {topic}\ndata: changed\n\n".encode()
        finally:
            self._listeners.discard(queue)

    @property
    def is_full(self) -> bool:
        """Tell whether no more pages can listen."""
        return len(self._listeners) >= LISTENERS_MAX

    async def _look(self) -> None:
        seen = await run_in_threadpool(self._marks)
        while self._listeners:
            await asyncio.sleep(LOOK_INTERVAL_S)
            marks = await run_in_threadpool(self._marks)
            for topic in [topic for topic, mark in marks.items() if mark != seen.get(topic)]:
                for queue in self._listeners:
                    _put(queue, topic)
            seen = marks

    def _marks(self) -> dict[str, Hashable]:
        marks: dict[str, Hashable] = {}
        for topic, mark in self._topics.items():
            try:
                marks[topic] = mark()
            except IsocenterError as error:
                _log.warning("console.topic_failed", topic=topic, reason=error.message)
            except Exception:  # the outermost loop of a task: the other topics go on
                _log.exception("console.topic_broken", topic=topic)
        return marks


def live_routes(live: LiveTopics, *, authenticate: Callable[[Mapping[str, str]], Principal]) -> list[BaseRoute]:
    """Return the route of the stream."""

    async def events(request: Request) -> Response:
        try:
            principal = await run_in_threadpool(authenticate, request.headers)
            principal.require(DataAction.READ)
        except Unauthenticated:
            return PlainTextResponse("Sign in first.", 401, headers=HEADERS)
        except IsocenterError as error:
            return PlainTextResponse(error.message, 403, headers=HEADERS)
        if live.is_full:
            return PlainTextResponse("Too many pages listen already.", 503, headers={**HEADERS, "Retry-After": "60"})
        return StreamingResponse(live.iter_events(), media_type="text/event-stream", headers=HEADERS)

    return [Route(EVENTS_PATH, events, methods=["GET"], name="console-events")]


def _put(queue: asyncio.Queue[str | None], topic: str | None) -> None:
    if queue.full():
        queue.get_nowait()
    queue.put_nowait(topic)
