"""A small volume for one process: a file system in memory within a mount namespace of its own, which needs no root.

Nobody else sees it; whoever fills it goes in by `/proc/PID/root`. It ends with the process, and what is on it too.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from isocenter.domain.errors import Unavailable

BALLAST = ".ballast"
PIECE_MIN_BYTES = 4096
"""A page: less cannot be taken."""
_PROGRAM = 'mkdir -p "$2" && mount -t tmpfs -o size="$1" none "$2" && shift 2 && exec "$@"'


def command_on_volume(command: Sequence[str], folder: str, size_bytes: int) -> list[str]:
    """Return a command that runs another one with a folder as a volume of its own; raise Unavailable elsewhere."""
    if sys.platform != "linux":
        raise Unavailable("A process gets a volume of its own on Linux only.")
    alone = ["unshare", "--user", "--map-root-user", "--mount", "--"]
    return [*alone, "sh", "-c", _PROGRAM, "sh", str(size_bytes), folder, *command]


def fill(process_id: int, folder: str) -> None:
    """Leave no room on the volume of a process."""
    path = _ballast(process_id, folder)
    try:
        with path.open("wb") as file:
            _take_all(file.fileno(), path)
    except OSError as error:
        raise Unavailable(f"The volume {folder} cannot be filled: {error.strerror}.") from error


def free(process_id: int, folder: str) -> None:
    """Give the room back."""
    with suppress(FileNotFoundError):
        _ballast(process_id, folder).unlink()


def _ballast(process_id: int, folder: str) -> Path:
    return Path(f"/proc/{process_id}/root") / Path(folder).relative_to("/") / BALLAST


def _take_all(descriptor: int, path: Path) -> None:
    status = os.statvfs(path)
    taken, piece = 0, status.f_bavail * status.f_frsize
    while piece >= PIECE_MIN_BYTES:
        try:
            os.posix_fallocate(descriptor, taken, piece)
            taken += piece
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            piece //= 2
