"""What every store of storage commitment transactions does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from isocenter.domain import commitment as rules
from isocenter.domain.commitment import (
    NEXT_STATES,
    Commitment,
    CommitmentRequest,
    CommitmentResult,
    CommitmentState,
    FailureReason,
    InstanceReference,
    NewCommitment,
    Side,
)
from isocenter.domain.errors import Overloaded
from isocenter.ports.commitments import Commitments
from isocenter.storage import memory, sqlite

A, B = InstanceReference("1.1", "2.1"), InstanceReference("1.1", "2.2")
PROVIDER, USER = Side.PROVIDER, Side.USER
REQUESTED, CHECKED, REPORTED = CommitmentState.REQUESTED, CommitmentState.CHECKED, CommitmentState.REPORTED


def _new(number: int = 1, *, side: Side = PROVIDER) -> NewCommitment:
    return NewCommitment(side, CommitmentRequest(f"1.9.{number}", (A, B), 3), "CT1", "ISOCENTER", 1000.0)


def _open(commitments: Commitments, number: int = 1, *, side: Side = PROVIDER, due_at: float = 1000.0) -> Commitment:
    return commitments.open(_new(number, side=side), due_at=due_at)


@pytest.mark.parametrize(("side", "state"), [(PROVIDER, REQUESTED), (USER, CommitmentState.ASKED)])
def test_a_transaction_is_given_back_as_it_was_opened(
    commitments: Commitments, side: Side, state: CommitmentState
) -> None:
    opened = _open(commitments, side=side, due_at=1500.0)
    assert (opened.side, opened.state, opened.request) == (side, state, _new().request)
    assert (opened.peer_ae_title, opened.own_ae_title, opened.requested_at) == ("CT1", "ISOCENTER", 1000.0)
    assert (opened.result, opened.attempts, opened.due_at, opened.is_duplicate) == (None, 0, 1500.0, False)
    assert commitments.find(side, "1.9.1") == opened
    assert commitments.recent(limit=10) == [opened]


def test_a_transaction_is_found_by_side_and_uid(commitments: Commitments) -> None:
    first = _open(commitments)
    assert commitments.find(PROVIDER, "1.9.2") is None
    assert commitments.find(USER, "1.9.1") is None
    second = _open(commitments)
    assert (first.is_duplicate, second.is_duplicate) == (False, True)
    assert commitments.find(PROVIDER, "1.9.1") == first
    assert not _open(commitments, side=USER).is_duplicate


def test_a_result_is_kept_with_its_reasons(commitments: Commitments) -> None:
    opened = _open(commitments)
    result = CommitmentResult((A,), ((B, FailureReason.NO_SUCH_OBJECT_INSTANCE),))
    checked = replace(
        opened, state=CHECKED, result=result, attempts=2, due_at=2000.0, changed_at=1900.0, problem="Nobody answers."
    )
    assert commitments.replace(checked)
    assert commitments.find(PROVIDER, "1.9.1") == checked


@pytest.mark.parametrize("before", list(NEXT_STATES))
@pytest.mark.parametrize("after", list(NEXT_STATES))
def test_a_transaction_goes_on_by_the_table_only(
    commitments: Commitments, before: CommitmentState, after: CommitmentState
) -> None:
    opened = _open(commitments, side=USER if before in _user_states() else PROVIDER)
    for state in _way_to(before):
        assert commitments.replace(replace(opened, state=state))
    assert commitments.replace(replace(opened, state=after)) is (after in NEXT_STATES[before])


def _user_states() -> set[CommitmentState]:
    return {CommitmentState.ASKED, CommitmentState.ANSWERED, CommitmentState.UNANSWERED}


def _way_to(state: CommitmentState) -> list[CommitmentState]:
    if state in {REQUESTED, CommitmentState.ASKED}:
        return []
    return [state] if state in {CHECKED, *_user_states()} else [CHECKED, state]


def test_a_transaction_that_is_gone_is_not_kept_again(commitments: Commitments) -> None:
    opened = _open(commitments)
    assert not commitments.replace(replace(opened, commitment_key=opened.commitment_key + 1, state=CHECKED))


def test_the_longest_due_comes_first_and_what_is_not_open_never(commitments: Commitments) -> None:
    dues = {1: 3000.0, 2: 1000.0, 3: 2000.0, 4: 9000.0}
    opened = {number: _open(commitments, number, due_at=due_at) for number, due_at in dues.items()}
    _open(commitments, 5, side=USER, due_at=2500.0)
    done = replace(opened[3], state=CHECKED)
    commitments.replace(done)
    commitments.replace(replace(done, state=REPORTED))
    assert [one.request.transaction_uid for one in commitments.due(now=3000.0, limit=10)] == ["1.9.2", "1.9.5", "1.9.1"]
    assert [one.request.transaction_uid for one in commitments.due(now=3000.0, limit=1)] == ["1.9.2"]
    assert commitments.due(now=999.0, limit=10) == []


def test_those_of_one_title_of_ours_can_be_asked_for_or_left_out(commitments: Commitments) -> None:
    _open(commitments, 1)
    commitments.open(replace(_new(2), own_ae_title="TRANSLATOR"), due_at=1000.0)
    commitments.open(replace(_new(3), own_ae_title="OTHER"), due_at=1000.0)

    def due(**titles: set[str]) -> list[str]:
        return [one.own_ae_title for one in commitments.due(now=1000.0, limit=10, **titles)]

    assert due(own_ae_titles={"TRANSLATOR", "OTHER"}) == ["TRANSLATOR", "OTHER"]
    assert due(but={"TRANSLATOR"}) == ["ISOCENTER", "OTHER"]


def test_the_last_begun_comes_first(commitments: Commitments) -> None:
    opened = [_open(commitments, number) for number in (1, 2, 3)]
    assert commitments.recent(limit=2) == [opened[2], opened[1]]


def test_what_ended_long_ago_is_forgotten(commitments: Commitments) -> None:
    opened = [_open(commitments, number) for number in (1, 2, 3)]
    for one, changed_at in zip(opened[:2], (1000.0, 5000.0), strict=True):
        commitments.replace(replace(one, state=CHECKED))
        commitments.replace(replace(one, state=REPORTED, changed_at=changed_at))
    assert commitments.forget(ended_before=5000.0) == 1
    assert [one.commitment_key for one in commitments.recent(limit=9)] == [
        opened[2].commitment_key,
        opened[1].commitment_key,
    ]
    assert not _open(commitments, 1).is_duplicate


def test_no_more_than_so_many_are_open(commitments: Commitments, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (memory.commitments, sqlite.commitments):
        monkeypatch.setattr(module, "OPEN_MAX", 2)
    assert rules.OPEN_MAX > 2
    first = _open(commitments, 1)
    _open(commitments, 2)
    with pytest.raises(Overloaded):
        _open(commitments, 3)
    commitments.replace(replace(first, state=CHECKED))
    with pytest.raises(Overloaded):
        _open(commitments, 3)
    commitments.replace(replace(first, state=REPORTED))
    _open(commitments, 3)
