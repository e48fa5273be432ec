"""A few processes that decode frames, started when they are first needed and replaced when a frame ends them.

caller's thread ─▶ a free process, a new one, or wait (bounded) ─▶ ask with a deadline ─▶ samples
                                                              └─▶ dead or too late: kill it, NotAcceptable
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import orjson
import structlog

from isocenter.dicom.pixels import PixelDescription
from isocenter.domain.errors import InvalidDataset, NotAcceptable, Overloaded, Unavailable
from isocenter.ports.blobs import Buffer
from isocenter.ports.frame_decoder import DecodedFrame, PixelValues
from isocenter.storage.decoding.process import Reply, WorkerLost, WorkerProcess

_log = structlog.get_logger()

WORKERS_MAX = max(2, min(os.cpu_count() or 1, 8))
"""One for each core, two at least so that a hostile frame leaves one free; beyond eight the node is the limit."""
DECODE_TIMEOUT_S = 10.0
"""The largest radiographs take two to four seconds of JPEG 2000 on a slow core; a damaged JPEG-LS frame, up to 47."""
WAIT_TIMEOUT_S = 5.0
"""Sound frames are done in milliseconds: who waits this long stands behind hostile ones and may come again."""
WAITING_MAX = 64
"""Callers that wait for a process at once, each holding a thread and a compressed frame."""
START_TIMEOUT_S = 30.0
"""A cold start on a loaded machine takes a second or two."""
FRAMES_PER_WORKER_MAX = 10_000
"""Then a process is replaced, so that what a codec leaks stays small; its start is paid back many times over."""

WORKER_COMMAND = (sys.executable, "-P", "-m", "isocenter.storage.decoding.worker")

_CANNOT_BE_DECODED = "The frame cannot be decoded."


class DecodingPool:
    """Decode compressed frames in processes with limits on time and memory."""

    def __init__(
        self,
        *,
        workers_max: int = WORKERS_MAX,
        decode_timeout_s: float = DECODE_TIMEOUT_S,
        wait_timeout_s: float = WAIT_TIMEOUT_S,
        waiting_max: int = WAITING_MAX,
        command: Sequence[str] = WORKER_COMMAND,
    ) -> None:
        self._workers_max = workers_max
        self._decode_timeout_s = decode_timeout_s
        self._wait_timeout_s = wait_timeout_s
        self._waiting_max = waiting_max
        self._command = tuple(command)
        self._changed = threading.Condition()
        self._free: list[WorkerProcess] = []
        self._all: set[WorkerProcess] = set()
        self._count = 0
        self._waiting = 0
        self._is_closed = False
        # The kernel ends a process with the thread that started it, so one thread starts them all and stays.
        self._starter = ThreadPoolExecutor(1, "decoding-starter")

    def __enter__(self) -> DecodingPool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def worker_pids(self) -> list[int]:
        """Return the processes that are there."""
        with self._changed:
            return [worker.pid for worker in self._all]

    def close(self) -> None:
        """End every process; whoever still waits for one is refused."""
        with self._changed:
            self._is_closed = True
            free, self._free = self._free, []
            busy = self._all - set(free)
            self._changed.notify_all()
        for worker in free:
            self._drop(worker)
        for worker in busy:
            worker.kill()  # whoever waits for its answer then drops it
        self._starter.shutdown()

    def decode(self, content: Buffer, description: PixelValues) -> DecodedFrame:
        """Return the samples of one frame.

        Raises NotAcceptable where it cannot be decoded within limits, Overloaded where too many wait, Unavailable where
        no process can be started.
        """
        pixels = _described(description)
        size_bytes = pixels.samples_per_frame * pixels.dtype.itemsize
        reply = self._ask(orjson.dumps(dict(description)), content, size_bytes)
        if reply.refusal:
            raise NotAcceptable(reply.refusal)
        return DecodedFrame(pixels.dtype.str, pixels.shape, reply.samples)

    def _ask(self, described: bytes, content: Buffer, size_bytes: int) -> Reply:
        worker = self._take()
        try:
            reply = worker.ask(described, content, size_bytes=size_bytes, timeout_s=self._decode_timeout_s)
        except WorkerLost:
            _log.warning("decoding.worker_lost", exit_code=worker.exit_code, frame_size_bytes=len(content))
            self._drop(worker)
            raise NotAcceptable(_CANNOT_BE_DECODED) from None
        except BaseException:
            self._drop(worker)
            raise
        if reply.is_last or worker.frames >= FRAMES_PER_WORKER_MAX:
            self._drop(worker)
        else:
            self._give_back(worker)
        return reply

    def _take(self) -> WorkerProcess:
        """Return a process that waits for work; its owner gives it back or drops it."""
        while True:
            worker = self._reserve()
            if worker is None:
                return self._start()
            if worker.exit_code is None:
                return worker
            self._drop(worker)  # it ended while nobody looked

    def _reserve(self) -> WorkerProcess | None:
        """Return a free process, or None for leave to start one; wait for either."""
        deadline = time.monotonic() + self._wait_timeout_s
        with self._changed:
            while not self._is_closed:
                if self._free:
                    return self._free.pop()
                if self._count < self._workers_max:
                    self._count += 1
                    return None
                self._wait_for_change(deadline)
        raise Unavailable

    def _wait_for_change(self, deadline: float) -> None:
        if self._waiting >= self._waiting_max or deadline <= time.monotonic():
            raise Overloaded
        self._waiting += 1
        try:
            self._changed.wait(deadline - time.monotonic())
        finally:
            self._waiting -= 1

    def _start(self) -> WorkerProcess:
        try:
            worker = self._starter.submit(WorkerProcess, self._command).result()
        except (OSError, RuntimeError) as error:  # no memory, no processes left; or closed meanwhile
            self._release_place()
            raise Unavailable("No process to decode frames can be started.") from error
        with self._changed:
            self._all.add(worker)
            is_closed = self._is_closed
        try:
            if is_closed:
                raise WorkerLost
            worker.wait_ready(timeout_s=START_TIMEOUT_S)
        except WorkerLost as error:
            _log.error("decoding.worker_not_started", exit_code=worker.exit_code)
            self._drop(worker)
            raise Unavailable("No process to decode frames can be started.") from error
        return worker

    def _give_back(self, worker: WorkerProcess) -> None:
        with self._changed:
            if not self._is_closed:
                self._free.append(worker)
                self._changed.notify()
                return
        self._drop(worker)

    def _drop(self, worker: WorkerProcess) -> None:
        """End a process that its caller owns: nobody else asks it any more."""
        with self._changed:
            self._all.discard(worker)
        worker.end()
        self._release_place()

    def _release_place(self) -> None:
        with self._changed:
            self._count -= 1
            self._changed.notify()


def _described(values: PixelValues) -> PixelDescription:
    try:
        return PixelDescription.of_values(values)
    except InvalidDataset as error:
        raise NotAcceptable(error.message) from error
