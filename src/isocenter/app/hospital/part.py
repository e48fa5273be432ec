"""A part under supervision: what is ordered of it, and what becomes of it when it ends by itself."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from isocenter.app.faults.process import ScenarioProcess
from isocenter.app.hospital.control import Part, PartState, PartStatus
from isocenter.domain.errors import IsocenterError, Unavailable
from isocenter.modality.faults.scenario import ProcessPlan

WATCH_INTERVAL_S = 0.2
FIRST_WAIT_S = 1.0
"""Before the first start after a crash; each further one waits twice as long."""
RESTARTS_MAX = 5
"""Within the window; a part that crashes oftener does so for a reason that a further start does not mend."""
RESTART_WINDOW_S = 120.0


class SupervisedPart:
    """One part. Orders to it come one after the other, from whoever they are."""

    def __init__(self, name: Part, plan: ProcessPlan, logs: Path, *, tell: Callable[[str], None]) -> None:
        self._name = name
        self._process = ScenarioProcess(plan, logs, log_hint="")
        self._tell = tell
        self._state = PartState.STOPPED
        self._message = ""
        self._crashes: deque[float] = deque()
        self._restarts = 0
        self._order = asyncio.Lock()

    @property
    def status(self) -> PartStatus:
        """Return how it is."""
        return PartStatus(self._name, self._state, self._process.process_id, self._restarts, self._message)

    async def start(self) -> None:
        """Start it, and wait until it is ready; nothing happens where it runs. Raises Unavailable."""
        async with self._order:
            if self._state is PartState.RUNNING and self._process.is_running:
                return
            self._crashes.clear()
            await self._start()

    async def stop(self) -> None:
        """Ask it to end, and wait until it has."""
        async with self._order:
            self._state = PartState.STOPPING
            await self._process.end()
            await self._clear_away()
            self._state, self._message = PartState.STOPPED, ""

    async def kill(self) -> None:
        """End it at once."""
        async with self._order:
            self._state, self._message = PartState.KILLED, ""
            await self._clear_away()

    def end_at_once(self) -> None:
        """End it without waiting for anybody: the supervisor goes."""
        self._state = PartState.KILLED
        self._process.kill()

    async def watch(self) -> None:
        """Start it again whenever it ends by itself, until that happens too often. Never returns."""
        while True:
            await asyncio.sleep(WATCH_INTERVAL_S)
            async with self._order:
                if self._state is PartState.RUNNING and not self._process.is_running:
                    self._note_crash()
            if self._state is PartState.CRASHED:
                await asyncio.sleep(FIRST_WAIT_S * 2 ** (len(self._crashes) - 1))
                await self._start_again()

    async def _start_again(self) -> None:
        async with self._order:
            if self._state is not PartState.CRASHED:
                return  # somebody ordered something else meanwhile
            self._restarts += 1
            try:
                await self._start()
            except IsocenterError as error:
                self._tell(f"{self._name} could not be started again: {error.message}")
            else:
                self._tell(f"{self._name} runs again.")

    async def _start(self) -> None:
        self._state = PartState.STARTING
        try:
            await self._clear_away()
            await self._process.start()
        except IsocenterError as error:
            self._state, self._message = PartState.FAILED, error.message
            await self._clear_away()
            raise
        except subprocess.TimeoutExpired as error:
            self._state, self._message = PartState.FAILED, "What is left of it does not end."
            raise Unavailable(self._message) from error
        self._state, self._message = PartState.RUNNING, ""

    def _note_crash(self) -> None:
        now = time.monotonic()
        self._crashes.append(now)
        while now - self._crashes[0] > RESTART_WINDOW_S:
            self._crashes.popleft()
        self._message = f"It ended by itself: {self._process.last_words()}"
        if len(self._crashes) > RESTARTS_MAX:
            self._state = PartState.FAILED
            self._tell(f"{self._name} ends by itself again and again and stays down. {self._message}")
            return
        self._state = PartState.CRASHED
        self._tell(f"{self._name} is started again. {self._message}")

    async def _clear_away(self) -> None:
        """End what is left of it: workers of its own that outlived it."""
        await asyncio.to_thread(self._process.kill)
