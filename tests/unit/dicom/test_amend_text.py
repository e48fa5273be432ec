from __future__ import annotations

import warnings
from io import BytesIO

import orjson
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from isocenter.dicom.amend import Copied, amend_file
from isocenter.dicom.amend_text import Texts
from isocenter.dicom.json import BulkPolicy, encode_instance_json
from isocenter.domain.errors import InvalidDataset
from tests.support.dicom_datasets import CHARACTER_SETS, datasets
from tests.support.dicom_files import BIG_ENDIAN, DEFLATED, EXPLICIT, IMPLICIT, element, file_of, write_file

NAME, COMMENTS = 0x00100010, 0x00104000


def _file(character_set: str | list[str] | None, name: str, *, syntax: str = EXPLICIT, **values: object) -> bytes:
    dataset = Dataset()
    if character_set is not None:
        dataset.SpecificCharacterSet = character_set
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    dataset.SOPInstanceUID = "1.2.3"
    dataset.PatientName = name
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return write_file(dataset, syntax)


def _amend(content: bytes, texts: Texts) -> bytes:
    pieces = amend_file(content, texts)
    return b"".join(content[one.start : one.end] if isinstance(one, Copied) else one for one in pieces)


def _rename(content: bytes, name: str) -> Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        changed = pydicom.dcmread(BytesIO(_amend(content, {NAME: ("PN", name)})))
        changed.decode()
    return changed


