"""One large blob on its way to a pack of its own: bytes to disk as they come, visible only when sealed."""

from __future__ import annotations

import mmap
import os
import secrets
from collections.abc import Callable
from contextlib import suppress

from isocenter.domain.errors import InvalidRequest, StorageFailed, StorageFull
from isocenter.ports.blobs import BlobAddress, BlobLabel, Buffer
from isocenter.ports.failpoints import Failpoints
from isocenter.storage.digests import BlockDigester, digest_of_digests
from isocenter.storage.packs.folder import PackFolder
from isocenter.storage.packs.layout import (
    HEADER_SIZE_MAX_BYTES,
    PACK_HEADER_SIZE_BYTES,
    PackHeader,
    PackKind,
    encode_label,
    encode_pack_header,
    encode_record_header,
)
from isocenter.storage.packs.volume import Volume, free_bytes, storage_errors, write_all

PAYLOAD_OFFSET = PACK_HEADER_SIZE_BYTES + HEADER_SIZE_MAX_BYTES
WRITE_BACK_BYTES = 8 << 20
"""Write-back starts every 8 MiB, so that the sync at the end waits for little more than that."""


class LocalPackSpool:
    """Write one large blob."""

    def __init__(
        self,
        folder: PackFolder,
        volume: Volume,
        *,
        reserve_bytes: int,
        failpoints: Failpoints,
        take_number: Callable[[], int],
        on_failed: Callable[[], None],
    ) -> None:
        self._folder = folder
        self._volume = volume
        self._reserve_bytes = reserve_bytes
        self._failpoints = failpoints
        self._take_number = take_number
        self._on_failed = on_failed
        self._digester = BlockDigester()
        self._length = 0
        self._started = 0
        self._views: list[tuple[memoryview, mmap.mmap]] = []
        self._path = folder.partial_path()
        with storage_errors():
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            self._require_room()
        except StorageFull:
            self.discard()
            raise

    def write(self, chunk: Buffer) -> None:
        """Append a chunk."""
        self._require_open()
        view = memoryview(chunk).cast("B")
        self._digester.update(view)
        try:
            with storage_errors():
                write_all(self._fd, view, PAYLOAD_OFFSET + self._length)
                self._failpoints.hit("spool.mid_write")
        except StorageFailed:
            self._on_failed()
            raise
        self._length += len(view)
        if self._length - self._started >= WRITE_BACK_BYTES:
            self._write_back()

    def _write_back(self) -> None:
        self._volume.start_write_back(self._fd, PAYLOAD_OFFSET + self._started, self._length - self._started)
        self._started = self._length
        self._require_room()

    def _require_room(self) -> None:
        with storage_errors():
            if self._reserve_bytes and free_bytes(self._fd) < self._reserve_bytes:
                raise StorageFull()

    def view(self) -> memoryview:
        """Return what was written so far as a read-only mapping; released by seal or discard."""
        self._require_open()
        if not self._length:
            return memoryview(b"")
        mapping = mmap.mmap(self._fd, self._length, prot=mmap.PROT_READ, offset=PAYLOAD_OFFSET)
        view = memoryview(mapping)
        self._views.append((view, mapping))
        return view

    def seal(self, label: BlobLabel) -> BlobAddress:
        """Make the blob durable and return its address."""
        self._require_open()
        digests = self._digester.digests()
        encoded = encode_label(label)
        try:
            with storage_errors():
                self._require_room()
                self._failpoints.hit("spool.before_seal")
                container = self._take_number()
                self._write_headers(container, encoded, digests)
                os.fdatasync(self._fd)
                self._failpoints.hit("spool.after_sync")
                os.rename(self._path, self._folder.pack_path(container))
                self._path = self._folder.pack_path(container)
                self._failpoints.hit("spool.after_rename")
                self._folder.sync()
                self._folder.note_durable(container)
        except StorageFailed:
            self._on_failed()
            self.discard()
            raise
        except StorageFull:
            self.discard()
            raise
        self._close()
        return BlobAddress(container, PAYLOAD_OFFSET, self._length, digests)

    def _write_headers(self, container: int, label: bytes, digests: bytes) -> None:
        nonce = secrets.randbits(64)
        header = encode_record_header(
            label,
            self._length,
            digest_of_digests(digests),
            offset=PACK_HEADER_SIZE_BYTES,
            nonce=nonce,
            header_size=HEADER_SIZE_MAX_BYTES,
        )
        write_all(self._fd, encode_pack_header(PackHeader(container, nonce, PackKind.SINGLE)) + header, 0)
        self._failpoints.hit("spool.after_header")

    def discard(self) -> None:
        """Drop what was written; harmless after `seal` or a second time."""
        if self._fd >= 0:
            self._close()
            self._path.unlink(missing_ok=True)

    def _close(self) -> None:
        for view, mapping in self._views:
            with suppress(BufferError):  # a slice is still held; the mapping goes with it
                view.release()
                mapping.close()
        self._views.clear()
        os.close(self._fd)
        self._fd = -1

    def _require_open(self) -> None:
        if self._fd < 0:
            raise InvalidRequest("The blob was sealed or discarded already.")
