"""What is committed and what is not, and when a report is tried again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from isocenter.archive.archive import Archive
from isocenter.archive.commitment import (
    LEASE_S,
    begin_asking,
    check_commitment,
    check_elsewhere,
    due_commitments,
    forget_ended,
    hold,
    note_not_reported,
    note_reported,
    note_unanswered,
    recent_commitments,
    request_commitment,
    take_report,
)
from isocenter.domain.commitment import (
    KEPT_S,
    REPORT_DEADLINE_S,
    Commitment,
    CommitmentRequest,
    CommitmentResult,
    CommitmentState,
    FailureReason,
    InstanceReference,
    Side,
)
from isocenter.domain.errors import Forbidden, Overloaded, StorageFailed, Unavailable
from isocenter.domain.principal import LOCAL_OWNER, Principal
from isocenter.storage.memory import MemoryBlobStore, MemoryInstanceIndex
from tests.support.faults import Fault, faulty_index
from tests.support.instances import CT_IMAGE_STORAGE, identify
from tests.support.memory_archive import FakeClock, memory_archive, store
from tests.support.small_instances import make_instance

MR_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.4"
HERE, ALSO, MISSING = identify(1), identify(1, 1, 2), identify(9)


def _reference(number: int = 1, *, sop_class_uid: str = CT_IMAGE_STORAGE) -> InstanceReference:
    uids = {1: HERE, 2: ALSO, 9: MISSING}
    return InstanceReference(sop_class_uid, uids[number].sop_instance_uid)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def archive(clock: FakeClock) -> Iterator[Archive]:
    with memory_archive(clock=clock) as opened:
        for identifier in (HERE, ALSO):
            store(opened, make_instance(identifier).content)
        yield opened


def _now(archive: Archive) -> float:
    return archive.clock.now().timestamp()


def _request(archive: Archive, *references: InstanceReference, uid: str = "1.9") -> Commitment:
    return request_commitment(
        archive.commitments,
        LOCAL_OWNER,
        CommitmentRequest(uid, references, len(references)),
        peer_ae_title="CT1",
        own_ae_title="ISOCENTER",
        now=_now(archive),
    )


def _check(archive: Archive, commitment: Commitment) -> Commitment:
    return check_commitment(archive, archive.commitments, commitment, is_supported=lambda uid: uid == CT_IMAGE_STORAGE)


def _result(archive: Archive, *references: InstanceReference) -> CommitmentResult:
    checked = _check(archive, _request(archive, *references))
    assert checked.result is not None
    assert archive.commitments.find(Side.PROVIDER, "1.9") == checked
    return checked.result


def test_what_is_stored_is_committed(archive: Archive) -> None:
    assert _result(archive, _reference(1), _reference(2)) == CommitmentResult((_reference(1), _reference(2)))


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        (_reference(9), FailureReason.NO_SUCH_OBJECT_INSTANCE),
        (_reference(1, sop_class_uid=MR_IMAGE_STORAGE), FailureReason.CLASS_INSTANCE_CONFLICT),
        (_reference(9, sop_class_uid=MR_IMAGE_STORAGE), FailureReason.REFERENCED_SOP_CLASS_NOT_SUPPORTED),
    ],
)
def test_what_is_not_is_named_with_its_reason(
    archive: Archive, reference: InstanceReference, reason: FailureReason
) -> None:
    assert _result(archive, _reference(2), reference) == CommitmentResult((_reference(2),), ((reference, reason),))


def test_what_no_longer_matches_its_checksum_is_not_committed() -> None:
    blobs = MemoryBlobStore()
    with memory_archive(blobs=blobs) as archive:
        store(archive, make_instance(HERE).content)
        store(archive, make_instance(ALSO).content)
        row = archive.index.find_stored([HERE])[HERE]
        blobs.erase(row.address)
        assert _result(archive, _reference(1), _reference(2)) == CommitmentResult(
            (_reference(2),), ((_reference(1), FailureReason.PROCESSING_FAILURE),)
        )


def test_one_intact_instance_of_a_uid_is_enough(archive: Archive) -> None:
    elsewhere = replace(identify(3), sop_instance_uid=HERE.sop_instance_uid)
    store(archive, make_instance(elsewhere).content)
    assert _result(archive, _reference(1)).is_success


def test_many_instances_are_looked_up(archive: Archive) -> None:
    missing = tuple(InstanceReference(CT_IMAGE_STORAGE, f"1.77.{number}") for number in range(1000))
    result = _result(archive, *missing[:500], _reference(1), *missing[500:])
    assert result.committed == (_reference(1),)
    assert len(result.failed) == 1000


def test_a_transaction_uid_that_was_used_fails_for_all(archive: Archive) -> None:
    _request(archive, _reference(1))
    again = _check(archive, _request(archive, _reference(1), _reference(2)))
    assert again.result is not None
    assert [reason for _, reason in again.result.failed] == [FailureReason.DUPLICATE_TRANSACTION_UID] * 2


def test_who_may_not_read_may_not_ask(archive: Archive) -> None:
    nobody = Principal("nobody", frozenset())
    request = CommitmentRequest("1.9", (_reference(),), 1)
    with pytest.raises(Forbidden):
        request_commitment(archive.commitments, nobody, request, peer_ae_title="X", own_ae_title="Y", now=0.0)
    with pytest.raises(Forbidden):
        recent_commitments(archive.commitments, nobody, limit=1)


@pytest.mark.parametrize("kind", [Overloaded, StorageFailed])
def test_what_cannot_be_said_now_is_looked_for_again_until_the_deadline(
    clock: FakeClock, kind: type[Overloaded | StorageFailed]
) -> None:
    fault = Fault(kind, at_call=1, is_after=False)
    with memory_archive(index=faulty_index(MemoryInstanceIndex(), fault), clock=clock) as archive:
        asked = _request(archive, _reference(1))
        fault.arm()
        waiting = _check(archive, asked)
        assert (waiting.state, waiting.result, waiting.attempts) == (CommitmentState.REQUESTED, None, 1)
        assert waiting.problem
        assert waiting.due_at > _now(archive)
        clock.advance(REPORT_DEADLINE_S)
        late = Fault(kind, at_call=1, is_after=False)
        late.arm()
        slow = replace(archive, index=faulty_index(MemoryInstanceIndex(), late))
        given_up = _check(slow, waiting)
        assert given_up.state is CommitmentState.CHECKED
        assert given_up.result == CommitmentResult((), ((_reference(1), FailureReason.RESOURCE_LIMITATION),))


def test_what_is_in_hand_is_left_alone_until_its_lease_ends(archive: Archive, clock: FakeClock) -> None:
    asked = _request(archive, _reference(1))
    assert due_commitments(archive.commitments, now=_now(archive), limit=9) == []
    clock.advance(LEASE_S)
    assert due_commitments(archive.commitments, now=_now(archive), limit=9) == [asked]
    hold(archive.commitments, asked, now=_now(archive))
    assert due_commitments(archive.commitments, now=_now(archive), limit=9) == []


def test_a_report_that_was_taken_is_done(archive: Archive) -> None:
    checked = _check(archive, _request(archive, _reference(1)))
    reported = note_reported(archive.commitments, checked, now=_now(archive))
    assert archive.commitments.find(Side.PROVIDER, "1.9") == reported
    assert (reported.state, reported.attempts, reported.problem) == (CommitmentState.REPORTED, 1, "")


def test_a_report_is_tried_for_a_day(archive: Archive, clock: FakeClock) -> None:
    commitment = _check(archive, _request(archive, _reference(1)))
    tried = 0
    while commitment.state is CommitmentState.CHECKED:
        commitment = note_not_reported(archive.commitments, commitment, problem="Nobody answers.", now=_now(archive))
        tried += 1
        clock.advance(max(0.0, commitment.due_at - _now(archive)))
    assert commitment.state is CommitmentState.UNDELIVERED
    assert commitment.problem == "Nobody answers."
    assert 90 < tried < 120
    assert clock.monotonic_s() == REPORT_DEADLINE_S


def test_what_ended_is_remembered_for_a_while(archive: Archive, clock: FakeClock) -> None:
    checked = _check(archive, _request(archive, _reference(1)))
    note_reported(archive.commitments, checked, now=_now(archive))
    clock.advance(KEPT_S)
    assert forget_ended(archive.commitments, now=_now(archive)) == 0
    clock.advance(1)
    assert forget_ended(archive.commitments, now=_now(archive)) == 1
    assert recent_commitments(archive.commitments, LOCAL_OWNER, limit=9) == []


def _ask(archive: Archive) -> Commitment:
    request = CommitmentRequest("1.9", (_reference(1),), 1)
    return begin_asking(archive.commitments, request, peer_ae_title="PACS", own_ae_title="ISOCENTER", now=_now(archive))


SAFE = CommitmentResult((_reference(1),))


def test_the_report_of_the_one_that_was_asked_is_taken(archive: Archive) -> None:
    _ask(archive)
    assert not take_report(archive.commitments, "1.9", SAFE, peer_ae_title="OTHER", now=_now(archive))
    assert not take_report(archive.commitments, "1.8", SAFE, peer_ae_title="PACS", now=_now(archive))
    assert take_report(archive.commitments, "1.9", SAFE, peer_ae_title="PACS", now=_now(archive))
    kept = archive.commitments.find(Side.USER, "1.9")
    assert kept is not None
    assert (kept.state, kept.result) == (CommitmentState.ANSWERED, SAFE)


def test_a_report_that_comes_again_changes_nothing(archive: Archive) -> None:
    _ask(archive)
    take_report(archive.commitments, "1.9", SAFE, peer_ae_title="PACS", now=_now(archive))
    other = CommitmentResult((), ((_reference(1), 0x0110),))
    assert take_report(archive.commitments, "1.9", other, peer_ae_title="PACS", now=_now(archive))
    kept = archive.commitments.find(Side.USER, "1.9")
    assert kept is not None
    assert kept.result == SAFE


def test_a_report_that_comes_late_still_counts(archive: Archive, clock: FakeClock) -> None:
    asked = _ask(archive)
    assert due_commitments(archive.commitments, now=_now(archive) + REPORT_DEADLINE_S - 1, limit=9) == []
    clock.advance(REPORT_DEADLINE_S)
    assert due_commitments(archive.commitments, now=_now(archive), limit=9) == [asked]
    note_unanswered(archive.commitments, asked, problem="No report came in time.", now=_now(archive))
    assert due_commitments(archive.commitments, now=_now(archive), limit=9) == []
    assert take_report(archive.commitments, "1.9", SAFE, peer_ae_title="PACS", now=_now(archive))


def _elsewhere(archive: Archive, commitment: Commitment, found: CommitmentResult | None) -> Commitment:
    def examine(request: CommitmentRequest) -> CommitmentResult:
        if found is None:
            raise Unavailable("The service is busy.")
        return found

    return check_elsewhere(archive.commitments, commitment, examine, now=_now(archive))


def test_what_lies_elsewhere_is_committed_by_what_is_found_there(archive: Archive) -> None:
    result = CommitmentResult((_reference(1),), ((_reference(2), FailureReason.NO_SUCH_OBJECT_INSTANCE),))
    checked = _elsewhere(archive, _request(archive, _reference(1), _reference(2)), result)
    assert (checked.state, checked.result) == (CommitmentState.CHECKED, result)


def test_what_cannot_be_said_now_is_looked_for_until_the_deadline(archive: Archive, clock: FakeClock) -> None:
    waiting = _elsewhere(archive, _request(archive, _reference(1)), None)
    assert (waiting.state, waiting.attempts, waiting.problem) == (CommitmentState.REQUESTED, 1, "The service is busy.")
    assert _now(archive) < waiting.due_at < _now(archive) + REPORT_DEADLINE_S
    clock.advance(REPORT_DEADLINE_S)
    given_up = _elsewhere(archive, waiting, None)
    assert given_up.result == CommitmentResult(failed=((_reference(1), FailureReason.RESOURCE_LIMITATION),))


def test_a_transaction_that_was_used_before_is_looked_for_nowhere(archive: Archive) -> None:
    _request(archive, _reference(1))
    again = _elsewhere(archive, _request(archive, _reference(1)), None)
    assert again.result == CommitmentResult(failed=((_reference(1), FailureReason.DUPLICATE_TRANSACTION_UID),))
