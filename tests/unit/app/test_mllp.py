"""The listener for HL7: who may send, and what the answer promises."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Sequence
from datetime import UTC

import pytest

from isocenter.app.mllp import CONNECTIONS_MAX, MllpListener
from isocenter.app.prefetching.desk import PrefetchDesk
from isocenter.app.setting_kinds import Address
from isocenter.domain.errors import StorageFull
from isocenter.ports.prefetches import NewRun, PrefetchRun
from isocenter.routing.prefetch.rule import PrefetchRule
from isocenter.storage.memory import MemoryPrefetches
from tests.support.hl7_sender import order
from tests.support.memory_archive import FakeClock

RULE = PrefetchRule("priors", ("pacs",))


class _Full(MemoryPrefetches):
    """Has no room, until it has."""

    is_full = True

    def add(self, runs: Sequence[NewRun], *, now: float) -> list[PrefetchRun]:
        """Refuse, or keep."""
        if self.is_full:
            raise StorageFull("There is no room left.")
        return super().add(runs, now=now)


def _listener(prefetches: MemoryPrefetches, *senders: str) -> MllpListener:
    clock = FakeClock()
    desk = PrefetchDesk(prefetches, [RULE], clock)
    networks = [ipaddress.ip_network(sender) for sender in senders]
    return MllpListener(Address("127.0.0.1", 0), networks, desk, local=UTC, now=clock.now)


async def _ask(listener: MllpListener, *messages: str) -> list[str]:
    """Send messages over one connection and return the answers."""
    reader, writer = await asyncio.open_connection(*listener.address)
    answers = []
    for message in messages:
        writer.write(b"\x0b" + message.encode() + b"\x1c\r")
        answers.append((await reader.readuntil(b"\x1c\r")).decode())
    writer.close()
    await writer.wait_closed()
    return answers


def test_a_message_that_cannot_be_kept_now_is_not_acknowledged_and_taken_when_it_comes_again() -> None:
    async def work() -> None:
        prefetches = _Full()
        listener = _listener(prefetches)
        listener.listen()
        await listener.start()
        (refused,) = await _ask(listener, order("1"))
        assert "MSA|AE|42|There is no room left." in refused
        prefetches.is_full = False
        (taken,) = await _ask(listener, order("1"))
        assert "MSA|AA|42" in taken
        assert (listener.counts.accepted, listener.counts.errors, listener.counts.triggers) == (1, 1, 1)
        assert len(prefetches.recent(limit=9)) == 1
        await listener.stop()

    asyncio.run(work())


def test_more_connections_than_an_interface_engine_opens_are_refused() -> None:
    async def work() -> None:
        listener = _listener(MemoryPrefetches())
        listener.listen()
        await listener.start()
        connections = [await asyncio.open_connection(*listener.address) for _ in range(CONNECTIONS_MAX)]
        connections[0][1].write(b"\x0b" + order("1").encode() + b"\x1c\r")
        await connections[0][0].readuntil(b"\x1c\r")
        reader, writer = await asyncio.open_connection(*listener.address)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        writer.close()
        for _, one in connections:
            one.close()
        await listener.stop()
        assert listener.counts.refused_connections == 1

    asyncio.run(work())


@pytest.mark.parametrize(
    ("host", "may"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("10.0.3.7", True),
        ("::ffff:10.0.3.7", True),
        ("10.0.4.7", False),
        ("fe80::1%eth0", False),
        ("", False),
    ],
)
def test_this_machine_and_the_senders_that_are_named_may_send(host: str, may: bool) -> None:
    async def work() -> None:
        listener = _listener(MemoryPrefetches(), "10.0.3.0/24")
        assert listener.may_send(host) is may
        await listener.stop()

    asyncio.run(work())
