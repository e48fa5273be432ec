from __future__ import annotations

import pytest

from isocenter.domain.errors import InvalidRequest
from isocenter.modality.faults.board import FAULTS_MAX, ActiveFault, FaultBoard
from isocenter.modality.faults.fault import Latency, Reset


def test_a_fault_strikes_as_often_as_it_may() -> None:
    active = ActiveFault(1, Reset(count=2))
    assert [active.strike() for _ in range(3)] == [True, True, False]
    assert (active.struck, active.is_spent) == (2, True)


def test_the_same_seed_chooses_the_same_occasions_and_another_one_others() -> None:
    def drawn(seed: int) -> list[bool]:
        active = ActiveFault(1, Reset(probability=0.5, seed=seed))
        return [active.is_drawn() for _ in range(64)]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
    assert 16 < sum(drawn(1)) < 48


def test_probabilities_of_none_and_all_are_certain() -> None:
    assert not any(ActiveFault(1, Reset(probability=0.0)).is_drawn() for _ in range(99))
    assert all(ActiveFault(1, Reset()).is_drawn() for _ in range(99))


def test_faults_are_found_by_kind_until_they_are_spent_or_cleared() -> None:
    board = FaultBoard()
    first, second = board.set(Reset(count=1)), board.set(Latency())
    assert [active.fault_id for active, _ in board.of(Reset)] == [first.fault_id]
    first.strike()
    assert not list(board.of(Reset))
    assert (board.clear(second.fault_id), board.clear(second.fault_id), board.clear()) == (1, 0, 1)
    assert not list(board)


def test_a_board_has_room_for_so_many() -> None:
    board = FaultBoard()
    for _ in range(FAULTS_MAX):
        board.set(Latency())
    with pytest.raises(InvalidRequest):
        board.set(Latency())
