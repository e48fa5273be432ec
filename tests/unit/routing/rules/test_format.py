from __future__ import annotations

import pytest
from hypothesis import given, settings

from isocenter.routing.rules.expression import Expression
from isocenter.routing.rules.format import format_expression
from isocenter.routing.rules.parse import parse_expression
from tests.support.rule_expressions import expressions


@settings(max_examples=200)
@given(expressions())
def test_what_is_written_is_read_again_as_the_same(expression: Expression) -> None:
    assert parse_expression(format_expression(expression)) == expression


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ('( Modality="CT" )and Rows   >5', 'Modality = "CT" and Rows > 5'),
        ('not (Modality = "CT")', 'Modality != "CT"'),
        ('not (Modality = "CT" and Rows > 5)', 'not (Modality = "CT" and Rows > 5)'),
        ("not Rows > 5", "not Rows > 5"),
        ('(Modality = "CT" or Rows > 5) and size > 1024', '(Modality = "CT" or Rows > 5) and size > 1024'),
        ("size > 1048576B", "size > 1MiB"),
        ("(0010,0020) is missing", "PatientID is missing"),
        ("Rows = 5.10", "Rows = 5.1"),
        ("time > 7:05", "time > 07:05"),
        ("StudyDate = today - 0d", "StudyDate = today"),
        ("(6000,0010) = 1", "(6000,0010) = 1"),
    ],
)
def test_there_is_one_spelling(text: str, written: str) -> None:
    assert format_expression(parse_expression(text)) == written
