from __future__ import annotations

import pytest

from isocenter.domain.attributes import BY_KEYWORD, INDEXED_ATTRIBUTES, IndexedAttribute
from isocenter.domain.errors import InvalidKey
from isocenter.domain.key import LIST_VALUES_MAX, Key, KeyRules, parse_key
from isocenter.domain.query import Between, Comparison, Empty, Match, OneOf, PersonName, Wildcard, WordPrefixes

EXACT, CASELESS, FOLDED = Comparison.EXACT, Comparison.CASELESS, Comparison.FOLDED


FUZZY = KeyRules(is_fuzzy=True)


def tag(keyword: str) -> int:
    return BY_KEYWORD[keyword].tag


def key(keyword: str, text: str, *, several: bool = False) -> Key:
    attribute = BY_KEYWORD[keyword]
    return Key(attribute.tag, attribute.vr, text, keyword, is_multi_valued=several)


def of_vr(vr: str, text: str) -> Key:
    return Key(0x00091001, vr, text)


@pytest.mark.parametrize(
    ("keyword", "text", "expected"),
    [
        ("PatientID", "aB1", OneOf(tag("PatientID"), ("aB1",), EXACT)),
        ("PatientID", " aB1\0", OneOf(tag("PatientID"), ("aB1",), EXACT)),
        ("PatientID", "a,b", OneOf(tag("PatientID"), ("a,b",), EXACT)),
        ("PatientID", "a*", Wildcard(tag("PatientID"), "a*", EXACT)),
        ("PatientName", "Doe^J", PersonName(tag("PatientName"), ("Doe^J",))),
        ("PatientName", "Doe^J^^ ", PersonName(tag("PatientName"), ("Doe^J",))),
        ("PatientName", "*oe?", PersonName(tag("PatientName"), ("*oe?",))),
        ("PatientName", "Müller", PersonName(tag("PatientName"), ("Müller",))),
        ("PatientName", "山田^*", PersonName(tag("PatientName"), ("山田^*",), in_any_group=True)),
        ("PatientName", "=山田^*", PersonName(tag("PatientName"), ("", "山田^*"))),
        ("PatientName", "Yamada*=*=やまだ", PersonName(tag("PatientName"), ("Yamada*", "", "やまだ"))),
        ("StudyDescription", "*chest*", Wildcard(tag("StudyDescription"), "*chest*", CASELESS)),
        ("Modality", "CT\\MR", OneOf(tag("Modality"), ("CT", "MR"), CASELESS)),
        ("Modality", "CT\\\\CT", OneOf(tag("Modality"), ("CT",), CASELESS)),
        ("StudyInstanceUID", "1.2\\1.3 ", OneOf(tag("StudyInstanceUID"), ("1.2", "1.3"), EXACT)),
        ("SeriesNumber", "003", OneOf(tag("SeriesNumber"), ("3",), EXACT)),
        ("Rows", "+512\\0256", OneOf(tag("Rows"), ("512", "256"), EXACT)),
        ("StudyDate", "20200229", OneOf(tag("StudyDate"), ("20200229",), EXACT)),
        ("StudyDate", "20200101-20201231", Between(tag("StudyDate"), "20200101", "20201231")),
        ("StudyDate", "20200101 - 20201231", Between(tag("StudyDate"), "20200101", "20201231")),
        ("StudyDate", "-20201231", Between(tag("StudyDate"), None, "20201231")),
        ("StudyDate", "20200101-", Between(tag("StudyDate"), "20200101", None)),
        ("StudyTime", "10", Between(tag("StudyTime"), "10", "105959.999999")),
        ("StudyTime", "1015-12", Between(tag("StudyTime"), "1015", "125959.999999")),
        ("StudyTime", "-101530.5", Between(tag("StudyTime"), None, "101530.500000")),
        ("StudyTime", "100000.000-", Between(tag("StudyTime"), "10", None)),
    ],
)
def test_a_key_asks_for_what_its_vr_means(keyword: str, text: str, expected: Match) -> None:
    assert parse_key(key(keyword, text)) == (expected,)


@pytest.mark.parametrize("text", ["", " ", "*", "**", "\0"])
@pytest.mark.parametrize("attribute", INDEXED_ATTRIBUTES, ids=lambda attribute: attribute.keyword)
def test_an_empty_key_matches_everything(attribute: IndexedAttribute, text: str) -> None:
    assert parse_key(Key(attribute.tag, attribute.vr, text, attribute.keyword)) == ()


@pytest.mark.parametrize(
    ("keyword", "text"),
    [
        ("StudyDate", "2020"),
        ("StudyDate", "20200230"),
        ("StudyDate", "-"),
        ("StudyDate", "20200101-20200102-20200103"),
        ("StudyDate", "20200102-20200101"),
        ("StudyDate", "٢٠٢٠٠١٠١"),
        ("StudyTime", "25"),
        ("StudyTime", "1060"),
        ("StudyTime", "1"),
        ("StudyTime", "12-10"),
        ("StudyTime", "10:15"),
        ("SeriesNumber", "one"),
        ("SeriesNumber", "1.5"),
        ("StudyInstanceUID", "1.2.x"),
        ("StudyInstanceUID", "1.2*"),
        ("PatientName", "a=b=c=d"),
        ("Modality", "C*\\MR"),
        ("StudyInstanceUID", "\\".join(f"1.{number}" for number in range(LIST_VALUES_MAX + 1))),
    ],
)
def test_a_key_that_its_vr_does_not_allow_is_refused(keyword: str, text: str) -> None:
    with pytest.raises(InvalidKey) as refusal:
        parse_key(key(keyword, text))
    assert refusal.value.tags == (tag(keyword),)


