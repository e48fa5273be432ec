"""Read the audit log backwards, a bounded piece at a time, while it is written (`system_audit.AuditTrail`)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from isocenter.app.audit_log import files_of
from isocenter.web.pages.system_audit import AuditFilter, AuditPage, AuditRow

BLOCK_SIZE_BYTES = 64 * 1024
LOOKED_THROUGH_MAX_BYTES = 16 * 1024**2
"""For one page: some tenths of a second, and some thirty thousand records."""
LINE_LENGTH_MAX_BYTES = 1024**2
"""A record has some kilobytes; what is longer is none of ours: it alone is passed over."""
VALUE_LENGTH_MAX = 500
"""Of what one record shows of a value."""
_NAME = re.compile(r"audit-([0-9]{8})\.jsonl", re.ASCII)


@dataclass(frozen=True, slots=True)
class AuditFiles:
    """The files of a log."""

    folder: Path

    def page(self, wanted: AuditFilter, *, rows: int) -> AuditPage:
        """Return records that fit, the latest first."""
        found: list[AuditRow] = []
        looked_through, position = 0, ""
        for position, line in self._lines(wanted):
            looked_through += len(line) + 1
            record = _record(line)
            if record is not None and fits(record, wanted):
                found.append(row_of(record))
            if len(found) == rows:
                return AuditPage(found, position, is_cut=False)
            if looked_through >= LOOKED_THROUGH_MAX_BYTES:
                return AuditPage(found, position, is_cut=True)
        return AuditPage(found, "", is_cut=False)

    def _lines(self, wanted: AuditFilter) -> Iterator[tuple[str, bytes]]:
        """Yield each line with the position where it begins, from where the page begins back to the first."""
        from_day, _, from_offset = wanted.before.partition("-")
        first, last = wanted.since.replace("-", ""), wanted.until.replace("-", "")
        for path in reversed(files_of(self.folder)):
            day = _day_of(path)
            is_after = (bool(from_day) and day > from_day) or (bool(last) and day > last)
            if not day or is_after or (first and day < first):
                continue
            end = int(from_offset) if day == from_day else None
            for offset, line in lines_backwards(path, end):
                yield f"{day}-{offset}", line


def lines_backwards(path: Path, end: int | None) -> Iterator[tuple[int, bytes]]:
    """Yield the whole lines of a file before an offset, the last first, each with the offset where it begins.

    A line that is being written, without its end, is left out; a file that is gone has none.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        size = file.seek(0, 2)
        position = size if end is None else min(end, size)
        rest = b""
        has_end = end is not None
        while position > 0:
            start = max(0, position - BLOCK_SIZE_BYTES)
            file.seek(start)
            content = file.read(position - start) + rest
            position = start
            if not has_end:
                content = content[: content.rfind(b"\n") + 1]
                has_end = bool(content)
            first, *lines = content.removesuffix(b"\n").split(b"\n")
            offset = start + len(content)
            for line in reversed(lines):
                offset -= len(line) + 1
                yield offset, line
            rest = first + b"\n" if content else b""
            if len(rest) > LINE_LENGTH_MAX_BYTES:
                rest, has_end = b"", False  # its beginning is passed over too, back to the line before
        if rest:
            yield 0, rest.removesuffix(b"\n")


def fits(record: Mapping[str, Any], wanted: AuditFilter) -> bool:
    """Tell whether a record is wanted; days are those of the file that it is in."""
    has_ended = record.get("action") == "Executed"
    if wanted.result != "begun" and not has_ended:
        return False
    if wanted.result == "failed" and record.get("resultType") != "Failed":
        return False
    identity = record.get("identity") or {}
    person = " ".join(map(str, identity.values())) if isinstance(identity, dict) else ""
    about = f"{record.get('resource') or ''} {record.get('uri') or ''} {record.get('correlationId') or ''}"
    return all(
        part.casefold() in whole.casefold()
        for part, whole in (
            (wanted.operation, str(record.get("operationName") or "")),
            (wanted.person, person),
            (wanted.about, about),
        )
    )


def row_of(record: Mapping[str, Any]) -> AuditRow:
    """Return what the page shows of a record."""
    identity, resource = record.get("identity"), record.get("resource")
    return AuditRow(
        time=_text(record, "time")[:19].replace("T", " "),
        operation=_text(record, "operationName"),
        has_ended=record.get("action") == "Executed",
        person=_text(identity, "name") or _text(identity, "objectId") if isinstance(identity, dict) else "",
        address=_text(record, "callerIpAddress"),
        method=_text(record, "method"),
        uri=_text(record, "uri"),
        status=_text(record, "resultSignature"),
        resource=tuple((str(name), str(value)[:VALUE_LENGTH_MAX]) for name, value in resource.items())
        if isinstance(resource, dict)
        else (),
        correlation_id=_text(record, "correlationId"),
    )


def _record(line: bytes) -> Mapping[str, Any] | None:
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return record if isinstance(record, dict) else None


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    return "" if value is None else str(value)[:VALUE_LENGTH_MAX]


def _day_of(path: Path) -> str:
    found = _NAME.fullmatch(path.name)
    return found[1] if found else ""
