from __future__ import annotations

from typing import Any

import pytest

from isocenter.dicom.dataset import encode_dataset
from isocenter.dicom.json_reader import parse_dicom_json
from isocenter.dicom.model import Encoding
from isocenter.dicom.part10 import encoding_of
from isocenter.dimse.codec.find import FindOptions, decode_find_identifier
from isocenter.dimse.codec.retrieve import STUDY_ROOT
from isocenter.domain.identifiers import Level
from isocenter.domain.query import (
    Between,
    DateAndTime,
    Empty,
    InItem,
    Match,
    OneOf,
    PersonName,
    Query,
    Wildcard,
    WordPrefixes,
)
from isocenter.routing.translation.identifier import find_document, fits_row, matches_of, steps_down

NAME, PATIENT_ID, STUDY_DATE, STUDY_TIME, STUDY_UID = 0x00100010, 0x00100020, 0x00080020, 0x00080030, 0x0020000D
MODALITY, SERIES_UID, SOP_UID, REQUESTS, ACCESSION = 0x00080060, 0x0020000E, 0x00080018, 0x00400275, 0x00080050
STATION = 0x00081010
EXPLICIT: Encoding = encoding_of("1.2.840.10008.1.2.1")


def _document(*matches: Match, level: Level = Level.STUDY, **above: str) -> dict[str, Any]:
    named = {Level[name.upper()]: uid for name, uid in above.items()}
    return find_document(Query(level, matches), level, above=named, returned=())


def _asked(match: Match) -> dict[str, Any]:
    """Return what is asked for one match, without what every identifier has."""
    return {tag: entry for tag, entry in _document(match).items() if tag not in ("00080052", "0020000D")}


@pytest.mark.parametrize(
    ("match", "asked"),
    [
        (OneOf(PATIENT_ID, ("P1",)), {"00100020": {"Value": ["P1"]}}),
        (OneOf(PATIENT_ID, ("P1", "P2")), {"00100020": {}}),
        (Wildcard(PATIENT_ID, "P*"), {"00100020": {"Value": ["P*"]}}),
        (Between(STUDY_DATE, "20240101", "20241231"), {"00080020": {"Value": ["20240101-20241231"]}}),
        (Between(STUDY_DATE, "20240101", None), {"00080020": {"Value": ["20240101-"]}}),
        (Between(STUDY_DATE, None, "20241231"), {"00080020": {"Value": ["-20241231"]}}),
        (Between(STUDY_DATE, "20240101", "20240101"), {"00080020": {"Value": ["20240101"]}}),
        (Between(STUDY_DATE, None, None), {"00080020": {}}),
        (PersonName(NAME, ("Doe^J*",)), {"00100010": {"Value": ["Doe^J*"]}}),
        (PersonName(NAME, ("山田",), in_any_group=True), {"00100010": {}}),
        (WordPrefixes(NAME, ("jo", "doering")), {"00100010": {"Value": ["*doering*"]}}),
        (WordPrefixes(NAME, ()), {"00100010": {}}),
        (Empty(ACCESSION), {"00080050": {}}),
        (
            DateAndTime(STUDY_DATE, STUDY_TIME, ("20240101", "20240102"), ("08", "09")),
            {"00080020": {"Value": ["20240101-20240102"]}, "00080030": {"Value": ["08-09"]}},
        ),
        (
            DateAndTime(STUDY_DATE, STUDY_TIME, ("20240101", "20240102"), ("08", "09"), is_combined=True),
            {"00080020": {"Value": ["20240101-20240102"]}, "00080030": {}},
        ),
        (
            DateAndTime(STUDY_DATE, STUDY_TIME, ("20240101", "20240102"), timezone_minutes=60),
            {"00080020": {}, "00080030": {}},
        ),
    ],
)
def test_an_archive_is_asked_what_finds_at_least_all_that_fits(match: Match, asked: dict[str, Any]) -> None:
    assert _asked(match) == asked


def test_uids_are_asked_for_together() -> None:
    assert _document(OneOf(STUDY_UID, ("1.2", "1.3")))["0020000D"] == {"Value": ["1.2", "1.3"]}


