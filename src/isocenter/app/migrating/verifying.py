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
from typing import Any

from isocenter.app.migrating.digests import digest_file
from isocenter.app.migrating.ends import Target
from isocenter.app.migrating.job import Job, MovedInstance
from isocenter.app.migrating.moving import Mover, now_text
from isocenter.app.migrating.throttle import Throttle
from isocenter.domain.errors import InvalidDataset, InvalidRequest, NotFound, Refused
from isocenter.domain.identifiers import Scope
from isocenter.routing.migration.comparison import Comparison, Finding, compare_digests, compare_sets
from isocenter.routing.migration.sample import CONFIDENCE, DEFECT_RATE, Statement, draw, sample_size, state

LEVEL_MAX = 4
SAMPLE_LEVEL = 3
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


@dataclass(slots=True)
class Verification:
    """What was found."""

    level: int
    studies: int = 0
    instances: int = 0
    unlisted_studies: int = 0
    """Of which the target would not tell what it has."""
    fewer: list[str] = field(default_factory=list)
    """Studies of which the target has fewer instances than were moved."""
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
        return not (wrong or self.fewer or self.unlisted_studies or self.not_possible)

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
    found = Verification(settings.level, studies=len(studies))
    for number, study in enumerate(studies, 1):
        throttle.wait_until_open()
        moved = job.moved_instances(study)
        found.instances += len(moved)
        _compare_sets(job, target, study, moved, found)
        on_progress("studies", number, len(studies))
    if settings.level >= SAMPLE_LEVEL:
        _compare_digests(job, target, throttle, settings, found, on_progress)
    found.findings = job.finding_counts()
    found.at = now_text()
    job.put("verification", found.as_json())
    return found


def _compare_sets(job: Job, target: Target, study: str, moved: Sequence[MovedInstance], found: Verification) -> None:
    listed = target.list_study(study)
    if listed is None:
        found.unlisted_studies += 1
        return
    if len(listed) < len(moved):
        found.fewer.append(study)
    if found.level == 1:
        return
    series = {uid: name for name, uid in listed} | {one.sop_instance_uid: one.series_instance_uid for one in moved}
    wrong = compare_sets([one.sop_instance_uid for one in moved], [uid for _, uid in listed])
    job.note_findings((study, series[uid], uid, finding, "") for uid, finding in wrong.items())


def _compare_digests(
    job: Job,
    target: Target,
    throttle: Throttle,
    settings: VerifySettings,
    found: Verification,
    on_progress: OnProgress,
) -> None:
    everything = [
        f"{study} {one.sop_instance_uid}" for study in job.moved_studies() for one in job.moved_instances(study)
    ]
    size = sample_size(defect_rate=settings.defect_rate, confidence=settings.confidence)
    drawn = everything if settings.level == LEVEL_MAX else draw(everything, size, seed=settings.seed)
    by_study: dict[str, set[str]] = {}
    for one in drawn:
        study, uid = one.split(" ")
        by_study.setdefault(study, set()).add(uid)
    missing = {(study, uid) for study, _, uid, finding, _ in job.findings() if finding is Finding.MISSING}
    done = defects = 0
    for study, uids in by_study.items():
        there = {uid for uid in uids if (study, uid) not in missing}
        wanted = [one for one in job.moved_instances(study) if one.sop_instance_uid in there]
        done += len(uids) - len(there)
        defects += len(uids) - len(there)
        for part in _parts(wanted):
            throttle.wait_until_open()
            try:
                results = check_instances(job, target, study, part)
            except Refused as error:
                found.not_possible = error.message
                return
            wrong = [(study, *named, finding, told) for named, finding, told in results if finding is not None]
            job.note_findings(wrong)
            defects += len(wrong)
            found.not_comparable += sum(told == Comparison.NOT_COMPARABLE for _, finding, told in results)
            done += len(part)
            on_progress("digests", done, len(drawn))
    found.statement = state(
        population=len(everything),
        checked=done - found.not_comparable,
        defects=defects,
        seed=settings.seed,
        confidence=settings.confidence,
    )


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
    for study in dict.fromkeys(one[0] for one in wrong):
        _check_again(job, target, study, [one for one in wrong if one[0] == study], healing)
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
