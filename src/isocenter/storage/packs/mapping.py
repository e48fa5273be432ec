"""A blob as if it were in memory: mapped from its pack, so that only the pages that are looked at are read."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from isocenter.domain.errors import CorruptInstance
from isocenter.ports.blobs import BlobAddress


@contextmanager
def mapped_blob(fd: int, address: BlobAddress) -> Iterator[memoryview]:
    """Lend a blob's bytes, unverified, for the length of a block.

    Raises CorruptInstance where the pack ends before the blob does.
    """
    beside = address.offset % mmap.ALLOCATIONGRANULARITY
    try:
        mapping = mmap.mmap(fd, beside + address.length, prot=mmap.PROT_READ, offset=address.offset - beside)
    except ValueError as error:
        raise CorruptInstance("The pack ends before the instance does.") from error
    whole = memoryview(mapping)
    view = whole[beside:]
    try:
        yield view
    finally:
        with suppress(BufferError):  # a slice is still held, by the frames of an error; the mapping goes with it
            view.release()
            whole.release()
            mapping.close()
