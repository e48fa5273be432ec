"""STOW-RS: take instances in as they stream by (PS3.18 10.5, dicom-service 2).

Parts go into the archive's group commit as soon as each is complete, so that the disk works while
the rest of the request still arrives. Memory is bounded by what this request has in flight.
"""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass

import orjson
from starlette.responses import Response

from isocenter.archive.identify import SOP_CLASS_UID, SOP_INSTANCE_UID
from isocenter.archive.store import Reception, begin_store
from isocenter.dicomweb.codec.accept import DICOM_JSON, require_dicom_json
from isocenter.dicomweb.codec.multipart import MultipartDecoder, PartBegin, PartData, PartEnd
from isocenter.dicomweb.codec.store_json import (
    DATASET_DOES_NOT_MATCH_SOP_CLASS,
    FailedInstance,
    StoredInstance,
    store_response,
    store_status,
)
from isocenter.dicomweb.codec.store_request import (
    StoreBody,
    check_content_encoding,
    check_part,
    parse_store_content_type,
)
from isocenter.dicomweb.server.request_body import iter_body
from isocenter.dicomweb.server.service import Call
from isocenter.domain.errors import (
    Broken,
    InvalidDataset,
    IsocenterError,
    StorageFull,
    TooLarge,
    Unavailable,
)
from isocenter.domain.identifiers import parse_uid
from isocenter.domain.outcome import Disposition, StoreOutcome
from isocenter.domain.statuses import INSTANCE_EXISTS, statuses_of

ON_DISK_COUNTS_AS_BYTES = 8 * 1024**2
"""What an instance that waits on disk counts for: it holds an open file, and a process has few of those."""
SCAN_INLINE_MAX_BYTES = 128 * 1024
"""A larger instance is scanned by a thread: a hostile header takes a scan some milliseconds for every 100 KB."""
IN_FLIGHT_MAX_BYTES = 32 * 1024**2
"""What one request may have waiting for the disk before it stops reading: two batches of the group commit."""
DISK_WRITE_BYTES = 2 * 1024**2
"""Chunks of a large instance are gathered to this size before a thread writes them."""


@dataclass(slots=True)
class _Submitted:
    """An instance on its way: what is known of it, and what becomes of it."""

    sop_class_uid: str
    sop_instance_uid: str
    future: Future[StoreOutcome] | None
    error: IsocenterError | None
    is_implicit_vr: bool
    size_bytes: int


async def store_instances(call: Call) -> Response:
    """Store the instances of the body; answer when each is durable or refused."""
    require_dicom_json(call.accept, call.dialect)
    study = call.parameters.get("study")
    study_instance_uid = None if study is None else parse_uid(study)
    body = parse_store_content_type(call.request.headers.get("content-type"), call.dialect)
    check_content_encoding(call.request.headers.get("content-encoding"))
    receiver = _Receiver(call, study_instance_uid)
    try:
        if body.boundary is None:
            await _receive_single(call, receiver)
        else:
            await _receive_parts(call, receiver, body, body.boundary)
    finally:
        await receiver.abandon()
    return await _answer(call, receiver.submitted, study_instance_uid)


async def _receive_single(call: Call, receiver: _Receiver) -> None:
    _check_length(call)
    receiver.begin()
    async for chunk in iter_body(call.request, idle_max_s=call.service.body_idle_max_s):
        await receiver.write(memoryview(chunk))
    await receiver.end()


async def _receive_parts(call: Call, receiver: _Receiver, body: StoreBody, boundary: str) -> None:
    decoder = MultipartDecoder(boundary)
    is_first = True
    async for chunk in iter_body(call.request, idle_max_s=call.service.body_idle_max_s):
        for event in decoder.feed(chunk):
            if isinstance(event, PartData):
                await receiver.write(event.data)
            elif isinstance(event, PartBegin):
                check_part(event.headers, body, call.dialect, is_first=is_first)
                is_first = False
                receiver.begin()
            elif isinstance(event, PartEnd):
                await receiver.end()
    decoder.close()


def _check_length(call: Call) -> None:
    """Refuse before anything is read what says of itself that it is too long."""
    limit = call.archive.settings.instance_size_max_bytes
    announced = call.request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and (len(announced) > len(str(limit)) or int(announced) > limit):
        raise TooLarge(f"The request exceeded the allowed limit of {limit} bytes.")


