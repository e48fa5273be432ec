"""What Azure's two versions ask of an instance, and what they leave out of index and metadata (dicom-service 2.5)."""

from __future__ import annotations

from collections.abc import Mapping

import orjson
import pytest

from isocenter.archive.archive import Archive, ArchiveSettings
from isocenter.archive.metadata import iter_metadata
from isocenter.archive.reindex import reindex
from isocenter.archive.store import begin_store
from isocenter.archive.validate import SOURCE_V1, SOURCE_V2, Findings
from isocenter.domain.attributes import BY_KEYWORD
from isocenter.domain.errors import InvalidDataset
from isocenter.domain.identifiers import Level, Scope
from isocenter.domain.principal import LOCAL_OWNER
from isocenter.domain.query import Query
from isocenter.storage.memory import MemoryInstanceIndex
from tests.support.dicom_files import ITEM, element, file_of, header, implicit_element
from tests.support.instances import CT_IMAGE_STORAGE
from tests.support.memory_archive import ANSWER_TIMEOUT_S, FakeClock, memory_archive

Value = tuple[str, bytes]
STUDY_DATE, PATIENT_ID = BY_KEYWORD["StudyDate"].tag, BY_KEYWORD["PatientID"].tag
MODALITY, DESCRIPTION = BY_KEYWORD["Modality"].tag, BY_KEYWORD["StudyDescription"].tag
BASE: Mapping[int, Value] = {
    0x00080016: ("UI", CT_IMAGE_STORAGE.encode() + b"\0"),
    0x00080018: ("UI", b"1.2.3.3\0"),
    STUDY_DATE: ("DA", b"20260228"),
    MODALITY: ("CS", b"CT"),
    0x00100010: ("PN", b"Hall^Ann"),
    PATIENT_ID: ("LO", b"P-17"),
    0x0020000D: ("UI", b"1.2.3.1\0"),
    0x0020000E: ("UI", b"1.2.3.2\0"),
}
NOT_A_DATE = (
    'DICOM100: (0008,0020) - Content "NotAValidStudyDate" does not validate VR DA: one of the date values does not '
    "match the pattern YYYYMMDD"
)


def _content(changes: Mapping[int, Value | None] | None = None, *, number: int = 3) -> bytes:
    values = {**BASE, 0x00080018: ("UI", f"1.2.3.{number}".encode()), **(changes or {})}
    there = [(tag, value) for tag, value in sorted(values.items()) if value is not None]
    return file_of(b"".join(element(tag, vr, value) for tag, (vr, value) in there))


def _store(archive: Archive, source: str, content: bytes) -> Findings:
    reception = begin_store(archive, LOCAL_OWNER, source=source)
    reception.write(content)
    reception.finish().result(ANSWER_TIMEOUT_S)
    assert reception.findings is not None
    return reception.findings


def _keep(source: str, changes: Mapping[int, Value | None]) -> Findings:
    with memory_archive() as archive:
        return _store(archive, source, _content(changes))


def _refusal(source: str, changes: Mapping[int, Value | None], *, is_full: bool = False) -> tuple[str, ...]:
    with memory_archive(ArchiveSettings(validates_fully=is_full)) as archive:
        reception = begin_store(archive, LOCAL_OWNER, source=source)
        reception.write(_content(changes))
        with pytest.raises(InvalidDataset) as caught:
            reception.finish()
        assert archive.index.totals().instances == 0
        return caught.value.comments


def _metadata(archive: Archive) -> dict[str, object]:
    rows = archive.index.instances(Scope("1.2.3.1"))
    [text] = iter_metadata(archive, LOCAL_OWNER, rows, with_bulk_data_uri=False)
    found: dict[str, object] = orjson.loads(text)
    return found


@pytest.mark.parametrize("source", [SOURCE_V1, SOURCE_V2])
def test_a_valid_instance_is_kept_without_a_word(source: str) -> None:
    findings = _keep(source, {})
    assert (findings.comments, findings.invalid_paths, findings.has_several_values) == ((), (), False)


@pytest.mark.parametrize("source", [SOURCE_V1, SOURCE_V2])
@pytest.mark.parametrize(
    ("tag", "label"),
    [
        (0x0020000D, "(0020,000d)"),
        (0x0020000E, "(0020,000e)"),
        (0x00080018, "(0008,0018)"),
        (0x00080016, "(0008,0016)"),
        (PATIENT_ID, "(0010,0020)"),
    ],
)
def test_a_required_attribute_that_is_missing_is_fatal(source: str, tag: int, label: str) -> None:
    assert _refusal(source, {tag: None}) == (f"DICOM100: {label} - The required tag '{label}' is missing.",)


