"""What every blob store does."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isocenter.domain.errors import CorruptInstance, InvalidRequest
from isocenter.ports.blobs import BLOCK_SIZE_BYTES, BlobAddress, BlobPosition, BlobStore, RevisionMark
from tests.support.instances import identify, label_of, records_of

LARGE_SIZE = 9 << 20
"""Beyond what any store copies without need."""
SIZES = [0, 1, 63, 64, 65, BLOCK_SIZE_BYTES - 1, BLOCK_SIZE_BYTES, BLOCK_SIZE_BYTES + 1, 3 * BLOCK_SIZE_BYTES + 17]


def _bytes(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def _append(store: BlobStore, *payloads: bytes, first: int = 1) -> list[BlobAddress]:
    return store.append(
        [(label_of(identify(instance=first + index)), payload) for index, payload in enumerate(payloads)]
    )


def _flipped(address: BlobAddress, *, block: int) -> BlobAddress:
    digests = bytearray(address.block_digests)
    digests[block * 8] ^= 1
    return replace(address, block_digests=bytes(digests))


@pytest.mark.parametrize("size", SIZES)
def test_what_was_appended_is_read_back(blob_store: BlobStore, size: int) -> None:
    payload = _bytes(size)
    first, second = _append(blob_store, payload, b"behind")
    assert (first.length, blob_store.read(first), blob_store.read(second)) == (size, payload, b"behind")


def test_any_buffer_is_taken(blob_store: BlobStore) -> None:
    addresses = blob_store.append(
        [
            (label_of(identify()), bytearray(b"one")),
            (label_of(identify()), memoryview(b"a two b")[2:5]),
        ]
    )
    assert [blob_store.read(address) for address in addresses] == [b"one", b"two"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(cuts=st.lists(st.integers(0, 4 * BLOCK_SIZE_BYTES), max_size=6), size=st.sampled_from(SIZES))
def test_a_blob_in_pieces_is_kept_as_if_it_were_whole(blob_store: BlobStore, cuts: list[int], size: int) -> None:
    payload = _bytes(size)
    bounds = [0, *sorted(min(cut, size) for cut in cuts), size]
    pieces = tuple(memoryview(payload)[start:end] for start, end in pairwise(bounds))
    whole, cut = blob_store.append([(label_of(identify()), payload), (label_of(identify(instance=2)), pieces)])
    assert blob_store.read(cut) == payload
    assert cut.block_digests == whole.block_digests


def test_an_empty_batch_changes_nothing(blob_store: BlobStore) -> None:
    assert blob_store.append([]) == []
    assert list(blob_store.iter_records()) == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(
    size=st.sampled_from(SIZES),
    start=st.integers(0, 4 * BLOCK_SIZE_BYTES),
    length=st.none() | st.integers(0, 4 * BLOCK_SIZE_BYTES),
    chunk_size_bytes=st.integers(1, 3 * BLOCK_SIZE_BYTES),
)
def test_any_range_reads_the_bytes_of_the_whole(
    blob_store: BlobStore, size: int, start: int, length: int | None, chunk_size_bytes: int
) -> None:
    payload = _bytes(size)
    address = _append(blob_store, payload)[0]
    expected = payload[start:] if length is None else payload[start : start + length]
    assert blob_store.read(address, start=start, length=length) == expected
    chunks = blob_store.iter_chunks(address, start=start, length=length, chunk_size_bytes=chunk_size_bytes)
    assert b"".join(chunks) == expected


@pytest.mark.parametrize("size", [*SIZES, LARGE_SIZE])
def test_a_view_shows_the_bytes_and_nothing_else_and_cannot_be_written(blob_store: BlobStore, size: int) -> None:
    payload = _bytes(size)
    _append(blob_store, b"before")
    [address] = _append(blob_store, payload, first=2)
    _append(blob_store, b"behind", first=3)
    with blob_store.view(address) as view:
        assert bytes(view) == payload
        assert view.readonly


def test_the_end_of_a_view_leaves_alone_who_still_holds_a_piece(blob_store: BlobStore) -> None:
    payload = _bytes(LARGE_SIZE)
    [address] = _append(blob_store, payload)
    with blob_store.view(address) as view:
        piece = view[-100:]
    assert bytes(piece) == payload[-100:]


@pytest.mark.parametrize("size", [1000, LARGE_SIZE])
def test_a_blob_that_was_cut_off_cannot_be_viewed(blob_store: BlobStore, size: int) -> None:
    _append(blob_store, b"before")
    position = blob_store.positions()[-1]
    [address] = _append(blob_store, _bytes(size), first=2)
    blob_store.truncate(position)
    with pytest.raises(CorruptInstance), blob_store.view(address):
        pass


def test_no_read_returns_bytes_of_a_block_that_does_not_fit(blob_store: BlobStore) -> None:
    address = _flipped(_append(blob_store, _bytes(3 * BLOCK_SIZE_BYTES))[0], block=1)
    with pytest.raises(CorruptInstance):
        blob_store.read(address)
    with pytest.raises(CorruptInstance):
        blob_store.read(address, start=BLOCK_SIZE_BYTES + 5, length=1)
    with pytest.raises(CorruptInstance):
        list(blob_store.iter_chunks(address))
    assert not blob_store.verify(address)


def test_an_intact_blob_verifies(blob_store: BlobStore) -> None:
    assert all(blob_store.verify(address) for address in _append(blob_store, *map(_bytes, SIZES)))


def test_the_walk_finds_every_record_with_its_label_and_address(blob_store: BlobStore) -> None:
    labels = [label_of(identify(instance=number), supersedes=number % 2 == 0) for number in range(1, 6)]
    addresses = blob_store.append([(label, _bytes(number * 1000)) for number, label in enumerate(labels[:3])])
    addresses += blob_store.append([(label, _bytes(number * 1000)) for number, label in enumerate(labels[3:])])
    found = records_of(blob_store)
    assert [(record.label, record.address) for record in found] == list(zip(labels, addresses, strict=True))


def test_the_walk_goes_on_from_a_position(blob_store: BlobStore) -> None:
    _append(blob_store, b"a", b"b")
    position = blob_store.positions()[-1]
    _append(blob_store, b"c", first=3)
    assert [record.label.identifier for record in records_of(blob_store, after=position)] == [identify(instance=3)]


def test_positions_end_where_the_last_blob_ends(blob_store: BlobStore) -> None:
    last = _append(blob_store, _bytes(100), _bytes(77))[-1]
    assert blob_store.positions()[-1] == BlobPosition(last.container, last.offset + last.length)
    assert blob_store.position(last.container) == blob_store.positions()[-1]
    assert blob_store.position(last.container + 7) == BlobPosition(last.container + 7, 0)


def test_truncation_drops_what_lies_behind_and_leaves_the_rest(blob_store: BlobStore) -> None:
    kept = _append(blob_store, _bytes(1000))[0]
    position = blob_store.positions()[-1]
    dropped = _append(blob_store, _bytes(2000), first=2)[0]
    blob_store.truncate(position)
    assert blob_store.positions()[-1] == position
    assert [record.address for record in records_of(blob_store)] == [kept]
    assert not blob_store.verify(dropped)
    again = _append(blob_store, _bytes(3000), first=3)[0]
    assert blob_store.read(again) == _bytes(3000)
    assert [record.address for record in records_of(blob_store)] == [kept, again]


def test_truncation_beyond_the_end_changes_nothing(blob_store: BlobStore) -> None:
    _append(blob_store, b"a")
    position = blob_store.positions()[-1]
    blob_store.truncate(BlobPosition(position.container, position.length + 10_000))
    blob_store.truncate(BlobPosition(position.container + 7, 0))
    assert blob_store.positions() == [position]


def test_an_erased_blob_is_gone_and_its_neighbours_are_not(blob_store: BlobStore) -> None:
    before, erased, behind = _append(blob_store, _bytes(100), _bytes(100_000), _bytes(200))
    blob_store.erase(erased)
    blob_store.erase(erased)
    with pytest.raises(CorruptInstance):
        blob_store.read(erased)
    assert not blob_store.verify(erased)
    assert (blob_store.read(before), blob_store.read(behind)) == (_bytes(100), _bytes(200))
    assert [record.address for record in records_of(blob_store)] == [before, behind]


def test_a_sealed_spool_is_a_blob_like_any_other(blob_store: BlobStore) -> None:
    payload = _bytes(5 * BLOCK_SIZE_BYTES + 321)
    spool = blob_store.open_spool()
    for at in range(0, len(payload), 70_001):
        spool.write(payload[at : at + 70_001])
    address = spool.seal(label_of(identify()))
    assert blob_store.read(address) == payload
    assert [(record.label, record.address) for record in records_of(blob_store)] == [(label_of(identify()), address)]
    blob_store.erase(address)
    assert list(blob_store.iter_records()) == []
    assert not blob_store.verify(address)
    blob_store.erase(address)


def test_a_spool_shows_what_was_written_so_far(blob_store: BlobStore) -> None:
    spool = blob_store.open_spool()
    assert bytes(spool.view()) == b""
    spool.write(b"abc")
    assert bytes(spool.view()) == b"abc"
    spool.write(b"def")
    assert bytes(spool.view()) == b"abcdef"
    spool.discard()


def test_a_spool_is_not_there_before_it_is_sealed_nor_after_it_is_discarded(blob_store: BlobStore) -> None:
    spool = blob_store.open_spool()
    spool.write(b"half")
    assert list(blob_store.iter_records()) == []
    spool.discard()
    spool.discard()
    assert list(blob_store.iter_records()) == []
    with pytest.raises(InvalidRequest):
        spool.write(b"more")


def test_discarding_a_sealed_spool_keeps_it(blob_store: BlobStore) -> None:
    spool = blob_store.open_spool()
    spool.write(b"kept")
    address = spool.seal(label_of(identify()))
    spool.discard()
    assert blob_store.read(address) == b"kept"
    with pytest.raises(InvalidRequest):
        spool.seal(label_of(identify()))


def test_the_walk_keeps_the_order_of_appends_and_spools(blob_store: BlobStore) -> None:
    first = _append(blob_store, b"a")[0]
    spool = blob_store.open_spool()
    spool.write(b"b")
    second = spool.seal(label_of(identify(instance=2)))
    third = _append(blob_store, b"c", first=3)[0]
    assert [record.address for record in records_of(blob_store)] == [first, second, third]


def test_an_erased_place_is_never_given_to_another_blob(blob_store: BlobStore) -> None:
    spool = blob_store.open_spool()
    spool.write(b"old")
    erased = spool.seal(label_of(identify()))
    blob_store.erase(erased)
    spool = blob_store.open_spool()
    spool.write(b"new")
    address = spool.seal(label_of(identify(instance=2)))
    blob_store.erase(erased)
    assert blob_store.read(address) == b"new"


def test_readers_and_writers_do_not_disturb_each_other(blob_store: BlobStore) -> None:
    def store_and_read(worker: int) -> bool:
        payloads = [_bytes(worker * 1000 + number * 37) for number in range(8)]
        addresses = _append(blob_store, *payloads, first=worker * 100)
        return [blob_store.read(address) for address in addresses] == payloads

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(store_and_read, range(12)))
    assert len(list(blob_store.iter_records())) == 12 * 8


# revisions


def _kinds(blob_store: BlobStore, after: BlobPosition | None = None) -> list[object]:
    return [
        one.revision_id if isinstance(one, RevisionMark) else one.label.identifier
        for one in blob_store.iter_records(after=after)
    ]


def test_a_mark_is_walked_where_it_was_made(blob_store: BlobStore) -> None:
    blob_store.append([(label_of(identify(instance=1)), b"one")])
    position = blob_store.mark_revision("0123-0")
    assert position in blob_store.positions()
    blob_store.append([(label_of(identify(instance=2)), b"two")])
    blob_store.mark_revision("0123-1")
    assert _kinds(blob_store) == [identify(instance=1), "0123-0", identify(instance=2), "0123-1"]
    assert _kinds(blob_store, after=position) == [identify(instance=2), "0123-1"]


def test_a_mark_stays_when_what_it_speaks_of_is_erased(blob_store: BlobStore) -> None:
    [address] = blob_store.append([(label_of(identify()), b"one")])
    blob_store.mark_revision("0123-0")
    blob_store.erase(address)
    assert _kinds(blob_store) == ["0123-0"]


def test_a_mark_behind_a_position_is_cut_off(blob_store: BlobStore) -> None:
    [address] = blob_store.append([(label_of(identify()), b"one")])
    blob_store.mark_revision("0123-0")
    blob_store.truncate(BlobPosition(address.container, address.offset + address.length))
    assert "0123-1" not in _kinds(blob_store)
    blob_store.mark_revision("0123-1")
    assert _kinds(blob_store)[-1] == "0123-1"


def test_a_label_says_which_revision_a_blob_is_of_and_what_it_replaces(blob_store: BlobStore) -> None:
    label = replace(label_of(identify(9), supersedes=True), revision_id="0123-0", replaces=identify(1))
    blob_store.append([(label, b"one"), (label_of(identify(2)), b"two")])
    labels = [one.label for one in blob_store.iter_records() if not isinstance(one, RevisionMark)]
    assert labels == [label, label_of(identify(2))]
