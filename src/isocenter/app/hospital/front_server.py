"""The page of a hospital at work: served with its tour and its live updates, for the length of a block."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from isocenter.app.hospital.control import HospitalControl
from isocenter.app.hospital.front import front, front_topics
from isocenter.app.hospital.late_tour import LateTour
from isocenter.app.loop_server import serving

if TYPE_CHECKING:
    from isocenter.app.hospital.supervisor import Hospital


@asynccontextmanager
async def serving_front(hospital: Hospital, listener: socket.socket) -> AsyncIterator[None]:
    """Serve the page on a listening socket, which is closed in the end."""
    tour = LateTour(hospital.reach, HospitalControl(hospital.reach))
    live = front_topics(hospital, tour)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(asyncio.to_thread, tour.close)
        await stack.enter_async_context(serving(front(hospital, live, tour), listener))
        stack.push_async_callback(live.stop)  # before the server, which would wait for its streams
        yield
