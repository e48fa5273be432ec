"""A whole hospital for the length of a block: what the command, the check of the story and tests run."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from isocenter.app.hospital.control import HospitalControl
from isocenter.app.hospital.options import HospitalOptions
from isocenter.app.hospital.reach import Reach
from isocenter.app.hospital.supervisor import Tell, supervised
from isocenter.domain.errors import Broken


@dataclass(frozen=True, slots=True)
class RunningHospital:
    """Where it answers, and what can be ordered of it."""

    reach: Reach
    control: HospitalControl
    wait: Callable[[], None]
    """Waits until it ends, which it does by itself only where it is broken; then it raises what broke it."""


@contextmanager
def running_hospital(
    folder: Path, options: HospitalOptions | None = None, *, tell: Tell | None = None
) -> Iterator[RunningHospital]:
    """Run a hospital in a folder until the block ends, ready from its first line on; nothing of it runs afterwards.

    Raises Conflict where one runs in that folder, InvalidSetting and Unavailable where it cannot be started. `tell`
    takes sentences about ports that moved and parts that crashed; it is called from another thread.
    """
    supervisor = _SupervisorThread(folder, options or HospitalOptions(), tell or _ignore)
    try:
        reach = supervisor.begin()
        yield RunningHospital(reach, HospitalControl(reach), supervisor.wait)
    finally:
        supervisor.end()


class _SupervisorThread:
    """The event loop of the supervisor. The parts it starts are children of this process."""

    def __init__(self, folder: Path, options: HospitalOptions, tell: Tell) -> None:
        self._folder, self._options, self._tell = folder, options, tell
        self._ready: Future[Reach] = Future()
        self._playing: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[None]]] = Future()
        self._broken: BaseException | None = None
        self._over = threading.Event()
        """Waited for in the place of the thread: a join that Ctrl-C interrupts takes the thread for ended."""
        self._thread = threading.Thread(target=self._run, name="hospital")

    def begin(self) -> Reach:
        self._thread.start()
        return self._ready.result()

    def wait(self) -> None:
        self._over.wait()
        if self._broken is not None:
            raise Broken("The supervisor of the hospital ended by itself.") from self._broken

    def end(self) -> None:
        if self._thread.ident is None:
            return
        if not self._over.is_set():
            loop, task = self._playing.result()
            with suppress(RuntimeError):  # it ends this moment by itself
                loop.call_soon_threadsafe(task.cancel)
        self._over.wait()
        self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._play())
        except asyncio.CancelledError:
            pass
        except BaseException as error:  # the outermost frame of the thread: whoever waits must hear of it
            self._broken = error
            if not self._ready.done():
                self._ready.set_exception(error)
        finally:
            self._over.set()

    async def _play(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._playing.set_result((asyncio.get_running_loop(), task))
        async with supervised(self._folder, self._options, tell=self._tell) as hospital:
            self._ready.set_result(hospital.reach)
            await asyncio.Event().wait()


def _ignore(_sentence: str) -> None:
    """Tell nobody."""
