"""The program of a decoding process: take a frame, give its samples back, until the pipe ends.

    limits on memory and files ─▶ READY ─▶ request ─▶ decode ─▶ reply ─▶ request … ─▶ end of the pipe

A frame that crashes a codec takes this process along and nothing else. Once it is ready it can open no file and no
socket; it ends when the node does, however that ends.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from collections.abc import Callable
from contextlib import suppress

import imagecodecs
import numpy as np
import orjson

from isocenter.dicom.codecs import decode_frame
from isocenter.dicom.pixels import PixelArray, PixelDescription
from isocenter.domain.errors import Refused
from isocenter.storage.decoding.messages import (
    DECODED,
    EXHAUSTED,
    READY,
    REASON_LENGTH_MAX,
    REFUSED,
    REPLY,
    REQUEST,
)

MEMORY_MAX_BYTES = 2 << 30
"""Four times the largest frame that is decoded at all: OpenJPEG keeps four bytes for each sample."""
CPU_TIME_MAX_S = 30
"""For one frame; only where a node died without a word and the system cannot say so does it take effect."""

_CODECS = ("jpeg8_decode", "jpegls_decode", "jpeg2k_decode", "jpegxl_decode")
_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_OOM_SCORE_MAX = b"1000"

Decode = Callable[[bytes, PixelDescription], PixelArray]


def main(decode: Decode = decode_frame) -> None:
    """Decode until the node closes the pipe; the first argument is the node's process id."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the node, which ends this process in its turn
    requests, replies = _take_pipes()
    _end_with(int(sys.argv[1]))
    _load_codecs()
    _confine()
    _write(replies, READY)
    while header := _read(requests, REQUEST.size):
        described, length = REQUEST.unpack(header)
        values, content = _read(requests, described), _read(requests, length)
        _limit_cpu_time()
        if not _answer(replies, decode, values, content):
            return


def _take_pipes() -> tuple[int, int]:
    """Return the pipes, and leave a codec that prints nothing but the void to print to."""
    replies = os.dup(1)
    void = os.open(os.devnull, os.O_WRONLY)
    os.dup2(void, 1)
    os.close(void)
    return 0, replies


def _end_with(node: int) -> None:
    """Have the kernel end this process when the node is gone, whatever ended it."""
    if sys.platform == "linux":
        library = ctypes.CDLL(None)
        library.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        library.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        with suppress(OSError):  # if memory runs out, this process is to go first, not the node
            _write_file("/proc/self/oom_score_adj", _OOM_SCORE_MAX)
    if os.getppid() != node:  # it was gone before the kernel was asked
        raise SystemExit


def _write_file(path: str, content: bytes) -> None:
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, content)
    finally:
        os.close(fd)


def _load_codecs() -> None:
    """Load the libraries, each of which is only loaded when its codec is first named; later no file can be opened."""
    for name in _CODECS:
        getattr(imagecodecs, name)


def _confine() -> None:
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_FSIZE, 0)
    _lower(resource.RLIMIT_NOFILE, 0)
    if sys.platform != "darwin":  # which does not know this limit
        _lower(resource.RLIMIT_AS, MEMORY_MAX_BYTES)


def _lower(limit: int, value: int) -> None:
    resource.setrlimit(limit, (value, value))


def _limit_cpu_time() -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = int(used.ru_utime + used.ru_stime) + CPU_TIME_MAX_S
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def _answer(replies: int, decode: Decode, values: bytes, content: bytes) -> bool:
    """Answer one request; tell whether this process is fit for another."""
    try:
        frame = decode(content, PixelDescription.of_values(orjson.loads(values)))
    except Refused as error:
        reason = error.message.encode()[:REASON_LENGTH_MAX]
        verdict = EXHAUSTED if isinstance(error.__cause__, MemoryError) else REFUSED
        _write(replies, REPLY.pack(verdict, len(reason)) + reason)
        return verdict == REFUSED
    _write(replies, REPLY.pack(DECODED, frame.nbytes))
    _write(replies, np.ascontiguousarray(frame).data.cast("B"))
    return True


def _read(fd: int, length: int) -> bytes:
    """Return so many bytes, or none where the pipe ended."""
    pieces: list[bytes] = []
    while length:
        piece = os.read(fd, length)
        if not piece:
            return b""
        pieces.append(piece)
        length -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _write(fd: int, data: bytes | memoryview) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


if __name__ == "__main__":
    main()