class _Receiver:
    """Turn the parts of one request into submitted instances, within its share of memory."""

    def __init__(self, call: Call, study_instance_uid: str | None) -> None:
        self._call = call
        self._study_instance_uid = study_instance_uid
        self._reception: Reception | None = None
        self._for_disk: list[memoryview] = []
        self._for_disk_bytes = 0
        self._waiting: deque[_Submitted] = deque()
        self._in_flight_bytes = 0
        self._refusal: IsocenterError | None = None
        self.submitted: list[_Submitted] = []

    def begin(self) -> None:
        """Begin an instance."""
        self._refusal = None
        self._reception = begin_store(
            self._call.archive,
            self._call.principal,
            source="stow",
            partition_name=self._call.partition_name,
            study_instance_uid=self._study_instance_uid,
        )

    async def write(self, data: memoryview) -> None:
        """Take bytes of the instance; once it is refused the rest of it is only passed over."""
        reception = self._reception
        if reception is None or self._refusal is not None:
            return
        if not reception.is_for_disk(len(data)):
            reception.write(data)
            return
        self._for_disk.append(data)
        self._for_disk_bytes += len(data)
        if self._for_disk_bytes >= DISK_WRITE_BYTES or not reception.is_on_disk:
            await self._flush(reception)

    async def _flush(self, reception: Reception) -> None:
        chunks, self._for_disk, self._for_disk_bytes = self._for_disk, [], 0

        def write_all() -> None:
            for chunk in chunks:
                reception.write(chunk)

        try:
            await self._call.service.run(write_all)
        except TooLarge:
            raise
        except IsocenterError as error:
            await self._call.service.run(reception.abort)
            self._refusal = error.without_frames()

    async def end(self) -> None:
        """End the instance: scan it and queue it for the disk."""
        reception = self._reception
        if reception is None:
            return
        if self._refusal is None and self._for_disk:
            await self._flush(reception)
        submitted = await self._submit(reception)
        self._reception = None
        self.submitted.append(submitted)
        if submitted.future is not None:
            await self._make_room(submitted)

    async def _submit(self, reception: Reception) -> _Submitted:
        future, error = None, self._refusal
        if error is None:
            try:
                future = await self._finish(reception)
            except IsocenterError as refusal:
                error = refusal.without_frames()
        scanned = reception.scanned
        attributes = scanned.attributes if scanned is not None else {}
        return _Submitted(
            sop_class_uid=attributes.get(SOP_CLASS_UID, ""),
            sop_instance_uid=attributes.get(SOP_INSTANCE_UID, ""),
            future=future,
            error=error,
            is_implicit_vr=scanned is not None and scanned.encoding.is_implicit_vr,
            size_bytes=ON_DISK_COUNTS_AS_BYTES if reception.is_on_disk else reception.size_bytes,
        )

    async def _finish(self, reception: Reception) -> Future[StoreOutcome]:
        if not reception.is_on_disk and reception.size_bytes <= SCAN_INLINE_MAX_BYTES:
            return reception.finish()
        known = reception.finish_known()
        return known if known is not None else await self._call.service.run(reception.finish)

    async def _make_room(self, submitted: _Submitted) -> None:
        self._waiting.append(submitted)
        self._in_flight_bytes += submitted.size_bytes
        while self._in_flight_bytes > IN_FLIGHT_MAX_BYTES:
            oldest = self._waiting.popleft()
            await _settled(oldest)
            self._in_flight_bytes -= oldest.size_bytes

    async def abandon(self) -> None:
        """Drop the instance that was on its way when the request ended."""
        reception, self._reception = self._reception, None
        self._for_disk.clear()
        if reception is not None:
            await self._call.service.run(reception.abort)


async def _settled(submitted: _Submitted) -> None:
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


async def _answer(call: Call, submitted: list[_Submitted], study_instance_uid: str | None) -> Response:
    if not submitted:
        return Response(status_code=204)
    for each in submitted:
        await _settled(each)
    stored: list[StoredInstance] = []
    failed: list[FailedInstance] = []
    for each in submitted:
        if each.error is None and not _is_azure_duplicate(call, each):
            stored.append(_stored(call, each))
        else:
            failed.append(_failed(each))
    if not stored:
        _raise_if_unavailable(submitted)
    study_url = None if study_instance_uid is None else f"{call.resource_root}/studies/{study_instance_uid}"
    content = orjson.dumps(store_response(stored, failed, call.dialect, study_url=study_url))
    return Response(content, status_code=store_status(stored, failed, call.dialect), media_type=DICOM_JSON)


def _is_azure_duplicate(call: Call, submitted: _Submitted) -> bool:
    """Tell whether the very bytes were stored already: Azure refuses that too (dicom-service 15.1, 45070)."""
    future = submitted.future
    return call.dialect.is_azure and future is not None and future.result().disposition is Disposition.IDENTICAL


def _stored(call: Call, submitted: _Submitted) -> StoredInstance:
    future = submitted.future
    if future is None:
        raise AssertionError
    identifier = future.result().identifier
    url = (
        f"{call.resource_root}/studies/{identifier.study_instance_uid}/series/{identifier.series_instance_uid}"
        f"/instances/{identifier.sop_instance_uid}"
    )
    warns = call.dialect.is_azure and submitted.is_implicit_vr
    return StoredInstance(
        sop_class_uid=submitted.sop_class_uid,
        sop_instance_uid=submitted.sop_instance_uid,
        retrieve_url=url,
        warning_reason=DATASET_DOES_NOT_MATCH_SOP_CLASS if warns else None,
    )


def _failed(submitted: _Submitted) -> FailedInstance:
    error = submitted.error
    return FailedInstance(
        sop_class_uid=submitted.sop_class_uid,
        sop_instance_uid=submitted.sop_instance_uid,
        failure_reason=INSTANCE_EXISTS if error is None else statuses_of(error).failure_reason,
        error_comments=(error.message,) if isinstance(error, InvalidDataset) else (),
    )


def _raise_if_unavailable(submitted: list[_Submitted]) -> None:
    """Say that the service, not the instances, is at fault, where nothing could be kept (R9, dicom-service 2.2)."""
    errors = [each.error for each in submitted]
    full = next((error for error in errors if isinstance(error, StorageFull)), None)
    if full is not None:
        raise full
    unavailable = next((error for error in errors if isinstance(error, Unavailable)), None)
    if unavailable is not None:
        raise unavailable
    broken = next((error for error in errors if isinstance(error, Broken)), None)
    if broken is not None:
        raise broken
