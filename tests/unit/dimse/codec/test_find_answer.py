"""Identifiers of C-FIND responses, read back by pydicom."""

from __future__ import annotations

import io
import zlib
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filereader import read_dataset
from pydicom.uid import CTImageStorage, ExplicitVRBigEndian, ExplicitVRLittleEndian

from isocenter.dicom.element_view import ElementView, view_header
from isocenter.dicom.part10 import encoding_of
from isocenter.dimse.codec.find import FindRequest, ReturnKey
from isocenter.dimse.codec.find_answer import AnswerEncoder
from isocenter.domain.identifiers import Level
from isocenter.domain.query import InItem, OneOf, Query, SearchRow, Wildcard
from tests.support.dicom_files import quiet_pydicom

IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
DEFLATED, BIG_ENDIAN = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"
NAME, PATIENT_ID, STUDY_UID, ROWS = 0x00100010, 0x00100020, 0x0020000D, 0x00280010
CODES, CODE_VALUE, MEANING = 0x00081032, 0x00080100, 0x00080104
ROW = {NAME: "Doe^Jane", PATIENT_ID: "P1", STUDY_UID: "1.2.3", 0x00080061: "CT\\MR", ROWS: "512"}
KEYS = {NAME: ReturnKey("PN"), STUDY_UID: ReturnKey("UI")}


def _request(keys: dict[int, ReturnKey], **others: Any) -> FindRequest:
    query = others.pop("query", Query(Level.STUDY))
    header_tags = frozenset(others.pop("header_tags", ()))
    return FindRequest(query, keys, header_tags, others.pop("character_set", ""), False, **others)


def _encode(
    request: FindRequest, row: dict[int, str], header: ElementView | None = None, syntax: str = EXPLICIT
) -> bytes:
    encoder = AnswerEncoder(request, encoding_of(syntax), retrieve_ae_title="ISOCENTER")
    return encoder.encode(SearchRow(1, row), header)


def _read(content: bytes, syntax: str = EXPLICIT) -> Dataset:
    if syntax == DEFLATED:
        content = zlib.decompress(content, -zlib.MAX_WBITS)
    with quiet_pydicom():
        dataset = read_dataset(io.BytesIO(content), syntax == IMPLICIT, syntax != BIG_ENDIAN)
        dataset.decode()
    return dataset


def _header(**values: Any) -> ElementView:
    syntax = values.pop("syntax", ExplicitVRLittleEndian)
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, "1.2.3.4.5"
    with quiet_pydicom():
        for keyword, value in values.items():
            setattr(dataset, keyword, value)
        written = io.BytesIO()
        pydicom.dcmwrite(written, dataset, enforce_file_format=True)
    return view_header(written.getvalue(), frozenset(int(element.tag) for element in dataset))


def _codes() -> list[Dataset]:
    codes = []
    for value in ("C1", "C2"):
        code = Dataset()
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "L", f"Straße {value}"
        codes.append(code)
    return codes


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, DEFLATED, BIG_ENDIAN])
def test_it_is_written_in_the_syntax_of_its_context(syntax: str) -> None:
    keys = {**KEYS, 0x00080061: ReturnKey("CS"), ROWS: ReturnKey("US"), 0x00080050: ReturnKey("SH")}
    content = _encode(_request(keys), ROW, syntax=syntax)
    assert len(content) % 2 == 0
    found = _read(content, syntax)
    assert list(found.keys()) == sorted(found.keys())
    assert (found.QueryRetrieveLevel, found.RetrieveAETitle, found.InstanceAvailability) == (
        "STUDY",
        "ISOCENTER",
        "ONLINE",
    )
    assert (found.PatientName, found.StudyInstanceUID, found.Rows) == ("Doe^Jane", "1.2.3", 512)
    assert list(found.ModalitiesInStudy) == ["CT", "MR"]
    assert found.AccessionNumber == ""
    assert "SpecificCharacterSet" not in found


@pytest.mark.parametrize(
    ("named", "stored", "name", "expected"),
    [
        ("ISO_IR 100", "", "Müller", "ISO_IR 100"),
        ("ISO_IR 192", "ISO_IR 100", "Müller", "ISO_IR 192"),
        ("", "ISO_IR 100", "Müller", "ISO_IR 100"),
        ("", "", "Müller", "ISO_IR 192"),
        ("ISO_IR 100", "", "山田", "ISO_IR 192"),
        ("ISO_IR 100", "ISO_IR 144", "Иванов", "ISO_IR 144"),
        ("\\ISO 2022 IR 87", "", "Yamada=山田=やまだ", "\\ISO 2022 IR 87"),
        ("ISO_IR 6", "", "Müller", "ISO_IR 192"),
        ("ISO_IR 999", "", "Müller", "ISO_IR 192"),
    ],
)
def test_text_comes_in_the_first_character_set_that_can_write_it(
    named: str, stored: str, name: str, expected: str
) -> None:
    header = _header(SpecificCharacterSet=stored) if stored else None
    found = _read(_encode(_request(KEYS, character_set=named), {NAME: name, STUDY_UID: "1.2"}, header))
    told = found.SpecificCharacterSet
    assert (told if isinstance(told, str) else "\\".join(told)) == expected
    assert str(found.PatientName) == name


