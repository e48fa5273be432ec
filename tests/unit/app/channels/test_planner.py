"""Rules held against what comes in, before it is committed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from isocenter.app.channels.control import Running
from isocenter.app.channels.gate import Gate
from isocenter.app.channels.planner import ChannelRules, Sender
from isocenter.app.channels.refusals import Refusals
from isocenter.archive.archive import Archive
from isocenter.archive.store import begin_store
from isocenter.domain.delivery import NOWHERE, DeliveryPlan
from isocenter.domain.errors import Broken, Unavailable
from isocenter.domain.outcome import Disposition, StoreOutcome
from isocenter.domain.principal import LOCAL_OWNER
from isocenter.ports.ledger import Selection
from isocenter.routing.configuration.channel import Channel, StowSource
from isocenter.routing.rules.decide import Rule
from isocenter.routing.rules.parse import parse_expression
from tests.support.instances import identify
from tests.support.memory_archive import FakeClock, memory_archive
from tests.support.small_instances import make_instance

RULES = (
    Rule("CT of CT1", parse_expression('Modality = "CT" and calling_ae_title = "CT1" and size < 1MB'), to=("pacs",)),
    Rule("small", parse_expression('Rows < 1000 and PatientID like "D*"'), to=("cloud",)),
)


@pytest.fixture
def archive() -> Iterator[Archive]:
    with memory_archive() as opened:
        yield opened


@pytest.fixture
def notified() -> list[str]:
    return []


@pytest.fixture
def gate(tmp_path: Path, notified: list[str]) -> Gate:
    channel = Channel("router", StowSource(), RULES)
    made = Gate(ChannelRules(channel, 2), now=FakeClock().now, refusals=Refusals(tmp_path), notify=notified.extend)
    made.running = Running.STARTED
    return made


def _store(archive: Archive, gate: Gate, number: int = 1) -> StoreOutcome:
    reception = begin_store(archive, LOCAL_OWNER, source="c-store")
    reception.planner = gate.planner(Sender("CT1"))
    reception.write(make_instance(identify(number)).content)
    return reception.finish().result(30)


def _plans(archive: Archive) -> list[DeliveryPlan]:
    return [row.plan for row in archive.index.ledger.page(Selection())]


def test_deliveries_commit_with_the_instance_and_whoever_sends_is_told(
    archive: Archive, gate: Gate, notified: list[str]
) -> None:
    for number in range(1, 4):  # a header of a known shape is planned for like a new one
        _store(archive, gate, number)
    plan = DeliveryPlan("pacs", "router", "CT of CT1", 2, calling_ae_title="CT1")
    assert _plans(archive).count(plan) == 3
    assert sorted(notified) == ["cloud"] * 3 + ["pacs"] * 3


def test_what_no_rule_wants_goes_nowhere_and_is_counted(archive: Archive, gate: Gate) -> None:
    gate.rules = ChannelRules(replace(gate.rules.channel, rules=()), 3)
    _store(archive, gate)
    [plan] = _plans(archive)
    assert (plan.destination, plan.channel, plan.configuration_version) == (NOWHERE, "router", 3)
    [tally] = archive.index.ledger.tallies()
    assert (tally.counters.received, tally.counters.cancelled) == (1, 1)


def test_what_is_stored_already_is_sent_where_it_was_not_sent_yet(archive: Archive, gate: Gate) -> None:
    gate.rules = ChannelRules(replace(gate.rules.channel, rules=(Rule("all", to=("pacs",)),)), 3)
    _store(archive, gate)
    gate.rules = ChannelRules(replace(gate.rules.channel, rules=(Rule("all", to=("pacs", "tape")),)), 4)
    assert _store(archive, gate).disposition is Disposition.IDENTICAL
    assert sorted(plan.destination for plan in _plans(archive)) == ["pacs", "tape"]


@pytest.mark.parametrize("running", [Running.PAUSED, Running.STOPPED])
def test_a_channel_that_takes_nothing_gives_no_planner(gate: Gate, running: Running) -> None:
    gate.running = running
    with pytest.raises(Unavailable, match=running.value):
        gate.planner(Sender())


def test_an_instance_whose_rules_fail_is_refused_and_not_lost(
    archive: Archive, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    rules = ChannelRules(gate.rules.channel, 2)
    object.__setattr__(rules, "_decide", fail)
    gate.rules = rules
    with pytest.raises(Broken, match="rules of channel router"):
        _store(archive, gate)
    assert archive.index.totals().instances == 0
    gate.rules = ChannelRules(gate.rules.channel, 2)
    assert _store(archive, gate).disposition is Disposition.STORED
