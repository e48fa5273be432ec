"""What packs survive: damage, torn tails, full and failing volumes, a second process."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from isocenter.domain.errors import CorruptInstance, InvalidRequest, StorageFailed, StorageFull, Unavailable
from isocenter.domain.identifiers import InstanceIdentifier
from isocenter.ports.blobs import (
    BLOCK_SIZE_BYTES,
    BlobAddress,
    BlobPosition,
    BlobRecord,
    DamagedRecord,
    RevisionMark,
)
from isocenter.ports.failpoints import parse_failpoints
from isocenter.storage.packs import LocalPackBlobStore
from isocenter.storage.packs.folder import OPEN_FILES_MAX
from isocenter.storage.packs.volume import Volume
from tests.support.instances import identify, label_of, records_of
from tests.support.peers import MISSING_PREFIX


def _bytes(size: int, *, seed: int = 0) -> bytes:
    return random.Random(size * 1000 + seed).randbytes(size)


def _append(store: LocalPackBlobStore, *payloads: bytes, first: int = 1) -> list[BlobAddress]:
    return store.append([(label_of(identify(instance=first + at)), payload) for at, payload in enumerate(payloads)])


def _pack(folder: Path, container: int = 1) -> Path:
    return folder / f"{container:08d}.pack"


def _flip(path: Path, offset: int) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 0x40
    path.write_bytes(data)


def _walk(store: LocalPackBlobStore) -> tuple[list[BlobAddress], list[DamagedRecord]]:
    damage: list[DamagedRecord] = []
    return [record.address for record in records_of(store, on_damage=damage.append)], damage


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "packs"


@pytest.fixture
def three(folder: Path) -> list[BlobAddress]:
    with LocalPackBlobStore(folder) as store:
        return _append(store, _bytes(1000), _bytes(200_000), _bytes(3000))


# marks of revisions


def test_a_mark_is_there_after_a_restart_and_packs_go_on_behind_it(folder: Path) -> None:
    with LocalPackBlobStore(folder) as store:
        _append(store, b"one")
        position = store.mark_revision("0123-0")
    assert position.length == _pack(folder).stat().st_size
    with LocalPackBlobStore(folder) as store:
        _append(store, b"two", first=2)
        found = list(store.iter_records())
    assert [type(one) for one in found] == [BlobRecord, RevisionMark, BlobRecord]
    assert found[1] == RevisionMark("0123-0", position)


def test_a_mark_holds_no_identifiers(folder: Path) -> None:
    with LocalPackBlobStore(folder) as store:
        [address] = _append(store, b"one")
        store.mark_revision("0123-0")
        store.erase(address)
    assert identify().study_instance_uid.encode() not in _pack(folder).read_bytes()


def test_a_damaged_mark_is_told_and_costs_nothing_else(folder: Path) -> None:
    with LocalPackBlobStore(folder) as store:
        [one] = _append(store, b"one")
        position = store.mark_revision("0123-0")
        [two] = _append(store, b"two", first=2)
    _flip(_pack(folder), position.length - 70)
    with LocalPackBlobStore(folder) as store:
        found, damage = _walk(store)
    assert found == [one, two]
    assert [one.reason for one in damage] == ["header"]


@pytest.mark.parametrize("failpoint", ["packs.before_sync=raise:ENOSPC", "packs.after_sync=raise:EIO"])
def test_a_mark_that_cannot_be_made_durable_is_not_there(folder: Path, failpoint: str) -> None:
    with LocalPackBlobStore(folder) as store:
        _append(store, b"one")
    with (
        LocalPackBlobStore(folder, failpoints=parse_failpoints(failpoint)) as store,
        pytest.raises(Unavailable),
    ):
        store.mark_revision("0123-0")
    with LocalPackBlobStore(folder) as store:
        assert [type(one) for one in store.iter_records()] == [BlobRecord]


# damage


@pytest.mark.parametrize("byte", [0, 1, 65_535, 65_536, 199_999])
def test_a_flipped_bit_in_a_payload_never_reaches_a_reader(folder: Path, three: list[BlobAddress], byte: int) -> None:
    _flip(_pack(folder), three[1].offset + byte)
    with LocalPackBlobStore(folder) as store:
        with pytest.raises(CorruptInstance):
            store.read(three[1])
        with pytest.raises(CorruptInstance):
            store.read(three[1], start=byte, length=1)
        other = BLOCK_SIZE_BYTES * 2 if byte < BLOCK_SIZE_BYTES else 0
        assert store.read(three[1], start=other, length=10) == _bytes(200_000)[other : other + 10]
        assert [store.verify(address) for address in three] == [True, False, True]
        found, damage = _walk(store)
        assert found == [three[0], three[2]]
        assert [one.reason for one in damage] == ["payload"]


@pytest.mark.parametrize("back", range(1, 385, 13))
def test_a_flipped_bit_in_a_header_costs_the_walk_that_record_only(
    folder: Path, three: list[BlobAddress], back: int
) -> None:
    _flip(_pack(folder), three[1].offset - back)
    with LocalPackBlobStore(folder) as store:
        found, damage = _walk(store)
        assert found == [three[0], three[2]]
        assert [one.reason for one in damage] == ["header"]
        assert store.read(three[1]) == _bytes(200_000)


def test_a_pack_whose_own_header_is_damaged_can_still_be_walked(folder: Path, three: list[BlobAddress]) -> None:
    _flip(_pack(folder), 20)
    with LocalPackBlobStore(folder) as store:
        found, damage = _walk(store)
        assert found == three
        assert [one.reason for one in damage] == ["pack header"]
        assert _append(store, b"next")[0].container == 2


def test_bytes_in_a_payload_cannot_pass_for_a_record(folder: Path, tmp_path: Path) -> None:
    with LocalPackBlobStore(tmp_path / "elsewhere") as elsewhere:
        _append(elsewhere, b"forged")
    forged = _pack(tmp_path / "elsewhere").read_bytes()[64:]
    with LocalPackBlobStore(folder) as store:
        (address, behind) = _append(store, forged * 100, b"behind")
    _flip(_pack(folder), address.offset - 1)
    with LocalPackBlobStore(folder) as store:
        assert _walk(store)[0] == [behind]


def test_a_missing_pack_is_told_as_damage(folder: Path, three: list[BlobAddress]) -> None:
    _pack(folder).unlink()
    with LocalPackBlobStore(folder) as store, pytest.raises(CorruptInstance):
        store.read(three[0])


# torn tails


def _lengths(three: list[BlobAddress]) -> list[int]:
    end = three[2].offset + three[2].length
    return [*range(three[0].offset, end, 9973), three[1].offset - 1, three[2].offset - 64, end - 1]


def test_a_torn_tail_shows_whole_records_only_and_takes_new_ones(folder: Path, three: list[BlobAddress]) -> None:
    whole = _pack(folder).read_bytes()
    for length in _lengths(three):
        _pack(folder).write_bytes(whole[:length])
        intact = [address for address in three if address.offset + address.length <= length]
        with LocalPackBlobStore(folder) as store:
            assert _walk(store)[0] == intact
            added = _append(store, _bytes(500, seed=length))
            assert _walk(store)[0] == intact + added


def test_a_tail_of_zeros_is_no_record(folder: Path, three: list[BlobAddress]) -> None:
    with _pack(folder).open("ab") as pack:
        pack.write(bytes(100_000))
    with LocalPackBlobStore(folder) as store:
        assert _walk(store)[0] == three


# erasure


def test_erased_bytes_and_identifiers_are_not_on_the_volume(folder: Path) -> None:
    secret = InstanceIdentifier("1.2.3.4444", "1.2.3.5555", "1.2.3.6666")
    with LocalPackBlobStore(folder) as store:
        before, erased, behind = store.append(
            [(label_of(identify()), b"before"), (label_of(secret), b"secret" * 30_000), (label_of(identify()), b"on")]
        )
        used = _pack(folder).stat().st_blocks
        store.erase(erased)
        assert _pack(folder).stat().st_blocks < used
        data = _pack(folder).read_bytes()
        assert b"secret" not in data
        assert b"6666" not in data
        assert _walk(store) == ([before, behind], [])


def test_an_erasure_that_was_torn_is_mended_by_doing_it_again(folder: Path, three: list[BlobAddress]) -> None:
    _flip(_pack(folder), three[1].offset - 1)
    with LocalPackBlobStore(folder) as store:
        store.erase(three[1])
        assert _walk(store) == ([three[0], three[2]], [])


def test_the_pack_of_a_large_blob_goes_with_it(folder: Path) -> None:
    with LocalPackBlobStore(folder) as store:
        addresses = []
        for number in (1, 2):
            spool = store.open_spool()
            spool.write(_bytes(100_000))
            addresses.append(spool.seal(label_of(identify(instance=number))))
        store.read(addresses[0])
        for address in addresses:
            store.erase(address)
        assert not _pack(folder, addresses[0].container).exists()
        assert _pack(folder, addresses[1].container).stat().st_size <= 4096
    with LocalPackBlobStore(folder) as store:
        assert _append(store, b"next")[0].container == addresses[1].container + 1


# the folder


def test_a_folder_is_written_by_one_store_at_a_time(folder: Path) -> None:
    with LocalPackBlobStore(folder), pytest.raises(Unavailable, match="another process"):
        LocalPackBlobStore(folder)
    with LocalPackBlobStore(folder) as store:
        _append(store, b"free again")


def test_what_a_crash_left_of_a_spool_is_removed(folder: Path) -> None:
    with LocalPackBlobStore(folder) as store:
        store.open_spool().write(b"half")
        assert list(folder.glob("*.partial"))
    LocalPackBlobStore(folder).close()
    assert not list(folder.glob("*.partial"))


def test_a_new_pack_begins_when_one_is_full(folder: Path) -> None:
    with LocalPackBlobStore(folder, pack_size_bytes=10_000) as store:
        addresses = [_append(store, _bytes(6000, seed=number))[0] for number in range(5)]
        assert [address.container for address in addresses] == [1, 1, 2, 2, 3]
        assert _walk(store)[0] == addresses
    with LocalPackBlobStore(folder, pack_size_bytes=10_000) as store:
        assert _append(store, b"on")[0].container == 3
        assert [store.read(address) for address in addresses] == [_bytes(6000, seed=number) for number in range(5)]


def test_more_packs_than_open_files_are_read(folder: Path) -> None:
    with LocalPackBlobStore(folder, pack_size_bytes=1) as store:
        addresses = [_append(store, str(number).encode())[0] for number in range(OPEN_FILES_MAX + 20)]
        assert [int(store.read(address)) for address in addresses] == list(range(OPEN_FILES_MAX + 20))


def test_a_batch_larger_than_one_system_call_takes_is_written(folder: Path) -> None:
    payloads = [_bytes(100, seed=number) for number in range(3000)]
    with LocalPackBlobStore(folder) as store:
        addresses = _append(store, *payloads)
        assert [store.read(address) for address in addresses] == payloads


def test_a_batch_of_several_write_groups_is_written(folder: Path) -> None:
    payloads = [_bytes(700_000, seed=number) for number in range(10)]
    with LocalPackBlobStore(folder) as store:
        addresses = _append(store, *payloads)
        assert [store.read(address) for address in addresses] == payloads
        assert _walk(store) == (addresses, [])


def test_labels_too_long_for_a_header_are_refused(folder: Path) -> None:
    with LocalPackBlobStore(folder) as store:
        with pytest.raises(InvalidRequest):
            store.append([(label_of(identify(partition="p" * 5000)), b"x")])
        address = _append(store, b"y")[0]
        assert _walk(store)[0] == [address]


# full and failing volumes


def test_the_reserve_is_kept_free(folder: Path) -> None:
    with LocalPackBlobStore(folder, reserve_bytes=1 << 60) as store:
        with pytest.raises(StorageFull):
            _append(store, b"x")
        assert not store.is_failed


@pytest.mark.parametrize("name", ["packs.before_write", "packs.mid_write", "packs.after_write", "packs.after_create"])
def test_a_full_volume_keeps_nothing_of_the_batch_and_takes_the_next(folder: Path, name: str) -> None:
    with LocalPackBlobStore(folder, failpoints=parse_failpoints(f"{name}=raise:ENOSPC@1")) as store:
        with pytest.raises(StorageFull):
            _append(store, _bytes(1000), _bytes(2000))
        assert _walk(store) == ([], [])
        addresses = _append(store, b"a", b"b")
        assert _walk(store) == (addresses, [])


@pytest.mark.parametrize(
    "name", ["packs.before_write", "packs.mid_write", "packs.after_write", "packs.before_sync", "packs.after_sync"]
)
def test_after_an_input_output_error_nothing_is_taken_until_the_store_is_opened_again(folder: Path, name: str) -> None:
    with LocalPackBlobStore(folder, failpoints=parse_failpoints(f"{name}=raise:EIO@2")) as store:
        kept = _append(store, b"kept", b"too")
        with pytest.raises(StorageFailed):
            _append(store, b"lost", b"lost")
        assert store.is_failed
        with pytest.raises(StorageFailed):
            _append(store, b"refused")
        with pytest.raises(StorageFailed):
            store.open_spool()
        assert [store.read(address) for address in kept] == [b"kept", b"too"]
    with LocalPackBlobStore(folder) as store:
        assert _walk(store)[0] == kept
        _append(store, b"taken")


@pytest.mark.parametrize("name", ["spool.before_seal", "spool.after_header", "spool.after_sync", "spool.after_rename"])
def test_a_spool_that_fails_leaves_nothing_and_stops_the_store(folder: Path, name: str) -> None:
    with LocalPackBlobStore(folder, failpoints=parse_failpoints(f"{name}=raise:EIO")) as store:
        spool = store.open_spool()
        spool.write(b"x")
        with pytest.raises(StorageFailed):
            spool.seal(label_of(identify()))
        assert store.is_failed
        assert _walk(store) == ([], [])
    assert not list(folder.glob("*.partial"))


@pytest.mark.parametrize("name", ["erase.before_punch", "erase.after_punch", "erase.after_tombstone"])
def test_an_erasure_that_fails_is_done_when_the_store_is_open_again(folder: Path, name: str) -> None:
    with LocalPackBlobStore(folder, failpoints=parse_failpoints(f"{name}=raise:EIO")) as store:
        erased, kept = _append(store, _bytes(1000), _bytes(2000))
        with pytest.raises(StorageFailed):
            store.erase(erased)
        assert store.is_failed
    with LocalPackBlobStore(folder) as store:
        store.erase(erased)
        assert _walk(store) == ([kept], [])


def test_a_spool_that_cannot_be_written_stops_the_store(folder: Path) -> None:
    with LocalPackBlobStore(folder, failpoints=parse_failpoints("spool.mid_write=raise:EIO")) as store:
        spool = store.open_spool()
        with pytest.raises(StorageFailed):
            spool.write(b"x")
        assert store.is_failed
        spool.discard()


def test_a_range_is_overwritten_where_there_are_no_holes(tmp_path: Path) -> None:
    volume = Volume()
    volume._fallocate = None  # as on a system that does not offer the call
    path = tmp_path / "file"
    path.write_bytes(b"x" * 3_000_000)
    fd = os.open(path, os.O_RDWR)
    volume.erase_range(fd, 10, 2_500_000)
    os.close(fd)
    assert path.read_bytes() == b"x" * 10 + bytes(2_500_000) + b"x" * 499_990


@pytest.fixture
def small_volume(tmp_path: Path) -> Iterator[Path]:
    """Mount a volume of 8 MiB, where that is allowed."""
    if os.geteuid() != 0:
        pytest.skip(f"{MISSING_PREFIX}root, to mount a small volume")
    mount_point = tmp_path / "small"
    mount_point.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(mount_point)], check=False)
    if mounted.returncode != 0:
        pytest.skip(f"{MISSING_PREFIX}a system that lets root mount a small volume")
    try:
        yield mount_point
    finally:
        subprocess.run(["umount", str(mount_point)], check=True)


@pytest.mark.root
def test_a_volume_that_is_really_full_refuses_and_recovers(small_volume: Path) -> None:
    with LocalPackBlobStore(small_volume / "packs") as store:
        kept = _append(store, _bytes(1 << 20))
        ballast = small_volume / "ballast"
        ballast.write_bytes(bytes(5 << 20))
        for _ in range(3):
            with pytest.raises(StorageFull):
                _append(store, _bytes(3 << 20), _bytes(1 << 20))
        spool = store.open_spool()
        with pytest.raises(StorageFull):
            spool.write(_bytes(4 << 20))
        spool.discard()
        assert _walk(store) == (kept, [])
        ballast.unlink()
        kept += _append(store, _bytes(3 << 20), _bytes(1 << 20))
        assert _walk(store) == (kept, [])
        store.erase(kept[1])
        assert _append(store, _bytes(2 << 20))


def test_truncating_an_older_pack_leaves_the_one_in_use_alone(folder: Path) -> None:
    with LocalPackBlobStore(folder, pack_size_bytes=1) as store:
        first, second = _append(store, b"first")[0], _append(store, b"second")[0]
        store.truncate(BlobPosition(first.container, 0))
        assert _walk(store) == ([second], [])