def test_the_header_is_needed_where_only_it_names_a_character_set() -> None:
    def needs(character_set: str, name: str, keys: dict[int, ReturnKey] = KEYS) -> bool:
        request = _request(keys, character_set=character_set)
        encoder = AnswerEncoder(request, encoding_of(EXPLICIT), retrieve_ae_title="A")
        return encoder.needs_header(SearchRow(1, {NAME: name}))

    assert needs("", "Müller")
    assert not needs("", "Muller")
    assert not needs("ISO_IR 192", "Müller")
    assert not needs("", "Müller", {STUDY_UID: ReturnKey("UI")})  # the name is not returned


@pytest.mark.parametrize("stored", [ExplicitVRLittleEndian, ExplicitVRBigEndian])
@pytest.mark.parametrize("syntax", [EXPLICIT, BIG_ENDIAN])
def test_what_the_index_does_not_keep_comes_from_the_header(stored: str, syntax: str) -> None:
    values = {
        "SpecificCharacterSet": "ISO_IR 100",
        "StationName": "Süd",
        "PatientWeight": "63.5",
        "LargestImagePixelValue": 700,
        "FrameIncrementPointer": 0x00181063,
        "RescaleSlope": "1.5",
        "syntax": stored,
    }
    header = _header(**values)
    keys = {0x00081010: "SH", 0x00101030: "DS", 0x00280107: "US", 0x00280009: "AT", 0x00104000: "LT"}
    request = _request({**KEYS, **{tag: ReturnKey(vr) for tag, vr in keys.items()}}, header_tags=keys)
    found = _read(_encode(request, ROW, header, syntax), syntax)
    assert (found.StationName, found.PatientWeight, found.LargestImagePixelValue) == ("Süd", 63.5, 700)
    assert found.FrameIncrementPointer == 0x00181063
    assert found.PatientComments == ""
    assert found.SpecificCharacterSet == "ISO_IR 100"


def _coded_request(nested: dict[int, ReturnKey], *matches: OneOf | Wildcard) -> FindRequest:
    query = Query(Level.STUDY, (InItem(CODES, matches),)) if matches else Query(Level.STUDY)
    return _request({**KEYS, CODES: ReturnKey("SQ", nested)}, header_tags={CODES}, query=query)


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT])
def test_a_sequence_has_the_items_that_match_with_what_was_asked_for(syntax: str) -> None:
    header = _header(SpecificCharacterSet="ISO_IR 100", ProcedureCodeSequence=_codes())
    nested = {CODE_VALUE: ReturnKey("SH"), MEANING: ReturnKey("LO"), 0x00080103: ReturnKey("SH")}
    found = _read(_encode(_coded_request(nested, OneOf(CODE_VALUE, ("C2",))), ROW, header, syntax), syntax)
    [item] = found.ProcedureCodeSequence
    assert (item.CodeValue, item.CodeMeaning, item.CodingSchemeVersion) == ("C2", "Straße C2", "")
    assert "CodingSchemeDesignator" not in item
    assert found.SpecificCharacterSet == "ISO_IR 100"


def test_a_sequence_that_was_asked_for_as_such_comes_whole() -> None:
    header = _header(SpecificCharacterSet="ISO_IR 100", ProcedureCodeSequence=_codes())
    found = _read(_encode(_coded_request({}), ROW, header))
    assert [[int(element.tag) for element in item] for item in found.ProcedureCodeSequence] == [
        [CODE_VALUE, 0x00080102, MEANING],
        [CODE_VALUE, 0x00080102, MEANING],
    ]


def test_what_the_header_lacks_is_empty() -> None:
    request = _request({**KEYS, CODES: ReturnKey("SQ"), 0x00091001: ReturnKey("LO")}, header_tags={CODES, 0x00091001})
    for header in (None, _header()):
        found = _read(_encode(request, ROW, header))
        assert len(found.ProcedureCodeSequence) == 0
        assert not found[0x00091001].value


def test_a_long_text_is_written_as_unknown_where_its_length_has_no_room() -> None:
    request = _request({**KEYS, 0x00081030: ReturnKey("LO")})
    found = read_dataset(io.BytesIO(_encode(request, {**ROW, 0x00081030: "x" * 70_000})), False, True)
    assert len(found[0x00081030].value) == 70_000
    assert found.PatientName == "Doe^Jane"


def test_letters_where_the_standard_has_none_do_no_harm() -> None:
    row = {STUDY_UID: "1.2", 0x00080061: "CÄ", NAME: "Doe"}
    found = _read(_encode(_request({**KEYS, 0x00080061: ReturnKey("CS")}), row))
    assert found.ModalitiesInStudy == "C?"


@pytest.mark.parametrize(("tells", "expected"), [(True, "+0100"), (False, None)])
def test_the_zone_of_times_is_told_where_that_was_agreed_on(tells: bool, expected: str | None) -> None:
    found = _read(_encode(_request(KEYS, tells_timezone=tells), {**ROW, 0x00080201: "+0100"}))
    assert found.get("TimezoneOffsetFromUTC") == expected
    assert "TimezoneOffsetFromUTC" not in _read(_encode(_request(KEYS, tells_timezone=tells), ROW))


def test_the_number_of_a_damaged_index_is_left_out() -> None:
    found = _read(_encode(_request({**KEYS, ROWS: ReturnKey("US")}), {**ROW, ROWS: "many"}))
    assert found.Rows is None
