"""What the packs ask of the operating system beyond `os`: early write-back, holes, folder sync, error mapping."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from isocenter.domain.errors import StorageFailed, StorageFull, Unavailable

_SYNC_FILE_RANGE_WRITE = 2
_FALLOC_FL_KEEP_SIZE = 1
_FALLOC_FL_PUNCH_HOLE = 2
_ZERO_CHUNK_BYTES = 1 << 20
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_UNSUPPORTED = frozenset({errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})


def unavailable(error: OSError) -> Unavailable:
    """Return the domain's error for one of the operating system: full or failed."""
    return StorageFull() if error.errno in _FULL else StorageFailed()


@contextmanager
def storage_errors() -> Iterator[None]:
    """Turn errors of the operating system into the domain's."""
    try:
        yield
    except OSError as error:
        raise unavailable(error) from error


class Volume:
    """System calls of Linux that Python does not offer, each with a way out where they are missing."""

    def __init__(self) -> None:
        library = ctypes.CDLL(None, use_errno=True)
        self._sync_file_range = _function(library, "sync_file_range", [ctypes.c_int64, ctypes.c_int64, ctypes.c_uint])
        self._fallocate = _function(library, "fallocate", [ctypes.c_int, ctypes.c_int64, ctypes.c_int64])

    def start_write_back(self, fd: int, offset: int, length: int) -> None:
        """Have the kernel begin to write a range, so that the sync that follows is short; harmless where it cannot."""
        if self._sync_file_range is not None:
            self._sync_file_range(fd, offset, length, _SYNC_FILE_RANGE_WRITE)

    def erase_range(self, fd: int, offset: int, length: int) -> None:
        """Give a range back to the volume; overwrite it with zeros where holes are not supported."""
        if length and not self._punch(fd, offset, length):
            _overwrite(fd, offset, length)

    def _punch(self, fd: int, offset: int, length: int) -> bool:
        if self._fallocate is None:
            return False
        if self._fallocate(fd, _FALLOC_FL_PUNCH_HOLE | _FALLOC_FL_KEEP_SIZE, offset, length) == 0:
            return True
        number = ctypes.get_errno()
        if number in _UNSUPPORTED:
            return False
        raise OSError(number, os.strerror(number))


def _function(library: ctypes.CDLL, name: str, types: list[type]) -> Callable[..., int] | None:
    try:
        function = library[name]
    except AttributeError:
        return None
    function.argtypes = [ctypes.c_int, *types]
    function.restype = ctypes.c_int
    return function


def _overwrite(fd: int, offset: int, length: int) -> None:
    zeros = bytes(min(length, _ZERO_CHUNK_BYTES))
    end = offset + length
    while offset < end:
        offset += os.pwrite(fd, memoryview(zeros)[: end - offset], offset)


def write_all(fd: int, data: bytes | memoryview, offset: int) -> None:
    """Write every byte at an offset."""
    view = memoryview(data)
    while view:
        written = os.pwrite(fd, view, offset)
        view = view[written:]
        offset += written


def write_vectors(fd: int, vectors: list[bytes | memoryview], offset: int) -> int:
    """Write every byte of some vectors at an offset, in as few calls as the system allows; return the offset behind."""
    limit = os.sysconf("SC_IOV_MAX")
    while vectors:
        written = os.pwritev(fd, vectors[:limit], offset)
        offset += written
        vectors = _behind(vectors, written)
    return offset


def _behind(vectors: list[bytes | memoryview], written: int) -> list[bytes | memoryview]:
    for index, vector in enumerate(vectors):
        if written < len(vector):
            return [memoryview(vector)[written:], *vectors[index + 1 :]]
        written -= len(vector)
    return []


def free_bytes(fd: int) -> int:
    """Return how much an ordinary user could still write to the volume of a file."""
    status = os.fstatvfs(fd)
    return status.f_bavail * status.f_frsize
