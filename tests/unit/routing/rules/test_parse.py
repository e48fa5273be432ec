from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isocenter.routing.rules.errors import InvalidExpression
from isocenter.routing.rules.expression import (
    DEPTH_MAX,
    EXPRESSION_LENGTH_MAX,
    And,
    Between,
    Comparison,
    Count,
    Fact,
    Has,
    Like,
    Literal,
    LiteralKind,
    Membership,
    Not,
    Operator,
    Or,
    Path,
    PathStep,
    Present,
    tags_of,
)
from isocenter.routing.rules.parse import parse_expression

MODALITY = Path((PathStep(0x00080060),))


def _text(value: str) -> Literal:
    return Literal(LiteralKind.TEXT, value)


def test_and_binds_closer_than_or_and_not_closest() -> None:
    found = parse_expression('Modality = "CT" or not Modality = "MR" and Modality is present')
    ct, mr = (Comparison(MODALITY, Operator.EQUAL, _text(value)) for value in ("CT", "MR"))
    assert found == Or((ct, And((Not(mr), Present(MODALITY)))))


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ('Modality != "CT"', 'Modality = "CT"'),
        ('Modality not in ("CT", "MR")', 'Modality in ("CT", "MR")'),
        ('Modality not like "C*"', 'Modality like "C*"'),
        ('Modality not contains "C"', 'Modality contains "C"'),
        ("Rows not between 1 and 2", "Rows between 1 and 2"),
        ("Modality is missing", "Modality is present"),
        ("Modality is not present", "Modality is present"),
    ],
)
def test_negated_forms_are_the_opposite_of_the_plain_ones(text: str, plain: str) -> None:
    assert parse_expression(text) == Not(parse_expression(plain))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(0008,0060) is present", Present(MODALITY)),
        ("ImageType[3] is present", Present(Path((PathStep(0x00080008, number=3),)))),
        (
            "RequestAttributesSequence[1].AccessionNumber is present",
            Present(Path((PathStep(0x00400275, number=1), PathStep(0x00080050)))),
        ),
        (
            '(0019,xx0C,"ACME 1.0") = 3',
            Comparison(
                Path((PathStep(0x0019000C, "ACME 1.0"),)), Operator.EQUAL, Literal(LiteralKind.NUMBER, Decimal(3))
            ),
        ),
        (
            "count(ImageType) > 2",
            Comparison(Count(Path((PathStep(0x00080008),))), Operator.GREATER, Literal(LiteralKind.NUMBER, Decimal(2))),
        ),
        ("size >= 1.5MB", Comparison(Fact.SIZE, Operator.AT_LEAST, Literal(LiteralKind.SIZE, 1_500_000))),
        (
            "time between 22:00 and 6:30",
            Between(Fact.TIME, Literal(LiteralKind.TIME, 79_200), Literal(LiteralKind.TIME, 23_400)),
        ),
        (
            "weekday in (sat, Sunday)",
            Membership(
                Fact.WEEKDAY, (Literal(LiteralKind.WEEKDAY, "saturday"), Literal(LiteralKind.WEEKDAY, "sunday"))
            ),
        ),
        (
            "StudyDate >= today - 90d",
            Comparison(Path((PathStep(0x00080020),)), Operator.AT_LEAST, Literal(LiteralKind.DAYS_FROM_TODAY, -90)),
        ),
        (
            "StudyDate = today -90d",
            Comparison(Path((PathStep(0x00080020),)), Operator.EQUAL, Literal(LiteralKind.DAYS_FROM_TODAY, -90)),
        ),
        (
            "PatientAge < 18y",
            Comparison(Path((PathStep(0x00101010),)), Operator.LESS, Literal(LiteralKind.AGE, "018Y")),
        ),
        (
            "Rows in (1024,2048)",
            Membership(
                Path((PathStep(0x00280010),)),
                (Literal(LiteralKind.NUMBER, Decimal(1024)), Literal(LiteralKind.NUMBER, Decimal(2048))),
            ),
        ),
        (r"""Modality like '\\"*\''""", Like(MODALITY, "\\\"*'")),
        (
            'ViewCodeSequence has (CodeValue = "x")',
            Has(Path((PathStep(0x00540220),)), Comparison(Path((PathStep(0x00080100),)), Operator.EQUAL, _text("x"))),
        ),
    ],
)
def test_operands_and_literals(text: str, expected: object) -> None:
    assert parse_expression(text) == expected


