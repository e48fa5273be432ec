from __future__ import annotations

from collections.abc import Sequence as Items
from datetime import UTC, datetime
from io import BytesIO

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence

from isocenter.dicom.amend import Copied
from isocenter.dicom.part10 import read_encoding
from isocenter.domain.errors import InvalidDataset
from isocenter.routing.rules.expression import Path, PathStep
from isocenter.routing.rules.parse import parse_expression
from isocenter.routing.transforms.apply import Circumstances, Transformed, transform_instance
from isocenter.routing.transforms.difference import ElementDifference
from isocenter.routing.transforms.errors import TransformRefused
from isocenter.routing.transforms.step import (
    Action,
    Affix,
    Copy,
    MapOtherwise,
    MapValues,
    Reason,
    Recode,
    Remove,
    RemovePrivate,
    Replace,
    Rewrite,
    SetValue,
    Step,
    Transform,
)
from tests.support.dicom_datasets import datasets
from tests.support.dicom_files import (
    BIG_ENDIAN,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    JPEG_BASELINE,
    quiet_pydicom,
    write_file,
)
from tests.support.rule_expressions import subject

SYNTAXES = [EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED]
HERE = Circumstances(datetime(2026, 11, 21, 10, 0, tzinfo=UTC), "ROUTER")
NAME, PATIENT_ID, ACCESSION, DESCRIPTION = 0x00100010, 0x00100020, 0x00080050, 0x00081030
INSTITUTION, BODY_PART, REQUEST, WINDOW = 0x00080080, 0x00180015, 0x00400275, 0x00281050
PIXELS = bytes(range(256)) * 4


def _path(*steps: int | PathStep) -> Path:
    return Path(tuple(step if isinstance(step, PathStep) else PathStep(step) for step in steps))


def _source(**values: object) -> Dataset:
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.SOPClassUID, dataset.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", "1.2.3"
    dataset.PatientName, dataset.PatientID = "Müller^Jörg", "17"
    dataset.AccessionNumber, dataset.StudyDescription = "ACC-9", "Thorax_ap"
    dataset.BodyPartExamined, dataset.PixelRepresentation = "THORAX", 0
    items = [Dataset(), Dataset()]
    items[0].AccessionNumber, items[1].AccessionNumber = "A1", "A2"
    items[1].RequestedProcedureDescription = "Übersicht"
    items[1].private_block(0x0041, "ACME", create=True).add_new(1, "LO", "in item")
    dataset.RequestAttributesSequence = Sequence(items)
    dataset.private_block(0x0009, "ACME", create=True).add_new(1, "LO", "secret")
    dataset.private_block(0x0009, "OTHER", create=True).add_new(1, "LO", "kept")
    dataset.Rows, dataset.Columns, dataset.BitsAllocated = 32, 32, 8
    dataset.BitsStored, dataset.HighBit, dataset.SamplesPerPixel = 8, 7, 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.PixelData = PIXELS
    dataset["PixelData"].VR = "OW"
    for name, value in values.items():
        setattr(dataset, name, value)
    return dataset


def _transform(*actions: Action, keeps_originals: bool = False) -> Transform:
    return Transform("morph", tuple(Step(action) for action in actions), keeps_originals, Reason.COERCE)


def _made(content: bytes, *transforms: Transform) -> tuple[Dataset, Transformed, bytes]:
    transformed = transform_instance(content, transforms, subject(), HERE)
    out = b"".join(
        content[piece.start : piece.end] if isinstance(piece, Copied) else piece for piece in transformed.pieces
    )
    with quiet_pydicom():
        return pydicom.dcmread(BytesIO(out)), transformed, out


def _read(content: bytes) -> Dataset:
    with quiet_pydicom():
        return pydicom.dcmread(BytesIO(content))


def _compressed(dataset: Dataset) -> Dataset:
    dataset.PixelData = encapsulate([b"\xff\xd8frame!"])
    dataset["PixelData"].VR, dataset["PixelData"].is_undefined_length = "OB", True
    return dataset


