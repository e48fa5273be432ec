"""What `ports.step_messages.StepMessages` promises, over every adapter: kept with their step, told in order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from isocenter.domain.performed_step import PerformedStep, PerformedStepState
from isocenter.ports.performed_steps import PerformedSteps
from isocenter.ports.step_messages import MessageState, NewStepMessage, StepMessages, StepOperation
from isocenter.storage.memory import MemoryPerformedSteps, MemoryStepMessages, MemoryWorklist
from isocenter.storage.sqlite.index import SqliteInstanceIndex

_CREATE = NewStepMessage(StepOperation.CREATE, "RIS", b"created")
_SET = NewStepMessage(StepOperation.SET, "RIS", b"changed")


@dataclass
class Stores:
    """Steps, and the messages that are kept with them."""

    steps: PerformedSteps
    messages: StepMessages

    def create(self, uid: str, *, message: NewStepMessage | None = _CREATE, at: float = 100.0) -> bool:
        return self.steps.create(_step(uid, at=at), message=message)


def _step(uid: str, *, at: float = 100.0, revision: int = 1) -> PerformedStep:
    return PerformedStep(uid, PerformedStepState.IN_PROGRESS, b"", (), "CT1", at, at, revision)


@pytest.fixture(params=["memory", "sqlite"])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stores]:
    if request.param == "memory":
        messages = MemoryStepMessages()
        yield Stores(MemoryPerformedSteps(MemoryWorklist(), messages), messages)
        return
    with SqliteInstanceIndex(tmp_path / "index.sqlite3") as index:
        yield Stores(index.performed_steps, index.step_messages)


def test_a_message_is_kept_with_its_step(stores: Stores) -> None:
    assert stores.create("1.1")
    (message,) = stores.messages.due(now=100.0, limit=9)
    assert (message.sop_instance_uid, message.operation, message.destination) == ("1.1", StepOperation.CREATE, "RIS")
    assert (message.content, message.state, message.received_at) == (b"created", MessageState.WAITING, 100.0)
    assert stores.messages.count_waiting() == 1


def test_what_is_not_kept_is_not_told(stores: Stores) -> None:
    stores.create("1.1")
    assert not stores.create("1.1")
    assert not stores.steps.replace(_step("1.1", revision=3), revision=2, message=_SET)
    stores.create("1.2", message=None)
    assert stores.messages.count_waiting() == 1


def test_the_messages_of_one_step_are_told_in_order_and_those_of_others_meanwhile(stores: Stores) -> None:
    stores.create("1.1")
    stores.steps.replace(_step("1.1", at=101.0, revision=2), revision=1, message=_SET)
    stores.create("1.2", at=102.0)
    first, other = stores.messages.due(now=200.0, limit=9)
    assert (first.sop_instance_uid, first.operation, other.sop_instance_uid) == ("1.1", StepOperation.CREATE, "1.2")
    stores.messages.replace(replace(first, next_at=300.0))
    assert [one.sop_instance_uid for one in stores.messages.due(now=200.0, limit=9)] == ["1.2"], "it holds up its own"
    stores.messages.replace(replace(first, state=MessageState.SENT, finished_at=200.0))
    assert [one.content for one in stores.messages.due(now=200.0, limit=9)] == [b"changed", b"created"]
    assert len(stores.messages.due(now=200.0, limit=1)) == 1


def test_messages_that_are_done_with_are_forgotten_in_time(stores: Stores) -> None:
    stores.create("1.1")
    stores.create("1.2")
    first, _ = stores.messages.due(now=100.0, limit=9)
    done = replace(first, state=MessageState.REFUSED, problem="no", attempts=2, finished_at=200.0)
    stores.messages.replace(done)
    assert stores.messages.recent(limit=9)[1] == done
    assert stores.messages.forget(before=200.0) == 0
    assert stores.messages.forget(before=201.0) == 1
    assert [one.sop_instance_uid for one in stores.messages.recent(limit=9)] == ["1.2"]


def test_steps_that_changed_since_are_told_in_order(stores: Stores) -> None:
    for uid, at in (("1.1", 100.0), ("1.2", 101.0), ("1.3", 102.0)):
        stores.create(uid, at=at)
    stores.steps.replace(_step("1.1", at=103.0, revision=2), revision=1)
    assert [step.sop_instance_uid for step in stores.steps.changed_since(101.0, limit=9)] == ["1.2", "1.3", "1.1"]
    assert [step.sop_instance_uid for step in stores.steps.changed_since(101.0, limit=1)] == ["1.2"]
