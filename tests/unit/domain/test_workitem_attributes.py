from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydicom.datadict import dictionary_VR, keyword_for_tag

from isocenter.dicom.dictionary import keyword_of
from isocenter.domain.errors import InvalidAttributes, MissingAttribute, MissingAttributeValue
from isocenter.domain.values import Values, tag_key
from isocenter.domain.workitem import WorkitemState
from isocenter.domain.workitem_attributes import (
    AT_CREATION,
    AT_END,
    AT_UPDATE,
    CODE_SEQUENCES,
    Need,
    Requirement,
    is_empty,
    require_attributes,
)

CODE = {"00080100": ["C1"], "00080102": ["99TEST"], "00080104": ["Meaning"]}
REQUEST = {
    "0020000D": ["1.2"],
    **dict.fromkeys(("00080050", "00080051", "00400026", "00400027", "00401001", "00321060", "00321064"), ()),
}
CREATION: dict[str, list[str | Values]] = {
    **{tag_key(one.tag): [] for one in AT_CREATION},
    "00080018": ["1.2.3"],
    "00741200": ["HIGH"],
    "00741204": ["label"],
    "00404005": ["2026"],
    "00404041": ["READY"],
    "0040A370": [REQUEST],
}
COMPLETED: dict[str, list[str | Values]] = {
    "00080016": ["1"],
    "00080018": ["1"],
    "00741200": ["LOW"],
    "00404010": ["2026"],
    "00404005": ["2026"],
    "00404041": ["READY"],
    "00741000": ["COMPLETED"],
    "00741216": [{"00404028": [CODE], "00404050": ["2026"], "00404019": [CODE], "00404051": ["2026"], "00404033": []}],
}
CANCELED: dict[str, list[str | Values]] = {**COMPLETED, "00741002": [{"00404052": ["2026"], "0074100E": [CODE]}]}
TABLES = [AT_CREATION, AT_UPDATE, *AT_END.values()]


def _lines(table: tuple[Requirement, ...]) -> Iterator[Requirement]:
    for one in table:
        yield one
        yield from _lines(one.nested)


@pytest.mark.parametrize("table", TABLES)
def test_every_line_names_an_attribute_once_and_nests_in_sequences(table: tuple[Requirement, ...]) -> None:
    assert len({one.tag for one in table}) == len(table)
    for one in _lines(table):
        assert keyword_of(one.tag) == keyword_for_tag(one.tag) != ""
        assert not one.nested or dictionary_VR(one.tag) == "SQ"
    assert all(dictionary_VR(tag) == "SQ" for tag in CODE_SEQUENCES)


def test_a_whole_workitem_can_be_created() -> None:
    require_attributes(CREATION, AT_CREATION)


@pytest.mark.parametrize("line", [one for one in AT_CREATION if one.need is not Need.OPTIONAL], ids=lambda one: one.tag)
def test_nothing_that_creation_asks_for_may_be_missing(line: Requirement) -> None:
    given = {key: value for key, value in CREATION.items() if key != tag_key(line.tag)}
    with pytest.raises(MissingAttribute) as caught:
        require_attributes(given, AT_CREATION)
    name = f"({line.tag >> 16:04x},{line.tag & 0xFFFF:04x})"
    assert (caught.value.message, caught.value.tags) == (f"The required tag '{name}' is missing.", (line.tag,))


@pytest.mark.parametrize("tag", ["00080018", "00741200", "00741204", "00404005", "00404041"])
@pytest.mark.parametrize("value", [[], [""]])
def test_some_need_a_value_at_creation(tag: str, value: list[str]) -> None:
    with pytest.raises(MissingAttributeValue, match=r"^The value for tag '\(.{9}\)' is missing\.$"):
        require_attributes(CREATION | {tag: value}, AT_CREATION)


@pytest.mark.parametrize("tag", ["00081195", "00741002", "00741216"])
@pytest.mark.parametrize("value", [["1.2.3"], [{}]])
def test_some_must_be_empty_at_creation(tag: str, value: list[str | Values]) -> None:
    with pytest.raises(InvalidAttributes, match=r"^The attribute with tag '\(.{9}\)' must be empty\.$"):
        require_attributes(CREATION | {tag: value}, AT_CREATION)


@pytest.mark.parametrize("missing", sorted(REQUEST))
def test_every_item_of_a_sequence_is_looked_at(missing: str) -> None:
    short = {key: value for key, value in REQUEST.items() if key != missing}
    with pytest.raises(MissingAttribute):
        require_attributes(CREATION | {"0040A370": [REQUEST, short]}, AT_CREATION)
    with pytest.raises(MissingAttributeValue):
        require_attributes(CREATION | {"0040A370": [{**REQUEST, "0020000D": []}]}, AT_CREATION)


