"""C-FIND asked by pynetdicom, and each question asked of QIDO-RS too: both must find the same."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation
from structlog.testing import capture_logs

from isocenter.archive.archive import Archive
from isocenter.dicomweb.server.dispatch import DicomwebApplication
from isocenter.dicomweb.server.service import Service
from isocenter.dimse.scp.find import FindProvider
from isocenter.dimse.scp.query import SUPPORTED, query_of
from isocenter.dimse.shell.service import QUERY_TRANSFER_SYNTAX_UIDS
from isocenter.domain.attributes import BY_KEYWORD
from isocenter.domain.principal import LOCAL_OWNER
from tests.support.asgi_call import ask
from tests.support.dicom_files import quiet_pydicom
from tests.support.dimse_thread import AE_TITLE, HOST, DimseNode, Served, dimse_node
from tests.support.memory_archive import memory_archive, store
from tests.support.search_questions import QUESTIONS, UID_KEYWORDS, Question, as_file, datasets

PATIENT_ROOT = "1.2.840.10008.5.1.4.1.2.1.1"
STUDY_ROOT = "1.2.840.10008.5.1.4.1.2.2.1"
SUCCESS, PENDING_WITH_WARNING, REFUSED = 0x0000, 0xFF01, 0xA900


@pytest.fixture(scope="module")
def archive() -> Iterator[Archive]:
    with memory_archive() as archive, capture_logs(), quiet_pydicom():
        for dataset in datasets():
            store(archive, as_file(dataset))
        yield archive


@pytest.fixture(scope="module")
def node(archive: Archive) -> Iterator[DimseNode]:
    with dimse_node(
        lambda _: Served([FindProvider(query_of(archive), ae_title=AE_TITLE, supported=SUPPORTED).service()])
    ) as node:
        yield node


@pytest.fixture(scope="module")
def qido(archive: Archive) -> Iterator[DicomwebApplication]:
    with ThreadPoolExecutor(2) as executor:
        yield DicomwebApplication(Service(archive, executor, lambda headers: LOCAL_OWNER), root_path="/dicom-web")


def _keys(level: str, **attributes: Any) -> Dataset:
    keys = Dataset()
    keys.SpecificCharacterSet = "ISO_IR 192"
    keys.QueryRetrieveLevel = level
    with quiet_pydicom():
        for keyword, value in attributes.items():
            setattr(keys, keyword, value)
    return keys


@dataclass
class Answer:
    """What came of a C-FIND."""

    identifiers: list[Dataset]
    statuses: list[Dataset]

    @property
    def final(self) -> Dataset:
        return self.statuses[-1]

    def values(self, keyword: str) -> list[Any]:
        return [identifier.get(keyword) for identifier in self.identifiers]


def _find(
    node: DimseNode,
    keys: Dataset,
    *,
    model: str = STUDY_ROOT,
    syntax: str = ExplicitVRLittleEndian,
    options: bytes = b"",
) -> Answer:
    ae = AE("VIEWER")
    ae.add_requested_context(model, syntax)
    negotiated: list[Any] = []
    if options:
        extended = SOPClassExtendedNegotiation()
        extended.sop_class_uid, extended.service_class_application_information = model, options
        negotiated = [extended]
    association = ae.associate(HOST, node.port, ae_title=AE_TITLE, ext_neg=negotiated)
    assert association.is_established
    try:
        answers = list(association.send_c_find(keys, model))
    finally:
        association.release()
    return Answer([one for _, one in answers if one is not None], [status for status, _ in answers])


def _options(question: Question) -> bytes:
    asked = question.options
    return bytes((question.is_relational, 0, "fuzzy" in asked, 0, 0, "emptyvalue" in asked, "multiplevalue" in asked))


@pytest.mark.parametrize("question", QUESTIONS, ids=[question.name for question in QUESTIONS])
def test_both_mouths_give_the_same_answer(node: DimseNode, qido: DicomwebApplication, question: Question) -> None:
    answer = _find(node, question.as_identifier(), options=_options(question))
    assert answer.final.Status == SUCCESS
    keyword = UID_KEYWORDS[question.level]
    assert sorted(answer.values(keyword)) == sorted(question.uids)
    asked = ask(
        qido,
        "GET",
        f"/dicom-web{question.route}",
        headers={"accept": "application/dicom+json"},
        query=question.as_query_string(),
    )
    assert asked.status in (200, 204), asked.body
    rows = orjson.loads(asked.body) if asked.status == 200 else []
    tag = f"{BY_KEYWORD[keyword].tag:08X}"
    assert sorted(row[tag]["Value"][0] for row in rows) == sorted(question.uids)


@pytest.mark.parametrize("syntax", QUERY_TRANSFER_SYNTAX_UIDS)
def test_an_answer_holds_what_was_asked_for_and_how_it_is_meant(node: DimseNode, syntax: str) -> None:
    keys = _keys("STUDY", PatientID="P1", StudyDate="20240102", PatientName="", ModalitiesInStudy="", StationName="")
    keys.NumberOfStudyRelatedInstances = keys.NumberOfStudyRelatedSeries = None
    code = Dataset()
    code.CodeValue = ""
    keys.ProcedureCodeSequence = [code]
    keys.PatientComments = ""
    [found] = _find(node, keys, syntax=syntax).identifiers
    assert (found.QueryRetrieveLevel, found.RetrieveAETitle, found.InstanceAvailability) == (
        "STUDY",
        AE_TITLE,
        "ONLINE",
    )
    assert (found.PatientID, found.PatientName, found.StudyDate) == ("P1", "Doe^Jane", "20240102")
    assert sorted(found.ModalitiesInStudy) == ["CT", "SR"]
    assert (found.NumberOfStudyRelatedSeries, found.NumberOfStudyRelatedInstances) == (2, 2)
    assert found.StationName == "STATION1"
    assert [list(item.keys()) for item in found.ProcedureCodeSequence] == [[0x00080100]]
    assert found.ProcedureCodeSequence[0].CodeValue == "C1"
    assert found.PatientComments == ""
    assert "StudyDescription" not in found
    assert found.StudyInstanceUID == "1.2.3.1"


def test_names_come_in_a_character_set_that_the_caller_reads(node: DimseNode) -> None:
    [found] = _find(node, _keys("STUDY", PatientID="P3", PatientName="")).identifiers
    assert found.SpecificCharacterSet == "ISO_IR 192"
    assert found.PatientName == "Yamada^Tarou=山田^太郎=やまだ^たろう"
    keys = _keys("STUDY", PatientID="P2", PatientName="")
    keys.SpecificCharacterSet = "ISO_IR 100"
    [found] = _find(node, keys).identifiers
    assert found.SpecificCharacterSet == "ISO_IR 100"
    assert found.PatientName == "Müller^Jürgen"


def test_the_levels_of_both_roots_lead_down_to_an_instance(node: DimseNode) -> None:
    patients = _find(node, _keys("PATIENT", PatientID="", PatientName="Doe*"), model=PATIENT_ROOT)
    assert patients.values("PatientID") == ["P1"]
    keys = _keys("STUDY", PatientID="P1", StudyInstanceUID="", StudyDate="20240102")
    studies = _find(node, keys, model=PATIENT_ROOT)
    assert studies.values("StudyInstanceUID") == ["1.2.3.1"]
    keys = _keys("SERIES", StudyInstanceUID="1.2.3.1", SeriesInstanceUID="", Modality="CT")
    assert _find(node, keys).values("SeriesInstanceUID") == ["1.2.3.1.1"]
    keys = _keys(
        "IMAGE", StudyInstanceUID="1.2.3.1", SeriesInstanceUID="1.2.3.1.2", SOPInstanceUID="", InstanceNumber=""
    )
    assert _find(node, keys).values("SOPInstanceUID") == ["1.2.3.1.2.1"]


def test_counts_of_a_patient_are_given(node: DimseNode) -> None:
    keys = _keys("PATIENT", PatientID="P1", NumberOfPatientRelatedStudies=None, NumberOfPatientRelatedInstances=None)
    [found] = _find(node, keys, model=PATIENT_ROOT).identifiers
    assert (found.NumberOfPatientRelatedStudies, found.NumberOfPatientRelatedInstances) == (2, 3)


def test_a_sequence_is_matched_by_what_its_item_holds(node: DimseNode) -> None:
    step = Dataset()
    step.ScheduledProcedureStepID = "SPS4R2"
    keys = _keys("SERIES", StudyInstanceUID="1.2.3.4", SeriesInstanceUID="", RequestAttributesSequence=[step])
    found = _find(node, keys).identifiers
    assert len(found) == 2
    assert [[item.ScheduledProcedureStepID for item in one.RequestAttributesSequence] for one in found] == [
        ["SPS4R2"]
    ] * 2
    step.ScheduledProcedureStepID = "SPS5"
    assert _find(node, keys).identifiers == []


def test_dates_and_times_are_one_range_only_where_that_was_agreed_on(node: DimseNode) -> None:
    keys = _keys("STUDY", StudyInstanceUID="", StudyDate="20231231-20240102", StudyTime="0000-1000")
    assert set(_find(node, keys).values("StudyInstanceUID")) == {"1.2.3.1", "1.2.3.4"}
    keys.StudyDate, keys.StudyTime = "20240102-20240315", "0900-0100"
    combined = _find(node, keys, options=b"\x00\x01")
    assert set(combined.values("StudyInstanceUID")) == {"1.2.3.3", "1.2.3.6", "1.2.3.7"}


def test_times_are_meant_in_the_zone_of_the_caller_only_where_that_was_agreed_on(node: DimseNode) -> None:
    keys = _keys("STUDY", StudyInstanceUID="", StudyDate="20240103", StudyTime="", TimezoneOffsetFromUTC="+0000")
    assert _find(node, keys).identifiers == []
    [found] = _find(node, keys, options=b"\x00\x00\x00\x01").identifiers
    assert (found.StudyInstanceUID, found.StudyTime, found.TimezoneOffsetFromUTC) == ("1.2.3.7", "233000", "-0500")


def test_a_name_is_fuzzy_only_where_that_was_agreed_on(node: DimseNode) -> None:
    keys = _keys("STUDY", StudyInstanceUID="", PatientName="jane doe")
    assert _find(node, keys).identifiers == []
    keys.PatientName = "doe jan"
    assert set(_find(node, keys, options=b"\x00\x00\x01").values("StudyInstanceUID")) == {"1.2.3.1", "1.2.3.2"}


def test_relational_queries_need_no_keys_above_where_that_was_agreed_on(node: DimseNode) -> None:
    keys = _keys("SERIES", SeriesInstanceUID="", Modality="CT")
    refused = _find(node, keys)
    assert (refused.final.Status, refused.final.OffendingElement) == (REFUSED, 0x0020000D)
    found = _find(node, keys, options=b"\x01")
    assert set(found.values("SeriesInstanceUID")) == {"1.2.3.1.1", "1.2.3.5.2", "1.2.3.7.1"}


@pytest.mark.parametrize(
    ("keys", "offending"),
    [
        ({"QueryRetrieveLevel": "FRAME"}, 0x00080052),
        ({"QueryRetrieveLevel": "PATIENT"}, 0x00080052),
        ({"QueryRetrieveLevel": "IMAGE", "StudyInstanceUID": "1.2.3.1"}, 0x0020000E),
        ({"QueryRetrieveLevel": "SERIES", "StudyInstanceUID": "1.2.3.*"}, 0x0020000D),
        ({"QueryRetrieveLevel": "SERIES", "StudyInstanceUID": "1.2\\1.3"}, 0x0020000D),
        ({"QueryRetrieveLevel": "STUDY", "StudyDate": "yesterday"}, 0x00080020),
    ],
)
def test_what_does_not_fit_is_refused_with_the_attribute_at_fault(
    node: DimseNode, keys: dict[str, str], offending: int
) -> None:
    refused = _find(node, _keys("", **keys))
    assert refused.identifiers == []
    assert (refused.final.Status, refused.final.OffendingElement) == (REFUSED, offending)
    assert _find(node, _keys("STUDY", PatientID="P2")).final.Status == SUCCESS


def test_a_key_that_cannot_be_matched_is_returned_and_told(node: DimseNode) -> None:
    answer = _find(node, _keys("STUDY", PatientID="P2", NumberOfStudyRelatedSeries="7"))
    assert [status.Status for status in answer.statuses] == [PENDING_WITH_WARNING, SUCCESS]
    assert answer.values("NumberOfStudyRelatedSeries") == [1]
