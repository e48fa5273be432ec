"""Whose name and password these are."""

from __future__ import annotations

import pytest

from isocenter.identity.attempts import FailureLimiter, TooManyAttempts
from isocenter.identity.hashing import SecretHasher
from isocenter.identity.password import (
    FAILURES_OF_ADDRESS_MAX,
    FAILURES_OF_NAME_MAX,
    find_person,
    people_named,
    sign_in_attempts,
)
from tests.support.identity import PASSWORD, IdentityWorld

OTHER = "another long password"
HASHER = SecretHasher()


def test_name_and_password_belong_together_whatever_the_case_of_the_name() -> None:
    world = IdentityWorld()
    jane = world.user("jane")
    assert find_person(world.store, HASHER, "JANE", PASSWORD) == jane
    assert find_person(world.store, HASHER, "jane", OTHER) is None
    assert find_person(world.store, HASHER, "joe", PASSWORD) is None


def test_of_people_in_several_tenants_it_is_the_one_of_that_password() -> None:
    world = IdentityWorld()
    jane = world.user("jane")
    elsewhere = world.registry.add_tenant("elsewhere")
    other = world.registry.add_user("jane", OTHER, tenant=elsewhere)
    assert [one.object_id for one in people_named(world.store, "jane")] == [jane.object_id, other.object_id]
    assert find_person(world.store, HASHER, "jane", OTHER) == other
    assert find_person(world.store, HASHER, "jane", OTHER, tenant_id=world.tenant.tenant_id) is None


def test_failures_count_by_name_from_wherever() -> None:
    limiter = FailureLimiter(IdentityWorld().now)
    for number in range(FAILURES_OF_NAME_MAX):
        limiter.check(sign_in_attempts("jane", f"10.0.0.{number}"))
        limiter.note_failure(sign_in_attempts("Jane", f"10.0.0.{number}"))
    with pytest.raises(TooManyAttempts):
        limiter.check(sign_in_attempts("jane", "10.9.9.9"))
    limiter.check(sign_in_attempts("joe", "10.0.0.1"))


def test_failures_count_by_address_for_whatever_names() -> None:
    limiter = FailureLimiter(IdentityWorld().now)
    for number in range(FAILURES_OF_ADDRESS_MAX):
        limiter.check(sign_in_attempts(f"name {number}", "10.0.0.1"))
        limiter.note_failure(sign_in_attempts(f"name {number}", "10.0.0.1"))
    with pytest.raises(TooManyAttempts):
        limiter.check(sign_in_attempts("jane", "10.0.0.1"))
    limiter.check(sign_in_attempts("jane", "10.9.9.9"))
