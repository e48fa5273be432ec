from __future__ import annotations

import socket
from pathlib import Path

import pytest

from isocenter.app import doctor_exchange, doctor_machine, doctor_storage
from isocenter.app.doctor import Answer, Check, Finding, State, all_checks, examine, ok, worst
from isocenter.app.settings import Settings, load_settings
from isocenter.domain.errors import InvalidSetting, StorageFailed
from tests.support.webhook_receiver import receiving


def _settings(folder: Path, **flags: str) -> Settings:
    return load_settings(
        {"data_dir": str(folder), **{name.replace("__", "."): text for name, text in flags.items()}}, {}, None
    )


def test_names_are_unique_and_every_answer_that_is_not_ok_has_a_remedy(tmp_path: Path) -> None:
    checks = all_checks()
    assert len({check.name for check in checks}) == len(checks)
    answers = examine(_settings(tmp_path, storage__reserve_bytes="900000GB"), checks)
    assert [answer.name for answer in answers] == [check.name for check in checks]
    assert all(answer.remedy for answer in answers if answer.state is not State.OK)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (StorageFailed("The disk is gone."), "The disk is gone."),
        (PermissionError(13, "Permission denied", "/data"), "/data: Permission denied"),
        (KeyError("secret of a patient"), "KeyError"),
    ],
)
def test_a_check_that_breaks_is_a_finding_and_does_not_hide_the_others(
    tmp_path: Path, error: Exception, words: str
) -> None:
    def breaks(settings: Settings) -> Finding:
        raise error

    answers = examine(_settings(tmp_path), [Check("breaks", breaks), Check("holds", lambda settings: ok("well"))])
    assert [answer.state for answer in answers] == [State.FAIL, State.OK]
    assert words in answers[0].finding
    assert "secret" not in answers[0].finding


@pytest.mark.parametrize(
    ("states", "expected"),
    [([], "ok"), (["ok", "warn"], "warn"), (["fail", "warn", "ok"], "fail"), (["ok", "ok"], "ok")],
)
def test_the_worst_state_counts(states: list[str], expected: str) -> None:
    assert worst([Answer("x", State(state), "", "") for state in states]) == State(expected)


def test_too_little_room_for_the_reserve_fails(tmp_path: Path) -> None:
    assert doctor_storage.check_space(_settings(tmp_path, storage__reserve_bytes="900000GB")).state is State.FAIL
    assert doctor_storage.check_space(_settings(tmp_path, storage__pack_size_bytes="900000GB")).state is State.WARN


def test_folders_that_are_not_there_yet_are_judged_by_the_nearest_that_is(tmp_path: Path) -> None:
    found = doctor_storage.check_folders(_settings(tmp_path / "a" / "b"))
    assert "not there yet" in found.finding or found.state is not State.OK
    assert not (tmp_path / "a").exists()


def test_a_pack_folder_that_is_none_holds_no_packs(tmp_path: Path) -> None:
    (tmp_path / "packs").write_text("x")
    answers = examine(_settings(tmp_path), [Check("packs", doctor_storage.check_packs)])
    assert answers[0].state is State.OK
    assert "none yet" in answers[0].finding


def test_the_file_system_is_that_of_the_innermost_mount(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mounts"
    inner = tmp_path / "with space"
    inner.mkdir()
    escaped = str(inner).replace(" ", "\\040")
    mounts.write_text(
        f"a / ext4 rw 0 0\nb {tmp_path} xfs rw 0 0\nc {escaped} nfs4 rw 0 0\nd {tmp_path}x tmpfs rw 0 0\n"
    )
    monkeypatch.setattr(doctor_storage, "MOUNTS", mounts)
    assert doctor_storage.file_system_of(tmp_path) == "xfs"
    assert doctor_storage.file_system_of(inner / "deep") == "nfs4"
    assert doctor_storage.file_system_of(Path("/")) == "ext4"
    assert doctor_storage.check_folders(_settings(inner)).state is State.WARN


def test_a_disk_that_answers_faster_than_any_medium_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for latency_s, state in ((20e-6, State.WARN), (1e-3, State.OK), (0.2, State.WARN)):
        monkeypatch.setattr(doctor_storage, "measure_sync", lambda folder, latency_s=latency_s: latency_s)
        monkeypatch.setattr(doctor_storage, "file_system_of", lambda path: "ext4")
        assert doctor_storage.check_sync(_settings(tmp_path)).state is state


def test_the_sync_is_really_measured(tmp_path: Path) -> None:
    assert doctor_storage.measure_sync(tmp_path) > 0
    assert list(tmp_path.iterdir()) == []


def test_a_port_that_a_stranger_holds_is_a_warning(tmp_path: Path) -> None:
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{stranger.getsockname()[1]}"
        assert doctor_machine.check_port(_settings(tmp_path, http__listen=address)).state is State.WARN
    assert doctor_machine.check_port(_settings(tmp_path, http__listen=address)).state is State.OK


def test_listening_beyond_this_machine_without_authentication_fails(tmp_path: Path) -> None:
    found = doctor_machine.check_port(_settings(tmp_path, http__listen="0.0.0.0:8080", auth="off"))
    assert (found.state, "127.0.0.1" in found.remedy) == (State.FAIL, True)


@pytest.mark.parametrize(("sqlite", "state"), [("3.51.2", State.FAIL), ("3.51.3", State.OK), ("3.100.0", State.OK)])
def test_a_sqlite_that_can_corrupt_its_database_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sqlite: str, state: State
) -> None:
    monkeypatch.setattr("apsw.sqlite_lib_version", lambda: sqlite)
    assert doctor_machine.check_libraries(_settings(tmp_path)).state is state


def test_refused_imports_are_told_until_somebody_looks(tmp_path: Path) -> None:
    settings = _settings(tmp_path / "data", bulk_import__dir=str(tmp_path / "in"))
    assert doctor_exchange.check_import_folder(settings).state is State.OK
    errors = tmp_path / "data" / "import-errors" / "study"
    errors.mkdir(parents=True)
    (errors / "a.dcm.error.json").touch()
    found = doctor_exchange.check_import_folder(settings)
    assert (found.state, "1 refused" in found.finding) == (State.WARN, True)


def test_an_import_folder_that_holds_the_nodes_own_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting):
        doctor_exchange.check_import_folder(_settings(tmp_path / "data", bulk_import__dir=str(tmp_path)))


def test_receivers_of_events_are_asked(tmp_path: Path) -> None:
    with receiving() as receiver:
        settings = _settings(tmp_path, events__subscribers=f"a {receiver.url};b {receiver.url} schema=eventgrid")
        assert doctor_exchange.check_event_receivers(settings).state is State.OK
        receiver.allowed_origin = None
        found = doctor_exchange.check_event_receivers(settings)
        assert (found.state, found.finding.partition(":")[0]) == (State.WARN, "a")
        assert len(receiver.handshakes) == 4
    assert doctor_exchange.check_event_receivers(settings).state is State.WARN


def test_a_secret_that_is_not_there_is_a_finding(tmp_path: Path) -> None:
    settings = _settings(tmp_path, events__subscribers="a https://a.example secret=a")
    answers = examine(settings, doctor_exchange.CHECKS)
    (failed,) = [answer for answer in answers if answer.state is not State.OK]
    assert failed.state is State.FAIL
    assert "secret" in failed.finding
