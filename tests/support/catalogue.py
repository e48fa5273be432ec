"""Instances and requests for the catalogue of what Azure's DICOM service does (dicom-service 15)."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from struct import pack

import httpx
from pydicom.datadict import dictionary_VR, tag_for_keyword

from tests.support.dicom_files import (
    EXPLICIT,
    IMPLICIT,
    ITEM,
    SEQUENCE_END,
    UNDEFINED,
    element,
    file_of,
    header,
    implicit_element,
)
from tests.support.dicomweb import JSON, client
from tests.support.instances import CT_IMAGE_STORAGE

Value = bytes | str | None
BOUNDARY = "catalogue-boundary"
COLUMNS = ROWS = 8


def new_uid() -> str:
    """Return a UID that nobody has used."""
    return f"2.25.{uuid.uuid4().int}"


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance: its identifiers and its bytes."""

    study: str
    series: str
    sop: str
    content: bytes = field(repr=False)

    @property
    def study_path(self) -> str:
        """Return the path of its study."""
        return f"studies/{self.study}"

    @property
    def series_path(self) -> str:
        """Return the path of its series."""
        return f"{self.study_path}/series/{self.series}"

    @property
    def path(self) -> str:
        """Return its own path."""
        return f"{self.series_path}/instances/{self.sop}"


def instance(
    *,
    study: str | None = None,
    series: str | None = None,
    sop: str | None = None,
    transfer_syntax_uid: str = EXPLICIT,
    pixels: bytes | Sequence[bytes] | None = b"",
    more: bytes = b"",
    **attributes: Value,
) -> Instance:
    """Return an instance with some attributes by keyword, None for one that is to be missing.

    `pixels` are those of native frames (all zero where empty), fragments of encapsulated ones, or None for none; `more`
    is put behind the last attribute before them.
    """
    study, series, sop = study or new_uid(), series or new_uid(), sop or new_uid()
    values: dict[str, Value] = {
        "SOPClassUID": CT_IMAGE_STORAGE,
        "SOPInstanceUID": sop,
        "StudyInstanceUID": study,
        "SeriesInstanceUID": series,
        "PatientID": "P-17",
        "PatientName": "Hall^Ann",
        "StudyDate": "20240131",
        "Modality": "CT",
        **attributes,
    }
    is_implicit = transfer_syntax_uid == IMPLICIT
    written = b"".join(
        _written(tag, vr, value, is_implicit=is_implicit)
        for tag, vr, value in sorted((*_tag(name), value) for name, value in values.items() if value is not None)
    )
    pixel_data = b"" if pixels is None else _pixels(pixels, is_implicit=is_implicit)
    bare_study, bare_series, bare_sop = (uid.rstrip(" \0") for uid in (study, series, sop))
    return Instance(bare_study, bare_series, bare_sop, file_of(written + more + pixel_data, transfer_syntax_uid))


def _tag(keyword: str) -> tuple[int, str]:
    tag = tag_for_keyword(keyword)
    assert tag is not None, keyword
    return int(tag), dictionary_VR(tag)


def _written(tag: int, vr: str, value: Value, *, is_implicit: bool) -> bytes:
    raw = value.encode() if isinstance(value, str) else value or b""
    raw += (b"\0" if vr == "UI" else b" ") * (len(raw) % 2)
    return implicit_element(tag, raw) if is_implicit else element(tag, vr, raw)


def _pixels(pixels: bytes | Sequence[bytes], *, is_implicit: bool) -> bytes:
    numbers = {0x00280002: 1, 0x00280010: ROWS, 0x00280011: COLUMNS, 0x00280100: 16, 0x00280101: 16, 0x00280102: 15}
    described = [(tag, "US", pack("<H", number)) for tag, number in numbers.items()]
    described += [(0x00280004, "CS", b"MONOCHROME2 "), (0x00280103, "US", pack("<H", 0))]
    if isinstance(pixels, bytes):
        frame_length = 2 * ROWS * COLUMNS
        value = pixels or bytes(frame_length)
        number_of_frames = len(value) // frame_length
        end = implicit_element(0x7FE00010, value) if is_implicit else element(0x7FE00010, "OW", value)
    else:
        number_of_frames = len(pixels)
        fragments = b"".join(implicit_element(ITEM, fragment) for fragment in (b"", *pixels))
        end = header(0x7FE00010, "OB", UNDEFINED) + fragments + implicit_element(SEQUENCE_END, b"")
    described.append((0x00280008, "IS", b"%-2d" % number_of_frames))
    return b"".join(_written(*one, is_implicit=is_implicit) for one in sorted(described)) + end


def store(
    root: str, *parts: bytes, study: str | None = None, accept: str | None = JSON, method: str = "POST"
) -> httpx.Response:
    """Store parts in one multipart message."""
    headers = {"Content-Type": f'multipart/related; type="application/dicom"; boundary="{BOUNDARY}"'}
    body = b"".join(
        b"--%b\r\nContent-Type: application/dicom\r\n\r\n%b\r\n" % (BOUNDARY.encode(), one) for one in parts
    )
    return send(root, body + f"--{BOUNDARY}--\r\n".encode(), study=study, accept=accept, method=method, headers=headers)


def store_single(root: str, content: bytes, *, study: str | None = None, method: str = "POST") -> httpx.Response:
    """Store one instance as the whole body."""
    return send(root, content, study=study, method=method, headers={"Content-Type": "application/dicom"})


def send(
    root: str,
    body: bytes,
    *,
    headers: dict[str, str],
    study: str | None = None,
    accept: str | None = JSON,
    method: str = "POST",
) -> httpx.Response:
    """Send a store request as it is."""
    path = "studies" if study is None else f"studies/{study}"
    request = client().build_request(method, f"{root}/{path}", content=body, headers=headers)
    del request.headers["Accept"]
    if accept is not None:
        request.headers["Accept"] = accept
    return client().send(request)
