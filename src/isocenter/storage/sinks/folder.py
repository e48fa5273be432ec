"""An export into a folder of this machine."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from isocenter.domain.errors import InvalidRequest
from isocenter.storage.folders import make_folder, sync_folder
from isocenter.storage.packs.volume import storage_errors


class FolderSink:
    """Write files below a folder; each appears when it is whole and durable."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def check(self) -> None:
        """Make the folder, and find out whether it can be written to."""
        make_folder(self._folder)
        if not os.access(self._folder, os.W_OK):
            raise InvalidRequest("The folder of exports cannot be written to.")

    def put(self, path: str, chunks: Iterator[bytes]) -> None:
        """Write a file, whole or not at all."""
        target = self._folder / path
        partial = target.with_name(f"{target.name}.{secrets.token_hex(4)}.part")
        with storage_errors():
            make_folder(target.parent)
            try:
                with partial.open("xb") as file:
                    for chunk in chunks:
                        file.write(chunk)
                    file.flush()
                    os.fsync(file.fileno())
                partial.replace(target)
            except BaseException:
                partial.unlink(missing_ok=True)
                raise
            sync_folder(target.parent)

    def href(self, path: str) -> str:
        """Return the address of a file."""
        return (self._folder / path).as_uri()
