from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from isocenter.domain.delivery_counters import Counters
from isocenter.routing.sending.condition import DestinationState, Failure, Hold
from isocenter.routing.sending.recent import Rate
from isocenter.routing.sending.status import DestinationStatus, clears_in_s, describe, explain_failure

AT = datetime(2026, 11, 21, 14, 30, tzinfo=UTC)
NOW = AT.timestamp()
SINCE = datetime(2026, 11, 21, 14, 2, tzinfo=UTC).timestamp()
RUNNING = DestinationStatus(
    name="cloud",
    state=DestinationState.RUNNING,
    observed_at=NOW,
    since=None,
    hold=None,
    failure=None,
    next_at=None,
    counters=Counters(),
    waiting_bytes=0,
    oldest_received_at=None,
    sending=0,
    workers=0,
    rate=Rate(),
    clears_in_s=0.0,
)
WAITING = replace(
    RUNNING,
    state=DestinationState.WAITING,
    since=SINCE,
    failure=Failure("http:503", "overloaded", NOW),
    next_at=NOW + 22,
    counters=Counters(1284, 0, 1284, 0, 0),
    waiting_bytes=3_100_000_000,
    oldest_received_at=SINCE,
    clears_in_s=540.0,
)


def test_an_outage_is_told_whole() -> None:
    assert describe(WAITING, local=AT) == (
        "Waiting since 2026-11-21 14:02 (Service unavailable, http:503). Next probe in 22 s. "
        "1,284 instances, 3.1 GB, safe on disk. "
        "At the present speed the backlog clears in about 9 min after it goes on."
    )


def test_who_put_it_aside_is_told_with_the_reason() -> None:
    held = replace(RUNNING, state=DestinationState.HELD, hold=Hold("ada", SINCE, "new firewall"))
    assert describe(held, local=AT) == "Held by ada since 2026-11-21 14:02: new firewall."


def test_one_that_runs_says_no_more() -> None:
    assert describe(RUNNING, local=AT) == "Running."


@pytest.mark.parametrize("state", list(DestinationState))
def test_every_state_has_words(state: DestinationState) -> None:
    assert describe(replace(WAITING, state=state), local=AT).endswith("goes on.") is (
        state not in (DestinationState.RUNNING, DestinationState.RECOVERING)
    )


def test_what_is_on_the_shelf_is_told() -> None:
    assert "3 on the shelf for people." in describe(replace(RUNNING, counters=Counters(3, 0, 0, 3, 0)), local=AT)


def test_the_age_of_the_oldest_is_told() -> None:
    assert WAITING.oldest_age_s == 28 * 60
    assert RUNNING.oldest_age_s is None


def test_a_failure_is_explained_by_the_catalogue() -> None:
    assert explain_failure(Failure("transport:connection-refused", "", 0.0)).name == "Connection refused"


def test_the_estimate_is_by_bytes_or_by_number_whichever_is_longer() -> None:
    rate = Rate(10.0, 1000.0)
    assert clears_in_s(waiting=100, waiting_bytes=1000, rate=rate) == 10.0
    assert clears_in_s(waiting=100, waiting_bytes=100_000, rate=rate) == 100.0
    assert clears_in_s(waiting=0, waiting_bytes=0, rate=Rate()) == 0.0
    assert clears_in_s(waiting=1, waiting_bytes=0, rate=Rate()) is None
