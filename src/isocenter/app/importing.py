"""Join bulk import: the sources that the settings name, each with an importer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from isocenter.app.settings import Settings
from isocenter.archive.archive import Archive
from isocenter.archive.bulk_import import IMPORTER, BulkImporter, ImportCounts, ImportOptions
from isocenter.archive.partition import begin_partition
from isocenter.domain.audit import AuditRecord
from isocenter.domain.errors import InvalidRequest, InvalidSetting
from isocenter.domain.identifiers import DEFAULT_PARTITION
from isocenter.ports.import_source import ImportSource
from isocenter.storage.sources.folder import FolderSource


@contextmanager
def running_imports(
    archive: Archive, settings: Settings, *, audit: Callable[[AuditRecord], None] | None
) -> Iterator[ImportCounts]:
    """Import for the length of a block from where the settings say. Raises InvalidSetting."""
    counts = ImportCounts()
    chosen = settings.bulk_import
    sources = list(_sources(archive, settings))
    if sources and chosen.partition != DEFAULT_PARTITION:
        _begin_partition(archive, settings)
    options = ImportOptions(chosen.partition, chosen.poll_interval_s)
    with ExitStack() as stack:
        for source in sources:
            importer = BulkImporter(archive, source, options, counts=counts, audit=audit)
            stack.callback(importer.close)
            importer.start()
        yield counts


def _sources(archive: Archive, settings: Settings) -> Iterator[ImportSource]:
    chosen = settings.bulk_import
    if chosen.dir is not None:
        require_apart(settings)
        folder = FolderSource(
            chosen.dir, chosen.errors_dir, settle_s=chosen.settle_s, monotonic_s=archive.clock.monotonic_s
        )
        try:
            folder.check()
        except InvalidRequest as error:
            raise InvalidSetting(error.message) from error
        yield folder
    if has_container(settings):
        yield open_container(settings)


def require_apart(settings: Settings) -> None:
    """Raise InvalidSetting for folders in which files would be imported again, or the node's own taken for some."""
    chosen = settings.bulk_import
    if chosen.dir is None:
        return
    watched = chosen.dir.resolve()
    if chosen.errors_dir.resolve().is_relative_to(watched):
        raise InvalidSetting("bulk_import.errors_dir lies in bulk_import.dir; name a folder outside of it.")
    if settings.data_dir.resolve().is_relative_to(watched):
        raise InvalidSetting("data_dir lies in bulk_import.dir; name a folder that holds nothing but files to import.")


def has_container(settings: Settings) -> bool:
    """Tell whether a container is to be imported from."""
    chosen = settings.bulk_import
    return bool(chosen.container_url or chosen.error_container_url or chosen.connection_string)


def open_container(settings: Settings) -> ImportSource:
    """Return the container to import from; raises InvalidSetting where the settings name none."""
    chosen = settings.bulk_import
    # Only who imports from there pays for the library.
    from isocenter.storage.azure_container import open_connection_string, open_container_url
    from isocenter.storage.sources.azure_blob import AzureBlobSource

    try:
        if chosen.connection_string:
            source = open_connection_string(chosen.connection_string, chosen.container)
            return AzureBlobSource(source, open_connection_string(chosen.connection_string, chosen.error_container))
        return AzureBlobSource(open_container_url(chosen.container_url), open_container_url(chosen.error_container_url))
    except InvalidRequest as error:
        raise InvalidSetting(
            "Bulk import needs bulk_import.connection_string, or bulk_import.container_url and "
            "bulk_import.error_container_url, as addresses of containers."
        ) from error


def _begin_partition(archive: Archive, settings: Settings) -> None:
    if settings.azure.partitions == "off":
        raise InvalidSetting("bulk_import.partition needs azure.partitions to be on.")
    try:
        begin_partition(archive, IMPORTER, settings.bulk_import.partition)
    except InvalidRequest as error:
        raise InvalidSetting(f"bulk_import.partition: {error.message}") from error
