"""A form with files (multipart/form-data, RFC 7578), read as it arrives: files go to the disk, fields stay small."""

from __future__ import annotations

import re
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import IO

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from isocenter.dicomweb.codec.media_type import parse_media_type
from isocenter.dicomweb.codec.multipart import MultipartDecoder, MultipartLimits, PartBegin, PartData, PartEnd
from isocenter.dicomweb.server.request_body import iter_body
from isocenter.domain.errors import InvalidRequest, TooLarge, UnsupportedMediaType

FORM_TYPE = "multipart/form-data"
PARTS_MAX = 100
"""Fields and files of one form of ours."""
BODY_IDLE_MAX_S = 60.0
"""How long a form may stand still on its way: as for other ways to send files."""
FIELD_SIZE_MAX_BYTES = 64 * 1024
"""Of all fields together; a form has some hundred bytes of them."""
_NAME = re.compile(r'(?:^|;)\s*name="((?:[^"\\]|\\.)*)"')
_FILE_NAME = re.compile(r'(?:^|;)\s*filename="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class SentFile:
    """One file of a form."""

    field_name: str
    name: str
    """As the browser tells it; it is shown, and never used as a path."""
    file: IO[bytes]
    """On the disk, without a lasting name; at its beginning."""
    size_bytes: int
    path: str
    """Where it lies as long as it is open."""


@dataclass(slots=True)
class _Reading:
    """What has been read of a form."""

    size_max_bytes: int
    files_max: int
    pairs: list[tuple[str, str]] = field(default_factory=list)
    files: list[SentFile] = field(default_factory=list)
    name: str = ""
    file_name: str | None = None
    content: bytearray = field(default_factory=bytearray)
    opened: IO[bytes] | None = None
    fields_size_bytes: int = 0
    files_size_bytes: int = 0
    size_bytes: int = 0

    def begin(self, headers: PartBegin) -> None:
        disposition = headers.headers.get("content-disposition", "").encode("latin-1").decode("utf-8", "replace")
        named, filed = _NAME.search(disposition), _FILE_NAME.search(disposition)
        if named is None:
            raise InvalidRequest("A part of the form has no name.")
        self.name = named[1]
        self.file_name = None if filed is None else filed[1]
        self.content = bytearray()
        self.size_bytes = 0
        if self.file_name:
            if len(self.files) >= self.files_max:
                raise TooLarge(f"A form has at most {self.files_max} file{'' if self.files_max == 1 else 's'} here.")
            self.opened = tempfile.NamedTemporaryFile(prefix="isocenter-form-")  # noqa: SIM115 - outlives this block

    def take(self, data: memoryview) -> None:
        self.size_bytes += len(data)
        if self.opened is not None:
            self.files_size_bytes += len(data)
            if self.files_size_bytes > self.size_max_bytes:
                raise TooLarge(f"What is sent may have at most {self.size_max_bytes // 1024**2} MB here.")
            self.opened.write(data)
            return
        self.fields_size_bytes += len(data)
        if self.fields_size_bytes > FIELD_SIZE_MAX_BYTES:
            raise TooLarge(f"The fields of the form exceeded the allowed limit of {FIELD_SIZE_MAX_BYTES} bytes.")
        self.content += data

    def end(self) -> None:
        if self.opened is not None:
            self.opened.flush()
            self.opened.seek(0)
            sent = SentFile(self.name, self.file_name or "", self.opened, self.size_bytes, str(self.opened.name))
            self.files.append(sent)
            self.opened = None
        elif self.file_name is None:
            self.pairs.append((self.name, self.content.decode("utf-8", "replace")))

    def close(self) -> None:
        """Close what is open, where the form cannot be used."""
        for one in (self.opened, *(sent.file for sent in self.files)):
            if one is not None:
                one.close()


async def read_file_form(
    request: Request, *, size_max_bytes: int, files_max: int = 1, idle_max_s: float = BODY_IDLE_MAX_S
) -> tuple[tuple[tuple[str, str], ...], tuple[SentFile, ...]]:
    """Return the fields and files of a form; whoever called closes the files. The size is that of all files together.

    Raises UnsupportedMediaType, InvalidRequest, TooLarge, TooSlow.
    """
    media_type = parse_media_type(request.headers.get("content-type", ""))
    if media_type is None or media_type.essence != FORM_TYPE:
        raise UnsupportedMediaType(f"The body must be of the type {FORM_TYPE}.")
    decoder = MultipartDecoder(media_type.parameters.get("boundary", ""), MultipartLimits(parts=PARTS_MAX))
    reading = _Reading(size_max_bytes, files_max)
    with ExitStack() as stack:
        stack.callback(reading.close)
        async for chunk in iter_body(request, idle_max_s=idle_max_s):
            await run_in_threadpool(_feed, decoder, reading, chunk)
        decoder.close()
        stack.pop_all()
    return tuple(reading.pairs), tuple(reading.files)


def _feed(decoder: MultipartDecoder, reading: _Reading, chunk: bytes) -> None:
    for event in decoder.feed(chunk):
        match event:
            case PartBegin():
                reading.begin(event)
            case PartData(data):
                reading.take(data)
            case PartEnd():
                reading.end()
            case _:
                pass