def test_an_empty_patient_id_is_fatal_for_version_1_and_a_comment_for_version_2() -> None:
    missing = ("DICOM100: (0010,0020) - The required tag '(0010,0020)' is missing.",)
    for value in (b"", b"  ", b"\0\0"):
        findings = _keep(SOURCE_V2, {PATIENT_ID: ("LO", value)})
        assert (findings.comments, findings.invalid_paths) == (missing, ())
    assert _refusal(SOURCE_V1, {PATIENT_ID: ("LO", b"")}) == missing


@pytest.mark.parametrize("source", [SOURCE_V1, SOURCE_V2])
@pytest.mark.parametrize("uid", [b"abc.123", b"11|", b"1" * 65])
def test_a_uid_that_is_none_is_fatal(source: str, uid: bytes) -> None:
    [comment] = _refusal(source, {0x0020000E: ("UI", uid)})
    assert comment.startswith(
        "DICOM100: (0020,000e) - Dicom element 'SeriesInstanceUID' failed validation for VR 'UI': "
    )


@pytest.mark.parametrize("source", [SOURCE_V1, SOURCE_V2])
def test_a_nul_that_is_no_padding_is_fatal_in_a_required_attribute(source: str) -> None:
    [comment] = _refusal(source, {PATIENT_ID: ("LO", b"\x000123\0")})
    assert comment == (
        "DICOM100: (0010,0020) - Dicom element 'PatientID' failed validation for VR 'LO': Value contains invalid "
        "character."
    )


def test_nuls_behind_a_value_are_padding_for_version_2_alone() -> None:
    value = {PATIENT_ID: ("LO", b"123\0")}
    assert not _keep(SOURCE_V2, value).comments
    assert _refusal(SOURCE_V1, value)
    assert not _keep(SOURCE_V1, {0x0020000E: ("UI", b"1.2.3\0")}).comments


@pytest.mark.parametrize(
    ("tag", "value", "reason"),
    [
        (
            STUDY_DATE,
            ("DA", b"NotAValidStudyDate"),
            "'StudyDate' failed validation for VR 'DA': Value cannot be parsed",
        ),
        (
            MODALITY,
            ("CS", b"X" * 17),
            "'Modality' failed validation for VR 'CS': Value length exceeds maximum length of",
        ),
        (DESCRIPTION, ("LO", b"x" * 65), "'StudyDescription' failed validation for VR 'LO': Value length exceeds"),
        (0x00080050, ("SH", b"x" * 17), "'AccessionNumber' failed validation for VR 'SH': Value length exceeds"),
        (0x00100010, ("PN", b"a^b^c^d^e^f"), "'PatientName' failed validation for VR 'PN': Value contains more than 5"),
        (0x00080090, ("PN", b"a\tb"), "'ReferringPhysicianName' failed validation for VR 'PN': Value contains invalid"),
        (0x00100030, ("DA", b"1"), "'PatientBirthDate' failed validation for VR 'DA'"),
        (0x00400244, ("DA", b"20261301"), "'PerformedProcedureStepStartDate' failed validation for VR 'DA'"),
        (0x00081090, ("LO", b"a\0b"), "'ManufacturerModelName' failed validation for VR 'LO'"),
        (STUDY_DATE, ("LO", b"20260228"), "'StudyDate' failed validation for VR 'DA': The element is encoded with VR"),
    ],
)
def test_every_searchable_attribute_is_fatal_for_version_1_and_left_out_by_version_2(
    tag: int, value: Value, reason: str
) -> None:
    [comment] = _refusal(SOURCE_V1, {tag: value})
    assert comment.removeprefix(f"DICOM100: ({tag >> 16:04x},{tag & 0xFFFF:04x}) - Dicom element ").startswith(reason)
    findings = _keep(SOURCE_V2, {tag: value})
    assert len(findings.comments) == 1
    assert findings.invalid_paths == (f"{tag:08X}",)
    assert tag not in findings.attributes


def test_version_1_does_not_look_at_other_attributes() -> None:
    assert not _keep(
        SOURCE_V1, {0x00281050: ("DS", b"wide"), 0x00100040: ("CS", b"male"), MODALITY: ("CS", b"ct")}
    ).comments


