"""The pack that is being appended to: batches of records, each batch durable before it is answered.

After a failed write or sync nothing more is appended until the store is opened anew: the kernel forgets which pages
it could not write, so that a second fsync would report success over lost bytes.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from isocenter.domain.errors import StorageFailed, StorageFull
from isocenter.ports.blobs import BlobAddress, BlobLabel, BlobPosition, Buffer, Payload, pieces_of
from isocenter.ports.failpoints import Failpoints
from isocenter.storage.digests import digest_of_digests, digests_of_pieces
from isocenter.storage.packs.folder import PackFolder
from isocenter.storage.packs.layout import (
    PACK_HEADER_SIZE_BYTES,
    PackHeader,
    PackKind,
    align,
    decode_pack_header,
    encode_label,
    encode_mark,
    encode_pack_header,
    encode_record_header,
)
from isocenter.storage.packs.volume import Volume, free_bytes, unavailable, write_all, write_vectors

WRITE_GROUP_BYTES = 2 << 20
"""Write-back of one group runs while the next is digested; below this the sync at the end is all that counts."""

Batch = Sequence[tuple[BlobLabel, tuple[Buffer, ...]]]


@dataclass(slots=True)
class _OpenLog:
    container: int
    nonce: int
    fd: int
    length: int
    """Up to here everything is durable."""


class PackLog:
    """Append records to the newest pack; the caller serialises."""

    def __init__(
        self, folder: PackFolder, volume: Volume, *, pack_size_bytes: int, reserve_bytes: int, failpoints: Failpoints
    ) -> None:
        self._folder = folder
        self._volume = volume
        self._pack_size_bytes = pack_size_bytes
        self._reserve_bytes = reserve_bytes
        self._failpoints = failpoints
        self._is_failed = False
        self._open = self._reopen()

    @property
    def is_failed(self) -> bool:
        """Tell whether nothing can be appended until the store is opened anew."""
        return self._is_failed

    def fail(self) -> None:
        """Refuse everything from now on."""
        self._is_failed = True

    def require_usable(self) -> None:
        """Raise StorageFailed after an I/O error."""
        if self._is_failed:
            raise StorageFailed("The volume of packs failed; nothing is taken until the store is opened again.")

    def length_of(self, container: int) -> int | None:
        """Return the durable length of the pack that is being appended to, None for any other."""
        log = self._open
        return log.length if log is not None and log.container == container else None

    def append(self, blobs: Sequence[tuple[BlobLabel, Payload]]) -> list[BlobAddress]:
        """Write a batch, make it durable, return where it lies."""
        self.require_usable()
        batch = [(label, pieces_of(payload)) for label, payload in blobs]
        log = self._log_with_room(sum(_length(pieces) for _, pieces in batch))
        try:
            addresses, end = self._write(log, batch)
            self._failpoints.hit("packs.before_sync")
        except OSError as error:
            raise self._after_failed_write(log, error) from error
        self._sync(log)
        log.length = end
        return addresses

    def mark(self, revision_id: str) -> BlobPosition:
        """Write the mark of a revision, make it durable, return how far the pack is filled with it."""
        self.require_usable()
        log = self._log_with_room(0)
        start = align(log.length)
        record = encode_mark(revision_id, offset=start, nonce=log.nonce)
        try:
            write_all(log.fd, bytes(start - log.length) + record, log.length)
            self._failpoints.hit("packs.before_sync")
        except OSError as error:
            raise self._after_failed_write(log, error) from error
        self._sync(log)
        log.length = start + len(record)
        return BlobPosition(log.container, log.length)

    def _sync(self, log: _OpenLog) -> None:
        try:
            os.fdatasync(log.fd)
            self._failpoints.hit("packs.after_sync")
        except OSError as error:
            self.fail()
            self._take_back(log)
            raise unavailable(error) from error

    def _write(self, log: _OpenLog, blobs: Batch) -> tuple[list[BlobAddress], int]:
        self._failpoints.hit("packs.before_write")
        addresses: list[BlobAddress] = []
        end = log.length
        groups = list(_groups(blobs)) if not self._failpoints.armed else [[blob] for blob in blobs]
        for group in groups:
            if addresses:
                self._failpoints.hit("packs.mid_write")
            start = align(end)
            vectors, placed = _records(group, start, log)
            end = write_vectors(log.fd, vectors, start)
            addresses += placed
            if len(groups) > 1:
                self._volume.start_write_back(log.fd, start, end - start)
        self._failpoints.hit("packs.after_write")
        return addresses, end

    def _after_failed_write(self, log: _OpenLog, error: OSError) -> Exception:
        refusal = unavailable(error)
        is_taken_back = self._take_back(log)
        if not isinstance(refusal, StorageFull) or not is_taken_back:
            self.fail()
        return refusal

    def _take_back(self, log: _OpenLog) -> bool:
        try:
            os.ftruncate(log.fd, log.length)
        except OSError:
            return False
        return True

    def _log_with_room(self, needed_bytes: int) -> _OpenLog:
        log = self._open
        if log is None or log.length >= self._pack_size_bytes or log.container != self._folder.highest:
            log = self._roll()
        if self._reserve_bytes and free_bytes(log.fd) < self._reserve_bytes + needed_bytes:
            raise StorageFull()
        return log

    def _roll(self) -> _OpenLog:
        self.close()
        container = self._folder.take_number()
        nonce = secrets.randbits(64)
        path = self._folder.pack_path(container)
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise unavailable(error) from error
        try:
            write_all(fd, encode_pack_header(PackHeader(container, nonce, PackKind.LOG)), 0)
            self._failpoints.hit("packs.after_create")
            os.fsync(fd)
            self._folder.sync()
            self._folder.note_durable(container)
        except OSError as error:
            os.close(fd)
            path.unlink(missing_ok=True)
            refusal = unavailable(error)
            self._is_failed = not isinstance(refusal, StorageFull)
            raise refusal from error
        self._open = _OpenLog(container, nonce, fd, PACK_HEADER_SIZE_BYTES)
        return self._open

    def _reopen(self) -> _OpenLog | None:
        container = self._folder.highest
        if not container:
            return None
        fd = os.open(self._folder.pack_path(container), os.O_RDWR | os.O_CLOEXEC)
        header = decode_pack_header(os.pread(fd, PACK_HEADER_SIZE_BYTES, 0))
        if header is None or header.kind is not PackKind.LOG:
            os.close(fd)
            return None
        try:
            os.fdatasync(fd)
        except OSError as error:
            os.close(fd)
            raise unavailable(error) from error
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)  # what is read next comes from the medium, not from memory
        return _OpenLog(container, header.nonce, fd, os.fstat(fd).st_size)

    def truncate(self, container: int, length: int) -> bool:
        """Shorten the pack that is being appended to; tell whether it was that one."""
        log = self._open
        if log is None or log.container != container:
            return False
        os.ftruncate(log.fd, length)
        os.fsync(log.fd)
        log.length = length
        return True

    def close(self) -> None:
        """Close the pack; the next append starts another."""
        if self._open is not None:
            os.close(self._open.fd)
            self._open = None


def _length(pieces: tuple[Buffer, ...]) -> int:
    return sum(map(len, pieces))


def _groups(blobs: Batch) -> Iterator[list[tuple[BlobLabel, tuple[Buffer, ...]]]]:
    group: list[tuple[BlobLabel, tuple[Buffer, ...]]] = []
    size = 0
    for blob in blobs:
        group.append(blob)
        size += _length(blob[1])
        if size >= WRITE_GROUP_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


def _records(group: Batch, start: int, log: _OpenLog) -> tuple[list[bytes | memoryview], list[BlobAddress]]:
    vectors: list[bytes | memoryview] = []
    addresses: list[BlobAddress] = []
    offset = start
    for label, pieces in group:
        vectors.append(bytes(align(offset) - offset))
        offset = align(offset)
        digests, length = digests_of_pieces(pieces), _length(pieces)
        header = encode_record_header(
            encode_label(label), length, digest_of_digests(digests), offset=offset, nonce=log.nonce
        )
        offset += len(header)
        vectors.append(header)
        vectors += map(memoryview, pieces)
        addresses.append(BlobAddress(log.container, offset, length, digests))
        offset += length
    return vectors, addresses
