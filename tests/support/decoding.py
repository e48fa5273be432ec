"""Frames for the tests of decoding processes, and how to see that a process is gone."""

from __future__ import annotations

import os
import select
import sys
from pathlib import Path

import imagecodecs
import numpy as np

from isocenter.dicom.pixels import PixelArray
from isocenter.ports.frame_decoder import DecodedFrame, PixelValues
from tests.support import treacherous_worker
from tests.support.hostile_frames import GREY, describe

TREACHEROUS = (sys.executable, treacherous_worker.__file__ or "")
"""The command of a process that does what a frame says."""
SOUND = bytes(imagecodecs.jpegls_encode(GREY))
GREY_VALUES: PixelValues = describe(GREY, "4.80").as_values()
HOLDS_CHARLS = treacherous_worker.HOLD_CHARLS + SOUND[:108]
"""Cut off behind its header: CharLS counts until an integer wraps. The end marker that is missing makes our decoder
refuse it before; no frame with one was found that does the same."""

_GONE_TIMEOUT_S = 30.0


def wait_until_gone(pid: int) -> None:
    """Wait until a process has ended; fail if it does not."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        assert poll.poll(_GONE_TIMEOUT_S * 1000), f"the process {pid} is still there"
    finally:
        os.close(fd)


def children_of(pid: int) -> list[int]:
    """Return the processes that any thread of a process started."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def pixels_of(frame: DecodedFrame) -> PixelArray:
    """Return a decoded frame as an array."""
    return np.frombuffer(frame.content, frame.dtype).reshape(frame.shape)
