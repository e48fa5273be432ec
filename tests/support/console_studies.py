"""The studies' pages over an archive in memory, asked without a socket, and small instances to fill it with."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx
from pydicom.dataset import Dataset
from starlette.applications import Starlette
from starlette.routing import BaseRoute

from isocenter.archive.archive import Archive
from isocenter.domain.principal import LOCAL_OWNER, Principal
from isocenter.web.console.console import Console
from isocenter.web.console.section import STUDIES
from tests.support.asgi_client import AsgiClient
from tests.support.dicom_files import quiet_pydicom, write_file
from tests.support.memory_archive import memory_archive

EXPLICIT = "1.2.840.10008.1.2.1"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
ROOT = "1.2.826.0.1.3680043.10.1455.6"
MakeRoutes = Callable[[Console, Archive], Sequence[BaseRoute]]


def make_instance(study: int = 1, series: int = 1, number: int = 1, **values: Any) -> bytes:
    """Return a file of an instance with a small picture; `values` are attributes by keyword."""
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID = SECONDARY_CAPTURE
    dataset.StudyInstanceUID = f"{ROOT}.{study}"
    dataset.SeriesInstanceUID = f"{ROOT}.{study}.{series}"
    dataset.SOPInstanceUID = f"{ROOT}.{study}.{series}.{number}"
    dataset.PatientName, dataset.PatientID, dataset.PatientSex = "Wide^Wanda", f"W{study}", "F"
    dataset.PatientBirthDate = "19700102"
    dataset.StudyDate, dataset.StudyTime, dataset.StudyID = "20260301", "093000", "S1"
    dataset.AccessionNumber, dataset.StudyDescription = f"A{study}", "CT Head"
    dataset.Modality, dataset.SeriesNumber, dataset.InstanceNumber = "OT", series, number
    dataset.SeriesDescription = "Topogram"
    dataset.Rows = dataset.Columns = 2
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0
    dataset.PixelData = b"\0\1\2\3"
    with quiet_pydicom():  # hostile values are what many tests are about
        for keyword, value in values.items():
            setattr(dataset, keyword, value)
        return write_file(dataset, EXPLICIT)


@contextmanager
def asked(make_routes: MakeRoutes, *, principal: Principal = LOCAL_OWNER) -> Iterator[tuple[AsgiClient, Archive]]:
    """Return what asks the pages, and the archive below them."""
    with memory_archive() as archive:
        console = Console(authenticate=lambda headers: principal, login_path=None, sections=(STUDIES,))
        yield AsgiClient(Starlette(routes=list(make_routes(console, archive)))), archive


def send_form(client: AsgiClient, path: str, fields: Sequence[tuple[str, str]], **headers: str) -> httpx.Response:
    """Return the answer to a form."""
    content = str(httpx.QueryParams(list(fields))).encode()
    sent = {"Content-Type": "application/x-www-form-urlencoded", **headers}
    return client.request("POST", path, headers=sent, content=content)


def send_files(client: AsgiClient, files: Sequence[tuple[str, bytes]], *, accept: str = "text/html") -> httpx.Response:
    """Return the answer to an upload of files by name."""
    boundary = uuid.UUID(int=7).hex
    parts = [
        b'--%s\r\nContent-Disposition: form-data; name="files"; filename="%s"\r\n'
        b"Content-Type: application/octet-stream\r\n\r\n%s\r\n" % (boundary.encode(), name.encode(), content)
        for name, content in files
    ]
    body = b"".join(parts) + f"--{boundary}--\r\n".encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}", "Accept": accept}
    return client.request("POST", "/upload", headers=headers, content=body)
