from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as run_with
from hypothesis import strategies as st

from isocenter.app.dicom_kinds import AE_ENDPOINT, FILE, FOLDER, REMOTES
from isocenter.app.event_kinds import SUBSCRIBERS
from isocenter.app.http_kinds import (
    AUDIENCES,
    HEADERS,
    NETWORKS,
    OPTIONAL_ADDRESS,
    ORIGINS,
    ROLE_NAMES,
    WEB_ADDRESS,
    WEB_ADDRESSES,
)
from isocenter.app.setting_kinds import DURATION, NAMES, PATH, SIZE, Address
from isocenter.app.settings import Settings, load_settings, to_toml
from isocenter.app.settings_table import BY_NAME, OTHER_VARIABLES, SETTINGS
from isocenter.domain.errors import InvalidSetting


def _file(folder: Path, text: str, name: str = "isocenter.toml") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_every_setting_of_the_table_has_an_attribute_and_the_other_way_round() -> None:
    assert sorted(_attributes(load_settings({}, {}, None))) == sorted(BY_NAME)


def _attributes(settings: Settings) -> Iterator[str]:
    for top in dataclasses.fields(settings):
        value = getattr(settings, top.name)
        if dataclasses.is_dataclass(value):
            yield from (f"{top.name}.{inner.name}" for inner in dataclasses.fields(value))
        elif top.name not in {"origins", "config_file"}:
            yield top.name


def test_defaults_are_those_of_the_table() -> None:
    settings = load_settings({}, {}, None)
    assert settings.http.listen == Address("127.0.0.1", 8080)
    assert settings.archive.instance_size_max_bytes == 4 * 1024**3
    assert settings.archive.erase_after_s == 60.0
    assert settings.storage.packs_dir == settings.data_dir / "packs"
    assert settings.storage.index_dir == settings.data_dir
    assert set(settings.origins.values()) == {"default"}


def test_a_flag_ranks_above_the_environment_above_the_file(tmp_path: Path) -> None:
    path = _file(tmp_path, '[log]\nlevel = "error"\nformat = "json"\n[http]\nlisten = "127.0.0.1:1"\n')
    environment = {"ISOCENTER_LOG_LEVEL": "warning", "ISOCENTER_HTTP_LISTEN": "127.0.0.1:2"}
    settings = load_settings({"log.level": "debug"}, environment, path)
    assert (settings.log.level, settings.origins["log.level"]) == ("debug", "flag")
    assert settings.http.listen == Address("127.0.0.1", 2)
    assert settings.origins["http.listen"] == "environment (ISOCENTER_HTTP_LISTEN)"
    assert (settings.log.format, settings.origins["log.format"]) == ("json", f"file ({path})")
    assert settings.origins["auth"] == "default"


def test_the_file_in_the_data_folder_is_read(tmp_path: Path) -> None:
    path = _file(tmp_path / "data", 'archive.duplicate_policy = "keep"\n')
    settings = load_settings({"data_dir": str(tmp_path / "data")}, {}, None)
    assert settings.archive.duplicate_policy == "keep"
    assert settings.config_file == path


def test_a_named_file_is_read_instead_of_the_one_in_the_data_folder(tmp_path: Path) -> None:
    _file(tmp_path / "data", '[log]\nlevel = "error"\n')
    named = _file(tmp_path, f"data_dir = {json.dumps(str(tmp_path / 'data'))}\n", "other.toml")
    settings = load_settings({}, {}, named)
    assert settings.log.level == "info"
    assert settings.data_dir == tmp_path / "data"


def test_a_relative_path_in_a_file_starts_from_its_folder(tmp_path: Path) -> None:
    path = _file(tmp_path, 'data_dir = "archive"\n[storage]\npacks_dir = "/packs"\n')
    settings = load_settings({}, {}, path)
    assert settings.data_dir == tmp_path / "archive"
    assert settings.storage.packs_dir == Path("/packs")


