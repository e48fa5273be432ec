from __future__ import annotations

import tomllib

from hypothesis import given, settings

from isocenter.routing.configuration.channel import Configuration
from isocenter.routing.configuration.read import read_configuration
from isocenter.routing.configuration.write import tables_of, version_of, write_configuration, write_toml
from tests.support.routing_configurations import configurations
from tests.unit.routing.configuration.test_read import HOSPITAL


@settings(max_examples=80)
@given(configurations())
def test_what_is_written_is_read_again_as_the_same(configuration: Configuration) -> None:
    assert read_configuration(write_configuration(configuration), file="x.toml").configuration == configuration


@settings(max_examples=40)
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


def test_a_channel_has_another_version_where_it_does_something_else() -> None:
    before = read_configuration(HOSPITAL, file="x.toml").configuration
    version = version_of(before, before.channels[0])
    assert len(version) == 12
    for was, now, is_same in (
        ("workers = 2", "workers = 3", True),
        ('Modality = "CT"', 'Modality  =  "CT"', True),
        ('Modality = "CT"', 'Modality = "MR"', False),
        ('to = "General Hospital"', 'to = "City Hospital"', False),
    ):
        assert was in HOSPITAL
        after = read_configuration(HOSPITAL.replace(was, now), file="x.toml").configuration
        assert (version_of(after, after.channels[0]) == version) is is_same
