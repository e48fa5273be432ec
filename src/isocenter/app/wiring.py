"""Join rooms into a node: settings in, a running archive out."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime

from isocenter.app.settings import Settings
from isocenter.archive.archive import Archive, ArchiveSettings
from isocenter.archive.intake import Intake
from isocenter.archive.metadata_cache import LARGEST_SHARE_OF_ANSWERS, MetadataCache
from isocenter.archive.recover import recover
from isocenter.dicom.dictionary import load_dictionary
from isocenter.dicomweb.codec.azure_options import AzureOptions
from isocenter.domain.outcome import DuplicatePolicy
from isocenter.ports.failpoints import failpoints_from_environment
from isocenter.storage.decoding.pool import DecodingPool
from isocenter.storage.folders import make_folder
from isocenter.storage.packs.store import LocalPackBlobStore
from isocenter.storage.sqlite.index import SqliteInstanceIndex

INDEX_FILE = "index.sqlite3"


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the time, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()


def archive_settings(settings: Settings) -> ArchiveSettings:
    """Return the archive's part of a node's settings."""
    chosen = settings.archive
    return ArchiveSettings(
        duplicate_policy=DuplicatePolicy(chosen.duplicate_policy),
        instance_size_max_bytes=chosen.instance_size_max_bytes,
        spool_threshold_bytes=chosen.spool_threshold_bytes,
        erase_after_s=chosen.erase_after_s,
        transcode_size_max_bytes=chosen.transcode_size_max_bytes,
        zeroes_preambles=chosen.preamble == "zero",
        validates_fully=settings.azure.full_item_validation == "on",
    )


def azure_options(settings: Settings) -> AzureOptions:
    """Return what an operator chose about the roots that follow Azure's service."""
    chosen = settings.azure
    return AzureOptions(
        study_mismatch_reason=int(chosen.study_mismatch_reason),
        refuses_all_with_others=chosen.include_all_with_others == "refuse",
        workitem_in_array=chosen.workitem_body == "array",
    )


@contextmanager
def open_stores(settings: Settings) -> Iterator[tuple[SqliteInstanceIndex, LocalPackBlobStore]]:
    """Open packs and index for this process alone, and close them at the end.

    Raises StorageFailed where a folder cannot be used, Conflict where another process holds it.
    """
    failpoints = failpoints_from_environment(os.environ)
    storage = settings.storage
    make_folder(storage.packs_dir)
    make_folder(storage.index_dir)
    with ExitStack() as stack:
        blobs = LocalPackBlobStore(
            storage.packs_dir,
            reserve_bytes=storage.reserve_bytes,
            pack_size_bytes=storage.pack_size_bytes,
            failpoints=failpoints,
        )
        stack.callback(blobs.close)
        index = SqliteInstanceIndex(
            storage.index_dir / INDEX_FILE, reserve_bytes=storage.reserve_bytes, failpoints=failpoints
        )
        stack.callback(index.close)
        yield index, blobs


@contextmanager
def open_archive(settings: Settings) -> Iterator[Archive]:
    """Open the archive of a data folder, repaired, with its group commit running."""
    clock = SystemClock()
    cache_size_bytes = settings.archive.metadata_cache_size_bytes
    load_dictionary()
    with open_stores(settings) as (index, blobs), DecodingPool() as decoder:
        recover(index=index, blobs=blobs, clock=clock)
        intake = Intake(
            index=index,
            blobs=blobs,
            clock=clock,
            failpoints=failpoints_from_environment(os.environ),
            erase_after_s=settings.archive.erase_after_s,
        )
        try:
            yield Archive(
                index=index,
                blobs=blobs,
                intake=intake,
                clock=clock,
                metadata_cache=MetadataCache(size_max_bytes=cache_size_bytes // 2),
                metadata_answers=MetadataCache(
                    size_max_bytes=cache_size_bytes // 2, largest_share=LARGEST_SHARE_OF_ANSWERS
                ),
                settings=archive_settings(settings),
                decoder=decoder,
                worklist=index.worklist,
                performed_steps=index.performed_steps,
                commitments=index.commitments,
                partitions=index.partitions,
                workitems=index.workitems,
                operations=index.operations,
                event_cursors=index.event_cursors,
                fhir_ledger=index.fhir_ledger,
                prefetches=index.prefetches,
                step_messages=index.step_messages,
                watched_studies=index.watched_studies,
            )
        finally:
            intake.close()
