"""Extended query tags and instances that have values for them, in a few lines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from struct import pack

from isocenter.archive.archive import Archive
from isocenter.archive.operations import OperationDesk, OperationRunner
from isocenter.archive.query_tag import QueryTagDesk, QueryTagRemover
from isocenter.archive.query_tag_reindex import QueryTagReindexer
from isocenter.domain.identifiers import InstanceIdentifier, Level
from isocenter.domain.query_tag import COUNT_MAX, QueryTag, QueryTagEntry, QueryTagStatus
from tests.support.dicom_files import IMPLICIT, element, file_of, implicit_element
from tests.support.instances import CT_IMAGE_STORAGE

PATIENT_AGE = 0x00101010
NUMBER_OF_FILMS = 0x21000170
MANUFACTURER = 0x00080070
ACQUISITION_DATE = 0x00080022
REQUESTING_PHYSICIAN = 0x00321032

Values = dict[int, tuple[str, bytes]]
"""VR and value of elements by their tags."""


def query_tag(tag: int, vr: str, *, key: int = 1, level: Level = Level.INSTANCE, private_creator: str = "") -> QueryTag:
    """Return a tag that is ready."""
    return QueryTag(key, QueryTagEntry(tag, vr, level, private_creator), QueryTagStatus.READY)


def padded(text: str) -> bytes:
    """Return text as a value of even length."""
    value = text.encode()
    return value + b" " * (len(value) % 2)


def _uid(text: str) -> bytes:
    return text.encode() + b"\0" * (len(text) % 2)


def _elements(identifier: InstanceIdentifier, values: Values) -> Values:
    own: Values = {
        0x00080016: ("UI", _uid(CT_IMAGE_STORAGE)),
        0x00080018: ("UI", _uid(identifier.sop_instance_uid)),
        0x00100020: ("LO", b"P1"),
        0x0020000D: ("UI", _uid(identifier.study_instance_uid)),
        0x0020000E: ("UI", _uid(identifier.series_instance_uid)),
        0x00280010: ("US", pack("<H", 1)),
        0x00280011: ("US", pack("<H", 1)),
    }
    return own | values


def file_with(identifier: InstanceIdentifier, values: Values, *, big_pixels: int = 16) -> bytes:
    """Return a file in explicit VR little endian with some elements beside those that it must have."""
    parts = [element(tag, vr, value) for tag, (vr, value) in sorted(_elements(identifier, values).items())]
    return file_of(b"".join([*parts, element(0x7FE00010, "OW", bytes(big_pixels))]))


def implicit_file_with(identifier: InstanceIdentifier, values: Values) -> bytes:
    """Return the same in implicit VR."""
    parts = [implicit_element(tag, value) for tag, (_, value) in sorted(_elements(identifier, values).items())]
    return file_of(b"".join([*parts, implicit_element(0x7FE00010, bytes(16))]), IMPLICIT)


@contextmanager
def query_tag_desk(
    archive: Archive, *, count_max: int = COUNT_MAX, is_open: bool = True, reindexes: bool = True
) -> Iterator[QueryTagDesk]:
    """Manage the tags of an archive for the length of a block; without `reindexes`, nothing carries operations out."""
    kinds = [QueryTagReindexer(archive)] if reindexes else []
    runner, remover = OperationRunner(archive.operations, archive.clock, kinds), QueryTagRemover(archive)
    try:
        desk = OperationDesk(archive.operations, runner, archive.clock, is_open=is_open)
        yield QueryTagDesk(archive, desk, remover, count_max=count_max)
    finally:
        remover.close()
        runner.close()
