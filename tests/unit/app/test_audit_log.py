from __future__ import annotations

import errno
import json
import os
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from isocenter.app import audit_log
from isocenter.app.audit_log import FIRST, AuditLog, files_of, iter_breaks, last_digest
from isocenter.domain.audit import AuditAction, AuditRecord
from isocenter.domain.errors import InvalidRequest, Overloaded
from isocenter.domain.principal import Principal

NOW = datetime(2026, 11, 21, 23, 59, tzinfo=UTC)
RECORD = AuditRecord(
    AuditAction.EXECUTING,
    operation="query",
    correlation_id="c-1",
    caller=Principal("viewer", frozenset(), "o-1", "a-1"),
    address="192.0.2.1",
    method="GET",
    uri="https://node.example/v2/studies?PatientID=1",
    resource={"study": "1.2", "partition": "north"},
    properties={"x-ms-azuredicom-audit-site": "north"},
)
WAIT_S = 30
YEAR_S = 365 * 86_400.0


def _write(folder: Path, *records: AuditRecord, now: Callable[[], datetime] = lambda: NOW) -> None:
    with closing(AuditLog(folder, keep_s=YEAR_S, now=now)) as log:
        for record in records:
            log.write(record)


def _wait_for(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < deadline
        threading.Event().wait(0.005)


def _lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for path in files_of(folder) for line in path.read_bytes().splitlines()]


def test_a_record_has_the_fields_of_azures_log(tmp_path: Path) -> None:
    _write(tmp_path / "audit", RECORD, replace(RECORD, action=AuditAction.EXECUTED, status=404))
    before, after = _lines(tmp_path / "audit")
    assert before == {
        "time": NOW.isoformat(),
        "category": "AuditLogs",
        "operationName": "query",
        "operationVersion": "1.0",
        "action": "Executing",
        "correlationId": "c-1",
        "callerIpAddress": "192.0.2.1",
        "method": "GET",
        "uri": "https://node.example/v2/studies?PatientID=1",
        "resultType": "Started",
        "level": "Informational",
        "identity": {"name": "viewer", "objectId": "o-1", "applicationId": "a-1"},
        "resource": {"studyInstanceUid": "1.2", "partition": "north"},
        "properties": {"x-ms-azuredicom-audit-site": "north"},
        "previous": FIRST,
    }
    assert (after["action"], after["resultType"], after["resultSignature"]) == ("Executed", "Failed", 404)


def test_the_log_is_for_its_owner_alone(tmp_path: Path) -> None:
    _write(tmp_path / "audit", RECORD)
    (path,) = files_of(tmp_path / "audit")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o077 == 0


def test_the_chain_goes_on_over_days_and_starts(tmp_path: Path) -> None:
    days = iter([NOW, NOW, NOW + timedelta(days=1), *[NOW + timedelta(days=1)] * 9])
    _write(tmp_path, RECORD, RECORD, RECORD, now=lambda: next(days))
    _write(tmp_path, RECORD, now=lambda: NOW + timedelta(days=2))
    assert [path.name for path in files_of(tmp_path)] == [
        "audit-20261121.jsonl",
        "audit-20261122.jsonl",
        "audit-20261123.jsonl",
    ]
    assert list(iter_breaks(tmp_path)) == []


def _change(line: bytes) -> list[bytes]:
    return [line.replace(b"192.0.2.1", b"192.0.2.9")]


@pytest.mark.parametrize(
    ("tamper", "broken_line"),
    [(_change, 3), (lambda line: [], 2), (lambda line: [line, line], 3), (lambda line: [b"{}\n"], 2)],
    ids=["changed", "taken out", "put in", "emptied"],
)
def test_a_line_that_was_touched_shows(
    tmp_path: Path, tamper: Callable[[bytes], list[bytes]], broken_line: int
) -> None:
    _write(tmp_path, *[RECORD] * 5)
    (path,) = files_of(tmp_path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], *tamper(lines[1]), *lines[2:]]))
    assert next(iter_breaks(tmp_path)).line == broken_line


def test_a_torn_last_line_is_cut_off_and_the_chain_goes_on(tmp_path: Path) -> None:
    _write(tmp_path, RECORD, RECORD)
    (path,) = files_of(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"time": "2026')
    _write(tmp_path, RECORD)
    assert path.read_bytes().startswith(whole)
    assert len(_lines(tmp_path)) == 3
    assert list(iter_breaks(tmp_path)) == []


def test_old_files_go_when_their_time_is_over(tmp_path: Path) -> None:
    _write(tmp_path, RECORD)
    _write(tmp_path, RECORD, now=lambda: NOW + timedelta(days=364))
    assert len(files_of(tmp_path)) == 2
    _write(tmp_path, RECORD, now=lambda: NOW + timedelta(days=366))
    assert [path.name for path in files_of(tmp_path)] == ["audit-20271120.jsonl", "audit-20271122.jsonl"]
    assert list(iter_breaks(tmp_path)) == []


def test_while_the_log_cannot_be_written_requests_are_refused_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_log, "RETRY_INTERVAL_S", 0.01)
    append, has_failed, has_room = audit_log._append_durably, threading.Event(), threading.Event()

    def append_or_fail(path: Path, content: bytes) -> None:
        if not has_room.is_set():
            has_failed.set()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        append(path, content)

    monkeypatch.setattr(audit_log, "_append_durably", append_or_fail)
    with capture_logs(), closing(AuditLog(tmp_path, keep_s=YEAR_S, now=lambda: NOW)) as log:
        log.write(RECORD)
        for _ in range(2):  # the second attempt shows that the first one was noted
            assert has_failed.wait(WAIT_S)
            has_failed.clear()
        with pytest.raises(Overloaded, match="audit log"):
            log.write(RECORD)
        log.write(replace(RECORD, action=AuditAction.EXECUTED, status=200))
        has_room.set()
        _wait_for(lambda: len(_lines(tmp_path)) == 2)
    assert [line["action"] for line in _lines(tmp_path)] == ["Executing", "Executed"]


def test_a_hostile_text_stays_on_its_line(tmp_path: Path) -> None:
    _write(tmp_path, replace(RECORD, uri='https://x/\n{"forged": 1}\r\u2028\x1b[31m'))
    (path,) = files_of(tmp_path)
    assert path.read_bytes().count(b"\n") == 1
    assert _lines(tmp_path)[0]["uri"].startswith("https://x/\n")


def test_without_a_log_there_is_nothing_to_verify(tmp_path: Path) -> None:
    assert last_digest(tmp_path) == FIRST
    with pytest.raises(InvalidRequest):
        list(iter_breaks(tmp_path))
