from __future__ import annotations

import itertools

import pytest

from isocenter.domain.errors import AlreadyCanceled, CancellationRefused, WorkitemRefused
from isocenter.domain.workitem import (
    CANCEL_REQUESTS,
    REQUESTABLE_STATES,
    STATE_CHANGES,
    Outcome,
    Workitem,
    WorkitemState,
    judge_change,
    require_cancelable,
    require_updatable,
)

LOCK, OTHER = "1.2.3", "1.2.4"
SCHEDULED, IN_PROGRESS, COMPLETED, CANCELED = "SCHEDULED", "IN PROGRESS", "COMPLETED", "CANCELED"
MATRIX = """
    SCHEDULED    right  IN PROGRESS  changed
    SCHEDULED    right  COMPLETED    C310
    SCHEDULED    right  CANCELED     C310
    IN PROGRESS  right  IN PROGRESS  C302
    IN PROGRESS  right  COMPLETED    changed
    IN PROGRESS  right  CANCELED     changed
    IN PROGRESS  wrong  IN PROGRESS  C301
    IN PROGRESS  wrong  COMPLETED    C301
    IN PROGRESS  wrong  CANCELED     C301
    COMPLETED    right  IN PROGRESS  C300
    COMPLETED    right  COMPLETED    B306
    COMPLETED    right  CANCELED     C300
    COMPLETED    wrong  IN PROGRESS  C301
    COMPLETED    wrong  COMPLETED    C301
    COMPLETED    wrong  CANCELED     C301
    CANCELED     right  IN PROGRESS  C300
    CANCELED     right  COMPLETED    C300
    CANCELED     right  CANCELED     B304
    CANCELED     wrong  IN PROGRESS  C301
    CANCELED     wrong  COMPLETED    C301
    CANCELED     wrong  CANCELED     C301
"""
"""PS3.4 table CC.1.1-2 and dicom-service 9.1, copied by hand: the state, the UID that is named, the state wanted."""
ROWS = [
    (row[4:17].strip(), row[17:24].strip(), row[24:37].strip(), row[37:].strip())
    for row in MATRIX.strip("\n").splitlines()
]


def _workitem(state: str, *, lock: str | None = LOCK) -> Workitem:
    return Workitem(
        partition_name="Microsoft.Default",
        sop_instance_uid="1.2",
        state=WorkitemState(state),
        transaction_uid=None if state == SCHEDULED else lock,
        content=b"{}",
        created_at=1.0,
        changed_at=1.0,
    )


@pytest.mark.parametrize(("state", "uid", "wanted", "expected"), ROWS, ids=lambda value: value)
def test_a_change_of_state_goes_by_the_table(state: str, uid: str, wanted: str, expected: str) -> None:
    workitem, given = _workitem(state), LOCK if uid == "right" else OTHER
    if expected.startswith("C"):
        with pytest.raises(WorkitemRefused) as caught:
            judge_change(workitem, WorkitemState(wanted), transaction_uid=given)
        assert caught.value.code == expected
        assert caught.value.message == f"The workitem instance can not transition to '{wanted}' state: {expected}."
        return
    verdict = judge_change(workitem, WorkitemState(wanted), transaction_uid=given)
    assert (verdict.outcome, verdict.code) == (
        (Outcome.CHANGED, "") if expected == "changed" else (Outcome.ALREADY_THERE, expected)
    )


def test_the_table_has_a_row_for_every_case() -> None:
    wanted = REQUESTABLE_STATES
    assert {(state, to) for state, _, to, _ in ROWS} == set(itertools.product(map(str, WorkitemState), wanted))
    assert all(set(row) == set(wanted.values()) for row in STATE_CHANGES.values())
    assert set(STATE_CHANGES) == set(CANCEL_REQUESTS) == set(WorkitemState)


def test_a_workitem_that_was_canceled_unclaimed_knows_no_lock() -> None:
    canceled = _workitem(CANCELED, lock=None)
    assert judge_change(canceled, WorkitemState.CANCELED, transaction_uid=OTHER).code == "B304"


def test_only_what_is_scheduled_is_canceled_on_request() -> None:
    require_cancelable(_workitem(SCHEDULED))
    for state, code in ((IN_PROGRESS, "C312"), (COMPLETED, "C311")):
        with pytest.raises(CancellationRefused) as caught:
            require_cancelable(_workitem(state))
        assert caught.value.code == code
    with pytest.raises(AlreadyCanceled) as again:
        require_cancelable(_workitem(CANCELED))
    assert again.value.message == "The UPS is already in the requested state of CANCELED."


@pytest.mark.parametrize(
    ("state", "uid", "message"),
    [
        (SCHEDULED, None, None),
        (SCHEDULED, OTHER, "Invalid TransactionUID for the specified Workitem Instance UID."),
        (IN_PROGRESS, LOCK, None),
        (IN_PROGRESS, OTHER, "The target URI did not reference a claimed Workitem."),
        (IN_PROGRESS, None, "The target URI did not reference a claimed Workitem."),
        (COMPLETED, LOCK, "The workitem instance is already in the final state 'COMPLETED'. C300."),
        (COMPLETED, None, "The workitem instance is already in the final state 'COMPLETED'. C300."),
        (CANCELED, LOCK, "The workitem instance is already in the final state 'CANCELED'. C300."),
    ],
)
def test_attributes_change_for_the_holder_of_the_lock_until_the_end(
    state: str, uid: str | None, message: str | None
) -> None:
    if message is None:
        require_updatable(_workitem(state), transaction_uid=uid)
        return
    with pytest.raises(WorkitemRefused) as caught:
        require_updatable(_workitem(state), transaction_uid=uid)
    assert caught.value.message == message


def test_the_lock_is_not_printed() -> None:
    assert LOCK not in repr(_workitem(IN_PROGRESS))
