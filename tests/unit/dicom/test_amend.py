from __future__ import annotations

import warnings
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from struct import pack

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from isocenter.dicom.amend import UPDATER_CLASS_UID, Copied, amend_file
from isocenter.dicom.amend_text import Texts
from isocenter.domain.errors import InvalidDataset
from tests.support.dicom_files import (
    BIG_ENDIAN,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    JPEG_BASELINE,
    element,
    file_of,
    fragments_of,
    implicit_element,
    write_file,
)

NAME, PATIENT_ID, BIRTH_DATE = 0x00100010, 0x00100020, 0x00100030
REFERRING, DESCRIPTION, STUDY_UID, INSTANCE_UID = 0x00080090, 0x00081030, 0x0020000D, 0x00080018
CHARACTER_SET = 0x00080005
NEW: Texts = {NAME: ("PN", "New^Name"), PATIENT_ID: ("LO", "12345"), DESCRIPTION: ("LO", "Head")}
PIXELS = bytes(range(256)) * 8
SYNTAXES = (EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED)


def _dataset(**values: object) -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    dataset.SOPInstanceUID = "1.2.3"
    dataset.StudyInstanceUID = "1.2"
    dataset.SeriesInstanceUID = "1.2.1"
    dataset.PatientName = "Old^Name"
    dataset.PatientBirthDate = "19700101"
    dataset.Modality = "OT"
    for name, value in values.items():
        setattr(dataset, name, value)
    return dataset


def _with_pixels(dataset: Dataset) -> Dataset:
    dataset.Rows, dataset.Columns, dataset.BitsAllocated = 32, 64, 8
    dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 7, 0
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.PixelData = PIXELS
    dataset["PixelData"].VR = "OW"
    return dataset


def _amend(content: bytes, texts: Texts = NEW) -> bytes:
    pieces = amend_file(content, texts)
    return b"".join(content[one.start : one.end] if isinstance(one, Copied) else one for one in pieces)


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _read(content: bytes) -> Dataset:
    with _quiet():
        return pydicom.dcmread(BytesIO(content))


def _json(content: bytes, *, without: tuple[int, ...] = ()) -> Mapping[str, object]:
    with _quiet():
        told = _read(content).to_json_dict()
    return {tag: value for tag, value in told.items() if int(tag, 16) not in without}


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_what_changes_is_there_and_everything_else_is_as_it_was(syntax: str) -> None:
    content = write_file(_with_pixels(_dataset(StudyDate="20260101", PatientSex="F")), syntax)
    changed = _amend(content)
    read = _read(changed)
    assert (str(read.PatientName), read.PatientID, read.StudyDescription) == ("New^Name", "12345", "Head")
    assert read.file_meta.TransferSyntaxUID == syntax
    assert _json(changed, without=tuple(NEW)) == _json(content, without=tuple(NEW))
    assert [one.tag for one in read] == sorted(one.tag for one in read)


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG_ENDIAN])
def test_the_bytes_behind_a_change_are_the_same_bytes(syntax: str) -> None:
    content = write_file(_with_pixels(_dataset()), syntax)
    changed = _amend(content)
    assert changed.endswith(content[-len(PIXELS) - 100 :])
    pieces = list(amend_file(content, NEW))
    copied = sum(one.end - one.start for one in pieces if isinstance(one, Copied))
    assert copied > len(content) - 100
    assert all(len(one) < 100 for one in pieces if isinstance(one, bytes))


def test_the_file_says_who_wrote_it_and_keeps_the_rest_of_its_meta_information() -> None:
    content = bytearray(write_file(_dataset(), EXPLICIT))
    content[:10] = b"a preamble"
    before, after = _read(bytes(content)).file_meta, _read(_amend(bytes(content))).file_meta
    assert after.ImplementationClassUID == UPDATER_CLASS_UID == "1.3.6.1.4.1.311.129"
    assert after.ImplementationVersionName == "ISOCENTER"
    assert after.MediaStorageSOPInstanceUID == before.MediaStorageSOPInstanceUID
    assert _amend(bytes(content)).startswith(b"a preamble")


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_the_length_of_the_meta_information_fits(syntax: str) -> None:
    changed = _amend(write_file(_dataset(), syntax))
    length = int.from_bytes(changed[140:144], "little")
    first = changed[144 + length : 144 + length + 4]
    assert first == pack("<HH", 0x0008, 0x0016)


def test_a_new_sop_instance_uid_is_in_the_meta_information_too() -> None:
    changed = _read(_amend(write_file(_dataset(), EXPLICIT), {INSTANCE_UID: ("UI", "1.2.3.4.5")}))
    assert changed.SOPInstanceUID == changed.file_meta.MediaStorageSOPInstanceUID == "1.2.3.4.5"


