"""Secrets of operations in files of their own, which nobody else on the machine can read."""

from __future__ import annotations

import os
from pathlib import Path

from isocenter.storage.folders import make_folder, sync_folder
from isocenter.storage.packs.volume import storage_errors


class SecretFiles:
    """Keep one file for each operation that needs a secret."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, operation_id: str, content: bytes) -> None:
        """Keep a secret, durably."""
        with storage_errors():
            make_folder(self._folder)
            fd = os.open(self._path(operation_id), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            sync_folder(self._folder)

    def get(self, operation_id: str) -> bytes | None:
        """Return a secret, None where there is none."""
        with storage_errors():
            try:
                return self._path(operation_id).read_bytes()
            except FileNotFoundError:
                return None

    def remove(self, operation_id: str) -> None:
        """Forget a secret; harmless where there is none."""
        with storage_errors():
            self._path(operation_id).unlink(missing_ok=True)

    def _path(self, operation_id: str) -> Path:
        return self._folder / f"{operation_id}.secret"
