"""Where files wait to be imported: a folder or a container, and beside it the place for those that were refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ImportFile:
    """A file that waits, as it was seen."""

    path: str
    """Below the place where files wait, with slashes. It may name a patient: never into a log."""
    size_bytes: int
    version: str
    """Other content has another one."""


class ImportSource(Protocol):
    """Files that others put down to be imported."""

    @property
    def name(self) -> str:
        """Return what tells this source from others, for logs and metrics."""
        ...

    def check(self) -> None:
        """Find out whether files can be taken from here and put aside.

        Raises InvalidRequest where it is not there or denies access, Unavailable where it does not answer.
        """
        ...

    def iter_waiting(self) -> Iterator[ImportFile]:
        """Yield the files that nobody writes to any more. Raises Unavailable."""
        ...

    def iter_chunks(self, file: ImportFile) -> Iterator[bytes]:
        """Yield the content of a file. Raises NotFound where it is not there any more as it was seen, Unavailable."""
        ...

    def remove(self, file: ImportFile) -> None:
        """Remove a file, unless another has come in its place; harmless where it is gone.

        Raises InvalidRequest where that is denied, Unavailable.
        """
        ...

    def put_aside(self, file: ImportFile, message: bytes) -> None:
        """Move a file to the place of refused ones, with a message beside it, unless another came in its place.

        Raises InvalidRequest where that is denied, Unavailable, with the file still waiting.
        """
        ...

    def href(self, file: ImportFile) -> str:
        """Return the address of a file, without any secret."""
        ...
