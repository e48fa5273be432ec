"""The how-tos about migrations and connection tests name commands, options and words that are there."""

from __future__ import annotations

import re
import shlex

import click
import pytest

from isocenter.app.cli import group
from isocenter.routing.catalogue.entry import Family
from isocenter.routing.catalogue.lookup import entry_of
from isocenter.routing.connection_test.report import StepName
from isocenter.routing.migration.anomalies import AnomalyKind
from isocenter.routing.migration.sample import sample_size
from isocenter.routing.migration.waves import WAVE_INSTANCES
from tests.support.shared_data import REPOSITORY

PAGES = {
    name: (REPOSITORY / "docs" / "how-to" / name).read_text("utf-8") for name in ("migrate.md", "test-connection.md")
}
COMMANDS = [
    command for page in PAGES.values() for command in re.findall(r"^isocenter (.+)$", page, re.MULTILINE) if command
]


def _options(arguments: list[str]) -> set[str]:
    """Return the options of the command that arguments name."""
    command: click.Command = group
    while isinstance(command, click.Group):
        context = click.Context(command)
        found = command.get_command(context, arguments.pop(0))
        assert found is not None
        command = found
    return {option for parameter in command.params for option in parameter.opts}


@pytest.mark.parametrize("line", COMMANDS)
def test_every_option_of_a_command_is_there(line: str) -> None:
    arguments = shlex.split(line)
    named = {argument for argument in arguments if argument.startswith("--")}
    assert named <= _options(arguments)


def test_the_pages_have_commands() -> None:
    assert len(COMMANDS) == 14


def test_every_anomaly_has_its_place_in_the_page() -> None:
    assert [kind for kind in AnomalyKind if f"`{kind.value}`" not in PAGES["migrate.md"]] == []


def test_figures_of_the_page_are_those_of_the_program() -> None:
    assert f"{sample_size():,}" in PAGES["migrate.md"]
    assert f"{WAVE_INSTANCES:,}" in PAGES["migrate.md"]


def test_every_step_of_a_protocol_has_its_place_in_the_page() -> None:
    local = {StepName.CONFIGURATION, StepName.FOLDER}
    missing = [name for name in StepName if name not in local and f"`{name.value}`" not in PAGES["test-connection.md"]]
    assert missing == []


def test_the_words_of_the_example_are_those_of_the_catalogue() -> None:
    entry = entry_of(Family.REJECTION, "1.3")
    assert entry.meaning in PAGES["test-connection.md"]
    assert entry.remedy in PAGES["test-connection.md"]
