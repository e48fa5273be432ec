"""What a connection owes those who wait on it."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime

import pytest

from isocenter.dimse.scu.client import Opener, ProposedContext
from isocenter.dimse.scu.echo import VERIFICATION, echo
from isocenter.dimse.shell.record import AssociationRegister
from isocenter.dimse.shell.runtime import Completions, Runtime, Times
from isocenter.dimse.ul.errors import AssociationOver
from isocenter.dimse.ul.pdu import ReleaseRq
from isocenter.domain.application_entity import RemoteAe
from tests.support.raw_peer import RawPeer

LONG_S = 600.0
"""Nobody waits for it: a request that can no longer be answered ends at once."""


async def _release_in_the_place_of_an_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    peer = RawPeer(reader, writer)
    await peer.accept()
    await peer.message()
    await peer.send(ReleaseRq())
    with suppress(ConnectionError):
        await peer.end()
    writer.close()


async def _ask() -> None:
    server = await asyncio.start_server(_release_in_the_place_of_an_answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1) as executor:
        runtime = Runtime(
            loop=loop,
            executor=executor,
            picture_executor=executor,
            completions=Completions(loop),
            now=lambda: datetime.now(UTC),
            times=Times(dimse_s=LONG_S, idle_s=LONG_S),
        )
        opener = Opener(runtime, AssociationRegister(), "ISOCENTER")
        try:
            async with opener.association(
                RemoteAe("PEER", "127.0.0.1", port), [ProposedContext(VERIFICATION)]
            ) as association:
                await echo(association)
        finally:
            server.close()
            await server.wait_closed()


def test_a_request_that_is_answered_by_a_release_ends_at_once() -> None:
    with pytest.raises(AssociationOver):
        asyncio.run(asyncio.wait_for(_ask(), 20))
