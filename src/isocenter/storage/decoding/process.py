"""One decoding process as the node sees it: start it, ask it with a deadline, end it."""

from __future__ import annotations

import fcntl
import os
import select
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from isocenter.ports.blobs import Buffer
from isocenter.storage.decoding.messages import (
    DECODED,
    EXHAUSTED,
    READY,
    REASON_LENGTH_MAX,
    REFUSED,
    REPLY,
    REQUEST,
)

PIPE_SIZE_BYTES = 1 << 20
"""The most that Linux gives an ordinary user: a CT slice crosses in one go instead of eight."""
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
"""Libraries else start a thread for each core, with memory for each."""


class WorkerLost(Exception):
    """The process died, took too long or answered what it must not."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The samples, or the reason why there are none."""

    samples: bytes | bytearray = b""
    refusal: str = ""
    is_last: bool = False
    """The process ran out of memory and ended after this answer."""


class WorkerProcess:
    """A process that decodes one frame at a time."""

    def __init__(self, command: Sequence[str]) -> None:
        """Start it; the caller's thread must live as long as it, for the kernel ends it with that thread."""
        self._popen = subprocess.Popen(
            [*command, str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # codecs print what a hostile frame makes them print
            env={**os.environ, **_ONE_THREAD},
            bufsize=0,
        )
        self.frames = 0
        """How many it was asked for."""
        self._requests = _prepare(self._popen.stdin)
        self._replies = _prepare(self._popen.stdout)

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self._popen.pid

    @property
    def exit_code(self) -> int | None:
        """Return how it ended, None while it lives."""
        return self._popen.poll()

    def wait_ready(self, *, timeout_s: float) -> None:
        """Wait until it takes requests; raise WorkerLost where it does not come to that."""
        if self._receive(len(READY), time.monotonic() + timeout_s) != READY:
            raise WorkerLost

    def ask(self, described: bytes, content: Buffer, *, size_bytes: int, timeout_s: float) -> Reply:
        """Have a frame decoded to exactly so many bytes; raise WorkerLost where that does not succeed in time."""
        deadline = time.monotonic() + timeout_s
        self.frames += 1
        self._send(REQUEST.pack(len(described), len(content)) + described, deadline)
        self._send(content, deadline)
        verdict, length = REPLY.unpack(self._receive(REPLY.size, deadline))
        if verdict == DECODED and length == size_bytes:
            return Reply(samples=self._receive(length, deadline))
        if verdict in (REFUSED, EXHAUSTED) and length <= REASON_LENGTH_MAX:
            text = self._receive(length, deadline).decode("ascii", "replace")
            refusal = "".join(filter(str.isprintable, text)) or "The frame is damaged."
            return Reply(refusal=refusal, is_last=verdict == EXHAUSTED)
        raise WorkerLost

    def kill(self) -> None:
        """Have it die, so that whoever asks it learns of it; `end` is still to be called."""
        self._popen.kill()

    def end(self) -> None:
        """End it at once; it holds nothing that would be lost."""
        self._popen.kill()
        self._popen.wait()
        for pipe in (self._popen.stdin, self._popen.stdout):
            if pipe is not None:
                pipe.close()

    def _send(self, data: Buffer, deadline: float) -> None:
        view = memoryview(data).cast("B") if len(data) else memoryview(b"")
        while view:
            try:
                view = view[os.write(self._requests, view) :]
            except BlockingIOError:
                _wait(self._requests, select.POLLOUT, deadline)
            except BrokenPipeError as error:
                raise WorkerLost from error

    def _receive(self, length: int, deadline: float) -> bytearray:
        data = bytearray(length)
        view = memoryview(data)
        while view:
            try:
                count = os.readv(self._replies, [view])
            except BlockingIOError:
                _wait(self._replies, select.POLLIN, deadline)
                continue
            if not count:
                raise WorkerLost
            view = view[count:]
        return data


def _prepare(pipe: object) -> int:
    fd: int = pipe.fileno()  # type: ignore[attr-defined]  # the pipes of a Popen that was asked for them
    os.set_blocking(fd, False)
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with suppress(OSError):  # the user may have as many large pipes as allowed already; a small one does too
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, PIPE_SIZE_BYTES)
    return fd


def _wait(fd: int, event: int, deadline: float) -> None:
    """Wait until a pipe can be used, or its other end is gone; raise WorkerLost at the deadline."""
    poll = select.poll()
    poll.register(fd, event)
    remaining_s = deadline - time.monotonic()
    if remaining_s <= 0 or not poll.poll(remaining_s * 1000):
        raise WorkerLost
