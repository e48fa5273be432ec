from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import jwt
import pytest

from isocenter.domain.directory import SigningKey
from isocenter.identity.key_ring import (
    DAY_S,
    PUBLISHED_AFTER_S,
    PUBLISHED_BEFORE_S,
    SIGNS_FOR_S,
    KeyRing,
    Rotation,
    due,
    signing_at,
)
from isocenter.storage.memory import MemoryIdentityStore
from tests.support.identity import START, Seconds


def _key(name: str, signs_from: float, signs_until: float, published_until: float) -> SigningKey:
    return SigningKey(name, b"", signs_from, signs_from, signs_until, published_until)


ROTATION = Rotation(signs_for_s=100.0, published_before_s=10.0, published_after_s=5.0)
FIRST = _key("1", 0.0, 100.0, 105.0)
SECOND = _key("2", 100.0, 200.0, 205.0)


@pytest.mark.parametrize(
    ("keys", "now", "next_signs_from", "expired"),
    [
        ([], 7.0, 7.0, ()),
        ([FIRST], 50.0, None, ()),
        ([FIRST], 90.0, None, ()),
        ([FIRST], 90.1, 100.0, ()),
        ([FIRST, SECOND], 99.0, None, ()),
        ([FIRST, SECOND], 104.9, None, ()),
        ([FIRST, SECOND], 105.0, None, ("1",)),
        ([FIRST, SECOND], 300.0, 300.0, ("1", "2")),
    ],
)
def test_what_is_due(
    keys: list[SigningKey], now: float, next_signs_from: float | None, expired: tuple[str, ...]
) -> None:
    found = due(keys, now=now, rotation=ROTATION)
    assert (found.next_signs_from, found.expired) == (next_signs_from, expired)


@pytest.mark.parametrize(("now", "name"), [(0.0, "1"), (99.9, "1"), (100.0, "2"), (200.0, None)])
def test_the_key_whose_time_it_is_signs(now: float, name: str | None) -> None:
    found = signing_at([FIRST, SECOND], now)
    assert (None if found is None else found.key_id) == name


@pytest.fixture
def now() -> Seconds:
    return Seconds()


@pytest.fixture
def store() -> MemoryIdentityStore:
    return MemoryIdentityStore()


def _verify(ring: KeyRing, token: str) -> bool:
    key = ring.public_key(jwt.get_unverified_header(token)["kid"])
    if key is None:
        return False
    jwt.decode(token, key, algorithms=["RS256"])
    return True


def test_the_first_key_is_made_when_it_is_needed_and_others_find_it(store: MemoryIdentityStore, now: Seconds) -> None:
    token = KeyRing(store, now).sign({"a": 1})
    assert jwt.get_unverified_header(token).keys() == {"alg", "typ", "kid"}
    assert _verify(KeyRing(store, now), token)
    assert len(store.signing_keys()) == 1


def test_a_key_is_published_before_it_signs_and_after_it_has_stopped(store: MemoryIdentityStore, now: Seconds) -> None:
    ring = KeyRing(store, now)
    old = ring.sign({})
    assert len(ring.documents()) == 1
    now.value = START + SIGNS_FOR_S - PUBLISHED_BEFORE_S + 1
    ring.refresh()
    published = {document["kid"] for document in ring.documents()}
    assert len(published) == 2
    assert jwt.get_unverified_header(ring.sign({}))["kid"] == jwt.get_unverified_header(old)["kid"]
    now.value = START + SIGNS_FOR_S + 1
    new = ring.sign({})
    assert jwt.get_unverified_header(new)["kid"] != jwt.get_unverified_header(old)["kid"]
    assert jwt.get_unverified_header(new)["kid"] in published
    assert _verify(ring, old)
    now.value = START + SIGNS_FOR_S + PUBLISHED_AFTER_S
    ring.refresh()
    assert not _verify(ring, old)
    assert _verify(ring, new)
    assert len(store.signing_keys()) == 1


def test_after_a_long_standstill_a_new_key_signs_at_once(store: MemoryIdentityStore, now: Seconds) -> None:
    ring = KeyRing(store, now)
    ring.sign({})
    now.advance(1000 * DAY_S)
    assert _verify(ring, ring.sign({}))


def test_published_keys_hold_no_secret(store: MemoryIdentityStore, now: Seconds) -> None:
    ring = KeyRing(store, now)
    ring.refresh()
    (document,) = ring.documents()
    assert document.keys() == {"kty", "use", "kid", "n", "e"}


def test_a_new_key_on_demand_leaves_earlier_tokens_valid(store: MemoryIdentityStore, now: Seconds) -> None:
    ring, other = KeyRing(store, now), KeyRing(store, now)
    old = ring.sign({})
    assert _verify(other, old)
    ring.replace_now(forget_old=False)
    now.advance(1)
    assert jwt.get_unverified_header(other.sign({}))["kid"] != jwt.get_unverified_header(old)["kid"]
    assert _verify(other, old)


def test_a_key_that_became_known_is_forgotten_by_every_process_at_once(
    store: MemoryIdentityStore, now: Seconds
) -> None:
    ring, other = KeyRing(store, now), KeyRing(store, now)
    old = ring.sign({})
    assert _verify(other, old)
    ring.replace_now(forget_old=True)
    assert not _verify(other, old)
    assert _verify(other, other.sign({}))


def test_many_processes_at_the_first_start_agree_on_one_key(store: MemoryIdentityStore, now: Seconds) -> None:
    rings = [KeyRing(store, now) for _ in range(4)]
    with ThreadPoolExecutor(4) as callers:
        list(callers.map(lambda ring: ring.refresh(), rings))
    assert len(store.signing_keys()) == 1


def test_a_key_is_not_printed() -> None:
    assert "hush" not in repr(replace(FIRST, private_pem=b"hush"))
