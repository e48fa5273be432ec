"""A decoding process that does what the first bytes of a frame say; other frames it decodes.

It is started as a file, by its path, as the pool starts its own program.
"""

from __future__ import annotations

import os
import signal
import socket

import imagecodecs
import numpy as np

from isocenter.dicom.codecs import decode_frame
from isocenter.dicom.pixels import PixelArray, PixelDescription
from isocenter.domain.errors import InvalidDataset, NotAcceptable
from isocenter.storage.decoding.worker import MEMORY_MAX_BYTES, main

CRASH = b"crash"
WAIT = b"wait"
HOLD_CHARLS = b"hold"
"""What follows is given to CharLS without a look at it; a JPEG-LS frame that is cut off holds it for many seconds."""
LIE = b"lie"
EXIT = b"exit"
GRAB_MEMORY = b"grab"
BREAK_OUT = b"out"


def decode(content: bytes, description: PixelDescription) -> PixelArray:
    """Do what the frame says."""
    if content.startswith(CRASH):
        os.kill(os.getpid(), signal.SIGSEGV)
    if content.startswith(EXIT):
        raise SystemExit
    if content.startswith(WAIT):
        signal.pause()
    if content.startswith(HOLD_CHARLS):
        return np.asarray(imagecodecs.jpegls_decode(content.removeprefix(HOLD_CHARLS)))
    if content.startswith(LIE):
        return np.zeros(3, np.uint8)
    if content.startswith(GRAB_MEMORY):
        return _grab_memory()
    if content.startswith(BREAK_OUT):
        return _break_out(description)
    return decode_frame(content, description)


def _grab_memory() -> PixelArray:
    try:
        return np.zeros(MEMORY_MAX_BYTES, np.uint8)
    except MemoryError as error:
        raise InvalidDataset("There is no memory for it.") from error


def _break_out(description: PixelDescription) -> PixelArray:
    """Return black where neither a file nor a socket can be opened."""
    for way in (lambda: os.open(os.devnull, os.O_RDONLY), socket.socket, os.pipe):
        try:
            way()
        except OSError:
            continue
        raise NotAcceptable("Found a way out.")
    return np.zeros(description.shape, description.dtype)


if __name__ == "__main__":
    main(decode)
