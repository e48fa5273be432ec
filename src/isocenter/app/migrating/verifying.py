"""Verify what was moved, mend what is wrong: by counts, by sets of UIDs, by digests of a sample or of everything.

| level | what is compared                                          | what it proves                              |
| ----- | --------------------------------------------------------- | ------------------------------------------- |
| 1     | how many instances each study has at the target           | nothing is grossly missing                  |
| 2     | which instances each study has                            | each is there, none too many                |
| 3     | digests of a random sample, brought back from the target  | how few can be damaged, with what certainty |
| 4     | digests of all                                            | each came back as it was sent               |
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from isocenter.app.migrating.digests import digest_file
from isocenter.app.migrating.ends import Target
from isocenter.app.migrating.job import Job
from isocenter.app.migrating.moving import Mover, now_text
from isocenter.app.migrating.patience import Patience, patiently
from isocenter.app.migrating.records import MovedInstance
from isocenter.app.migrating.throttle import Throttle
from isocenter.domain.errors import InvalidDataset, InvalidRequest, NotFound, Refused
from isocenter.domain.identifiers import Scope
from isocenter.routing.deliveries.retry import RetryPolicy
from isocenter.routing.migration.comparison import Comparison, Finding, compare_digests, compare_sets
from isocenter.routing.migration.sample import CONFIDENCE, DEFECT_RATE, Statement, draw, sample_size, state

T = TypeVar("T")

LEVEL_MAX = 4
SAMPLE_LEVEL = 3
NAMED_MAX = 1000
"""Studies that are named; their number is always whole."""
READ_BACK_COUNT = 50
"""Instances that lie on disk at a time while they are compared."""


@dataclass(frozen=True, slots=True)
class VerifySettings:
    """How to verify."""

    level: int = SAMPLE_LEVEL
    seed: int = 0
    confidence: float = CONFIDENCE
    defect_rate: float = DEFECT_RATE
    """What a sample without a fault is to exclude."""
    policy: RetryPolicy = field(default_factory=lambda: RetryPolicy(age_max_s=600.0))
    """Ten minutes of failures in a row end a verification; it is begun anew."""


@dataclass(slots=True)
class Verification:
    """What was found."""

    level: int
    studies: int = 0
    instances: int = 0
    unlisted_studies: int = 0
    """Of which the target would not tell what it has."""
    fewer_studies: int = 0
    """Of which the target has fewer instances than were moved."""
    fewer: list[str] = field(default_factory=list)
    """The first of them."""
    findings: dict[str, int] = field(default_factory=dict)
    not_comparable: int = 0
    not_possible: str = ""
    """Why digests could not be compared at all."""
    statement: Statement | None = None
    at: str = ""

    @property
    def is_sound(self) -> bool:
        """Tell whether everything that was asked for was looked at, and nothing is wrong or missing."""
        wrong = {name: count for name, count in self.findings.items() if name != Finding.EXTRA}
        return not (wrong or self.fewer_studies or self.unlisted_studies or self.not_possible)

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        document = asdict(self)
        document["statement"] = self.statement and {**asdict(self.statement), "text": self.statement.describe()}
        return document | {"sound": self.is_sound}


OnProgress = Callable[[str, int, int], None]


def verify(
    job: Job,
    target: Target,
    *,
    throttle: Throttle,
    settings: VerifySettings,
    on_progress: OnProgress = lambda what, done, total: None,
) -> Verification:
    """Verify what the target has acknowledged; raises Unavailable, and what the target refuses."""
    studies = job.moved_studies()
    if not studies and job.study_counts()[0]:
        raise InvalidRequest("Nothing has moved yet; run `isocenter migrate move` first.")
    job.clear_findings()
    job.put("verification", None)
    verifier = _Verifier(job, target, throttle, settings, studies, on_progress)
    found = verifier.run()
    found.findings = job.finding_counts()
    found.at = now_text()
    job.put("verification", found.as_json())
    return found


class _Verifier:
    """One verification."""

    def __init__(
        self,
        job: Job,
        target: Target,
        throttle: Throttle,
        settings: VerifySettings,
        studies: Sequence[str],
        on_progress: OnProgress,
    ) -> None:
        self._job = job
        self._target = target
        self._throttle = throttle
        self._settings = settings
        self._studies = studies
        self._on_progress = on_progress
        self._found = Verification(settings.level, studies=len(studies))

    def run(self) -> Verification:
        """Compare sets, and digests where the level asks for them."""
        for number, study in enumerate(self._studies, 1):
            self._compare_sets(study)
            self._on_progress("studies", number, len(self._studies))
        if self._settings.level >= SAMPLE_LEVEL:
            try:
                self._compare_digests()
            except Refused as error:
                self._found.not_possible = error.message
        return self._found

    def _patiently(self, action: Callable[[], T]) -> T:
        self._throttle.wait_until_open()
        patience = Patience(self._settings.policy, self._throttle, Random(), self._target.name)
        return patiently(patience, action, self._target.report_of)

    def _compare_sets(self, study: str) -> None:
        found, moved = self._found, self._job.moved_instances(study)
        found.instances += len(moved)
        listed = self._patiently(lambda: self._target.list_study(study))
        if listed is None:
            found.unlisted_studies += 1
            return
        if len(listed) < len(moved):
            found.fewer_studies += 1
            found.fewer += [study] if len(found.fewer) < NAMED_MAX else []
        if found.level == 1:
            return
        series = {uid: name for name, uid in listed} | {one.sop_instance_uid: one.series_instance_uid for one in moved}
        wrong = compare_sets([one.sop_instance_uid for one in moved], [uid for _, uid in listed])
        self._job.note_findings((study, series[uid], uid, finding, "") for uid, finding in wrong.items())

    def _compare_digests(self) -> None:
        settings, population = self._settings, self._found.instances
        size = sample_size(defect_rate=settings.defect_rate, confidence=settings.confidence)
        is_sample = settings.level < LEVEL_MAX and size < population
        drawn = draw(population, size, seed=settings.seed) if is_sample else None
        missing = {(study, uid) for study, _, uid, kind, _ in self._job.findings() if kind is Finding.MISSING}
        done = defects = place = 0
        for study in self._studies:
            moved = self._job.moved_instances(study)
            chosen = [one for at, one in enumerate(moved, place) if drawn is None or at in drawn]
            place += len(moved)
            there = [one for one in chosen if (study, one.sop_instance_uid) not in missing]
            defects += len(chosen) - len(there)
            for part in _parts(there):
                defects += self._check(study, part)
            done += len(chosen)
            self._on_progress("digests", done, population if drawn is None else len(drawn))
        self._found.statement = state(
            population=population,
            checked=done - self._found.not_comparable,
            defects=defects,
            seed=settings.seed,
            confidence=settings.confidence,
        )

    def _check(self, study: str, part: Sequence[MovedInstance]) -> int:
        """Compare the digests of some instances, and return how many are not as they were."""
        results = self._patiently(lambda: check_instances(self._job, self._target, study, part))
        wrong = [(study, *named, finding, told) for named, finding, told in results if finding is not None]
        self._job.note_findings(wrong)
        self._found.not_comparable += sum(told == Comparison.NOT_COMPARABLE for _, _, told in results)
        return len(wrong)


def _parts(instances: Sequence[MovedInstance]) -> Iterator[Sequence[MovedInstance]]:
    for start in range(0, len(instances), READ_BACK_COUNT):
        yield instances[start : start + READ_BACK_COUNT]


Checked = tuple[tuple[str, str], Finding | None, str]
"""Series and instance, what is wrong, what was told; `not-comparable` where nothing can be said."""


def check_instances(job: Job, target: Target, study: str, instances: Sequence[MovedInstance]) -> list[Checked]:
    """Bring instances of a study back from the target and compare their digests."""
    folder = Path(tempfile.mkdtemp(prefix="verify-", dir=job.folder))
    try:
        paths = target.read_back(study, instances, folder)
        return [_checked(one, paths.get(one.sop_instance_uid)) for one in instances]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _checked(one: MovedInstance, path: Path | None) -> Checked:
    named = (one.series_instance_uid, one.sop_instance_uid)
    if path is None:
        return named, Finding.UNREADABLE, "the target did not give it back"
    try:
        there = digest_file(path)
    except (InvalidDataset, OSError):
        return named, Finding.UNREADABLE, "what came back is no instance that can be read"
    match compare_digests(one.digest, there):
        case Comparison.SAME:
            return named, None, ""
        case Comparison.DIFFERENT:
            return named, Finding.DIFFERENT, "it came back with other content than was sent"
        case Comparison.NOT_COMPARABLE:
            return named, None, Comparison.NOT_COMPARABLE.value


@dataclass(slots=True)
class Healing:
    """What became of what was wrong."""

    healed: int = 0
    left: list[tuple[str, str, str, str, str]] = field(default_factory=list)
    """Study, series, instance, what is still wrong, and what to do about it."""

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        names = ("study", "series", "instance", "finding", "advice")
        return {"healed": self.healed, "left": [dict(zip(names, one, strict=True)) for one in self.left]}


ADVICE = {
    Finding.MISSING: "The target acknowledged it again and does not list it; ask there.",
    Finding.DIFFERENT: "The target keeps what it has; delete it there, or heal with --replace.",
    Finding.UNREADABLE: "The target keeps what it has; delete it there, or heal with --replace.",
    Finding.EXTRA: "It was not moved by this migration; nothing is done about it.",
}


def heal(job: Job, target: Target, mover: Mover, *, replaces: bool) -> Healing:
    """Send again what is missing, different or unreadable at the target, and look whether that mended it.

    With `replaces`, what is different or unreadable is deleted at the target first. Nothing is deleted at the source,
    and what is extra at the target stays.
    """
    wrong = [one for one in job.findings() if one[3] is not Finding.EXTRA]
    if replaces:
        for study, series, uid, finding, _ in wrong:
            if finding is not Finding.MISSING:
                with suppress(NotFound):
                    target.remove(Scope(study, series, uid))
    mover.move(iter(job.queue_again((study, series, uid) for study, series, uid, _, _ in wrong)))
    healing = Healing()
    by_study: dict[str, list[tuple[str, str, str, Finding, str]]] = {}
    for one in wrong:
        by_study.setdefault(one[0], []).append(one)
    for study, of_study in by_study.items():
        _check_again(job, target, study, of_study, healing)
    extra = [one for one in job.findings() if one[3] is Finding.EXTRA]
    healing.left += [(study, series, uid, kind.value, ADVICE[kind]) for study, series, uid, kind, _ in extra]
    return healing


def _check_again(
    job: Job, target: Target, study: str, wrong: Sequence[tuple[str, str, str, Finding, str]], healing: Healing
) -> None:
    listed = {uid for _, uid in target.list_study(study) or ()}
    moved = {one.sop_instance_uid: one for one in job.moved_instances(study)}
    for _, series, uid, finding, _ in wrong:
        now: Finding | None
        if uid not in moved:
            healing.left.append((study, series, uid, finding.value, "It could not be moved; the shelf says why."))
            continue
        if uid not in listed:
            now = Finding.MISSING
        else:
            [(_, now, _)] = check_instances(job, target, study, [moved[uid]])
        if now is None:
            job.drop_finding(study, series, uid)
            healing.healed += 1
        else:
            job.note_findings([(study, series, uid, now, "")])
            healing.left.append((study, series, uid, now.value, ADVICE[now]))
