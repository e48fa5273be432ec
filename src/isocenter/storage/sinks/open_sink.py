"""From a destination to its sink."""

from __future__ import annotations

from pathlib import Path

from isocenter.domain.errors import InvalidRequest
from isocenter.ports.export_sink import ExportDestination, ExportSink
from isocenter.storage.sinks.folder import FolderSink


class SinkFolder:
    """Open sinks: folders below one that the operator named, and containers of Azure Blob Storage."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, destination: ExportDestination) -> ExportSink:
        """Return the sink of a destination. Raises InvalidRequest where it names none."""
        if destination.folder:
            return FolderSink(self._below(destination.folder))
        from isocenter.storage.sinks.azure_blob import open_azure_blob  # only who exports there pays for the library

        return open_azure_blob(destination)

    def _below(self, name: str) -> Path:
        top = self._folder.resolve()
        folder = top if "\0" in name else (top / name).resolve()
        if "\0" in name or not folder.is_relative_to(top):
            raise InvalidRequest("The folder of an export lies below the node's folder for exports.")
        return folder
