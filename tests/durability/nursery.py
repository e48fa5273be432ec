"""Nodes that start in a tenth of a second, so that a test can kill hundreds of them.

A process of its own imports the program once and forks a child for each node; the child runs the command line as a
shell would have started it. It has no threads and no open stores when it forks, so that a child is a fresh program.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from tests.support.processes import START_TIMEOUT_S, STOP_TIMEOUT_S, answers_ok, free_port
from tests.support.shared_data import REPOSITORY

POLL_S = 0.02
FREEZE_POLL_S = 0.001
STOPPED = "T"
LOG_TAIL_BYTES = 4000
PR_SET_PDEATHSIG = 1


class EndedEarly(Exception):
    """A program ended before it was ready."""


@dataclass(frozen=True, slots=True)
class Archive:
    """Where a node keeps its things, and the settings that every start of it gets."""

    data_dir: Path
    settings: Mapping[str, str]

    def arguments(self) -> list[str]:
        """Return what each command gets to find this archive."""
        assignments = [part for name, value in self.settings.items() for part in ("--set", f"{name}={value}")]
        return ["--data-dir", str(self.data_dir), *assignments]

    @property
    def log_path(self) -> Path:
        """Return where the programs that work on it write what they have to say."""
        return self.data_dir.with_name(self.data_dir.name + ".log")

    def log(self) -> str:
        """Return the last part of that."""
        return self.log_path.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace")


class Child:
    """A program that the nursery started."""

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self.pid = pid
        self._nursery = nursery
        self._pidfd = os.pidfd_open(pid)
        self._code: int | None = None

    def is_alive(self) -> bool:
        """Tell whether it still runs."""
        return self._code is None and not select.select([self._pidfd], [], [], 0)[0]

    def wait(self, timeout_s: float) -> int:
        """Wait for its end and return its exit code, negative for a signal; kill it and fail if it does not end."""
        if self._code is None:
            if not select.select([self._pidfd], [], [], timeout_s)[0]:
                self.kill()
                raise AssertionError(f"it did not end within {timeout_s:.0f} s")
            self._code = self._nursery.reap(self.pid)
            os.close(self._pidfd)
        return self._code

    def kill(self) -> None:
        """End it at once and wait until it is gone."""
        if self._code is None:
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
            self.wait(STOP_TIMEOUT_S)

    def freeze(self) -> None:
        """Stop every thread of it where it is; a system call that is under way ends first."""
        signal.pidfd_send_signal(self._pidfd, signal.SIGSTOP)
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while any(state != STOPPED for state in self._iter_thread_states()):
            assert time.monotonic() < deadline, "a thread did not stop"
            time.sleep(FREEZE_POLL_S)

    def _iter_thread_states(self) -> Iterator[str]:
        for status in Path(f"/proc/{self.pid}/task").glob("*/stat"):
            yield status.read_text().rpartition(")")[2].split()[0]  # proc(5): the name in brackets may hold anything

    def terminate(self) -> int:
        """Ask it to end; return its exit code."""
        if self._code is None:
            signal.pidfd_send_signal(self._pidfd, signal.SIGTERM)
        return self.wait(STOP_TIMEOUT_S)


@dataclass(frozen=True, slots=True)
class Node:
    """A node that the nursery started."""

    child: Child
    archive: Archive
    base_url: str

    @property
    def dicomweb_url(self) -> str:
        """Return the root of the DICOMweb service."""
        return f"{self.base_url}/dicom-web"

    def is_ready(self) -> bool:
        """Tell whether it says that it takes requests."""
        return answers_ok(f"{self.base_url}/health/ready")

    def wait_ready(self) -> None:
        """Wait until it is ready; raise EndedEarly where it ends before."""
        self.wait_until(self.is_ready, timeout_s=START_TIMEOUT_S)

    def wait_until(self, has_happened: Callable[[], bool], *, timeout_s: float) -> None:
        """Wait for something; raise EndedEarly where the node ends before."""
        deadline = time.monotonic() + timeout_s
        while not has_happened():
            if not self.child.is_alive():
                raise EndedEarly(f"code {self.child.wait(STOP_TIMEOUT_S)}:\n{self.archive.log()}")
            if time.monotonic() > deadline:
                raise AssertionError(f"it did not happen within {timeout_s:.0f} s:\n{self.archive.log()}")
            time.sleep(POLL_S)

    def stop(self) -> None:
        """End it as an operator would; it must end cleanly."""
        code = self.child.terminate()
        assert code == 0, f"SIGTERM ended it with code {code}:\n{self.archive.log()}"


class Nursery:
    """Start programs of ours by fork."""

    def __init__(self, popen: subprocess.Popen[str]) -> None:
        self._popen = popen
        self._lock = threading.Lock()
        self._children: list[Child] = []

    def start(
        self,
        arguments: Sequence[str],
        *,
        log_path: Path,
        environment: Mapping[str, str] | None = None,
        mutant: str = "",
    ) -> Child:
        """Start `isocenter` with arguments; `mutant` names a fault that is built in (`mutants.py`)."""
        order = {
            "arguments": list(arguments),
            "log_path": str(log_path),
            "environment": dict(environment or {}),
            "mutant": mutant,
        }
        child = Child(self, self._ask(order))
        self._children.append(child)
        return child

    def reap(self, pid: int) -> int:
        """Return the exit code of a program that ended."""
        return os.waitstatus_to_exitcode(self._ask({"reap": pid}))

    def _ask(self, order: Mapping[str, object]) -> int:
        stdin, stdout = self._popen.stdin, self._popen.stdout
        assert stdin is not None
        assert stdout is not None
        with self._lock:
            stdin.write(json.dumps(order) + "\n")
            stdin.flush()
            return int(stdout.readline())

    def serve(self, archive: Archive, *, failpoints: str = "", mutant: str = "", further: Sequence[str] = ()) -> Node:
        """Start a node on an archive, with further arguments; it may not be ready yet."""
        address = f"127.0.0.1:{free_port()}"
        child = self.start(
            ["serve", *archive.arguments(), "--http", address, "--auth", "off", *further],
            log_path=archive.log_path,
            environment={"ISOCENTER_FAILPOINTS": failpoints},
            mutant=mutant,
        )
        return Node(child, archive, f"http://{address}")

    @contextlib.contextmanager
    def serving(self, archive: Archive, *, failpoints: str = "", mutant: str = "") -> Iterator[Node]:
        """Run a node until the block ends; it is ready, and killed if the block did not end it."""
        node = self.serve(archive, failpoints=failpoints, mutant=mutant)
        try:
            node.wait_ready()
            yield node
        finally:
            node.child.kill()

    def run(self, archive: Archive, *arguments: str, output_path: Path | None = None) -> int:
        """Run a command on an archive to its end and return its exit code."""
        output = output_path or archive.log_path
        child = self.start([arguments[0], *archive.arguments(), *arguments[1:]], log_path=output)
        return child.wait(START_TIMEOUT_S * 2)

    def end_children(self) -> None:
        """Kill what still runs."""
        for child in self._children:
            child.kill()
        self._children.clear()


@contextlib.contextmanager
def open_nursery() -> Iterator[Nursery]:
    """Run a nursery until the block ends; every program that it started ends with it."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ISOCENTER_")}
    popen = subprocess.Popen(
        [sys.executable, "-m", "tests.durability.nursery"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
        env={**inherited, "OPENBLAS_NUM_THREADS": "1", "NO_COLOR": "1"},
    )
    nursery = Nursery(popen)
    try:
        yield nursery
    finally:
        nursery.end_children()
        popen.communicate(timeout=STOP_TIMEOUT_S)


def main() -> None:
    """Fork a program for each line of orders; end with the input."""
    import isocenter.app.cli.reindex
    import isocenter.app.cli.scrub
    import isocenter.app.cli.serve
    import isocenter.app.offline
    import isocenter.app.serve  # noqa: F401 - so that a child has nothing left to import

    assert threading.active_count() == 1, "a fork would lose threads"
    for line in sys.stdin:
        order = json.loads(line)
        if "reap" in order:
            print(os.waitpid(order["reap"], 0)[1], flush=True)  # noqa: T201 - the answer
            continue
        pid = os.fork()
        if pid == 0:
            _become(order)
        print(pid, flush=True)  # noqa: T201 - the answer


def _become(order: Mapping[str, object]) -> NoReturn:
    """Be the program that an order names."""
    from isocenter.app.cli import main as run_command
    from tests.durability.mutants import MUTANTS

    os.setsid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    null = os.open(os.devnull, os.O_RDONLY)
    log = os.open(str(order["log_path"]), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for source, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.environ.update(order["environment"])  # type: ignore[call-overload]
    arguments = order["arguments"]
    assert isinstance(arguments, list)
    if order["mutant"]:
        MUTANTS[str(order["mutant"])]()
    sys.argv = ["isocenter", *arguments]
    code = 1
    try:
        run_command()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