def test_the_file_in_the_data_folder_cannot_say_where_the_data_folder_is(tmp_path: Path) -> None:
    _file(tmp_path, 'data_dir = "elsewhere"\n')
    with pytest.raises(InvalidSetting, match="remove data_dir"):
        load_settings({"data_dir": str(tmp_path)}, {}, None)


@pytest.mark.parametrize(
    ("flags", "environment", "message"),
    [
        ({"http.lisen": "x"}, {}, "did you mean http.listen?"),
        ({"log_level": "x"}, {}, "did you mean log.level?"),
        ({"zzz": "x"}, {}, "config show"),
        ({}, {"ISOCENTER_HTTP_LISTENS": "x"}, "did you mean ISOCENTER_HTTP_LISTEN?"),
        ({}, {"ISOCENTER_FAILPOINT": "x"}, "did you mean ISOCENTER_FAILPOINTS?"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(
    flags: dict[str, str], environment: dict[str, str], message: str
) -> None:
    with pytest.raises(InvalidSetting) as refusal:
        load_settings(flags, environment, None)
    assert message in refusal.value.message


def test_an_unknown_name_in_a_file_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match=r"did you mean storage\.reserve_bytes\?"):
        load_settings({}, {}, _file(tmp_path, "[storage]\nreserve_byte = 1\n"))


def test_variables_that_are_no_settings_are_left_alone() -> None:
    settings = load_settings({}, dict.fromkeys(OTHER_VARIABLES, "anything") | {"PATH": "x"}, None)
    assert set(settings.origins.values()) == {"default"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("http.listen", "8080"),
        ("http.listen", "127.0.0.1:99999"),
        ("dicom.listen", "127.0.0.1:104"),
        ("dicom.listen", "A TITLE THAT IS TOO LONG@127.0.0.1:104"),
        ("dicom.listen", "NODE@127.0.0.1"),
        ("dicom.remotes", "PACS@10.0.0.1:104?services=everything"),
        ("dicom.remotes", "PACS@10.0.0.1:104?colour=red"),
        ("dicom.remotes", "PACS@10.0.0.1:x"),
        ("dicom.store_associations_max", "5"),
        ("dicom.store_associations_max", "many"),
        ("dicom.tls_profile", "basic"),
        ("http.listen", "::1:80"),
        ("http.listen", "[::1:80"),
        ("http.listen", "evil host:80"),
        ("http.allowed_hosts", "a b"),
        ("http.tls_listen", "8443"),
        ("http.public_url", "archive.example"),
        ("http.public_url", "https://archive.example/?a=b"),
        ("http.trusted_proxies", "proxy.example"),
        ("http.trusted_proxies", "10.0.0.1/8"),
        ("http.cors_origins", "https://viewer.example/"),
        ("http.cors_origins", "https://viewer.example/path"),
        ("http.cors_origins", "viewer.example"),
        ("http.cors_origins", "null"),
        ("http.cors_headers", "a b"),
        ("identity.issuers", "login.example"),
        ("identity.audiences", "a b"),
        ("identity.role_names", "admins"),
        ("identity.role_names", "admins=King"),
        ("audit.log", "yes"),
        ("auth", "on"),
        ("archive.duplicate_policy", "overwrite"),
        ("archive.instance_size_max_bytes", "-1"),
        ("archive.instance_size_max_bytes", "lots"),
        ("archive.erase_after_s", "-1s"),
        ("archive.erase_after_s", "nan"),
        ("storage.reserve_bytes", "12 parsecs"),
        ("data_dir", ""),
        ("data_dir", "a\0b"),
    ],
)
def test_a_bad_value_is_refused_with_what_is_expected(name: str, text: str) -> None:
    with pytest.raises(InvalidSetting) as refusal:
        load_settings({name: text}, {}, None)
    assert refusal.value.message.startswith(f"{name} cannot be ")
    assert BY_NAME[name].kind.expected in refusal.value.message


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("64MiB", 64 * 1024**2),
        ("1GB", 10**9),
        ("1.5 KiB", 1536),
        ("10", 10),
        ("10B", 10),
        ("2G", 2 * 10**9),
        ("1kB", 1000),
    ],
)
def test_sizes_are_read(text: str, size_bytes: int) -> None:
    assert SIZE.parse(text) == size_bytes


