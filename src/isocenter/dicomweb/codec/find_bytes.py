"""Find a few bytes in many: by the C library where it can, which looks four times as fast as `bytes.find`."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

_LONG_BYTES = 16 * 1024
"""From here on the call into the library costs less than it saves."""


def _load_memmem() -> Callable[..., int | None] | None:
    try:
        memmem = ctypes.CDLL(None).memmem
    except (AttributeError, OSError, TypeError):  # not every system has it, or a library of the process
        return None
    memmem.restype = ctypes.c_void_p
    memmem.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t)
    return memmem


_memmem = _load_memmem()


def find_bytes(content: bytes, wanted: bytes, start: int) -> int:
    """Return where `wanted`, which is not empty, begins in content from `start` on, or -1: as `bytes.find` does."""
    length = len(content) - start
    if _memmem is None or length < _LONG_BYTES:
        return content.find(wanted, start)
    address = ctypes.cast(ctypes.c_char_p(content), ctypes.c_void_p).value
    assert address is not None
    found = _memmem(address + start, length, wanted, len(wanted))
    return -1 if found is None else found - address
