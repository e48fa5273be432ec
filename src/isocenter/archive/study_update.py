"""One study of a bulk update: all of its instances get their new versions, or none (dicom-service 11.2)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager

import structlog

from isocenter.archive.archive import Archive
from isocenter.archive.new_version import NewVersions
from isocenter.dicom.amend_text import Texts
from isocenter.domain.errors import Conflict, IsocenterError, QueryTagsChanged, Unavailable
from isocenter.domain.identifiers import Scope
from isocenter.domain.outcome import StoreOutcome
from isocenter.ports.failpoints import Failpoints
from isocenter.ports.index import InstanceRow

_log = structlog.get_logger()

ERRORS_MAX = 5
"""Instances of a study that are named where it fails."""
IN_FLIGHT_MAX = 16
IN_FLIGHT_BYTES_MAX = 16 * 1024**2
"""New versions that wait for the disk at a time: one batch of the group commit, so that stores do not wait for more."""
STEP_COUNT = 64
"""New versions after which an operation can be paused or stopped."""
ROUNDS_MAX = 16
"""How often a study is looked at again into which something is stored meanwhile; each time little is to be done."""
ANSWER_TIMEOUT_S = 600.0
"""Longer than any disk that answers at all."""
MORE_ERRORS = "Further instances could not be updated; they are not named."


class StudyFailed(Exception):
    """A study cannot be updated."""

    def __init__(self, errors: Sequence[str]) -> None:
        super().__init__()
        self.errors = errors


class StudyUpdate:
    """One study while it is being updated."""

    def __init__(
        self,
        archive: Archive,
        failpoints: Failpoints,
        *,
        revision_id: str,
        texts: Texts,
        scope: Scope,
        target: Scope | None,
    ) -> None:
        """Take what is to change in a scope; with a target, that is where it moves, and nothing may be there yet."""
        self._archive = archive
        self._revisions = archive.index.revisions
        self._failpoint = failpoints.hit
        self._revision_id = revision_id
        self._versions = NewVersions(archive, revision_id=revision_id, texts=texts)
        self._scope = scope
        self._target = target
        self.updated = 0
        """How many instances changed."""

    def update(self) -> Iterator[None]:
        """Update it; yield after each part that is kept. Raises StudyFailed, Unavailable."""
        concluded = self._revisions.concluded(self._revision_id)
        if concluded is not None:  # before a kill
            self.updated = concluded
            return
        for _ in range(ROUNDS_MAX):
            rows = self._archive.index.instances(self._scope)
            if not rows:
                self.let_go()
                return
            if self._target is not None and self._archive.index.instances(self._target):
                raise StudyFailed(["The target UIDs already exist."])
            missing = self._missing(rows)
            if missing:
                yield from self._stage(missing)
                yield
                continue  # what came meanwhile is to be staged before anything is marked
            count = self._conclude()
            if count is not None:
                self.updated = count
                return
        raise StudyFailed(["Instances were stored to it all the time."])

    def let_go(self) -> None:
        """Drop what was staged."""
        self._revisions.unstage(self._revision_id, now=self._now())

    def _now(self) -> float:
        return self._archive.clock.now().timestamp()

    def _missing(self, rows: Sequence[InstanceRow]) -> list[InstanceRow]:
        """Return the instances without a staged version, after letting go of versions of what is no longer there."""
        current = {row.instance_key for row in rows}
        staged = {one.replaced_key for one in self._revisions.staged(self._revision_id)}
        outdated = {key for key in staged if key is not None and key not in current}
        if outdated:
            self._revisions.unstage(self._revision_id, outdated, now=self._now())
        return [row for row in rows if row.instance_key not in staged]

    def _stage(self, rows: Sequence[InstanceRow]) -> Iterator[None]:
        errors: list[_Refusal] = []
        waiting: _Waiting = deque()
        try:
            for number, row in enumerate(rows, start=1):
                with _noting(row, errors):
                    waiting.append((row, self._versions.submit(row)))
                while _are_enough(waiting):
                    _settle(waiting, errors)
                if len(errors) > ERRORS_MAX:
                    break
                if number % STEP_COUNT == 0:
                    yield
            while waiting:
                _settle(waiting, errors)
        finally:
            wait([future for _, future in waiting], ANSWER_TIMEOUT_S)
        self._failpoint("update.after_stage")
        # What was deleted meanwhile cannot be read, and need not be.
        messages = [text for row, text in errors if self._archive.index.instance(row.instance_key) is not None]
        if messages:
            raise StudyFailed([*messages[:ERRORS_MAX], *([MORE_ERRORS] if len(messages) > ERRORS_MAX else [])])

    def _conclude(self) -> int | None:
        self._failpoint("update.before_mark")
        self._archive.blobs.mark_revision(self._revision_id)
        self._failpoint("update.after_mark")
        now = self._now()
        try:
            count = self._revisions.conclude(
                self._revision_id,
                now=now,
                erase_due_at=now + self._archive.settings.erase_after_s,
                scope=self._scope,
                vacant=self._target,
            )
        except QueryTagsChanged:
            self.let_go()  # staged with the values of other tags
            return None
        except Conflict as error:
            raise StudyFailed([error.message]) from error
        self._failpoint("update.after_conclude")
        return count


_Refusal = tuple[InstanceRow, str]
"""An instance that cannot be updated, and why."""
_Waiting = deque[tuple[InstanceRow, Future[StoreOutcome]]]


def _are_enough(waiting: _Waiting) -> bool:
    return len(waiting) >= IN_FLIGHT_MAX or sum(row.address.length for row, _ in waiting) >= IN_FLIGHT_BYTES_MAX


def _settle(waiting: _Waiting, errors: list[_Refusal]) -> None:
    """Wait for the version that was queued first."""
    row, future = waiting.popleft()
    with _noting(row, errors):
        try:
            future.result(ANSWER_TIMEOUT_S)
        except TimeoutError as error:
            raise Unavailable() from error


@contextmanager
def _noting(row: InstanceRow, errors: list[_Refusal]) -> Iterator[None]:
    """Take down why an instance cannot be updated; what may pass is raised."""
    try:
        yield
    except Unavailable:
        raise
    except IsocenterError as error:
        sop_instance_uid = row.identifier.sop_instance_uid
        _log.error("update.refused", sop_instance_uid=sop_instance_uid, reason=error.message)
        errors.append((row, f"{sop_instance_uid}: {error.message}"))
