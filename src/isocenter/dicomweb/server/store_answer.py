"""What a store request is answered: the outcome of each instance, the status, a warning (dicom-service 2.2 to 2.5)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass

import orjson
import structlog
from starlette.responses import Response

from isocenter.dicomweb.codec.accept import DICOM_JSON
from isocenter.dicomweb.codec.store_json import (
    DATASET_DOES_NOT_MATCH_SOP_CLASS,
    VALIDATION_WARNINGS,
    FailedInstance,
    StoredInstance,
    store_response,
    store_status,
)
from isocenter.dicomweb.codec.warning import format_warning
from isocenter.dicomweb.server.service import Call
from isocenter.domain.errors import (
    Broken,
    InvalidDataset,
    IsocenterError,
    Refused,
    StorageFull,
    StudyMismatch,
    Unavailable,
)
from isocenter.domain.outcome import Disposition, StoreOutcome
from isocenter.domain.statuses import INSTANCE_EXISTS, statuses_of

_log = structlog.get_logger()

_COMMENTED_TAG = re.compile(r"^DICOM\d+: (\([0-9a-f]{4},[0-9a-f]{4}\)) - ", re.MULTILINE)
"""Which attribute a comment is about (dicom-service 2.4)."""
_SEVERAL_VALUES = "One or more indexed Dicom tag(s) have multiple values, only first value is indexed."


@dataclass(slots=True)
class Submitted:
    """An instance on its way: what is known of it, and what becomes of it."""

    sop_class_uid: str
    sop_instance_uid: str
    future: Future[StoreOutcome] | None
    error: IsocenterError | None
    is_implicit_vr: bool
    size_bytes: int
    comments: tuple[str, ...] = ()
    """What is to be said of its attributes though it is kept."""
    has_several_values: bool = False
    """A searchable attribute has more than one value."""
    length_bytes: int = 0
    """Of the instance itself."""


async def settle(submitted: Submitted) -> None:
    """Wait until an instance is durable or refused, and note why it was refused."""
    future = submitted.future
    if future is None:
        return
    if not future.done():
        waiting = asyncio.wrap_future(future)
        await asyncio.wait([waiting])
        waiting.exception()  # retrieved here, judged below
    error = future.exception()
    if isinstance(error, IsocenterError):
        submitted.error = error
    elif error is not None:
        raise error


async def answer_store(call: Call, submitted: Sequence[Submitted], study_instance_uid: str | None) -> Response:
    """Return the answer once each instance is durable or refused."""
    if not submitted:
        return Response(status_code=204)
    for each in submitted:
        await settle(each)
    stored: list[StoredInstance] = []
    failed: list[FailedInstance] = []
    has_several_values = False
    for each in submitted:
        _count(call, each)
        if each.error is None and not _is_duplicate(call, each):
            stored.append(_stored(call, each))
            has_several_values |= each.has_several_values
        else:
            failed.append(_failed(call, each))
    if not stored:
        _raise_if_unavailable(submitted)
    study_url = None if study_instance_uid is None else f"{call.resource_root}/studies/{study_instance_uid}"
    content = orjson.dumps(store_response(stored, failed, call.dialect, study_url=study_url))
    headers = {"Warning": format_warning(call.root, _SEVERAL_VALUES)} if has_several_values else {}
    status = store_status(stored, failed, call.dialect)
    return Response(content, status_code=status, media_type=DICOM_JSON, headers=headers)


async def answer_broken_off(
    call: Call, submitted: Sequence[Submitted], study_instance_uid: str | None, cause: Refused
) -> Response:
    """Return the answer to a message that could be read up to some place only.

    It is the cause, unless instances before that place were stored: who is told that a request failed must not find
    half of it there. They are named then, and the rest is one failed instance. Raises the cause.
    """
    for each in submitted:
        await settle(each)
    kept = sum(each.error is None and not _is_duplicate(call, each) for each in submitted)
    if not kept:
        raise cause
    _log.warning("dicomweb.store_broken_off", stored=kept, reason=cause.message)
    rest = Submitted("", "", None, cause.without_frames(), is_implicit_vr=False, size_bytes=0)
    response = await answer_store(call, (*submitted, rest), study_instance_uid)
    response.headers["Connection"] = "close"  # nobody knows where in the body the caller is
    return response


def _count(call: Call, submitted: Submitted) -> None:
    counts, error, future = call.service.counts, submitted.error, submitted.future
    if error is not None or future is None:
        counts.note_instance(f"{_failure_reason(call, error):04X}")
        comments = error.comments if isinstance(error, InvalidDataset) else ()
    else:
        disposition = future.result().disposition
        is_new = disposition is not Disposition.IDENTICAL
        counts.note_instance(disposition.value, length_bytes=submitted.length_bytes if is_new else 0)
        comments = submitted.comments
    counts.note_objections(_COMMENTED_TAG.findall("\n".join(comments)), is_kept=error is None)


def _is_duplicate(call: Call, submitted: Submitted) -> bool:
    """Tell whether the very bytes were stored already, which Azure refuses too unless it is asked to replace."""
    if not call.dialect.is_azure or call.request.method == "PUT" or submitted.future is None:
        return False
    return submitted.future.result().disposition is Disposition.IDENTICAL


def _stored(call: Call, submitted: Submitted) -> StoredInstance:
    if submitted.future is None:
        raise AssertionError
    identifier = submitted.future.result().identifier
    url = (
        f"{call.resource_root}/studies/{identifier.study_instance_uid}/series/{identifier.series_instance_uid}"
        f"/instances/{identifier.sop_instance_uid}"
    )
    return StoredInstance(
        sop_class_uid=submitted.sop_class_uid,
        sop_instance_uid=submitted.sop_instance_uid,
        retrieve_url=url,
        warning_reason=_warning_reason(call, submitted),
        error_comments=submitted.comments,
    )


def _warning_reason(call: Call, submitted: Submitted) -> int | None:
    if call.dialect.is_azure and submitted.is_implicit_vr:
        return DATASET_DOES_NOT_MATCH_SOP_CLASS
    return VALIDATION_WARNINGS if submitted.comments else None


def _failed(call: Call, submitted: Submitted) -> FailedInstance:
    error = submitted.error
    return FailedInstance(
        sop_class_uid=submitted.sop_class_uid,
        sop_instance_uid=submitted.sop_instance_uid,
        failure_reason=_failure_reason(call, error),
        error_comments=_comments(call, error),
    )


def _failure_reason(call: Call, error: IsocenterError | None) -> int:
    if error is None:
        return INSTANCE_EXISTS
    if call.dialect.is_azure and isinstance(error, StudyMismatch):
        return call.service.azure.study_mismatch_reason
    return statuses_of(error).failure_reason


def _comments(call: Call, error: IsocenterError | None) -> tuple[str, ...]:
    """Return what is said of a refused instance; Azure says nothing of bytes that are none (dicom-service 2.2)."""
    if not isinstance(error, InvalidDataset):
        return ()
    return error.comments if error.comments or call.dialect.is_azure else (error.message,)


def _raise_if_unavailable(submitted: Sequence[Submitted]) -> None:
    """Say that the service, not the instances, is at fault, where nothing could be kept (R9, dicom-service 2.2)."""
    errors = [each.error for each in submitted]
    for kind in (StorageFull, Unavailable, Broken):
        error = next((error for error in errors if isinstance(error, kind)), None)
        if error is not None:
            raise error
