"""Instances in a few lines of bytes: sound images of any size, different for every seed, made in microseconds."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass, field
from struct import pack

from isocenter.domain.identifiers import InstanceIdentifier
from tests.support.dicom_files import element, file_of
from tests.support.instances import CT_IMAGE_STORAGE

COLUMNS = 64


@dataclass(frozen=True, slots=True)
class SmallInstance:
    """A Part 10 file and what is known of it."""

    identifier: InstanceIdentifier
    content: bytes = field(repr=False)
    pixel_offset: int
    """Where its one frame begins, which reaches to the end."""

    @property
    def digest(self) -> str:
        """Return what tells its bytes from all others."""
        return digest_of(self.content)

    @property
    def frame(self) -> bytes:
        """Return the bytes of its frame."""
        return self.content[self.pixel_offset :]


def digest_of(content: bytes) -> str:
    """Return what tells bytes from all others."""
    return hashlib.sha256(content).hexdigest()


def make_instance(
    identifier: InstanceIdentifier, *, seed: int = 0, size_bytes: int = 4096, columns: int = COLUMNS
) -> SmallInstance:
    """Return a CT image of about a size; other seeds give other pixels and another data set beside."""
    rows = max(1, size_bytes // (columns * 2))
    numbers = random.Random(f"{identifier.sop_instance_uid} {seed}")
    pixels = numbers.randbytes(rows * columns * 2)
    dataset = b"".join(
        [
            element(0x00080016, "UI", _padded(CT_IMAGE_STORAGE)),
            element(0x00080018, "UI", _padded(identifier.sop_instance_uid)),
            element(0x00080060, "CS", b"CT"),
            element(0x00100010, "PN", b"Test^Durability "),
            element(0x00100020, "LO", b"D%-7d" % seed),
            element(0x0020000D, "UI", _padded(identifier.study_instance_uid)),
            element(0x0020000E, "UI", _padded(identifier.series_instance_uid)),
            element(0x00200013, "IS", b"%-6d" % (seed % 1000)),
            element(0x00280002, "US", pack("<H", 1)),
            element(0x00280004, "CS", b"MONOCHROME2 "),
            element(0x00280010, "US", pack("<H", rows)),
            element(0x00280011, "US", pack("<H", columns)),
            element(0x00280100, "US", pack("<H", 16)),
            element(0x00280101, "US", pack("<H", 16)),
            element(0x00280102, "US", pack("<H", 15)),
            element(0x00280103, "US", pack("<H", 0)),
        ]
    )
    content = file_of(dataset + element(0x7FE00010, "OW", pixels))
    return SmallInstance(identifier, content, len(content) - len(pixels))


def _padded(text: str) -> bytes:
    return text.encode() + b"\0" * (len(text) % 2)
