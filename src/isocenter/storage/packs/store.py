"""The store over a folder of packs.

Order of an append: digests → one vectored write per group → one fdatasync for the batch → addresses. A crash before
the sync leaves a torn tail behind the recorded position, which `truncate` drops or `iter_records` sorts out.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from isocenter.domain.errors import CorruptInstance, StorageFailed
from isocenter.ports.blobs import (
    BLOCK_SIZE_BYTES,
    BlobAddress,
    BlobLabel,
    BlobPosition,
    BlobRecord,
    Buffer,
    DamagedRecord,
    Payload,
    RevisionMark,
)
from isocenter.ports.failpoints import Failpoints
from isocenter.storage.digests import are_digests_of, require_blocks
from isocenter.storage.packs.erasure import erase_record
from isocenter.storage.packs.folder import PackFolder
from isocenter.storage.packs.layout import PACK_HEADER_SIZE_BYTES, PackKind, decode_pack_header
from isocenter.storage.packs.log import PackLog
from isocenter.storage.packs.mapping import mapped_blob
from isocenter.storage.packs.spool import PAYLOAD_OFFSET, LocalPackSpool
from isocenter.storage.packs.volume import Volume, storage_errors
from isocenter.storage.packs.walk import has_intact_header, iter_pack

MAPPED_FROM_BYTES = 8 << 20
"""Below this a copy costs little and is verified again, and an error of the disk is an error, not the end of the
process, as it is under a mapping."""
PACK_SIZE_BYTES = 1 << 30
"""A pack is closed at 1 GiB: few files, and one is still copied or examined in seconds."""


class LocalPackBlobStore:
    """Keep blobs in packs on a local volume."""

    def __init__(
        self,
        folder: Path,
        *,
        pack_size_bytes: int = PACK_SIZE_BYTES,
        reserve_bytes: int = 0,
        failpoints: Failpoints | None = None,
    ) -> None:
        """Open a folder of packs, alone; `reserve_bytes` of the volume are left free for the index and for deleting."""
        self._failpoints = failpoints or Failpoints()
        self._reserve_bytes = reserve_bytes
        self._volume = Volume()
        self._write_lock = threading.Lock()
        with storage_errors():
            self._folder = PackFolder(folder)
            try:
                self._log = PackLog(
                    self._folder,
                    self._volume,
                    pack_size_bytes=pack_size_bytes,
                    reserve_bytes=reserve_bytes,
                    failpoints=self._failpoints,
                )
            except BaseException:
                self._folder.close()
                raise

    def __enter__(self) -> LocalPackBlobStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the files and let another process have the folder."""
        with self._write_lock:
            self._log.close()
            self._folder.close()

    @property
    def is_failed(self) -> bool:
        """Tell whether an I/O error stopped all writing until the store is opened anew."""
        return self._log.is_failed

    def append(self, blobs: Sequence[tuple[BlobLabel, Payload]]) -> list[BlobAddress]:
        """Write blobs one behind the other and return when all are durable."""
        if not blobs:
            return []
        with self._write_lock:
            return self._log.append(blobs)

    def mark_revision(self, revision_id: str) -> BlobPosition:
        """Note durably that the blobs of a revision count from now on."""
        with self._write_lock:
            return self._log.mark(revision_id)

    def open_spool(self) -> LocalPackSpool:
        """Begin a large blob, which gets a pack of its own."""
        self._log.require_usable()
        return LocalPackSpool(
            self._folder,
            self._volume,
            reserve_bytes=self._reserve_bytes,
            failpoints=self._failpoints,
            take_number=self._take_number,
            on_failed=self._log.fail,
        )

    def _take_number(self) -> int:
        self._log.require_usable()
        with self._write_lock:
            return self._folder.take_number()

    def read(self, address: BlobAddress, *, start: int = 0, length: int | None = None) -> bytes:
        """Return a range of a blob, verified."""
        start, end = _range(address, start, length)
        if start >= end:
            return b""
        with storage_errors(), self._folder.borrow(address.container) as fd:
            return _read_verified(fd, address, start, end)

    def iter_chunks(
        self, address: BlobAddress, *, start: int = 0, length: int | None = None, chunk_size_bytes: int = 1 << 20
    ) -> Iterator[bytes]:
        """Yield a range of a blob in chunks that end on blocks, so that no block is read twice."""
        start, end = _range(address, start, length)
        step = max(1, chunk_size_bytes // BLOCK_SIZE_BYTES) * BLOCK_SIZE_BYTES
        while start < end:
            behind = min(end, start - start % BLOCK_SIZE_BYTES + step)
            yield self.read(address, start=start, length=behind - start)
            start = behind

    @contextmanager
    def view(self, address: BlobAddress) -> Iterator[memoryview]:
        """Lend the bytes of a blob: a verified copy of a small one, a large one mapped as it lies there."""
        if address.length < MAPPED_FROM_BYTES:
            yield memoryview(self.read(address))
            return
        with storage_errors(), self._folder.borrow(address.container) as fd, mapped_blob(fd, address) as view:
            yield view

    def is_address_of(self, address: BlobAddress, content: Buffer) -> bool:
        """Tell whether these are the bytes that an address was given for, by its digests."""
        return are_digests_of(address.block_digests, content, length=address.length)

    def verify(self, address: BlobAddress) -> bool:
        """Tell whether all the bytes of a blob are intact, and the header by which a walk finds it."""
        try:
            for _ in self.iter_chunks(address):
                pass
            with storage_errors(), self._folder.borrow(address.container) as fd:
                return has_intact_header(fd, address)
        except CorruptInstance:
            return False

    def erase(self, address: BlobAddress) -> None:
        """Destroy a blob's bytes for good; harmless if done before."""
        self._log.require_usable()
        try:
            with storage_errors(), self._write_lock:
                self._erase(address)
        except StorageFailed:
            self._log.fail()
            raise

    def _erase(self, address: BlobAddress) -> None:
        try:
            fd = os.open(self._folder.pack_path(address.container), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        try:
            is_single = _is_single(fd)
            erase_record(fd, address, self._volume, self._failpoints)
            if is_single:
                os.ftruncate(fd, PAYLOAD_OFFSET)
                os.fsync(fd)
        finally:
            os.close(fd)
        if is_single and address.container < self._folder.highest_durable:
            self._unlink(address.container)

    def _unlink(self, container: int) -> None:
        self._folder.pack_path(container).unlink(missing_ok=True)
        self._folder.forget(container)
        self._folder.sync()

    def positions(self) -> list[BlobPosition]:
        """Return how far each container is filled, in order of containers."""
        with storage_errors(), self._write_lock:
            return [BlobPosition(container, self._length(container)) for container in self._folder.containers()]

    def position(self, container: int) -> BlobPosition:
        """Return how far one container is filled; 0 where there is none."""
        with storage_errors(), self._write_lock:
            return BlobPosition(container, self._length(container))

    def _length(self, container: int) -> int:
        durable = self._log.length_of(container)
        if durable is not None:
            return durable
        try:
            return self._folder.pack_path(container).stat().st_size
        except FileNotFoundError:
            return 0

    def iter_records(
        self, *, after: BlobPosition | None = None, on_damage: Callable[[DamagedRecord], None] | None = None
    ) -> Iterator[BlobRecord | RevisionMark]:
        """Walk the intact records and marks in the order written, skipping erased and damaged ones."""
        first = BlobPosition(0, 0) if after is None else after
        for position in self.positions():
            if position.container < first.container:
                continue
            start = first.length if position.container == first.container else 0
            with storage_errors(), self._folder.borrow(position.container) as fd:
                yield from iter_pack(
                    fd, position.container, start=start, length=position.length, on_damage=on_damage or _ignore
                )

    def truncate(self, position: BlobPosition) -> None:
        """Drop what lies behind a position of a container: a torn tail after a crash."""
        path = self._folder.pack_path(position.container)
        with storage_errors(), self._write_lock:
            if not path.exists() or path.stat().st_size <= position.length:
                return
            length = max(position.length, PACK_HEADER_SIZE_BYTES)
            if not self._log.truncate(position.container, length):
                _truncate(path, length)

    def __repr__(self) -> str:
        return f"LocalPackBlobStore({str(self._folder.path)!r})"


def _read_verified(fd: int, address: BlobAddress, start: int, end: int) -> bytes:
    """Read a range once, without a second copy: whole blocks are digested in place, those cut at its ends beside it."""
    data = _pread(fd, address, start, end)
    first_whole = -(-start // BLOCK_SIZE_BYTES)
    whole_end = end if end == address.length else end // BLOCK_SIZE_BYTES * BLOCK_SIZE_BYTES
    whole_start = first_whole * BLOCK_SIZE_BYTES
    view = memoryview(data)
    if whole_start < whole_end:
        require_blocks(view[whole_start - start : whole_end - start], address.block_digests, first_block=first_whole)
    cut = {start // BLOCK_SIZE_BYTES} if start < whole_start else set()
    if end > whole_end:
        cut.add(end // BLOCK_SIZE_BYTES)
    for block in cut:
        _require_cut_block(fd, address, block, view, start)
    return data


def _require_cut_block(fd: int, address: BlobAddress, block: int, data: memoryview, start: int) -> None:
    begin = block * BLOCK_SIZE_BYTES
    whole = _pread(fd, address, begin, min(address.length, begin + BLOCK_SIZE_BYTES))
    require_blocks(whole, address.block_digests, first_block=block)
    low = max(start, begin)
    high = min(start + len(data), begin + len(whole))
    # As bytes: views are compared item by item, a hundred times slower.
    if bytes(data[low - start : high - start]) != whole[low - begin : high - begin]:
        raise CorruptInstance()


def _pread(fd: int, address: BlobAddress, start: int, end: int) -> bytes:
    data = os.pread(fd, end - start, address.offset + start)
    while len(data) < end - start:  # one call returns 2 GiB at most
        more = os.pread(fd, end - start - len(data), address.offset + start + len(data))
        if not more:
            raise CorruptInstance("The pack ends before the instance does.")
        data += more
    return data


def _range(address: BlobAddress, start: int, length: int | None) -> tuple[int, int]:
    start = max(0, start)
    end = address.length if length is None else min(address.length, start + max(0, length))
    return start, end


def _is_single(fd: int) -> bool:
    header = decode_pack_header(os.pread(fd, PACK_HEADER_SIZE_BYTES, 0))
    return header is not None and header.kind is PackKind.SINGLE


def _truncate(path: Path, length: int) -> None:
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.ftruncate(fd, length)
        os.fsync(fd)
    finally:
        os.close(fd)


def _ignore(damage: DamagedRecord) -> None:
    """Take no notice."""