def test_a_refusal_does_not_repeat_the_value() -> None:
    with pytest.raises(InvalidKey) as refusal:
        parse_key(key("PatientBirthDate", "19500231"))
    assert "1950" not in refusal.value.message


def test_more_separators_make_lists_of_codes_and_uids_only() -> None:
    rules = KeyRules(list_separators="\\,")
    assert parse_key(key("Modality", "CT,MR\\US"), rules) == (OneOf(tag("Modality"), ("CT", "MR", "US"), CASELESS),)
    assert parse_key(key("PatientID", "a,b"), rules) == (OneOf(tag("PatientID"), ("a,b",)),)


def test_a_fuzzy_name_is_words_and_other_attributes_stay_exact() -> None:
    assert parse_key(key("PatientName", "Jó^DO"), FUZZY) == (WordPrefixes(tag("PatientName"), ("jo", "do")),)
    assert parse_key(key("PatientName", "*jo*"), FUZZY) == (PersonName(tag("PatientName"), ("*jo*",)),)
    assert parse_key(key("PatientName", "^"), FUZZY) == ()
    assert parse_key(key("PatientID", "jo"), FUZZY) == (OneOf(tag("PatientID"), ("jo",)),)


@pytest.mark.parametrize("text", ["*=*", "=", "^=^", "*=*=*"])
def test_a_name_of_universal_groups_matches_everything(text: str) -> None:
    assert parse_key(key("PatientName", text)) == ()


@pytest.mark.parametrize(("keyword", "is_taken"), [("PatientID", True), ("StudyDate", True), ("SeriesNumber", False)])
def test_two_quotation_marks_ask_for_no_value_where_that_was_agreed_on(keyword: str, is_taken: bool) -> None:
    rules = KeyRules(has_empty_values=True)
    if is_taken:
        assert parse_key(key(keyword, '""'), rules) == (Empty(tag(keyword)),)
    else:
        with pytest.raises(InvalidKey):
            parse_key(key(keyword, '""'), rules)
    assert parse_key(key("PatientID", '""')) == (OneOf(tag("PatientID"), ('""',)),)


def test_several_values_are_all_asked_for_where_that_was_agreed_on() -> None:
    rules = KeyRules(has_multiple_values=True)
    several = Key(0x00080061, "CS", "CT\\PT", "ModalitiesInStudy", is_multi_valued=True)
    both = (OneOf(0x00080061, ("CT",), CASELESS), OneOf(0x00080061, ("PT",), CASELESS))
    assert parse_key(several, rules) == both
    assert parse_key(several) == (OneOf(0x00080061, ("CT", "PT"), CASELESS),)
    names = Key(0x00081060, "PN", "A^B\\C", "", is_multi_valued=True)
    assert parse_key(names, rules) == (PersonName(0x00081060, ("A^B",)), PersonName(0x00081060, ("C",)))
    assert parse_key(key("Modality", "CT\\PT"), rules) == (OneOf(tag("Modality"), ("CT", "PT"), CASELESS),)
    with pytest.raises(InvalidKey):
        parse_key(Key(0x00080061, "CS", "CT\\P*", "", is_multi_valued=True), rules)


def test_several_values_of_an_attribute_that_has_several_are_a_list() -> None:
    other_ids = Key(0x00101000, "LO", "a\\b", "OtherPatientIDs", is_multi_valued=True)
    assert parse_key(other_ids) == (OneOf(0x00101000, ("a", "b")),)


@pytest.mark.parametrize(
    ("vr", "text", "expected"),
    [
        ("DS", "1.50", OneOf(0x00091001, ("1.50",))),
        ("FD", "-1e-3", OneOf(0x00091001, ("-1e-3",))),
        ("AS", "034Y", OneOf(0x00091001, ("034Y",))),
        ("AT", "00100010", OneOf(0x00091001, ("00100010",))),
        ("UT", "a*\\b", Wildcard(0x00091001, "a*\\b")),
        ("UR", "http://x/y", OneOf(0x00091001, ("http://x/y",))),
        ("DT", "2020", Between(0x00091001, "2020", "2020")),
        ("DT", "2020-", Between(0x00091001, "2020", None)),
        ("DT", "-202002", Between(0x00091001, None, "202002")),
        ("DT", "2020-2021", Between(0x00091001, "2020", "2021")),
        ("DT", "20200101-0500-20200102-0500", Between(0x00091001, "20200101-0500", "20200102-0500")),
        ("DT", "20200101-0500", Between(0x00091001, "20200101-0500", "20200101-0500")),
        ("DT", "20200101+0100-20200102", Between(0x00091001, "20200101+0100", "20200102")),
    ],
)
def test_a_key_of_any_vr_asks_for_what_it_means(vr: str, text: str, expected: Match) -> None:
    assert parse_key(of_vr(vr, text)) == (expected,)


@pytest.mark.parametrize(
    ("vr", "text"), [("DS", "one"), ("SL", "1_0"), ("DT", "20"), ("DT", "20200230"), ("DT", "-"), ("DT", "2020+9900")]
)
def test_a_value_that_is_none_of_its_vr_is_refused(vr: str, text: str) -> None:
    with pytest.raises(InvalidKey, match=r"\(0009,1001\)"):
        parse_key(of_vr(vr, text))


@pytest.mark.parametrize(("minutes", "zone"), [(60, "+0100"), (-330, "-0530"), (0, "+0000")])
def test_an_instant_without_zone_is_meant_in_the_one_agreed_on(minutes: int, zone: str) -> None:
    rules = KeyRules(timezone_minutes=minutes)
    assert parse_key(of_vr("DT", "2020-2021+0900"), rules) == (Between(0x00091001, f"2020{zone}", "2021+0900"),)
