from __future__ import annotations

import re

import pytest
from pynetdicom.fsm import TRANSITION_TABLE

from isocenter.dimse.ul.state_table import Action, State, Stimulus, transition_of

# Copied by hand from PS3.8: tables 9-6 to 9-9 say where each action leads, table 9-10 where each stands.
NEXT_STATES = {
    "AE-1": [4], "AE-2": [5], "AE-3": [6], "AE-4": [1], "AE-5": [2], "AE-6": [3, 13], "AE-7": [6], "AE-8": [13],
    "DT-1": [6], "DT-2": [6],
    "AR-1": [7], "AR-2": [8], "AR-3": [1], "AR-4": [13], "AR-5": [1], "AR-6": [7], "AR-7": [8], "AR-8": [9, 10],
    "AR-9": [11], "AR-10": [12],
    "AA-1": [13], "AA-2": [1], "AA-3": [1], "AA-4": [1], "AA-5": [1], "AA-6": [13], "AA-7": [13], "AA-8": [13],
}  # fmt: skip
ESTABLISHED_OR_RELEASING = (6, 7, 8, 9, 10, 11, 12)
_ABORTED = (3, 5, *ESTABLISHED_OR_RELEASING)
PLACES: dict[str, list[tuple[tuple[int, ...], int]]] = {
    "AE-1": [((1,), 1)],
    "AE-2": [((4,), 2)],
    "AE-3": [((5,), 3)],
    "AE-4": [((5,), 4)],
    "AE-5": [((1,), 5)],
    "AE-6": [((2,), 6)],
    "AE-7": [((3,), 7)],
    "AE-8": [((3,), 8)],
    "DT-1": [((6,), 9)],
    "DT-2": [((6,), 10)],
    "AR-1": [((6,), 11)],
    "AR-2": [((6,), 12)],
    "AR-3": [((7, 11), 13)],
    "AR-4": [((8, 12), 14)],
    "AR-5": [((13,), 17)],
    "AR-6": [((7,), 10)],
    "AR-7": [((8,), 9)],
    "AR-8": [((7,), 12)],
    "AR-9": [((9,), 14)],
    "AR-10": [((10,), 13)],
    "AA-1": [((2,), 3), ((2,), 4), ((2,), 10), ((2,), 12), ((2,), 13), ((2,), 19), (_ABORTED, 15)],
    "AA-2": [((4,), 15), ((2, 13), 16), ((2, 13), 18)],
    "AA-3": [(_ABORTED, 16)],
    "AA-4": [((3, 4, 5, *ESTABLISHED_OR_RELEASING), 17)],
    "AA-5": [((2,), 17)],
    "AA-6": [((13,), 3), ((13,), 4), ((13,), 10), ((13,), 12), ((13,), 13)],
    "AA-7": [((13,), 6), ((13,), 19)],
    "AA-8": [
        ((3, *ESTABLISHED_OR_RELEASING), 3),
        ((3, *ESTABLISHED_OR_RELEASING), 4),
        (_ABORTED, 6),
        ((3, 5, 8, 9, 10, 11, 12), 10),
        ((3, 5, 8, 9, 10, 11, 12), 12),
        ((3, 5, 6, 8, 9, 12), 13),
        (_ABORTED, 19),
    ],
}
ORACLE = {(state, event): name for name, places in PLACES.items() for states, event in places for state in states}


def _action_name(action: Action) -> str:
    return action.name.replace("_", "-")


@pytest.mark.parametrize("stimulus", Stimulus)
@pytest.mark.parametrize("state", State)
def test_every_cell_is_that_of_the_standard(state: State, stimulus: Stimulus) -> None:
    transition = transition_of(state, stimulus)
    name = ORACLE.get((state.value, stimulus.value))
    if name is None:
        assert transition is None
        return
    assert transition is not None
    assert _action_name(transition.action) == name
    nexts = [transition.next_state, *([transition.otherwise] if transition.otherwise else [])]
    assert [each.value for each in nexts] == NEXT_STATES[name]


def test_copy_by_hand_agrees_with_that_of_another_program() -> None:
    others = {
        (int(re.sub(r"\D", "", state)), int(re.sub(r"\D", "", event))): name
        for (event, state), name in TRANSITION_TABLE.items()
    }
    assert others == ORACLE


def test_every_action_stands_somewhere() -> None:
    assert set(PLACES) == {_action_name(action) for action in Action}
