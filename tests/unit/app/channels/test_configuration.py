"""The file of channels and its versions."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import pytest

from isocenter.app.channels.configuration import AUTHOR_FILE, ConfigurationStore
from isocenter.app.settings import load_settings
from isocenter.domain.errors import Conflict, NotFound, StorageFailed
from isocenter.routing.configuration.channel import DimseSource
from isocenter.routing.configuration.problem import InvalidConfiguration
from isocenter.routing.configuration.read import read_configuration

NOW = datetime(2026, 11, 21, tzinfo=UTC)
ONE = """
[channels.one]
source = { kind = "stow" }
[[channels.one.rules]]
name = "all"
to = ["cloud"]
[destinations.cloud]
kind = "dicomweb"
url = "http://127.0.0.1:1"
authentication = { kind = "basic", user = "joe", password = "cloud-password" }
"""
TWO = ONE + '[channels.two]\nsource = { kind = "feed" }\n'


def _store(folder: Path, text: str | None = None) -> ConfigurationStore:
    file = folder / "channels.toml"
    if text is not None:
        file.write_text(text)
    settings = load_settings({"data_dir": str(folder / "data"), "routing.configuration": str(file)}, {}, None)
    return ConfigurationStore(settings, now=lambda: NOW)


def test_what_the_file_says_becomes_a_version_once(tmp_path: Path) -> None:
    first = _store(tmp_path, ONE).load()
    assert (first.version.number, first.version.author, first.new_channels) == (1, AUTHOR_FILE, frozenset({"one"}))
    again = _store(tmp_path).load()
    assert (again.version, again.new_channels) == (first.version, frozenset())


def test_what_was_changed_by_hand_is_a_version_with_its_new_channels(tmp_path: Path) -> None:
    _store(tmp_path, ONE).load()
    changed = _store(tmp_path, TWO).load()
    assert (changed.version.number, changed.new_channels) == (2, frozenset({"two"}))


def test_what_is_imported_stands_in_the_file(tmp_path: Path) -> None:
    store = _store(tmp_path, ONE)
    store.load()
    store.replace(TWO, author="jane", reason="more")
    assert (tmp_path / "channels.toml").read_text() == TWO
    assert (store.load().version.author, store.load().version.reason) == ("jane", "more")
    assert [store.configuration_of(number) is not None for number in (1, 2, 3)] == [True, True, False]


def test_what_cannot_be_used_or_kept_changes_nothing(tmp_path: Path) -> None:
    store = _store(tmp_path, ONE)
    store.load()
    with pytest.raises(InvalidConfiguration, match="did you mean cloud"):
        store.replace(ONE.replace('to = ["cloud"]', 'to = ["clod"]'), author="", reason="")
    versions = tmp_path / "data" / "routing" / "versions"
    versions.rename(tmp_path / "kept")
    versions.write_text("a file in the place of the folder")
    with pytest.raises(StorageFailed):
        store.replace(TWO, author="", reason="")
    assert (tmp_path / "channels.toml").read_text() == ONE


def test_a_secret_that_is_missing_is_told_by_name(tmp_path: Path) -> None:
    store = _store(tmp_path, ONE)
    configuration = store.load().configuration
    [told] = store.missing_secrets(configuration)
    assert "cloud-password" in told
    assert "ISOCENTER_SECRET_CLOUD_PASSWORD" in told
    secrets = tmp_path / "data" / "secrets"
    secrets.mkdir()
    (secrets / "cloud-password").write_text("hush")
    (secrets / "cloud-password").chmod(0o600)
    assert store.missing_secrets(configuration) == []


def test_a_node_without_a_file_has_nothing_to_say(tmp_path: Path) -> None:
    with pytest.raises(Conflict, match=r"routing\.configuration"):
        ConfigurationStore(load_settings({"data_dir": str(tmp_path)}, {}, None), now=lambda: NOW)
    with pytest.raises(InvalidConfiguration, match="cannot be read"):
        _store(tmp_path).load()
    with pytest.raises(NotFound):
        _store(tmp_path).history.version(1)


def test_the_example_that_ships_is_sound() -> None:
    text = files("isocenter.app.channels").joinpath("hospital.toml").read_text(encoding="utf-8")
    read = read_configuration(text, file="hospital.toml")
    assert read.warnings == ()
    [router], [translator] = read.configuration.channels, read.configuration.translators
    assert isinstance(router.source, DimseSource)
    listeners = [str(router.source.listen), str(translator.listen)]
    assert listeners == ["QIEROUTER@0.0.0.0:4007", "QIETOAZURE@0.0.0.0:4006"]
    assert [one.name for one in read.configuration.destinations] == ["pacs", "cloud"]
