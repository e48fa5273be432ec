"""Events from the feed to a receiver: at least once, in order, kept across restarts, given up when too old."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from isocenter.archive import event_delivery
from isocenter.archive.archive import Archive
from isocenter.archive.delete import delete
from isocenter.archive.event_delivery import DeliveryCounts, EventDelivery
from isocenter.domain.image_event import EventKind, ImageEvent, Subscription
from isocenter.domain.outcome import DuplicatePolicy
from isocenter.domain.principal import LOCAL_OWNER
from isocenter.ports.event_receiver import Answer
from tests.support.instances import identify, scope_of
from tests.support.memory_archive import FakeClock, memory_archive, store
from tests.support.small_instances import make_instance

TIMEOUT_S = 30
TAKEN = Answer(is_taken=True)
AGE_MAX_S = 3600.0


class Receiver:
    """A receiver in memory that answers as it is told."""

    def __init__(self) -> None:
        self.batches: list[list[ImageEvent]] = []
        self.attempts: list[tuple[list[int], int]] = []
        self.answers: list[Answer] = []
        self.agreements: list[Answer] = []
        self.validations = 0
        self.is_up = True

    def validate(self) -> Answer:
        """Agree, unless told otherwise."""
        self.validations += 1
        return self.agreements.pop(0) if self.agreements else TAKEN

    def deliver(self, events: Sequence[ImageEvent], *, attempt: int) -> Answer:
        """Take events, unless told otherwise."""
        self.attempts.append(([event.sequence for event in events], attempt))
        answer = self.answers.pop(0) if self.answers else Answer(is_taken=self.is_up, reason="down")
        if answer.is_taken:
            self.batches.append(list(events))
        return answer

    def close(self) -> None:
        """Do nothing."""

    @property
    def sequences(self) -> list[int]:
        return [event.sequence for batch in self.batches for event in batch]


class Bench:
    """An archive in memory and receivers of its events."""

    def __init__(self, archive: Archive, clock: FakeClock) -> None:
        self.archive = archive
        self.clock = clock
        self.receiver = Receiver()
        self.counts = DeliveryCounts()
        self.subscription = Subscription("ris", "https://ris.example/hook", batch_max=10)

    def store(self, *numbers: int) -> None:
        for number in numbers:
            store(self.archive, make_instance(identify(1, 1, number)).content)

    @contextmanager
    def delivering(self, receiver: Receiver | None = None) -> Iterator[None]:
        delivery = EventDelivery(
            self.archive,
            self.subscription,
            receiver or self.receiver,
            age_max_s=AGE_MAX_S,
            counts=self.counts,
            jitter=random.Random(1),
        )
        delivery.start()
        try:
            yield
        finally:
            delivery.close()

    def wait(self, is_done: Callable[[], bool]) -> None:
        never = threading.Event()
        for _ in range(TIMEOUT_S * 100):
            if is_done():
                return
            never.wait(0.01)
        raise AssertionError(f"{self.receiver.attempts} {self.counts}")

    def wait_for(self, *sequences: int) -> None:
        self.wait(lambda: self.receiver.sequences == list(sequences))

    def cursor(self) -> int:
        return self.archive.event_cursors.open("ris", sequence=-1, timestamp=0.0).sequence


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def bench(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr(event_delivery, "POLL_S", 0.005)
    monkeypatch.setattr(event_delivery, "WAIT_FIRST_S", 0.005)
    monkeypatch.setattr(event_delivery, "WAIT_MAX_S", 0.02)
    with memory_archive(clock=clock) as archive, capture_logs():
        yield Bench(archive, clock)


def test_what_happens_to_an_image_is_told_in_order(bench: Bench) -> None:
    one = identify(1, 1, 1)
    with bench.delivering():
        bench.store(1)
        store(bench.archive, make_instance(one, seed=9).content, policy=DuplicatePolicy.REPLACE)
        delete(bench.archive, LOCAL_OWNER, scope_of(one))
        bench.wait_for(1, 2, 3)
    events = [event for batch in bench.receiver.batches for event in batch]
    assert [event.kind for event in events] == [EventKind.CREATED, EventKind.UPDATED, EventKind.DELETED]
    assert {event.identifier for event in events} == {one}
    assert bench.counts.delivered == 3


def test_a_new_receiver_is_told_what_happens_from_then_on(bench: Bench) -> None:
    bench.store(1, 2)
    with bench.delivering():
        bench.store(3)
        bench.wait_for(3)


def test_a_restart_goes_on_where_it_ended(bench: Bench) -> None:
    with bench.delivering():
        bench.store(1)
        bench.wait_for(1)
    bench.store(2, 3)
    with bench.delivering():
        bench.wait_for(1, 2, 3)
    assert bench.cursor() == 3


def test_a_dead_receiver_loses_nothing_and_gets_all_in_order_when_it_is_back(bench: Bench) -> None:
    bench.receiver.is_up = False
    with bench.delivering():
        bench.store(*range(1, 26))
        bench.wait(lambda: len(bench.receiver.attempts) >= 5)
        assert bench.cursor() == 0
        assert bench.counts.behind == 25
        bench.receiver.is_up = True
        bench.wait_for(*range(1, 26))
    assert bench.cursor() == 25
    failed = [attempt for _sequences, attempt in bench.receiver.attempts[:5]]
    assert failed == [0, 1, 2, 3, 4]
    assert bench.counts.failed_attempts >= 5


def test_one_dead_receiver_holds_up_no_other(bench: Bench) -> None:
    dead = Receiver()
    dead.is_up = False
    with bench.delivering(dead):
        bench.subscription = replace(bench.subscription, name="other")
        with bench.delivering():
            bench.store(1, 2)
            bench.wait_for(1, 2)


def test_batches_are_as_large_as_the_receiver_wants_them(bench: Bench) -> None:
    bench.subscription = replace(bench.subscription, batch_max=4)
    with bench.delivering():
        pass
    bench.store(*range(1, 11))
    with bench.delivering():
        bench.wait_for(*range(1, 11))
    assert [len(batch) for batch in bench.receiver.batches] == [4, 4, 2]


def test_a_batch_that_is_too_large_is_halved(bench: Bench) -> None:
    with bench.delivering():
        pass
    bench.receiver.answers = [Answer(is_taken=False, is_too_large=True)] * 2
    bench.store(*range(1, 6))
    with bench.delivering():
        bench.wait_for(1, 2, 3, 4, 5)
    assert [len(sequences) for sequences, _ in bench.receiver.attempts] == [5, 5, 2, 2, 1]


def test_only_the_events_that_are_wanted_are_told_and_the_cursor_passes_the_others(bench: Bench) -> None:
    bench.subscription = replace(bench.subscription, kinds=frozenset({EventKind.DELETED}))
    with bench.delivering():
        bench.store(1, 2, 3)
        bench.wait(lambda: bench.counts.behind == 0 and bench.cursor() == 3)
        assert bench.receiver.attempts == []
        delete(bench.archive, LOCAL_OWNER, scope_of(identify(1, 1, 1)))
        bench.wait_for(4)


def test_events_that_are_too_old_are_left_out_and_counted(bench: Bench, clock: FakeClock) -> None:
    bench.receiver.is_up = False
    with bench.delivering():
        bench.store(1, 2)
        bench.wait(lambda: len(bench.receiver.attempts) > 1)
        clock.advance(AGE_MAX_S + 1)
        bench.store(3)
        bench.receiver.is_up = True
        bench.wait_for(3)
    assert bench.counts.expired == 2
    assert bench.cursor() == 3


def test_nothing_is_told_before_the_receiver_agrees(bench: Bench) -> None:
    bench.receiver.agreements = [Answer(is_taken=False, reason="no")] * 3
    with bench.delivering():
        bench.store(1)
        bench.wait_for(1)
    assert bench.receiver.validations == 4
    assert len(bench.receiver.attempts) == 1


def test_a_receiver_that_is_not_to_be_asked_is_not(bench: Bench) -> None:
    bench.subscription = replace(bench.subscription, is_validated=False)
    with bench.delivering():
        bench.store(1)
        bench.wait_for(1)
    assert bench.receiver.validations == 0


def test_a_receiver_that_asks_for_time_gets_it(bench: Bench) -> None:
    delivery = EventDelivery(
        bench.archive, bench.subscription, bench.receiver, age_max_s=AGE_MAX_S, counts=bench.counts
    )
    wait_s = delivery._wait_s
    assert wait_s(Answer(is_taken=False, retry_after_s=30.0), 1) == 30.0
    assert wait_s(Answer(is_taken=False, retry_after_s=1e9), 1) == event_delivery.RETRY_AFTER_MAX_S


def test_waits_grow_to_a_bound_and_differ(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_delivery, "WAIT_FIRST_S", 0.5)
    monkeypatch.setattr(event_delivery, "WAIT_MAX_S", 60.0)
    delivery = EventDelivery(
        bench.archive, bench.subscription, bench.receiver, age_max_s=AGE_MAX_S, counts=bench.counts
    )
    refusal = Answer(is_taken=False)
    waits = [delivery._wait_s(refusal, failures) for failures in range(1, 30)]
    assert all(min(0.25 * 2.0**number, 30.0) <= wait <= 60.0 for number, wait in enumerate(waits))
    assert len(set(waits)) == len(waits)


def test_a_fault_of_ours_is_not_the_end(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    deliver = bench.receiver.deliver
    faults = [1, 1]

    def fail_at_first(events: Sequence[ImageEvent], *, attempt: int) -> Answer:
        if faults:
            faults.pop()
            raise ZeroDivisionError
        return deliver(events, attempt=attempt)

    monkeypatch.setattr(bench.receiver, "deliver", fail_at_first)
    with bench.delivering():
        bench.store(1)
        bench.wait_for(1)


def test_after_a_rebuild_only_what_came_after_the_cursor_is_told(bench: Bench, clock: FakeClock) -> None:
    bench.store(1, 2)
    clock.advance(10)
    opened = bench.archive.event_cursors.open("ris", sequence=0, timestamp=clock.now().timestamp())
    bench.archive.event_cursors.replace(replace(opened, sequence=77, is_of_older_feed=True))
    clock.advance(10)
    bench.store(3, 4)
    with bench.delivering():
        bench.wait_for(3, 4)
    assert bench.cursor() == 4


def test_after_a_rebuild_with_everything_told_nothing_is_told_again(bench: Bench, clock: FakeClock) -> None:
    bench.store(1, 2)
    opened = bench.archive.event_cursors.open("ris", sequence=0, timestamp=clock.now().timestamp())
    bench.archive.event_cursors.replace(replace(opened, sequence=77, is_of_older_feed=True))
    clock.advance(10)
    with bench.delivering():
        bench.wait(lambda: bench.cursor() == 2)
        bench.store(3)
        bench.wait_for(3)
