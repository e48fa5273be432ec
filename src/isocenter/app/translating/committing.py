"""Storage commitment for what a service holds: looked for by QIDO-RS, series by series (6.5)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from isocenter.app.translating.upstream import Row, Upstream, unique_key
from isocenter.dimse.scp.final_status import FinalStatus
from isocenter.domain.commitment import CommitmentRequest, CommitmentResult, FailureReason, InstanceReference
from isocenter.domain.errors import Unavailable
from isocenter.domain.identifiers import Level, is_uid
from isocenter.domain.query import OneOf, Query
from isocenter.routing.translation.json_row import JsonRow
from isocenter.routing.translation.search import translate_search

SOP_CLASS_UID, SOP_INSTANCE_UID = 0x00080016, 0x00080018


def examine_upstream(
    upstream: Upstream, request: CommitmentRequest, *, is_supported: Callable[[str], bool]
) -> CommitmentResult:
    """Return which instances a service holds.

    Raises Unavailable where it cannot say: the request is looked at again until its deadline.
    """
    known: dict[str, str] = {}
    committed: list[InstanceReference] = []
    failed: list[tuple[InstanceReference, int]] = []
    for reference in request.references:
        if reference.sop_instance_uid not in known:
            known.update(_look(upstream, reference.sop_instance_uid))
        reason = _objection(reference, known.get(reference.sop_instance_uid), is_supported)
        if reason is None:
            committed.append(reference)
        else:
            failed.append((reference, reason))
    return CommitmentResult(tuple(committed), tuple(failed))


def _objection(
    reference: InstanceReference, sop_class_uid: str | None, is_supported: Callable[[str], bool]
) -> FailureReason | None:
    """Return why an instance is not committed, None where it is; a service that tells no class is believed."""
    if sop_class_uid is None:
        is_known = is_supported(reference.sop_class_uid)
        return FailureReason.NO_SUCH_OBJECT_INSTANCE if is_known else FailureReason.REFERENCED_SOP_CLASS_NOT_SUPPORTED
    if sop_class_uid and sop_class_uid != reference.sop_class_uid:
        return FailureReason.CLASS_INSTANCE_CONFLICT
    return None


def _look(upstream: Upstream, sop_instance_uid: str) -> Iterator[tuple[str, str]]:
    """Yield the class of an instance and of all others of its series: they are mostly asked for together."""
    query = Query(Level.INSTANCE, (OneOf(SOP_INSTANCE_UID, (sop_instance_uid,)),))
    row = next(_rows(upstream, query), None)
    if row is None:
        return
    yield _class_of(row)
    study, series = unique_key(row, Level.STUDY), unique_key(row, Level.SERIES)
    if is_uid(study) and is_uid(series):
        below = Query(Level.INSTANCE, study_instance_uid=study, series_instance_uid=series)
        yield from map(_class_of, _rows(upstream, below))


def _class_of(row: Row) -> tuple[str, str]:
    return unique_key(row, Level.INSTANCE), JsonRow(row).text_of(SOP_CLASS_UID)


def _rows(upstream: Upstream, query: Query) -> Iterator[Row]:
    search = translate_search(query, upstream.profile, return_tags=(SOP_CLASS_UID,))
    try:
        yield from upstream.iter_rows(search.requests, Level.INSTANCE, is_cancelled=upstream.stopping.is_set)
    except FinalStatus as failure:
        raise Unavailable(f"The service cannot be asked for instances: {failure.comment}") from failure
