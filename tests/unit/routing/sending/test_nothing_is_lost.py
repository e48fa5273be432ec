"""Whatever a destination does, and whenever the node dies: every delivery ends somewhere, and counters add up."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isocenter.domain.delivery import DeliveryState, Priority
from isocenter.ports.ledger import Selection
from isocenter.routing.deliveries.report import (
    DimseAnswered,
    HttpAnswered,
    InstanceDiffers,
    InstanceIdentical,
    InstanceStored,
    InstanceUnmentioned,
    Report,
    TransportFailed,
    TransportFault,
)
from isocenter.routing.deliveries.sender import OnReport, Outgoing
from isocenter.routing.sending.desk import LEASE_S, Desk
from isocenter.routing.sending.engine import Deliveries
from isocenter.routing.sending.worker import Worker
from tests.support.deliveries import THERE, Deliverer, ScriptedSender, deliverer, means_of

PASSING: list[Report] = [
    TransportFailed(TransportFault.CONNECTION_LOST),
    HttpAnswered(503, 30.0),
    HttpAnswered(401),
    HttpAnswered(404),
    DimseAnswered(0xA700),
    DimseAnswered(0x0110),
    InstanceUnmentioned(),
]
FINAL: list[Report] = [
    InstanceStored(),
    InstanceStored(1),
    InstanceIdentical(),
    DimseAnswered(0xB000),
    DimseAnswered(0xC000),
    InstanceDiffers(),
]
ENDED = {
    DeliveryState.DELIVERED,
    DeliveryState.DELIVERED_WITH_NOTE,
    DeliveryState.NEEDS_HUMAN,
}


class Moody(ScriptedSender):
    """Answers by chance, and at times breaks off, says nothing, or takes the node down with it."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self.chance = chance
        self.is_in_a_mood = True
        self.final: dict[int, Report] = {}

    def send(self, batch: Sequence[Outgoing], on_report: OnReport) -> None:
        for outgoing in batch:
            mood = self.chance.random() if self.is_in_a_mood else 1.0
            if mood < 0.01:
                raise RuntimeError("a fault of the sender")
            if mood < 0.06:
                return
            if mood < 0.08:
                raise SystemExit  # the process dies with the lease in its hands
            report = self.chance.choice(PASSING if mood < 0.5 else FINAL)
            if report in FINAL:
                self.final[outgoing.delivery_key] = report
            on_report(outgoing, report, "")

    def probe(self) -> Report | None:
        return self.chance.choice([None, *PASSING]) if self.is_in_a_mood else None


def _work(at: Deliverer) -> Deliverer:
    """Work until there is nothing to do now; where the process dies, another one goes on."""
    try:
        at.work()
    except SystemExit:
        desk = Desk(THERE, at.ledger, at.clock, draw=lambda: 0.5, gather_s=0.0)
        return replace(at, desk=desk, worker=Worker(desk, means_of(at.archive, at.sender)))
    return at


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 1 << 32), st.integers(1, 12))
def test_every_delivery_ends_and_counters_always_add_up(seed: int, count: int) -> None:
    chance = random.Random(seed)
    sender = Moody(chance)
    with deliverer(sender=sender) as at:
        keeper = Deliveries(means_of(at.archive, sender))
        for round_number in range(200):
            if round_number < 3:
                at.queue(count, priority=chance.choice(list(Priority)))
            sender.is_in_a_mood = round_number < 40
            at = _work(at)
            tallies = at.ledger.tallies()
            assert all(tally.counters.adds_up for tally in tallies)
            assert sum(tally.counters.received for tally in tallies) == count * min(round_number + 1, 3)
            if round_number >= 3 and {delivery.state for delivery in at.deliveries()} <= ENDED:
                break
            at.clock.advance(chance.choice([0.5, 5.0, LEASE_S, 700.0]))
            keeper.keep()
        rows = at.rows()
        assert {row.delivery.state for row in rows} <= ENDED
        assert {row.delivery_key for row in rows} <= sender.final.keys(), "each was answered for good at least once"
        assert at.ledger.page(Selection(states=frozenset({DeliveryState.SENDING}))) == []
