"""One value of an instance, as metadata refers to it by BulkDataURI."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from isocenter.archive.archive import Archive
from isocenter.archive.retrieve import STREAM_CHUNK_BYTES, open_frames, read_header
from isocenter.dicom import bulk
from isocenter.domain.errors import NotFound
from isocenter.ports.index import InstanceRow


@dataclass(frozen=True, slots=True)
class BulkValue:
    """A value: its length, and how to read it."""

    length: int | None
    read: Callable[[], Iterator[bytes]]
