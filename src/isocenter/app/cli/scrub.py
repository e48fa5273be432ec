"""`isocenter scrub`: verify every stored byte."""

from __future__ import annotations

from pathlib import Path

import click

from isocenter.app.cli.command import CommandWithExamples
from isocenter.app.cli.options import json_option, node_options, settings_of
from isocenter.app.cli.output import count_of, format_size, print_json, show_progress


@click.command(cls=CommandWithExamples, examples=("isocenter scrub --data-dir ./archive",))
@node_options
@json_option
def command(data_dir: str | None, config_file: Path | None, assignments: tuple[str, ...], as_json: bool) -> int:
    """Verify every stored byte against the digests taken when it came in.

    The node must not run. Nothing is changed. Exit code 1 where an instance is damaged: restore it from a
    backup or store it again.
    """
    settings = settings_of(data_dir=data_dir, config_file=config_file, assignments=assignments)
    from isocenter.app.offline import scrub_archive
    from isocenter.archive.scrub import ScrubReport

    with show_progress("Verifying", total=1) as progress:

        def show(report: ScrubReport) -> None:
            progress.update(report.done_bytes, total=report.total_bytes, note=f"{report.damaged_count} damaged")

        report = scrub_archive(settings, on_progress=show)
    if as_json:
        print_json(_as_json(report))
    else:
        for damaged in report.damaged:
            uids = damaged.identifier
            names = f"{uids.study_instance_uid}/{uids.series_instance_uid}/{uids.sop_instance_uid}"
            click.echo(f"damaged: {names} (pack {damaged.address.container:08d}, offset {damaged.address.offset})")
        click.echo(
            f"Verified {count_of(report.instances, 'instance')}, {format_size(report.done_bytes)}: "
            + (f"{report.damaged_count} damaged." if report.damaged_count else "every byte is intact.")
        )
    return 1 if report.damaged_count else 0


def _as_json(report: object) -> dict[str, object]:
    from isocenter.archive.scrub import ScrubReport

    assert isinstance(report, ScrubReport)
    return {
        "instances": report.instances,
        "size_bytes": report.done_bytes,
        "damaged_count": report.damaged_count,
        "damaged": [
            {
                "study_instance_uid": damaged.identifier.study_instance_uid,
                "series_instance_uid": damaged.identifier.series_instance_uid,
                "sop_instance_uid": damaged.identifier.sop_instance_uid,
                "container": damaged.address.container,
                "offset": damaged.address.offset,
            }
            for damaged in report.damaged
        ],
    }
