"""`isocenter migrate`: move an archive to another one, and prove that everything arrived."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from isocenter.app.cli.command import CommandWithExamples, GroupWithExamples
from isocenter.app.cli.migration_options import (
    Speed,
    ends_options,
    job_option,
    require_job,
    speed_options,
    way_options,
)
from isocenter.app.cli.options import json_option
from isocenter.app.cli.output import Progress, count_of, format_size, print_json, print_table, printable, show_count

if TYPE_CHECKING:
    from isocenter.app.migrating.ends import Source, Target
    from isocenter.app.migrating.job import Job
    from isocenter.app.migrating.moving import Mover, MoveSettings
    from isocenter.app.migrating.opening import Way
    from isocenter.app.migrating.planning import Outlook, PlanSettings
    from isocenter.app.migrating.throttle import Throttle
    from isocenter.app.migrating.verifying import Healing, Verification, VerifySettings

LEFT_PRINTED_MAX = 20
"""Instances that a terminal names; the report names more, JSON all."""

_wave_option = click.option("--wave", type=click.IntRange(1), metavar="NUMBER", help="Only this wave of the plan.")
_workers_option = click.option(
    "--workers",
    "workers_max",
    type=click.IntRange(1, 16),
    default=4,
    show_default=True,
    metavar="NUMBER",
    help="Series at a time at most; it begins with one and takes fewer while the source is slow.",
)
_patience_option = click.option(
    "--give-up-after",
    "patience",
    metavar="DURATION",
    default="1h",
    show_default=True,
    help="End the run after so long without success; the next one goes on.",
)
_limit_option = click.option(
    "--source-limit",
    "limit",
    type=click.IntRange(2),
    metavar="NUMBER",
    help="How many studies the source answers with at most, if that is known; else it is found out.",
)
_later_option = click.option(
    "--instances-later", "lists_later", is_flag=True, help="Count studies only; list what is in each when it moves."
)
_key_option = click.option(
    "--sign-with",
    "key_file",
    metavar="FILE",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="An Ed25519 key in PEM form to sign the manifest with (default: one of the job's own).",
)


def plan_options(command: Any) -> Any:
    """Add how to plan; the command gets it as `planned`."""
    for option in (
        click.option(
            "--wave-instances",
            type=click.IntRange(1),
            default=100_000,
            show_default=True,
            metavar="NUMBER",
            help="About how many instances a wave has.",
        ),
        click.option("--only-patients", is_flag=True, help="Move nobody else than the patients of --patients."),
        click.option(
            "--patients",
            "patients_file",
            metavar="CSV",
            type=click.Path(path_type=Path, exists=True, dir_okay=False),
            help="Whose studies come first, by PatientID; a table with that column, or one of a single column.",
        ),
        click.option(
            "--first",
            "order",
            type=click.Choice(["newest", "oldest"]),
            default="newest",
            show_default=True,
            help="Which studies come first.",
        ),
    ):
        command = option(command)
    return command


def verify_options(command: Any) -> Any:
    """Add how to verify."""
    for option in (
        click.option(
            "--defect-rate",
            type=click.FloatRange(0.000_01, 0.5),
            default=0.001,
            show_default=True,
            metavar="SHARE",
            help="Draw a sample large enough to exclude that more than this share differs.",
        ),
        click.option(
            "--confidence",
            type=click.FloatRange(0.5, 0.9999),
            default=0.95,
            show_default=True,
            metavar="SHARE",
            help="With how much certainty.",
        ),
        click.option("--seed", type=int, metavar="NUMBER", help="Of the sample (default: one of the job's own)."),
        click.option(
            "--level",
            type=click.IntRange(1, 4),
            default=3,
            show_default=True,
            help="1 counts, 2 sets of UIDs, 3 digests of a random sample, 4 digests of all.",
        ),
    ):
        command = option(command)
    return command


@click.group(
    cls=GroupWithExamples,
    examples=(
        "isocenter migrate run --from PACS@10.1.2.3:104 --to https://archive.example/dicom-web --job ./migration",
        'isocenter migrate move --job ./migration --rate 20MB/s --during "mon-fri 19:00-06:00" --during sat,sun',
        "isocenter migrate check-manifest ./migration/manifest.jsonl",
    ),
)
def command() -> None:
    """Move an archive to another one, and prove that everything arrived.

    Assess, plan, move, verify, reconcile, report: each step can be stopped at any point and goes on where it ended.
    Nothing is ever deleted or changed at the source.
    """


@command.command(
    cls=CommandWithExamples,
    examples=(
        "isocenter migrate assess --from PACS@10.1.2.3:104 --as MIGRATION --to http://127.0.0.1:8080 --job ./migration",
        "isocenter migrate assess --from ./old-disk --to ARCHIVE@10.1.2.4:104 --job ./migration",
    ),
)
@ends_options
@job_option
@_limit_option
@_later_option
@_patience_option
@speed_options
@way_options
@json_option
def assess(*, folder: Path, source: str | None, target: str | None, as_json: bool, **how: Any) -> int:
    """Take the inventory of the source, and tell what is odd about it."""
    with _working(folder, source, target, how) as work:
        with work.open_source() as opened:
            work.assess(opened, limit=how["limit"], lists_instances=not how["lists_later"])
        _print_assessment(work.job, as_json=as_json)
    return 0


@command.command(
    cls=CommandWithExamples,
    examples=(
        "isocenter migrate plan --job ./migration",
        "isocenter migrate plan --job ./migration --patients tomorrow.csv --first newest --wave-instances 50000",
    ),
)
@job_option
@plan_options
@speed_options
@json_option
def plan(*, folder: Path, speed: Speed, as_json: bool, **how: Any) -> int:
    """Put the studies into waves, and estimate how long they take.

    Before anything moved the estimate is a guess and says so; after a few series it is a band by what was measured.
    """
    from isocenter.app.migrating.job import Job, working_alone
    from isocenter.app.migrating.planning import outlook
    from isocenter.app.migrating.planning import plan as make_plan

    with Job(folder) as job, working_alone(folder):
        waves = make_plan(job, _plan_settings(**how))
        ahead = outlook(job, speed.limits, speed.calendar, now=datetime.now().astimezone())
    if as_json:
        print_json({"waves": waves, "outlook": ahead.as_json()})
        return 0
    print_table(
        ("wave", "studies", "instances", "from", "to"),
        [
            (
                str(wave["wave"]),
                f"{wave['studies']:,}",
                f"{max(wave['listed'], wave['counted']):,}",
                wave["first_date"] or "-",
                wave["last_date"] or "-",
            )
            for wave in waves
        ],
    )
    click.echo(_outlook_text(ahead))
    return 0


@command.command(
    cls=CommandWithExamples,
    examples=(
        "isocenter migrate move --job ./migration --series 10",
        'isocenter migrate move --job ./migration --wave 1 --rate 20MB/s --during "mon-fri 19:00-06:00"',
    ),
)
@job_option
@_wave_option
@click.option("--series", "series_max", type=click.IntRange(1), metavar="NUMBER", help="Move so many, then end.")
@click.option("--retry-failed", is_flag=True, help="Try again what waits for a person, once its cause is mended.")
@_workers_option
@_patience_option
@speed_options
@way_options
@json_option
def move(*, folder: Path, retry_failed: bool, as_json: bool, **how: Any) -> int:
    """Move what is planned, series by series.

    Exit code 1 where something is left: it waits for a person, or the source did not give it. Ctrl-C ends the run;
    the same command goes on.
    """
    with _working(folder, None, None, how) as work, work.open_ends() as (source, target):
        if retry_failed:
            work.job.try_again()
        work.move(source, target, wave=how["wave"], series_max=how["series_max"])
        return _print_totals(work.job, as_json=as_json)


@command.command(
    cls=CommandWithExamples,
    examples=("isocenter migrate verify --job ./migration", "isocenter migrate verify --job ./migration --level 4"),
)
@job_option
@verify_options
@speed_options
@way_options
@json_option
def verify(*, folder: Path, as_json: bool, **how: Any) -> int:
    """Verify at the target what was moved: counts, sets of UIDs, digests of a random sample or of all.

    Exit code 1 where something is missing, different or cannot be verified.
    """
    with _working(folder, None, None, how) as work, work.open_target() as target:
        found = work.verify(target, work.verify_settings(**how))
    _print_verification(found, as_json=as_json)
    return 0 if found.is_sound else 1


@command.command(
    cls=CommandWithExamples,
    examples=("isocenter migrate reconcile --job ./migration", "isocenter migrate reconcile --job ./migration --heal"),
)
@job_option
@click.option("--heal", "heals", is_flag=True, help="Send again what is missing, different or unreadable.")
@click.option(
    "--replace", "replaces", is_flag=True, help="Delete at the target what is different before it is sent again."
)
@_workers_option
@_patience_option
@speed_options
@way_options
@json_option
def reconcile(*, folder: Path, heals: bool, replaces: bool, as_json: bool, **how: Any) -> int:
    """List what the last verification found missing, extra or different at the target; with --heal, mend it.

    Each mended instance is verified again. What is extra at the target is left alone. Exit code 1 where something is
    still wrong.
    """
    if replaces and not heals:
        raise click.UsageError("--replace goes with --heal.")
    with _working(folder, None, None, how) as work:
        if heals:
            with work.open_ends() as (source, target):
                healing = work.heal(source, target, replaces=replaces)
            _print_healing(healing, as_json=as_json)
            return 1 if any(one[3] != "extra" for one in healing.left) else 0
        return _print_findings(work.job, as_json=as_json)


@command.command(
    cls=CommandWithExamples,
    examples=(
        "isocenter migrate report --job ./migration",
        "isocenter migrate report --job ./migration --sign-with hospital.pem",
    ),
)
@job_option
@_key_option
@json_option
def report(*, folder: Path, key_file: Path | None, as_json: bool) -> int:
    """Write a report for people and a signed manifest with a line for each instance into the job's folder.

    Exit code 1 while something is not delivered or not verified.
    """
    from isocenter.app.migrating.job import Job

    with Job(folder) as job:
        return _report(job, key_file, as_json=as_json)


@command.command(
    cls=CommandWithExamples,
    examples=(
        "isocenter migrate run --from PACS@10.1.2.3:104 --to https://archive.example/dicom-web --job ./migration",
        "isocenter migrate run --job ./migration --level 4",
    ),
)
@ends_options
@job_option
@_limit_option
@plan_options
@_workers_option
@_patience_option
@verify_options
@_key_option
@speed_options
@way_options
@json_option
def run(
    *, folder: Path, source: str | None, target: str | None, key_file: Path | None, as_json: bool, **how: Any
) -> int:
    """Do it all: assess, plan, move, verify, send again what is wrong, report.

    Stopped at any point, the same command goes on with the step that it was at. Exit code 1 where something is left
    for a person or could not be verified.
    """
    with _working(folder, source, target, how) as work:
        job = work.job
        with work.open_ends() as (opened_source, opened_target):
            if not job.get("assessed"):
                work.assess(opened_source, limit=how["limit"], lists_instances=True)
            if not job.get("planned"):
                from isocenter.app.migrating.planning import plan as make_plan

                named = {name: how[name] for name in ("order", "patients_file", "only_patients", "wave_instances")}
                make_plan(job, _plan_settings(**named))
            work.move(opened_source, opened_target, wave=None, series_max=None)
            settings = work.verify_settings(**how)
            found = work.verify(opened_target, settings)
            if not found.is_sound and found.findings:
                work.heal(opened_source, opened_target, replaces=False)
                work.verify(opened_target, settings)
        return _report(job, key_file, as_json=as_json)


@command.command(
    "check-manifest",
    cls=CommandWithExamples,
    examples=(
        "isocenter migrate check-manifest manifest.jsonl",
        "isocenter migrate check-manifest manifest.jsonl --public-key hospital.public.pem",
    ),
)
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--public-key",
    metavar="FILE",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The key that it must be signed with (PEM); without it, compare the fingerprint that is shown.",
)
@json_option
def check_manifest(file: Path, public_key: Path | None, as_json: bool) -> int:
    """Verify that a manifest is whole and unchanged, and who signed it. Exit code 1 where it is not."""
    from isocenter.app.migrating.reporting import check_manifest as check

    checked = check(file, public_key=public_key)
    if as_json:
        print_json({"sound": True, "instances": checked.instances, "fingerprint": checked.fingerprint, **checked.head})
        return 0
    signer = "by the key that is given" if public_key else f"by the key {checked.fingerprint}"
    click.echo(f"Whole and unchanged: {count_of(checked.instances, 'instance')}, signed {signer}.")
    click.echo(f"From {printable(str(checked.head.get('source')))} to {printable(str(checked.head.get('target')))}.")
    return 0


@dataclass(frozen=True, slots=True)
class _Work:
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
def _working(folder: Path, source: str | None, target: str | None, how: dict[str, Any]) -> Iterator[_Work]:
    """Open a job for work that nobody else does meanwhile; a new one keeps its ends."""
    from isocenter.app.migrating.job import Job, require_same, working_alone
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
        yield _Work(job, how["way"], how["speed"], how.get("patience", "1h"), how.get("workers_max", 4))


class _Waits:
    """Says once that it waits for its hours."""

    def __init__(self) -> None:
        self._told: datetime | None = None

    def __call__(self, until: datetime) -> None:
        if until != self._told:
            self._told = until
            click.echo(f"Outside its hours; it waits until {until:%Y-%m-%d %H:%M}.", err=True)


def _plan_settings(*, order: str, patients_file: Path | None, only_patients: bool, wave_instances: int) -> PlanSettings:
    from isocenter.app.migrating.planning import PlanSettings
    from isocenter.routing.migration.waves import Order, parse_patients

    if only_patients and patients_file is None:
        raise click.UsageError("--only-patients goes with --patients.")
    try:
        patients = () if patients_file is None else tuple(parse_patients(patients_file.read_text("utf-8-sig")))
    except UnicodeDecodeError as error:
        raise click.BadParameter("The list of patients is not text in UTF-8.", param_hint="'--patients'") from error
    return PlanSettings(Order(order), patients, only_patients, wave_instances)


def _print_assessment(job: Job, *, as_json: bool) -> None:
    from isocenter.routing.migration.anomalies import WORDS

    totals, (found, _, unlisted) = job.totals(with_unplanned=True), job.study_counts()
    anomalies = job.anomalies()
    counts: dict[str, int] = {}
    for one in anomalies:
        counts[one.kind] = counts.get(one.kind, 0) + 1
    if as_json:
        print_json(
            {
                "studies": found,
                "not_listed": unlisted,
                "instances": totals.instances,
                "source_limit": job.get("limit"),
                "anomalies": [{"kind": one.kind.value, "where": one.where} for one in anomalies],
            }
        )
        return
    listed = f", {unlisted:,} of them not listed yet" if unlisted else ""
    click.echo(f"{count_of(found, 'study', 'studies')}{listed}, {count_of(totals.instances, 'instance')}.")
    if job.get("limit"):
        click.echo(f"The source answers with {job.get('limit'):,} studies at most; the inventory was cut to fit.")
    for kind, count in counts.items():
        click.echo(f"{kind} ({count:,}): {next(text for one, text in WORDS.items() if one == kind)}")


def _outlook_text(ahead: Outlook) -> str:
    low, likely, high = (_span(one) for one in (ahead.estimate.low_s, ahead.estimate.likely_s, ahead.estimate.high_s))
    basis = (
        f"by {count_of(ahead.estimate.measured_series, 'series', 'series')} that moved"
        if ahead.estimate.measured_series
        else "a guess until a few series have moved: `isocenter migrate move --series 10`"
    )
    ends = " to ".join(end.strftime("%Y-%m-%d %H:%M") if end else "never" for end in (ahead.ends[0], ahead.ends[2]))
    return (
        f"{count_of(ahead.instances_left, 'instance')} left: likely {likely} of work, between {low} and {high} "
        f"({basis}); done between {ends}."
    )


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} days"


def _print_totals(job: Job, *, as_json: bool) -> int:
    totals = job.totals()
    if as_json:
        print_json(
            {
                "instances": totals.instances,
                "delivered": totals.delivered,
                "left": totals.left,
                "sent_again": totals.sent_again,
                "states": {state.value: count for state, count in totals.by_state.items()},
            }
        )
    else:
        not_delivered = totals.instances - totals.delivered - totals.left
        click.echo(
            f"{totals.instances:,} planned = {totals.delivered:,} delivered + {totals.left:,} waiting + "
            f"{not_delivered:,} not delivered."
        )
        _print_shelf(job)
    return 0 if totals.delivered == totals.instances else 1


def _print_shelf(job: Job) -> None:
    from isocenter.app.migrating.reporting import words_of

    shelf = job.shelf()
    for code in dict.fromkeys(one[3] for one in shelf):
        click.echo(f"{code}: {words_of(code)}", err=True)
    for study, _, uid, code, _told in shelf[:LEFT_PRINTED_MAX]:
        click.echo(f"  {uid} of {study}: {code}", err=True)
    if len(shelf) > LEFT_PRINTED_MAX:
        click.echo(f"  and {len(shelf) - LEFT_PRINTED_MAX:,} more; `isocenter migrate report` names them.", err=True)


def _print_verification(found: Verification, *, as_json: bool) -> None:
    if as_json:
        print_json(found.as_json())
        return
    click.echo(f"Level {found.level}: {count_of(found.instances, 'instance')} in {found.studies:,} studies looked at.")
    if found.statement is not None:
        click.echo(found.statement.describe())
    for text, is_so in (
        (
            f"{found.not_comparable:,} came back in another transfer syntax and cannot be compared.",
            found.not_comparable,
        ),
        (f"{found.unlisted_studies:,} studies: the target would not tell what it has.", found.unlisted_studies),
        (f"{len(found.fewer):,} studies have fewer instances there than were moved.", found.fewer),
        (f"Digests cannot be compared: {found.not_possible}", found.not_possible),
    ):
        if is_so:
            click.echo(text)
    for finding, count in found.findings.items():
        click.echo(f"{finding}: {count:,}")
    click.echo("Nothing is wrong." if found.is_sound else "Something is wrong; `isocenter migrate reconcile` lists it.")


def _print_findings(job: Job, *, as_json: bool) -> int:
    findings = job.findings()
    if as_json:
        names = ("study", "series", "instance", "finding", "told")
        print_json([dict(zip(names, (*one[:3], one[3].value, one[4]), strict=True)) for one in findings])
    else:
        print_table(
            ("finding", "study", "instance", "told"), [(one[3].value, one[0], one[2], one[4]) for one in findings]
        )
    if job.get("verification") is None:
        click.echo("Nothing is verified yet; run `isocenter migrate verify` first.", err=True)
        return 1
    return 1 if any(one[3] != "extra" for one in findings) else 0


def _print_healing(healing: Healing, *, as_json: bool) -> None:
    if as_json:
        print_json(healing.as_json())
        return
    click.echo(f"{healing.healed:,} mended, {len(healing.left):,} left.")
    for study, _, uid, finding, advice in healing.left[:LEFT_PRINTED_MAX]:
        click.echo(f"  {finding}: {uid} of {study}: {advice}")


def _report(job: Job, key_file: Path | None, *, as_json: bool) -> int:
    from isocenter.app.migrating.reporting import describe, is_complete, summary, write_report

    text, manifest, fingerprint = write_report(job, key_file=key_file)
    is_done = is_complete(job)
    if as_json:
        print_json(
            {"complete": is_done, "report": str(text), "manifest": str(manifest), "key": fingerprint, **summary(job)}
        )
    else:
        for line in describe(job):
            click.echo(printable(line))
        click.echo(f"Written: {text} and {manifest}, signed by the key {fingerprint}.")
    return 0 if is_done else 1
