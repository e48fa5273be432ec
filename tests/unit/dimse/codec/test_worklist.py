from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset

from isocenter.archive.worklist import make_item
from isocenter.dicom.part10 import encoding_of
from isocenter.dicom.syntax import EXPLICIT_VR_BIG_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from isocenter.dimse.codec.worklist import WorklistRequest, decode_worklist_request, encode_worklist_answer
from isocenter.domain.errors import InvalidAttributeValue, InvalidDataset
from isocenter.domain.query import Between, Comparison, OneOf, Wildcard
from isocenter.domain.worklist import (
    SCHEDULED_PROCEDURE_STEP_SEQUENCE,
    START_DATE,
    START_TIME,
    PeriodKey,
    SequenceKey,
    StepState,
    ValueKey,
    WorklistEntry,
)
from tests.support.dicom_files import quiet_pydicom

SYNTAXES = (IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN)


def _bytes(dataset: Dataset, transfer_syntax_uid: str = EXPLICIT_VR_LITTLE_ENDIAN) -> bytes:
    encoding = encoding_of(transfer_syntax_uid)
    out = DicomBytesIO()
    out.is_implicit_VR, out.is_little_endian = encoding.is_implicit_vr, encoding.is_little_endian
    with quiet_pydicom():
        write_dataset(out, dataset)
    return out.getvalue()


def _dataset(**attributes: Any) -> Dataset:
    dataset = Dataset()
    with quiet_pydicom():
        for keyword, value in attributes.items():
            setattr(dataset, keyword, value)
    return dataset


def _request(dataset: Dataset, transfer_syntax_uid: str = EXPLICIT_VR_LITTLE_ENDIAN) -> WorklistRequest:
    return decode_worklist_request(_bytes(dataset, transfer_syntax_uid), encoding_of(transfer_syntax_uid))


def _entry(item: Dataset, step_number: int = 0, transfer_syntax_uid: str = EXPLICIT_VR_LITTLE_ENDIAN) -> WorklistEntry:
    new = make_item(_bytes(item, transfer_syntax_uid), encoding_of(transfer_syntax_uid), source="test")
    state = StepState.SCHEDULED
    return WorklistEntry(1, 1, step_number, state, new.content, new.transfer_syntax_uid, new.values, 0.0, "test")


def _answer(
    asked: Dataset, item: Dataset, step_number: int = 0, transfer_syntax_uid: str = EXPLICIT_VR_LITTLE_ENDIAN
) -> Dataset:
    request = _request(asked, transfer_syntax_uid)
    encoding = encoding_of(transfer_syntax_uid)
    content = encode_worklist_answer(request, _entry(item, step_number), encoding)
    return read_dataset(BytesIO(content), encoding.is_implicit_vr, encoding.is_little_endian)


ITEM = _dataset(
    AccessionNumber="A1",
    PatientName="Doe^Jane",
    PatientID="P1",
    PregnancyStatus=4,
    StudyInstanceUID="1.2.3",
    RequestedProcedureCodeSequence=[_dataset(CodeValue="C1", CodeMeaning="Head"), _dataset(CodeValue="C2")],
    ScheduledProcedureStepSequence=[
        _dataset(Modality="CT", ScheduledProcedureStepID="S1", ScheduledStationAETitle=["CT1", "CT2"]),
        _dataset(Modality="MR", ScheduledProcedureStepID="S2"),
    ],
)


# the request


@pytest.mark.parametrize("transfer_syntax_uid", SYNTAXES)
def test_keys_with_a_value_are_matched_and_all_are_returned(transfer_syntax_uid: str) -> None:
    step = _dataset(Modality="CT", ScheduledStationAETitle="", ScheduledProcedureStepStartDate="20240705")
    asked = _dataset(PatientName="DOE*", PatientID="", PatientSex="*", ScheduledProcedureStepSequence=[step])
    request = _request(asked, transfer_syntax_uid)
    of_step = (
        ValueKey(OneOf(0x00080060, ("CT",), Comparison.CASELESS), "CS"),
        ValueKey(OneOf(START_DATE, ("20240705",)), "DA"),
    )
    assert set(request.query.keys) == {
        ValueKey(Wildcard(0x00100010, "DOE*", Comparison.FOLDED), "PN"),
        SequenceKey(SCHEDULED_PROCEDURE_STEP_SEQUENCE, of_step),
    }
    assert set(request.return_keys) == {0x00100010, 0x00100020, 0x00100040, SCHEDULED_PROCEDURE_STEP_SEQUENCE}
    nested = request.return_keys[SCHEDULED_PROCEDURE_STEP_SEQUENCE].nested
    assert set(nested) == {0x00080060, 0x00400001, START_DATE}
    assert not request.has_unmatched_keys


