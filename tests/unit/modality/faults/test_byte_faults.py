from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from isocenter.modality.faults.action import Action, Cut, CutKind, Pass
from isocenter.modality.faults.board import FaultBoard
from isocenter.modality.faults.byte_faults import ByteFaults
from isocenter.modality.faults.fault import Close, Direction, Fault, Garble, Reset, Stall

REQUESTS, ANSWERS = Direction.REQUESTS, Direction.ANSWERS
chunks = st.lists(st.binary(min_size=1, max_size=40), max_size=20)


def _board(*faults: Fault) -> FaultBoard:
    board = FaultBoard()
    for fault in faults:
        board.set(fault)
    return board


def _fed(faults: ByteFaults, pieces: list[bytes], direction: Direction = REQUESTS) -> tuple[bytes, list[Cut]]:
    actions: list[Action] = [action for piece in pieces for action in faults.receive(direction, piece)]
    return (
        b"".join(action.data for action in actions if isinstance(action, Pass)),
        [action for action in actions if isinstance(action, Cut)],
    )


@given(chunks, st.integers(0, 200))
def test_however_bytes_are_cut_a_reset_strikes_at_the_same_one(pieces: list[bytes], after: int) -> None:
    whole = b"".join(pieces)
    passed, cuts = _fed(ByteFaults(_board(Reset(after_bytes=after))), pieces)
    assert passed == whole[:after]
    assert cuts == ([Cut(CutKind.RESET, REQUESTS)] if len(whole) > after else [])


@given(chunks, st.integers(0, 200))
def test_what_a_stall_keeps_back_is_what_is_missing(pieces: list[bytes], after: int) -> None:
    board = _board(Stall(after_bytes=after))
    faults = ByteFaults(board)
    passed, cuts = _fed(faults, pieces)
    whole = b"".join(pieces)
    assert (passed, cuts) == (whole[:after], [])
    assert faults.is_stalled(REQUESTS) == (len(whole) > after)
    board.clear()
    assert not faults.is_stalled(REQUESTS)
    assert b"".join(one.data for one in faults.release(REQUESTS) if isinstance(one, Pass)) == whole[after:]


@given(chunks, st.integers(0, 200))
def test_garbled_bytes_are_as_many(pieces: list[bytes], after: int) -> None:
    passed, cuts = _fed(ByteFaults(_board(Garble(after_bytes=after, direction=REQUESTS))), pieces)
    whole = b"".join(pieces)
    assert len(passed) == len(whole)
    assert passed[:after] == whole[:after]
    assert not cuts


def test_a_fault_of_one_direction_leaves_the_other_alone() -> None:
    faults = ByteFaults(_board(Close(after_bytes=0, direction=ANSWERS)))
    assert _fed(faults, [b"ask"]) == (b"ask", [])
    assert _fed(faults, [b"told"], ANSWERS) == (b"", [Cut(CutKind.CLOSE, ANSWERS)])


def test_both_directions_are_counted_together() -> None:
    faults = ByteFaults(_board(Reset(after_bytes=5)))
    assert _fed(faults, [b"ask"]) == (b"ask", [])
    assert _fed(faults, [b"told"], ANSWERS) == (b"to", [Cut(CutKind.RESET, ANSWERS)])
    assert _fed(faults, [b"more"]) == (b"", [])


def test_a_fault_that_is_set_in_the_middle_counts_from_there() -> None:
    board = FaultBoard()
    faults = ByteFaults(board)
    assert _fed(faults, [b"long before"]) == (b"long before", [])
    board.set(Reset(after_bytes=3))
    assert _fed(faults, [b"after"]) == (b"aft", [Cut(CutKind.RESET, REQUESTS)])


def test_a_count_is_of_connections_that_were_struck() -> None:
    board = _board(Reset(after_bytes=2, count=1))
    first, second = ByteFaults(board), ByteFaults(board)
    assert _fed(second, [b"a"])[0] == b"a"
    assert _fed(first, [b"abc"])[1]
    assert _fed(second, [b"bcd"]) == (b"bcd", [])


def test_a_connection_that_was_not_drawn_is_spared_to_its_end() -> None:
    board = _board(Reset(probability=0.5, seed=3))
    struck = [bool(_fed(ByteFaults(board), [b"x", b"y", b"z"])[1]) for _ in range(40)]
    assert 5 < sum(struck) < 35
