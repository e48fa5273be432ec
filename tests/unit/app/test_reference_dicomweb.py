"""The DICOMweb conformance statement leaves nothing out that the tables of the program have."""

from __future__ import annotations

import re

import pytest

from isocenter.app.reference_dicomweb import render_dicomweb_conformance
from isocenter.app.reference_divergences import divergences
from isocenter.dicom.syntax import TRANSFER_SYNTAXES
from isocenter.dicomweb.codec.qido_attributes import MATCHABLE
from isocenter.dicomweb.server.routes import ROOTS, described_under

PAGE = render_dicomweb_conformance("note")
DIVERGENCES = 19
"""dicom-service 0.2."""


@pytest.mark.parametrize("root", ROOTS)
def test_every_route_of_a_root_has_its_row(root: str) -> None:
    for route in described_under(root):
        [row] = [
            line for line in PAGE.splitlines() if line.startswith(f"| {route.place.method} `/{route.place.pattern}` ")
        ]
        roots, action = row.split(" | ")[3:5]
        assert roots == "all" or f"`{root}`" in roots
        assert action == (route.action or "none")
        for answer in route.description.answers:
            assert answer.status in (400, 507) or str(answer.status) in row


@pytest.mark.parametrize("root", ROOTS)
def test_every_parameter_and_media_type_is_named(root: str) -> None:
    for route in described_under(root):
        for parameter in route.description.parameters:
            assert f"| `{parameter.name}` |" in PAGE or f"| {parameter.name} (" in PAGE, parameter.name
        for media_type in (*route.description.takes, *route.description.gives):
            assert f"`{media_type}`" in PAGE


def test_every_transfer_syntax_and_every_attribute_of_the_index_has_its_row() -> None:
    assert all(f"| {syntax.name} | `{syntax.uid}` |" in PAGE for syntax in TRANSFER_SYNTAXES)
    assert all(f"| {attribute.keyword} (" in PAGE for attribute in MATCHABLE.values())


def test_the_register_of_divergences_is_whole() -> None:
    assert [one.number for one in divergences()] == list(range(1, DIVERGENCES + 1))
    assert re.findall(r"^\| (D\d+) \|", PAGE, re.MULTILINE) == [f"D{number}" for number in range(1, DIVERGENCES + 1)]


def test_no_table_is_empty() -> None:
    lines = PAGE.splitlines()
    for number, line in enumerate(lines):
        if line.startswith("| ---"):
            assert lines[number + 1].startswith("|"), lines[number - 1]
