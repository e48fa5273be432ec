"""One question, two mouths: searches as text of QIDO-RS and as an identifier of C-FIND, and what each must find.

The table is run without a network (tests/conformance/test_questions.py) and over DIMSE (test_query.py). A study is
`1.2.3.<number>`, its series and instances are numbered below it.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import pydicom
from hypothesis import strategies as st
from pydicom.config import IGNORE
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, MRImageStorage

from isocenter.domain.identifiers import Level
from tests.support.dicom_files import quiet_pydicom

ROOT = "1.2.3"
LEVEL_NAMES = {Level.PATIENT: "PATIENT", Level.STUDY: "STUDY", Level.SERIES: "SERIES", Level.INSTANCE: "IMAGE"}
UID_KEYWORDS = {Level.STUDY: "StudyInstanceUID", Level.SERIES: "SeriesInstanceUID", Level.INSTANCE: "SOPInstanceUID"}


@dataclass(frozen=True)
class StoredStudy:
    """A study of the archive that is asked, with an instance in each series."""

    number: int
    patient_id: str
    name: str
    character_set: str
    date: str
    time: str
    accession: str
    description: str
    modalities: tuple[str, ...]
    timezone: str = ""
    issuer: str = ""
    accessions_of_requests: tuple[str, ...] = ()


STUDIES = (
    StoredStudy(1, "P1", "Doe^Jane", "", "20240102", "081500", "A1", "CHEST CT", ("CT", "SR")),
    StoredStudy(2, "P1", "Doe^Jane", "", "20240315", "235900", "A2", "CHEST XR", ("CR",)),
    StoredStudy(3, "P2", "Müller^Jürgen", "ISO_IR 100", "20240102", "120000", "B1", "Head MR", ("MR",)),
    StoredStudy(
        4,
        "P3",
        "Yamada^Tarou=山田^太郎=やまだ^たろう",
        "\\ISO 2022 IR 87",
        "20231231",
        "000100",
        "C1",
        "",
        ("MR", "MR"),
        accessions_of_requests=("R1", "R2"),
    ),
    StoredStudy(5, "P4", "O'Neil^Ann*", "", "20240401", "070000", "D?1", "Knee MR", ("MR", "CT"), issuer="WEST"),
    StoredStudy(6, "P6", "Иванов^Иван", "ISO_IR 144", "20240102", "", "", "Abdomen", ("US",), timezone="+0500"),
    StoredStudy(7, "P7", "Θεοδώρου^Άννα", "ISO_IR 126", "20240102", "233000", "A7", "Chest CT", ("CT", "PT"), "-0500"),
)


def datasets() -> list[Dataset]:
    """Return the instances, in the order in which they are stored."""
    return [
        _instance(study, series, modality)
        for study in STUDIES
        for series, modality in enumerate(study.modalities, start=1)
    ]


def _instance(study: StoredStudy, series: int, modality: str) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    with quiet_pydicom():
        dataset.SpecificCharacterSet = study.character_set.split("\\")
        dataset.SOPClassUID = MRImageStorage if modality == "MR" else CTImageStorage
        dataset.StudyInstanceUID = f"{ROOT}.{study.number}"
        dataset.SeriesInstanceUID = f"{dataset.StudyInstanceUID}.{series}"
        dataset.SOPInstanceUID = f"{dataset.SeriesInstanceUID}.1"
        dataset.PatientID, dataset.PatientName, dataset.IssuerOfPatientID = study.patient_id, study.name, study.issuer
        dataset.StudyDate, dataset.StudyTime, dataset.AccessionNumber = study.date, study.time, study.accession
        dataset.StudyDescription, dataset.Modality = study.description, modality
        dataset.StationName = f"STATION{study.number}"
        dataset.PatientWeight = 60 + study.number
        dataset.OtherPatientIDs = [f"X{study.number}", "ALL"]
        dataset.SeriesNumber, dataset.InstanceNumber = series, 1
        if study.timezone:
            dataset.TimezoneOffsetFromUTC = study.timezone
        code = Dataset()
        code.CodeValue, code.CodeMeaning = f"C{study.number}", "Chest"
        dataset.ProcedureCodeSequence = [code]
        dataset.RequestAttributesSequence = _requests(study)
    return dataset


def _requests(study: StoredStudy) -> list[Dataset]:
    requests = []
    for accession in study.accessions_of_requests or ("",):
        request = Dataset()
        request.ScheduledProcedureStepID = f"SPS{study.number}{accession}"
        request.AccessionNumber = accession
        requests.append(request)
    return requests


def as_file(dataset: Dataset) -> bytes:
    """Return an instance as the file that is stored."""
    written = io.BytesIO()
    with quiet_pydicom():
        pydicom.dcmwrite(written, dataset, enforce_file_format=True)
    return written.getvalue()


@dataclass(frozen=True)
class Question:
    """A search, and the numbers of what it finds: `"4"` is a study, `"4.2"` a series, `"4.2.1"` an instance."""

    name: str
    keys: dict[str, str] = field(default_factory=dict)
    """By keyword, down a sequence by dots."""
    expected: frozenset[str] = frozenset()
    level: Level = Level.STUDY
    study: int | None = None
    """Below which it is asked; None asks through all studies, which C-FIND calls relational."""
    options: frozenset[str] = frozenset()
    """What must be agreed on: fuzzy, emptyvalue, multiplevalue, as QIDO-RS names them."""

    @property
    def uids(self) -> set[str]:
        """Return the UIDs of what it finds."""
        return {f"{ROOT}.{number}" for number in self.expected}

    @property
    def study_instance_uid(self) -> str | None:
        """Return the study below which it is asked."""
        return None if self.study is None else f"{ROOT}.{self.study}"

    @property
    def is_relational(self) -> bool:
        """Tell whether C-FIND may ask it only where relational queries were agreed on."""
        return self.level > Level.STUDY and (self.study is None or self.level is Level.INSTANCE)

    @property
    def route(self) -> str:
        """Return where QIDO-RS asks it, below the root of the service."""
        resource = {Level.STUDY: "studies", Level.SERIES: "series", Level.INSTANCE: "instances"}[self.level]
        return f"/{resource}" if self.study is None else f"/studies/{self.study_instance_uid}/{resource}"

    def as_query_string(self) -> str:
        """Return it as QIDO-RS asks it, below the route of its study."""
        parameters = [f"{key}={quote(value, safe='*?')}" for key, value in self.keys.items()]
        return "&".join([*parameters, *(f"{option}matching=true" for option in sorted(self.options))])

    def as_identifier(self) -> Dataset:
        """Return it as C-FIND asks it, in UTF-8."""
        identifier = Dataset()
        identifier.SpecificCharacterSet = "ISO_IR 192"
        identifier.QueryRetrieveLevel = LEVEL_NAMES[self.level]
        for level, keyword in UID_KEYWORDS.items():
            if level <= self.level:
                _put(identifier, [keyword], (self.study_instance_uid or "") if level is Level.STUDY else "")
        for path, text in self.keys.items():
            _put(identifier, path.split("."), text)
        return identifier


def _put(dataset: Dataset, path: list[str], text: str) -> None:
    keyword, *rest = path
    tag = tag_for_keyword(keyword)
    assert tag is not None
    if rest:
        if tag not in dataset:
            dataset.add_new(tag, "SQ", Sequence([Dataset()]))
        _put(dataset[tag].value[0], rest, text)
        return
    values: Any = text.split("\\") if "\\" in text else text
    dataset[tag] = DataElement(tag, dictionary_VR(tag), values, validation_mode=IGNORE)


def _of(name: str, keys: dict[str, str], expected: str, **others: Any) -> Question:
    others["options"] = frozenset(others.get("options", ()))
    return Question(name, keys, frozenset(expected.split()), **others)


_SERIES, _INSTANCE = Level.SERIES, Level.INSTANCE
QUESTIONS = (
    _of("everything", {}, "1 2 3 4 5 6 7"),
    _of("nothing", {"PatientID": "NOBODY"}, ""),
    _of("a single value", {"PatientID": "P1"}, "1 2"),
    _of("a value with a blank behind it", {"PatientID": "P1 "}, "1 2"),
    _of("an identifier in another case", {"PatientID": "p1"}, ""),
    _of("an issuer", {"IssuerOfPatientID": "WEST"}, "5"),
    _of("universal, by no value", {"PatientID": ""}, "1 2 3 4 5 6 7"),
    _of("universal, by a wild card, and so what is empty too", {"AccessionNumber": "*"}, "1 2 3 4 5 6 7"),
    _of("a wild card at the end", {"PatientName": "Doe*"}, "1 2"),
    _of("a wild card within", {"StudyDescription": "*MR"}, "3 5"),
    _of("one character", {"AccessionNumber": "?1"}, "1 3 4"),
    _of("characters that are none to a pattern", {"StudyDescription": "[C]hest*"}, ""),
    _of("a description without regard to case", {"StudyDescription": "chest ct"}, "1 7"),
    _of("a name without regard to case", {"PatientName": "doe^jane"}, "1 2"),
    _of("a part of a name is not the name", {"PatientName": "Doe"}, ""),
    _of("a name without accents", {"PatientName": "muller^jurgen"}, "3"),
    _of("a name with accents", {"PatientName": "Müller^Jürgen"}, "3"),
    _of("a name in Cyrillic", {"PatientName": "иванов*"}, "6"),
    _of("a name in Greek, without accents", {"PatientName": "Θεοδωρου^Αννα"}, "7"),
    _of("the alphabetic group of a name", {"PatientName": "Yamada^Tarou"}, "4"),
    _of("the ideographic group of a name", {"PatientName": "=山田*"}, "4"),
    _of("the phonetic group of a name", {"PatientName": "==やまだ*"}, "4"),
    _of("a name in any group", {"PatientName": "山田^太郎"}, "4"),
    _of("two groups of which one does not fit", {"PatientName": "Doe*=山田*"}, ""),
    _of("words of a name", {"PatientName": "doe jan"}, "1 2", options=["fuzzy"]),
    _of("words of a name, not agreed on", {"PatientName": "doe jan"}, ""),
    _of("a date", {"StudyDate": "20240102"}, "1 3 6 7"),
    _of("a range of dates", {"StudyDate": "20240101-20240331"}, "1 2 3 6 7"),
    _of("from a date on", {"StudyDate": "20240315-"}, "2 5"),
    _of("up to a date", {"StudyDate": "-20231231"}, "4"),
    _of("an hour", {"StudyTime": "08"}, "1"),
    _of("a range of times", {"StudyTime": "0700-0900"}, "1 5"),
    _of("a date and a time apart", {"StudyDate": "20240101-20240331", "StudyTime": "0800-1300"}, "1 3"),
    _of("a modality of the study", {"ModalitiesInStudy": "CT"}, "1 5 7"),
    _of("one of some modalities", {"ModalitiesInStudy": "SR\\CR"}, "1 2"),
    _of("all of some modalities", {"ModalitiesInStudy": "CT\\MR"}, "5", options=["multiplevalue"]),
    _of("the modality of a study means those in it", {"Modality": "PT"}, "7"),
    _of("an SOP class in the study", {"SOPClassesInStudy": MRImageStorage}, "3 4 5"),
    _of("two keys together", {"PatientID": "P1", "ModalitiesInStudy": "CR"}, "2"),
    _of("a list of UIDs", {"StudyInstanceUID": "1.2.3.1\\1.2.3.4\\1.9"}, "1 4"),
    _of("what is empty", {"AccessionNumber": '""'}, "6", options=["emptyvalue"]),
    _of("two quotes, not agreed on", {"AccessionNumber": '""'}, ""),
    _of("a time that is empty", {"StudyTime": '""', "StudyDate": "20240102"}, "6", options=["emptyvalue"]),
    _of("what the index does not keep", {"StationName": "STATION3"}, "3"),
    _of("what the index does not keep, by a wild card", {"StationName": "STATION*"}, "1 2 3 4 5 6 7"),
    _of("what the index does not keep, with what it does", {"StationName": "STATION?", "PatientID": "P1"}, "1 2"),
    _of("a number in another spelling", {"PatientWeight": "63.0"}, "3"),
    _of("one of several values", {"OtherPatientIDs": "X5"}, "5"),
    _of("all of several values", {"OtherPatientIDs": "X5\\ALL"}, "5", options=["multiplevalue"]),
    _of("an item of a sequence", {"ProcedureCodeSequence.CodeValue": "C2"}, "2"),
    _of(
        "two keys of one item",
        {"ProcedureCodeSequence.CodeValue": "C?", "ProcedureCodeSequence.CodeMeaning": "Chest"},
        "1 2 3 4 5 6 7",
    ),
    _of(
        "two keys that no item fits",
        {"ProcedureCodeSequence.CodeValue": "C2", "ProcedureCodeSequence.CodeMeaning": "Head"},
        "",
    ),
    _of("the series of a study", {}, "1.1 1.2", level=_SERIES, study=1),
    _of("a modality among the series of a study", {"Modality": "CT"}, "1.1", level=_SERIES, study=1),
    _of("a number among the series of a study", {"SeriesNumber": "02"}, "5.2", level=_SERIES, study=5),
    _of("a series that is of another study", {"SeriesInstanceUID": "1.2.3.2.1"}, "", level=_SERIES, study=1),
    _of(
        "the series of a request",
        {"RequestAttributesSequence.AccessionNumber": "R2"},
        "4.1 4.2",
        level=_SERIES,
        study=4,
    ),
    _of(
        "two keys of one request",
        {
            "RequestAttributesSequence.AccessionNumber": "R2",
            "RequestAttributesSequence.ScheduledProcedureStepID": "SPS4R2",
        },
        "4.1 4.2",
        level=_SERIES,
        study=4,
    ),
    _of(
        "two keys of two requests",
        {
            "RequestAttributesSequence.AccessionNumber": "R2",
            "RequestAttributesSequence.ScheduledProcedureStepID": "SPS4R1",
        },
        "",
        level=_SERIES,
        study=4,
    ),
    _of("series of all studies", {"Modality": "MR"}, "3.1 4.1 4.2 5.1", level=_SERIES),
    _of("series by what their patient is called", {"PatientName": "Doe*"}, "1.1 1.2 2.1", level=_SERIES),
    _of("instances of all studies", {"SOPClassUID": MRImageStorage}, "3.1.1 4.1.1 4.2.1 5.1.1", level=_INSTANCE),
    _of("instances of a study", {"Modality": "MR"}, "4.1.1 4.2.1", level=_INSTANCE, study=4),
    _of("an instance by its UID", {"SOPInstanceUID": "1.2.3.5.2.1"}, "5.2.1", level=_INSTANCE),
    _of("instances by their number", {"InstanceNumber": "1", "PatientID": "P4"}, "5.1.1 5.2.1", level=_INSTANCE),
)

KEY_VALUES = {
    "PatientID": ["P1", "p1", "P?", "*2", "", "P1\\P2"],
    "PatientName": ["doe*", "*^J*", "Müller^Jürgen", "=山田*", "yamada^tarou=山田^太郎", "??????^*", "doe"],
    "StudyDate": ["20240102", "20240102-", "-20240102", "20240101-20240331"],
    "StudyTime": ["08", "0700-2330", "-120000", "2359-"],
    "AccessionNumber": ["A1", "?1", "D?1", '""', "*"],
    "StudyDescription": ["chest ct", "*ct*", "Head?MR", "head"],
    "ModalitiesInStudy": ["CT", "MR\\SR", "C?", "ct"],
    "StationName": ["STATION1", "*3", "station1"],
    "PatientWeight": ["61", "61.0", "6.3e1"],
    "OtherPatientIDs": ["X1", "ALL", "X1\\X2", "X?"],
    "ProcedureCodeSequence.CodeValue": ["C1", "C*", "c1"],
    "ProcedureCodeSequence.CodeMeaning": ["Chest", "Head"],
}


def key_sets() -> st.SearchStrategy[dict[str, str]]:
    """Return a strategy for keys of a search of studies, asked together."""
    return st.lists(st.sampled_from(sorted(KEY_VALUES)), max_size=3, unique=True).flatmap(
        lambda names: st.fixed_dictionaries({name: st.sampled_from(KEY_VALUES[name]) for name in names})
    )