@pytest.mark.parametrize(
    "code", [CODE, {**CODE, "00080100": []} | {"00080119": ["long"]}, {"00080120": ["urn:x"], "00080104": ["Meaning"]}]
)
def test_a_code_may_be_short_long_or_a_name(code: Values) -> None:
    require_attributes(CREATION | {"00404018": [code], "00404025": [CODE, code]}, AT_CREATION)


@pytest.mark.parametrize("code", [{}, {"00080100": ["C1"]}, {"00080104": ["Meaning"]}, {**CODE, "00080104": []}])
@pytest.mark.parametrize("sequence", ["00404018", "00404025", "00404026", "00404027"])
def test_a_code_without_value_or_meaning_is_none(sequence: str, code: Values) -> None:
    with pytest.raises(MissingAttributeValue):
        require_attributes(CREATION | {sequence: [CODE, code]}, AT_CREATION)


def test_what_is_no_code_of_the_step_is_left_alone() -> None:
    require_attributes(CREATION | {"00081084": [{}], "00380014": [{}]}, AT_CREATION)


@pytest.mark.parametrize("line", [one for one in AT_UPDATE if one.need is Need.ABSENT], ids=lambda one: one.tag)
@pytest.mark.parametrize("value", [[], ["x"]])
def test_what_an_update_may_not_touch_is_refused(line: Requirement, value: list[str]) -> None:
    with pytest.raises(InvalidAttributes, match=r"^The attribute with tag '\(.{9}\)' cannot be present\.$"):
        require_attributes({tag_key(line.tag): value}, AT_UPDATE)


@pytest.mark.parametrize("line", [one for one in AT_UPDATE if one.need is Need.FILLED], ids=lambda one: one.tag)
def test_what_an_update_may_not_empty_is_refused_empty_and_may_be_left_out(line: Requirement) -> None:
    require_attributes({}, AT_UPDATE)
    with pytest.raises(MissingAttributeValue, match=r"^The attribute with tag '\(.{9}\)' must not be empty\.$"):
        require_attributes({tag_key(line.tag): []}, AT_UPDATE)


@pytest.mark.parametrize(
    ("sequence", "nested"), [("00741002", "00741004"), ("00741216", "00404050"), ("00741216", "00404019")]
)
def test_what_lies_in_a_sequence_may_not_be_emptied_either(sequence: str, nested: str) -> None:
    with pytest.raises(MissingAttributeValue):
        require_attributes({sequence: [{nested: []}]}, AT_UPDATE)


@pytest.mark.parametrize("sequence", ["00404025", "00404026", "00404027", "00404021", "00741210", "00741002"])
def test_an_update_may_empty_the_other_sequences(sequence: str) -> None:
    require_attributes({sequence: []}, AT_UPDATE)


def test_a_workitem_with_all_that_is_asked_for_may_end() -> None:
    require_attributes(COMPLETED, AT_END[WorkitemState.COMPLETED])
    require_attributes(CANCELED, AT_END[WorkitemState.CANCELED])


@pytest.mark.parametrize("tag", [*sorted(set(COMPLETED) - {"00741216"}), "00741216"])
def test_a_workitem_is_not_completed_before_all_is_known(tag: str) -> None:
    for given in ({key: value for key, value in COMPLETED.items() if key != tag}, {**COMPLETED, tag: []}):
        with pytest.raises(InvalidAttributes):
            require_attributes(given, AT_END[WorkitemState.COMPLETED])


@pytest.mark.parametrize("nested", ["00404028", "00404050", "00404019", "00404051"])
def test_what_was_performed_must_be_known_before_completion(nested: str) -> None:
    performed = COMPLETED["00741216"][0]
    assert not isinstance(performed, str)
    with pytest.raises(MissingAttributeValue):
        require_attributes({**COMPLETED, "00741216": [{**performed, nested: []}]}, AT_END[WorkitemState.COMPLETED])


@pytest.mark.parametrize("progress", [[], [{}], [{"00404052": ["2026"]}], [{"0074100E": [CODE]}]])
def test_why_and_when_it_was_canceled_must_be_known(progress: list[Values]) -> None:
    with pytest.raises(InvalidAttributes):
        require_attributes({**CANCELED, "00741002": progress}, AT_END[WorkitemState.CANCELED])


@pytest.mark.parametrize(
    ("value", "expected"), [(None, True), ([], True), ([""], True), (["", "x"], False), ([{}], False)]
)
def test_an_attribute_is_empty_where_nothing_stands_in_it(value: list[str | Values] | None, expected: bool) -> None:
    assert is_empty({} if value is None else {"00100010": value}, 0x00100010) is expected