@pytest.mark.parametrize("items", [[], [_dataset()]])
def test_a_sequence_without_keys_is_returned_whole(items: list[Dataset]) -> None:
    request = _request(_dataset(ScheduledProcedureStepSequence=items))
    assert request.query.keys == ()
    assert request.return_keys[SCHEDULED_PROCEDURE_STEP_SEQUENCE].nested == {}
    assert not request.asks_for_nothing


def test_what_is_never_matched_is_no_key() -> None:
    asked = _dataset(SpecificCharacterSet="ISO_IR 100", TimezoneOffsetFromUTC="+0100", QueryRetrieveLevel="WORKLIST")
    request = _request(asked)
    assert request.asks_for_nothing
    assert request.character_set == "ISO_IR 100"


@pytest.mark.parametrize(
    ("day", "time", "earliest", "latest"),
    [
        ("20240705-20240707", "1000-1800", "20240705100000.000000", "20240707180059.999999"),
        ("20240705-", "1000-", "20240705100000.000000", None),
        ("-20240707", "1000-1800", None, "20240707180059.999999"),
        ("20240705-20240707", "1000-", "20240705100000.000000", "20240707235959.999999"),
        ("20240705-20240707", "-1800", "20240705000000.000000", "20240707180059.999999"),
        ("20240705-20240707", "180000.5-1900", "20240705180000.500000", "20240707190059.999999"),
    ],
)
def test_a_range_of_days_and_one_of_times_are_one_period(
    day: str, time: str, earliest: str | None, latest: str | None
) -> None:
    step = _dataset(ScheduledProcedureStepStartDate=day, ScheduledProcedureStepStartTime=time, Modality="CT")
    (sequence,) = _request(_dataset(ScheduledProcedureStepSequence=[step])).query.keys
    assert isinstance(sequence, SequenceKey)
    assert PeriodKey(START_DATE, START_TIME, earliest, latest) in sequence.keys
    assert len(sequence.keys) == 2


@pytest.mark.parametrize(("day", "time"), [("20240705-20240706", "1000"), ("20240705", "10-18"), ("20240705", "10")])
def test_a_single_day_or_time_stays_by_itself(day: str, time: str) -> None:
    step = _dataset(ScheduledProcedureStepStartDate=day, ScheduledProcedureStepStartTime=time)
    (sequence,) = _request(_dataset(ScheduledProcedureStepSequence=[step])).query.keys
    assert isinstance(sequence, SequenceKey)
    found = {key.match.tag: type(key.match) for key in sequence.keys if isinstance(key, ValueKey)}
    assert found == {START_DATE: Between if "-" in day else OneOf, START_TIME: Between}


def test_a_key_that_cannot_be_matched_is_told() -> None:
    request = _request(_dataset(EncapsulatedDocument=b"\0\1", PatientID="P1"))
    assert request.has_unmatched_keys
    assert len(request.query.keys) == 1
    assert set(request.return_keys) == {0x00420011, 0x00100020}


@pytest.mark.parametrize(
    ("keyword", "value", "tag"),
    [("PatientBirthDate", "yesterday", 0x00100030), ("StudyInstanceUID", "1.a", 0x0020000D)],
)
def test_a_key_that_no_value_can_have_is_refused_by_name(keyword: str, value: str, tag: int) -> None:
    asked = _dataset(**{keyword: value})
    with pytest.raises(InvalidAttributeValue) as caught:
        _request(asked)
    assert caught.value.tags == (tag,)


def test_a_sequence_key_has_one_item() -> None:
    with pytest.raises(InvalidAttributeValue) as caught:
        _request(_dataset(ScheduledProcedureStepSequence=[_dataset(Modality="CT"), _dataset(Modality="MR")]))
    assert caught.value.tags == (SCHEDULED_PROCEDURE_STEP_SEQUENCE,)


def test_bytes_that_are_no_data_set_are_refused() -> None:
    with pytest.raises(InvalidDataset):
        decode_worklist_request(b"\x10\x00\x10\x00PN\xff\x00abc", encoding_of(EXPLICIT_VR_LITTLE_ENDIAN))


def test_names_are_read_in_the_set_of_the_request() -> None:
    asked = _dataset(SpecificCharacterSet="ISO_IR 144", PatientName="Люкceмбypг^^")
    (key,) = _request(asked).query.keys
    assert isinstance(key, ValueKey)
    assert isinstance(key.match, OneOf)
    assert key.match.values == ("Люкceмбypг",)


# the answer