@pytest.mark.parametrize("transfer_syntax_uid", SYNTAXES)
def test_every_step_in_every_syntax(transfer_syntax_uid: str) -> None:
    content = write_file(_source(), transfer_syntax_uid)
    found, transformed, _ = _made(
        content,
        _transform(
            SetValue(_path(INSTITUTION), ("Spital Zürich",)),
            Affix(_path(PATIENT_ID), prefix="GH-"),
            Replace(_path(DESCRIPTION), "_", " "),
            Rewrite(_path(ACCESSION), "ACC-*", "{1}"),
            Copy(_path(ACCESSION), _path(0x00200010)),
            MapValues(_path(BODY_PART), (("THORAX", "CHEST"),)),
            SetValue(_path(WINDOW), ("40", "400")),
            SetValue(_path(REQUEST, ACCESSION), ("B",)),
            Affix(_path(PathStep(REQUEST, number=2), 0x00321060), suffix="!"),
            Remove(_path(NAME)),
            Remove(_path(PathStep(0x00090001, "ACME"))),
        ),
    )
    expected = _read(content)
    expected.InstitutionName, expected.PatientID, expected.StudyDescription = "Spital Zürich", "GH-17", "Thorax ap"
    expected.AccessionNumber, expected.StudyID, expected.BodyPartExamined = "9", "9", "CHEST"
    expected.WindowCenter = [40, 400]
    for item in expected.RequestAttributesSequence:
        item.AccessionNumber = "B"
    expected.RequestAttributesSequence[1].RequestedProcedureDescription = "Übersicht!"
    del expected.PatientName
    del expected[0x0009, 0x1001]
    assert found == expected
    assert found.PixelData == PIXELS
    assert transformed.is_changed


@settings(max_examples=60)
@given(source=datasets(), syntax=st.sampled_from(SYNTAXES))
def test_every_attribute_that_no_step_names_stays_as_it_was(source: Dataset, syntax: str) -> None:
    source.SpecificCharacterSet = "ISO_IR 192"
    content = write_file(source, syntax)
    before = _read(content)
    found, _, out = _made(content, _transform(SetValue(_path(0x00104000), ("seen",))))
    assert found.PatientComments == "seen"
    before.PatientComments = "seen"
    assert {element.tag: element.value for element in found} == {element.tag: element.value for element in before}
    if syntax in (EXPLICIT, IMPLICIT):
        _, _, restored = _made(out, _transform(Remove(_path(0x00104000))))
        assert restored[read_encoding(restored)[1] :] == content[read_encoding(content)[1] :]


def test_bytes_outside_of_the_change_are_the_same() -> None:
    content = write_file(_source(), EXPLICIT)
    _, _, out = _made(content, _transform(SetValue(_path(ACCESSION), ("ACC-7",))))
    at = content.index(b"ACC-9")
    assert out[out.index(b"ACC-7") + 5 :] == content[at + 5 :]
    assert len(out) - out.index(b"ACC-7") == len(content) - at


def test_where_nothing_changes_the_file_goes_out_as_it_came() -> None:
    content = write_file(_source(), EXPLICIT)
    same = _transform(SetValue(_path(PATIENT_ID), ("17",)), Remove(_path(0x00104000)), Replace(_path(NAME), "x", "y"))
    _, transformed, out = _made(content, same)
    assert not transformed.is_changed
    assert out == content


def test_compressed_pixels_pass_untouched() -> None:
    content = write_file(_compressed(_source()), JPEG_BASELINE)
    found, _, out = _made(content, _transform(SetValue(_path(PATIENT_ID), ("18",))))
    assert found.PatientID == "18"
    assert out.endswith(content[content.index(b"\xe0\x7f\x10\x00") :])


@pytest.mark.parametrize("transfer_syntax_uid", SYNTAXES)
def test_all_text_can_go_out_in_another_character_set(transfer_syntax_uid: str) -> None:
    content = write_file(_source(), transfer_syntax_uid)
    found, transformed, _ = _made(content, _transform(Recode("ISO_IR 192"), SetValue(_path(INSTITUTION), ("病院",))))
    assert found.SpecificCharacterSet == "ISO_IR 192"
    assert (found.PatientName, found.InstitutionName) == ("Müller^Jörg", "病院")
    assert found.RequestAttributesSequence[1].RequestedProcedureDescription == "Übersicht"
    assert {difference.name for difference in transformed.differences} == {"SpecificCharacterSet", "InstitutionName"}


def test_there_and_back_is_the_same_again() -> None:
    content = write_file(_source(), EXPLICIT)
    found, transformed, _ = _made(content, _transform(Recode("ISO_IR 192"), Recode("ISO_IR 100")))
    assert not transformed.is_changed
    assert found == _read(content)


