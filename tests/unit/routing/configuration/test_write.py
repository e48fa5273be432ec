from __future__ import annotations

import tomllib

from hypothesis import given, settings

from isocenter.routing.configuration.channel import Configuration
from isocenter.routing.configuration.read import read_configuration
from isocenter.routing.configuration.write import tables_of, write_configuration, write_toml
from tests.support.routing_configurations import configurations


@settings(max_examples=200)
@given(configurations())
def test_what_is_written_is_read_again_as_the_same(configuration: Configuration) -> None:
    assert read_configuration(write_configuration(configuration), file="x.toml").configuration == configuration


@settings(max_examples=100)
@given(configurations())
def test_the_text_says_what_the_tables_say(configuration: Configuration) -> None:
    assert tomllib.loads(write_configuration(configuration)) == tables_of(configuration)


def test_an_empty_configuration_is_an_empty_text() -> None:
    assert write_configuration(Configuration()) == ""
    assert read_configuration("", file="x.toml").configuration == Configuration()


def test_a_text_stands_in_the_quotes_that_need_no_escapes() -> None:
    table: dict[str, object] = {"a": 'Modality = "CT"', "b": "it's", "c": "'\"\\", "d": "tab\tbell\x07\x7f"}
    assert write_toml(table).splitlines()[:2] == ["a = 'Modality = \"CT\"'", 'b = "it\'s"']
    assert tomllib.loads(write_toml(table)) == table
