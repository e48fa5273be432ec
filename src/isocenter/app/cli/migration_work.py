"""A migration at work for a command: its job, its ends, what holds it up, and the progress that is shown."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from isocenter.app.cli.migration_options import Speed, require_job
from isocenter.app.cli.output import Progress, count_of, format_size, printable, show_count

if TYPE_CHECKING:
    from isocenter.app.migrating.ends import Source, Target
    from isocenter.app.migrating.job import Job
    from isocenter.app.migrating.moving import Mover, MoveSettings
    from isocenter.app.migrating.opening import Way
    from isocenter.app.migrating.planning import PlanSettings
    from isocenter.app.migrating.throttle import Throttle
    from isocenter.app.migrating.verifying import Healing, Verification, VerifySettings


@dataclass(frozen=True, slots=True)
class Work:
    """A job at work, with how its ends are reached."""

    job: Job
    way: Way
    speed: Speed
    patience: str
    workers_max: int

    def throttle(self) -> Throttle:
        """Return what holds the work up."""
        from isocenter.app.migrating.throttle import Throttle

        return Throttle(self.speed.limits, self.speed.calendar, stop=threading.Event(), on_wait=_Waits())

    @contextmanager
    def open_source(self) -> Iterator[Source]:
        """Open the source."""
        from isocenter.app.migrating.opening import open_source

        with open_source(self.job.get("source"), self.way) as source:
            yield source

    @contextmanager
    def open_target(self) -> Iterator[Target]:
        """Open the target."""
        from isocenter.app.migrating.opening import open_target

        with open_target(self.job.get("target"), self.way) as target:
            yield target

    @contextmanager
    def open_ends(self) -> Iterator[tuple[Source, Target]]:
        """Open both ends."""
        with self.open_source() as source, self.open_target() as target:
            yield source, target

    def assess(self, source: Source, *, limit: int | None, lists_instances: bool) -> None:
        """Take the inventory, while progress is shown."""
        from isocenter.app.migrating.inventory import AssessSettings
        from isocenter.app.migrating.inventory import assess as take_inventory

        settings = AssessSettings(
            datetime.now().date(), self.move_settings().policy, limit=limit, lists_instances=lists_instances
        )
        with show_count("Assessing", total=None) as progress:
            take_inventory(
                self.job,
                source,
                throttle=self.throttle(),
                settings=settings,
                on_progress=lambda what, done, total: progress.update(done, total=total, note=what),
            )

    def move_settings(self, *, wave: int | None = None, series_max: int | None = None) -> MoveSettings:
        """Return how to move."""
        from isocenter.app.migrating.moving import MoveSettings
        from isocenter.domain.measures import parse_duration
        from isocenter.routing.deliveries.retry import RetryPolicy

        age_max_s = parse_duration(self.patience)
        if age_max_s is None:
            raise click.BadParameter(
                f"{printable(self.patience)} is no duration; write it as 90s, 10min or 2h.",
                param_hint="'--give-up-after'",
            )
        return MoveSettings(RetryPolicy(age_max_s=age_max_s), self.workers_max, wave, series_max)

    def mover(self, source: Source, target: Target, settings: MoveSettings, progress: Progress) -> Mover:
        """Return what moves, while progress is shown."""
        from isocenter.app.migrating.moving import Mover
        from isocenter.app.migrating.moving import Progress as Moved

        totals = self.job.totals()
        before = totals.instances - totals.left

        def show(moved: Moved) -> None:
            done = before + moved.delivered + moved.not_delivered
            workers = count_of(moved.workers, "worker")
            failed = f", {moved.not_delivered:,} not delivered" if moved.not_delivered else ""
            progress.update(done, note=f"{format_size(moved.size_bytes)}, {workers}{failed}")

        return Mover(self.job, source, target, throttle=self.throttle(), settings=settings, on_progress=show)

    def move(self, source: Source, target: Target, *, wave: int | None, series_max: int | None) -> None:
        """Move what is planned, while progress is shown."""
        from isocenter.domain.errors import InvalidRequest

        if not self.job.get("planned"):
            raise InvalidRequest(f"Nothing is planned in {self.job.folder}; run `isocenter migrate plan` first.")
        if self.way.explicit_vr:
            self.job.put("explicit_vr", True)
        settings = self.move_settings(wave=wave, series_max=series_max)
        with show_count("Moving", total=self.job.totals().instances) as progress:
            self.mover(source, target, settings, progress).run()

    def verify_settings(
        self, *, level: int, seed: int | None, confidence: float, defect_rate: float, **others: Any
    ) -> VerifySettings:
        """Return how to verify; the seed of the sample is kept, so that it can be drawn again."""
        import secrets

        from isocenter.app.migrating.verifying import VerifySettings

        chosen = seed if seed is not None else self.job.get("seed")
        if chosen is None:
            chosen = secrets.randbits(32)
        self.job.put("seed", chosen)
        return VerifySettings(level, chosen, confidence, defect_rate)

    def verify(self, target: Target, settings: VerifySettings) -> Verification:
        """Verify, while progress is shown."""
        from isocenter.app.migrating.verifying import verify as look

        with show_count("Verifying", total=None) as progress:
            return look(
                self.job,
                target,
                throttle=self.throttle(),
                settings=settings,
                on_progress=lambda what, done, total: progress.update(done, total=total, note=what),
            )

    def heal(self, source: Source, target: Target, *, replaces: bool) -> Healing:
        """Send again what is wrong, while progress is shown."""
        from isocenter.app.migrating.verifying import heal as mend

        with show_count("Healing", total=self.job.totals().instances) as progress:
            mover = self.mover(source, target, self.move_settings(), progress)
            return mend(self.job, target, mover, replaces=replaces)


@contextmanager
def working(folder: Path, source: str | None, target: str | None, how: dict[str, Any]) -> Iterator[Work]:
    """Open a job for work that nobody else does meanwhile; a new one keeps its ends."""
    from isocenter.app.migrating.job import Job
    from isocenter.app.migrating.job_database import require_same, working_alone
    from isocenter.app.migrating.opening import normal_address
    from isocenter.domain.errors import InvalidRequest

    ends = {name: normal_address(end) for name, end in (("source", source), ("target", target)) if end}
    require_job(folder, (source, target))
    with ExitStack() as stack:
        stack.enter_context(working_alone(folder))
        job = stack.enter_context(Job(folder, may_create=True))
        for name, address in ends.items():
            require_same(job, name, address)
        if not job.get("source") or not job.get("target"):
            raise InvalidRequest(f"The migration in {folder} does not know its ends; name them by --from and --to.")
        yield Work(
            job,
            replace(how["way"], work_folder=folder),
            how["speed"],
            how.get("patience", "1h"),
            how.get("workers_max", 4),
        )


class _Waits:
    """Says once that it waits for its hours."""

    def __init__(self) -> None:
        self._told: datetime | None = None

    def __call__(self, until: datetime) -> None:
        if until != self._told:
            self._told = until
            click.echo(f"Outside its hours; it waits until {until:%Y-%m-%d %H:%M}.", err=True)


def plan_settings(*, order: str, patients_file: Path | None, only_patients: bool, wave_instances: int) -> PlanSettings:
    """Return how to plan; reads the list of patients."""
    from isocenter.app.migrating.planning import PlanSettings
    from isocenter.routing.migration.waves import Order, parse_patients

    if only_patients and patients_file is None:
        raise click.UsageError("--only-patients goes with --patients.")
    try:
        patients = () if patients_file is None else tuple(parse_patients(patients_file.read_text("utf-8-sig")))
    except UnicodeDecodeError as error:
        raise click.BadParameter("The list of patients is not text in UTF-8.", param_hint="'--patients'") from error
    return PlanSettings(Order(order), patients, only_patients, wave_instances)
