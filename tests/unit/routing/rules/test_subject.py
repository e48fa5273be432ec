from __future__ import annotations

import pytest
from hypothesis import given, settings
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from isocenter.dicom.element_view import view_header
from isocenter.routing.rules.decide import Rule, decide
from isocenter.routing.rules.evaluate import holds
from isocenter.routing.rules.expression import Expression, tags_of
from isocenter.routing.rules.parse import parse_expression
from isocenter.routing.rules.subject import HeaderAttributes, Subject, read_attributes
from tests.support.dicom_datasets import datasets
from tests.support.dicom_files import BIG_ENDIAN, DEFLATED, EXPLICIT, IMPLICIT, write_file
from tests.support.rule_expressions import expressions, subject


def _source() -> Dataset:
    source = Dataset()
    source.SpecificCharacterSet = "ISO_IR 100"
    source.ImageType = ["ORIGINAL", "PRIMARY"]
    source.AccessionNumber = ""
    source.StudyDescription = "Übersicht"
    source.Rows = 512
    source.RedPaletteColorLookupTableData = b"\1\2"
    item = Dataset()
    item.AccessionNumber = "A1"
    source.RequestAttributesSequence = Sequence([item])
    source.private_block(0x0009, "ACME", create=True).add_new(0x0C, "LO", "ja")
    source.private_block(0x0011, "ACME", create=True).add_new(0x0C, "OB", b"\1\2\0\3")
    return source


@pytest.mark.parametrize("transfer_syntax_uid", [EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED])
@pytest.mark.parametrize(
    "text",
    [
        'ImageType[2] = "PRIMARY"',
        "AccessionNumber is missing",
        'StudyDescription = "Übersicht"',
        "Rows = 512",
        "RedPaletteColorLookupTableData is present",
        'RequestAttributesSequence has (AccessionNumber = "A1")',
        '(0009,xx0C,"ACME") = "ja"',
        '(0009,100C) = "ja"',
        '(0009,xx0C,"OTHER") is missing',
        '(0011,xx0C,"ACME") is present and (0011,xx0C,"ACME") not like "*"',
    ],
)
def test_conditions_read_files_of_every_syntax(transfer_syntax_uid: str, text: str) -> None:
    expression = parse_expression(text)
    attributes = read_attributes(write_file(_source(), transfer_syntax_uid), tags_of(expression))
    plain = subject()
    assert holds(expression, Subject(attributes, plain.received_at, 1, transfer_syntax_uid))


@settings(max_examples=60)
@given(source=datasets(), expression=expressions())
def test_the_wanted_tags_are_all_that_a_decision_depends_on(source: Dataset, expression: Expression) -> None:
    content = write_file(source, EXPLICIT)
    everything = frozenset(int(each.tag) for each in source)
    plain = subject()
    few, all_there = (
        Subject(attributes, plain.received_at, 1, EXPLICIT)
        for attributes in (
            read_attributes(content, tags_of(expression)),
            HeaderAttributes(view_header(content, everything)),
        )
    )
    rules = [Rule("only", expression, to=("pacs",))]
    assert decide(rules, few) == decide(rules, all_there)
