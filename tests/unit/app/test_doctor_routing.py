from __future__ import annotations

from pathlib import Path

import pytest

from isocenter.app.doctor import State
from isocenter.app.doctor_routing import CHECKS, check_configuration, check_folders, check_secrets
from isocenter.app.settings import Settings, load_settings
from isocenter.domain.errors import InvalidSetting

SOUND = """
[channels.one]
source = { kind = "dimse", listen = "ONE@0.0.0.0:4007" }
[[channels.one.rules]]
name = "all"
to = ["cloud"]
[channels.two]
source = { kind = "folder", path = "/var/nowhere", after = "delete" }
[[channels.two.rules]]
name = "all"
to = ["cloud"]
[destinations.cloud]
kind = "dicomweb"
url = "http://127.0.0.1:1"
authentication = { kind = "basic", user = "joe", password = "cloud-password" }
"""


def _settings(folder: Path, text: str | None, **flags: str) -> Settings:
    given = {"data_dir": str(folder), **{name.replace("__", "."): value for name, value in flags.items()}}
    if text is not None:
        (folder / "channels.toml").write_text(text)
        given["routing.configuration"] = str(folder / "channels.toml")
    return load_settings(given, {}, None)


def test_a_node_that_routes_nothing_is_well(tmp_path: Path) -> None:
    assert all(one.ask(_settings(tmp_path, None)).state is State.OK for one in CHECKS)


def test_a_sound_file_is_counted(tmp_path: Path) -> None:
    found = check_configuration(_settings(tmp_path, SOUND))
    assert (found.state, found.finding) == (State.OK, "2 channels, 1 destinations")
    assert check_folders(_settings(tmp_path, SOUND)).state is State.OK


def test_what_is_wrong_is_told_with_its_line(tmp_path: Path) -> None:
    found = check_configuration(_settings(tmp_path, SOUND.replace('to = ["cloud"]', 'to = ["clod"]', 1)))
    assert (found.state, "channels.toml:6" in found.finding) == (State.FAIL, True)
    found = check_configuration(_settings(tmp_path, SOUND + "[transforms.unused]\n"))
    assert (found.state, "No rule names it" in found.finding) == (State.WARN, True)


def test_a_channel_on_the_nodes_own_port_fails(tmp_path: Path) -> None:
    found = check_configuration(_settings(tmp_path, SOUND, dicom__listen="NODE@0.0.0.0:4007"))
    assert (found.state, "channel one" in found.finding) == (State.FAIL, True)


def test_a_secret_that_is_missing_is_told_by_name(tmp_path: Path) -> None:
    found = check_secrets(_settings(tmp_path, SOUND))
    assert (found.state, "cloud-password" in found.finding) == (State.WARN, True)


def test_a_file_that_is_not_there_is_told_so(tmp_path: Path) -> None:
    settings = _settings(tmp_path, SOUND)
    (tmp_path / "channels.toml").unlink()
    assert check_configuration(settings).state is State.FAIL
    with pytest.raises(InvalidSetting):
        check_secrets(settings)