@pytest.mark.parametrize("transfer_syntax_uid", SYNTAXES)
def test_an_answer_holds_what_was_asked_for_and_one_step(transfer_syntax_uid: str) -> None:
    step = _dataset(Modality="", ScheduledStationAETitle="", ScheduledProcedureStepLocation="")
    asked = _dataset(
        PatientName="DOE*", PatientWeight=None, PregnancyStatus=None, ScheduledProcedureStepSequence=[step]
    )
    answer = _answer(asked, ITEM, 1, transfer_syntax_uid)
    assert answer == _dataset(
        PatientName="Doe^Jane",
        PatientWeight=None,
        PregnancyStatus=4,
        ScheduledProcedureStepSequence=[
            _dataset(Modality="MR", ScheduledStationAETitle="", ScheduledProcedureStepLocation="")
        ],
    )


@pytest.mark.parametrize("items", [[], [_dataset()]])
def test_an_answer_holds_the_whole_of_a_sequence_that_was_asked_for_without_keys(items: list[Dataset]) -> None:
    answer = _answer(_dataset(ScheduledProcedureStepSequence=items, RequestedProcedureCodeSequence=items), ITEM)
    assert answer.ScheduledProcedureStepSequence == [ITEM.ScheduledProcedureStepSequence[0]]
    assert answer.RequestedProcedureCodeSequence == ITEM.RequestedProcedureCodeSequence


def test_an_answer_holds_every_item_of_another_sequence() -> None:
    answer = _answer(_dataset(RequestedProcedureCodeSequence=[_dataset(CodeValue="C1", CodeMeaning="")]), ITEM)
    expected = [_dataset(CodeValue="C1", CodeMeaning="Head"), _dataset(CodeValue="C2", CodeMeaning="")]
    assert answer.RequestedProcedureCodeSequence == expected


def test_a_sequence_that_the_item_lacks_is_empty() -> None:
    answer = _answer(_dataset(ReferencedStudySequence=[_dataset(ReferencedSOPInstanceUID="")]), ITEM)
    assert answer == _dataset(ReferencedStudySequence=[])
    bare = _dataset(PatientID="P1")
    assert _answer(_dataset(ScheduledProcedureStepSequence=[]), bare) == _dataset(ScheduledProcedureStepSequence=[])


JAPANESE = ["", "ISO 2022 IR 87"]
NAME = "Yamada^Tarou=山田^太郎=やまだ^たろう"


@pytest.mark.parametrize(
    ("kept", "name", "asked", "expected"),
    [
        ("ISO_IR 100", "Müller^Jörg", None, "ISO_IR 100"),
        ("ISO_IR 100", "Müller^Jörg", "ISO_IR 192", "ISO_IR 192"),
        ("ISO_IR 192", "Müller^Jörg", "ISO_IR 100", "ISO_IR 100"),
        ("ISO_IR 192", "Дерек", "ISO_IR 100", "ISO_IR 192"),
        ("ISO_IR 192", NAME, JAPANESE, JAPANESE),
        (JAPANESE, NAME, "ISO_IR 192", "ISO_IR 192"),
        (JAPANESE, NAME, "ISO_IR 100", JAPANESE),
        ("ISO_IR 100", "Doe^Jane", "ISO_IR 192", "ISO_IR 100"),
        (None, "Doe^Jane", "ISO_IR 192", None),
    ],
)
def test_text_comes_in_the_set_of_the_request_where_that_can_write_it(
    kept: Any, name: str, asked: Any, expected: Any
) -> None:
    item = _dataset(PatientName=name, ScheduledProcedureStepSequence=[_dataset(ScheduledPerformingPhysicianName=name)])
    wanted = _dataset(PatientName="", ScheduledProcedureStepSequence=[_dataset(ScheduledPerformingPhysicianName="")])
    if kept:
        item.SpecificCharacterSet = kept
    if asked:
        wanted.SpecificCharacterSet = asked
    answer = _answer(wanted, item)
    answer.decode()
    assert answer.get("SpecificCharacterSet") == expected
    assert answer.PatientName == name
    assert answer.ScheduledProcedureStepSequence[0].ScheduledPerformingPhysicianName == name


def test_the_set_of_a_nested_item_comes_along() -> None:
    code = _dataset(SpecificCharacterSet="ISO_IR 144", CodeMeaning="Дерек")
    answer = _answer(
        _dataset(RequestedProcedureCodeSequence=[_dataset(CodeMeaning="")]),
        _dataset(SpecificCharacterSet="ISO_IR 100", RequestedProcedureCodeSequence=[code]),
    )
    answer.decode()
    assert answer.RequestedProcedureCodeSequence[0].CodeMeaning == "Дерек"


def test_the_time_zone_of_the_item_comes_along() -> None:
    answer = _answer(_dataset(PatientID=""), _dataset(PatientID="P1", TimezoneOffsetFromUTC="+0100"))
    assert answer == _dataset(PatientID="P1", TimezoneOffsetFromUTC="+0100")
