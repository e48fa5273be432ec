"""STOW-RS: take instances in as they stream by (PS3.18 10.5, dicom-service 2).

Parts go into the archive's group commit as soon as each is complete, so that the disk works while
the rest of the request still arrives. Memory is bounded by what this request has in flight.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from concurrent.futures import Future
from contextlib import aclosing
from dataclasses import dataclass

from starlette.responses import Response

from isocenter.archive.external_metadata import note_again, register_tags
from isocenter.archive.identify import SOP_CLASS_UID, SOP_INSTANCE_UID
from isocenter.archive.planning import Planner
from isocenter.archive.store import Reception, begin_store
from isocenter.archive.validate import SOURCE_V1, SOURCE_V2
from isocenter.dicomweb.codec.accept import require_dicom_json
from isocenter.dicomweb.codec.dialect import Dialect
from isocenter.dicomweb.codec.external_metadata import parse_external_metadata
from isocenter.dicomweb.codec.multipart import Event, MultipartDecoder, PartBegin, PartData, PartEnd
from isocenter.dicomweb.codec.store_request import (
    StoreBody,
    check_content_encoding,
    check_part,
    parse_store_content_type,
)
from isocenter.dicomweb.server.request_body import iter_body
from isocenter.dicomweb.server.service import Call
from isocenter.dicomweb.server.store_answer import Submitted, answer_broken_off, answer_store, settle
from isocenter.domain.errors import IsocenterError, Refused, TooLarge
from isocenter.domain.external_metadata import ExternalValue
from isocenter.domain.identifiers import InstanceIdentifier, parse_uid
from isocenter.domain.outcome import Disposition, DuplicatePolicy, StoreOutcome

LENGTH_DIGITS_MAX = 20
"""More bytes than there are disks for; a text of any length need not be read as a number."""
ON_DISK_COUNTS_AS_BYTES = 8 * 1024**2
"""What an instance that waits on disk counts for: it holds an open file, and a process has few of those."""
SCAN_INLINE_MAX_BYTES = 128 * 1024
"""A larger instance is scanned by a thread: a hostile header takes a scan some milliseconds for every 100 KB."""
READ_WHOLE_MAX_BYTES = 256 * 1024
"""A message of this length is read to its end before anything of it is stored, so that none is stored by halves. A
longer one is stored while it comes, which is what makes it fast, and its sender is told what was stored if it breaks
off."""
IN_FLIGHT_MAX_BYTES = 32 * 1024**2
"""What one request may have waiting for the disk before it stops reading: two batches of the group commit."""
DISK_WRITE_BYTES = 2 * 1024**2
"""Chunks of a large instance are gathered to this size before a thread writes them."""


_SOURCES = {Dialect.STANDARD: "stow", Dialect.AZURE_V1: SOURCE_V1, Dialect.AZURE_V2: SOURCE_V2}
"""Where an instance comes from, which says how it is validated too."""


@dataclass(frozen=True, slots=True)
class StoreOnward:
    """What becomes of instances that are taken in for others."""

    planner: Callable[[Call], Planner]
    """Gives what plans for the instances of a request; raises Unavailable while nothing is taken in."""
    note_refusal: Callable[[Call, Submitted, IsocenterError], None]
    """Called for each instance that is refused."""
    wait_delivered: Callable[[StoreOutcome], Awaitable[IsocenterError | None]] | None = None
    """Waits until an instance is where it goes, or returns why it is not; None: durable here is enough."""


async def store_instances(call: Call, onward: StoreOnward | None = None) -> Response:
    """Store the instances of the body; answer when each is durable or refused, and with `onward` where it goes."""
    require_dicom_json(call.accept, call.dialect)
    study = call.parameters.get("study")
    study_instance_uid = None if study is None else parse_uid(study)
    body = parse_store_content_type(call.request.headers.get("content-type"), call.dialect)
    check_content_encoding(call.request.headers.get("content-encoding"))
    external = parse_external_metadata(call.request.headers.raw) if call.dialect is Dialect.AZURE_V2 else ()
    if external:
        await call.service.run(register_tags, call.archive, call.principal, external)
    receiver = _Receiver(call, study_instance_uid, external, onward)
    broken_off: Refused | None = None
    try:
        if body.boundary is None:
            await _receive_single(call, receiver)
        else:
            await _receive_parts(call, receiver, body, body.boundary)
    except Refused as error:
        broken_off = error
    finally:
        await receiver.abandon()
    if onward is not None:
        await asyncio.gather(*(_see_off(call, each, onward) for each in receiver.submitted))
    if broken_off is not None:
        response = await answer_broken_off(call, receiver.submitted, study_instance_uid, broken_off)
    else:
        response = await answer_store(call, receiver.submitted, study_instance_uid)
    if external and call.request.method == "PUT":
        again = [one for each in receiver.submitted if (one := _stored_before(each)) is not None]
        await call.service.run(note_again, call.archive, call.principal, again, external)
    return response


async def _see_off(call: Call, submitted: Submitted, onward: StoreOnward) -> None:
    """Note that an instance was refused; wait for the deliveries of another, where its sender wants that."""
    await settle(submitted)
    if submitted.error is not None:
        onward.note_refusal(call, submitted, submitted.error)
    elif onward.wait_delivered is not None and submitted.future is not None:
        submitted.error = await onward.wait_delivered(submitted.future.result())


def _stored_before(submitted: Submitted) -> InstanceIdentifier | None:
    """Return the identity of an instance whose very bytes were stored already: nothing was committed with it."""
    if submitted.error is not None or submitted.future is None:
        return None
    outcome = submitted.future.result()
    return outcome.identifier if outcome.disposition is Disposition.IDENTICAL else None


async def _receive_single(call: Call, receiver: _Receiver) -> None:
    _check_length(call)
    receiver.begin()
    async for chunk in iter_body(call.request, idle_max_s=call.service.body_idle_max_s):
        await receiver.write(memoryview(chunk))
    await receiver.end()


async def _receive_parts(call: Call, receiver: _Receiver, body: StoreBody, boundary: str) -> None:
    async with aclosing(_iter_events(call, body, boundary)) as events:
        if _announced_bytes(call) <= READ_WHOLE_MAX_BYTES:
            for event in [event async for event in events]:
                await _take(receiver, event)
        else:
            async for event in events:
                await _take(receiver, event)


async def _iter_events(call: Call, body: StoreBody, boundary: str) -> AsyncGenerator[Event, None]:
    decoder = MultipartDecoder(boundary)
    is_first = True
    async for chunk in iter_body(call.request, idle_max_s=call.service.body_idle_max_s):
        for event in decoder.feed(chunk):
            if isinstance(event, PartBegin):
                check_part(event.headers, body, call.dialect, is_first=is_first)
                is_first = False
            yield event
    decoder.close()


async def _take(receiver: _Receiver, event: Event) -> None:
    if isinstance(event, PartData):
        await receiver.write(event.data)
    elif isinstance(event, PartBegin):
        receiver.begin()
    elif isinstance(event, PartEnd):
        await receiver.end()


def _announced_bytes(call: Call) -> float:
    """Return how long a body says that it is; infinite where it does not say."""
    announced = call.request.headers.get("content-length", "")
    if not announced.isascii() or not announced.isdigit():
        return math.inf
    return int(announced.lstrip("0")[:LENGTH_DIGITS_MAX] or "0")


def _check_length(call: Call) -> None:
    """Refuse before anything is read what says of itself that it is too long."""
    limit = call.archive.settings.instance_size_max_bytes
    if limit < _announced_bytes(call) < math.inf:
        raise TooLarge(f"The request exceeded the allowed limit of {limit} bytes.")


def _policy(call: Call) -> DuplicatePolicy | None:
    """Return what becomes of a stored instance: PUT replaces it (dicom-service 2.1), else as the archive is set."""
    if call.request.method != "PUT" or call.archive.settings.duplicate_policy is DuplicatePolicy.KEEP:
        return None
    return DuplicatePolicy.REPLACE


class _Receiver:
    """Turn the parts of one request into submitted instances, within its share of memory."""

    def __init__(
        self,
        call: Call,
        study_instance_uid: str | None,
        external: tuple[ExternalValue, ...],
        onward: StoreOnward | None,
    ) -> None:
        self._call = call
        self._onward = onward
        self._external = external
        self._study_instance_uid = study_instance_uid
        self._reception: Reception | None = None
        self._for_disk: list[memoryview] = []
        self._for_disk_bytes = 0
        self._waiting: deque[Submitted] = deque()
        self._in_flight_bytes = 0
        self._refusal: IsocenterError | None = None
        self.submitted: list[Submitted] = []

    def begin(self) -> None:
        """Begin an instance."""
        self._refusal = None
        self._reception = begin_store(
            self._call.archive,
            self._call.principal,
            source=_SOURCES[self._call.dialect],
            policy=_policy(self._call),
            partition_name=self._call.partition_name,
            study_instance_uid=self._study_instance_uid,
        )
        self._reception.external_metadata = self._external
        if self._onward is not None:
            self._reception.planner = self._onward.planner(self._call)

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

    async def _submit(self, reception: Reception) -> Submitted:
        future, error = None, self._refusal
        if error is None:
            try:
                future = await self._finish(reception)
            except IsocenterError as refusal:
                error = refusal.without_frames()
        scanned, findings = reception.scanned, reception.findings
        attributes = scanned.attributes if scanned is not None else {}
        return Submitted(
            sop_class_uid=attributes.get(SOP_CLASS_UID, ""),
            sop_instance_uid=attributes.get(SOP_INSTANCE_UID, ""),
            future=future,
            error=error,
            is_implicit_vr=scanned is not None and scanned.encoding.is_implicit_vr,
            size_bytes=ON_DISK_COUNTS_AS_BYTES if reception.is_on_disk else reception.size_bytes,
            comments=findings.comments if findings is not None else (),
            has_several_values=findings is not None and findings.has_several_values,
            length_bytes=reception.size_bytes,
        )

    async def _finish(self, reception: Reception) -> Future[StoreOutcome]:
        if not reception.is_on_disk and reception.size_bytes <= SCAN_INLINE_MAX_BYTES:
            return reception.finish()
        known = reception.finish_known()
        return known if known is not None else await self._call.service.run(reception.finish)

    async def _make_room(self, submitted: Submitted) -> None:
        self._waiting.append(submitted)
        self._in_flight_bytes += submitted.size_bytes
        while self._in_flight_bytes > IN_FLIGHT_MAX_BYTES:
            oldest = self._waiting.popleft()
            await settle(oldest)
            self._in_flight_bytes -= oldest.size_bytes

    async def abandon(self) -> None:
        """Drop the instance that was on its way when the request ended."""
        reception, self._reception = self._reception, None
        self._for_disk.clear()
        if reception is not None:
            await self._call.service.run(reception.abort)
