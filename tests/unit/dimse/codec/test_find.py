"""Identifiers of C-FIND requests: what they ask for, and what is refused with which attribute at fault."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import pytest
from pydicom.config import IGNORE
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from isocenter.dicom.part10 import encoding_of
from isocenter.dimse.codec.find import KEYS_MAX, FindOptions, FindRequest, ReturnKey, decode_find_identifier
from isocenter.dimse.codec.retrieve import PATIENT_ROOT, PATIENT_STUDY_ONLY, STUDY_ROOT, RetrieveModel
from isocenter.domain.errors import InvalidDataset, InvalidKey
from isocenter.domain.identifiers import Level
from isocenter.domain.query import (
    Between,
    Comparison,
    DateAndTime,
    Empty,
    InItem,
    OneOf,
    PersonName,
    Wildcard,
    WordPrefixes,
)
from tests.support.dicom_files import quiet_pydicom

IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
DEFLATED, BIG_ENDIAN = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"
PATIENT_ID, PATIENT_NAME, STUDY_UID, SERIES_UID = 0x00100020, 0x00100010, 0x0020000D, 0x0020000E
REQUESTS, STEP_ID = 0x00400275, 0x00400009
RELATIONAL = FindOptions(is_relational=True)


def _dataset(values: Mapping[str, Any]) -> Dataset:
    dataset = Dataset()
    for keyword, value in values.items():
        tag = tag_for_keyword(keyword)
        assert tag is not None
        held = [_dataset(item) for item in value] if dictionary_VR(tag) == "SQ" else value
        with quiet_pydicom():
            dataset.add(DataElement(tag, dictionary_VR(tag), held, validation_mode=IGNORE))
    return dataset


def _bytes(dataset: Dataset, syntax: str = EXPLICIT) -> bytes:
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = syntax != BIG_ENDIAN, syntax == IMPLICIT
    with quiet_pydicom():
        write_dataset(buffer, dataset)
    if syntax != DEFLATED:
        return buffer.getvalue()
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflater.compress(buffer.getvalue()) + deflater.flush()


def _decode(
    values: Mapping[str, Any],
    level: str = "STUDY",
    *,
    model: RetrieveModel = STUDY_ROOT,
    options: FindOptions | None = None,
    syntax: str = EXPLICIT,
) -> FindRequest:
    content = _bytes(_dataset({"QueryRetrieveLevel": level, **values}), syntax)
    return decode_find_identifier(content, encoding_of(syntax), model, options or FindOptions())


def _refused(values: Mapping[str, Any], level: str = "STUDY", **others: Any) -> tuple[int, ...]:
    with pytest.raises(InvalidKey) as refused:
        _decode(values, level, **others)
    return refused.value.tags


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, DEFLATED, BIG_ENDIAN])
def test_it_is_read_in_the_syntax_of_its_context(syntax: str) -> None:
    values = {"PatientID": "P1", "Rows": 512, "RequestAttributesSequence": [{"ScheduledProcedureStepID": "S1"}]}
    request = _decode(values, "STUDY", options=RELATIONAL, syntax=syntax)
    assert set(request.query.matches) == {
        OneOf(PATIENT_ID, ("P1",)),
        OneOf(0x00280010, ("512",)),
        InItem(REQUESTS, (OneOf(STEP_ID, ("S1",)),)),
    }


@pytest.mark.parametrize(
    ("keyword", "text", "match"),
    [
        ("PatientID", "A*", Wildcard(PATIENT_ID, "A*")),
        ("PatientName", "Doe^J*", PersonName(PATIENT_NAME, ("Doe^J*",))),
        ("StudyDate", "20240101-", Between(0x00080020, "20240101", None)),
        ("ModalitiesInStudy", ["CT", "MR"], OneOf(0x00080061, ("CT", "MR"), Comparison.CASELESS)),
        ("StudyInstanceUID", ["1.2", "1.3"], OneOf(STUDY_UID, ("1.2", "1.3"))),
        ("Modality", "CT", OneOf(0x00080061, ("CT",), Comparison.CASELESS)),
    ],
)
def test_a_key_asks_by_the_rules_of_its_vr(keyword: str, text: Any, match: object) -> None:
    assert _decode({keyword: text}).query.matches == (match,)


@pytest.mark.parametrize("text", ["", "*", "**", " "])
def test_a_universal_key_asks_for_nothing_and_is_returned(text: str) -> None:
    request = _decode({"PatientName": text})
    assert request.query.matches == ()
    assert request.return_keys[PATIENT_NAME] == ReturnKey("PN")
    assert not request.has_unmatched_keys


def test_what_was_agreed_on_changes_what_keys_mean() -> None:
    fuzzy = _decode({"PatientName": "doe jane"}, options=FindOptions(is_fuzzy=True))
    assert fuzzy.query.matches == (WordPrefixes(PATIENT_NAME, ("doe", "jane")),)
    empty = _decode({"PatientID": '""'}, options=FindOptions(has_empty_values=True))
    assert empty.query.matches == (Empty(PATIENT_ID),)
    assert _decode({"PatientID": '""'}).query.matches == (OneOf(PATIENT_ID, ('""',)),)
    several = _decode({"ModalitiesInStudy": ["CT", "MR"]}, options=FindOptions(has_multiple_values=True))
    assert [match.tag for match in several.query.matches] == [0x00080061, 0x00080061]
    times = {"StudyDate": "20240101-20240102", "StudyTime": "10-12"}
    combined = _decode(times, options=FindOptions(combines_dates_and_times=True))
    dates, ends = ("20240101", "20240102"), ("100000.000000", "125959.999999")
    assert combined.query.matches == (DateAndTime(0x00080020, 0x00080030, dates, ends, is_combined=True),)


def test_a_time_zone_says_how_times_are_meant_and_is_no_key() -> None:
    values = {"StudyDate": "20240101", "TimezoneOffsetFromUTC": "-0330"}
    agreed = _decode(values, options=FindOptions(adjusts_timezone=True))
    [match] = agreed.query.matches
    assert isinstance(match, DateAndTime)
    assert match.timezone_minutes == -210
    assert agreed.tells_timezone
    assert _decode(values).query.matches == (OneOf(0x00080020, ("20240101",)),)


@pytest.mark.parametrize(
    ("terms", "name"),
    [
        ("ISO_IR 100", "Müller^Jürgen"),
        ("ISO_IR 101", "Wałęsa"),
        ("ISO_IR 126", "Διονυσιος"),
        ("ISO_IR 127", "قباني^لنزار"),
        ("ISO_IR 138", "שרון^דבורה"),
        ("ISO_IR 144", "Люкceмбypг"),
        ("ISO_IR 166", "นามสกุล"),
        ("ISO_IR 192", "Wang^XiaoDong=王^小東="),
        ("GB18030", "Wang^XiaoDong=王^小东="),
        ("\\ISO 2022 IR 87", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("ISO 2022 IR 13\\ISO 2022 IR 87", "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう"),
        ("\\ISO 2022 IR 149", "Hong^Gildong=洪^吉洞=홍^길동"),
    ],
)
def test_text_is_read_in_the_character_set_of_the_request(terms: str, name: str) -> None:
    request = _decode({"SpecificCharacterSet": terms.split("\\"), "PatientName": name})
    groups = tuple(group for group in name.rstrip("=").split("="))
    [match] = request.query.matches
    assert isinstance(match, PersonName)
    assert match.groups == groups
    assert request.character_set == terms


def test_a_sequence_asks_of_its_item_and_returns_what_it_names() -> None:
    nested = {"ScheduledProcedureStepID": "S1", "RequestedProcedureID": ""}
    request = _decode({"StudyInstanceUID": "1.2", "RequestAttributesSequence": [nested]}, "SERIES")
    assert request.query.matches == (InItem(REQUESTS, (OneOf(STEP_ID, ("S1",)),)),)
    assert request.return_keys[REQUESTS] == ReturnKey("SQ", {STEP_ID: ReturnKey("SH"), 0x00401001: ReturnKey("SH")})
    assert request.header_tags == {REQUESTS}


@pytest.mark.parametrize("items", [[], [{}], [{"CodeValue": ""}]])
def test_a_sequence_that_asks_for_nothing_is_universal(items: list[dict[str, str]]) -> None:
    assert _decode({"ProcedureCodeSequence": items}).query.matches == ()


def test_a_sequence_within_a_sequence_is_matched_too() -> None:
    values = {"RequestAttributesSequence": [{"ScheduledProtocolCodeSequence": [{"CodeValue": "C"}]}]}
    [match] = _decode(values).query.matches
    assert match == InItem(REQUESTS, (InItem(0x00400008, (OneOf(0x00080100, ("C",)),)),))


def test_a_sequence_with_two_items_is_refused() -> None:
    assert _refused({"ProcedureCodeSequence": [{"CodeValue": "1"}, {"CodeValue": "2"}]}) == (0x00081032,)


@pytest.mark.parametrize(
    ("level", "model"),
    [
        ("", STUDY_ROOT),
        ("FRAME", STUDY_ROOT),
        ("PATIENT", STUDY_ROOT),
        ("SERIES", PATIENT_STUDY_ONLY),
        ("STUDY\\SERIES", STUDY_ROOT),
    ],
)
def test_a_level_that_the_model_lacks_is_refused(level: str, model: RetrieveModel) -> None:
    assert _refused({}, level.split("\\") if "\\" in level else level, model=model) == (0x00080052,)  # type: ignore[arg-type]


def test_without_a_level_nothing_is_found() -> None:
    with pytest.raises(InvalidKey):
        decode_find_identifier(b"", encoding_of(EXPLICIT), STUDY_ROOT, FindOptions())


@pytest.mark.parametrize(
    ("level", "model", "values", "tag"),
    [
        ("STUDY", PATIENT_ROOT, {}, PATIENT_ID),
        ("STUDY", PATIENT_ROOT, {"PatientID": "P*"}, PATIENT_ID),
        ("STUDY", PATIENT_ROOT, {"PatientID": ["P1", "P2"]}, PATIENT_ID),
        ("SERIES", PATIENT_ROOT, {"PatientID": "P1"}, STUDY_UID),
        ("SERIES", STUDY_ROOT, {"StudyInstanceUID": ""}, STUDY_UID),
        ("SERIES", STUDY_ROOT, {"StudyInstanceUID": "*"}, STUDY_UID),
        ("SERIES", STUDY_ROOT, {"StudyInstanceUID": ["1.2", "1.3"]}, STUDY_UID),
        ("IMAGE", STUDY_ROOT, {"StudyInstanceUID": "1.2"}, SERIES_UID),
        ("IMAGE", STUDY_ROOT, {"StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.2.?"}, SERIES_UID),
        ("STUDY", STUDY_ROOT, {"SeriesInstanceUID": "1.2.1"}, SERIES_UID),
        ("PATIENT", PATIENT_ROOT, {"StudyInstanceUID": "1.2"}, STUDY_UID),
    ],
)
def test_unique_keys_lead_down_to_the_level_unless_queries_are_relational(
    level: str, model: RetrieveModel, values: dict[str, Any], tag: int
) -> None:
    assert _refused(values, level, model=model) == (tag,)
    if not any("?" in value for value in values.values()):  # a pattern is no UID
        _decode(values, level, model=model, options=RELATIONAL)


def test_unique_keys_above_the_level_are_the_scope() -> None:
    values = {"PatientID": "P1 ", "StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.2.1", "SOPInstanceUID": ""}
    query = _decode(values, "IMAGE", model=PATIENT_ROOT).query
    assert (query.level, query.study_instance_uid, query.series_instance_uid) == (Level.INSTANCE, "1.2", "1.2.1")
    assert query.matches == (OneOf(PATIENT_ID, ("P1",)),)


def test_relational_queries_ask_by_any_level() -> None:
    values = {"StudyInstanceUID": ["1.2", "1.3"], "SeriesInstanceUID": "", "PatientName": "", "SOPClassUID": "1.4"}
    query = _decode(values, "SERIES", options=RELATIONAL).query
    assert query.study_instance_uid is None
    assert set(query.matches) == {OneOf(STUDY_UID, ("1.2", "1.3")), OneOf(0x00080016, ("1.4",))}


@pytest.mark.parametrize(
    "values",
    [
        {"NumberOfStudyRelatedSeries": "3"},
        {"SeriesDescription": "Thorax"},
        {"EncapsulatedDocument": b"\1\2"},
    ],
)
def test_a_key_that_cannot_be_matched_is_told_of_and_returned(values: dict[str, Any]) -> None:
    request = _decode(values)
    assert request.has_unmatched_keys
    assert request.query.matches == ()
    assert {tag_for_keyword(keyword) for keyword in values} <= request.return_keys.keys()


@pytest.mark.parametrize(
    ("values", "tag"),
    [
        ({"StudyDate": "yesterday"}, 0x00080020),
        ({"StudyDate": "20240201-20240101"}, 0x00080020),
        ({"StudyTime": "25"}, 0x00080030),
        ({"StudyInstanceUID": "1.2.*"}, STUDY_UID),
        ({"ModalitiesInStudy": ["C*", "MR"]}, 0x00080061),
    ],
)
def test_a_value_that_its_vr_does_not_allow_is_refused(values: dict[str, Any], tag: int) -> None:
    assert _refused(values) == (tag,)


def test_what_describes_the_request_and_group_lengths_are_no_keys() -> None:
    dataset = _dataset({"QueryRetrieveLevel": "STUDY", "RetrieveAETitle": "A", "InstanceAvailability": "ONLINE"})
    dataset.add_new(0x00080000, "UL", 20)
    dataset.add_new(0x00100000, "UL", 0)
    request = decode_find_identifier(_bytes(dataset), encoding_of(EXPLICIT), STUDY_ROOT, FindOptions())
    assert request.return_keys == {STUDY_UID: ReturnKey("UI")}
    assert not request.has_unmatched_keys


def test_a_private_attribute_is_returned_and_not_matched() -> None:
    dataset = _dataset({"QueryRetrieveLevel": "STUDY"})
    dataset.add_new(0x00091001, "LO", "X")
    request = decode_find_identifier(_bytes(dataset), encoding_of(EXPLICIT), STUDY_ROOT, FindOptions())
    assert request.has_unmatched_keys
    assert 0x00091001 in request.header_tags


def test_the_unique_keys_of_all_levels_are_returned() -> None:
    request = _decode({"Modality": ""}, "SERIES", model=PATIENT_ROOT, options=RELATIONAL)
    assert {PATIENT_ID, STUDY_UID, SERIES_UID} <= request.return_keys.keys()


def test_patients_are_counted_only_where_that_is_asked_for() -> None:
    assert not _decode({"NumberOfStudyRelatedSeries": ""}).query.with_patient_counts
    assert _decode({"NumberOfPatientRelatedStudies": ""}).query.with_patient_counts


def test_what_the_index_does_not_keep_is_read_from_headers() -> None:
    assert _decode({"StationName": "", "PatientName": "", "ModalitiesInStudy": ""}).header_tags == {0x00081010}


@pytest.mark.parametrize("content", [b"\x08", b"\x08\x00\x52\x00CS\xff\xffSTUDY "])
def test_bytes_that_are_no_data_set_are_refused(content: bytes) -> None:
    with pytest.raises(InvalidDataset):
        decode_find_identifier(content, encoding_of(EXPLICIT), STUDY_ROOT, FindOptions())


def test_too_many_keys_are_refused() -> None:
    dataset = _dataset({"QueryRetrieveLevel": "STUDY"})
    for number in range(KEYS_MAX + 1):
        dataset.add_new(0x00091000 + number, "LO", "")
    with pytest.raises(InvalidKey):
        decode_find_identifier(_bytes(dataset), encoding_of(EXPLICIT), STUDY_ROOT, FindOptions())
