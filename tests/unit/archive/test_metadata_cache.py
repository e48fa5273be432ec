from __future__ import annotations

from isocenter.archive.metadata_cache import ENTRY_OVERHEAD_BYTES, LARGEST_SHARE, MetadataCache

TEXT = bytes(100)
ENTRY_BYTES = len(TEXT) + ENTRY_OVERHEAD_BYTES
ROOM = 20
"""Entries that fit."""


def _cache() -> MetadataCache:
    return MetadataCache(size_max_bytes=ROOM * ENTRY_BYTES)


def test_variants_of_an_instance_are_kept_apart() -> None:
    cache = _cache()
    cache.put(1, "uri", b"one")
    cache.put(1, "plain", b"two")
    assert (cache.get(1, "uri"), cache.get(1, "plain"), cache.get(2, "uri")) == (b"one", b"two", None)


def test_what_was_unused_longest_goes_first() -> None:
    cache = _cache()
    for key in range(ROOM):
        cache.put(key, "plain", TEXT)
    assert cache.get(0, "plain") == TEXT
    cache.put(ROOM, "plain", TEXT)
    assert cache.get(1, "plain") is None
    assert cache.get(0, "plain") == TEXT


def test_putting_again_takes_no_further_room() -> None:
    cache = _cache()
    for _ in range(3 * ROOM):
        cache.put(0, "plain", TEXT)
    for key in range(1, ROOM):
        cache.put(key, "plain", TEXT)
    assert cache.get(0, "plain") == TEXT


def test_one_large_text_does_not_push_out_all_others() -> None:
    cache = _cache()
    for key in range(ROOM // 2):
        cache.put(key, "plain", TEXT)
    cache.put(99, "plain", bytes(ROOM * ENTRY_BYTES // LARGEST_SHARE + 1))
    assert cache.get(99, "plain") is None
    assert all(cache.get(key, "plain") == TEXT for key in range(ROOM // 2))


def test_a_share_of_the_room_may_be_given_to_one_text() -> None:
    cache = MetadataCache(size_max_bytes=4000, largest_share=4)
    cache.put("whole", "gzip", bytes(cache.text_max_bytes))
    cache.put("longer", "gzip", bytes(cache.text_max_bytes + 1))
    assert (cache.text_max_bytes, cache.get("longer", "gzip")) == (1000, None)
    assert cache.get("whole", "gzip") == bytes(1000)
