"""Storage commitment, push model: take requests, look whether the instances are safe, and what is to be told when.

A request is durable before it is answered. Whoever reports asks `due_commitments`, so that a restart loses nothing:

    REQUESTED ── check_commitment ──▶ CHECKED ── note_reported ──▶ REPORTED
                                       │  ▲
                                       └──┘ note_not_reported: later again, until the deadline
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from isocenter.archive.archive import Archive
from isocenter.domain.attributes import BY_KEYWORD
from isocenter.domain.commitment import (
    KEPT_S,
    REPORT_DEADLINE_S,
    Commitment,
    CommitmentRequest,
    CommitmentResult,
    CommitmentState,
    FailureReason,
    InstanceReference,
    NewCommitment,
    Side,
    all_failed,
    next_attempt_at,
)
from isocenter.domain.errors import CorruptInstance, Unavailable
from isocenter.domain.identifiers import Level
from isocenter.domain.principal import DataAction, Principal
from isocenter.domain.query import OneOf, Query, SearchRow
from isocenter.ports.commitments import Commitments

BATCH_COUNT = 200
"""Instances that are looked up at once."""
VERSIONS_MAX = 8
"""Instances of one UID in different studies; more is a fault of whoever made the UIDs."""
LEASE_S = 60.0
"""A transaction in hand is left alone by others for so long; then it is taken up again, as after a crash."""

_SOP_INSTANCE_UID = BY_KEYWORD["SOPInstanceUID"].tag
_SOP_CLASS_UID = BY_KEYWORD["SOPClassUID"].tag


def request_commitment(
    commitments: Commitments,
    principal: Principal,
    request: CommitmentRequest,
    *,
    peer_ae_title: str,
    own_ae_title: str,
    now: float,
) -> Commitment:
    """Keep the request of a peer, durable when this returns.

    Raises Overloaded where too many wait for their report, Forbidden.
    """
    principal.require(DataAction.READ)
    new = NewCommitment(Side.PROVIDER, request, peer_ae_title, own_ae_title, now)
    return commitments.open(new, due_at=now + LEASE_S)


def check_commitment(
    archive: Archive, commitments: Commitments, commitment: Commitment, *, is_supported: Callable[[str], bool]
) -> Commitment:
    """Look for every instance and verify its bytes; keep the result.

    Where the archive cannot say it now, it is asked again later, and at the deadline the answer is that there are no
    resources. `is_supported` tells whether instances of an SOP class are taken in.
    """
    now = archive.clock.now().timestamp()
    return check_elsewhere(
        commitments, commitment, partial(examine_archive, archive, is_supported=is_supported), now=now
    )


Examine = Callable[[CommitmentRequest], CommitmentResult]
"""Looks for the instances of a request. Raises Unavailable where that cannot be said now."""


def check_elsewhere(commitments: Commitments, commitment: Commitment, examine: Examine, *, now: float) -> Commitment:
    """Do the same with instances that are not in the archive, but where `examine` looks for them."""
    try:
        if commitment.is_duplicate:
            result = all_failed(commitment.request, FailureReason.DUPLICATE_TRANSACTION_UID)
        else:
            result = examine(commitment.request)
    except Unavailable as error:
        due_at = next_attempt_at(commitment, now=now)
        if due_at is not None:
            waiting = replace(commitment, attempts=commitment.attempts + 1, due_at=due_at, changed_at=now)
            return _keep(commitments, replace(waiting, problem=error.message))
        result = all_failed(commitment.request, FailureReason.RESOURCE_LIMITATION)
    checked = replace(commitment, state=CommitmentState.CHECKED, result=result, attempts=0, problem="")
    return _keep(commitments, replace(checked, due_at=now + LEASE_S, changed_at=now))


def _keep(commitments: Commitments, commitment: Commitment) -> Commitment:
    commitments.replace(commitment)
    return commitment


def examine_archive(
    archive: Archive, request: CommitmentRequest, *, is_supported: Callable[[str], bool]
) -> CommitmentResult:
    """Look for the instances of a request in the archive and verify their bytes.

    Raises Unavailable where that cannot be said now.
    """
    references = request.references
    committed: list[InstanceReference] = []
    failed: list[tuple[InstanceReference, int]] = []
    for start in range(0, len(references), BATCH_COUNT):
        batch = references[start : start + BATCH_COUNT]
        stored = _find_stored(archive, batch)
        for reference in batch:
            reason = _objection(archive, reference, stored.get(reference.sop_instance_uid, []), is_supported)
            if reason is None:
                committed.append(reference)
            else:
                failed.append((reference, reason))
    return CommitmentResult(tuple(committed), tuple(failed))


def _find_stored(archive: Archive, batch: Sequence[InstanceReference]) -> dict[str, list[SearchRow]]:
    uids = tuple({reference.sop_instance_uid for reference in batch})
    query = Query(Level.INSTANCE, (OneOf(_SOP_INSTANCE_UID, uids),), limit=len(uids) * VERSIONS_MAX)
    found: dict[str, list[SearchRow]] = {}
    for row in archive.index.search(query):
        found.setdefault(row.attributes[_SOP_INSTANCE_UID], []).append(row)
    return found


def _objection(
    archive: Archive, reference: InstanceReference, stored: Sequence[SearchRow], is_supported: Callable[[str], bool]
) -> FailureReason | None:
    """Return why an instance is not committed, None where it is (routing-and-gateway 6.5)."""
    if not stored:
        is_known = is_supported(reference.sop_class_uid)
        return FailureReason.NO_SUCH_OBJECT_INSTANCE if is_known else FailureReason.REFERENCED_SOP_CLASS_NOT_SUPPORTED
    of_class = [row for row in stored if row.attributes.get(_SOP_CLASS_UID) == reference.sop_class_uid]
    if not of_class:
        return FailureReason.CLASS_INSTANCE_CONFLICT
    is_safe = any(_is_intact(archive, row.newest_instance_key) for row in of_class)
    return None if is_safe else FailureReason.PROCESSING_FAILURE


def _is_intact(archive: Archive, instance_key: int) -> bool:
    row = archive.index.instance(instance_key)
    try:
        return row is not None and archive.blobs.verify(row.address)
    except CorruptInstance:
        return False


@dataclass(frozen=True, slots=True)
class Titles:
    """Under which titles of ours transactions were begun that somebody sees to."""

    only: frozenset[str] = frozenset()
    """Empty for all."""
    but: frozenset[str] = frozenset()


ALL_TITLES = Titles()


def due_commitments(
    commitments: Commitments, *, now: float, limit: int, titles: Titles = ALL_TITLES
) -> list[Commitment]:
    """Return transactions about which something is to be done, the longest due first."""
    return commitments.due(now=now, limit=limit, own_ae_titles=titles.only, but=titles.but)


def hold(commitments: Commitments, commitment: Commitment, *, now: float) -> Commitment:
    """Keep others from a transaction while it is in hand."""
    return _keep(commitments, replace(commitment, due_at=now + LEASE_S))


def note_reported(commitments: Commitments, commitment: Commitment, *, now: float) -> Commitment:
    """Know that the peer has taken the report."""
    reported = replace(commitment, state=CommitmentState.REPORTED, attempts=commitment.attempts + 1)
    return _keep(commitments, replace(reported, changed_at=now, problem=""))


def note_not_reported(commitments: Commitments, commitment: Commitment, *, problem: str, now: float) -> Commitment:
    """Know that an attempt to report failed: try again later, or give up where the time is over."""
    due_at = next_attempt_at(commitment, now=now)
    tried = replace(commitment, attempts=commitment.attempts + 1, changed_at=now, problem=problem)
    if due_at is None:
        return _keep(commitments, replace(tried, state=CommitmentState.UNDELIVERED))
    return _keep(commitments, replace(tried, due_at=due_at))


def forget_ended(commitments: Commitments, *, now: float) -> int:
    """Drop transactions that ended long ago; return how many."""
    return commitments.forget(ended_before=now - KEPT_S)


def recent_commitments(commitments: Commitments, principal: Principal, *, limit: int) -> list[Commitment]:
    """Return transactions of both sides, the one that was begun last first."""
    principal.require(DataAction.READ)
    return commitments.recent(limit=limit)


# ---- our own requests


def begin_asking(
    commitments: Commitments, request: CommitmentRequest, *, peer_ae_title: str, own_ae_title: str, now: float
) -> Commitment:
    """Keep a request of our own before it is sent, so that no report can come to something unknown."""
    new = NewCommitment(Side.USER, request, peer_ae_title, own_ae_title, now)
    return commitments.open(new, due_at=now + REPORT_DEADLINE_S)


def note_unanswered(commitments: Commitments, commitment: Commitment, *, problem: str, now: float) -> Commitment:
    """Know that no report will come, or that its time is over; one that comes all the same still counts."""
    ended = replace(commitment, state=CommitmentState.UNANSWERED, changed_at=now, problem=problem)
    return _keep(commitments, ended)


def take_report(
    commitments: Commitments, transaction_uid: str, result: CommitmentResult, *, peer_ae_title: str, now: float
) -> bool:
    """Keep the report of a peer; return False where it was not asked for that transaction.

    One that was taken already is taken again without effect: the peer may not know that we have it.
    """
    asked = commitments.find(Side.USER, transaction_uid)
    if asked is None or asked.peer_ae_title != peer_ae_title:
        return False
    answered = replace(asked, state=CommitmentState.ANSWERED, result=result, changed_at=now, problem="")
    return commitments.replace(answered) or asked.state is CommitmentState.ANSWERED
