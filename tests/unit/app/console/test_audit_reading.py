from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from isocenter.app.audit_log import document_of
from isocenter.app.console import audit_reading
from isocenter.app.console.audit_reading import BLOCK_SIZE_BYTES, LINE_LENGTH_MAX_BYTES, AuditFiles, lines_backwards
from isocenter.domain.audit import AuditAction, AuditRecord
from isocenter.domain.principal import Principal
from isocenter.web.pages.system_audit import AuditFilter, AuditRow, parse_audit_filter

START = datetime(2026, 11, 20, 12, tzinfo=UTC)


def _record(number: int, **values: object) -> AuditRecord:
    known = AuditRecord(
        AuditAction.EXECUTED,
        operation="retrieve",
        correlation_id=f"c{number}",
        caller=Principal("jane", frozenset(), "object-1"),
        address="127.0.0.1",
        method="GET",
        uri=f"http://node/dicom-web/studies/1.2.{number}",
        status=200,
        resource={"study": f"1.2.{number}"},
    )
    return replace(known, **values)  # type: ignore[arg-type]  # names of fields


def _write(folder: Path, records: list[AuditRecord], *, day: int = 0) -> Path:
    at = START + timedelta(days=day)
    path = folder / f"audit-{at:%Y%m%d}.jsonl"
    with path.open("ab") as file:
        file.writelines(orjson.dumps(document_of(record, at)) + b"\n" for record in records)
    return path


def _ids(rows: list[AuditRow]) -> list[str]:
    return [row.correlation_id for row in rows]


def _all(folder: Path, wanted: AuditFilter, *, rows: int = 7) -> list[str]:
    """Return every record that fits, page by page."""
    found: list[str] = []
    while True:
        page = AuditFiles(folder).page(wanted, rows=rows)
        found += _ids(list(page.rows))
        if not page.before:
            return found
        wanted = replace(wanted, before=page.before)


def test_the_latest_come_first_over_all_days(tmp_path: Path) -> None:
    _write(tmp_path, [_record(1), _record(2)])
    _write(tmp_path, [_record(3)], day=1)
    assert _all(tmp_path, AuditFilter()) == ["c3", "c2", "c1"]


@pytest.mark.parametrize("rows", [1, 2, 7, 50])
def test_pages_hold_every_record_once(tmp_path: Path, rows: int) -> None:
    for day in range(3):
        _write(tmp_path, [_record(day * 10 + number) for number in range(9)], day=day)
    expected = [f"c{day * 10 + number}" for day in (2, 1, 0) for number in reversed(range(9))]
    assert _all(tmp_path, AuditFilter(), rows=rows) == expected


def test_pages_do_not_shift_while_records_come(tmp_path: Path) -> None:
    _write(tmp_path, [_record(number) for number in range(5)])
    first = AuditFiles(tmp_path).page(AuditFilter(), rows=2)
    _write(tmp_path, [_record(5), _record(6)])
    second = AuditFiles(tmp_path).page(AuditFilter(before=first.before), rows=2)
    assert _ids([*first.rows, *second.rows]) == ["c4", "c3", "c2", "c1"]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (AuditFilter(operation="DEL"), ["c2"]),
        (AuditFilter(person="bob"), ["c3"]),
        (AuditFilter(person="object-1"), ["c4", "c2", "c1"]),
        (AuditFilter(about="1.2.1"), ["c1"]),
        (AuditFilter(result="failed"), ["c4"]),
        (AuditFilter(result="begun"), ["c5", "c4", "c3", "c2", "c1"]),
        (AuditFilter(operation="nothing"), []),
    ],
)
def test_records_are_filtered(tmp_path: Path, wanted: AuditFilter, expected: list[str]) -> None:
    records = [
        _record(1),
        _record(2, operation="delete"),
        _record(3, caller=Principal("Bob", frozenset(), "object-2")),
        _record(4, status=403),
        _record(5, action=AuditAction.EXECUTING, status=None, caller=None),
    ]
    _write(tmp_path, records)
    assert _all(tmp_path, wanted) == expected


