"""A node in a process of its own, for the length of a block."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx

from isocenter.app.setting_kinds import Address
from isocenter.domain.errors import Unavailable

START_TIMEOUT_S = 60.0
"""A cold start on a slow disk, with a tail of packs to repair."""
STOP_TIMEOUT_S = 30.0
"""Running requests may take twenty seconds to end."""
POLL_S = 0.1
LOG_TAIL_LINES = 5
PORTS_TRIED_MAX = 50
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class ChildNode:
    """A running node."""

    process: subprocess.Popen[bytes]
    base_url: str
    log_path: Path

    def wait(self) -> None:
        """Wait until it ends; raise Unavailable when it did, for nobody asked it to."""
        self.process.wait()
        raise Unavailable(f"The node ended by itself: {_tail(self.log_path)}")


def free_port(host: str, first: int) -> int:
    """Return the first port from a number on that nobody listens on."""
    for port in range(first, min(first + PORTS_TRIED_MAX, 65536)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    raise Unavailable(f"No port from {first} on is free; choose another with --port.")


@contextmanager
def running_node(data_dir: Path, listen: Address) -> Iterator[ChildNode]:
    """Run a node on a data folder, ready to take requests, until the block ends."""
    data_dir.mkdir(parents=True, exist_ok=True)
    log_path = data_dir / "node.log"
    command = [sys.executable, "-m", "isocenter.app.cli", "serve"]
    with log_path.open("ab") as log:
        process = subprocess.Popen(
            [*command, "--data-dir", str(data_dir), "--http", str(listen), "--auth", "off"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_end_with_parent(),  # noqa: PLW1509 - one system call, so that a node never outlives its demo
        )
    node = ChildNode(process, f"http://{listen}", log_path)
    try:
        _wait_ready(node)
        yield node
    finally:
        _stop(process)


def _wait_ready(node: ChildNode) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{node.base_url}/health/ready", timeout=POLL_S * 20).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        try:
            node.process.wait(POLL_S)
        except subprocess.TimeoutExpired:
            continue
        raise Unavailable(f"The node did not start: {_tail(node.log_path)}")
    raise Unavailable(f"The node was not ready within {START_TIMEOUT_S:.0f} s: {_tail(node.log_path)}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _tail(log_path: Path) -> str:
    lines = log_path.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
    return " | ".join(line.strip() for line in lines if line.strip()) + f" (all of it is in {log_path})"


def _end_with_parent() -> Callable[[], object] | None:
    """Return what the child calls before it becomes the node; the library is loaded before the fork."""
    if sys.platform != "linux":
        return None
    return partial(ctypes.CDLL(None).prctl, _PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
