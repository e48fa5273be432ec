from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

from starlette.applications import Starlette

from isocenter.domain.errors import Unauthenticated, Unavailable
from isocenter.domain.principal import Principal
from isocenter.web.console.live import EVENTS_PATH, LISTENERS_MAX, LiveTopics, live_routes
from tests.support.asgi_client import AsgiClient


class Numbers:
    """A topic that changes with each look until it is told not to."""

    def __init__(self) -> None:
        self.number = 0
        self.is_broken = False

    def next(self) -> int:
        if self.is_broken:
            raise Unavailable("The disk is away.")
        self.number += 1
        return self.number


async def _first_event(events: AsyncIterator[bytes]) -> bytes:
    async with asyncio.timeout(20):
        async for chunk in events:
            if chunk.startswith(b"event:"):
                return chunk
    raise AssertionError("the stream ended")


def test_a_topic_that_changes_is_told_by_its_name_and_nothing_else() -> None:
    async def play() -> None:
        live = LiveTopics({"moving": Numbers().next, "still": lambda: 1})
        assert await _first_event(live.iter_events()) == b"event: moving\ndata: changed\n\n"
        await live.stop()

    asyncio.run(play())


def test_a_topic_that_fails_does_not_end_the_others() -> None:
    async def play() -> None:
        broken = Numbers()
        broken.is_broken = True
        live = LiveTopics({"broken": broken.next, "moving": Numbers().next})
        assert b"moving" in await _first_event(live.iter_events())
        await live.stop()

    asyncio.run(play())


def test_a_topic_that_breaks_does_not_end_the_others_either() -> None:
    async def play() -> None:
        live = LiveTopics({"broken": lambda: 1 // 0, "moving": Numbers().next})
        assert b"moving" in await _first_event(live.iter_events())
        await live.stop()

    asyncio.run(play())


def test_streams_end_when_the_node_stops() -> None:
    async def play() -> None:
        live = LiveTopics({"still": lambda: 1})
        events = live.iter_events()
        await anext(events)
        waiting = asyncio.ensure_future(anext(events, None))
        await asyncio.sleep(0)
        await live.stop()
        async with asyncio.timeout(20):
            assert await waiting is None

    asyncio.run(play())


def test_there_is_a_limit_on_pages_that_listen() -> None:
    async def play() -> None:
        live = LiveTopics({"still": lambda: 1})
        streams = [live.iter_events() for _ in range(LISTENERS_MAX)]
        for stream in streams:
            await anext(stream)
        assert live.is_full
        await live.stop()

    asyncio.run(play())


def test_who_is_not_known_hears_nothing() -> None:
    def refuse(headers: Mapping[str, str]) -> Principal:
        raise Unauthenticated()

    client = AsgiClient(Starlette(routes=live_routes(LiveTopics({}), authenticate=refuse)))
    assert client.get(EVENTS_PATH).status_code == 401
