"""What operators see of the cast and ask of it, from the folder alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from isocenter.app.fhir_desk import comparison_json, error_json, list_errors, reconcile, rerun, retry, standing
from isocenter.app.settings import Settings, load_settings
from isocenter.domain.errors import InvalidRequest, InvalidSetting, NotFound
from isocenter.fhir.cast import cast_name
from isocenter.ports.event_cursors import EventCursor
from isocenter.ports.fhir_ledger import CastError, ErrorKind, OpenStudy, StudyName
from isocenter.storage.sqlite.index import SqliteInstanceIndex
from tests.support.fhir_peer import fhir_peer
from tests.support.instances import identify, new_instance

URL = "http://127.0.0.1:9/fhir"
NAME = cast_name(URL)
FIRST, SECOND = StudyName("1.1"), StudyName("1.2")


def _settings(folder: Path, url: str = URL) -> Settings:
    fhir = {"url": url, "patient_system": "urn:oid:1.2", "dicomweb_url": "http://a.example/v2"}
    return load_settings({"data_dir": str(folder), **{f"fhir.{name}": value for name, value in fhir.items()}}, {}, None)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[SqliteInstanceIndex]:
    with SqliteInstanceIndex(tmp_path / "index.sqlite3") as one:
        for number in (1, 2, 3):
            one.commit([new_instance(identify(number))], now=float(number), erase_due_at=0.0)
        yield one


def test_where_the_cast_stands_is_told(index: SqliteInstanceIndex, tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    assert (standing(settings, index).behind, standing(settings, index).as_json()["last_success"]) == (3, "")
    index.event_cursors.replace(EventCursor(NAME, 2, 2.0))
    index.fhir_ledger.note(NAME, succeeded_at=0.0, failed_at=60.0, failure="It does not answer.")
    index.fhir_ledger.put_off(OpenStudy(FIRST), [CastError(ErrorKind.FHIR, FIRST, "refused")], now=1.0)
    index.fhir_ledger.put_off(OpenStudy(SECOND, 9.0), [CastError(ErrorKind.TRANSIENT, SECOND, "later")], now=2.0)
    assert standing(settings, index).as_json() == {
        "url": URL,
        "sequence": 2,
        "latest": 3,
        "behind": 1,
        "last_success": "1970-01-01T00:00:00+00:00",
        "last_failure": "1970-01-01T00:01:00+00:00",
        "failure": "It does not answer.",
        "studies_waiting": 1,
        "studies_shelved": 1,
        "errors": {"tag": 0, "dicom": 0, "fhir": 1, "transient": 1},
    }
    index.event_cursors.replace(EventCursor(NAME, 99, 2.0, is_of_older_feed=True))
    assert standing(settings, index).behind == 3
    with pytest.raises(InvalidSetting, match=r"fhir\.url"):
        standing(_settings(tmp_path, ""), index)


def test_errors_are_listed_by_kind(index: SqliteInstanceIndex) -> None:
    index.fhir_ledger.put_off(OpenStudy(FIRST), [CastError(ErrorKind.FHIR, FIRST, "refused", sequence=7)], now=0.0)
    index.fhir_ledger.settle(SECOND, [CastError(ErrorKind.TAG, SECOND, "bad", "1", "2", "StudyDate")], now=1.0)
    assert [error.kind.value for error in list_errors(index, kind=None, limit=9)] == ["tag", "fhir"]
    [error] = list_errors(index, kind="fhir", limit=9)
    shown = error_json(error)
    assert (shown["study_instance_uid"], shown["reason"], shown["sequence"]) == ("1.1", "refused", 7)
    assert shown["first_at"] == "1970-01-01T00:00:00+00:00"


def test_studies_that_wait_are_asked_for_by_uid_or_all(index: SqliteInstanceIndex) -> None:
    for study in (FIRST, SECOND):
        index.fhir_ledger.put_off(OpenStudy(study), [], now=1.0)
    assert retry(index, ["1.2"]) == 1
    assert [one.study for one in index.fhir_ledger.open_studies(due_before=float("inf"), limit=9)] == [SECOND]
    with pytest.raises(NotFound, match=r"1\.9"):
        retry(index, ["1.2", "1.9"])
    assert retry(index, []) == 2
    index.fhir_ledger.settle(FIRST, [], now=2.0)
    index.fhir_ledger.settle(SECOND, [], now=2.0)
    assert retry(index, []) == 0


def test_the_feed_is_cast_anew_from_a_row_that_is_there(index: SqliteInstanceIndex, tmp_path: Path) -> None:
    assert rerun(_settings(tmp_path), index, sequence=2) == 2
    assert index.fhir_ledger.standing(NAME).rerun_after == 1
    with pytest.raises(InvalidRequest, match="last row of the feed is 3"):
        rerun(_settings(tmp_path), index, sequence=4)


def test_studies_that_the_server_does_not_have_are_found_and_healed(index: SqliteInstanceIndex, tmp_path: Path) -> None:
    left_out = CastError(
        ErrorKind.DICOM, StudyName(identify(2).study_instance_uid), "x", "1", identify(2).sop_instance_uid
    )
    index.fhir_ledger.settle(left_out.study, [left_out], now=1.0)
    peer, counted = fhir_peer(tmp_path / "fhir"), list[int]()
    with peer.running():
        found = list(reconcile(_settings(tmp_path, peer.url), index, heals=True, on_study=counted.append))
    assert {one.study.study_instance_uid for one in found} == {identify(number).study_instance_uid for number in (1, 3)}
    assert counted == [1, 2, 3]
    assert len(index.fhir_ledger.open_studies(due_before=float("inf"), limit=9)) == 2
    assert {name: comparison_json(found[0])[name] for name in ("archive_instances", "server_instances")} == {
        "archive_instances": 1,
        "server_instances": 0,
    }
