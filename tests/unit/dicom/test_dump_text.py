"""Text of dcmdump, with DCMTK's dump2dcm as the oracle where it is installed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from isocenter.dicom.dataset import Attribute, Dataset, decode_dataset, encode_dataset
from isocenter.dicom.dump_text import DEPTH_MAX, is_dump_text, parse_dump_text
from isocenter.dicom.part10 import encoding_of, open_file
from isocenter.dicom.syntax import EXPLICIT_VR_LITTLE_ENDIAN
from isocenter.domain.errors import InvalidDataset, LimitExceeded
from tests.support.peers import require
from tests.support.shared_data import find_shared_data

EXPLICIT = encoding_of(EXPLICIT_VR_LITTLE_ENDIAN)

TEXT = b"""
# Dicom-File-Format

# Dicom-Meta-Information-Header
(0002,0010) UI =LittleEndianExplicit                    #  20, 1 TransferSyntaxUID

# Dicom-Data-Set
(0008,0005) CS [ISO_IR 100]                             #  10, 1 SpecificCharacterSet
(0008,0050) SH 00000
(0008,1110) SQ (Sequence with undefined length #=1)     # u/l, 1 ReferencedStudySequence
  (fffe,e000) na (Item with undefined length #=2)         # u/l, 1 Item
    (0008,1150) UI =CTImageStorage                          #  26, 1 ReferencedSOPClassUID
    (0008,1155) UI [1.2.3]                                  #   6, 1 ReferencedSOPInstanceUID
  (fffe,e00d) na (ItemDelimitationItem)                   #   0, 0 ItemDelimitationItem
(fffe,e0dd) na (SequenceDelimitationItem)               #   0, 0 SequenceDelimitationItem
(0008,1120) SQ (Sequence with explicit length #=0)      #   0, 1 ReferencedPatientSequence
(fffe,e0dd) na (SequenceDelimitationItem for re-encod.) #   0, 0 SequenceDelimitationItem
(0010,0010) PN [M\xfcller^J\xf6rg]                          #  12, 1 PatientName
(0010,0020) [ID 1]
(0010,1000) LO (no value available)                     #   0, 0 OtherPatientIDs
(0010,21c0) US 4                                        #   2, 1 PregnancyStatus
(0010,9431) FL 1.5                                      #   4, 1 ExaminedBodyThickness
(0028,0009) AT (0018,1063)                              #   4, 1 FrameIncrementPointer
(0040,0100) SQ
(fffe,e000) -
(0040,0001) AE  AA32\\AA33
(0040,0400) LT two words # and a comment
(fffe,e00d) -
(fffe,e0dd) -
(0042,0011) OB 00\\01                                    #   2, 1 EncapsulatedDocument
"""


def test_every_form_of_a_line_is_read() -> None:
    dataset = parse_dump_text(TEXT)
    assert dataset[0x00080050] == Attribute("SH", b"00000")
    assert dataset[0x00081110].items[0][0x00081150].value == b"1.2.840.10008.5.1.4.1.1.2"
    assert dataset[0x00081120] == Attribute("SQ")
    assert dataset[0x00100010].value == "Müller^Jörg".encode("latin-1")
    assert dataset[0x00100020] == Attribute("LO", b"ID 1")
    assert dataset[0x00101000].is_empty
    assert dataset[0x001021C0] == Attribute("US", b"\4\0")
    assert dataset[0x00280009] == Attribute("AT", b"\x18\0\x63\x10")
    step = dataset[0x00400100].items[0]
    assert step == {0x00400001: Attribute("AE", b"AA32\\AA33"), 0x00400400: Attribute("LT", b"two words")}
    assert dataset[0x00420011] == Attribute("OB", b"\0\1")
    assert 0x00020010 not in dataset
    assert list(dataset) == sorted(dataset)


def _by_dcmtk(text: bytes, folder: Path) -> Dataset:
    (folder / "text.dump").write_bytes(text)
    command = [require("dump2dcm"), "+E", "-g", str(folder / "text.dump"), str(folder / "text.dcm")]
    subprocess.run(command, check=True, capture_output=True)
    opened = open_file((folder / "text.dcm").read_bytes())
    return decode_dataset(bytes(opened.buffer)[opened.dataset_offset :], opened.encoding)


def _as_written(dataset: Dataset) -> Dataset:
    return decode_dataset(encode_dataset(dataset, EXPLICIT), EXPLICIT)


def test_dump2dcm_makes_the_same_of_it(tmp_path: Path) -> None:
    assert _as_written(parse_dump_text(TEXT)) == _by_dcmtk(TEXT, tmp_path)


@pytest.mark.parametrize("number", range(1, 11))
def test_a_sample_of_dcmtk_becomes_what_dump2dcm_makes_of_it(tmp_path: Path, number: int) -> None:
    folder = find_shared_data()
    if folder is None:
        pytest.skip("missing: the folder of shared data")
    text = (folder / "worklist" / "dcmtk" / f"wklist{number}.dump").read_bytes()
    assert is_dump_text(text)
    assert _as_written(parse_dump_text(text)) == _by_dcmtk(text, tmp_path)


@pytest.mark.parametrize(
    "line",
    [
        b"PatientName = x",
        b"(0010,0010) PN [no end",
        b"(0010,21c0) US four",
        b"(0010,21c0) US 70000",
        b"(0008,1150) UI =NoSuchName",
        b"(0028,0009) AT nothing",
        b"(fffe,e000) -",
        b"(fffe,e00d) -",
    ],
)
def test_a_line_that_is_no_element_is_named(line: bytes) -> None:
    with pytest.raises(InvalidDataset, match=r"^Line 2 is no element"):
        parse_dump_text(b"(0008,0060) CS CT\n" + line)


def test_the_text_is_bounded() -> None:
    with pytest.raises(LimitExceeded):
        parse_dump_text(b"#\n" * 100_001)
    with pytest.raises(InvalidDataset, match="Line 34 "):
        parse_dump_text(b"(0040,0100) SQ\n(fffe,e000) -\n" * DEPTH_MAX + b"(0040,0100) SQ\n(fffe,e000) -")


def test_what_is_left_open_at_the_end_is_closed() -> None:
    dataset = parse_dump_text(b"(0040,0100) SQ\n(fffe,e000) -\n(0008,0060) CS CT\n(0040,0008) SQ\n(fffe,e000) -")
    inner = {0x00080060: Attribute("CS", b"CT"), 0x00400008: Attribute("SQ", items=({},))}
    assert dataset == {0x00400100: Attribute("SQ", items=(inner,))}


@pytest.mark.parametrize(
    ("content", "expected"),
    [(TEXT, True), (b'{"00100010": {}}', False), (b"\0" * 128 + b"DICM", False), (b"", False), (b"# only\n", False)],
)
def test_such_a_text_is_known_by_its_first_line(content: bytes, expected: bool) -> None:
    assert is_dump_text(content) is expected
