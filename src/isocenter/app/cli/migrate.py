"""`isocenter migrate`: move an archive to another one, and prove that everything arrived."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from isocenter.app.cli.command import CommandWithExamples, GroupWithExamples
from isocenter.app.cli.migration_options import (
    ends_options,
    job_option,
    key_option,
    later_option,
    limit_option,
    patience_option,
    plan_options,
    speed_options,
    verify_options,
    wave_option,
    way_options,
    workers_option,
)
from isocenter.app.cli.migration_output import (
    outlook_text,
    print_assessment,
    print_findings,
    print_healing,
    print_report,
    print_totals,
    print_verification,
)
from isocenter.app.cli.migration_work import plan_settings, working
from isocenter.app.cli.options import json_option
from isocenter.app.cli.output import count_of, print_json, print_table, printable

if TYPE_CHECKING:
    from isocenter.app.cli.migration_options import Speed


class _InTheirOrder(GroupWithExamples):
    """Lists the steps in the order in which they are taken."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names as they are defined."""
        return list(self.commands)


@click.group(
    cls=_InTheirOrder,
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
@limit_option
@later_option
@click.option(
    "--again", "begins_again", is_flag=True, help="Ask the source anew, for what came since; nothing moves twice."
)
@patience_option
@speed_options
@way_options
@json_option
def assess(*, folder: Path, source: str | None, target: str | None, as_json: bool, **how: Any) -> int:
    """Take the inventory of the source, and tell what is odd about it.

    With --again what was stored there since is added; plan and move go on with it.
    """
    with working(folder, source, target, how) as work:
        if how["begins_again"]:
            work.job.begin_inventory_again()
        with work.open_source() as opened:
            work.assess(opened, limit=how["limit"], lists_instances=not how["lists_later"])
        print_assessment(work.job, as_json=as_json)
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
    from isocenter.app.migrating.job import Job
    from isocenter.app.migrating.job_database import working_alone
    from isocenter.app.migrating.planning import outlook
    from isocenter.app.migrating.planning import plan as make_plan

    with Job(folder) as job, working_alone(folder):
        waves = make_plan(job, plan_settings(**how))
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
    click.echo(outlook_text(ahead))
    return 0


@command.command(
    cls=CommandWithExamples,
    examples=(
        "isocenter migrate move --job ./migration --series 10",
        'isocenter migrate move --job ./migration --wave 1 --rate 20MB/s --during "mon-fri 19:00-06:00"',
    ),
)
@job_option
@wave_option
@click.option("--series", "series_max", type=click.IntRange(1), metavar="NUMBER", help="Move so many, then end.")
@click.option("--retry-failed", is_flag=True, help="Try again what waits for a person, once its cause is mended.")
@workers_option
@patience_option
@speed_options
@way_options
@json_option
def move(*, folder: Path, retry_failed: bool, as_json: bool, **how: Any) -> int:
    """Move what is planned, series by series.

    Exit code 1 where something is left: it waits for a person, or the source did not give it. Ctrl-C ends the run;
    the same command goes on.
    """
    with working(folder, None, None, how) as work, work.open_ends() as (source, target):
        if retry_failed:
            work.job.try_again()
        work.move(source, target, wave=how["wave"], series_max=how["series_max"])
        return print_totals(work.job, as_json=as_json)


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
    with working(folder, None, None, how) as work, work.open_target() as target:
        found = work.verify(target, work.verify_settings(**how))
    print_verification(found, as_json=as_json)
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
@workers_option
@patience_option
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
    with working(folder, None, None, how) as work:
        if heals:
            with work.open_ends() as (source, target):
                healing = work.heal(source, target, replaces=replaces)
            print_healing(healing, as_json=as_json)
            return 1 if any(one[3] != "extra" for one in healing.left) else 0
        return print_findings(work.job, as_json=as_json)


@command.command(
    cls=CommandWithExamples,
    examples=(
        "isocenter migrate report --job ./migration",
        "isocenter migrate report --job ./migration --sign-with hospital.pem",
    ),
)
@job_option
@key_option
@json_option
def report(*, folder: Path, key_file: Path | None, as_json: bool) -> int:
    """Write a report for people and a signed manifest with a line for each instance into the job's folder.

    Exit code 1 while something is not delivered or not verified.
    """
    from isocenter.app.migrating.job import Job

    with Job(folder) as job:
        return print_report(job, key_file, as_json=as_json)


@command.command(
    cls=CommandWithExamples,
    examples=(
        "isocenter migrate run --from PACS@10.1.2.3:104 --to https://archive.example/dicom-web --job ./migration",
        "isocenter migrate run --job ./migration --level 4",
    ),
)
@ends_options
@job_option
@limit_option
@plan_options
@workers_option
@patience_option
@verify_options
@key_option
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
    with working(folder, source, target, how) as work:
        job = work.job
        with work.open_ends() as (opened_source, opened_target):
            if not job.get("assessed"):
                work.assess(opened_source, limit=how["limit"], lists_instances=True)
            if not job.get("planned"):
                from isocenter.app.migrating.planning import plan as make_plan

                named = {name: how[name] for name in ("order", "patients_file", "only_patients", "wave_instances")}
                make_plan(job, plan_settings(**named))
            work.move(opened_source, opened_target, wave=None, series_max=None)
            settings = work.verify_settings(**how)
            found = work.verify(opened_target, settings)
            if not found.is_sound and found.findings:
                work.heal(opened_source, opened_target, replaces=False)
                work.verify(opened_target, settings)
        return print_report(job, key_file, as_json=as_json)


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
