from __future__ import annotations

from hypothesis import given, settings

from isocenter.routing.rules.evaluate import explain
from isocenter.routing.rules.explain import describe_finding
from isocenter.routing.rules.expression import Expression
from isocenter.routing.rules.parse import parse_expression
from tests.support.rule_expressions import (
    CODE_VALUE,
    MODALITY,
    ROWS,
    STUDY_DESCRIPTION,
    VIEW_CODE,
    Item,
    expressions,
    subject,
)

SECRET = "Doe^Jane"
HOLDER = Item(
    {MODALITY: ["CT"], STUDY_DESCRIPTION: [SECRET], ROWS: ["many"]}, {VIEW_CODE: [Item({CODE_VALUE: ["R-1"]})]}
)


def _lines(text: str, *, with_values: bool = False) -> list[str]:
    return describe_finding(explain(parse_expression(text), subject(HOLDER)), with_values=with_values)


def test_each_part_has_a_line_that_says_whether_it_holds() -> None:
    assert _lines('Modality in ("CT", "MR") and (AccessionNumber = "1" or Rows > 5) and Modality != "CT"') == [
        "no   all of:",
        '     yes  Modality in ("CT", "MR")',
        "     no   one of:",
        '          no   AccessionNumber = "1"  (AccessionNumber is missing)',
        "          no   Rows > 5  (a value is none of its VR, so that it cannot be compared)",
        '     no   Modality != "CT"',
    ]


def test_items_of_a_sequence_are_told_of_one_by_one() -> None:
    assert _lines('ViewCodeSequence has (CodeValue = "R-2")') == [
        "no   an item of ViewCodeSequence where:",
        "     item 1:",
        '       no   CodeValue = "R-2"',
    ]
    assert _lines('RequestAttributesSequence has (CodeValue = "R-2")') == [
        "no   an item of RequestAttributesSequence where:  (it has no items)"
    ]


def test_values_are_told_only_where_they_are_asked_for() -> None:
    text = 'StudyDescription like "x*" or not (StudyDescription contains "y")'
    assert SECRET not in "\n".join(_lines(text))
    assert f"(it is '{SECRET}')" in "\n".join(_lines(text, with_values=True))


@settings(max_examples=80)
@given(expressions())
def test_no_value_of_the_instance_is_in_the_lines_of_any_condition(expression: Expression) -> None:
    marked = Item({tag: ["\u2620 secret"] for tag in (MODALITY, STUDY_DESCRIPTION, ROWS, CODE_VALUE)})
    holder = Item(marked.values, {VIEW_CODE: [marked], 0x00400275: [marked]})
    assert "\u2620 secret" not in "\n".join(describe_finding(explain(expression, subject(holder))))
