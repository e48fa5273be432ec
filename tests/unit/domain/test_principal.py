from __future__ import annotations

import pytest

from isocenter.domain.errors import Forbidden
from isocenter.domain.principal import (
    LOCAL_OWNER,
    OWNER_ACTIONS,
    READER_ACTIONS,
    DataAction,
    PartitionGrant,
    Principal,
)

WRITE = frozenset({DataAction.WRITE})


def test_an_action_that_was_not_granted_is_forbidden() -> None:
    reader = Principal("reader", READER_ACTIONS)
    reader.require(DataAction.READ)
    with pytest.raises(Forbidden, match=r"^Authorization failed\.$"):
        reader.require(DataAction.WRITE)


def test_a_grant_counts_in_its_partition_alone() -> None:
    one = Principal("one", READER_ACTIONS, partition_grants=(PartitionGrant("north", WRITE),))
    one.within("north").require(DataAction.WRITE)
    for elsewhere in (one, one.within("south"), one.within("North"), one.within("")):
        elsewhere.require(DataAction.READ)
        with pytest.raises(Forbidden):
            elsewhere.require(DataAction.WRITE)


def test_within_a_partition_nothing_is_left_for_another() -> None:
    one = Principal("one", frozenset(), "o", "a", (PartitionGrant("north", WRITE), PartitionGrant("south", WRITE)))
    north = one.within("north")
    assert (north.name, north.object_id, north.application_id) == ("one", "o", "a")
    with pytest.raises(Forbidden):
        north.within("west").within("south").require(DataAction.READ)
    assert north.partition_grants == ()


def test_who_has_no_grants_stays_the_same_everywhere() -> None:
    assert LOCAL_OWNER.within("north") is LOCAL_OWNER


def test_an_owner_of_one_partition_administers_nobody() -> None:
    everywhere = Principal("all", OWNER_ACTIONS)
    here = Principal("one", frozenset(), partition_grants=(PartitionGrant("north", OWNER_ACTIONS),)).within("north")
    assert everywhere.is_owner
    assert everywhere.within("north").is_owner
    assert here.data_actions == OWNER_ACTIONS
    assert not here.is_owner
    with pytest.raises(Forbidden):
        here.require_owner()
