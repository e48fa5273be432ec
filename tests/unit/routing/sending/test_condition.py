from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from isocenter.routing.calendar import parse_window
from isocenter.routing.configuration.destination import Destination, FolderTarget
from isocenter.routing.deliveries.breaker import Breaker, BreakerState, begin_probe
from isocenter.routing.deliveries.verdict import Judgement, Verdict
from isocenter.routing.sending.condition import (
    Condition,
    DestinationState,
    Gate,
    Hold,
    answered,
    gate,
    judged,
)

THERE = Destination("there", FolderTarget("/there"), workers=4)
SATURDAY_NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SICK = Judgement(Verdict.TRANSIENT, is_of_destination=True)


def _gate(condition: Condition = Condition(), destination: Destination = THERE, *, now: float = 0.0) -> Gate:  # noqa: B008
    return gate(destination, condition, now=now, moment=SATURDAY_NOON)


def _after(condition: Condition, *judgements: Judgement, now: float = 0.0) -> Condition:
    for judgement in judgements:
        condition = judged(condition, judgement, THERE, now=now, draw=lambda: 0.5)
    return condition


def test_a_destination_that_is_well_has_all_its_workers() -> None:
    assert _gate() == Gate(DestinationState.RUNNING, 4)


def test_one_that_is_switched_off_has_none() -> None:
    assert _gate(destination=replace(THERE, is_enabled=False)) == Gate(DestinationState.DISABLED, 0)


def test_one_that_a_person_put_aside_has_none() -> None:
    assert _gate(Condition(hold=Hold("ada", 0.0))) == Gate(DestinationState.HELD, 0)


def test_outside_its_hours_it_says_when_it_opens() -> None:
    destination = replace(THERE, open=(parse_window("mon-fri 18:00-07:00"),))
    assert _gate(destination=destination, now=100.0) == Gate(DestinationState.CLOSED, 0, 100.0 + 54 * 3600)


def test_failures_of_its_own_open_the_breaker() -> None:
    condition = _after(Condition(), *[SICK] * THERE.breaker.failures_in_a_row)
    assert _gate(condition) == Gate(DestinationState.WAITING, 0, THERE.breaker.first_probe_s)


def test_after_a_failure_of_its_own_it_rests_for_a_moment() -> None:
    condition = _after(Condition(), SICK, now=10.0)
    assert _gate(condition, now=10.0) == Gate(DestinationState.RESTING, 0, 11.0)
    assert _gate(condition, now=11.0).workers == 4


def test_it_is_left_alone_for_as_long_as_it_asks() -> None:
    condition = _after(Condition(), Judgement(Verdict.TRANSIENT, is_of_destination=True, retry_after_s=90.0))
    assert _gate(condition, now=89.0).state is DestinationState.RESTING
    assert _gate(condition, now=90.0).state is DestinationState.RUNNING


def test_an_answer_to_another_worker_does_not_end_that() -> None:
    condition = _after(Condition(), Judgement(Verdict.TRANSIENT, is_of_destination=True, retry_after_s=90.0))
    assert _gate(answered(condition, THERE, now=1.0), now=2.0).state is DestinationState.RESTING


@pytest.mark.parametrize("verdict", [Verdict.AUTHENTICATION, Verdict.MISCONFIGURED])
def test_one_answer_is_enough_to_suspend_it(verdict: Verdict) -> None:
    condition = _after(Condition(), Judgement(verdict, is_of_destination=True))
    assert _gate(condition) == Gate(DestinationState.SUSPENDED, 0, THERE.breaker.first_probe_s)


@pytest.mark.parametrize("verdict", [Verdict.DELIVERED, Verdict.NOTED, Verdict.DETERMINISTIC, Verdict.CONFLICT])
def test_what_it_says_of_an_instance_shows_that_it_is_well(verdict: Verdict) -> None:
    condition = _after(Condition(), SICK, SICK, Judgement(verdict))
    assert condition.breaker.failures_in_a_row == 0


def test_a_failure_of_an_instance_that_is_tried_again_shows_nothing() -> None:
    condition = _after(Condition(), SICK, SICK, Judgement(Verdict.TRANSIENT))
    assert condition.breaker.failures_in_a_row == 2


def test_while_it_is_probed_nothing_else_is_sent() -> None:
    probing = begin_probe(Breaker(BreakerState.OPEN, opened_at=0.0, probe_at=30.0), now=30.0)
    assert probing is not None
    assert _gate(Condition(breaker=probing)) == Gate(DestinationState.PROBING, 0)


def test_after_a_probe_its_workers_come_back_one_after_the_other() -> None:
    condition = Condition(breaker=Breaker(BreakerState.PROBING, opened_at=0.0), is_suspended=True)
    workers = []
    for _ in range(3):
        condition = answered(condition, THERE, now=0.0)
        workers.append((_gate(condition).state, _gate(condition).workers))
    assert workers == [
        (DestinationState.RECOVERING, 1),
        (DestinationState.RECOVERING, 2),
        (DestinationState.RUNNING, 4),
    ]
