"""Searches and retrievals that an archive does not answer: nothing of them is left behind."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from isocenter.app.console.query_desk import ASKED_MAX, QueryDesk
from isocenter.app.dicom import DicomNode
from isocenter.app.settings import load_settings
from isocenter.domain.errors import Overloaded
from isocenter.domain.identifiers import Scope
from isocenter.domain.principal import LOCAL_OWNER
from isocenter.routing.configuration.read import read_configuration
from isocenter.web.pages.query_exchange import ENDED, Order, PeerFailed
from isocenter.web.pages.query_filter import QueryFilter
from tests.support.memory_archive import memory_archive

WAIT_S = 20.0
"""Less than an answer is waited for by itself, more than anything here takes."""
CLOUD = "web:cloud"


@contextmanager
def _silent_service() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(WAIT_S)
        yield listener


@asynccontextmanager
async def _desk(service: socket.socket, folder: Path, *, answer_timeout_s: float = WAIT_S) -> AsyncIterator[QueryDesk]:
    url = f"http://127.0.0.1:{service.getsockname()[1]}/v2"
    text = f'[destinations.cloud]\nkind = "dicomweb"\nurl = "{url}"\n'
    configuration = read_configuration(text, file="routing.toml").configuration
    settings = load_settings({"data_dir": str(folder)}, {}, None)
    with memory_archive() as archive, ThreadPoolExecutor(1) as executor:
        dicom = DicomNode(archive, settings, [], executor=executor, picture_executor=executor)
        desk = QueryDesk(archive, settings, dicom, lambda: configuration, answer_timeout_s=answer_timeout_s)
        await desk.start()
        try:
            yield desk
        finally:
            await desk.stop()


def _hears_end(service: socket.socket) -> bool:
    """Tell whether the next caller hangs up, without being answered."""
    caller, _ = service.accept()
    with caller:
        caller.settimeout(WAIT_S)
        while caller.recv(65_536):
            pass
    return True


def test_a_service_that_does_not_answer_is_hung_up_on_so_that_its_thread_is_free(tmp_path: Path) -> None:
    async def search(service: socket.socket) -> None:
        async with _desk(service, tmp_path, answer_timeout_s=1.0) as desk, asyncio.timeout(WAIT_S):

            async def ask() -> None:
                with pytest.raises(PeerFailed, match="did not answer"):
                    await desk.search(LOCAL_OWNER, QueryFilter(peer=CLOUD, patient="P"))

            await asyncio.gather(*(ask() for _ in range(ASKED_MAX)))
            assert await asyncio.to_thread(_hears_end, service)
            while True:
                try:
                    return await ask()
                except Overloaded:  # as long as a thread has not ended, what it does counts
                    await asyncio.sleep(0.01)

    with _silent_service() as service:
        asyncio.run(search(service))


def test_a_retrieval_ends_however_often_it_is_cancelled(tmp_path: Path) -> None:
    async def retrieve(service: socket.socket) -> bool:
        loop = asyncio.get_running_loop()
        async with _desk(service, tmp_path) as desk:
            begun = await desk.retrieve(LOCAL_OWNER, Order(CLOUD, Scope("1.2.3"), "a study", 1))
            caller, _ = await asyncio.to_thread(service.accept)
            with caller, ThreadPoolExecutor(1) as only:
                # What looks up what came has to wait, and is cancelled once more while it does.
                loop.set_default_executor(only)
                may_go_on = threading.Event()
                held = loop.run_in_executor(None, may_go_on.wait, WAIT_S)
                stops = []
                for _ in range(3):
                    stops.append(asyncio.create_task(desk.stop()))
                    for _ in range(20):
                        await asyncio.sleep(0)
                may_go_on.set()
                await asyncio.gather(held, *stops)
                return (await desk.retrieval(begun.number)).state in ENDED

    with _silent_service() as service:
        assert asyncio.run(retrieve(service))