@pytest.mark.parametrize(
    ("text", "duration_s"),
    [("60s", 60.0), ("500ms", 0.5), ("2h", 7200.0), ("5min", 300.0), ("1.5", 1.5), ("1d", 86400.0)],
)
def test_durations_are_read(text: str, duration_s: float) -> None:
    assert DURATION.parse(text) == duration_s


def test_a_file_may_hold_numbers_and_lists(tmp_path: Path) -> None:
    numbers = "[archive]\nerase_after_s = 5\nspool_threshold_bytes = 1048576\n"
    text = numbers + '[http]\nallowed_hosts = ["pacs", "pacs.example"]\n'
    settings = load_settings({}, {}, _file(tmp_path, text))
    assert settings.archive.erase_after_s == 5.0
    assert settings.archive.spool_threshold_bytes == 1024**2
    assert settings.http.allowed_hosts == ("pacs", "pacs.example")


@pytest.mark.parametrize("text", ["[log]\nlevel = true\n", "[storage]\nreserve_bytes = [1]\n", "data_dir = 5\n", "= x"])
def test_a_file_with_the_wrong_kind_of_value_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InvalidSetting):
        load_settings({}, {}, _file(tmp_path, text))


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="cannot be read"):
        load_settings({}, {}, tmp_path / "missing.toml")


@pytest.mark.parametrize(
    ("address", "is_loopback"),
    [
        ("127.0.0.1:1", True),
        ("[::1]:1", True),
        ("localhost:1", True),
        ("0.0.0.0:1", False),
        ("pacs:1", False),
        ("[::]:1", False),
    ],
)
def test_only_loopback_addresses_are_loopback(address: str, is_loopback: bool) -> None:
    found = load_settings({"http.listen": address}, {}, None).http.listen
    assert found is not None
    assert found.is_loopback is is_loopback


@pytest.mark.parametrize(
    ("flags", "addresses"),
    [
        ({}, ["127.0.0.1:8080"]),
        ({"http.listen": "127.0.0.1:1"}, ["127.0.0.1:1"]),
        ({"http.tls_listen": "0.0.0.0:2"}, ["0.0.0.0:2"]),
        ({"http.listen": "127.0.0.1:1", "http.tls_listen": "0.0.0.0:2"}, ["127.0.0.1:1", "0.0.0.0:2"]),
        ({"http.listen": ""}, []),
    ],
)
def test_the_web_server_listens_where_it_is_told_and_on_loopback_where_it_is_not(
    flags: dict[str, str], addresses: list[str]
) -> None:
    assert [str(address) for address in load_settings(flags, {}, None).http.addresses] == addresses


@pytest.mark.parametrize(
    ("flags", "is_required"),
    [
        ({}, False),
        ({"http.tls_listen": "127.0.0.1:2"}, False),
        ({"http.tls_listen": "0.0.0.0:2"}, True),
        ({"http.listen": "127.0.0.1:1", "http.tls_listen": "0.0.0.0:2"}, True),
        ({"auth": "required"}, True),
        ({"auth": "off", "http.listen": "0.0.0.0:1"}, False),
    ],
)
def test_evidence_is_asked_for_as_soon_as_others_can_reach_the_node(flags: dict[str, str], is_required: bool) -> None:
    settings = load_settings(flags, {}, None)
    assert settings.requires_identity is is_required
    assert settings.keeps_audit_log is is_required


def test_a_secret_is_shown_nowhere() -> None:
    settings = load_settings({"identity.client_secret": "hush", "http.tls_key_password": "hush"}, {}, None)
    assert "hush" not in repr(settings)
    assert "hush" not in to_toml(settings)
    assert "hush" not in [text for _, text, _ in settings.rows()]


