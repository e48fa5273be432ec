from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from isocenter.domain.delivery import Priority
from isocenter.routing.deliveries.share import WEIGHTS, Shares, choose

EVERY = frozenset(Priority)


def _chosen(waiting: list[frozenset[Priority]], shares: Shares | None = None) -> list[Priority]:
    shares, found = shares or Shares(), []
    for classes in waiting:
        picked = choose(shares, classes)
        if picked is not None:
            chosen, shares = picked
            found.append(chosen)
    return found


def test_where_nothing_waits_nothing_is_next() -> None:
    assert choose(Shares(), frozenset()) is None


def test_where_all_wait_each_gets_its_share() -> None:
    rounds = sum(WEIGHTS.values())
    assert Counter(_chosen([EVERY] * rounds * 10)) == {one: 10 * weight for one, weight in WEIGHTS.items()}


def test_the_most_urgent_is_first() -> None:
    assert _chosen([EVERY]) == [Priority.STAT]
    assert _chosen([frozenset({Priority.MIGRATION, Priority.ROUTINE})]) == [Priority.ROUTINE]


def test_migration_alone_gets_everything_and_saves_nothing_up() -> None:
    alone = [frozenset({Priority.MIGRATION})] * 1000
    after = [frozenset({Priority.MIGRATION, Priority.STAT})] * 65
    found = _chosen([*alone, *after])
    assert found[1000:1065].count(Priority.STAT) >= 63


def test_who_comes_back_does_not_make_up_for_its_absence() -> None:
    found = _chosen([frozenset({Priority.MIGRATION})] * 1000 + [frozenset({Priority.ROUTINE, Priority.MIGRATION})] * 34)
    assert found[1000:].count(Priority.ROUTINE) <= 33


@given(st.lists(st.frozensets(st.sampled_from(Priority)), max_size=300))
def test_who_waits_is_chosen_within_a_round_whatever_comes_and_goes(waiting: list[frozenset[Priority]]) -> None:
    shares, since = Shares(), dict.fromkeys(Priority, 0)
    for classes in waiting:
        picked = choose(shares, classes)
        if picked is None:
            continue
        chosen, shares = picked
        assert chosen in classes
        for one in Priority:
            since[one] = 0 if one is chosen or one not in classes else since[one] + 1
            assert since[one] <= 3 * 64 / WEIGHTS[one] + sum(WEIGHTS.values())
        assert max(shares.walked.values()) <= 2 * 64
