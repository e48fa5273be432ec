"""Fetch instances from an archive into files, again and again without loss: what is there is not fetched twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

from isocenter.app.instance_files import Written, instance_path, partial_file, place
from isocenter.archive.identify import WANTED_TAGS, identify
from isocenter.dicom.scan import scan_instance
from isocenter.dicomweb.client.client import DicomwebClient, RetrievedInstance
from isocenter.domain.errors import InvalidDataset, NotFound
from isocenter.domain.identifiers import InstanceIdentifier, Level, Scope

PAGE_COUNT = 200
"""Rows asked for at once; the most that Azure's service gives (dicom-service 4.1)."""
INSTANCES_MAX = 1_000_000
"""A scope with more is none; it ends the paging of a service that ignores `offset`."""
WHOLE_MIN_SHARE = 0.5
"""Where more than half of a scope is missing it is fetched in one request, else instance by instance."""
STUDY_INSTANCE_UID = "0020000D"
SERIES_INSTANCE_UID = "0020000E"
SOP_INSTANCE_UID = "00080018"
FAILURES_NAMED_MAX = 10_000


@dataclass(slots=True)
class FetchReport:
    """What became of the instances, while it runs and at its end."""

    expected: int = 0
    written: int = 0
    present: int = 0
    """Files that were there before; they are left as they are."""
    size_bytes: int = 0
    failed_count: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    """SOP Instance UID and reason."""

    def note_failure(self, name: str, reason: str) -> None:
        """Count a failure, and name it while there are few."""
        self.failed_count += 1
        if len(self.failed) < FAILURES_NAMED_MAX:
            self.failed.append((name, reason))


def fetch(
    client: DicomwebClient, scope: Scope, *, folder: Path, on_progress: Callable[[FetchReport], None]
) -> FetchReport:
    """Fetch what of a scope is not in the folder yet.

    Raises NotFound where the archive has nothing of that name, Unavailable where the connection breaks: what was
    written until then stays, and the next run goes on from there.
    """
    report = FetchReport()
    identifiers = list_instances(client, scope)
    report.expected = len(identifiers)
    missing = {each for each in identifiers if not instance_path(folder, each).exists()}
    report.present = len(identifiers) - len(missing)
    on_progress(report)
    scopes = [scope] if len(missing) > WHOLE_MIN_SHARE * len(identifiers) else [_scope_of(each) for each in missing]
    for part in scopes if missing else ():
        for retrieved in client.retrieve(part):
            _write(retrieved, missing, folder=folder, report=report)
            on_progress(report)
    for identifier in missing:
        report.note_failure(identifier.sop_instance_uid, "the archive lists it and did not send it")
    return report


def _write(
    retrieved: RetrievedInstance, missing: set[InstanceIdentifier], *, folder: Path, report: FetchReport
) -> None:
    """Give what arrived the name that its own bytes tell; what was not asked for is not kept."""
    with partial_file(folder, retrieved.chunks) as partial:
        identifier = read_identifier(partial)
        if identifier not in missing:
            return
        missing.remove(identifier)
        if place(partial, instance_path(folder, identifier)) is Written.DIFFERENT:
            report.note_failure(identifier.sop_instance_uid, "a file of that name with other bytes is there")
            return
        report.written += 1
        report.size_bytes += instance_path(folder, identifier).stat().st_size


def read_identifier(path: Path) -> InstanceIdentifier | None:
    """Return the identity that the bytes of a file tell, None where they are no instance."""
    with path.open("rb") as file:
        try:
            # Not closed by hand: an error on its way out still holds views of it. It goes with the last of them.
            content = memoryview(mmap(file.fileno(), 0, access=ACCESS_READ))
            return identify(scan_instance(content, wanted=WANTED_TAGS))
        except (InvalidDataset, ValueError):  # a file of no bytes cannot be mapped
            return None


def list_instances(client: DicomwebClient, scope: Scope) -> list[InstanceIdentifier]:
    """Return the identifiers of what an archive has of a scope. Raises NotFound where that is nothing."""
    if scope.series_instance_uid is not None and scope.sop_instance_uid is not None:
        return [InstanceIdentifier(scope.study_instance_uid, scope.series_instance_uid, scope.sop_instance_uid)]
    found: dict[str, InstanceIdentifier] = {}
    offset = 0
    while rows := client.search(Level.INSTANCE, [("limit", str(PAGE_COUNT)), ("offset", str(offset))], within=scope):
        before = len(found)
        for row in rows:
            identifier = _identifier(row, scope)
            found[identifier.sop_instance_uid] = identifier
        offset += len(rows)
        if len(found) == before or offset >= INSTANCES_MAX:
            break
    if not found:
        raise NotFound(f"{client.service} has no {scope.level.name.lower()} of that UID.")
    return list(found.values())


def _identifier(row: dict[str, Any], scope: Scope) -> InstanceIdentifier:
    study, series, instance = (
        str((row.get(tag, {}).get("Value") or [""])[0])
        for tag in (STUDY_INSTANCE_UID, SERIES_INSTANCE_UID, SOP_INSTANCE_UID)
    )
    return InstanceIdentifier(study or scope.study_instance_uid, series or scope.series_instance_uid or "", instance)


def _scope_of(identifier: InstanceIdentifier) -> Scope:
    return Scope(identifier.study_instance_uid, identifier.series_instance_uid, identifier.sop_instance_uid)