_NAMES_ALPHABET = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=12)
_VALUES: dict[object, st.SearchStrategy[str]] = {
    PATH: st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1).filter(
        lambda text: bool(text.strip()) and not text.startswith("~")
    ),
    OPTIONAL_ADDRESS: st.builds("{}:{}".format, _NAMES_ALPHABET, st.integers(0, 65535)) | st.just(""),
    AUDIENCES: st.lists(_NAMES_ALPHABET.map("api://{}".format), max_size=3).map(",".join),
    HEADERS: st.lists(_NAMES_ALPHABET, max_size=3).map(",".join),
    NETWORKS: st.lists(st.sampled_from(["10.0.0.0/8", "192.0.2.1", "2001:db8::/32"]), max_size=3).map(",".join),
    ORIGINS: st.sampled_from(["", "*", "https://a.example", "https://a.example,http://b.example:8080"]),
    ROLE_NAMES: st.sampled_from(["", "admins=owner", "a b=globalReader;c=DICOM Data Owner"]),
    WEB_ADDRESS: st.sampled_from(["", "https://a.example", "http://a.example:80/path"]),
    WEB_ADDRESSES: st.sampled_from(["", "https://a.example/x", "https://a.example/x,https://b.example/y"]),
    NAMES: st.lists(_NAMES_ALPHABET, max_size=3).map(",".join),
    SIZE: st.integers(0, 2**60).map(str) | st.integers(1, 2**20).map("{}KiB".format),
    DURATION: st.floats(0, 1e9).map(lambda number: f"{number:.6f}s"),
    AE_ENDPOINT: st.builds("{}@{}:{}".format, _NAMES_ALPHABET, _NAMES_ALPHABET, st.integers(0, 65535)) | st.just(""),
    REMOTES: st.lists(
        st.builds(
            "{}@{}{}".format,
            _NAMES_ALPHABET,
            st.sampled_from(["*", "10.0.0.1", "[::1]", "pacs.example"]),
            st.sampled_from(
                ["", ":104", ":104?services=echo,store&tls=on", ":1?subject=CN%3Da%20b%26c&associations=2"]
            ),
        ),
        max_size=3,
    ).map(";".join),
}
_VALUES[FILE] = _VALUES[FOLDER] = _VALUES[PATH] | st.just("")
_VALUES[SUBSCRIBERS] = st.sampled_from(["", "a https://a.example/x", "a http://b.example batch=9;b https://c secret=d"])


def _texts(name: str) -> st.SearchStrategy[str]:
    kind = BY_NAME[name].kind
    if kind in _VALUES:
        return _VALUES[kind]
    if kind.expected.startswith("a whole number"):
        return st.sampled_from(re.findall(r"[0-9]+", kind.expected))
    return st.sampled_from([word.strip() for word in kind.expected.removeprefix("one of ").split(",")])


_FLAGS = st.fixed_dictionaries(
    {},
    optional={
        setting.name: _texts(setting.name) for setting in SETTINGS if setting.name != "auth" and not setting.is_secret
    },
)


@given(flags=_FLAGS)
@run_with(deadline=None)
def test_what_is_written_as_a_file_reads_back_as_the_same_settings(
    flags: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    settings = load_settings(flags, {}, None)
    path = tmp_path_factory.mktemp("settings") / "written.toml"
    path.write_text(to_toml(settings), encoding="utf-8", newline="")
    again = load_settings({}, {}, path)
    assert _absolute(again) == _absolute(settings)
    assert {name for name, origin in again.origins.items() if origin != "default"} == set(flags)


def _absolute(settings: Settings) -> dict[str, object]:
    values = {name: settings.value(name) for name in BY_NAME}
    return {name: value.absolute() if isinstance(value, Path) else value for name, value in values.items()}
