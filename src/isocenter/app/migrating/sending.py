"""Send instances to the target and judge what it says of each: there, again later, or for a person to look at."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from isocenter.app.migrating.digests import digest_file
from isocenter.app.migrating.ends import Sent, Source, StagedFile, Target
from isocenter.app.migrating.job import Job
from isocenter.app.migrating.patience import Patience, describe
from isocenter.app.migrating.records import MovedInstance, SeriesToMove, State
from isocenter.app.migrating.throttle import Stopped, Throttle
from isocenter.domain.errors import InvalidDataset, IsocenterError, Refused
from isocenter.routing.catalogue.lookup import explain_report
from isocenter.routing.deliveries.report import (
    InstanceDiffers,
    InstanceIdentical,
    LocalFailed,
    LocalFault,
    Report,
)
from isocenter.routing.deliveries.retry import RetryPolicy
from isocenter.routing.deliveries.verdict import SUSPENDING, Verdict, judge
from isocenter.routing.migration.comparison import Comparison, InstanceDigest, compare_digests

CHUNK_SIZE_BYTES = 32 * 1024**2
"""What a run that is killed may have to send again, for each worker."""
CHUNK_COUNT_MAX = 200
TOLD_LENGTH_MAX = 300
"""Of a target's own words."""
Count = Callable[[int, int, int], None]
"""Is told how many were delivered, how many were not, and their bytes."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends instances of a series, a chunk at a time; workers share it."""

    job: Job
    source: Source
    target: Target
    throttle: Throttle
    policy: RetryPolicy
    count: Count

    def send(self, series: SeriesToMove, files: Sequence[StagedFile]) -> None:
        """Send instances until each has its outcome.

        Raises Refused where the target takes nothing, Unavailable where it failed for too long, Stopped.
        """
        digests = self._digests(series, files)
        waiting = [file for file in files if file.sop_instance_uid in digests]
        patience = Patience(self.policy, self.throttle, Random(), self.target.name)
        while waiting:
            size_bytes = sum(file.size_bytes for file in waiting)
            self.throttle.take(size_bytes=size_bytes, instances=len(waiting))
            named = [(file.sop_instance_uid, file.size_bytes, digests[file.sop_instance_uid]) for file in waiting]
            self.job.note_sending(series, named, now=_now())
            again = self._settle(series, waiting, digests)
            waiting = [file for file in waiting if file.sop_instance_uid in again]
            if waiting:
                report, told = again[waiting[0].sop_instance_uid]
                patience.wait(report, told=told)

    def _digests(self, series: SeriesToMove, files: Sequence[StagedFile]) -> dict[str, InstanceDigest]:
        digests: dict[str, InstanceDigest] = {}
        damaged: list[Sent] = []
        for file in files:
            try:
                digests[file.sop_instance_uid] = digest_file(file.path)
            except (InvalidDataset, OSError):
                damaged.append(Sent(file.sop_instance_uid, LocalFailed(LocalFault.INSTANCE_CORRUPT)))
        if damaged:
            self.job.note_outcomes(series, [_outcome(one, State.NEEDS_HUMAN) for one in damaged], now=_now())
            self.count(0, len(damaged), 0)
        return digests

    def _settle(
        self, series: SeriesToMove, files: Sequence[StagedFile], digests: dict[str, InstanceDigest]
    ) -> dict[str, tuple[Report, str]]:
        """Send files once, note what came of each, and return those that are to be tried again, with the reason."""
        again: dict[str, tuple[Report, str]] = {}
        outcomes = []
        suspended: Sent | None = None
        sizes = {file.sop_instance_uid: file.size_bytes for file in files}
        delivered = refused = size_bytes = 0
        for one in self._send_once(files):
            sent = self._compared(series, one, digests[one.sop_instance_uid])
            verdict = judge(sent.report).verdict
            state = _STATES.get(verdict, State.NEEDS_HUMAN)
            outcomes.append(_outcome(sent, state))
            if verdict in SUSPENDING:
                suspended = sent
            elif verdict is Verdict.TRANSIENT:
                again[sent.sop_instance_uid] = (sent.report, sent.told)
            elif state is State.NEEDS_HUMAN:
                refused += 1
            else:
                delivered += 1
                size_bytes += sizes[sent.sop_instance_uid]
        self.job.note_outcomes(series, outcomes, now=_now())
        self.count(delivered, refused, size_bytes)
        if suspended is not None:
            raise Refused(describe(self.target.name, suspended.report, told=suspended.told))
        return again

    def _send_once(self, files: Sequence[StagedFile]) -> list[Sent]:
        try:
            return self.target.send(files)
        except Stopped:
            raise
        except IsocenterError as error:
            report = self.target.report_of(error)
            if judge(report).verdict is Verdict.DETERMINISTIC and len(files) > 1:
                # Refused as a whole: find out whose fault it is, so that one does not hold back its neighbours.
                return [sent for file in files for sent in self._send_once([file])]
            return [Sent(file.sop_instance_uid, report, error.message) for file in files]

    def _compared(self, series: SeriesToMove, sent: Sent, digest: InstanceDigest) -> Sent:
        """Return what came of an instance; where the target has one of that name, after comparing the two."""
        if judge(sent.report).verdict is not Verdict.DUPLICATE:
            return sent
        known = MovedInstance(series.series_instance_uid, sent.sop_instance_uid, "", digest)
        return Sent(sent.sop_instance_uid, self._compare(series.study_instance_uid, known) or sent.report, sent.told)

    def _compare(self, study_instance_uid: str, known: MovedInstance) -> Report | None:
        folder = Path(tempfile.mkdtemp(prefix="compare-", dir=self.job.folder))
        try:
            path = self.target.read_back(study_instance_uid, [known], folder).get(known.sop_instance_uid)
            if path is None:
                return None
            comparison = compare_digests(known.digest, digest_file(path))
            return InstanceIdentical() if comparison is Comparison.SAME else InstanceDiffers()
        except (IsocenterError, OSError):
            return None
        finally:
            shutil.rmtree(folder, ignore_errors=True)


_STATES = {
    Verdict.DELIVERED: State.DELIVERED,
    Verdict.NOTED: State.DELIVERED_WITH_NOTE,
    Verdict.TRANSIENT: State.WAITING,
    **dict.fromkeys(SUSPENDING, State.WAITING),
}
"""All others are for a person."""


def _outcome(sent: Sent, state: State) -> tuple[str, State, str, str]:
    told = "" if state is State.DELIVERED else sent.told[:TOLD_LENGTH_MAX]
    code = "" if state is State.DELIVERED else explain_report(sent.report).key
    return sent.sop_instance_uid, state, code, told


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def iter_chunks(files: Sequence[StagedFile]) -> Iterator[list[StagedFile]]:
    """Yield files in groups that are sent, and noted, together."""
    chunk: list[StagedFile] = []
    size_bytes = 0
    for file in files:
        if chunk and (size_bytes + file.size_bytes > CHUNK_SIZE_BYTES or len(chunk) == CHUNK_COUNT_MAX):
            yield chunk
            chunk, size_bytes = [], 0
        chunk.append(file)
        size_bytes += file.size_bytes
    if chunk:
        yield chunk
