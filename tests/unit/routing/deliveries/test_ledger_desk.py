from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from isocenter.archive.archive import Archive
from isocenter.domain.delivery import NOWHERE, DeliveryPlan, DeliveryState, Priority, ended
from isocenter.domain.errors import InvalidRequest, NotFound
from isocenter.ports.ledger import Selection
from isocenter.routing.deliveries.ledger_desk import Action, LedgerDesk, Stepped
from tests.support.instances import identify
from tests.support.memory_archive import memory_archive, store
from tests.support.small_instances import make_instance

S = DeliveryState
PACS = Selection(destination="pacs")


@pytest.fixture
def archive() -> Iterator[Archive]:
    with memory_archive() as opened:
        for number in range(1, 4):
            key = store(opened, make_instance(identify(1, number)).content).instance_key
            opened.index.ledger.begin([(key, DeliveryPlan(to, "router")) for to in ("pacs", "cloud", NOWHERE)], now=1.0)
        yield opened


@pytest.fixture
def desk(archive: Archive) -> LedgerDesk:
    return LedgerDesk(archive.index.ledger, now=archive.clock.now)


def _states(desk: LedgerDesk, destination: str = "pacs") -> list[str]:
    return [row.delivery.state.value for row in desk.ledger.page(Selection(destination=destination))]


def test_all_that_are_selected_take_a_step_and_the_others_none(desk: LedgerDesk) -> None:
    assert desk.step(Action.HOLD, PACS) == Stepped(3, is_complete=True)
    assert (_states(desk), _states(desk, "cloud")) == (["held"] * 3, ["queued"] * 3)
    assert desk.step(Action.HOLD, PACS).count == 0
    assert desk.step(Action.RELEASE, PACS).count == 3
    assert desk.step(Action.CANCEL, PACS).count == 3


def test_everything_is_not_selected_by_a_slip(desk: LedgerDesk) -> None:
    for selection in (Selection(), Selection(states=frozenset({S.QUEUED}))):
        with pytest.raises(InvalidRequest):
            desk.step(Action.CANCEL, selection)


def test_what_goes_nowhere_is_left_alone(desk: LedgerDesk) -> None:
    assert desk.step(Action.SEND_AGAIN, Selection(destination=NOWHERE, states=frozenset({S.CANCELLED}))).count == 0


def test_only_what_needs_a_person_is_sent_again_unless_more_is_named(desk: LedgerDesk) -> None:
    first, second, _ = desk.ledger.page(PACS)
    for row, state in ((first, S.DELIVERED), (second, S.NEEDS_HUMAN)):
        desk.ledger.change(Selection(delivery_keys=(row.delivery_key,)), partial(ended, state=state, note=""))
    assert desk.step(Action.SEND_AGAIN, PACS).count == 1
    assert desk.step(Action.SEND_AGAIN, Selection(delivery_keys=(first.delivery_key,))).count == 1


def test_what_is_being_sent_is_asked_to_be_cancelled_once(desk: LedgerDesk) -> None:
    desk.ledger.lease("pacs", Priority.ROUTINE, now=2.0, until=9.0, count_max=1, size_max_bytes=10**6)
    assert desk.step(Action.CANCEL, PACS).count == 3
    assert desk.step(Action.CANCEL, PACS).count == 0


def test_a_study_is_told_by_series_and_destination(desk: LedgerDesk) -> None:
    found = desk.series(identify(1).study_instance_uid)
    assert len(found) == 9
    assert all(one.counters.received == 1 for one in found)
    with pytest.raises(NotFound):
        desk.series("1.2.3")
    with pytest.raises(NotFound):
        desk.attempts(99)