def test_items_are_asked_for_within_their_sequence() -> None:
    document = _document(InItem(REQUESTS, (OneOf(ACCESSION, ("A1",)),)), level=Level.SERIES, study="1.2")
    assert document["00400275"] == {"Value": [{"00080050": {"Value": ["A1"]}}]}


def test_each_level_is_asked_its_own_keys_below_the_unique_keys_of_those_above() -> None:
    matches = (OneOf(PATIENT_ID, ("P1",)), OneOf(MODALITY, ("CT",)), OneOf(STATION, ("S",)))
    query = Query(Level.INSTANCE, matches)
    assert steps_down(query) == [Level.STUDY, Level.SERIES, Level.INSTANCE]
    study = find_document(query, Level.STUDY, above={}, returned=(NAME, MODALITY))
    series = find_document(query, Level.SERIES, above={Level.STUDY: "1.2"}, returned=(NAME, MODALITY))
    instance = find_document(query, Level.INSTANCE, above={Level.STUDY: "1.2", Level.SERIES: "1.3"}, returned=())
    assert set(study) == {"00100010", "00100020", "0020000D", "00080052"}
    assert set(series) == {"00080060", "0020000D", "0020000E", "00080052"}
    assert (series["0020000D"], series["00080060"]) == ({"Value": ["1.2"]}, {"Value": ["CT"]})
    assert set(instance) == {"00081010", "0020000D", "0020000E", "00080018", "00080052"}
    assert instance["00080052"] == {"Value": ["IMAGE"]}


@pytest.mark.parametrize(
    ("level", "study", "series", "steps"),
    [
        (Level.STUDY, None, None, [Level.STUDY]),
        (Level.SERIES, None, None, [Level.STUDY, Level.SERIES]),
        (Level.SERIES, "1.2", None, [Level.SERIES]),
        (Level.INSTANCE, "1.2", None, [Level.SERIES, Level.INSTANCE]),
        (Level.INSTANCE, "1.2", "1.3", [Level.INSTANCE]),
    ],
)
def test_a_search_begins_where_the_route_leaves_open(
    level: Level, study: str | None, series: str | None, steps: list[Level]
) -> None:
    assert steps_down(Query(level, study_instance_uid=study, series_instance_uid=series)) == steps


def test_what_is_asked_is_understood_as_it_was_meant() -> None:
    matches = (
        PersonName(NAME, ("Doe^Jane",)),
        Between(STUDY_DATE, "20240101", "20241231"),
    )
    document = _document(*matches)
    content = encode_dataset(parse_dicom_json(document), EXPLICIT)
    request = decode_find_identifier(content, EXPLICIT, STUDY_ROOT, FindOptions())
    assert set(request.query.matches) == set(matches)
    assert request.query.level is Level.STUDY


def test_a_row_that_an_archive_found_too_much_of_is_left_out() -> None:
    matches = matches_of(Query(Level.STUDY, (OneOf(PATIENT_ID, ("P1", "P2")),)), Level.STUDY)
    assert fits_row(matches, {"00100020": ["P2"]})
    assert not fits_row(matches, {"00100020": ["P3"]})
    assert not fits_row(matches, {"00100020": []})


def test_a_row_is_not_blamed_for_what_the_archive_does_not_tell() -> None:
    matches = matches_of(Query(Level.STUDY, (OneOf(PATIENT_ID, ("P1",)), Empty(ACCESSION))), Level.STUDY)
    assert fits_row(matches, {})
    assert fits_row(matches, {"00080050": []})
    assert not fits_row(matches, {"00080050": ["A1"]})


def test_matches_below_a_level_are_left_to_that() -> None:
    query = Query(Level.SERIES, (OneOf(PATIENT_ID, ("P1",)), OneOf(MODALITY, ("CT",))))
    assert matches_of(query, Level.STUDY) == [OneOf(PATIENT_ID, ("P1",))]
    assert matches_of(query, Level.SERIES) == [OneOf(MODALITY, ("CT",))]
