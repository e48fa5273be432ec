"""An export into a container of Azure Blob Storage, or of its emulator."""

from __future__ import annotations

from collections.abc import Iterator

import obstore

from isocenter.ports.export_sink import ExportDestination
from isocenter.storage.azure_container import (
    AzureContainer,
    container_errors,
    open_connection_string,
    open_container_url,
    remove_blob,
)

PART_BYTES = 8 * 1024**2
"""What is sent at once of a large file; a block may have far more, memory need not."""
_CHECK_PATH = ".isocenter-check"
_OURS = "of the export"


class AzureBlobSink:
    """Write blobs of one container."""

    def __init__(self, container: AzureContainer) -> None:
        self._container = container

    def check(self) -> None:
        """Write a blob and remove it again."""
        self.put(_CHECK_PATH, iter((b"",)))
        remove_blob(self._container, _CHECK_PATH, _OURS)

    def put(self, path: str, chunks: Iterator[bytes]) -> None:
        """Write a blob, whole or not at all."""
        with container_errors(_OURS):
            obstore.put(self._container.store, path, chunks, chunk_size=PART_BYTES, max_concurrency=1)

    def href(self, path: str) -> str:
        """Return the address of a blob."""
        return f"{self._container.url}/{path}"


def open_azure_blob(destination: ExportDestination) -> AzureBlobSink:
    """Return the sink of a container named by URL or by connection string. Raises InvalidRequest."""
    if destination.container_url:
        return AzureBlobSink(open_container_url(destination.container_url))
    return AzureBlobSink(open_connection_string(destination.connection_string, destination.container_name))
