from __future__ import annotations

import io

import pytest
from pydicom import dcmread

from isocenter.dicom import media_directory
from isocenter.dicom.media_directory import (
    FileReference,
    Record,
    has_title,
    keys_of_type,
    record_type_of,
    text_keys,
    title_key,
    write_directory,
)
from isocenter.domain.errors import InvalidRequest, TooLarge

CT, SR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.88.11"
EXPLICIT = "1.2.840.10008.1.2.1"


def _image(number: int, *file_id: str) -> Record:
    file = FileReference(file_id or ("DICOM", f"IM{number:06d}"), CT, f"1.2.{number}", EXPLICIT)
    return Record("IMAGE", text_keys({"InstanceNumber": str(number)}), file)


def _patient(number: int, *below: Record) -> Record:
    series = Record("SERIES", text_keys({"Modality": "CT", "SeriesInstanceUID": f"1.{number}"}), below=list(below))
    study = Record("STUDY", text_keys({"StudyInstanceUID": f"1.{number}"}), below=[series])
    return Record("PATIENT", text_keys({"PatientName": "Größe^山", "PatientID": f"P{number}"}), below=[study])


def _written(*roots: Record) -> bytes:
    return write_directory(roots, file_set_id="SET", sop_instance_uid="1.2.3")


def test_records_lead_to_the_next_and_to_those_below() -> None:
    content = _written(_patient(1, _image(1), _image(2)), _patient(2, _image(3)))
    found = dcmread(io.BytesIO(content))
    assert found.file_meta.MediaStorageSOPClassUID == media_directory.MEDIA_STORAGE_DIRECTORY
    by_offset = {item.seq_item_tell: item for item in found.DirectoryRecordSequence}

    def walk(offset: int) -> list[object]:
        names: list[object] = []
        while offset:
            item = by_offset[offset]
            names += [item.DirectoryRecordType, *walk(item.OffsetOfReferencedLowerLevelDirectoryEntity)]
            offset = item.OffsetOfTheNextDirectoryRecord
        return names

    first = found.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity
    assert walk(first) == ["PATIENT", "STUDY", "SERIES", "IMAGE", "IMAGE", "PATIENT", "STUDY", "SERIES", "IMAGE"]
    last = by_offset[found.OffsetOfTheLastDirectoryRecordOfTheRootDirectoryEntity]
    assert last.PatientID == "P2"
    assert str(last.PatientName) == "Größe^山"


def test_an_empty_file_set_has_a_directory_without_records() -> None:
    found = dcmread(io.BytesIO(_written()))
    assert found.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity == 0
    assert len(found.DirectoryRecordSequence) == 0


@pytest.mark.parametrize("file_id", [("lower",), ("NINECHARS",), ("",), ("A-B",)])
def test_a_file_id_that_media_cannot_have_is_refused(file_id: tuple[str, ...]) -> None:
    with pytest.raises(InvalidRequest):
        _written(_patient(1, _image(1, *file_id)))


def test_more_than_offsets_can_say_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media_directory, "SIZE_MAX_BYTES", 1000)
    with pytest.raises(TooLarge):
        _written(_patient(1, *(_image(number) for number in range(10))))


@pytest.mark.parametrize(
    ("sop_class_uid", "record_type"),
    [
        (CT, "IMAGE"),
        (SR, "SR DOCUMENT"),
        ("1.2.840.10008.5.1.4.1.1.88.59", "KEY OBJECT DOC"),
        ("1.2.840.10008.5.1.4.1.1.11.1", "PRESENTATION"),
        ("1.2.840.10008.5.1.4.1.1.9.1.1", "WAVEFORM"),
        ("1.2.840.10008.5.1.4.1.1.104.1", "ENCAP DOC"),
        ("1.2.840.10008.5.1.4.1.1.481.3", "RT STRUCTURE SET"),
        ("1.2.840.10008.5.1.4.1.1.66.4", "IMAGE"),
        ("1.2.840.10008.5.1.4.1.1.66.1", "REGISTRATION"),
        ("1.2.3", "IMAGE"),
    ],
)
def test_records_have_the_type_of_what_they_lead_to(sop_class_uid: str, record_type: str) -> None:
    assert record_type_of(sop_class_uid) == record_type


def test_documents_tell_their_title_and_images_nothing_further() -> None:
    assert has_title("SR DOCUMENT")
    assert not has_title("IMAGE")
    assert "CompletionFlag" in keys_of_type("SR DOCUMENT")
    assert keys_of_type("IMAGE") == ()
    keys = text_keys({"InstanceNumber": "1"}) | title_key("18747-6", "LN", "CT Report")
    report = Record("SR DOCUMENT", keys, FileReference(("A",), SR, "1.2", EXPLICIT))
    (found,) = dcmread(io.BytesIO(_written(report))).DirectoryRecordSequence
    assert found.ConceptNameCodeSequence[0].CodeMeaning == "CT Report"
