"""Whose evidence is not verified again, and for how long."""

from __future__ import annotations

import pytest

from isocenter.domain.errors import Unauthenticated
from isocenter.domain.principal import Principal
from isocenter.domain.role import DATA_READER
from isocenter.identity.remembered import REMEMBERED_MAX, REMEMBERED_S, REVISION_S, RememberedPrincipals
from tests.support.identity import IdentityWorld

JANE = Principal("jane", frozenset())


class Asked:
    """Counts how often it was asked to find somebody."""

    def __init__(self, *, until: float = float("inf")) -> None:
        self.times = 0
        self._until = until

    def __call__(self) -> tuple[Principal, float]:
        self.times += 1
        return JANE, self._until


def test_who_was_found_is_remembered_for_a_while() -> None:
    world, asked = IdentityWorld(), Asked()
    remembered = RememberedPrincipals(world.store, now=world.now)
    assert [remembered.recall(b"key", asked) for _ in range(2)] == [JANE, JANE]
    assert asked.times == 1
    world.now.advance(REMEMBERED_S)
    remembered.recall(b"key", asked)
    assert asked.times == 2


def test_never_beyond_what_the_evidence_allows() -> None:
    world = IdentityWorld()
    remembered, asked = RememberedPrincipals(world.store, now=world.now), Asked(until=world.now() + 5)
    remembered.recall(b"key", asked)
    world.now.advance(5)
    remembered.recall(b"key", asked)
    assert asked.times == 2


def test_a_change_of_the_directory_voids_everything_within_a_second() -> None:
    world, asked = IdentityWorld(), Asked()
    user = world.user()
    remembered = RememberedPrincipals(world.store, now=world.now)
    remembered.recall(b"key", asked)
    world.registry.assign_role(user.object_id, DATA_READER)
    world.now.advance(REVISION_S)
    remembered.recall(b"key", asked)
    assert asked.times == 2


def test_who_is_to_be_forgotten_or_was_refused_is_not_remembered() -> None:
    world, asked = IdentityWorld(), Asked()
    remembered = RememberedPrincipals(world.store, now=world.now)
    remembered.recall(b"key", asked)
    remembered.forget(b"key")
    remembered.forget(b"another")
    assert len(remembered) == 0

    def refuse() -> tuple[Principal, float]:
        raise Unauthenticated()

    with pytest.raises(Unauthenticated):
        remembered.recall(b"key", refuse)
    assert len(remembered) == 0


def test_only_so_many_are_remembered() -> None:
    world, asked = IdentityWorld(), Asked()
    remembered = RememberedPrincipals(world.store, now=world.now)
    for number in range(REMEMBERED_MAX + 1):
        remembered.recall(str(number).encode(), asked)
    assert len(remembered) == REMEMBERED_MAX
