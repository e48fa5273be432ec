"""What the commands that migrate print: inventories, outlooks, totals, findings, the report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from isocenter.app.cli.output import count_of, print_json, print_table, printable

if TYPE_CHECKING:
    from isocenter.app.migrating.job import Job
    from isocenter.app.migrating.planning import Outlook
    from isocenter.app.migrating.verifying import Healing, Verification

LEFT_PRINTED_MAX = 20
"""Instances that a terminal names; the report names more, JSON all."""


def print_assessment(job: Job, *, as_json: bool) -> None:
    """Print what the source has and what is odd about it."""
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


def outlook_text(ahead: Outlook) -> str:
    """Return how long what is left takes, for people."""
    if not ahead.instances_left:
        return "Nothing is left to move."
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


def print_totals(job: Job, *, as_json: bool) -> int:
    """Print where the instances stand, and return the exit code."""
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


def print_verification(found: Verification, *, as_json: bool) -> None:
    """Print what a verification found."""
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
        (f"{found.fewer_studies:,} studies have fewer instances there than were moved.", found.fewer_studies),
        (f"Digests cannot be compared: {found.not_possible}", found.not_possible),
    ):
        if is_so:
            click.echo(text)
    for finding, count in found.findings.items():
        click.echo(f"{finding}: {count:,}")
    if found.statement is not None and found.statement.defects and not found.statement.is_complete:
        click.echo("A sample finds some of what is wrong; `isocenter migrate verify --level 4` finds all of it.")
    click.echo("Nothing is wrong." if found.is_sound else "Something is wrong; `isocenter migrate reconcile` lists it.")


def print_findings(job: Job, *, as_json: bool) -> int:
    """Print what is wrong at the target, and return the exit code."""
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


def print_healing(healing: Healing, *, as_json: bool) -> None:
    """Print what was mended and what is left."""
    if as_json:
        print_json(healing.as_json())
        return
    click.echo(f"{healing.healed:,} mended, {len(healing.left):,} left.")
    for study, _, uid, finding, advice in healing.left[:LEFT_PRINTED_MAX]:
        click.echo(f"  {finding}: {uid} of {study}: {advice}")


def print_report(job: Job, key_file: Path | None, *, as_json: bool) -> int:
    """Write report and manifest, print the report, and return the exit code."""
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
