"""The verdicts of the specification as they come out in the ledger (routing-and-gateway 3.2, 6.3, 6.4)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from isocenter.domain.application_entity import RemoteAe
from isocenter.domain.delivery import Delivery, DeliveryPlan, DeliveryState, lease, queue
from isocenter.domain.identifiers import InstanceIdentifier
from isocenter.ports.ledger import LedgerRow
from isocenter.routing.configuration.destination import Destination, DimseTarget, FolderTarget, OnConflict
from isocenter.routing.deliveries.report import (
    AssociationAborted,
    AssociationRejected,
    ContextRefused,
    DimseAnswered,
    HttpAnswered,
    InstanceDiffers,
    InstanceFailed,
    InstanceIdentical,
    InstanceStored,
    InstanceUnmentioned,
    LocalFailed,
    LocalFault,
    Report,
    TokenRefused,
    TransportFailed,
    TransportFault,
)
from isocenter.routing.sending.outcome import DETAIL_LENGTH_MAX, given_back, outcome_of, settled

THERE = Destination("there", FolderTarget("/there"))
S = DeliveryState


def _row() -> LedgerRow:
    leased = lease(queue(0.0), now=0.0, until=60.0)
    assert leased is not None
    return LedgerRow(1, 1, InstanceIdentifier("1", "2", "3"), 10, DeliveryPlan("there"), leased)


def _delivery_after(report: Report, destination: Destination = THERE) -> Delivery:
    row = _row()
    outcome = outcome_of(report, "", destination)
    done = settled(row, outcome, began_at=0.0, now=1.0, policy=destination.retry, draw=lambda: 0.5)
    after = done.step(row.delivery)
    assert after is not None
    return after


@pytest.mark.parametrize(
    ("report", "state", "note"),
    [
        # 3.2, transient: tried again, by age and never by count
        (TransportFailed(TransportFault.CONNECTION_REFUSED), S.QUEUED, "transport:connection-refused"),
        (TransportFailed(TransportFault.ANSWER_TIMEOUT), S.QUEUED, "transport:answer-timeout"),
        (AssociationAborted(0, 0), S.QUEUED, "abort:0.0"),
        (AssociationRejected(2, 3, 1), S.QUEUED, "reject:3.1"),
        (DimseAnswered(0xA700), S.QUEUED, "store:A700"),
        *[(HttpAnswered(status), S.QUEUED, f"http:{status}") for status in (408, 424, 425, 429, 500, 502, 503, 504)],
        # authentication and addresses: the destination is suspended, its deliveries wait
        *[(HttpAnswered(status), S.QUEUED, f"http:{status}") for status in (401, 403, 404, 410)],
        (DimseAnswered(0x0124), S.QUEUED, "store:0124"),
        (TokenRefused("invalid_client"), S.QUEUED, "token:invalid_client"),
        (TransportFailed(TransportFault.TLS_UNTRUSTED), S.QUEUED, "transport:tls-untrusted"),
        (AssociationRejected(1, 1, 7), S.QUEUED, "reject:1.7"),
        (LocalFailed(LocalFault.SECRET_MISSING), S.QUEUED, "local:secret-missing"),
        # deterministic: a person decides
        *[(HttpAnswered(status), S.NEEDS_HUMAN, f"http:{status}") for status in (400, 406, 409, 413, 415)],
        *[(DimseAnswered(status), S.NEEDS_HUMAN, f"store:{status:04X}") for status in (0x0122, 0xA900, 0xC000)],
        (ContextRefused(4), S.NEEDS_HUMAN, "context:4"),
        *[(InstanceFailed(code), S.NEEDS_HUMAN, f"stow:{code:04X}") for code in (43264, 43265, 272)],
        (LocalFailed(LocalFault.TRANSFORM_REFUSED), S.NEEDS_HUMAN, "local:transform-refused"),
        # duplicates, conflicts, what is being created
        (InstanceIdentical(), S.DELIVERED_WITH_NOTE, "delivery:identical"),
        (InstanceDiffers(), S.NEEDS_HUMAN, "delivery:different"),
        (InstanceFailed(45070), S.NEEDS_HUMAN, "stow:B00E"),
        (InstanceFailed(45071), S.QUEUED, "stow:B00F"),
        # stored, with or without a note
        (InstanceStored(), S.DELIVERED, "delivery:stored"),
        (InstanceStored(45063), S.DELIVERED_WITH_NOTE, "stow-warning:B007"),
        (InstanceStored(1), S.DELIVERED_WITH_NOTE, "stow-warning:0001"),
        (DimseAnswered(0), S.DELIVERED, "store:0000"),
        *[(DimseAnswered(code), S.DELIVERED_WITH_NOTE, f"store:{code:04X}") for code in (0xB000, 0xB006, 0xB007)],
        (DimseAnswered(0x0111), S.DELIVERED_WITH_NOTE, "store:0111"),
        # said of nothing
        (InstanceUnmentioned(), S.QUEUED, "delivery:unmentioned"),
    ],
    ids=str,
)
def test_a_report_leaves_its_delivery_in_a_state_with_a_note(report: Report, state: DeliveryState, note: str) -> None:
    after = _delivery_after(report)
    assert (after.state, after.note) == (state, note)


def test_where_0111_is_not_taken_for_stored_a_person_decides() -> None:
    target = DimseTarget(RemoteAe("PACS", "127.0.0.1", 104), is_duplicate_stored=False)
    assert _delivery_after(DimseAnswered(0x0111), replace(THERE, target=target)).state is S.NEEDS_HUMAN


def test_where_what_is_there_is_kept_a_conflict_is_only_noted() -> None:
    after = _delivery_after(InstanceDiffers(), replace(THERE, on_conflict=OnConflict.KEEP))
    assert (after.state, after.note) == (S.DELIVERED_WITH_NOTE, "delivery:different")


def test_what_a_destination_says_is_kept_on_one_line_and_not_without_end() -> None:
    assert outcome_of(HttpAnswered(400), "a\n\t b", THERE).detail == "a b"
    assert len(outcome_of(HttpAnswered(400), "x" * 10_000, THERE).detail) == DETAIL_LENGTH_MAX


def test_what_is_given_back_is_due_at_once_without_a_failure() -> None:
    row = _row()
    after = given_back(row, now=5.0).step(row.delivery)
    assert after is not None
    assert (after.state, after.due_at, after.failures) == (S.QUEUED, 5.0, 0)


def test_who_has_lost_the_lease_gives_nothing_back() -> None:
    row = _row()
    other = replace(row.delivery, lease_number=2)
    assert given_back(row, now=5.0).step(other) is None
