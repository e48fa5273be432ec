"""A small file that is whole or not there: written beside its place, synced, put into it."""

from __future__ import annotations

import os
from pathlib import Path

from isocenter.domain.errors import StorageFailed
from isocenter.storage.folders import make_folder, sync_folder


def replace_file(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Put content in the place of a file, durably; raises StorageFailed with the file as it was."""
    partial = path.with_name(f".{path.name}.part")
    try:
        make_folder(path.parent)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
        sync_folder(path.parent)
    except OSError as error:
        raise StorageFailed(f"{path} cannot be written: {error.strerror}.") from error