@pytest.mark.parametrize(
    ("action", "says"),
    [
        (SetValue(_path(NAME), ("Иван",)), "character_set before this one"),
        (Affix(_path(ACCESSION), prefix="X" * 16), "maximum length of 16"),
        (Recode("ISO_IR 144"), "cannot be written in ISO_IR 144"),
        (MapValues(_path(BODY_PART), (("HEAD", "SKULL"),), MapOtherwise.REFUSE), "not in the table"),
    ],
)
def test_what_cannot_be_written_as_it_was_meant_stops_the_instance(action: Action, says: str) -> None:
    with pytest.raises(TransformRefused, match=says) as caught:
        transform_instance(write_file(_source(), EXPLICIT), [_transform(action)], subject(), HERE)
    assert caught.value.message.startswith("Step 1 of transform morph: ")
    assert not any(value in caught.value.message for value in ("Müller", "ACC-9", "THORAX", "Иван"))


def test_a_step_is_made_only_where_its_condition_holds_for_what_the_steps_before_left() -> None:
    steps = (
        Step(Remove(_path(ACCESSION)), parse_expression('calling_ae_title = "CT1"')),
        Step(SetValue(_path(INSTITUTION), ("none",)), parse_expression("AccessionNumber is missing")),
        Step(Remove(_path(PATIENT_ID)), parse_expression("AccessionNumber is present")),
    )
    found, _, _ = _made(write_file(_source(), EXPLICIT), Transform("x", steps, keeps_originals=False))
    assert (found.InstitutionName, found.PatientID) == ("none", "17")


@pytest.mark.parametrize("transfer_syntax_uid", [EXPLICIT, IMPLICIT])
def test_private_attributes_go_in_items_too_but_for_creators_that_stay(transfer_syntax_uid: str) -> None:
    found, _, _ = _made(write_file(_source(), transfer_syntax_uid), _transform(RemovePrivate(("OTHER",))))
    assert [int(element.tag) for element in found if element.tag.is_private] == [0x00090011, 0x00091101]
    assert not [element for element in found.RequestAttributesSequence[1] if element.tag.is_private]


@pytest.mark.parametrize("transfer_syntax_uid", [*SYNTAXES, JPEG_BASELINE])
def test_private_attributes_behind_the_pixels_go_too(transfer_syntax_uid: str) -> None:
    source = _source()
    if transfer_syntax_uid == JPEG_BASELINE:
        _compressed(source)
    source.private_block(0x7FE1, "ACME", create=True).add_new(1, "LO", "behind all")
    content = write_file(source, transfer_syntax_uid)
    found, transformed, _ = _made(content, _transform(RemovePrivate(("OTHER",))))
    assert [int(element.tag) for element in found if element.tag.is_private] == [0x00090011, 0x00091101]
    assert found.PixelData == _read(content).PixelData
    assert ElementDifference("(7FE1,1001)", ("10 bytes",), None) in transformed.differences


def test_text_behind_the_pixels_is_not_left_in_another_character_set() -> None:
    source = _source()
    source.private_block(0x7FE1, "ACME", create=True).add_new(1, "LO", "Jörg")
    content = write_file(source, EXPLICIT)
    with pytest.raises(TransformRefused, match="behind the pixel data"):
        _made(content, _transform(Recode("ISO_IR 192")))
    found, _, _ = _made(content, _transform(RemovePrivate(), Recode("ISO_IR 192")))
    assert found.PatientName == "Müller^Jörg"


@pytest.mark.parametrize("transfer_syntax_uid", SYNTAXES)
def test_what_was_there_before_goes_along(transfer_syntax_uid: str) -> None:
    earlier = Dataset()
    earlier.ModifyingSystem, earlier.ModifiedAttributesSequence = "OLD", Sequence([Dataset()])
    source = _source(OriginalAttributesSequence=Sequence([earlier]))
    found, _, _ = _made(
        write_file(source, transfer_syntax_uid),
        _transform(
            Affix(_path(NAME), suffix="^Dr"),
            Recode("ISO_IR 192"),
            Remove(_path(ACCESSION)),
            SetValue(_path(INSTITUTION), ("new",)),
            keeps_originals=True,
        ),
    )
    first, record = found.OriginalAttributesSequence
    assert first.ModifyingSystem == "OLD"
    assert (record.ModifyingSystem, record.ReasonForTheAttributeModification) == ("ROUTER", "COERCE")
    assert record.AttributeModificationDateTime == "20261121100000.000000+0000"
    (modified,) = record.ModifiedAttributesSequence
    assert {element.keyword: str(element.value) for element in modified} == {
        "AccessionNumber": "ACC-9",
        "PatientName": "Müller^Jörg",
    }
    assert found.PatientName == "Müller^Jörg^Dr"


