"""What every index finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from isocenter.domain.attributes import (
    AVAILABLE_TRANSFER_SYNTAX_UID,
    BY_KEYWORD,
    MODALITIES_IN_STUDY,
    NUMBER_OF_PATIENT_RELATED_INSTANCES,
    NUMBER_OF_PATIENT_RELATED_SERIES,
    NUMBER_OF_PATIENT_RELATED_STUDIES,
    NUMBER_OF_SERIES_RELATED_INSTANCES,
    NUMBER_OF_STUDY_RELATED_SERIES,
    REQUEST_ATTRIBUTES_SEQUENCE,
    SOP_CLASSES_IN_STUDY,
    item_tag,
)
from isocenter.domain.errors import InvalidRequest
from isocenter.domain.identifiers import InstanceIdentifier, Level
from isocenter.domain.query import (
    Between,
    Comparison,
    DateAndTime,
    Empty,
    InItem,
    Match,
    OneOf,
    PersonName,
    Query,
    SearchPage,
    Wildcard,
    WordPrefixes,
)
from isocenter.ports.index import InstanceIndex, NewInstance
from tests.support.instances import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    attributes_of,
    identify,
    new_instance,
    scope_of,
)

STUDY, SERIES, INSTANCE = Level.STUDY, Level.SERIES, Level.INSTANCE
PATIENT_NAME = BY_KEYWORD["PatientName"].tag
PATIENT_ID = BY_KEYWORD["PatientID"].tag
STUDY_DATE = BY_KEYWORD["StudyDate"].tag
STUDY_TIME = BY_KEYWORD["StudyTime"].tag
STUDY_UID = BY_KEYWORD["StudyInstanceUID"].tag
MODALITY = BY_KEYWORD["Modality"].tag
SERIES_NUMBER = BY_KEYWORD["SeriesNumber"].tag
INSTANCE_NUMBER = BY_KEYWORD["InstanceNumber"].tag
SOP_INSTANCE_UID = BY_KEYWORD["SOPInstanceUID"].tag
NOW, DUE = 1_700_000_100.0, 1_700_000_200.0


def _commit(index: InstanceIndex, *instances: NewInstance) -> list[int]:
    return index.commit(instances, now=NOW, erase_due_at=DUE)


def _studies(index: InstanceIndex, **values: Mapping[int, str]) -> None:
    """Store one study for each number, with one value of an attribute."""
    for keyword, by_number in values.items():
        for number, value in by_number.items():
            new = new_instance(identify(number))
            _commit(index, replace(new, attributes=attributes_of({keyword: value})))


def _found(index: InstanceIndex, *matches: Match, level: Level = STUDY) -> list[int]:
    """Return the numbers of the studies that match, newest first."""
    rows = index.search(Query(level, matches))
    assert index.count(Query(level, matches)) == len(rows)
    return [int(row.attributes[STUDY_UID].rsplit(".", 1)[1]) for row in rows]


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        (OneOf(PATIENT_ID, ("abc",)), [2]),
        (OneOf(PATIENT_ID, ("ABC", "abc", "nothing")), [2, 1]),
        (OneOf(PATIENT_ID, ("aBC",), Comparison.CASELESS), [2, 1]),
        (OneOf(PATIENT_ID, ("ábc",), Comparison.CASELESS), [3]),
        (OneOf(PATIENT_ID, ("ABC",), Comparison.FOLDED), [3, 2, 1]),
        (OneOf(PATIENT_ID, ()), []),
        (OneOf(PATIENT_ID, ("",)), []),
        (Wildcard(PATIENT_ID, "a*"), [2]),
        (Wildcard(PATIENT_ID, "A*", Comparison.CASELESS), [2, 1]),
        (Wildcard(PATIENT_ID, "a*", Comparison.FOLDED), [3, 2, 1]),
        (Wildcard(PATIENT_ID, "?bc", Comparison.CASELESS), [3, 2, 1]),
        (Wildcard(PATIENT_ID, "*"), [7, 6, 5, 4, 3, 2, 1]),
        (Wildcard(PATIENT_ID, "?*"), [6, 5, 4, 3, 2, 1]),
        (Wildcard(PATIENT_ID, "5%_"), []),
        (Wildcard(PATIENT_ID, "5%*"), [4]),
        (Wildcard(PATIENT_ID, "*[x]*"), [5]),
        (Wildcard(PATIENT_ID, "[a-z]*"), []),
        (Wildcard(PATIENT_ID, "*\\*"), [6]),
        (Wildcard(PATIENT_ID, ""), []),
    ],
)
def test_text_matches_by_the_comparison(instance_index: InstanceIndex, match: Match, expected: list[int]) -> None:
    values = {1: "ABC", 2: "abc", 3: "Ábc", 4: "5% off", 5: "[x]b", 6: "back\\slash", 7: ""}
    _studies(instance_index, PatientID=values)
    assert _found(instance_index, match) == expected


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        (OneOf(PATIENT_NAME, ("muller^jurgen",), Comparison.FOLDED), [1]),
        (OneOf(PATIENT_NAME, ("müller^jürgen",), Comparison.CASELESS), [1]),
        (OneOf(PATIENT_NAME, ("Müller^Jürgen",)), [1]),
        (Wildcard(PATIENT_NAME, "MÜLL*", Comparison.FOLDED), [2, 1]),
        (Wildcard(PATIENT_NAME, "*jurg*", Comparison.FOLDED), [1]),
        (WordPrefixes(PATIENT_NAME, ("jür",)), [1]),
        (WordPrefixes(PATIENT_NAME, ("mu", "ju")), [1]),
        (WordPrefixes(PATIENT_NAME, ("ju", "mu")), []),
        (WordPrefixes(PATIENT_NAME, ("mu", "an", "ma")), [2]),
        (WordPrefixes(PATIENT_NAME, ("mu", "ma")), []),
        (WordPrefixes(PATIENT_NAME, ("urgen",)), []),
        (WordPrefixes(PATIENT_NAME, ("山田",)), [3]),
        (WordPrefixes(PATIENT_NAME, ()), []),
        (PersonName(PATIENT_NAME, ("muller^jurgen",)), [1]),
        (PersonName(PATIENT_NAME, ("Muller",)), []),
        (PersonName(PATIENT_NAME, ("MÜLLER^*",)), [2, 1]),
        (PersonName(PATIENT_NAME, ("Mull?r^Anna Maria^^",)), [2]),
        (PersonName(PATIENT_NAME, ("*jur*",)), [1]),
        (PersonName(PATIENT_NAME, ("yamada^tarou",)), [3]),
        (PersonName(PATIENT_NAME, ("yamada*",)), [3]),
        (PersonName(PATIENT_NAME, ("*tarou",)), [3]),
        (PersonName(PATIENT_NAME, ("", "山田^太郎")), [3]),
        (PersonName(PATIENT_NAME, ("", "山*")), [3]),
        (PersonName(PATIENT_NAME, ("", "", "やまだ^たろう")), [3]),
        (PersonName(PATIENT_NAME, ("", "", "*太郎")), []),
        (PersonName(PATIENT_NAME, ("Yamada^*", "山田^*")), [3]),
        (PersonName(PATIENT_NAME, ("Muller^*", "山田^*")), []),
        (PersonName(PATIENT_NAME, ("山田^太郎",)), []),
        (PersonName(PATIENT_NAME, ("山田^太郎",), in_any_group=True), [3]),
        (PersonName(PATIENT_NAME, ("やまだ*",), in_any_group=True), [3]),
        (PersonName(PATIENT_NAME, ("*たろ?",), in_any_group=True), [3]),
        (PersonName(PATIENT_NAME, ("山田",), in_any_group=True), []),
    ],
)
def test_person_names_match_without_accents_by_words_and_by_groups(
    instance_index: InstanceIndex, match: Match, expected: list[int]
) -> None:
    _studies(
        instance_index,
        PatientName={1: "Müller^Jürgen", 2: "Muller^Anna Maria", 3: "Yamada^Tarou=山田^太郎=やまだ^たろう", 4: ""},
    )
    assert _found(instance_index, match) == expected


@pytest.mark.parametrize(
    ("lowest", "highest", "expected"),
    [
        ("20240101", "20240131", [2, 1]),
        ("20240131", None, [3, 2]),
        (None, "20240101", [1]),
        (None, None, [3, 2, 1]),
        ("20250101", "20240101", []),
    ],
)
def test_dates_match_a_closed_range(
    instance_index: InstanceIndex, lowest: str | None, highest: str | None, expected: list[int]
) -> None:
    _studies(instance_index, StudyDate={1: "20240101", 2: "20240131", 3: "20241231", 4: ""})
    assert _found(instance_index, Between(STUDY_DATE, lowest, highest)) == expected


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        (Between(STUDY_TIME, "10", "103000.5"), [3, 2, 1]),
        (Between(STUDY_TIME, "1030", None), [4, 3]),
        (Between(STUDY_TIME, None, "1030"), [2, 1]),
        (OneOf(STUDY_TIME, ("1000",)), [1]),
        (OneOf(STUDY_TIME, ("10:30:00.500000",)), [3]),
    ],
)
def test_times_compare_as_times_of_day(instance_index: InstanceIndex, match: Match, expected: list[int]) -> None:
    _studies(instance_index, StudyTime={1: "10", 2: "102959.999", 3: "103000.5", 4: "11", 5: ""})
    assert _found(instance_index, match) == expected


def _span(*dates: str | None, times: tuple[str | None, str | None] = (None, None)) -> DateAndTime:
    return DateAndTime(STUDY_DATE, STUDY_TIME, (dates[0], dates[1]), times, is_combined=True)


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        (_span("20240101", "20240103", times=("1030", "0930")), [6, 4, 3, 2]),
        (_span("20240101", "20240103"), [6, 5, 4, 3, 2, 1]),
        (_span("20240102", None, times=("103000.000001", None)), [6, 5, 4]),
        (_span(None, "20240101", times=(None, "1029")), [1]),
        (_span("20250101", "20260101"), []),
    ],
)
def test_a_date_and_its_time_match_as_one(
    instance_index: InstanceIndex, match: DateAndTime, expected: list[int]
) -> None:
    days = {1: "20240101", 2: "20240101", 3: "20240102", 4: "20240103", 5: "20240103", 6: "20240102", 7: "", 8: "bad"}
    times = {1: "10", 2: "1030", 3: "1030", 4: "092959", 5: "10:31", 6: "", 7: "10", 8: "10"}
    for number, day in days.items():
        _commit(instance_index, new_instance(identify(number), StudyDate=day, StudyTime=times[number]))
    assert _found(instance_index, match) == expected


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        (DateAndTime(STUDY_DATE, STUDY_TIME, ("20240102", "20240102"), timezone_minutes=0), [4, 3, 2]),
        (DateAndTime(STUDY_DATE, STUDY_TIME, ("20240102", "20240102"), timezone_minutes=-60), [4]),
        (
            DateAndTime(
                STUDY_DATE, STUDY_TIME, ("20240101", "20240131"), ("2300", "235959.999999"), timezone_minutes=0
            ),
            [1],
        ),
        (
            DateAndTime(
                STUDY_DATE,
                STUDY_TIME,
                ("20240101", "20240102"),
                ("2330", "003000.000000"),
                is_combined=True,
                timezone_minutes=0,
            ),
            [4, 3, 2, 1],
        ),
    ],
)
def test_times_of_other_zones_are_brought_into_that_of_the_search(
    instance_index: InstanceIndex, match: DateAndTime, expected: list[int]
) -> None:
    values = {1: ("20240102", "0030", "+0100"), 2: ("20240102", "0030", "-0000"), 3: ("20240101", "2330", "-0030")}
    for number, (day, time, zone) in values.items():
        new = new_instance(identify(number), StudyDate=day, StudyTime=time, TimezoneOffsetFromUTC=zone)
        _commit(instance_index, new)
    _commit(instance_index, new_instance(identify(4), StudyDate="20240102", StudyTime=""))
    _commit(instance_index, new_instance(identify(5), StudyDate="20240110", StudyTime="10"))
    assert _found(instance_index, match) == expected


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        (Empty(PATIENT_ID), [3, 2]),
        (Empty(PATIENT_NAME), [3, 1]),
        (Empty(MODALITIES_IN_STUDY), [3, 2]),
        (Empty(STUDY_DATE), [3, 2, 1]),
        (Empty(SOP_CLASSES_IN_STUDY), []),
    ],
)
def test_absent_values_are_found_by_that(instance_index: InstanceIndex, match: Match, expected: list[int]) -> None:
    _commit(instance_index, new_instance(identify(1), PatientID="a", Modality="CT"))
    _commit(instance_index, new_instance(identify(2), PatientID="", PatientName="Name"))
    _commit(instance_index, new_instance(identify(3)))
    assert _found(instance_index, match) == expected


@pytest.mark.parametrize("wanted", ["3", "03", "+3", "0003"])
def test_integers_match_by_number(instance_index: InstanceIndex, wanted: str) -> None:
    _studies(instance_index, SeriesNumber={1: "03", 2: "3", 3: "30", 4: "-3"})
    assert _found(instance_index, OneOf(SERIES_NUMBER, (wanted,)), level=SERIES) == [2, 1]


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        (OneOf(MODALITIES_IN_STUDY, ("CT",)), [3, 1]),
        (OneOf(MODALITIES_IN_STUDY, ("ct",)), []),
        (OneOf(MODALITIES_IN_STUDY, ("ct",), Comparison.CASELESS), [3, 1]),
        (OneOf(MODALITIES_IN_STUDY, ("MR", "US")), [2, 1]),
        (Wildcard(MODALITIES_IN_STUDY, "?R"), [3, 1]),
        (Wildcard(MODALITIES_IN_STUDY, "*"), [4, 3, 2, 1]),
    ],
)
def test_a_study_has_the_modalities_of_its_series(
    instance_index: InstanceIndex, match: Match, expected: list[int]
) -> None:
    modalities = {1: ("CT", "MR"), 2: ("US",), 3: ("CR", "CT"), 4: ("",)}
    for study, of_series in modalities.items():
        _commit(
            instance_index,
            *(new_instance(identify(study, series), Modality=one) for series, one in enumerate(of_series)),
        )
    assert _found(instance_index, match) == expected


def test_two_modalities_are_both_asked_for(instance_index: InstanceIndex) -> None:
    for study, of_series in {1: ("CT", "MR"), 2: ("CT",)}.items():
        _commit(
            instance_index,
            *(new_instance(identify(study, series), Modality=one) for series, one in enumerate(of_series)),
        )
    both = (OneOf(MODALITIES_IN_STUDY, ("CT",)), OneOf(MODALITIES_IN_STUDY, ("MR",)))
    assert _found(instance_index, *both) == [1]


# SOP classes and requests


def _of_class(identifier: InstanceIdentifier, sop_class_uid: str) -> NewInstance:
    return replace(new_instance(identifier), sop_class_uid=sop_class_uid)


@pytest.mark.parametrize(
    ("matches", "expected"),
    [
        ((OneOf(SOP_CLASSES_IN_STUDY, ("1.1",)),), [3, 1]),
        ((OneOf(SOP_CLASSES_IN_STUDY, ("1.1", "1.2")),), [3, 2, 1]),
        ((OneOf(SOP_CLASSES_IN_STUDY, ("1.1",)), OneOf(SOP_CLASSES_IN_STUDY, ("1.2",))), [1]),
        ((OneOf(SOP_CLASSES_IN_STUDY, ("1",)),), []),
        ((OneOf(SOP_CLASSES_IN_STUDY, ("1.2",)), OneOf(MODALITIES_IN_STUDY, ("CT",))), [1]),
        ((OneOf(MODALITIES_IN_STUDY, ("CT",)), OneOf(SOP_CLASSES_IN_STUDY, ("1.2",))), [1]),
    ],
)
def test_a_study_has_the_sop_classes_of_its_instances(
    instance_index: InstanceIndex, matches: tuple[Match, ...], expected: list[int]
) -> None:
    _commit(instance_index, _of_class(identify(1, 1, 1), "1.2"), _of_class(identify(1, 2, 1), "1.1"))
    _commit(instance_index, new_instance(identify(1, 3, 1), Modality="CT"))
    _commit(instance_index, _of_class(identify(2), "1.2"))
    _commit(instance_index, _of_class(identify(3), "1.1"))
    assert _found(instance_index, *matches) == expected


def _classes(index: InstanceIndex) -> list[str | None]:
    return [row.attributes.get(SOP_CLASSES_IN_STUDY) for row in index.search(Query(STUDY))]


def test_sop_classes_follow_what_is_stored_replaced_and_deleted(instance_index: InstanceIndex) -> None:
    _commit(instance_index, _of_class(identify(1, 1, 1), "1.2"), _of_class(identify(1, 1, 2), "1.1"))
    assert _classes(instance_index) == ["1.1\\1.2"]
    _commit(instance_index, _of_class(identify(1, 1, 1), "1.3"))
    assert _classes(instance_index) == ["1.1\\1.3"]
    _commit(instance_index, replace(_of_class(identify(1, 1, 1), "1.4"), keep_previous=True))
    assert _classes(instance_index) == ["1.1\\1.4"]
    instance_index.delete(scope_of(identify(1, 1, 2)), now=NOW, erase_due_at=DUE)
    assert _classes(instance_index) == ["1.4"]
    assert _found(instance_index, OneOf(SOP_CLASSES_IN_STUDY, ("1.1",))) == []


def _requested(identifier: InstanceIdentifier, **items: str) -> NewInstance:
    """Return an instance with items of RequestAttributesSequence, the values of each attribute joined by a slash."""
    tags = {"rp": 0x00401001, "sps": 0x00400009, "accession": 0x00080050}
    values = {
        item_tag(REQUEST_ATTRIBUTES_SEQUENCE, tags[name]): text.replace("/", "\\") for name, text in items.items()
    }
    return replace(new_instance(identifier), attributes=values)


def _in_request(**values: str) -> InItem:
    tags = {"rp": 0x00401001, "sps": 0x00400009, "accession": 0x00080050}
    return InItem(REQUEST_ATTRIBUTES_SEQUENCE, tuple(OneOf(tags[name], (text,)) for name, text in values.items()))


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        (_in_request(rp="R1"), [2, 1]),
        (_in_request(rp="r1"), []),
        (_in_request(rp="R2"), [1]),
        (_in_request(rp="R1", sps="S1"), [1]),
        (_in_request(rp="R2", sps="S1"), []),
        (_in_request(accession="A"), [3]),
        (_in_request(rp="R1", accession="A"), []),
        (InItem(REQUEST_ATTRIBUTES_SEQUENCE, (Wildcard(0x00401001, "?1"),)), [2, 1]),
        (InItem(REQUEST_ATTRIBUTES_SEQUENCE, (Empty(0x00400009),)), [3, 2]),
        (InItem(REQUEST_ATTRIBUTES_SEQUENCE, ()), [3, 2, 1]),
    ],
)
@pytest.mark.parametrize("level", [STUDY, SERIES, INSTANCE])
def test_one_item_of_a_series_requests_fits_all(
    instance_index: InstanceIndex, level: Level, match: Match, expected: list[int]
) -> None:
    _commit(
        instance_index,
        _requested(identify(1, 1), rp="R1/R2", sps="S1/S2"),
        _requested(identify(2, 1), rp="R1"),
        _requested(identify(3, 1), rp="/", accession="/A"),
        new_instance(identify(4, 1)),
    )
    assert _found(instance_index, match, level=level) == expected


def test_the_items_of_a_later_instance_take_the_place_of_those_before(instance_index: InstanceIndex) -> None:
    _commit(instance_index, _requested(identify(1, 1, 1), rp="R1/R2", sps="S1/S2"))
    _commit(instance_index, new_instance(identify(1, 1, 2)))
    assert _found(instance_index, _in_request(rp="R2", sps="S2")) == [1]
    _commit(instance_index, _requested(identify(1, 1, 3), rp="R3"))
    assert _found(instance_index, _in_request(rp="R3")) == [1]
    assert _found(instance_index, _in_request(sps="S1")) == []
    instance_index.delete(scope_of(identify(1)), now=NOW, erase_due_at=DUE)
    instance_index.delete(scope_of(identify(1), depth=1), now=NOW, erase_due_at=DUE)
    assert _found(instance_index, _in_request(rp="R3")) == []


# patients


def _patients(index: InstanceIndex, *matches: Match, limit: int = 100, offset: int = 0) -> list[tuple[str | None, ...]]:
    rows = index.search(Query(Level.PATIENT, matches, limit=limit, offset=offset))
    return [tuple(row.attributes.get(tag) for tag in (PATIENT_ID, PATIENT_NAME, *PATIENT_COUNTED)) for row in rows]


PATIENT_COUNTED = (
    NUMBER_OF_PATIENT_RELATED_STUDIES,
    NUMBER_OF_PATIENT_RELATED_SERIES,
    NUMBER_OF_PATIENT_RELATED_INSTANCES,
)


def _store_patients(index: InstanceIndex) -> None:
    _commit(
        index,
        new_instance(identify(1, 1, 1), PatientID="A", PatientName="Maiden^Ann"),
        new_instance(identify(1, 2, 1), PatientID="A", PatientName="Maiden^Ann"),
        new_instance(identify(2, 1, 1), PatientID="B", PatientName="Bee^Bob", Modality="CT", StudyDate="20240101"),
        new_instance(identify(3, 1, 1), PatientID="A", PatientName="Married^Ann", IssuerOfPatientID=""),
        new_instance(identify(3, 1, 2), PatientID="A", PatientName="Married^Ann"),
        new_instance(identify(4, 1, 1), PatientID="A", PatientName="Other^Ann", IssuerOfPatientID="elsewhere"),
        new_instance(identify(5, 1, 1), PatientName="Nobody^1"),
        new_instance(identify(6, 1, 1), PatientName="Nobody^2"),
        new_instance(identify(7, 1, 1, partition="other"), PatientID="A", PatientName="Away^Ann"),
    )


def test_patients_are_told_apart_by_id_and_issuer_and_counted(instance_index: InstanceIndex) -> None:
    _store_patients(instance_index)
    assert _patients(instance_index) == [
        (None, "Nobody^2", "1", "1", "1"),
        (None, "Nobody^1", "1", "1", "1"),
        ("A", "Other^Ann", "1", "1", "1"),
        ("A", "Married^Ann", "2", "3", "4"),
        ("B", "Bee^Bob", "1", "1", "1"),
    ]
    assert instance_index.count(Query(Level.PATIENT)) == 5
    assert instance_index.count(Query(Level.PATIENT, partition_name="other")) == 1


@pytest.mark.parametrize(
    ("matches", "expected"),
    [
        ((OneOf(PATIENT_ID, ("A",)),), ["Other^Ann", "Married^Ann"]),
        ((OneOf(PATIENT_ID, ("A",)), Empty(BY_KEYWORD["IssuerOfPatientID"].tag)), ["Married^Ann"]),
        ((PersonName(PATIENT_NAME, ("Maiden*",)),), []),
        ((PersonName(PATIENT_NAME, ("married*",)),), ["Married^Ann"]),
        ((Empty(PATIENT_ID),), ["Nobody^2", "Nobody^1"]),
        ((OneOf(MODALITIES_IN_STUDY, ("CT",)),), ["Bee^Bob"]),
        ((OneOf(MODALITY, ("CT",)), Between(STUDY_DATE, "20240101", None)), ["Bee^Bob"]),
        ((OneOf(STUDY_UID, (identify(1).study_instance_uid,)),), ["Married^Ann"]),
        ((OneOf(STUDY_UID, (identify(5).study_instance_uid,)),), ["Nobody^1"]),
        ((OneOf(SOP_INSTANCE_UID, (identify(3, 1, 2).sop_instance_uid,)),), ["Married^Ann"]),
        ((OneOf(STUDY_UID, (identify(1).study_instance_uid,)), OneOf(MODALITIES_IN_STUDY, ("CT",))), []),
    ],
)
def test_a_patient_is_found_by_their_latest_study_and_by_what_is_below(
    instance_index: InstanceIndex, matches: tuple[Match, ...], expected: list[str]
) -> None:
    _store_patients(instance_index)
    assert [name for _, name, *_ in _patients(instance_index, *matches)] == expected
    assert instance_index.count(Query(Level.PATIENT, matches)) == len(expected)


def test_pages_of_patients_are_newest_first_and_together_the_whole(instance_index: InstanceIndex) -> None:
    _store_patients(instance_index)
    pages = [_patients(instance_index, limit=2, offset=offset) for offset in (0, 2, 4)]
    assert [row for page in pages for row in page] == _patients(instance_index)


def test_a_patient_goes_with_the_last_study(instance_index: InstanceIndex) -> None:
    _store_patients(instance_index)
    instance_index.delete(scope_of(identify(3), depth=1), now=NOW, erase_due_at=DUE)
    assert ("A", "Maiden^Ann", "1", "2", "2") in _patients(instance_index)
    instance_index.delete(scope_of(identify(1), depth=1), now=NOW, erase_due_at=DUE)
    assert [name for _, name, *_ in _patients(instance_index, OneOf(PATIENT_ID, ("A",)))] == ["Other^Ann"]


@pytest.mark.parametrize("level", [STUDY, SERIES, INSTANCE])
def test_lower_levels_tell_the_counts_of_the_patient_where_they_are_asked_to(
    instance_index: InstanceIndex, level: Level
) -> None:
    _store_patients(instance_index)
    uid = identify(1).study_instance_uid
    for row in instance_index.search(Query(level, study_instance_uid=uid, with_patient_counts=True)):
        assert [row.attributes[tag] for tag in PATIENT_COUNTED] == ["2", "3", "4"]
    for row in instance_index.search(Query(level, study_instance_uid=uid)):
        assert not set(PATIENT_COUNTED) & set(row.attributes)


# what is below


@pytest.mark.parametrize(
    ("level", "matches", "expected"),
    [
        (STUDY, (OneOf(MODALITY, ("CT",)),), [2, 1]),
        (STUDY, (OneOf(MODALITY, ("CT",)), OneOf(SERIES_NUMBER, ("2",))), [2]),
        (STUDY, (OneOf(MODALITY, ("MR",)), OneOf(INSTANCE_NUMBER, ("7",))), [1]),
        (STUDY, (OneOf(INSTANCE_NUMBER, ("7",)), OneOf(PATIENT_ID, ("b",))), [2]),
        (STUDY, (OneOf(SOP_INSTANCE_UID, (identify(1, 2, 1).sop_instance_uid,)),), [1]),
        (STUDY, (OneOf(SOP_INSTANCE_UID, (identify(1, 2, 1).sop_instance_uid,)), OneOf(MODALITY, ("CT",))), []),
        (SERIES, (OneOf(INSTANCE_NUMBER, ("7",)),), [2, 1]),
        (SERIES, (OneOf(INSTANCE_NUMBER, ("7",)), OneOf(MODALITY, ("MR",))), [1]),
        (SERIES, (OneOf(SOP_INSTANCE_UID, (identify(2, 1, 1).sop_instance_uid,)),), [2]),
        (STUDY, (Wildcard(MODALITY, "*"),), [2, 1]),
    ],
)
def test_rows_are_found_by_one_thing_below_that_fits_all(
    instance_index: InstanceIndex, level: Level, matches: tuple[Match, ...], expected: list[int]
) -> None:
    _commit(
        instance_index,
        new_instance(identify(1, 1, 1), PatientID="a", Modality="CT", SeriesNumber="1", InstanceNumber="1"),
        new_instance(identify(1, 2, 1), PatientID="a", Modality="MR", SeriesNumber="2", InstanceNumber="7"),
        new_instance(identify(2, 1, 1), PatientID="b", Modality="CT", SeriesNumber="2", InstanceNumber="7"),
        new_instance(identify(1, 1, 1, partition="other"), Modality="CT"),
    )
    assert _found(instance_index, *matches, level=level) == expected


# listings


@pytest.mark.parametrize("level", [Level.PATIENT, STUDY, SERIES, INSTANCE])
def test_a_listing_has_every_row_once_though_more_is_stored_meanwhile(
    instance_index: InstanceIndex, level: Level
) -> None:
    for number in range(1, 8):
        _commit(instance_index, new_instance(identify(number), PatientID=f"P{number % 5}"))
    query = Query(level, limit=2)
    expected = instance_index.search(replace(query, limit=100))
    page = instance_index.search_page(query)
    found = list(page.rows)
    while page.following is not None:
        _commit(instance_index, new_instance(identify(10 + len(found)), PatientID=f"P{len(found) % 5}"))
        page = instance_index.search_page(query, page.following)
        found += page.rows
    assert found == expected


def test_a_listing_ends_with_its_last_page(instance_index: InstanceIndex) -> None:
    _commit(instance_index, *(new_instance(identify(number)) for number in (1, 2)))
    assert instance_index.search_page(Query(STUDY, limit=3)).following is None
    cursor = instance_index.search_page(Query(STUDY, limit=2)).following
    assert cursor is not None
    assert instance_index.search_page(Query(STUDY, limit=2), cursor) == SearchPage([], None)


def test_an_instance_tells_its_transfer_syntax(instance_index: InstanceIndex) -> None:
    _commit(instance_index, new_instance(identify(1)))
    (row,) = instance_index.search(Query(INSTANCE))
    assert row.attributes[AVAILABLE_TRANSFER_SYNTAX_UID] == EXPLICIT_VR_LITTLE_ENDIAN


def test_matches_are_joined_by_and(instance_index: InstanceIndex) -> None:
    for number, (patient_id, date) in enumerate([("a", "20240101"), ("a", "20250101"), ("b", "20250101")], start=1):
        _commit(instance_index, new_instance(identify(number), PatientID=patient_id, StudyDate=date))
    assert _found(instance_index, OneOf(PATIENT_ID, ("a",)), Between(STUDY_DATE, "20250101", None)) == [2]


def test_lower_levels_match_and_return_the_levels_above(instance_index: InstanceIndex) -> None:
    _commit(
        instance_index,
        new_instance(identify(1, 1, 1), PatientID="a", Modality="CT", InstanceNumber="1"),
        new_instance(identify(1, 2, 1), PatientID="a", Modality="MR", InstanceNumber="1"),
        new_instance(identify(2, 1, 1), PatientID="b", Modality="CT", InstanceNumber="1"),
    )
    matches = (OneOf(PATIENT_ID, ("a",)), OneOf(MODALITY, ("CT",)))
    (series,) = instance_index.search(Query(SERIES, matches))
    (instance,) = instance_index.search(Query(INSTANCE, (*matches, OneOf(INSTANCE_NUMBER, ("1",)))))
    for row in (series, instance):
        assert (row.attributes[PATIENT_ID], row.attributes[MODALITY]) == ("a", "CT")
        assert row.attributes[MODALITIES_IN_STUDY] == "CT\\MR"
        assert row.attributes[NUMBER_OF_SERIES_RELATED_INSTANCES] == "1"
    assert instance.attributes[SOP_INSTANCE_UID] == identify(1, 1, 1).sop_instance_uid
    assert SOP_INSTANCE_UID not in series.attributes


def test_a_search_stays_within_study_series_and_partition(instance_index: InstanceIndex) -> None:
    for number in (1, 2):
        _commit(instance_index, *(new_instance(identify(number, series)) for series in (1, 2)))
    _commit(instance_index, new_instance(identify(1, 1, partition="other")))
    study = identify(1).study_instance_uid
    series = identify(1, 2).series_instance_uid
    assert len(instance_index.search(Query(SERIES, study_instance_uid=study))) == 2
    assert len(instance_index.search(Query(INSTANCE, study_instance_uid=study, series_instance_uid=series))) == 1
    assert len(instance_index.search(Query(INSTANCE, partition_name="other"))) == 1
    assert instance_index.search(Query(STUDY, partition_name="unknown")) == []


@pytest.mark.parametrize("level", [STUDY, SERIES, INSTANCE])
def test_pages_are_newest_first_and_together_the_whole(instance_index: InstanceIndex, level: Level) -> None:
    for number in range(1, 8):
        _commit(instance_index, new_instance(identify(number), PatientID="same"))
    match = (OneOf(PATIENT_ID, ("same",)),)
    pages = [_numbers(instance_index, Query(level, match, limit=3, offset=offset)) for offset in (0, 3, 6, 9)]
    assert pages == [[7, 6, 5], [4, 3, 2], [1], []]
    assert instance_index.search(Query(level, match, limit=0)) == []
    assert instance_index.count(Query(level, match, limit=3, offset=3)) == 7


def _numbers(index: InstanceIndex, query: Query) -> list[int]:
    return [int(row.attributes[STUDY_UID].rsplit(".", 1)[1]) for row in index.search(query)]


def test_a_study_stays_in_its_place_when_instances_are_added(instance_index: InstanceIndex) -> None:
    for study, instance in ((1, 1), (2, 1), (1, 2)):
        _commit(instance_index, new_instance(identify(study, 1, instance)))
    assert _found(instance_index) == [2, 1]


@pytest.mark.parametrize(
    "query",
    [
        Query(STUDY, (OneOf(0x00090010, ("x",)),)),
        Query(STUDY, (OneOf(NUMBER_OF_STUDY_RELATED_SERIES, ("1",)),)),
        Query(STUDY, (WordPrefixes(PATIENT_ID, ("x",)),)),
        Query(STUDY, (PersonName(PATIENT_ID, ("x",)),)),
        Query(STUDY, (DateAndTime(0x00080022, 0x00080032, ("20240101", None)),)),
        Query(STUDY, (InItem(0x00081032, (OneOf(0x00080100, ("x",)),)),)),
        Query(STUDY, (InItem(REQUEST_ATTRIBUTES_SEQUENCE, (OneOf(0x00321060, ("x",)),)),)),
        Query(STUDY, (Wildcard(PATIENT_ID, "x" * 2000),)),
    ],
)
def test_what_cannot_be_searched_is_refused(instance_index: InstanceIndex, query: Query) -> None:
    _commit(instance_index, new_instance(identify(1)))
    with pytest.raises(InvalidRequest):
        instance_index.search(query)


def test_every_attribute_that_is_kept_comes_back(instance_index: InstanceIndex) -> None:
    values = {attribute.keyword: f"{number}" for number, attribute in enumerate(BY_KEYWORD.values())}
    identifier = InstanceIdentifier("1.1", "1.2", "1.3")
    _commit(instance_index, replace(new_instance(identifier), attributes=attributes_of(values)))
    (row,) = instance_index.search(Query(INSTANCE))
    known = {"StudyInstanceUID": "1.1", "SeriesInstanceUID": "1.2", "SOPInstanceUID": "1.3"}
    new = new_instance(identifier)
    expected = {**values, **known, "SOPClassUID": new.sop_class_uid}
    assert {keyword: row.attributes[one.tag] for keyword, one in BY_KEYWORD.items()} == expected
