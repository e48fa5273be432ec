"""One question, two mouths: QIDO-RS and C-FIND ask the same query, and find what a plain reading of PS3.4 finds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from isocenter.archive.archive import Archive
from isocenter.archive.search import iter_search
from isocenter.dicom.part10 import encoding_of
from isocenter.dicomweb.codec.dialect import Dialect
from isocenter.dicomweb.codec.qido import parse_search
from isocenter.dimse.codec.find import FindOptions, FindRequest, decode_find_identifier
from isocenter.dimse.codec.find_answer import AnswerEncoder
from isocenter.dimse.codec.retrieve import STUDY_ROOT
from isocenter.domain.attributes import BY_KEYWORD
from isocenter.domain.identifiers import Level
from isocenter.domain.principal import LOCAL_OWNER
from isocenter.domain.query import Query
from isocenter.ports.index import InstanceIndex
from isocenter.storage.memory import MemoryInstanceIndex
from isocenter.storage.sqlite import SqliteInstanceIndex
from tests.support.dicom_files import quiet_pydicom
from tests.support.memory_archive import memory_archive, store
from tests.support.reference_matcher import find
from tests.support.search_questions import QUESTIONS, UID_KEYWORDS, Question, as_file, datasets, key_sets
from tests.support.shared_data import ManifestRow, manifest_params, read_bytes

IMPLICIT = encoding_of("1.2.840.10008.1.2")
STORED = datasets()


@pytest.fixture(params=["memory", "sqlite"], scope="module")
def archive(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    with ExitStack() as stack:
        index: InstanceIndex = MemoryInstanceIndex()
        if request.param == "sqlite":
            index = stack.enter_context(SqliteInstanceIndex(tmp_path_factory.mktemp("index") / "index.sqlite"))
        archive = stack.enter_context(memory_archive(index=index))
        for dataset in STORED:
            store(archive, as_file(dataset))
        yield archive


def _written(identifier: Dataset) -> bytes:
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, True
    with quiet_pydicom():
        write_dataset(buffer, identifier, parent_encoding="utf-8")
    return buffer.getvalue()


def _asked_by_find(question: Question) -> FindRequest:
    options = FindOptions(
        is_relational=question.is_relational,
        is_fuzzy="fuzzy" in question.options,
        has_empty_values="emptyvalue" in question.options,
        has_multiple_values="multiplevalue" in question.options,
    )
    return decode_find_identifier(_written(question.as_identifier()), IMPLICIT, STUDY_ROOT, options)


def _asked_by_qido(question: Question) -> Query:
    uid = question.study_instance_uid
    return parse_search(
        question.as_query_string(), Dialect.STANDARD, level=question.level, study_instance_uid=uid
    ).query


def _found_by_find(archive: Archive, request: FindRequest) -> list[str]:
    encoder = AnswerEncoder(request, IMPLICIT, retrieve_ae_title="ISOCENTER")
    found = iter_search(
        archive, LOCAL_OWNER, request.query, header_tags=request.header_tags, needs_header=encoder.needs_header
    )
    answers = [encoder.encode(one.row, one.header) for one in found]
    keyword = UID_KEYWORDS[request.query.level]
    return [pydicom.dcmread(DicomBytesIO(answer), force=True)[keyword].value for answer in answers]


def _found_by_qido(archive: Archive, query: Query) -> list[str]:
    tag = BY_KEYWORD[UID_KEYWORDS[query.level]].tag
    return [one.row.attributes[tag] for one in iter_search(archive, LOCAL_OWNER, query)]


@pytest.mark.parametrize("question", QUESTIONS, ids=[question.name for question in QUESTIONS])
def test_both_mouths_ask_the_same_and_find_what_there_is(archive: Archive, question: Question) -> None:
    request, query = _asked_by_find(question), _asked_by_qido(question)
    assert set(request.query.matches) == set(query.matches)
    assert not request.has_unmatched_keys
    by_find = _found_by_find(archive, request)
    assert set(by_find) == question.uids
    assert by_find == _found_by_qido(archive, query)
    assert len(set(by_find)) == len(by_find)


@pytest.mark.parametrize("question", QUESTIONS, ids=[question.name for question in QUESTIONS])
def test_the_table_says_what_the_standard_says(question: Question) -> None:
    found = find(
        STORED,
        question.keys,
        level=question.level,
        study_instance_uid=question.study_instance_uid,
        options=question.options,
    )
    assert found == question.uids


_OPTIONS = st.frozensets(st.sampled_from(["fuzzy", "emptyvalue"]))


@settings(max_examples=150, deadline=None)
@given(keys=key_sets(), options=_OPTIONS)
def test_any_keys_together_find_what_the_standard_says(
    archive: Archive, keys: dict[str, str], options: frozenset[str]
) -> None:
    question = Question("any", keys, options=options)
    expected = find(STORED, keys, options=options)
    assert set(_found_by_find(archive, _asked_by_find(question))) == expected
    assert set(_found_by_qido(archive, _asked_by_qido(question))) == expected


def test_the_table_asks_at_every_level_that_both_know() -> None:
    assert {question.level for question in QUESTIONS} == set(Level) - {Level.PATIENT}


@pytest.mark.parametrize("row", manifest_params(lambda row: row.folder == "charset" and row.is_instance))
def test_a_name_asked_for_in_the_character_set_of_its_file_is_found_and_comes_back(row: ManifestRow) -> None:
    content = read_bytes(row)
    with quiet_pydicom():
        stored = pydicom.dcmread(DicomBytesIO(content), force=True)
    terms = stored.get("SpecificCharacterSet")
    identifier = Dataset()
    if terms is not None:
        identifier.SpecificCharacterSet = terms
    identifier.QueryRetrieveLevel = "STUDY"
    identifier.StudyInstanceUID = ""
    identifier.PatientName = stored.PatientName
    with memory_archive() as archive:
        store(archive, content)
        request = decode_find_identifier(_written(identifier), IMPLICIT, STUDY_ROOT, FindOptions())
        [found] = iter_search(archive, LOCAL_OWNER, request.query)
        answer = AnswerEncoder(request, IMPLICIT, retrieve_ae_title="A").encode(found.row, found.header)
    with quiet_pydicom():
        told = pydicom.dcmread(DicomBytesIO(answer), force=True)
        told.decode()
        stored.decode()
        assert str(told.PatientName).rstrip("=^ ") == str(stored.PatientName).rstrip("=^ ")
