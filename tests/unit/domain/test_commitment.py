from __future__ import annotations

from dataclasses import replace

import pytest

from isocenter.domain.commitment import (
    FIRST_RETRY_S,
    LAST_RETRY_S,
    NEXT_STATES,
    OPEN_STATES,
    REPORT_DEADLINE_S,
    Commitment,
    CommitmentRequest,
    CommitmentResult,
    CommitmentState,
    FailureReason,
    InstanceReference,
    Side,
    all_failed,
    next_attempt_at,
    unique_references,
)

A, B = InstanceReference("1.1", "2.1"), InstanceReference("1.1", "2.2")
REQUEST = CommitmentRequest("1.9", (A, B), 2)


def _checked(attempts: int) -> Commitment:
    return Commitment(
        commitment_key=1,
        side=Side.PROVIDER,
        request=REQUEST,
        peer_ae_title="CT1",
        own_ae_title="ISOCENTER",
        requested_at=1000.0,
        state=CommitmentState.CHECKED,
        is_duplicate=False,
        result=None,
        attempts=attempts,
        due_at=1000.0,
        changed_at=1000.0,
    )


def test_repeated_references_count_once_in_their_order() -> None:
    assert unique_references([B, A, B, A]) == (B, A)


def test_a_result_is_a_success_where_nothing_failed() -> None:
    assert CommitmentResult((A,)).is_success
    failed = all_failed(REQUEST, FailureReason.DUPLICATE_TRANSACTION_UID)
    assert not failed.is_success
    assert failed.failed == ((A, 0x0131), (B, 0x0131))


def test_the_wait_for_the_next_attempt_doubles_up_to_a_limit() -> None:
    waits = [next_attempt_at(_checked(attempts), now=2000.0) for attempts in range(12)]
    assert [wait - 2000.0 for wait in waits if wait][:4] == [FIRST_RETRY_S, 10, 20, 40]
    assert waits[-1] == 2000.0 + LAST_RETRY_S


@pytest.mark.parametrize(
    ("passed_s", "expected_s"),
    [
        (REPORT_DEADLINE_S - 1, REPORT_DEADLINE_S),
        (REPORT_DEADLINE_S - LAST_RETRY_S, REPORT_DEADLINE_S),
        (REPORT_DEADLINE_S, None),
        (REPORT_DEADLINE_S + 1, None),
    ],
)
def test_the_last_attempt_falls_on_the_deadline(passed_s: float, expected_s: float | None) -> None:
    expected = None if expected_s is None else 1000.0 + expected_s
    assert next_attempt_at(replace(_checked(99)), now=1000.0 + passed_s) == expected


def test_every_state_has_its_row_and_open_ones_lead_on() -> None:
    assert set(NEXT_STATES) == set(CommitmentState)
    assert all(NEXT_STATES[state] - {state} for state in OPEN_STATES)