@pytest.mark.parametrize("order", ["little", "big"])
def test_group_lengths_that_are_there_fit_and_no_others_come(order: str) -> None:
    syntax, sign = (EXPLICIT, "<") if order == "little" else (BIG_ENDIAN, ">")

    def encoded(tag: int, vr: str, value: bytes) -> bytes:
        return pack(f"{sign}HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), len(value)) + value

    group_8 = encoded(0x00080016, "UI", b"1.2\0") + encoded(INSTANCE_UID, "UI", b"1.2.3\0")
    group_10 = encoded(NAME, "PN", b"Old^Name") + encoded(BIRTH_DATE, "DA", b"19700101")
    group_20 = encoded(STUDY_UID, "UI", b"1.2\0")
    lengths = [pack(f"{sign}I", len(group)) for group in (group_8, group_10)]
    dataset = (
        encoded(0x00080000, "UL", lengths[0]) + group_8 + encoded(0x00100000, "UL", lengths[1]) + group_10 + group_20
    )
    changed = _amend(file_of(dataset, syntax))
    start = changed.index(encoded(0x00080000, "UL", b"")[:6])
    told = int.from_bytes(changed[start + 8 : start + 12], order)  # type: ignore[arg-type]  # one of the two
    behind = changed.index(encoded(0x00100000, "UL", b"")[:6])
    assert start + 12 + told == behind
    told = int.from_bytes(changed[behind + 8 : behind + 12], order)  # type: ignore[arg-type]  # one of the two
    assert behind + 12 + told == changed.index(group_20)
    assert encoded(0x00200000, "UL", b"")[:6] not in changed


def test_elements_come_before_pixel_data_and_before_padding_where_nothing_is_behind_them() -> None:
    texts: Texts = {NAME: ("PN", "New^Name"), 0x00403001: ("LO", "secret")}
    bare = element(0x00080016, "UI", b"1.2\0") + element(NAME, "PN", b"Old^Name")
    assert _read(_amend(file_of(bare), texts)).PatientName == "New^Name"
    padded = _amend(file_of(bare + bytes(64)), texts)
    assert padded.endswith(element(0x00403001, "LO", b"secret") + bytes(64))
    imaged = _amend(file_of(bare + fragments_of(b"\xff\xd8\xff\xd9"), JPEG_BASELINE), texts)
    assert imaged.endswith(element(0x00403001, "LO", b"secret") + fragments_of(b"\xff\xd8\xff\xd9"))


def test_an_element_that_stands_there_twice_stands_there_once() -> None:
    twice = element(NAME, "PN", b"Old^Name") + element(NAME, "PN", b"Old^Too ") + element(STUDY_UID, "UI", b"1.2\0")
    changed = _amend(file_of(twice), {NAME: ("PN", "New^Name")})
    assert b"Old" not in changed
    assert changed.count(pack("<HH", 0x10, 0x10)) == 1


def test_an_element_of_unknown_vr_gets_its_own() -> None:
    unknown = pack("<HH2sHI", 0x10, 0x10, b"UN", 0, 8) + b"Old^Name"
    changed = _amend(file_of(unknown), {NAME: ("PN", "New^Name")})
    assert element(NAME, "PN", b"New^Name") in changed
    assert b"UN" not in changed


def test_sequences_of_undefined_length_before_and_behind_stay() -> None:
    dataset = _dataset(PatientID="1")
    item = _dataset(PatientName="In^Item")
    dataset.ReferencedStudySequence = Sequence([item])
    dataset["ReferencedStudySequence"].is_undefined_length = True
    dataset.RequestAttributesSequence = Sequence([item, item])
    content = write_file(dataset, EXPLICIT)
    changed = _amend(content)
    assert _json(changed, without=tuple(NEW)) == _json(content, without=tuple(NEW))
    assert str(_read(changed).ReferencedStudySequence[0].PatientName) == "In^Item"


def test_a_data_set_without_vrs_where_the_syntax_says_it_has_them_is_kept_so() -> None:
    lying = implicit_element(NAME, b"Old^Name") + implicit_element(STUDY_UID, b"1.2\0")
    changed = _amend(file_of(lying, EXPLICIT), {NAME: ("PN", "New^Names")})
    assert changed.endswith(implicit_element(NAME, b"New^Names ") + implicit_element(STUDY_UID, b"1.2\0"))


def test_a_deflated_data_set_is_deflated_again() -> None:
    content = write_file(_with_pixels(_dataset()), DEFLATED)
    changed = _amend(content)
    assert len(changed) % 2 == 0
    assert len(changed) < len(content) + 200
    start = 144 + int.from_bytes(changed[140:144], "little")
    assert zlib.decompress(changed[start:], -zlib.MAX_WBITS).endswith(PIXELS)


def test_a_second_change_works_on_the_first() -> None:
    once = _amend(write_file(_dataset(), EXPLICIT))
    twice = _amend(once, {NAME: ("PN", "Third^Name")})
    assert str(_read(twice).PatientName) == "Third^Name"
    assert _json(twice, without=(NAME,)) == _json(once, without=(NAME,))


@pytest.mark.parametrize("content", [b"", b"not a file", file_of(b"\x08\x00\x05\x00CS\xff\xff")])
def test_what_is_no_instance_is_refused_before_the_first_piece(content: bytes) -> None:
    with pytest.raises(InvalidDataset):
        amend_file(content, NEW)
