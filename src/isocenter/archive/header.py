"""What the header of a stored instance says, read without touching its pixels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal

from isocenter.archive.archive import Archive
from isocenter.archive.retrieve import read_header
from isocenter.dicom.model import PixelElement, ScannedInstance
from isocenter.dicom.pixels import PIXEL_TAGS, PixelDescription
from isocenter.dicom.scan import scan_instance
from isocenter.domain.errors import InvalidDataset, NotAcceptable, NotFound
from isocenter.ports.index import InstanceRow


@dataclass(frozen=True, slots=True)
class Header:
    """The bytes before the pixel data, and what a scan found in them."""

    content: bytes
    scanned: ScannedInstance

    def describe_pixels(self) -> PixelDescription:
        """Return the image pixel attributes; the scan asked for them."""
        return PixelDescription.of_scanned(self.scanned)


def read_scanned_header(archive: Archive, row: InstanceRow, wanted: frozenset[int]) -> Header:
    """Read and scan the header of an instance that has pixel data.

    Raises NotFound where it has none.
    """
    content = read_header(archive, row)
    if row.header_length >= row.address.length:
        scanned = scan_instance(content, wanted=wanted | PIXEL_TAGS)
        if scanned.pixel_element is None:
            raise NotFound("The instance has no pixel data.")
        return Header(content, scanned)
    head = content[row.header_length :]
    content = content[: row.header_length]
    scanned = scan_instance(content, wanted=wanted | PIXEL_TAGS)
    return Header(content, replace(scanned, pixel_element=_pixel_element(head, scanned, row)))


def _pixel_element(head: bytes, scanned: ScannedInstance, row: InstanceRow) -> PixelElement:
    order: Literal["little", "big"] = "little" if scanned.encoding.is_little_endian else "big"
    group = int.from_bytes(head[0:2], order)
    element = int.from_bytes(head[2:4], order)
    vr = "OW" if scanned.encoding.is_implicit_vr else head[4:6].decode("latin-1")
    return PixelElement((group << 16) | element, vr, row.header_length, row.address.length - row.header_length)


@contextmanager
def not_acceptable_if_invalid() -> Iterator[None]:
    """Answer that pixels cannot be given in another form where they turn out unreadable (dicom-service 3.6)."""
    try:
        yield
    except InvalidDataset as error:
        raise NotAcceptable(error.message) from error
