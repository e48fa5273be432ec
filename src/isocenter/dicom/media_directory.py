"""The directory of a file-set (DICOMDIR): which files hold what, by patient, study, series and instance (PS3.3 F.3).

Each record says where the next one of its level and the first one below it begin, counted from the first byte of the
file. Records are written depth first, and all have the same layout up to those two numbers, so that they are filled in
once the length of each is known.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from isocenter.dicom.dataset import Attribute, Dataset, encode_dataset, vr_of
from isocenter.dicom.dictionary import tag_of
from isocenter.dicom.file_meta import write_file_head
from isocenter.dicom.model import Encoding
from isocenter.domain.errors import InvalidRequest, TooLarge

MEDIA_STORAGE_DIRECTORY = "1.2.840.10008.1.3.10"
EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
"""The one that a directory has (PS3.10 8.6)."""
CHARACTER_SET = "ISO_IR 192"
SIZE_MAX_BYTES = 0xFFFF_FFFF
"""Offsets have 32 bits."""
FILE_ID_LENGTH_MAX = 8
"""Of each component, and so many components at most (PS3.10 8.2)."""
FILE_ID_LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")

_ENCODING = Encoding(EXPLICIT_VR_LITTLE_ENDIAN, is_implicit_vr=False, is_little_endian=True)
_ITEM = b"\xfe\xff\x00\xe0"
_NEXT_AT, _LOWER_AT = 16, 38
"""Where in an item the two offsets stand: each is an element of 12 bytes, with one of 10 between them."""

_RECORD_TYPES = {
    "1.2.840.10008.5.1.4.1.1.88": "SR DOCUMENT",
    "1.2.840.10008.5.1.4.1.1.88.59": "KEY OBJECT DOC",
    "1.2.840.10008.5.1.4.1.1.11": "PRESENTATION",
    "1.2.840.10008.5.1.4.1.1.9": "WAVEFORM",
    "1.2.840.10008.5.1.4.1.1.104": "ENCAP DOC",
    "1.2.840.10008.5.1.4.1.1.481.2": "RT DOSE",
    "1.2.840.10008.5.1.4.1.1.481.3": "RT STRUCTURE SET",
    "1.2.840.10008.5.1.4.1.1.481.5": "RT PLAN",
    "1.2.840.10008.5.1.4.1.1.481.8": "RT PLAN",
    "1.2.840.10008.5.1.4.1.1.66": "RAW DATA",
    "1.2.840.10008.5.1.4.1.1.66.1": "REGISTRATION",
    "1.2.840.10008.5.1.4.1.1.66.2": "FIDUCIAL",
    "1.2.840.10008.5.1.4.1.1.66.5": "SURFACE",
    "1.2.840.10008.5.1.4.1.1.67": "VALUE MAP",
}
"""By SOP class, or by the UID that those of a family begin with (PS3.3 F.4); all others are images."""
_KEYS: Mapping[str, tuple[str, ...]] = {
    "SR DOCUMENT": ("ContentDate", "ContentTime", "CompletionFlag", "VerificationFlag"),
    "KEY OBJECT DOC": ("ContentDate", "ContentTime"),
    "PRESENTATION": ("ContentLabel", "ContentDescription", "PresentationCreationDate", "PresentationCreationTime"),
    "WAVEFORM": ("ContentDate", "ContentTime"),
    "ENCAP DOC": ("ContentDate", "ContentTime", "DocumentTitle", "MIMETypeOfEncapsulatedDocument"),
    "RT DOSE": ("DoseSummationType",),
    "RT STRUCTURE SET": ("StructureSetLabel", "StructureSetDate", "StructureSetTime"),
    "RT PLAN": ("RTPlanLabel", "RTPlanDate", "RTPlanTime"),
    "RAW DATA": ("ContentDate", "ContentTime"),
    "REGISTRATION": ("ContentDate", "ContentTime", "ContentLabel", "ContentDescription"),
    "FIDUCIAL": ("ContentDate", "ContentTime", "ContentLabel", "ContentDescription"),
    "SURFACE": ("ContentDate", "ContentTime", "ContentLabel", "ContentDescription"),
    "VALUE MAP": ("ContentDate", "ContentTime", "ContentLabel", "ContentDescription"),
}
_WITH_TITLE = frozenset({"SR DOCUMENT", "KEY OBJECT DOC", "ENCAP DOC"})
"""What has the code of its title in its record."""
CONCEPT_NAME = 0x0040A043


@dataclass(frozen=True, slots=True)
class FileReference:
    """The file of an instance, and what it holds."""

    file_id: tuple[str, ...]
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str


@dataclass(slots=True)
class Record:
    """One record, with those below it."""

    record_type: str
    keys: Dataset
    file: FileReference | None = None
    below: list[Record] = field(default_factory=list)


def record_type_of(sop_class_uid: str) -> str:
    """Return the type of the record of an instance."""
    family = sop_class_uid.rpartition(".")[0]
    known = _RECORD_TYPES.get(sop_class_uid)
    if known is None and family in ("1.2.840.10008.5.1.4.1.1.88", "1.2.840.10008.5.1.4.1.1.11"):
        known = _RECORD_TYPES[family]
    if known is None and sop_class_uid.startswith(("1.2.840.10008.5.1.4.1.1.9.", "1.2.840.10008.5.1.4.1.1.104.")):
        known = _RECORD_TYPES[sop_class_uid[: sop_class_uid.index(".", len("1.2.840.10008.5.1.4.1.1."))]]
    return known or "IMAGE"


def keys_of_type(record_type: str) -> tuple[str, ...]:
    """Return the keywords of what the record of an instance tells besides its number."""
    return _KEYS.get(record_type, ())


def has_title(record_type: str) -> bool:
    """Tell whether a record has the code of its document's title."""
    return record_type in _WITH_TITLE