def test_what_version_2_finds_invalid_is_in_the_file_and_neither_in_index_nor_metadata() -> None:
    content = _content({STUDY_DATE: ("DA", b"NotAValidStudyDate")})
    with memory_archive() as archive:
        assert _store(archive, SOURCE_V2, content).comments == (NOT_A_DATE,)
        [row] = archive.index.instances(Scope("1.2.3.1"))
        assert archive.blobs.read(row.address) == content
        metadata = _metadata(archive)
        assert "00080020" not in metadata
        assert "00100010" in metadata
        [found] = archive.index.search(Query(Level.STUDY))
        assert STUDY_DATE not in found.attributes


def test_an_invalid_value_in_an_item_is_left_out_there_and_its_namesake_above_stays() -> None:
    item = implicit_element(ITEM, element(MODALITY, "CS", b"ct") + element(0x0020000E, "UI", b"1.2"))
    content = _content() + header(0x52009229, "SQ", len(item)) + item
    with memory_archive() as archive:
        findings = _store(archive, SOURCE_V2, content)
        assert findings.invalid_paths == ("52009229/0/00080060",)
        [comment] = findings.comments
        assert comment.startswith("DICOM100: (0008,0060) - ")
        metadata = _metadata(archive)
        assert metadata["00080060"] == {"vr": "CS", "Value": ["CT"]}
        assert metadata["52009229"] == {"vr": "SQ", "Value": [{"0020000E": {"vr": "UI", "Value": ["1.2"]}}]}
        assert findings.attributes[MODALITY] == "CT"


@pytest.mark.parametrize("source", [SOURCE_V1, SOURCE_V2])
def test_of_several_values_the_first_is_indexed(source: str) -> None:
    findings = _keep(source, {DESCRIPTION: ("LO", b"first\\second")})
    assert findings.has_several_values
    assert findings.attributes[DESCRIPTION] == "first"
    assert not findings.comments


@pytest.mark.parametrize("source", [SOURCE_V1, SOURCE_V2])
def test_full_validation_refuses_any_invalid_element_of_the_data_set(source: str) -> None:
    [comment] = _refusal(source, {0x00100040: ("CS", b"male")}, is_full=True)
    assert comment == 'DICOM100: (0010,0040) - Content "male" does not validate VR CS: value contains invalid character'


def test_what_comes_another_way_is_not_held_to_these_rules() -> None:
    with memory_archive() as archive:
        reception = begin_store(archive, LOCAL_OWNER, source="stow")
        reception.write(_content({STUDY_DATE: ("DA", b"tomorrow"), PATIENT_ID: None}))
        reception.finish().result(ANSWER_TIMEOUT_S)
        assert reception.findings is None
        assert "00080020" in _metadata(archive)


def test_a_reindex_leaves_out_the_same() -> None:
    with memory_archive() as archive:
        _store(archive, SOURCE_V2, _content({STUDY_DATE: ("DA", b"NotAValidStudyDate"), DESCRIPTION: ("LO", b"a\\b")}))
        before = [row.attributes for row in archive.index.search(Query(Level.INSTANCE))]
        fresh = MemoryInstanceIndex()
        reindex(index=fresh, blobs=archive.blobs, clock=FakeClock())
        [row] = fresh.instances(Scope("1.2.3.1"))
        assert fresh.invalid_paths([row.instance_key]) == {row.instance_key: ("00080020",)}
        assert [row.attributes for row in fresh.search(Query(Level.INSTANCE))] == before


def test_a_later_version_of_an_instance_has_its_own() -> None:
    with memory_archive() as archive:
        _store(archive, SOURCE_V2, _content({STUDY_DATE: ("DA", b"NotAValidStudyDate")}, number=4))
        _store(archive, SOURCE_V2, _content(number=5))
        rows = archive.index.instances(Scope("1.2.3.1"))
        found = archive.index.invalid_paths([row.instance_key for row in rows])
        assert list(found.values()) == [("00080020",)]


def test_the_values_of_an_instance_are_in_no_message() -> None:
    with memory_archive(ArchiveSettings(validates_fully=True)) as archive:
        reception = begin_store(archive, LOCAL_OWNER, source=SOURCE_V2)
        reception.write(_content({0x00101000: ("LO", b"secret\t")}))
        with pytest.raises(InvalidDataset) as caught:
            reception.finish()
        assert "secret" not in caught.value.message
        assert "secret" in caught.value.without_frames().comments[0]
