from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import pytest

from isocenter.app.http_protocol import HeadWithBody

Write = Callable[[HeadWithBody], None]


class _Writer(asyncio.Protocol):
    """Write to who connects, once for each turn of the loop."""

    def __init__(self, turns: Iterable[Write]) -> None:
        self._turns = iter(turns)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = HeadWithBody(transport)
        self._turn()

    def _turn(self) -> None:
        for turn in self._turns:
            turn(self._transport)
            asyncio.get_running_loop().call_later(0, self._turn)
            return


def _received(*turns: Write) -> bytes:
    async def receive() -> bytes:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Writer(turns), "127.0.0.1", 0)
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            content = await asyncio.wait_for(reader.read(), 30)
            writer.close()
            await writer.wait_closed()
        return content

    return asyncio.run(receive())


def _all(*pieces: bytes, closes: bool = False) -> Write:
    def write(transport: HeadWithBody) -> None:
        for piece in pieces:
            transport.write(piece)
        if closes:
            transport.close()

    return write


@pytest.mark.parametrize(
    "turns",
    [
        [_all(b"head", b"body", b"more", closes=True)],
        [_all(b"head"), _all(b"body"), _all(b"more", closes=True)],
        [_all(b"head", b"body"), _all(b"more", closes=True)],
        [_all(b"head"), _all(b"body", b"more"), _all(closes=True)],
        [_all(b"headbody", b""), _all(b"more"), _all(closes=True)],
    ],
)
def test_everything_is_sent_in_its_order_whatever_the_loop_does_in_between(turns: list[Write]) -> None:
    assert _received(*turns) == b"headbodymore"


def test_a_head_alone_is_sent_when_the_connection_closes_behind_it() -> None:
    assert _received(_all(b"head", closes=True)) == b"head"
