"""Bulk update: change attributes of whole studies, as an operation (dicom-service 11.2).

    for each study: stage a new version of every instance ──▶ mark the revision in the packs ──▶ conclude it

Nobody sees a version before all of its study are current, in one commit. A kill loses nothing: what was staged is
known, an operation that is begun again stages what is missing, and behind a mark the start itself concludes.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from typing import Any

import orjson

from isocenter.archive.archive import Archive
from isocenter.archive.operations import (
    ATTEMPTS_MAX,
    QUEUE_LOOK_MAX,
    OperationDesk,
    Outcome,
    Started,
    Step,
    WorkCounts,
)
from isocenter.archive.study_update import StudyFailed, StudyUpdate
from isocenter.dicom.amend_text import Texts
from isocenter.dicom.change_set import SERIES_INSTANCE_UID, SOP_INSTANCE_UID, STUDY_INSTANCE_UID, UID_TAGS
from isocenter.domain.audit import AuditAction, AuditRecord
from isocenter.domain.errors import Broken, Conflict, Unavailable
from isocenter.domain.identifiers import Level, Scope
from isocenter.domain.operation import PERCENT_MAX, Operation, OperationStatus, OperationType
from isocenter.domain.principal import DataAction, Principal
from isocenter.ports.export_sink import OperationSecrets
from isocenter.ports.failpoints import Failpoints

AUDIT_OPERATION = "update-study-operation"
STUDIES_MAX = 50
"""Of one update (dicom-service 11.2)."""


@dataclass(frozen=True, slots=True)
class UpdateRequest:
    """What a caller wants changed, and where."""

    study_instance_uids: tuple[str, ...]
    texts: Texts
    """VR and new text by tag."""
    partition_name: str
    series_instance_uid: str | None = None
    sop_instance_uid: str | None = None

    def scope(self, study_instance_uid: str) -> Scope:
        """Return what is changed of a study."""
        return Scope(study_instance_uid, self.series_instance_uid, self.sop_instance_uid, self.partition_name)

    def target(self, scope: Scope) -> Scope | None:
        """Return what must not be there yet, under its new UIDs; None where no UID changes."""
        if not UID_TAGS & self.texts.keys():
            return None

        def uid(tag: int, before: str | None) -> str | None:
            return self.texts[tag][1] if tag in self.texts else before

        study = uid(STUDY_INSTANCE_UID, scope.study_instance_uid) or scope.study_instance_uid
        if scope.level is Level.STUDY:
            return Scope(study, partition_name=scope.partition_name)
        series = uid(SERIES_INSTANCE_UID, scope.series_instance_uid)
        if scope.level is Level.SERIES:
            return Scope(study, series, partition_name=scope.partition_name)
        return Scope(study, series, uid(SOP_INSTANCE_UID, scope.sop_instance_uid), scope.partition_name)


@dataclass(slots=True)
class _Progress:
    next: int = 0
    """The study to go on with."""
    updated: int = 0
    failed: int = 0
    instances: int = 0
    errors: list[str] = field(default_factory=list)

    def encode(self) -> bytes:
        return orjson.dumps(asdict(self))

    def results(self) -> bytes:
        fields: dict[str, object] = {
            "studyProcessed": self.next,
            "studyUpdated": self.updated,
            "studyFailed": self.failed,
            "instanceUpdated": self.instances,
        }
        return orjson.dumps(fields | {"errors": self.errors} if self.errors else fields)


class Updater:
    """Carry out updates."""

    type = OperationType.UPDATE

    def __init__(
        self,
        archive: Archive,
        *,
        secrets: OperationSecrets,
        failpoints: Failpoints | None = None,
        audit: Callable[[AuditRecord], None] | None = None,
    ) -> None:
        self._archive = archive
        self._secrets = secrets
        self._failpoints = failpoints or Failpoints()
        self._audit = audit
        self.counts = WorkCounts()

    def start(self, desk: OperationDesk, principal: Principal, request: UpdateRequest) -> Started:
        """Begin an update. Raises Forbidden, and Conflict where another one is under way."""
        principal.require(DataAction.WRITE)
        instructions = orjson.dumps(
            {
                "partition_name": request.partition_name,
                "study_instance_uids": request.study_instance_uids,
                "series_instance_uid": request.series_instance_uid,
                "sop_instance_uid": request.sop_instance_uid,
                "caller": principal.name,
            }
        )
        operation_id = desk.new_id()
        # Before the operation: one that runs must find it. Names of patients are to be gone when it has ended.
        self._secrets.put(operation_id, orjson.dumps([[tag, *text] for tag, text in request.texts.items()]))
        try:
            started = desk.start(OperationType.UPDATE, instructions, is_only_one=True, operation_id=operation_id)
            if not started.is_new:
                active = started.operation.operation_id
                raise Conflict(f"There is already an active update operation with ID '{active}'.")
        except BaseException:
            self._secrets.remove(operation_id)
            raise
        return started

    def discard_strays(self) -> int:
        """Let go of what operations left behind that are over; return how many versions."""
        unfinished = self._archive.operations.unfinished(limit=QUEUE_LOOK_MAX)
        open_ones = [one.operation_id for one in unfinished if one.type is OperationType.UPDATE]
        keep = open_ones[0] if open_ones else None
        return self._archive.index.revisions.settle_revisions(keep=keep, now=self._archive.clock.now().timestamp())

    def run(self, operation: Operation) -> Generator[Step, None, Outcome]:
        """Update what is left, study by study."""
        progress = _Progress(**(orjson.loads(operation.checkpoint) or {}))
        secret = self._secrets.get(operation.operation_id)
        request = _request(operation, secret)
        if secret is None and progress.next < len(request.study_instance_uids):
            raise Broken("What was to be changed is no longer known.")
        attempts = operation.attempts
        try:
            self.discard_strays()
            trail = _Trail(self._audit, operation)
            job = _Job(self._archive, self._failpoints, trail, request, progress, self.counts)
            with closing(job.update_all()) as steps:
                for step in steps:
                    yield step
                    attempts = 0
        except GeneratorExit:
            raise
        except BaseException as error:
            if not isinstance(error, Unavailable) or attempts + 1 >= ATTEMPTS_MAX:
                self._secrets.remove(operation.operation_id)
            raise
        self._secrets.remove(operation.operation_id)
        status = OperationStatus.FAILED if progress.failed else OperationStatus.SUCCEEDED
        return Outcome(status, progress.results())


def _request(operation: Operation, secret: bytes | None) -> UpdateRequest:
    fields: Mapping[str, Any] = orjson.loads(operation.instructions)
    return UpdateRequest(
        tuple(fields["study_instance_uids"]),
        {int(tag): (vr, text) for tag, vr, text in orjson.loads(secret or b"[]")},
        fields["partition_name"],
        fields["series_instance_uid"],
        fields["sop_instance_uid"],
    )


class _Trail:
    """Two records in the audit log for each study, in the name of who asked (dicom-service 12.4)."""

    def __init__(self, audit: Callable[[AuditRecord], None] | None, operation: Operation) -> None:
        self._audit = audit
        self.operation_id = operation.operation_id
        self._caller = Principal(str(orjson.loads(operation.instructions)["caller"]), frozenset())

    def begin(self, scope: Scope) -> None:
        """Record that a study is about to change."""
        self._write(scope, AuditAction.EXECUTING, None)

    def end(self, scope: Scope, status: int) -> None:
        """Record what became of it."""
        self._write(scope, AuditAction.EXECUTED, int(status))

    def _write(self, scope: Scope, action: AuditAction, status: int | None) -> None:
        if self._audit is None:
            return
        names = {
            "partition": scope.partition_name,
            "study": scope.study_instance_uid,
            "series": scope.series_instance_uid,
            "instance": scope.sop_instance_uid,
        }
        self._audit(
            AuditRecord(
                action,
                operation=AUDIT_OPERATION,
                correlation_id=self.operation_id,
                caller=self._caller,
                address="",
                method="",
                uri=f"operations/{self.operation_id}",
                status=status,
                resource={name: uid for name, uid in names.items() if uid is not None},
            )
        )


@dataclass(frozen=True, slots=True)
class _Job:
    archive: Archive
    failpoints: Failpoints
    trail: _Trail
    request: UpdateRequest
    progress: _Progress
    counts: WorkCounts

    def update_all(self) -> Generator[Step, None, None]:
        studies = self.request.study_instance_uids
        for number in range(self.progress.next, len(studies)):
            yield from self._update(number, self.request.scope(studies[number]))
            self.progress.next = number + 1
            yield self._step()

    def _step(self) -> Step:
        percent = PERCENT_MAX * self.progress.next // len(self.request.study_instance_uids)
        return Step(self.progress.encode(), percent)

    def _update(self, number: int, scope: Scope) -> Iterator[Step]:
        study = StudyUpdate(
            self.archive,
            self.failpoints,
            revision_id=f"{self.trail.operation_id}-{number}",
            texts=self.request.texts,
            scope=scope,
            target=self.request.target(scope),
        )
        self.trail.begin(scope)
        try:
            for _ in study.update():
                yield self._step()
        except StudyFailed as failure:
            study.let_go()
            self.trail.end(scope, HTTPStatus.INTERNAL_SERVER_ERROR)
            self.progress.failed += 1
            self.progress.errors.append(f"Failed to update instances for study {scope.study_instance_uid}")
            self.progress.errors += failure.errors
            return
        self.trail.end(scope, HTTPStatus.OK if study.updated else HTTPStatus.NOT_FOUND)
        if study.updated:
            self.progress.updated += 1
            self.progress.instances += study.updated
            self.counts.updated += study.updated
