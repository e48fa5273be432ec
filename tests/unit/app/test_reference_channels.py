from __future__ import annotations

import re

import pytest

from isocenter.app.reference_channels import EXAMPLE, render_channels
from isocenter.routing.configuration.read import read_configuration
from isocenter.routing.rules.parse import parse_expression

PAGE = render_channels("")


def test_the_example_is_sound_and_leaves_nothing_to_be_warned_of() -> None:
    assert read_configuration(EXAMPLE, file="example.toml").warnings == ()


_CONDITIONS = re.findall(
    r"^\| `([^`]+)`[^|]*\|", PAGE.partition("## Conditions")[2].partition("| fact")[0], re.MULTILINE
)


@pytest.mark.parametrize("text", [text for text in _CONDITIONS if "…" not in text])
def test_every_form_of_a_condition_can_be_read(text: str) -> None:
    parse_expression(text)


def test_there_are_forms_to_read() -> None:
    assert len(_CONDITIONS) > 10