def test_each_transform_has_a_record_of_its_own_and_one_that_is_to_leave_none_has_none() -> None:
    named = [
        Transform("a", (Step(SetValue(_path(PATIENT_ID), ("18",))),)),
        Transform("b", (Step(Remove(_path(NAME))),), keeps_originals=False),
        Transform("c", (Step(SetValue(_path(PATIENT_ID), ("19",))),), reason=Reason.CORRECT),
    ]
    found, _, _ = _made(write_file(_source(), EXPLICIT), *named)
    records = found.OriginalAttributesSequence
    assert [record.ModifiedAttributesSequence[0].PatientID for record in records] == ["17", "18"]
    assert [record.ReasonForTheAttributeModification for record in records] == ["COERCE", "CORRECT"]
    assert "Müller" not in str(found)


def test_the_preview_tells_each_attribute_before_and_after() -> None:
    _, transformed, _ = _made(
        write_file(_source(), EXPLICIT),
        _transform(
            SetValue(_path(PATIENT_ID), ("18",)),
            Remove(_path(ACCESSION)),
            SetValue(_path(INSTITUTION), ("new",)),
            SetValue(_path(PathStep(REQUEST, number=1), ACCESSION), ()),
        ),
    )
    assert transformed.differences == (
        ElementDifference("AccessionNumber", ("ACC-9",), None),
        ElementDifference("InstitutionName", None, ("new",)),
        ElementDifference("PatientID", ("17",), ("18",)),
        ElementDifference("RequestAttributesSequence[1].AccessionNumber", ("A1",), ()),
    )


def test_a_sequence_that_holds_compressed_pixels_can_be_taken_away() -> None:
    icon = _compressed(Dataset())
    content = write_file(_compressed(_source(IconImageSequence=Sequence([icon]))), JPEG_BASELINE)
    found, transformed, _ = _made(content, _transform(Remove(_path(0x00880200)), keeps_originals=True))
    assert "IconImageSequence" not in found
    assert [difference.name for difference in transformed.differences] == ["IconImageSequence"]
    _made(content, _transform(Recode("ISO_IR 192"), RemovePrivate()))


_paths = st.sampled_from(
    [_path(NAME), _path(DESCRIPTION), _path(REQUEST, ACCESSION), _path(0x00102000), _path(0x00280106)]
)
_short = st.text("abc ^=\\Äи7", max_size=4)
_actions: st.SearchStrategy[Action] = st.one_of(
    st.builds(SetValue, _paths, st.lists(_short, max_size=2).map(tuple)),
    st.builds(Remove, _paths),
    st.builds(Copy, _paths, _paths),
    st.builds(Affix, _paths, _short, _short),
    st.builds(Replace, _paths, _short.filter(bool), _short),
    st.builds(Rewrite, _paths, st.sampled_from(["*", "a*", "*^*", "??*"]), st.sampled_from(["{0}{1}", "x"])),
    st.builds(MapValues, _paths, st.just((("a", "b"),)), st.sampled_from(MapOtherwise)),
    st.builds(Recode, st.sampled_from(["ISO_IR 192", "ISO_IR 100", "ISO_IR 144"])),
    st.builds(RemovePrivate),
)


@settings(max_examples=80, deadline=None)
@given(source=datasets(), actions=st.lists(_actions, max_size=4), syntax=st.sampled_from(SYNTAXES), keeps=st.booleans())
def test_whatever_the_steps_the_instance_is_refused_or_reads_as_the_preview_says(
    source: Dataset, actions: Items[Action], syntax: str, keeps: bool
) -> None:
    content = write_file(source, syntax)
    try:
        found, transformed, out = _made(content, _transform(*actions, keeps_originals=keeps))
    except InvalidDataset:
        return
    named = {difference.name.partition("[")[0] for difference in transformed.differences}
    before = _read(content)
    for element in before:
        if element.keyword and element.keyword not in named and not element.tag.is_private:
            assert found[element.tag].value == element.value
    assert transformed.is_changed or out == content
