"""The processes of a scenario or a demo: started, killed, stopped, denied their files, and surely ended."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

import httpx

from isocenter.app.faults.volume import command_on_volume, fill, free
from isocenter.domain.errors import InvalidSetting, Unavailable
from isocenter.modality.faults.link import parse_endpoint
from isocenter.modality.faults.scenario import ProcessAction, ProcessPlan

PROGRAM = "isocenter"
READY_TIMEOUT_S = 60.0
"""A cold start on a loaded machine, with a tail of packs to repair."""
STOP_TIMEOUT_S = 30.0
"""Running requests may take twenty seconds to end."""
POLL_S = 0.1
_LOG_TAIL_BYTES = 600
_PR_SET_PDEATHSIG = 1


class ScenarioProcess:
    """One component; it ends with the block of whoever started it, and with that process itself."""

    def __init__(self, plan: ProcessPlan, folder: Path, *, log_hint: str = ", kept where the run has --folder") -> None:
        """`log_hint` ends the sentence that names its log."""
        self.plan = plan
        self._log_hint = log_hint
        self._folder = folder
        self._log_path = folder / f"{plan.name}.log"
        self._popen: subprocess.Popen[bytes] | None = None
        self._is_cleared = False
        """Whether nothing of the process, or of what it started, is there any more."""

    @property
    def is_running(self) -> bool:
        """Tell whether it is there, stopped or not."""
        return self._popen is not None and self._popen.poll() is None

    @property
    def process_id(self) -> int | None:
        """Return its process id, None where it does not run."""
        return self._popen.pid if self._popen is not None and self._popen.poll() is None else None

    @property
    def exit_code(self) -> int | None:
        """Return with which code it ended, None where it runs or never did."""
        return None if self._popen is None else self._popen.poll()

    async def act(self, action: ProcessAction) -> None:
        """Do what a step says; raise Unavailable where it cannot be done."""
        match action:
            case ProcessAction.START:
                await self.start()
            case ProcessAction.TERMINATE:
                await self.end()
            case ProcessAction.KILL:
                self._signal(signal.SIGKILL)
                await self._wait()
            case ProcessAction.STOP:
                self._signal(signal.SIGSTOP)
            case ProcessAction.CONTINUE:
                self._signal(signal.SIGCONT)
            case ProcessAction.DENY_WRITES:
                self._limit_files(0)
            case ProcessAction.ALLOW_WRITES:
                self._limit_files(None)
            case ProcessAction.FILL_VOLUME:
                fill(self._process_id(), self.plan.volume)
            case ProcessAction.FREE_VOLUME:
                free(self._process_id(), self.plan.volume)

    async def start(self) -> None:
        """Start it, and wait until it is ready."""
        if self.is_running:
            raise Unavailable(f"{self.plan.name} runs already.")
        self._is_cleared = False
        starting = asyncio.ensure_future(asyncio.to_thread(self._start))
        try:
            self._popen = await asyncio.shield(starting)
        except asyncio.CancelledError:
            self._popen = await starting  # it comes all the same, and must be known to be ended
            raise
        await self._wait_ready()

    async def end(self) -> None:
        """Ask it to end; kill it where it does not in time."""
        if not self.is_running:
            return
        self._signal(signal.SIGCONT)
        self._signal(signal.SIGTERM, to_group=False)
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await self._wait()
        except TimeoutError:
            self._signal(signal.SIGKILL)
            await self._wait()

    def kill(self) -> None:
        """End it at once, with what it started; once, since its number may be another's afterwards."""
        if self._popen is not None and not self._is_cleared:
            with suppress(ProcessLookupError):
                os.killpg(self._popen.pid, signal.SIGKILL)
            self._popen.wait(STOP_TIMEOUT_S)
            self._is_cleared = True

    def _start(self) -> subprocess.Popen[bytes]:
        program, *arguments = self.plan.command
        command = [*([sys.executable, "-m", "isocenter.app.cli"] if program == PROGRAM else [program]), *arguments]
        if self.plan.volume:
            command = command_on_volume(command, self.plan.volume, self.plan.volume_size_bytes)
        try:
            with self._log_path.open("ab") as log:
                return subprocess.Popen(
                    command,
                    cwd=self._folder,
                    env={**_inherited(os.environ), **dict(self.plan.environment)},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    preexec_fn=_end_with_parent(),  # noqa: PLW1509 - one system call, so that none outlives the scenario
                )
        except OSError as error:
            raise InvalidSetting(f"{program} cannot be started: {error.strerror}.") from error

    async def _wait_ready(self) -> None:
        if not self.plan.ready:
            return
        try:
            # Components of this machine, whose certificates nobody knows yet. Making a client takes longer than asking.
            async with (
                asyncio.timeout(READY_TIMEOUT_S),
                httpx.AsyncClient(verify=False, timeout=POLL_S * 20, trust_env=False) as client,  # noqa: S501
            ):
                while not await _is_ready(self.plan.ready, client):
                    if not self.is_running:
                        raise Unavailable(f"{self.plan.name} ended before it was ready: {self.last_words()}")
                    await asyncio.sleep(POLL_S)
        except TimeoutError as error:
            message = f"{self.plan.name} was not ready within {READY_TIMEOUT_S:.0f} s: {self.last_words()}"
            raise Unavailable(message) from error

    async def _wait(self) -> None:
        while self.is_running:
            await asyncio.sleep(POLL_S)

    def _signal(self, number: signal.Signals, *, to_group: bool = True) -> None:
        (os.killpg if to_group else os.kill)(self._process_id(), number)

    def _process_id(self) -> int:
        if self._popen is None or self._popen.poll() is not None:
            raise Unavailable(f"{self.plan.name} does not run: {self.last_words()}")
        return self._popen.pid

    def _limit_files(self, limit: int | None) -> None:
        if sys.platform != "linux":
            raise Unavailable("Writes of a process can be denied on Linux only.")
        import resource

        process_id = self._process_id()
        _, hard = resource.prlimit(process_id, resource.RLIMIT_FSIZE)
        resource.prlimit(process_id, resource.RLIMIT_FSIZE, (hard if limit is None else limit, hard))

    def last_words(self) -> str:
        """Return the end of its log, and where the rest is."""
        try:
            lines = self._log_path.read_bytes()[-_LOG_TAIL_BYTES:].decode(errors="replace").splitlines()
        except OSError:
            return "it has no log"
        told = " | ".join(line.strip() for line in lines[-5:] if line.strip()) or "it wrote nothing"
        return f"{told} (its log is {self._log_path}{self._log_hint})"


async def _is_ready(ready: str, client: httpx.AsyncClient) -> bool:
    if ready.startswith(("http://", "https://")):
        try:
            return (await client.get(ready)).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False
    endpoint = parse_endpoint(ready)
    try:
        async with asyncio.timeout(POLL_S * 20):
            _, writer = await asyncio.open_connection(endpoint.host, endpoint.port)
    except OSError:
        return False
    writer.close()
    return True


def _inherited(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without settings of a node that is not meant."""
    return {name: value for name, value in environment.items() if not name.startswith("ISOCENTER_")}


def _end_with_parent() -> Callable[[], object] | None:
    """Return what the child calls before it becomes the program; the library is loaded before the fork."""
    if sys.platform != "linux":
        return None
    return partial(ctypes.CDLL(None).prctl, _PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
