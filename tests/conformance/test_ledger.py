"""What every ledger does: begin, lease, settle, change, and tell how far everything has come."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import pytest

from isocenter.domain.delivery import (
    DELETED,
    NOWHERE,
    SENT_NOWHERE,
    SUPERSEDED,
    Delivery,
    DeliveryPlan,
    DeliveryState,
    Priority,
    Wish,
    cancel,
    ended,
    give_up,
    hold,
    release,
    send_again,
)
from isocenter.domain.delivery_counters import Counters
from isocenter.domain.identifiers import InstanceIdentifier
from isocenter.ports.index import InstanceIndex
from isocenter.ports.ledger import (
    ATTEMPTS_MAX,
    DETAIL_LENGTH_MAX,
    Attempt,
    Backlog,
    Ledger,
    LedgerRow,
    Selection,
    Settled,
)
from tests.support.instances import address_of, identify, new_instance, scope_of

NOW, UNTIL, DUE = 100.0, 160.0, 1000.0
NORTH, SOUTH = DeliveryPlan("north"), DeliveryPlan("south")
S = DeliveryState
PLAN = DeliveryPlan("cloud", "ct", "all", 7, ("utf-8", "explicit"), Priority.STAT, "CT1")


def _commit(
    index: InstanceIndex,
    *plans: DeliveryPlan,
    identifier: InstanceIdentifier | None = None,
    now: float = NOW,
    size_bytes: int = 1000,
) -> int:
    """Commit an instance, of a new study where none is named; return its key."""
    number = index.latest_sequence() + 1
    new = new_instance(identifier or identify(number), address=address_of(number, length=size_bytes))
    [key] = index.commit([replace(new, deliveries=plans)], now=now, erase_due_at=DUE)
    return key


def _lease(
    ledger: Ledger,
    destination: str = "north",
    priority: Priority = Priority.ROUTINE,
    *,
    now: float = NOW,
    count_max: int = 64,
    size_max_bytes: int = 10**9,
) -> list[LedgerRow]:
    return ledger.lease(
        destination, priority, now=now, until=now + 60, count_max=count_max, size_max_bytes=size_max_bytes
    )


def _end(row: LedgerRow, state: DeliveryState, note: str = "", *, attempt: Attempt | None = None) -> Settled:
    """Return the end of an attempt, which counts only while its lease is the latest."""
    number = row.delivery.lease_number

    def step(delivery: Delivery) -> Delivery | None:
        is_held = (delivery.state, delivery.lease_number) == (S.SENDING, number)
        return ended(delivery, state, note) if is_held else None

    return Settled(row.delivery_key, step, attempt)


def _delayed(delivery: Delivery, *, due_at: float) -> Delivery:
    return replace(delivery, due_at=due_at)


def _counters(ledger: Ledger) -> dict[str, Counters]:
    return {tally.destination: tally.counters for tally in ledger.tallies()}


@pytest.fixture
def ledger(instance_index: InstanceIndex) -> Iterator[Ledger]:
    """Return the ledger of an index; whatever a test does, its counters add up and say what its rows say."""
    ledger = instance_index.ledger
    yield ledger
    for tally in ledger.tallies():
        assert tally.counters.adds_up
        rows = ledger.page(Selection(destination=tally.destination, channel=tally.channel), limit=1000)
        assert tally.counters.received == len(rows)
        waiting = [row for row in rows if row.delivery.state in (S.QUEUED, S.SENDING, S.HELD)]
        assert (tally.counters.waiting, tally.waiting_bytes) == (len(waiting), sum(one.size_bytes for one in waiting))


# deliveries begin


def test_deliveries_begin_in_the_commit_of_their_instance(instance_index: InstanceIndex, ledger: Ledger) -> None:
    key = _commit(instance_index, PLAN, NORTH, identifier=identify(3))
    newest, oldest = ledger.page(Selection())
    assert oldest == LedgerRow(1, key, identify(3), 1000, PLAN, Delivery(S.QUEUED, NOW, NOW))
    assert (newest.delivery_key, newest.plan) == (2, NORTH)


def test_two_rules_that_say_the_same_destination_make_one_delivery(
    instance_index: InstanceIndex, ledger: Ledger
) -> None:
    _commit(instance_index, PLAN, replace(PLAN, rule="other"))
    assert [row.plan.rule for row in ledger.page(Selection())] == ["all"]


def test_what_no_rule_sends_anywhere_is_counted_as_cancelled(instance_index: InstanceIndex, ledger: Ledger) -> None:
    _commit(instance_index, DeliveryPlan(NOWHERE, "ct"))
    [row] = ledger.page(Selection(channel="ct"))
    assert (row.delivery.state, row.delivery.note) == (S.CANCELLED, SENT_NOWHERE)
    assert _counters(ledger) == {NOWHERE: Counters(1, cancelled=1)}


@pytest.mark.parametrize("step", [partial(send_again, now=NOW), lambda delivery: replace(delivery, state=S.QUEUED)])
def test_nothing_leads_away_from_nowhere(
    instance_index: InstanceIndex, ledger: Ledger, step: Callable[[Delivery], Delivery | None]
) -> None:
    _commit(instance_index, DeliveryPlan(NOWHERE, "ct"))
    assert ledger.change(Selection(channel="ct"), step) == 0
    assert ledger.settle([Settled(1, step)]) == [None]
    assert _lease(ledger, NOWHERE) == []


def test_stored_instances_are_sent_by_hand_once_to_a_destination(instance_index: InstanceIndex, ledger: Ledger) -> None:
    keys = [_commit(instance_index), _commit(instance_index, NORTH)]
    assert ledger.add([*keys, 999], NORTH, now=NOW) == 1
    assert ledger.add(keys, NORTH, now=NOW) == 0
    assert ledger.add([keys[0], keys[0]], SOUTH, now=NOW) == 1
    assert [(row.instance_key, row.plan.destination) for row in ledger.page(Selection())] == [
        (keys[0], "south"),
        (keys[0], "north"),
        (keys[1], "north"),
    ]


def test_what_was_delivered_does_not_begin_again_by_itself(instance_index: InstanceIndex, ledger: Ledger) -> None:
    key = _commit(instance_index, NORTH)
    ledger.settle([_end(row, S.DELIVERED) for row in _lease(ledger)])
    assert ledger.begin([(key, NORTH)], now=NOW) == 0


def test_what_is_gone_is_not_sent_by_hand(instance_index: InstanceIndex, ledger: Ledger) -> None:
    key = _commit(instance_index, identifier=identify(1))
    instance_index.delete(scope_of(identify(1)), now=NOW, erase_due_at=DUE)
    assert ledger.begin([(key, NORTH)], now=NOW) == 0


def test_each_begins_as_it_is_planned(instance_index: InstanceIndex, ledger: Ledger) -> None:
    keys = [_commit(instance_index), _commit(instance_index)]
    assert ledger.begin([(keys[0], PLAN), (keys[1], NORTH), (keys[1], PLAN)], now=NOW + 5) == 3
    assert [(row.instance_key, row.plan) for row in ledger.page(Selection())][::-1] == [
        (keys[0], PLAN),
        (keys[1], NORTH),
        (keys[1], PLAN),
    ]


# leases


def test_what_is_due_longest_is_leased_first(instance_index: InstanceIndex, ledger: Ledger) -> None:
    for due_at in (30.0, 10.0, 20.0, 40.0):
        _commit(instance_index, NORTH)
        [newest] = ledger.page(Selection(), limit=1)
        ledger.settle([Settled(newest.delivery_key, partial(_delayed, due_at=due_at))])
    assert [row.delivery.due_at for row in _lease(ledger, now=35.0)] == [10.0, 20.0, 30.0]
    assert _lease(ledger, now=35.0) == []
    assert [row.delivery.due_at for row in _lease(ledger, now=40.0)] == [40.0]


def test_what_is_due_at_the_same_time_is_leased_in_the_order_of_receipt(
    instance_index: InstanceIndex, ledger: Ledger
) -> None:
    for _ in range(5):
        _commit(instance_index, NORTH)
    assert [row.delivery_key for row in _lease(ledger, count_max=3)] == [1, 2, 3]
    assert [row.delivery_key for row in _lease(ledger, count_max=3)] == [4, 5]


def test_classes_and_destinations_are_leased_each_on_its_own(instance_index: InstanceIndex, ledger: Ledger) -> None:
    for priority in Priority:
        _commit(instance_index, replace(NORTH, priority=priority), replace(SOUTH, priority=priority))
    for priority in Priority:
        [row] = _lease(ledger, "south", priority)
        assert (row.plan.destination, row.plan.priority) == ("south", priority)
    assert ledger.backlog("south", now=NOW).due == frozenset()
    assert ledger.backlog("north", now=NOW).due == frozenset(Priority)


def test_a_lease_is_numbered_and_limited_in_time(instance_index: InstanceIndex, ledger: Ledger) -> None:
    _commit(instance_index, NORTH)
    [row] = _lease(ledger)
    assert row.delivery == Delivery(S.SENDING, NOW, NOW, lease_number=1, leased_until=UNTIL)
    assert ledger.page(Selection()) == [row]
    ledger.change(Selection(states=frozenset({S.SENDING})), partial(give_up, now=NOW))
    assert [row.delivery.lease_number for row in _lease(ledger)] == [2]


def test_a_lease_holds_so_many_and_so_many_bytes_but_always_one(instance_index: InstanceIndex, ledger: Ledger) -> None:
    for size_bytes in (500, 500, 1, 5000):
        _commit(instance_index, NORTH, size_bytes=size_bytes)
    assert [row.delivery_key for row in _lease(ledger, count_max=1)] == [1]
    assert [row.delivery_key for row in _lease(ledger, size_max_bytes=501)] == [2, 3]
    assert [row.delivery_key for row in _lease(ledger, size_max_bytes=100)] == [4]
    assert _lease(ledger, count_max=0) == []


def test_a_lease_that_would_be_over_at_once_is_none(instance_index: InstanceIndex, ledger: Ledger) -> None:
    _commit(instance_index, NORTH)
    routine = Priority.ROUTINE
    assert ledger.lease("north", routine, now=NOW, until=NOW, count_max=1, size_max_bytes=1) == []


def test_no_two_senders_get_the_same_delivery(instance_index: InstanceIndex, ledger: Ledger) -> None:
    for _ in range(60):
        _commit(instance_index, NORTH)
    barrier = threading.Barrier(4)

    def take() -> list[int]:
        barrier.wait()
        taken: list[int] = []
        while rows := _lease(ledger, count_max=3):
            taken += [row.delivery_key for row in rows]
        return taken

    with ThreadPoolExecutor(4) as senders:
        futures = [senders.submit(take) for _ in range(4)]
        taken = [key for future in futures for key in future.result(60)]
    assert sorted(taken) == list(range(1, 61))


def test_a_lease_is_lengthened_by_whoever_holds_it(instance_index: InstanceIndex, ledger: Ledger) -> None:
    for _ in range(2):
        _commit(instance_index, NORTH)
    first, second = _lease(ledger)
    ledger.settle([_end(second, S.DELIVERED)])
    leases = [(first.delivery_key, 1), (second.delivery_key, 1), (999, 1)]
    assert ledger.renew(leases, now=NOW + 1, until=UNTIL + 50) == {first.delivery_key}
    [kept] = ledger.page(Selection(states=frozenset({S.SENDING})))
    assert kept.delivery.leased_until == UNTIL + 50
    assert ledger.renew([(first.delivery_key, 2)], now=NOW, until=UNTIL) == frozenset()
    assert ledger.renew([(first.delivery_key, 1)], now=UNTIL + 50, until=UNTIL + 99) == frozenset()
    assert ledger.renew([], now=NOW, until=UNTIL) == frozenset()


def test_leases_that_are_over_are_found(instance_index: InstanceIndex, ledger: Ledger) -> None:
    for now in (NOW, NOW + 10):
        _commit(instance_index, NORTH, now=now)
        _lease(ledger, now=now)
    assert [row.delivery_key for row in ledger.page(Selection(leased_before=UNTIL + 5))] == [1]
    assert ledger.change(Selection(leased_before=UNTIL + 5), partial(give_up, now=UNTIL)) == 1
    assert ledger.page(Selection(leased_before=UNTIL + 5)) == []


# settling


def test_steps_are_taken_with_their_attempts_in_the_order_of_the_call(
    instance_index: InstanceIndex, ledger: Ledger
) -> None:
    for _ in range(3):
        _commit(instance_index, NORTH)
    first, second, third = _lease(ledger)
    attempt = Attempt(NOW, NOW + 2, "http:413", "Request Entity Too Large")
    found = ledger.settle(
        [_end(third, S.NEEDS_HUMAN, "http:413", attempt=attempt), _end(first, S.DELIVERED), Settled(999, cancel)]
    )
    assert [None if one is None else (one.state, one.note) for one in found] == [
        (S.NEEDS_HUMAN, "http:413"),
        (S.DELIVERED, ""),
        None,
    ]
    assert ledger.attempts(third.delivery_key) == [attempt]
    assert ledger.attempts(first.delivery_key) == ledger.attempts(999) == []
    assert _counters(ledger) == {"north": Counters(3, delivered=1, waiting=1, needs_human=1)}
    assert ledger.page(Selection(states=frozenset({S.SENDING}))) == [second]


def test_who_held_an_earlier_lease_changes_nothing(instance_index: InstanceIndex, ledger: Ledger) -> None:
    _commit(instance_index, NORTH)
    [late] = _lease(ledger)
    ledger.change(Selection(), partial(give_up, now=NOW))
    [current] = _lease(ledger)
    attempt = Attempt(NOW, NOW, "http:200")
    assert ledger.settle([_end(late, S.DELIVERED, attempt=attempt)]) == [None]
    assert ledger.attempts(late.delivery_key) == []
    assert ledger.page(Selection()) == [current]


def test_steps_of_one_call_see_each_other(instance_index: InstanceIndex, ledger: Ledger) -> None:
    _commit(instance_index, NORTH)
    [row] = _lease(ledger)
    again = Settled(row.delivery_key, partial(send_again, now=NOW + 9))
    found = ledger.settle([_end(row, S.DELIVERED), again, again])
    assert [None if one is None else one.state for one in found] == [S.DELIVERED, S.QUEUED, None]
    assert _counters(ledger) == {"north": Counters(1, waiting=1)}


def test_a_step_that_fails_leaves_all_as_it_was(instance_index: InstanceIndex, ledger: Ledger) -> None:
    for _ in range(2):
        _commit(instance_index, NORTH)
    rows = _lease(ledger)

    def fail(delivery: Delivery) -> Delivery | None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ledger.settle([_end(rows[0], S.DELIVERED), Settled(rows[1].delivery_key, fail)])
    assert ledger.page(Selection()) == rows[::-1]
    assert _counters(ledger) == {"north": Counters(2, waiting=2)}


@pytest.mark.parametrize(
    ("wish", "kept", "state"),
    [(hold, Wish.HOLD, S.HELD), (cancel, Wish.CANCEL, S.CANCELLED), (None, Wish.NONE, S.QUEUED)],
)
def test_a_wish_during_an_attempt_waits_for_its_end(
    instance_index: InstanceIndex,
    ledger: Ledger,
    wish: Callable[[Delivery], Delivery | None] | None,
    kept: Wish,
    state: DeliveryState,
) -> None:
    _commit(instance_index, NORTH)
    _lease(ledger)
    if wish is not None:
        assert ledger.change(Selection(destination="north"), wish) == 1
    [row] = ledger.page(Selection())
    assert (row.delivery.state, row.delivery.wish) == (S.SENDING, kept)
    ledger.change(Selection(), partial(give_up, now=NOW))
    assert [one.delivery.state for one in ledger.page(Selection())] == [state]


def test_old_attempts_of_many_are_dropped_and_long_words_cut(instance_index: InstanceIndex, ledger: Ledger) -> None:
    _commit(instance_index, NORTH)
    for number in range(ATTEMPTS_MAX + 3):
        [row] = _lease(ledger)
        attempt = Attempt(float(number), NOW, "http:503", "x" * 5000)
        ledger.settle([Settled(row.delivery_key, partial(give_up, now=NOW), attempt)])
    kept = ledger.attempts(1)
    assert [one.began_at for one in kept] == [float(number) for number in range(ATTEMPTS_MAX + 2, 2, -1)]
    assert {len(one.detail) for one in kept} == {DETAIL_LENGTH_MAX}


# changes by people


def test_selected_deliveries_change_the_oldest_first_up_to_a_limit(
    instance_index: InstanceIndex, ledger: Ledger
) -> None:
    for _ in range(5):
        _commit(instance_index, NORTH, SOUTH)
    selection = Selection(destination="north", states=frozenset({S.QUEUED}))
    assert ledger.change(selection, hold, limit=3) == 3
    assert [row.delivery_key for row in ledger.page(selection)] == [9, 7]
    assert ledger.change(selection, hold, limit=3) == 2
    assert ledger.change(selection, hold, limit=3) == 0
    assert _counters(ledger)["north"] == Counters(5, waiting=5)


def test_those_that_do_not_take_the_step_do_not_hide_those_that_do(
    instance_index: InstanceIndex, ledger: Ledger
) -> None:
    for _ in range(6):
        _commit(instance_index, NORTH)
    ledger.settle([_end(row, S.DELIVERED) for row in _lease(ledger, count_max=4)])
    assert ledger.change(Selection(destination="north"), cancel, limit=1) == 1
    assert ledger.change(Selection(destination="north"), cancel, limit=5) == 1


def test_what_is_sent_again_is_as_if_it_were_received_now(instance_index: InstanceIndex, ledger: Ledger) -> None:
    _commit(instance_index, NORTH)
    ledger.settle([_end(row, S.NEEDS_HUMAN, "http:400") for row in _lease(ledger)])
    assert ledger.change(Selection(note="http:400"), partial(send_again, now=NOW + 50)) == 1
    [row] = ledger.page(Selection())
    assert row.delivery == Delivery(S.QUEUED, NOW + 50, NOW + 50, lease_number=1)
    assert ledger.backlog("north", now=NOW).oldest_received_at == NOW + 50
    assert [one.last_received_at for one in ledger.studies(Selection())] == [NOW + 50]


def test_what_is_put_aside_is_not_leased_until_it_is_released(instance_index: InstanceIndex, ledger: Ledger) -> None:
    _commit(instance_index, NORTH)
    ledger.change(Selection(), hold)
    assert _lease(ledger) == []
    assert ledger.backlog("north", now=NOW).oldest_received_at == NOW
    ledger.change(Selection(), partial(release, now=NOW))
    assert len(_lease(ledger)) == 1


# what comes of versions that go


def test_what_waits_of_a_deleted_instance_is_cancelled_with_the_reason(
    instance_index: InstanceIndex, ledger: Ledger
) -> None:
    for destination in ("north", "south", "west", "east"):
        _commit(instance_index, DeliveryPlan(destination), identifier=identify(1, 1, 1 + len(ledger.page(Selection()))))
    ledger.settle([_end(row, S.NEEDS_HUMAN, "http:400") for row in _lease(ledger, "south")])
    ledger.settle([_end(row, S.DELIVERED) for row in _lease(ledger, "west")])
    [sending] = _lease(ledger, "east")
    instance_index.delete(scope_of(identify(1), depth=1), now=NOW, erase_due_at=DUE)
    found = {row.plan.destination: row.delivery for row in ledger.page(Selection())}
    assert [(found[name].state, found[name].note) for name in ("north", "south", "west")] == [
        (S.CANCELLED, DELETED),
        (S.CANCELLED, DELETED),
        (S.DELIVERED, ""),
    ]
    assert (found["east"].state, found["east"].wish) == (S.SENDING, Wish.CANCEL)
    assert ledger.settle([_end(sending, S.DELIVERED)]) != [None], "it may have arrived all the same"
    assert {row.identifier.study_instance_uid for row in ledger.page(Selection())} == {identify(1).study_instance_uid}


def test_a_new_version_takes_the_place_of_the_old_one(instance_index: InstanceIndex, ledger: Ledger) -> None:
    old = _commit(instance_index, NORTH, SOUTH, identifier=identify(1))
    ledger.change(Selection(destination="south"), hold)
    new = _commit(instance_index, replace(NORTH, rule="new"), identifier=identify(1), now=NOW + 9, size_bytes=7)
    assert [
        (row.instance_key, row.plan.rule, row.delivery.state, row.delivery.note) for row in ledger.page(Selection())
    ] == [
        (new, "", S.HELD, ""),
        (new, "new", S.QUEUED, ""),
        (old, "", S.CANCELLED, SUPERSEDED),
        (old, "", S.CANCELLED, SUPERSEDED),
    ]
    assert [row.size_bytes for row in ledger.page(Selection(), limit=2)] == [7, 7]


def test_rules_that_send_the_new_version_elsewhere_cancel_the_old_one(
    instance_index: InstanceIndex, ledger: Ledger
) -> None:
    _commit(instance_index, replace(PLAN, channel="ct"), replace(NORTH, channel="mr"), identifier=identify(1))
    new = _commit(instance_index, DeliveryPlan("south", "ct"), identifier=identify(1))
    rows = ledger.page(Selection(states=frozenset({S.QUEUED})))
    assert [(row.instance_key, row.plan.destination) for row in rows] == [(new, "north"), (new, "south")]


def test_what_was_delivered_of_the_old_version_is_not_sent_again(instance_index: InstanceIndex, ledger: Ledger) -> None:
    _commit(instance_index, NORTH, identifier=identify(1))
    ledger.settle([_end(row, S.DELIVERED) for row in _lease(ledger)])
    _commit(instance_index, identifier=identify(1))
    assert _counters(ledger) == {"north": Counters(1, delivered=1)}


def test_a_new_version_is_not_sent_while_the_old_one_is_on_its_way(
    instance_index: InstanceIndex, ledger: Ledger
) -> None:
    _commit(instance_index, NORTH, SOUTH, identifier=identify(1))
    [old] = _lease(ledger)
    new = _commit(instance_index, NORTH, SOUTH, identifier=identify(1))
    other = _commit(instance_index, NORTH, identifier=identify(1, 1, 2))
    assert [row.instance_key for row in _lease(ledger)] == [other]
    assert [row.instance_key for row in _lease(ledger, "south")] == [new]
    ledger.settle([_end(old, S.DELIVERED)])
    assert [row.instance_key for row in _lease(ledger)] == [new]


# looking


def test_the_backlog_says_what_may_be_sent_now_and_when_the_next(instance_index: InstanceIndex, ledger: Ledger) -> None:
    assert ledger.backlog("north", now=NOW) == Backlog(frozenset(), None, None)
    _commit(instance_index, replace(NORTH, priority=Priority.STAT), now=NOW + 1)
    _commit(instance_index, replace(NORTH, priority=Priority.PRIOR), now=NOW + 2)
    _commit(instance_index, SOUTH, now=NOW - 50)
    early, later = (ledger.backlog("north", now=now) for now in (NOW + 1, NOW + 2))
    assert (early.due, early.next_due_at) == (frozenset({Priority.STAT}), NOW + 2)
    assert later == Backlog(frozenset({Priority.STAT, Priority.PRIOR}), None, NOW + 1)
    _lease(ledger, priority=Priority.STAT, now=NOW + 2)
    assert ledger.backlog("north", now=NOW + 2).oldest_received_at == NOW + 1


def test_counters_are_told_by_channel_and_destination(instance_index: InstanceIndex, ledger: Ledger) -> None:
    assert ledger.tallies() == []
    for channel in ("mr", "ct", "ct"):
        _commit(instance_index, DeliveryPlan("pacs", channel), DeliveryPlan("cloud", channel), size_bytes=10)
    assert [(one.channel, one.destination, one.counters, one.waiting_bytes) for one in ledger.tallies()] == [
        ("ct", "cloud", Counters(2, waiting=2), 20),
        ("ct", "pacs", Counters(2, waiting=2), 20),
        ("mr", "cloud", Counters(1, waiting=1), 10),
        ("mr", "pacs", Counters(1, waiting=1), 10),
    ]


@pytest.fixture
def mixed(instance_index: InstanceIndex, ledger: Ledger) -> Ledger:
    """Return a ledger with twelve deliveries in several states."""
    for number in range(6):
        plans = (DeliveryPlan("north", f"ch{number % 2}"), DeliveryPlan("south", "ch2"))
        _commit(
            instance_index, *plans, identifier=identify(1 + number // 4, 1 + number // 2 % 2, number), now=NOW + number
        )
    rows = _lease(ledger, now=NOW + 9)
    ends = [S.DELIVERED, S.NEEDS_HUMAN, S.DELIVERED_WITH_NOTE, S.CANCELLED]
    ledger.settle([_end(row, end, f"n:{end[0]}") for row, end in zip(rows, ends, strict=False)])
    ledger.change(Selection(destination="south"), hold, limit=2)
    return ledger


SELECTIONS = [
    (Selection(), range(1, 13)),
    (Selection(destination="north"), range(1, 13, 2)),
    (Selection(destination="nobody"), []),
    (Selection(channel="ch0"), [1, 5, 9]),
    (Selection(destination="south", channel="ch0"), []),
    (Selection(states=frozenset()), []),
    (Selection(states=frozenset({S.HELD, S.DELIVERED})), [1, 2, 4]),
    (Selection(states=frozenset({S.SENDING}), channel="ch1"), [11]),
    (Selection(note="n:n"), [3]),
    (Selection(note=""), [2, 4, 6, 8, 9, 10, 11, 12]),
    (Selection(note="n:d", destination="north"), [1, 5]),
    (Selection(study_instance_uid=identify(2).study_instance_uid), [9, 10, 11, 12]),
    (Selection(series_instance_uid=identify(1, 2).series_instance_uid), [5, 6, 7, 8]),
    (Selection(sop_instance_uid=identify(1, 1, 1).sop_instance_uid, destination="south"), [4]),
    (Selection(study_instance_uid=identify(1).study_instance_uid, states=frozenset({S.HELD})), [2, 4]),
    (Selection(study_instance_uid=identify(1).study_instance_uid, series_instance_uid="9"), []),
    (Selection(delivery_keys=(3, 7, 99)), [3, 7]),
    (Selection(delivery_keys=()), []),
    (Selection(delivery_keys=(3, 4), destination="south"), [4]),
    (Selection(leased_before=1e9), [9, 11]),
    (Selection(leased_before=1e9, channel="ch1"), [11]),
    (Selection(leased_before=0.0), []),
]


@pytest.mark.parametrize(("selection", "keys"), SELECTIONS)
def test_what_is_selected_is_listed_the_newest_first(mixed: Ledger, selection: Selection, keys: list[int]) -> None:
    expected = sorted(keys, reverse=True)
    assert [row.delivery_key for row in mixed.page(selection)] == expected
    paged: list[int] = []
    while page := mixed.page(selection, after=paged[-1] if paged else None, limit=3):
        paged += [row.delivery_key for row in page]
    assert paged == expected
    assert mixed.page(selection, limit=0) == []


@pytest.mark.parametrize("selection", [selection for selection, _ in SELECTIONS])
def test_studies_tell_how_far_what_is_selected_has_come(mixed: Ledger, selection: Selection) -> None:
    rows = mixed.page(selection)
    tallies = mixed.studies(selection)
    assert sum(one.counters.received for one in tallies) == len(rows)
    assert sum(one.counters.waiting for one in tallies) == sum(
        row.delivery.state in (S.QUEUED, S.SENDING, S.HELD) for row in rows
    )
    assert {(one.study_instance_uid, one.destination) for one in tallies} == {
        (row.identifier.study_instance_uid, row.plan.destination) for row in rows
    }
    times = [(one.last_received_at, one.tally_key) for one in tallies]
    assert times == sorted(times, reverse=True)
    paged: list[tuple[float, int]] = []
    while page := mixed.studies(selection, after=paged[-1] if paged else None, limit=1):
        paged += [(one.last_received_at, one.tally_key) for one in page]
    assert paged == times


def test_a_study_tells_when_it_was_last_received_whatever_is_selected(mixed: Ledger) -> None:
    [tally] = mixed.studies(Selection(destination="north", states=frozenset({S.NEEDS_HUMAN})))
    assert (tally.counters, tally.last_received_at) == (Counters(1, needs_human=1), NOW + 3)


def test_instances_of_the_same_name_in_two_partitions_are_two(instance_index: InstanceIndex, ledger: Ledger) -> None:
    for partition in ("one", "two"):
        _commit(instance_index, NORTH, identifier=identify(1, partition=partition))
    assert [one.partition for one in ledger.studies(Selection())] == ["two", "one"]
    instance_index.delete(scope_of(identify(1, partition="one")), now=NOW, erase_due_at=DUE)
    assert [row.delivery.state for row in ledger.page(Selection())] == [S.QUEUED, S.CANCELLED]


def test_a_delivery_is_queued_again_by_another_plan_of_the_same_way(
    instance_index: InstanceIndex, ledger: Ledger
) -> None:
    plan = DeliveryPlan("north", "ct", "old", 1)
    _commit(instance_index, plan)
    [row] = _lease(ledger)
    ledger.settle([_end(row, S.NEEDS_HUMAN, "http:400")])
    fresh = replace(plan, rule="new", configuration_version=2, transforms=("utf-8",), priority=Priority.STAT)
    assert ledger.replan([(row.delivery_key, fresh)], now=NOW + 5) == 1
    [again] = _lease(ledger, priority=Priority.STAT, now=NOW + 5)
    assert (again.plan, again.delivery.received_at, again.delivery.note) == (fresh, NOW + 5, "")
    [tally] = ledger.tallies()
    assert tally.counters == Counters(received=1, waiting=1)


def test_a_plan_of_another_way_and_one_of_what_waits_are_left_out(
    instance_index: InstanceIndex, ledger: Ledger
) -> None:
    plan = DeliveryPlan("north", "ct", "old", 1)
    _commit(instance_index, plan)
    _commit(instance_index, plan)
    first, second = sorted(row.delivery_key for row in ledger.page(Selection()))
    ledger.change(Selection(delivery_keys=(first,)), cancel)
    others = [(first, replace(plan, destination="south")), (first, replace(plan, channel="mr")), (999, plan)]
    assert ledger.replan([*others, (second, plan)], now=NOW) == 0
