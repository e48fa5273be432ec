from __future__ import annotations

import json

import pytest

from isocenter.domain.directory import GrantKind
from isocenter.identity.sessions import Sessions, SessionTimes, digest_of
from isocenter.storage.memory import MemoryIdentityStore
from tests.support.identity import Seconds

TIMES = SessionTimes(idle_s=100.0, total_s=250.0)


@pytest.fixture
def store() -> MemoryIdentityStore:
    return MemoryIdentityStore()


@pytest.fixture
def now() -> Seconds:
    return Seconds()


@pytest.fixture
def sessions(store: MemoryIdentityStore, now: Seconds) -> Sessions:
    return Sessions(store, now, TIMES)


def test_a_session_is_found_by_its_cookie_alone(sessions: Sessions, store: MemoryIdentityStore) -> None:
    cookie = sessions.open("jane")
    found = sessions.find(cookie)
    assert found is not None
    assert found.object_id == "jane"
    assert sessions.find(cookie[:-1]) is None
    assert sessions.find(digest_of(cookie).hex()) is None
    kept = store.grant(GrantKind.SESSION, digest_of(cookie))
    assert kept is not None
    assert cookie not in repr(kept) + kept.details


def test_every_session_has_another_cookie_of_256_bits(sessions: Sessions) -> None:
    cookies = {sessions.open("jane") for _ in range(10)}
    assert len(cookies) == 10
    assert all(len(cookie) >= 43 for cookie in cookies)


def test_a_session_that_is_not_used_ends(sessions: Sessions, now: Seconds) -> None:
    cookie = sessions.open("jane")
    now.advance(99.9)
    assert sessions.find(cookie) is not None
    now.advance(0.1)
    assert sessions.find(cookie) is None


def test_a_session_in_use_lasts_until_its_total(sessions: Sessions, now: Seconds) -> None:
    cookie = sessions.open("jane")
    for _ in range(4):
        now.advance(60)
        found = sessions.find(cookie)
        assert found is not None
        if sessions.wants_longer(found):
            sessions.prolong(found)
    now.advance(9.9)
    last = sessions.find(cookie)
    assert last is not None
    assert not sessions.wants_longer(last)
    now.advance(0.1)
    assert sessions.find(cookie) is None


def test_not_every_request_prolongs_a_session(sessions: Sessions, now: Seconds) -> None:
    found = sessions.find(sessions.open("jane"))
    assert found is not None
    assert not sessions.wants_longer(found)
    now.advance(11)
    assert sessions.wants_longer(found)


def test_a_closed_session_cannot_be_used_again(sessions: Sessions) -> None:
    cookie = sessions.open("jane")
    found = sessions.find(cookie)
    assert found is not None
    sessions.close(cookie)
    assert sessions.find(cookie) is None
    sessions.prolong(found)
    assert sessions.find(cookie) is None


def test_what_an_external_issuer_said_is_kept_with_the_session(sessions: Sessions) -> None:
    found = sessions.find(sessions.open("jane", {"name": "Jane", "roles": ["r"]}))
    assert found is not None
    assert json.loads(found.details) == {"name": "Jane", "roles": ["r"]}