def text_keys(values: Mapping[str, str]) -> dict[int, Attribute]:
    """Return attributes of texts by keyword, in the character set of the directory."""
    found: dict[int, Attribute] = {}
    for keyword, value in values.items():
        tag = tag_of(keyword)
        if tag is not None:
            found[tag] = Attribute(vr_of(tag), value.encode("utf-8"))
    return found


def title_key(code_value: str, scheme: str, meaning: str) -> dict[int, Attribute]:
    """Return the attribute that holds the code of a title."""
    code = {"CodeValue": code_value, "CodingSchemeDesignator": scheme, "CodeMeaning": meaning}
    return {CONCEPT_NAME: Attribute("SQ", items=(text_keys(code),))}


def write_directory(roots: Sequence[Record], *, file_set_id: str, sop_instance_uid: str) -> bytes:
    """Return a DICOMDIR; raises TooLarge beyond what its offsets can say, InvalidRequest for a file ID that is none."""
    head = write_file_head(
        sop_class_uid=MEDIA_STORAGE_DIRECTORY,
        sop_instance_uid=sop_instance_uid,
        transfer_syntax_uid=EXPLICIT_VR_LITTLE_ENDIAN,
    )
    items = [(record, _encoded(record)) for record in _depth_first(roots)]
    preface_length = len(_preface(file_set_id, 0, 0, 0))
    starts: dict[int, int] = {}
    at = len(head) + preface_length
    for record, item in items:
        starts[id(record)] = at
        at += len(item)
    if at > SIZE_MAX_BYTES:
        raise TooLarge("These are too many instances for one DICOMDIR.")
    following = _following(roots)
    length = sum(len(item) for _, item in items)
    first, last = (starts[id(roots[0])], starts[id(roots[-1])]) if roots else (0, 0)
    parts = [head, _preface(file_set_id, first, last, length)]
    for record, item in items:
        after = following.get(id(record))
        struct.pack_into("<I", item, _NEXT_AT, 0 if after is None else starts[id(after)])
        struct.pack_into("<I", item, _LOWER_AT, starts[id(record.below[0])] if record.below else 0)
        parts.append(bytes(item))
    return b"".join(parts)


def _depth_first(records: Sequence[Record]) -> Iterator[Record]:
    for record in records:
        yield record
        yield from _depth_first(record.below)


def _following(records: Sequence[Record]) -> dict[int, Record]:
    """Return by record the next one of its level below the same one."""
    found = {id(one): after for one, after in pairwise(records)}
    for record in records:
        found |= _following(record.below)
    return found


def _preface(file_set_id: str, first: int, last: int, length: int) -> bytes:
    """Return what stands before the records (PS3.3 F.3.2.1, F.3.2.2)."""
    dataset = {
        0x00041130: Attribute("CS", file_set_id.encode("ascii")),
        0x00041200: Attribute("UL", struct.pack("<I", first)),
        0x00041202: Attribute("UL", struct.pack("<I", last)),
        0x00041212: Attribute("US", b"\0\0"),
    }
    return encode_dataset(dataset, _ENCODING) + b"\x04\x00\x20\x12SQ\0\0" + struct.pack("<I", length)


def _encoded(record: Record) -> bytearray:
    """Return a record as an item whose offsets are still to be filled in."""
    dataset: dict[int, Attribute] = {
        0x00041400: Attribute("UL", bytes(4)),
        0x00041410: Attribute("US", b"\xff\xff"),
        0x00041420: Attribute("UL", bytes(4)),
        0x00041430: Attribute("CS", record.record_type.encode("ascii")),
    }
    if record.file is not None:
        dataset |= _file_keys(record.file)
    dataset[0x00080005] = Attribute("CS", CHARACTER_SET.encode("ascii"))
    dataset |= dict(sorted(record.keys.items()))
    content = encode_dataset(dataset, _ENCODING)
    return bytearray(_ITEM + struct.pack("<I", len(content)) + content)


def _file_keys(file: FileReference) -> dict[int, Attribute]:
    for part in file.file_id:
        if not 0 < len(part) <= FILE_ID_LENGTH_MAX or not FILE_ID_LETTERS.issuperset(part):
            raise InvalidRequest("A component of a file ID has up to eight capital letters, digits and underscores.")
    return {
        0x00041500: Attribute("CS", "\\".join(file.file_id).encode("ascii")),
        0x00041510: Attribute("UI", file.sop_class_uid.encode("ascii")),
        0x00041511: Attribute("UI", file.sop_instance_uid.encode("ascii")),
        0x00041512: Attribute("UI", file.transfer_syntax_uid.encode("ascii")),
    }
