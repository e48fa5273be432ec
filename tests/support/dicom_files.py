"""DICOM files for tests: sound ones by pydicom, which is the oracle, and broken ones from bare bytes."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from struct import pack
from typing import Any

import pydicom
from pydicom import config
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID

EXPLICIT = "1.2.840.10008.1.2.1"
IMPLICIT = "1.2.840.10008.1.2"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
JPEG_2000 = "1.2.840.10008.1.2.4.90"

LONG_VRS = ("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV")
BULK_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """Let pydicom read what is not quite valid, without its warnings."""
    logger = logging.getLogger("pydicom")
    before = logger.disabled
    logger.disabled = True
    try:
        with warnings.catch_warnings(), config.disable_value_validation():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.disabled = before


def write_file(dataset: Dataset, transfer_syntax_uid: str) -> bytes:
    """Return a data set as a DICOM file, as pydicom writes it."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = UID(transfer_syntax_uid)
    meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.7")
    meta.MediaStorageSOPInstanceUID = UID("1.2.3")
    dataset.file_meta = meta
    out = BytesIO()
    with quiet_pydicom():
        pydicom.dcmwrite(out, dataset, enforce_file_format=True)
    return out.getvalue()


def header(tag: int, vr: str, length: int) -> bytes:
    """Return the header of an element in explicit VR little endian."""
    start = pack("<HH2s", tag >> 16, tag & 0xFFFF, vr.encode())
    return start + (pack("<HI", 0, length) if vr in LONG_VRS else pack("<H", length))


def element(tag: int, vr: str, value: bytes) -> bytes:
    """Return an element in explicit VR little endian."""
    return header(tag, vr, len(value)) + value


def implicit_element(tag: int, value: bytes, *, length: int | None = None) -> bytes:
    """Return an element in implicit VR little endian, or an item or a delimiter."""
    return pack("<HHI", tag >> 16, tag & 0xFFFF, len(value) if length is None else length) + value


def file_of(dataset: bytes, transfer_syntax_uid: str = EXPLICIT) -> bytes:
    """Return a file around the bytes of a data set."""
    value = transfer_syntax_uid.encode()
    return bytes(128) + b"DICM" + element(0x00020010, "UI", value + b"\0" * (len(value) % 2)) + dataset


def fragments_of(*fragments: bytes, offset_table: bytes = b"") -> bytes:
    """Return an encapsulated pixel data element."""
    items = b"".join(implicit_element(ITEM, fragment) for fragment in (offset_table, *fragments))
    return header(0x7FE00010, "OB", UNDEFINED) + items + implicit_element(SEQUENCE_END, b"")


def iter_oracle(dataset: Dataset) -> Iterator[DataElement]:
    """Yield the elements up to the pixel data, without what pydicom has from dictionaries of vendors.

    A private element that came without a VR is UN for us (dicom-service 2.6).
    """
    for tag in sorted(dataset.keys()):
        if tag >= 0x7FE00008:
            return
        # As it was read: the public ways to it convert it first.
        raw = dataset._dict[tag]
        is_private = bool(tag >> 16 & 1) and tag & 0xFFFF > 0xFF
        if isinstance(raw, RawDataElement) and is_private and raw.VR in (None, "UN"):
            yield DataElement(tag, "UN", raw.value)
        else:
            yield dataset[tag]


def expected_json(dataset: Dataset, *, with_bulk: bool = False) -> dict[str, Any]:
    """Return what pydicom says the DICOM JSON of a data set is, but for what we mean to differ in.

    - Group lengths are left out (PS3.18 F.2.2), as is the pixel data and what lies behind it.
    - An empty value among several is null (F.2.5), and no component group of a name is empty.
    - Every value loses its trailing blanks, not only the last.
    - Bulk data is left out unless asked for.
    """
    out: dict[str, Any] = {}
    for one in iter_oracle(dataset):
        if one.tag & 0xFFFF and (with_bulk or one.VR not in BULK_VRS):
            out[f"{one.tag:08X}"] = _attribute(one, with_bulk=with_bulk)
    return out


def _attribute(one: DataElement, *, with_bulk: bool) -> dict[str, Any]:
    vr = str(one.VR)
    if vr == "SQ":
        items = [expected_json(item, with_bulk=with_bulk) for item in one.value]
        return {"vr": vr, "Value": items} if items else {"vr": vr}
    told = one.to_json_dict(None, 0)
    if vr in BULK_VRS:
        return dict(told)
    values = [_value(value) for value in told.get("Value", [])]
    return {"vr": vr, "Value": values} if values and values != [None] else {"vr": vr}


def _value(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: text.rstrip(" ") for name, text in value.items() if text.rstrip(" ")} or None
    if isinstance(value, str):
        return value.rstrip(" ") or None
    return value


def expected_text(one: DataElement) -> str:
    """Return what the index keeps of an element, by pydicom."""
    if one.is_empty:
        return ""
    values = one.value if one.VM > 1 else [one.value]
    if one.VR == "AT":
        return "\\".join(f"{value:08X}" for value in values)
    return "\\".join(_text(value).rstrip(" \0") for value in values)


def _text(value: Any) -> str:
    original = getattr(value, "original_string", None)
    return original.strip() if isinstance(original, str) and not hasattr(value, "components") else str(value)
