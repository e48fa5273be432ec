"""Rules by the command line: tried on files, checked, compared."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from tests.support.command_line import CommandLine
from tests.support.dicom_files import EXPLICIT, IMPLICIT, write_file

CHANNELS = """\
[channels.router.source]
kind = "dimse"
listen = "QIEROUTER@0.0.0.0:4007"

[[channels.router.rules]]
name = "night"
when = 'time between 22:00 and 06:00'
to = ["cloud"]

[[channels.router.rules]]
name = "CT"
when = 'Modality = "CT" and called_ae_title = "QIEROUTER" and StudyDescription contains "thorax"'
to = ["pacs"]
transforms = ["names"]
then = "stop"

[[channels.router.rules]]
name = "rest"
otherwise = true
to = ["pacs"]

[channels.web.source]
kind = "stow"

[[channels.web.rules]]
name = "from the clinic"
when = 'address = "10.1.0.0/16" and calling_ae_title is missing'
to = ["cloud"]

[destinations.pacs]
kind = "dimse"
remote = "ORTHANC@10.0.2.4:4242"

[destinations.cloud]
kind = "folder"
path = "cloud"

[[transforms.names.steps]]
set = "InstitutionName"
to = "General Hospital"
"""
SECRET = "Thorax of Jane Doe"


@pytest.fixture
def command_line(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path / "state")


@pytest.fixture
def channels(tmp_path: Path) -> Path:
    path = tmp_path / "channels.toml"
    path.write_text(CHANNELS, encoding="utf-8")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "scans"
    folder.mkdir()
    for name, modality, syntax in (("a.dcm", "CT", EXPLICIT), ("b.dcm", "MR", IMPLICIT)):
        dataset = Dataset()
        dataset.Modality = modality
        dataset.StudyDescription = SECRET
        (folder / name).write_bytes(write_file(dataset, syntax))
    (folder / "notes.txt").write_text("no image", encoding="utf-8")
    return folder


def test_a_row_tells_for_each_file_and_channel_which_rules_match_and_where_it_goes(
    command_line: CommandLine, channels: Path, folder: Path
) -> None:
    answer = command_line.run("rule", "try", folder, "--rules", channels, "--at", "2026-11-21T10:00")
    assert answer.code == 0
    assert [line.split("\t")[1:] for line in answer.out.splitlines()] == [
        ["channel", "rules", "goes to"],
        ["router", "CT", "pacs (names)"],
        ["web", "-", "-"],
        ["router", "rest", "pacs"],
        ["web", "-", "-"],
    ]
    assert "1 other file left out." in answer.err


def test_how_it_came_is_what_the_command_says(command_line: CommandLine, channels: Path, folder: Path) -> None:
    came = ("--at", "2026-11-21T23:30", "--address", "10.1.2.3", "--called", "OTHER")
    out = command_line.must("rule", "try", folder / "a.dcm", "--rules", channels, *came)
    assert [line.split("\t")[2:] for line in out.splitlines()[1:]] == [["night", "cloud"], ["from the clinic", "cloud"]]


def test_the_explanation_says_why_and_tells_values_only_where_asked_to(
    command_line: CommandLine, channels: Path, folder: Path
) -> None:
    arguments = ("rule", "try", folder / "b.dcm", "--rules", channels, "--channel", "router", "--at", "2026-11-21")
    out = command_line.must(*arguments, "--why")
    assert '  CT: unmatched\n    no   all of:\n         no   Modality = "CT"\n' in out
    assert SECRET not in out
    assert SECRET in command_line.must(*arguments, "--values")


def test_programs_get_json(command_line: CommandLine, channels: Path, folder: Path) -> None:
    out = command_line.must(
        "rule", "try", folder / "a.dcm", "--rules", channels, "--channel", "router", "--at", "2026-11-21", "--json"
    )
    (tried,) = json.loads(out)
    assert tried["matched"] == ["night", "CT"]
    assert tried["deliveries"] == [
        {"destination": "cloud", "rule": "night", "transforms": [], "priority": "routine"},
        {"destination": "pacs", "rule": "CT", "transforms": ["names"], "priority": "routine"},
    ]
    assert [rule["outcome"] for rule in tried["rules"]] == ["matched", "matched", "not asked"]
    assert SECRET not in out


def test_what_transforms_change_is_shown_before_and_after(
    command_line: CommandLine, channels: Path, folder: Path
) -> None:
    arguments = (
        "rule",
        "try",
        folder / "a.dcm",
        "--rules",
        channels,
        "--channel",
        "router",
        "--at",
        "2026-11-21T10:00",
    )
    out = command_line.must(*arguments, "--changes")
    assert "  pacs: 1 change\n    InstitutionName: absent → General Hospital\n" in out
    (tried,) = json.loads(command_line.must(*arguments, "--changes", "--json"))
    assert tried["deliveries"][0]["changes"] == [
        {"name": "InstitutionName", "before": None, "after": ["General Hospital"]}
    ]
    channels.write_text(CHANNELS.replace('to = "General Hospital"', 'to = "Hôpital"'), encoding="utf-8")
    assert "character_set before this one" in command_line.must(*arguments, "--changes")


def test_a_broken_file_is_told_and_fails_the_command(command_line: CommandLine, channels: Path, folder: Path) -> None:
    (folder / "a.dcm").write_bytes((folder / "a.dcm").read_bytes()[:-7])
    answer = command_line.run(
        "rule", "try", folder, "--rules", channels, "--channel", "router", "--at", "2026-11-21T12:00"
    )
    assert answer.code == 1
    assert "failed: " in answer.out
    assert "rest" in answer.out, "the others are tried all the same"


def test_an_unknown_channel_is_told_with_those_that_are_there(
    command_line: CommandLine, channels: Path, folder: Path
) -> None:
    answer = command_line.run("rule", "try", folder, "--rules", channels, "--channel", "routre")
    assert answer.code == 1
    assert "there are: router, web." in answer.err


def test_what_is_wrong_with_a_configuration_is_told_with_line_and_key(
    command_line: CommandLine, channels: Path
) -> None:
    assert "Sound: 2 channels, 2 destinations, 1 transform." in command_line.must("rule", "check", channels)
    channels.write_text(CHANNELS.replace('Modality = "CT"', 'Modalty = "CT"').replace('["cloud"]', '["clowd"]'))
    answer = command_line.run("rule", "check", channels)
    assert answer.code == 2
    assert f"{channels}:12: channels.router.rules[2].when: " in answer.err
    assert "did you mean Modality?" in answer.err
    told = json.loads(command_line.run("rule", "check", channels, "--json").out)
    assert [problem["line"] for problem in told["problems"]] == [12, 28]


def test_what_changes_is_told_in_words(command_line: CommandLine, channels: Path, tmp_path: Path) -> None:
    changed = tmp_path / "new.toml"
    changed.write_text(CHANNELS.replace("ORTHANC@10.0.2.4:4242", "PACS@10.0.2.4:4242"), encoding="utf-8")
    assert command_line.must("rule", "diff", channels, channels) == "Both say the same.\n"
    out = command_line.must("rule", "diff", channels, changed)
    assert out == (
        'destination pacs is changed: remote was "ORTHANC@10.0.2.4:4242" and is "PACS@10.0.2.4:4242" (used by router)\n'
    )
    (difference,) = json.loads(command_line.must("rule", "diff", channels, changed, "--json"))
    assert (difference["thing"], difference["name"], difference["channels"]) == ("destination", "pacs", ["router"])
