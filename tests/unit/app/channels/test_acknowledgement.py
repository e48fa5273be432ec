"""What a sender is told that waits for deliveries."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from isocenter.app.channels.acknowledgement import DeliveryWait
from isocenter.archive.archive import Archive
from isocenter.domain.delivery import NOWHERE, Delivery, DeliveryPlan, DeliveryState, cancel, ended
from isocenter.domain.outcome import StoreOutcome
from isocenter.ports.ledger import Selection
from tests.support.instances import identify
from tests.support.memory_archive import memory_archive, store
from tests.support.small_instances import make_instance

S = DeliveryState


@pytest.fixture
def archive() -> Iterator[Archive]:
    with memory_archive() as opened:
        yield opened


def _stored(archive: Archive, *destinations: str) -> StoreOutcome:
    outcome = store(archive, make_instance(identify()).content)
    for name in destinations:
        archive.index.ledger.add([outcome.instance_key], DeliveryPlan(name), now=0.0)
    return outcome


def _change(archive: Archive, destination: str, step: Callable[[Delivery], Delivery | None]) -> None:
    archive.index.ledger.change(Selection(destination=destination, states=frozenset({S.QUEUED})), step)


def _answer(archive: Archive, outcome: StoreOutcome, timeout_s: float = 0.0) -> tuple[int, str]:
    answer = asyncio.run(DeliveryWait(archive.index.ledger, timeout_s).answer(outcome))
    return answer.status, answer.comment


def test_delivered_everywhere_is_success(archive: Archive) -> None:
    outcome = _stored(archive, "pacs", "cloud", NOWHERE)
    _change(archive, "pacs", partial(ended, state=S.DELIVERED, note="http:200"))
    _change(archive, "cloud", partial(ended, state=S.DELIVERED_WITH_NOTE, note="store:B000"))
    assert _answer(archive, outcome) == (0x0000, "")


def test_sent_nowhere_is_success(archive: Archive) -> None:
    assert _answer(archive, _stored(archive)) == (0x0000, "")


def test_what_still_waits_when_the_time_is_over_is_to_be_sent_again(archive: Archive) -> None:
    status, comment = _answer(archive, _stored(archive, "pacs"))
    assert (status, len(comment) <= 64) == (0xA700, True)


@pytest.mark.parametrize(
    ("note", "status"),
    [("stow:A901", 0xA900), ("http:401", 0x0124), ("http:503", 0xA700), ("store:C000", 0x0110), ("local:odd", 0x0110)],
)
def test_what_needs_a_person_is_told_by_the_table_of_statuses(archive: Archive, note: str, status: int) -> None:
    outcome = _stored(archive, "pacs")
    _change(archive, "pacs", partial(ended, state=S.NEEDS_HUMAN, note=note))
    assert _answer(archive, outcome)[0] == status


def test_what_an_operator_cancelled_is_not_told_as_stored(archive: Archive) -> None:
    outcome = _stored(archive, "pacs")
    _change(archive, "pacs", cancel)
    assert _answer(archive, outcome)[0] == 0xA700


def test_the_answer_comes_as_soon_as_the_last_delivery_has_ended(archive: Archive) -> None:
    outcome = _stored(archive, "pacs")

    async def wait() -> int:
        waiting = asyncio.create_task(DeliveryWait(archive.index.ledger, 60.0).answer(outcome))
        await asyncio.sleep(0)
        _change(archive, "pacs", partial(ended, state=S.DELIVERED, note=""))
        return (await waiting).status

    assert asyncio.run(wait()) == 0