@pytest.mark.parametrize(
    ("text", "at_fault", "says"),
    [
        ('Modalty = "CT"', "Modalty", "did you mean Modality?"),
        ('modality = "CT"', "modality", "did you mean Modality?"),
        ('calling_ae = "CT"', "calling_ae", "did you mean calling_ae_title?"),
        ('Modality == "CT"', "==", "write = for equality"),
        ('Modality = "CT" && Rows = 1', "&&", "write and"),
        ("Modality = “CT”", "“", "straight quotes"),
        ("Modality = CT", "CT", "texts stand in quotes"),
        ("Modality is CT", "CT", "for equality write ="),
        ('Rows = "512"', '"512"', "a number, written as 512"),
        ('Modality < "MR"', "<", "no order"),
        ('(0019,1001) < "MR"', "<", "no order"),
        ("Modality", "Modality", "Nothing is asked of Modality"),
        ('Modality matches "C"', "matches", "no comparison"),
        ('Modality = "CT" Rows = 3', "Rows", '"and" or "or"'),
        ('Modality = "CT")', ")", "only where a ("),
        ('(Modality = "CT"', "(", "not closed"),
        ('Modality in "CT"', '"CT"', "a list in parentheses"),
        ('Modality in ("CT"; "MR")', ";", "no meaning"),
        ('Modality in ("CT" "MR")', '"MR"', "goes on with a comma"),
        ("Rows between 1, 2", ",", "stands and"),
        ("StudyDate = 2026-02-31", "2026-02-31", "no day of the calendar"),
        ("StudyDate > today - 5w", "5w", "a number of days"),
        ("time > 24:00", "24:00", "no time of day"),
        ("size > 5x", "5x", "neither a size"),
        ('address = "300.1.1.1"', '"300.1.1.1"', "no address or network"),
        ("Modality has (Rows = 1)", "Modality", "is no sequence"),
        ("ViewCodeSequence has CodeValue", "has", "in parentheses"),
        ('ViewCodeSequence = "x"', '"x"', "whether it is present"),
        ('Modality.CodeValue = "x"', ".", "nothing lies in it"),
        ('RedPaletteColorLookupTableData = "x"', '"x"', "whether it is present"),
        ("ImageType[0] is present", "0", "from 1"),
        ("PixelData is present", "PixelData", "use size"),
        ('TransferSyntaxUID = "x"', "TransferSyntaxUID", "transfer_syntax_uid"),
        ('(0009,xx01) = "x"', "(0009,xx01)", "creator"),
        ('(0009,1001,"ACME") = "x"', '(0009,1001,"ACME")', "(0009,xx01"),
        ('Modality = "CT', '"', "no end"),
        (r'Modality = "C\T"', r"\T", "backslash"),
        ('Modality contains ""', "contains", "is present"),
        ('Rows like "5*"', "like", "a number, not text"),
        ("Modality like 5", "5", "a text in quotes"),
        ("Modality @ 5", "@", "no meaning"),
        ("and", "and", "an attribute or a fact"),
    ],
)
def test_what_is_wrong_is_pointed_at_with_what_to_write_instead(text: str, at_fault: str, says: str) -> None:
    with pytest.raises(InvalidExpression) as caught:
        parse_expression(text)
    error = caught.value
    assert text[error.start : error.end] == at_fault
    assert says in error.message
    pointed = error.pointed_at(text).splitlines()
    assert pointed[0] == text
    assert pointed[1] == " " * error.start + "^" * len(at_fault)


def test_empty_condition_is_refused_with_an_example() -> None:
    with pytest.raises(InvalidExpression, match='Modality = "CT"'):
        parse_expression("  \n ")


def test_the_line_at_fault_of_several_is_shown() -> None:
    text = 'Modality = "CT"\n  and Modalty = "MR"'
    with pytest.raises(InvalidExpression) as caught:
        parse_expression(text)
    assert caught.value.pointed_at(text).splitlines()[:2] == ['  and Modalty = "MR"', "      ^^^^^^^"]


@pytest.mark.parametrize("opening", ["(", "not ", "ViewCodeSequence has ("])
def test_depth_has_a_limit(opening: str) -> None:
    with pytest.raises(InvalidExpression, match="nested deeper"):
        parse_expression(opening * (DEPTH_MAX + 1) + 'Modality = "CT"')


def test_length_has_a_limit() -> None:
    with pytest.raises(InvalidExpression, match="several rules"):
        parse_expression('Modality = "CT" or ' * (EXPRESSION_LENGTH_MAX // 10))


@settings(max_examples=400)
@given(
    st.one_of(
        st.text(max_size=60),
        st.lists(
            st.sampled_from(
                [
                    "Modality",
                    "Rows",
                    "ViewCodeSequence",
                    "has",
                    "(",
                    ")",
                    "and",
                    "or",
                    "not",
                    "in",
                    "is",
                    "missing",
                    "=",
                    '"CT"',
                    "5",
                    "5MB",
                    "today",
                    "-",
                    "2026-01-01",
                    "10:00",
                    ",",
                    "[",
                    "]",
                    ".",
                    "count",
                    "size",
                    "like",
                    "between",
                    "(0009,xx01",
                    '"x"',
                    "(0008,0060)",
                ]
            ),
            max_size=14,
        ).map(" ".join),
    )
)
def test_any_text_is_a_condition_or_an_error_with_a_place(text: str) -> None:
    error = _error_of(text)
    if error is not None:
        assert 0 <= error.start <= len(text)
        assert error.start < error.end
        assert error.pointed_at(text).endswith(error.message)


def _error_of(text: str) -> InvalidExpression | None:
    try:
        parse_expression(text)
    except InvalidExpression as error:
        return error
    return None


def test_tags_are_those_at_top_level_and_every_block_of_a_private_creator() -> None:
    found = tags_of(
        parse_expression('RequestAttributesSequence.AccessionNumber = "a" and (size > 1 or count(ImageType) = 1)')
    )
    assert found == {0x00400275, 0x00080008}
    private = tags_of(parse_expression('(0019,xx0C,"ACME") = "x"'))
    assert {0x00190010, 0x001900FF, 0x0019100C, 0x0019FF0C} <= private
    assert len(private) == 480
