from __future__ import annotations

import pytest

from isocenter.domain.errors import Overloaded
from isocenter.identity.hashing import SECRET_LENGTH_MAX, SecretHasher


@pytest.fixture(scope="module")
def hasher() -> SecretHasher:
    return SecretHasher()


@pytest.mark.parametrize("secret", ["s", "with blanks ", "pässwörd", "\ud800", "x" * SECRET_LENGTH_MAX])
def test_a_secret_matches_its_hash_and_no_other(hasher: SecretHasher, secret: str) -> None:
    digest = hasher.hash(secret)
    assert hasher.matches(secret, digest)
    assert not hasher.matches(secret[:-1] + "?", digest)


def test_the_hash_says_how_it_was_made_and_not_of_what(hasher: SecretHasher) -> None:
    digest = hasher.hash("hush hush")
    assert digest.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert "hush" not in digest


def test_two_hashes_of_one_secret_differ(hasher: SecretHasher) -> None:
    assert hasher.hash("same") != hasher.hash("same")


def test_nothing_matches_where_there_is_no_hash(hasher: SecretHasher) -> None:
    assert not hasher.matches("anything", None)


def test_a_secret_beyond_the_limit_is_not_hashed() -> None:
    exhausted = SecretHasher(at_a_time_max=1, wait_max_s=0)
    exhausted._slots.acquire()
    assert not exhausted.matches("x" * (SECRET_LENGTH_MAX + 1), None)


def test_more_hashes_than_fit_at_a_time_are_refused_rather_than_piled_up() -> None:
    hasher = SecretHasher(at_a_time_max=1, wait_max_s=0.001)
    digest = hasher.hash("secret")
    with hasher._slot(), pytest.raises(Overloaded):
        hasher.matches("secret", digest)
    assert hasher.matches("secret", digest)
