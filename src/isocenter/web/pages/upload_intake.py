"""Take in the files of one upload as they stream by: each is stored by the archive, a ZIP file is taken apart.

    bytes ──▶ multipart ──▶ the beginning of a file ──▶ DICOM: store ──▶ durable ──▶ report
                                                    ├─▶ ZIP: to disk, then entry by entry
                                                    └─▶ anything else: passed over, and told

Memory stays flat: what is large goes to disk, and a bounded part waits for the group commit.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from email.message import Message

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from isocenter.archive.archive import Archive
from isocenter.archive.store import Reception, begin_store
from isocenter.dicomweb.codec.multipart import MultipartDecoder, PartBegin, PartData, PartEnd, is_boundary
from isocenter.dicomweb.server.request_body import iter_body
from isocenter.domain.errors import IsocenterError, TooLarge, Unavailable, UnsupportedMediaType
from isocenter.domain.outcome import StoreOutcome
from isocenter.domain.principal import DataAction, Principal
from isocenter.ports.blobs import BlobSpool
from isocenter.web.pages.upload_report import NOT_DICOM, UploadReport, is_passed_over, reason_of
from isocenter.web.pages.zip_intake import (
    IN_FLIGHT_MAX_BYTES,
    ON_DISK_COUNTS_AS_BYTES,
    SOURCE,
    ZipIntake,
    is_dicom,
    is_zip,
)

FORM_TYPE = "multipart/form-data"
BODY_IDLE_MAX_S = 60.0
"""How long an upload may stand still: as for other ways to store."""
BEGINNING_BYTES = 132
"""Preamble and prefix of a DICOM file (PS3.10 7.1)."""
SCAN_INLINE_MAX_BYTES = 128 * 1024
"""A larger instance is scanned by a thread, so that others are served meanwhile."""


async def receive_upload(archive: Archive, principal: Principal, request: Request) -> UploadReport:
    """Store the files of a form; return when each is durable or refused.

    Raises UnsupportedMediaType, InvalidRequest for what is no such form, Forbidden, Unavailable where nothing is taken.
    """
    principal.require(DataAction.WRITE)
    intake = _Intake(archive, principal)
    try:
        async for event in _iter_events(request):
            if isinstance(event, PartData):
                await intake.write(event.data)
            elif isinstance(event, PartBegin):
                intake.begin(file_name(event.headers.get("content-disposition", "")))
            elif isinstance(event, PartEnd):
                await intake.end()
    finally:
        await intake.abandon()
        await intake.settle_all()
    return intake.report


def file_name(disposition: str) -> str | None:
    """Return the name of a file that a part of a form holds; None for a part that is no file (RFC 7578 4.2)."""
    message = Message()
    message["content-disposition"] = disposition.replace("\r", "").replace("\n", "")
    name = message.get_param("filename", header="content-disposition")
    if not isinstance(name, str):
        return None
    text = name.encode("latin-1", "replace").decode("utf-8", "replace").replace("%22", '"')
    return "".join(letter for letter in text if letter.isprintable())


async def _iter_events(request: Request) -> AsyncIterator[object]:
    message = Message()
    message["content-type"] = request.headers.get("content-type", "")
    boundary = message.get_param("boundary")
    if message.get_content_type() != FORM_TYPE or not isinstance(boundary, str) or not is_boundary(boundary):
        raise UnsupportedMediaType(f"Files are taken as a form of the type {FORM_TYPE}.")
    decoder = MultipartDecoder(boundary)
    async for chunk in iter_body(request, idle_max_s=BODY_IDLE_MAX_S):
        for event in decoder.feed(chunk):
            yield event
    decoder.close()


@dataclass(slots=True)
class _Intake:
    """The files of one request, one after the other."""

    archive: Archive
    principal: Principal
    report: UploadReport = field(default_factory=UploadReport)
    _name: str | None = None
    _beginning: bytearray = field(default_factory=bytearray)
    _is_known: bool = False
    """Whether enough has come to tell what the file is."""
    _reception: Reception | None = None
    _spool: BlobSpool | None = None
    _refusal: str = ""
    _in_flight_bytes: int = 0
    _waiting: deque[tuple[str, int, Future[StoreOutcome]]] = field(default_factory=deque)

    def begin(self, name: str | None) -> None:
        """Begin a part of the form."""
        self._name = name
        self._beginning, self._is_known, self._refusal = bytearray(), False, ""

    async def write(self, data: memoryview) -> None:
        """Take bytes of a file."""
        if self._name is None or self._refusal:
            return
        if self._is_known:
            await self._take(data)
            return
        self._beginning += data
        if len(self._beginning) >= BEGINNING_BYTES:
            await self._know()

    async def end(self) -> None:
        """End a file: hand it to the group commit, or take it apart."""
        if self._name is None:
            return
        if not self._is_known and (self._beginning or self._name):
            await self._know()
        name, reception, spool = self._name, self._reception, self._spool
        self._name, self._reception, self._spool = None, None, None
        if self._refusal:
            self._refuse(name, self._refusal)
        elif spool is not None:
            await run_in_threadpool(self._take_apart, name, spool)
        elif reception is not None:
            await self._submit(name, reception)

    async def _know(self) -> None:
        self._is_known = True
        beginning = bytes(self._beginning)
        if is_zip(beginning):
            self._spool = await run_in_threadpool(self.archive.blobs.open_spool)
        elif is_dicom(beginning):
            self._reception = begin_store(self.archive, self.principal, source=SOURCE)
        else:
            self._refusal = NOT_DICOM if beginning else "It is empty."
            return
        await self._take(memoryview(beginning))

    async def _take(self, data: memoryview) -> None:
        try:
            if self._spool is not None:
                await run_in_threadpool(self._spool.write, data)
            elif self._reception is not None and self._reception.is_for_disk(len(data)):
                await run_in_threadpool(self._reception.write, data)
            elif self._reception is not None:
                self._reception.write(data)
        except TooLarge as error:
            self._refusal = reason_of(error)
            await self.abandon()

    async def _submit(self, name: str, reception: Reception) -> None:
        size_bytes = ON_DISK_COUNTS_AS_BYTES if reception.is_on_disk else reception.size_bytes
        try:
            if size_bytes <= SCAN_INLINE_MAX_BYTES:
                future = reception.finish()
            else:
                future = await run_in_threadpool(reception.finish)
        except Unavailable:
            raise
        except IsocenterError as error:
            self._refuse(name, reason_of(error))
            return
        self._waiting.append((name, size_bytes, future))
        self._in_flight_bytes += size_bytes
        while self._in_flight_bytes > IN_FLIGHT_MAX_BYTES:
            await self._settle()

    def _refuse(self, name: str, reason: str) -> None:
        if is_passed_over(name):
            self.report.passed_over += 1
        elif name or reason == NOT_DICOM:  # a form that is sent without a file has one without name and content
            self.report.note_failure(name or "A file without a name", reason)

    def _take_apart(self, name: str, spool: BlobSpool) -> None:
        try:
            with spool.view() as content:
                ZipIntake(self.archive, self.principal, self.report, name).store_all(content)
        finally:
            spool.discard()

    async def abandon(self) -> None:
        """Drop the file that was on its way."""
        reception, spool = self._reception, self._spool
        self._reception, self._spool = None, None
        if reception is not None:
            await run_in_threadpool(reception.abort)
        if spool is not None:
            await run_in_threadpool(spool.discard)

    async def settle_all(self) -> None:
        """Wait until all that was handed over is durable or refused."""
        while self._waiting:
            await self._settle()

    async def _settle(self) -> None:
        name, size_bytes, future = self._waiting.popleft()
        self._in_flight_bytes -= size_bytes
        try:
            self.report.note_outcome(await asyncio.wrap_future(future))
        except IsocenterError as error:
            self.report.note_failure(name, reason_of(error))
