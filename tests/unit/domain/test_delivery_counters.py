from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.domain.delivery import DeliveryState
from isocenter.domain.delivery_counters import COUNTER_OF, Counters, count, count_numbers

states = st.sampled_from(DeliveryState)


def test_every_state_counts_somewhere() -> None:
    assert set(COUNTER_OF) == set(DeliveryState)


@given(st.lists(states))
def test_counting_adds_up(found: list[DeliveryState]) -> None:
    counters = count(found)
    assert counters.adds_up
    assert counters.received == len(found)


@given(before=st.lists(states, min_size=1), after=states, data=st.data())
def test_a_move_is_what_counting_anew_comes_to(
    before: list[DeliveryState], after: DeliveryState, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(before) - 1))
    moved = [*before[:at], after, *before[at + 1 :]]
    assert count(before).moved(before[at], after) == count(moved)


def test_what_is_received_waits() -> None:
    assert Counters().with_received(3) == Counters(received=3, waiting=3)


@pytest.mark.parametrize("counter", ["delivered", "waiting", "needs_human", "cancelled"])
def test_counters_that_do_not_add_up_say_so(counter: str) -> None:
    assert not Counters(received=1, **{counter: 2}).adds_up


def test_numbers_of_one_counter_are_added_up() -> None:
    numbers = [(DeliveryState.QUEUED, 2), (DeliveryState.HELD, 3), (DeliveryState.DELIVERED, 4)]
    assert count_numbers(numbers) == Counters(9, delivered=4, waiting=5)
