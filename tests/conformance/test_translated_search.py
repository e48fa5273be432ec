"""A search that is translated for a server finds what it finds when it is asked directly, whatever the server can do.

The server is our own edge, in the dialect that comes nearest to the profile; what it answers too widely is matched
here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from isocenter.archive.archive import Archive
from isocenter.archive.search import iter_search
from isocenter.dicom.dataset import decode_dataset, values_of
from isocenter.dicom.part10 import read_encoding
from isocenter.dicomweb.codec.dialect import Dialect
from isocenter.dicomweb.codec.qido import parse_search
from isocenter.domain.attributes import BY_KEYWORD
from isocenter.domain.errors import InvalidRequest
from isocenter.domain.identifiers import Level
from isocenter.domain.principal import LOCAL_OWNER
from isocenter.domain.query import Query
from isocenter.domain.values import Values
from isocenter.routing.configuration.destination import WebProfile
from isocenter.routing.translation.answer import fits_residual
from isocenter.routing.translation.profile import PROFILES
from isocenter.routing.translation.search import SearchRequest, translate_search
from tests.support.memory_archive import memory_archive, store
from tests.support.reference_matcher import find
from tests.support.search_questions import QUESTIONS, UID_KEYWORDS, Question, as_file, datasets, key_sets

STORED = datasets()
ROUTES = {"studies": Level.STUDY, "series": Level.SERIES, "instances": Level.INSTANCE}


@pytest.fixture(scope="module")
def archive() -> Iterator[Archive]:
    with memory_archive() as archive:
        for dataset in STORED:
            store(archive, as_file(dataset))
        yield archive


def _asked(archive: Archive, request: SearchRequest, dialect: Dialect) -> set[str]:
    """Return the UIDs that a server answers to a request of QIDO-RS."""
    parts = request.path.strip("/").split("/")
    level = ROUTES[parts[-1]]
    parsed = parse_search(
        request.query_string,
        dialect,
        level=level,
        study_instance_uid=parts[1] if len(parts) > 2 else None,
        series_instance_uid=parts[3] if len(parts) > 4 else None,
    )
    assert not [text for text in parsed.warnings if "not supported for matching" in text], parsed.warnings
    tag = BY_KEYWORD[UID_KEYWORDS[level]].tag
    return {one.row.attributes[tag] for one in iter_search(archive, LOCAL_OWNER, parsed.query)}


def _rows(level: Level) -> Mapping[str, list[Values]]:
    """Return what a server can return of each thing: the attributes of its instances, with what is told of them all."""
    found: dict[str, list[Dataset]] = {}
    for dataset in STORED:
        found.setdefault(dataset[UID_KEYWORDS[level]].value, []).append(dataset)
    return {uid: [_values(one, instances) for one in instances] for uid, instances in found.items()}


def _values(dataset: Dataset, instances: list[Dataset]) -> Values:
    content = as_file(dataset)
    encoding, offset = read_encoding(content)
    computed = {
        "00080061": sorted({one.Modality for one in instances}),
        "00080062": sorted({one.SOPClassUID for one in instances}),
    }
    return {**values_of(decode_dataset(content[offset:], encoding)), **computed}


def _query(question: Question) -> Query:
    uid = question.study_instance_uid
    return parse_search(
        question.as_query_string(), Dialect.STANDARD, level=question.level, study_instance_uid=uid
    ).query


@pytest.mark.parametrize("profile", list(WebProfile))
@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)
def test_a_translated_search_finds_the_same(archive: Archive, question: Question, profile: WebProfile) -> None:
    _ask_translated(archive, question, profile, expected=question.uids)


@pytest.mark.parametrize("profile", list(WebProfile))
@settings(max_examples=60, deadline=None)
@given(keys=key_sets(), options=st.frozensets(st.sampled_from(["fuzzy", "emptyvalue"])))
def test_any_keys_together_are_translated_so_that_they_find_what_the_standard_says(
    archive: Archive, profile: WebProfile, keys: dict[str, str], options: frozenset[str]
) -> None:
    question = Question("any", keys, options=options)
    _ask_translated(archive, question, profile, expected=find(STORED, keys, options=options))


def _ask_translated(archive: Archive, question: Question, profile: WebProfile, *, expected: set[str]) -> None:
    query = _query(question)
    translated = translate_search(query, PROFILES[profile])
    dialect = Dialect.AZURE_V2 if profile is WebProfile.AZURE else Dialect.STANDARD
    answered = set().union(*(_asked(archive, request, dialect) for request in translated.requests))
    assert expected <= answered, "the server must be asked for no less than is meant"
    rows = _rows(query.level)
    fitting = {uid for uid in answered if any(fits_residual(translated.residual, row) for row in rows[uid])}
    assert fitting == expected


def test_the_simulated_cloud_refuses_what_azure_refuses(archive: Archive) -> None:
    with pytest.raises(InvalidRequest):
        _asked(archive, SearchRequest("/studies", (("StationName", "X"),)), Dialect.AZURE_V2)
