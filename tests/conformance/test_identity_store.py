"""What is registered and granted is kept: the same for every adapter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import pytest

from isocenter.domain.directory import (
    Application,
    ClientSecret,
    Grant,
    GrantKind,
    RoleAssignment,
    SigningKey,
    Tenant,
    User,
)
from isocenter.domain.errors import StorageFailed
from isocenter.ports.directory import Directory
from isocenter.ports.grants import Grants, SigningKeys
from isocenter.storage.memory import MemoryIdentityStore
from isocenter.storage.sqlite.identity import SqliteIdentityStore

Store: TypeAlias = MemoryIdentityStore | SqliteIdentityStore

TENANT = Tenant("t-1", "default", 1.0)
APPLICATION = Application("c-1", "t-1", "o-1", "Scanner", ("https://a.example/cb", "http://localhost"), 2.0)
SECRET = ClientSecret("s-1", "c-1", "digest", "abc", 3.0, 1000.0)
USER = User("u-1", "t-1", "Ärztin@example", "digest", 4.0)
GRANT = Grant(GrantKind.REFRESH, b"d", "u-1", "c-1", 50.0, 5.0, "{}")
KEY = SigningKey("k-1", b"pem", 1.0, 1.0, 2.0, 3.0)


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "memory":
        yield MemoryIdentityStore()
    else:
        with SqliteIdentityStore(tmp_path / "identity.sqlite3") as opened:
            yield opened


@pytest.fixture
def filled(store: Store) -> Store:
    assert store.add_tenant(TENANT)
    assert store.add_application(APPLICATION)
    assert store.add_secret(SECRET)
    assert store.add_user(USER)
    return store


def test_both_adapters_keep_all_that_the_ports_promise(store: Store) -> None:
    directory: Directory = store
    keys: SigningKeys = store
    grants: Grants = store
    assert (directory.tenants(), keys.signing_keys(), grants.grant(GrantKind.CODE, b"")) == ([], [], None)


def test_what_was_registered_is_found(filled: Store) -> None:
    assert list(filled.tenants()) == [TENANT]
    assert filled.application("c-1") == APPLICATION
    assert list(filled.applications()) == [APPLICATION]
    assert list(filled.secrets("c-1")) == [SECRET]
    assert filled.user("u-1") == USER
    assert list(filled.users()) == [USER]


def test_a_person_is_found_by_name_whatever_the_case_and_only_in_the_tenant(filled: Store) -> None:
    assert filled.user_named("t-1", "äRZTIN@Example") == USER
    assert filled.user_named("t-2", "Ärztin@example") is None


def test_an_identity_that_is_taken_is_refused_and_nothing_changes(filled: Store) -> None:
    assert not filled.add_tenant(Tenant("t-2", "default", 9.0))
    assert not filled.add_tenant(Tenant("t-1", "other", 9.0))
    assert not filled.add_application(Application("c-1", "t-1", "o-2", "Other", (), 9.0))
    assert not filled.add_application(Application("c-2", "t-1", "o-1", "Other", (), 9.0))
    assert not filled.add_secret(ClientSecret("s-1", "c-1", "other", "", 9.0, 9.0))
    assert not filled.add_user(User("u-2", "t-1", "ÄRZTIN@EXAMPLE", "other", 9.0))
    test_what_was_registered_is_found(filled)


def test_a_secret_needs_its_application(filled: Store) -> None:
    assert not filled.add_secret(ClientSecret("s-2", "c-9", "digest", "", 1.0, 2.0))


def test_a_secret_is_removed_only_from_its_own_application(filled: Store) -> None:
    assert not filled.remove_secret("c-9", "s-1")
    assert filled.remove_secret("c-1", "s-1")
    assert not filled.remove_secret("c-1", "s-1")
    assert list(filled.secrets("c-1")) == []


def test_an_application_goes_with_its_secrets_roles_and_grants(filled: Store) -> None:
    filled.assign_role(RoleAssignment("o-1", "r", "", 1.0))
    filled.add_grant(GRANT)
    assert filled.remove_application("c-1")
    assert not filled.remove_application("c-1")
    assert filled.application("c-1") is None
    assert list(filled.secrets("c-1")) == []
    assert list(filled.assignments()) == []
    assert filled.grant(GrantKind.REFRESH, b"d") is None


def test_a_person_goes_with_roles_and_grants(filled: Store) -> None:
    filled.assign_role(RoleAssignment("u-1", "r", "", 1.0))
    filled.add_grant(GRANT)
    assert filled.remove_user("u-1")
    assert not filled.remove_user("u-1")
    assert (filled.user("u-1"), list(filled.assignments("u-1")), filled.grant(GrantKind.REFRESH, b"d")) == (
        None,
        [],
        None,
    )


def test_a_new_password_ends_what_was_granted_with_the_old_one(filled: Store) -> None:
    filled.add_grant(GRANT)
    assert filled.set_password("u-1", "new")
    assert not filled.set_password("u-9", "new")
    assert [user.digest for user in filled.users()] == ["new"]
    assert filled.grant(GrantKind.REFRESH, b"d") is None


def test_roles_are_given_once_and_taken_away(store: Store) -> None:
    everywhere, here = RoleAssignment("o-1", "r", "", 1.0), RoleAssignment("o-1", "r", "north", 1.0)
    other = RoleAssignment("o-2", "r", "", 1.0)
    assert all(store.assign_role(one) for one in (other, here, everywhere))
    assert not store.assign_role(here)
    assert list(store.assignments("o-1")) == [everywhere, here]
    assert list(store.assignments()) == [everywhere, here, other]
    assert store.remove_assignment("o-1", "r", "north")
    assert not store.remove_assignment("o-1", "r", "north")
    assert list(store.assignments("o-1")) == [everywhere]


def test_with_the_last_role_of_one_go_the_links_that_they_gave(store: Store) -> None:
    for number, (owner, kind) in enumerate(
        (("o-1", GrantKind.SHARE), ("o-1", GrantKind.SESSION), ("o-2", GrantKind.SHARE))
    ):
        store.add_grant(Grant(kind, bytes([number]), owner, "", 9.0, 1.0, "{}"))
    for partition in ("", "north"):
        store.assign_role(RoleAssignment("o-1", "r", partition, 1.0))
    store.remove_assignment("o-1", "r", "")
    assert [one.object_id for one in store.grants_of_kind(GrantKind.SHARE)] == ["o-1", "o-2"]
    store.remove_assignment("o-1", "r", "north")
    assert [one.object_id for one in store.grants_of_kind(GrantKind.SHARE)] == ["o-2"]
    assert [one.object_id for one in store.grants_of_kind(GrantKind.SESSION)] == ["o-1"]


def test_a_grant_is_taken_once_even_by_many_at_the_same_time(store: Store) -> None:
    store.add_grant(GRANT)
    with ThreadPoolExecutor(8) as callers:
        taken = list(callers.map(lambda _: store.take_grant(GrantKind.REFRESH, b"d"), range(8)))
    assert [one for one in taken if one is not None] == [GRANT]


def test_grants_of_a_kind_are_listed_the_oldest_first(store: Store) -> None:
    for number, kind in ((2, GrantKind.SHARE), (1, GrantKind.SHARE), (0, GrantKind.SESSION)):
        store.add_grant(replace(GRANT, kind=kind, digest=bytes([number]), created_at=float(number)))
    assert [one.digest for one in store.grants_of_kind(GrantKind.SHARE)] == [b"\1", b"\2"]
    assert list(store.grants_of_kind(GrantKind.CODE)) == []


def test_a_grant_is_of_its_kind(store: Store) -> None:
    store.add_grant(GRANT)
    assert store.grant(GrantKind.SESSION, b"d") is None
    assert store.grant(GrantKind.REFRESH, b"d") == GRANT


def test_grants_are_prolonged_and_forgotten_when_they_have_expired(store: Store) -> None:
    store.add_grant(GRANT)
    store.add_grant(Grant(GrantKind.CODE, b"e", "u-1", "c-1", 40.0, 5.0, "{}"))
    assert store.prolong_grant(GrantKind.REFRESH, b"d", expires_at=60.0)
    assert not store.prolong_grant(GrantKind.REFRESH, b"x", expires_at=60.0)
    assert store.forget_grants(expired_at=50.0) == 1
    found = store.grant(GrantKind.REFRESH, b"d")
    assert found is not None
    assert found.expires_at == 60.0


def test_keys_change_only_for_whom_knows_them_all(store: Store) -> None:
    assert store.change_signing_keys(add=[KEY], remove=[], known=[])
    assert not store.change_signing_keys(add=[SigningKey("k-2", b"", 2.0, 2.0, 3.0, 4.0)], remove=[], known=[])
    second = SigningKey("k-3", b"pem", 2.0, 2.0, 3.0, 4.0)
    assert store.change_signing_keys(add=[second], remove=["k-1"], known=["k-1"])
    assert list(store.signing_keys()) == [second]


def test_every_change_of_what_is_registered_has_a_new_revision(filled: Store) -> None:
    seen = {filled.revision()}
    changes: list[Callable[[], bool]] = [
        lambda: filled.assign_role(RoleAssignment("o-1", "r", "", 1.0)),
        lambda: filled.remove_assignment("o-1", "r", ""),
        lambda: filled.set_password("u-1", "new"),
        lambda: filled.remove_secret("c-1", "s-1"),
        lambda: filled.change_signing_keys(add=[KEY], remove=[], known=[]),
        lambda: filled.remove_user("u-1"),
        lambda: filled.remove_application("c-1"),
    ]
    for change in changes:
        assert change()
        assert filled.revision() == filled.revision()
        assert filled.revision() not in seen
        seen.add(filled.revision())


def test_nothing_shows_a_digest_or_a_key_where_it_is_printed() -> None:
    texts = [repr(one) for one in (SECRET, USER, GRANT, KEY)]
    assert not any("'digest'" in text or "b'd'" in text or "pem'" in text for text in texts)


def test_what_another_process_registers_is_seen_and_outlives_the_process(tmp_path: Path) -> None:
    path = tmp_path / "identity.sqlite3"
    with SqliteIdentityStore(path) as first, SqliteIdentityStore(path) as second:
        before = first.revision()
        assert second.add_tenant(TENANT)
        assert first.revision() != before
        assert list(first.tenants()) == [TENANT]
    with SqliteIdentityStore(path) as again:
        assert list(again.tenants()) == [TENANT]
    assert path.stat().st_mode & 0o077 == 0


def test_a_file_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "identity.sqlite3"
    path.write_bytes(b"something else" * 100)
    with pytest.raises(StorageFailed):
        SqliteIdentityStore(path)
    assert path.read_bytes().startswith(b"something else")