def _character_set(dataset: Dataset) -> str:
    value = dataset.get("SpecificCharacterSet", "")
    return "\\".join(value) if not isinstance(value, str) else value


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED])
@pytest.mark.parametrize(
    ("character_set", "name"),
    [
        (None, "Miller^Ann"),
        ("ISO_IR 100", "Müller^Ann"),
        ("ISO_IR 192", "山田^太郎"),
        ("GB18030", "王^小东"),
        ("ISO_IR 144", "Люкceмбypг"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎"),
    ],
)
def test_a_value_is_written_in_the_character_set_that_is_there(
    character_set: str | list[str] | None, name: str, syntax: str
) -> None:
    changed = _rename(_file(character_set, "Old^Name", syntax=syntax), name)
    assert str(changed.PatientName) == name
    before = character_set if isinstance(character_set, str) else "\\".join(character_set or ())
    assert _character_set(changed) == before


@pytest.mark.parametrize(
    ("character_set", "name", "expected"),
    [
        (None, "Müller^Ann", "ISO_IR 100"),
        (None, "山田^太郎", "ISO_IR 192"),
        ("ISO_IR 100", "山田^太郎", "ISO_IR 192"),
        ("ISO_IR 6", "Müller^Ann", "ISO_IR 100"),
        ("no such term", "Müller^Ann", "ISO_IR 100"),
    ],
)
def test_another_set_is_taken_where_nothing_else_depends_on_it(
    character_set: str | None, name: str, expected: str
) -> None:
    content = _file(None, "Old^Name", StudyDescription="plain")
    if character_set is not None:
        value = character_set.encode() + b" " * (len(character_set) % 2)
        content = content.replace(
            element(0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.7\0"),
            element(0x00080005, "CS", value) + element(0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.7\0"),
        )
    changed = _rename(content, name)
    assert (_character_set(changed), str(changed.PatientName)) == (expected, name)
    assert changed.StudyDescription == "plain"


@pytest.mark.parametrize(
    ("character_set", "description", "name", "expected"),
    [
        ("ISO_IR 100", "Schädel", "Διονυσιος", "ISO 2022 IR 100\\ISO 2022 IR 126"),
        ("ISO_IR 100", "Schädel", "Yamada=山田", "ISO 2022 IR 100\\ISO 2022 IR 87"),
        ("ISO_IR 144", "голова", "Müller", "ISO 2022 IR 144\\ISO 2022 IR 100"),
        ("ISO_IR 100", "Schädel", "Διον=שלום", "ISO 2022 IR 100\\ISO 2022 IR 126\\ISO 2022 IR 138"),
    ],
)
def test_code_extensions_are_added_where_other_text_depends_on_the_set(
    character_set: str, description: str, name: str, expected: str
) -> None:
    content = _file(character_set, "Old^Name", StudyDescription=description)
    changed = _rename(content, name)
    assert (_character_set(changed), str(changed.PatientName)) == (expected, name)
    assert changed.StudyDescription == description
    before = content[content.index(b"\x08\x00\x30\x10") :][:14]
    assert before in _amend(content, {NAME: ("PN", name)}), "the bytes of other text stay"


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED])
def test_all_text_becomes_utf_8_where_no_extension_writes_the_value(syntax: str) -> None:
    item = Dataset()
    item.CodeMeaning = "Schädel"
    inner = Dataset()
    inner.CodeMeaning = "Käfer"
    item.EquivalentCodeSequence = Sequence([inner])
    own = Dataset()
    own.SpecificCharacterSet = "ISO_IR 144"
    own.CodeMeaning = "голова"
    content = _file(
        "ISO_IR 100",
        "Old^Name",
        syntax=syntax,
        StudyDescription="Schädel",
        ProcedureCodeSequence=Sequence([item, own]),
        PatientComments="plain",
    )
    changed = _rename(content, "Nguyễn^Ánh")
    assert (_character_set(changed), str(changed.PatientName)) == ("ISO_IR 192", "Nguyễn^Ánh")
    assert changed.StudyDescription == "Schädel"
    first, second = changed.ProcedureCodeSequence
    assert (first.CodeMeaning, first.EquivalentCodeSequence[0].CodeMeaning) == ("Schädel", "Käfer")
    assert (second.SpecificCharacterSet, second.CodeMeaning) == ("ISO_IR 144", "голова")
    assert changed.PatientComments == "plain"


def test_text_that_cannot_be_read_is_not_written_anew() -> None:
    broken = element(0x00080005, "CS", b"GBK ") + element(0x00081030, "LO", b"\xff\xff") + element(NAME, "PN", b"Old ")
    with pytest.raises(InvalidDataset, match=r"0008,1030"):
        amend_file(file_of(broken), {NAME: ("PN", "\U0001d11e")})


def test_what_is_replaced_itself_does_not_keep_the_set() -> None:
    changed = _rename(_file("ISO_IR 100", "Müller"), "山田")
    assert (_character_set(changed), str(changed.PatientName)) == ("ISO_IR 192", "山田")


def test_several_values_and_plain_attributes_are_written_too() -> None:
    texts: Texts = {
        0x00101001: ("PN", "Ä^B\\C^D"),
        COMMENTS: ("LT", "two\r\nlines \\ ß"),
        0x00100030: ("DA", "20260101"),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        changed = pydicom.dcmread(BytesIO(_amend(_file("ISO_IR 100", "Old"), texts)))
    assert [str(name) for name in changed.OtherPatientNames] == ["Ä^B", "C^D"]
    assert (changed.PatientComments, changed.PatientBirthDate) == ("two\r\nlines \\ ß", "20260101")


_LETTERS = sorted({letter for _, letters in CHARACTER_SETS.values() for letter in letters} | set("ếịñØ€"))


def _told(content: bytes) -> dict[str, object]:
    told = orjson.loads(encode_instance_json(content, bulk=BulkPolicy.by_reference("", inline_length_max=1 << 20)))
    return {tag: value for tag, value in told.items() if tag not in ("00080005", "00100010")}


@settings(max_examples=60)
@given(
    dataset=datasets(),
    syntax=st.sampled_from([EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED]),
    name=st.lists(st.text(_LETTERS, min_size=1, max_size=6), min_size=1, max_size=3).map("^".join),
)
def test_whatever_an_instance_holds_it_gets_the_name_and_keeps_everything_else(
    dataset: Dataset, syntax: str, name: str
) -> None:
    content = write_file(dataset, syntax)
    changed = _amend(content, {NAME: ("PN", name)})
    assert _told(changed) == _told(content)
    found = orjson.loads(encode_instance_json(changed, bulk=BulkPolicy.drop()))["00100010"]["Value"]
    assert found == [{"Alphabetic": name}]
