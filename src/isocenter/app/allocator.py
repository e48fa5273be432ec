"""Memory of a long-running node: freed buffers are kept for the next, what a start made is not looked through again.

glibc gives the top of its heap back once 128 KiB of it are free, so that a stream of one-megabyte chunks faults every
page in anew: measured, keeping it makes the retrieval of a study 1.7 times as fast. What is kept is bounded.

Python's collector looks at every object now and then. Tables, routes and modules of a node stay as long as it runs;
a look at all of them held one in a hundred searches up for 30 ms.
"""

from __future__ import annotations

import ctypes
import gc
import platform

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h
KEPT_MAX_BYTES = 64 * 1024**2
"""Freed memory at the top of a heap that is kept: the chunks of some tens of transfers."""
FROM_HEAP_MAX_BYTES = 32 * 1024**2
"""Larger blocks are mapped on their own; the highest value that glibc takes."""


def keep_freed_memory() -> None:
    """Set the thresholds of glibc; elsewhere do nothing."""
    if platform.libc_ver()[0] != "glibc":
        return
    mallopt = ctypes.CDLL(None).mallopt
    mallopt(_M_TRIM_THRESHOLD, KEPT_MAX_BYTES)
    mallopt(_M_MMAP_THRESHOLD, FROM_HEAP_MAX_BYTES)


def exempt_from_collection() -> None:
    """Leave out of every later collection what is there now; for when all that stays has been made."""
    gc.collect()
    gc.freeze()
