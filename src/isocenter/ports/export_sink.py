"""Where an export goes: a folder, or a container of an object store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol


class ExportSink(Protocol):
    """Take the files of an export."""

    def check(self) -> None:
        """Find out whether anything can be written there.

        Raises InvalidRequest where it is not there or denies access, PeerUnreachable where it does not answer.
        """
        ...

    def put(self, path: str, chunks: Iterator[bytes]) -> None:
        """Write a file, whole or not at all, in the place of one that is there.

        Raises InvalidRequest where it is denied, StorageFull or Unavailable where it may work later.
        """
        ...

    def href(self, path: str) -> str:
        """Return the address of a file, without any secret."""
        ...


@dataclass(frozen=True, slots=True)
class ExportDestination:
    """Where a caller wants an export, as it was asked for."""

    container_url: str = ""
    """Of a container of Azure Blob Storage, perhaps with a shared access signature."""
    connection_string: str = ""
    container_name: str = ""
    uses_managed_identity: bool = False
    folder: str = ""
    """A folder below the node's own folder for exports."""


class SinkOpener(Protocol):
    """Opens the sink of a destination."""

    def __call__(self, destination: ExportDestination) -> ExportSink:
        """Return the sink. Raises InvalidRequest where the destination names none."""
        ...


class OperationSecrets(Protocol):
    """Keeps what an operation needs and nobody may see, for as long as it runs."""

    def put(self, operation_id: str, content: bytes) -> None:
        """Keep a secret, durably."""
        ...

    def get(self, operation_id: str) -> bytes | None:
        """Return a secret, None where there is none."""
        ...

    def remove(self, operation_id: str) -> None:
        """Forget a secret; harmless where there is none."""
        ...
