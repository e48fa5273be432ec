from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from isocenter.routing.deliveries.breaker import (
    RECENT_KEPT_MAX,
    Breaker,
    BreakerPolicy,
    BreakerState,
    begin_probe,
    failed,
    probe_at_once,
    succeeded,
    suspended,
    workers_allowed,
)

POLICY = BreakerPolicy()


def _open_at(now: float = 0.0, *, retry_after_s: float | None = None) -> Breaker:
    breaker = Breaker()
    for _ in range(POLICY.failures_in_a_row):
        breaker = failed(breaker, POLICY, now=now, retry_after_s=retry_after_s)
    return breaker


def test_it_opens_after_failures_in_a_row() -> None:
    breaker = Breaker()
    for number in range(POLICY.failures_in_a_row - 1):
        breaker = failed(breaker, POLICY, now=float(number * 100))
        assert breaker.state is BreakerState.CLOSED
    assert failed(breaker, POLICY, now=900.0).state is BreakerState.OPEN


def test_a_success_in_between_begins_the_row_anew() -> None:
    breaker = Breaker()
    for number in range(100):
        breaker = failed(breaker, POLICY, now=number * 200.0)
        breaker = succeeded(breaker, now=number * 200.0 + 1, workers_max=2)
    assert breaker.state is BreakerState.CLOSED


def test_it_opens_where_more_than_half_of_the_attempts_of_a_minute_failed() -> None:
    breaker = Breaker()
    for now, is_failure in ((0.0, True), (1.0, False), (2.0, True), (3.0, False), (4.0, True)):
        assert breaker.state is BreakerState.CLOSED
        breaker = failed(breaker, POLICY, now=now) if is_failure else succeeded(breaker, now=now, workers_max=2)
    assert breaker.state is BreakerState.OPEN


def test_failures_of_long_ago_do_not_count() -> None:
    breaker = failed(failed(Breaker(), POLICY, now=0.0), POLICY, now=1.0)
    breaker = succeeded(breaker, now=100.0, workers_max=2)
    assert failed(breaker, POLICY, now=101.0).state is BreakerState.CLOSED


def test_nothing_is_sent_while_it_is_open_but_one_probe_at_a_time() -> None:
    breaker = _open_at(10.0)
    assert workers_allowed(breaker, 8) == 0
    assert begin_probe(breaker, now=39.9) is None
    probing = begin_probe(breaker, now=40.0)
    assert probing is not None
    assert workers_allowed(probing, 8) == 0
    assert begin_probe(probing, now=1000.0) is None


def test_probes_come_ever_more_seldom() -> None:
    breaker, waits, now = _open_at(), [], 0.0
    for _ in range(8):
        assert breaker.probe_at is not None
        waits.append(breaker.probe_at - now)
        now = breaker.probe_at
        probing = begin_probe(breaker, now=now)
        assert probing is not None
        breaker = failed(probing, POLICY, now=now)
    assert waits == [30, 60, 120, 240, 480, 600, 600, 600]
    assert breaker.opened_at == 0.0, "since when it waits is told from the first failure on"


def test_what_the_destination_asks_for_puts_the_probe_off() -> None:
    assert _open_at(retry_after_s=300.0).probe_at == 300.0


def test_after_a_probe_the_workers_come_back_one_then_twice_as_many() -> None:
    probing = begin_probe(_open_at(), now=30.0)
    assert probing is not None
    allowed, breaker = [], probing
    while breaker.state is not BreakerState.CLOSED:
        breaker = succeeded(breaker, now=31.0, workers_max=6)
        allowed.append(workers_allowed(breaker, 6))
    assert allowed == [1, 2, 4, 6]
    assert breaker == Breaker()


def test_a_failure_while_it_recovers_opens_it_at_once() -> None:
    probing = begin_probe(_open_at(), now=30.0)
    assert probing is not None
    recovering = succeeded(probing, now=31.0, workers_max=6)
    assert failed(recovering, POLICY, now=32.0).state is BreakerState.OPEN


@given(st.lists(st.tuples(st.sampled_from(["succeeded", "failed", "probe"]), st.floats(0, 30)), max_size=400))
def test_under_any_events_it_is_bounded_and_never_stuck(events: list[tuple[str, float]]) -> None:
    breaker, now = Breaker(), 0.0
    for event, passed_s in events:
        now += passed_s
        if event == "succeeded":
            breaker = succeeded(breaker, now=now, workers_max=4)
        elif event == "failed":
            breaker = failed(breaker, POLICY, now=now)
        else:
            breaker = begin_probe(breaker, now=now) or breaker
        assert 0 <= workers_allowed(breaker, 4) <= 4
        assert len(breaker.recent) <= RECENT_KEPT_MAX
        if breaker.state is BreakerState.OPEN:
            assert breaker.probe_at is not None
            assert breaker.probe_at <= now + POLICY.longest_probe_s
        if breaker.state is BreakerState.RECOVERING:
            assert workers_allowed(breaker, 4) >= 1


def test_one_answer_of_a_kind_that_helps_nothing_opens_it() -> None:
    breaker = suspended(Breaker(), POLICY, now=10.0)
    assert (breaker.state, breaker.opened_at, breaker.probe_at) == (BreakerState.OPEN, 10.0, 40.0)


def test_it_is_not_opened_twice() -> None:
    breaker = _open_at(10.0)
    assert suspended(breaker, POLICY, now=20.0) == breaker


def test_a_probe_that_is_refused_so_makes_the_next_wait_longer() -> None:
    probing = begin_probe(_open_at(), now=30.0)
    assert probing is not None
    assert suspended(probing, POLICY, now=30.0).probe_at == 90.0


def test_a_person_may_have_it_probed_at_once() -> None:
    assert begin_probe(probe_at_once(_open_at(), now=5.0), now=5.0) is not None
    assert probe_at_once(Breaker(), now=5.0) == Breaker()
