from __future__ import annotations

from collections.abc import Mapping

import pytest

from isocenter.domain.directory import GrantKind
from isocenter.domain.errors import Conflict, Forbidden, NotFound, Unauthenticated
from isocenter.domain.principal import LOCAL_OWNER, DataAction, Principal, SharedStudy
from isocenter.identity import sharing
from isocenter.identity.sessions import digest_of
from isocenter.identity.sharing import PLAIN_SHARE_COOKIE, Shares, share_cookie
from isocenter.storage.memory import MemoryIdentityStore
from tests.support.identity import Seconds

STUDY = SharedStudy("1.2.1", "Microsoft.Default")
OTHER = SharedStudy("1.2.2", "Microsoft.Default")
JANE = Principal("jane", frozenset(DataAction), "id-of-jane")


@pytest.fixture
def store() -> MemoryIdentityStore:
    return MemoryIdentityStore()


@pytest.fixture
def now() -> Seconds:
    return Seconds()


@pytest.fixture
def shares(store: MemoryIdentityStore, now: Seconds) -> Shares:
    return Shares(store, now)


def _refuse(headers: Mapping[str, str]) -> Principal:
    raise Unauthenticated()


def _headers(token: str, **others: str) -> dict[str, str]:
    return {"cookie": f"a=b; {PLAIN_SHARE_COOKIE}={token}", **others}


def test_a_link_is_found_by_its_token_alone(shares: Shares, store: MemoryIdentityStore) -> None:
    token = shares.give(JANE, STUDY, lasts_s=60)
    found = shares.find(token)
    assert found is not None
    assert (found.study, found.given_by) == (STUDY, "jane")
    assert shares.find(found.share_id) is None
    kept = store.grant(GrantKind.SHARE, digest_of(token))
    assert token not in repr(kept)


def test_a_link_ends_in_time(shares: Shares, now: Seconds) -> None:
    token = shares.give(JANE, STUDY, lasts_s=60)
    now.advance(59)
    assert shares.find(token) is not None
    now.advance(1)
    assert shares.find(token) is None
    assert shares.of_study(STUDY) == []


def test_a_link_is_withdrawn_at_once_and_only_from_its_own_study(shares: Shares) -> None:
    token = shares.give(JANE, STUDY, lasts_s=60)
    (listed,) = shares.of_study(STUDY)
    with pytest.raises(NotFound):
        shares.withdraw(OTHER, listed.share_id)
    shares.withdraw(STUDY, listed.share_id)
    assert shares.find(token) is None
    with pytest.raises(NotFound):
        shares.withdraw(STUDY, listed.share_id)


def test_whoever_comes_by_a_link_may_read_that_study_and_do_nothing_else(shares: Shares) -> None:
    token = shares.give(JANE, STUDY, lasts_s=60)
    principal = shares.or_by_link(_refuse, is_for_data=True)(_headers(token))
    principal.require_reading(STUDY.study_instance_uid, STUDY.partition_name)
    for study in (OTHER, SharedStudy("1.2.1", "north")):
        with pytest.raises(Forbidden):
            principal.require_reading(study.study_instance_uid, study.partition_name)
    for action in DataAction:
        with pytest.raises(Forbidden):
            principal.within("north").require(action)
    assert principal.name == "link given by jane"


def test_evidence_of_its_own_counts_before_a_link(shares: Shares) -> None:
    token = shares.give(JANE, STUDY, lasts_s=60)
    assert shares.or_by_link(lambda headers: LOCAL_OWNER, is_for_data=True)(_headers(token)) is LOCAL_OWNER


def test_without_a_link_that_holds_nobody_is_let_in(shares: Shares) -> None:
    admit = shares.or_by_link(_refuse, is_for_data=True)
    for headers in ({}, _headers("x"), _headers("")):
        with pytest.raises(Unauthenticated):
            admit(headers)


def test_pages_of_other_sites_get_no_data_by_a_link(shares: Shares) -> None:
    token = shares.give(JANE, STUDY, lasts_s=60)
    with pytest.raises(Unauthenticated):
        shares.or_by_link(_refuse, is_for_data=True)(_headers(token, **{"sec-fetch-site": "cross-site"}))
    admitted = shares.or_by_link(_refuse, is_for_data=False)(_headers(token, **{"sec-fetch-site": "cross-site"}))
    assert admitted.shared_study == STUDY


def test_links_are_limited(shares: Shares, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "SHARES_MAX", 2)
    for _ in range(2):
        shares.give(JANE, STUDY, lasts_s=60)
    with pytest.raises(Conflict):
        shares.give(JANE, STUDY, lasts_s=60)


def test_the_cookie_is_that_of_the_port() -> None:
    assert share_cookie({"host": "localhost:8042", "cookie": f"{PLAIN_SHARE_COOKIE}-8042=t"}) == "t"
    assert share_cookie({"host": "localhost:8043", "cookie": f"{PLAIN_SHARE_COOKIE}-8042=t"}) is None
