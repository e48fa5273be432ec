"""Export instances to a folder or an object store, as an operation (dicom-service 11.1).

{operation}/results/{study}/{series}/{instance}.dcm     the latest version, its bytes unchanged
{operation}/errors.log                                  a line of JSON for each identifier that was skipped
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog

from isocenter.archive.archive import Archive
from isocenter.archive.operations import OperationDesk, Outcome, Started, Step, WorkCounts
from isocenter.domain.errors import Broken, InvalidRequest, IsocenterError, NotFound, Unavailable
from isocenter.domain.identifiers import Scope
from isocenter.domain.operation import Operation, OperationStatus, OperationType
from isocenter.domain.principal import DataAction, Principal
from isocenter.ports.export_sink import ExportDestination, ExportSink, OperationSecrets, SinkOpener
from isocenter.ports.index import InstanceRow

_log = structlog.get_logger()

IDENTIFIERS_MAX = 10_000
"""Of one export; whoever wants more names studies, or exports everything."""
CHUNK_BYTES = 1024**2
ROWS_PER_STEP = 100
"""Instances of an export of everything that one step takes."""


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What a caller wants exported, and where to; no identifiers stand for everything in the partition."""

    scopes: tuple[Scope, ...] | None
    destination: ExportDestination
    partition_name: str


@dataclass(slots=True)
class _Progress:
    next: int = 0
    """The identifier to go on with; of an export of everything, the key of the instance that was done last."""
    exported: int = 0
    skipped: int = 0
    errors: list[tuple[float, str, str]] = field(default_factory=list)
    """When, which identifier, and why."""

    def encode(self) -> bytes:
        return orjson.dumps(asdict(self))

    def note(self, now: float, identifier: str, error: IsocenterError) -> None:
        self.skipped += 1
        if len(self.errors) < IDENTIFIERS_MAX:
            self.errors.append((now, identifier, error.message))


class Exporter:
    """Carry out exports."""

    type = OperationType.EXPORT

    def __init__(self, archive: Archive, *, open_sink: SinkOpener, secrets: OperationSecrets) -> None:
        self._archive = archive
        self._open_sink = open_sink
        self._secrets = secrets
        self.counts = WorkCounts()

    def start(self, desk: OperationDesk, principal: Principal, request: ExportRequest) -> Started:
        """Begin an export once its destination was found to take files.

        Raises Forbidden, InvalidRequest where the destination names nothing that can be written to, PeerUnreachable.
        """
        principal.require(DataAction.EXPORT)
        if request.scopes is not None and len(request.scopes) > IDENTIFIERS_MAX:
            raise InvalidRequest(f"An export names at most {IDENTIFIERS_MAX} identifiers.")
        self._open_sink(request.destination).check()
        names = None if request.scopes is None else [_name(scope) for scope in request.scopes]
        instructions = orjson.dumps({"partition_name": request.partition_name, "identifiers": names})
        operation_id = desk.new_id()
        # Before the operation: one that runs must find it.
        self._secrets.put(operation_id, orjson.dumps(asdict(request.destination)))
        return desk.start(OperationType.EXPORT, instructions, operation_id=operation_id)

    def run(self, operation: Operation) -> Generator[Step, None, Outcome]:
        """Export what is left, an identifier a step."""
        secret = self._secrets.get(operation.operation_id)
        if secret is None:
            raise Broken("The destination of the export is no longer known.")
        sink = self._open_sink(ExportDestination(**orjson.loads(secret)))
        progress = _Progress(**(orjson.loads(operation.checkpoint) or {}))
        instructions: dict[str, Any] = orjson.loads(operation.instructions)
        names, partition_name = instructions["identifiers"], instructions["partition_name"]
        job = _Job(self._archive, sink, operation.operation_id, partition_name, progress, self.counts)
        try:
            yield from job.export_everything() if names is None else job.export_named(names)
            outcome = job.finish()
        except Unavailable:
            raise
        except BaseException as error:
            if not isinstance(error, GeneratorExit):
                self._secrets.remove(operation.operation_id)
            raise
        self._secrets.remove(operation.operation_id)
        return outcome


@dataclass(frozen=True, slots=True)
class _Job:
    archive: Archive
    sink: ExportSink
    operation_id: str
    partition_name: str
    progress: _Progress
    counts: WorkCounts

    def export_named(self, names: Sequence[str]) -> Iterator[Step]:
        for number in range(self.progress.next, len(names)):
            self._export_scope(names[number])
            self.progress.next = number + 1
            yield Step(self.progress.encode())

    def export_everything(self) -> Iterator[Step]:
        index = self.archive.index
        while page := index.addresses(after=self.progress.next, limit=ROWS_PER_STEP):
            for key, identifier, _ in page:
                row = index.instance(key) if identifier.partition_name == self.partition_name else None
                if row is not None:  # a version that was replaced has a later row
                    self._export(row)
            self.progress.next = page[-1][0]
            yield Step(self.progress.encode())

    def _export_scope(self, name: str) -> None:
        rows = self.archive.index.instances(parse_name(name, self.partition_name))
        if not rows:
            kind = ("study", "series", "instance")[name.count("/")]
            self._skip(name, NotFound(f"The specified {kind} cannot be found."))
        for row in rows:
            self._export(row)

    def _export(self, row: InstanceRow) -> None:
        identifier = row.identifier
        parts = (identifier.study_instance_uid, identifier.series_instance_uid, identifier.sop_instance_uid)
        try:
            chunks = self.archive.blobs.iter_chunks(row.address, chunk_size_bytes=CHUNK_BYTES)
            self.sink.put(f"{self.operation_id}/results/{'/'.join(parts)}.dcm", chunks)
            self.progress.exported += 1
            self.counts.exported += 1
        except Broken as error:  # the others are exported all the same
            _log.error("export.unreadable", sop_instance_uid=identifier.sop_instance_uid, reason=error.message)
            self._skip("/".join(parts), error)

    def _skip(self, name: str, error: IsocenterError) -> None:
        self.progress.note(self.archive.clock.now().timestamp(), name, error)

    def finish(self) -> Outcome:
        path = f"{self.operation_id}/errors.log"
        lines = (
            orjson.dumps({"timestamp": datetime.fromtimestamp(at, UTC).isoformat(), "identifier": name, "error": why})
            for at, name, why in self.progress.errors
        )
        self.sink.put(path, iter([b"".join(line + b"\n" for line in lines)]))
        results = {
            "errorHref": self.sink.href(path),
            "exported": self.progress.exported,
            "skipped": self.progress.skipped,
        }
        return Outcome(OperationStatus.SUCCEEDED, orjson.dumps(results))


def parse_name(name: str, partition_name: str) -> Scope:
    """Return what an identifier of an export names: a study, `study/series` or `study/series/instance`."""
    study, series, instance = (*name.split("/"), None, None)[:3]
    return Scope(str(study), series, instance, partition_name)


def _name(scope: Scope) -> str:
    parts = (scope.study_instance_uid, scope.series_instance_uid, scope.sop_instance_uid)
    return "/".join(part for part in parts if part is not None)