def test_days_are_chosen_by_file(tmp_path: Path) -> None:
    for day in range(4):
        _write(tmp_path, [_record(day)], day=day)
    assert _all(tmp_path, AuditFilter(since="2026-11-21", until="2026-11-22")) == ["c2", "c1"]


def test_what_is_no_record_is_passed_over(tmp_path: Path) -> None:
    path = _write(tmp_path, [_record(1)])
    with path.open("ab") as file:
        file.write(b"\n{]\n[1]\n\xff\xfe\n")
    _write(tmp_path, [_record(2)])
    with path.open("ab") as file:
        file.write(b'{"action": "Executed", "operationNa')  # is being written
    (tmp_path / "audit-notaday.jsonl").write_bytes(b"{}\n")
    assert _all(tmp_path, AuditFilter()) == ["c2", "c1"]


def test_records_of_other_shapes_break_no_page(tmp_path: Path) -> None:
    (tmp_path / "audit-20261120.jsonl").write_bytes(
        b'{"action":"Executed","identity":7,"resource":[1],"uri":{"a":1}}\n'
    )
    (row,) = AuditFiles(tmp_path).page(AuditFilter(), rows=5).rows
    assert (row.person, row.resource) == ("", ())


@pytest.mark.parametrize("length", [1, 100, BLOCK_SIZE_BYTES - 1, BLOCK_SIZE_BYTES, BLOCK_SIZE_BYTES + 1, 200_000])
def test_lines_come_whole_over_the_borders_of_blocks(tmp_path: Path, length: int) -> None:
    path = tmp_path / "file"
    lines = [bytes([letter]) * (length + letter % 3) for letter in b"abcdefg"]
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    found = list(lines_backwards(path, None))
    assert [line for _, line in found] == lines[::-1]
    content = path.read_bytes()
    assert all(content[offset : offset + len(line)] == line for offset, line in found)
    assert [line for _, line in lines_backwards(path, found[2][0])] == lines[:4][::-1]


def test_a_line_without_an_end_does_not_fill_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"first\n" + b"x" * (3 * 1024**2) + b"\nlast\n")
    assert [line for _, line in lines_backwards(path, None)] == [b"last", b"first"]


@pytest.mark.parametrize("length", [LINE_LENGTH_MAX_BYTES - 1, LINE_LENGTH_MAX_BYTES + 1, 3 * LINE_LENGTH_MAX_BYTES])
def test_a_line_that_is_too_long_hides_no_other_record(tmp_path: Path, length: int) -> None:
    path = _write(tmp_path, [_record(1), _record(2)])
    with path.open("ab") as file:
        file.write(b"x" * length + b"\n")
    _write(tmp_path, [_record(3)])
    assert _all(tmp_path, AuditFilter(), rows=1) == ["c3", "c2", "c1"]


def test_a_day_of_a_week_chooses_the_file_of_its_date(tmp_path: Path) -> None:
    for day in range(4):
        _write(tmp_path, [_record(day)], day=day)
    wanted = parse_audit_filter({"since": "2026-W47-6", "until": "20261122"})
    assert (wanted.since, wanted.until, wanted.problem) == ("2026-11-21", "2026-11-22", "")
    assert _all(tmp_path, wanted) == ["c2", "c1"]


def test_a_search_in_vain_ends_within_a_bound_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_reading, "LOOKED_THROUGH_MAX_BYTES", 2000)
    _write(tmp_path, [_record(1), *(_record(number, operation="search") for number in range(2, 30))])
    page = AuditFiles(tmp_path).page(AuditFilter(operation="retrieve"), rows=5)
    assert (page.rows, page.is_cut) == ([], True)
    assert page.before
    assert _all(tmp_path, AuditFilter(operation="retrieve")) == ["c1"]


def test_a_folder_without_a_log_has_no_records(tmp_path: Path) -> None:
    assert _all(tmp_path, AuditFilter()) == []
