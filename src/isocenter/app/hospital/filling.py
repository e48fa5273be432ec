"""The process that gives a hospital its first images, beside everything else, and how far it is."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

from isocenter.app.faults.process import ScenarioProcess
from isocenter.app.hospital.folder import HospitalFolder
from isocenter.app.hospital.given import read_given
from isocenter.modality.faults.scenario import ProcessPlan

NAME = "first-images"
LOOK_INTERVAL_S = 0.5
_TAIL_BYTES = 400


class Filling:
    """Runs once in a hospital that has not got all of its first images."""

    def __init__(self, folder: HospitalFolder, *, tell: Callable[[str], None]) -> None:
        self._folder = folder
        self._tell = tell
        self._log = folder.logs / f"{NAME}.log"
        self._process: ScenarioProcess | None = None
        self._watching: asyncio.Task[None] | None = None
        self._failed = False

    @property
    def text(self) -> str:
        """Return how far it is, in a sentence; empty where nothing is to be said."""
        if self._failed:
            return f"The first images did not all come in; {self._log} tells why, and the next start tries again."
        return self._last_line() if self._process is not None and self._process.is_running else ""

    async def begin(self, samples: Path | None) -> None:
        """Begin with what is missing."""
        if samples is None and read_given(self._folder.path).is_all:
            return
        self._log.unlink(missing_ok=True)
        arguments = [str(self._folder.path), *([] if samples is None else [str(samples.resolve())])]
        command = (sys.executable, "-m", "isocenter.app.hospital.first_images", *arguments)
        self._process = ScenarioProcess(ProcessPlan(name=NAME, command=command), self._folder.logs, log_hint="")
        await self._process.start()
        self._watching = asyncio.create_task(self._watch(self._process))

    async def end(self) -> None:
        """Leave off; the next start goes on."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait([self._watching])
        if self._process is not None:
            await asyncio.to_thread(self._process.kill)

    async def _watch(self, process: ScenarioProcess) -> None:
        while process.is_running:
            await asyncio.sleep(LOOK_INTERVAL_S)
        self._failed = process.exit_code != 0
        self._tell(
            self.text if self._failed else "The first images are in: eight studies in the PACS, others in the cloud."
        )

    def _last_line(self) -> str:
        try:
            lines = self._log.read_bytes()[-_TAIL_BYTES:].decode(errors="replace").splitlines()
        except OSError:
            return ""
        return lines[-1] if lines else "The first images are being made."
