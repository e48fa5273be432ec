"""Deliveries of what comes in: in the commit of the instance, and once however often it comes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import pytest

from isocenter.archive.archive import Archive
from isocenter.archive.delete import delete
from isocenter.archive.store import begin_store
from isocenter.domain.delivery import DeliveryPlan, DeliveryState
from isocenter.domain.errors import StorageFailed
from isocenter.domain.outcome import Disposition, DuplicatePolicy, StoreOutcome
from isocenter.domain.principal import LOCAL_OWNER
from isocenter.ports.ledger import Selection
from isocenter.storage.memory import MemoryInstanceIndex
from isocenter.storage.memory.ledger import MemoryLedger
from tests.support.fixed_plans import FixedPlans
from tests.support.instances import identify, scope_of
from tests.support.memory_archive import ANSWER_TIMEOUT_S, memory_archive, store
from tests.support.small_instances import make_instance

FIRST = make_instance(identify(1)).content
SECOND = make_instance(identify(1), seed=1).content


def _receive(archive: Archive, content: bytes, *destinations: str, channel: str = "ct") -> StoreOutcome:
    reception = begin_store(archive, LOCAL_OWNER, source="test", policy=DuplicatePolicy.REPLACE)
    reception.planner = FixedPlans(*destinations, channel=channel)
    reception.write(content)
    return reception.finish().result(ANSWER_TIMEOUT_S)


def _ledger(index: MemoryInstanceIndex) -> list[tuple[int, str, DeliveryState]]:
    rows = index.ledger.page(Selection())
    return [(row.instance_key, row.plan.destination, row.delivery.state) for row in reversed(rows)]


def test_an_instance_has_its_deliveries_when_it_is_acknowledged() -> None:
    index = MemoryInstanceIndex()
    with memory_archive(index=index) as archive:
        key = _receive(archive, FIRST, "pacs", "cloud").instance_key
        assert _ledger(index) == [(key, "pacs", DeliveryState.QUEUED), (key, "cloud", DeliveryState.QUEUED)]


def test_an_instance_that_comes_again_is_delivered_where_it_was_not_to_go_yet() -> None:
    index = MemoryInstanceIndex()
    with memory_archive(index=index) as archive:
        key = _receive(archive, FIRST, "pacs").instance_key
        again = [_receive(archive, FIRST, "pacs", "cloud") for _ in range(2)]
        assert {(one.disposition, one.instance_key) for one in again} == {(Disposition.IDENTICAL, key)}
        assert [row[:2] for row in _ledger(index)] == [(key, "pacs"), (key, "cloud")]


def test_an_instance_that_was_stored_without_rules_is_delivered_when_a_channel_brings_it() -> None:
    index = MemoryInstanceIndex()
    with memory_archive(index=index) as archive:
        key = store(archive, FIRST).instance_key
        _receive(archive, FIRST, "pacs")
        assert [row[:2] for row in _ledger(index)] == [(key, "pacs")]


def test_new_bytes_are_delivered_in_the_place_of_the_old_ones() -> None:
    index = MemoryInstanceIndex()
    with memory_archive(index=index) as archive:
        old = _receive(archive, FIRST, "pacs", "cloud").instance_key
        new = _receive(archive, SECOND, "pacs", channel="mr").instance_key
        assert _ledger(index) == [
            (old, "pacs", DeliveryState.CANCELLED),
            (old, "cloud", DeliveryState.CANCELLED),
            (new, "pacs", DeliveryState.QUEUED),
            (new, "cloud", DeliveryState.QUEUED),
        ]


class _Ledger(MemoryLedger):
    """A ledger before which something happens once, when a test says so."""

    meanwhile: Callable[[], object] | None = None

    def begin(self, planned: Sequence[tuple[int, DeliveryPlan]], *, now: float) -> int:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        return super().begin(planned, now=now)


@pytest.fixture
def index() -> MemoryInstanceIndex:
    made = MemoryInstanceIndex()
    made.ledger = _Ledger(threading.RLock(), made.instance)
    return made


def test_what_came_again_is_not_acknowledged_before_its_deliveries_are_durable(index: MemoryInstanceIndex) -> None:
    def fail() -> None:
        raise StorageFailed()

    with memory_archive(index=index) as archive:
        _receive(archive, FIRST, "pacs")
        index.ledger.meanwhile = fail  # type: ignore[attr-defined]
        with pytest.raises(StorageFailed):
            _receive(archive, FIRST, "cloud")


def test_what_came_again_and_was_deleted_meanwhile_is_stored_anew_and_delivered(index: MemoryInstanceIndex) -> None:
    with memory_archive(index=index) as archive:
        first = _receive(archive, FIRST, "pacs")
        scope = scope_of(identify(1))
        index.ledger.meanwhile = lambda: delete(archive, LOCAL_OWNER, scope)  # type: ignore[attr-defined]
        outcome = _receive(archive, FIRST, "cloud")
        assert outcome.disposition is Disposition.STORED
        assert _ledger(index) == [
            (first.instance_key, "pacs", DeliveryState.CANCELLED),
            (outcome.instance_key, "cloud", DeliveryState.QUEUED),
        ]
