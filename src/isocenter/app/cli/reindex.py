"""`isocenter reindex`: rebuild the index."""

from __future__ import annotations

from pathlib import Path

import click

from isocenter.app.cli.command import CommandWithExamples
from isocenter.app.cli.options import node_options, settings_of
from isocenter.app.cli.output import count_of, show_progress

NAMED_MAX = 20
"""How many damaged places are printed; the rest is counted."""


@click.command(cls=CommandWithExamples, examples=("isocenter reindex --data-dir ./archive",))
@node_options
def command(data_dir: str | None, config_file: Path | None, assignments: tuple[str, ...]) -> int:
    """Rebuild the index from the packs alone.

    The node must not run. The new index is built beside the old one and takes its place when it is whole;
    the old one is kept as a copy. Every packed byte is read and verified on the way; what no pack knows
    (work list, performed steps, commitments, workitems, deliveries) is taken from the old index. Exit code 1 where
    damage was found: everything intact is in the new index all the same.
    """
    settings = settings_of(data_dir=data_dir, config_file=config_file, assignments=assignments)
    from isocenter.app.offline import rebuild_index
    from isocenter.archive.reindex import ReindexReport

    with show_progress("Reindexing", total=1) as progress:

        def show(report: ReindexReport) -> None:
            progress.update(report.done_bytes, total=report.total_bytes, note=count_of(report.instances, "instance"))

        report, backup = rebuild_index(settings, on_progress=show)
    for damage in report.damaged[:NAMED_MAX]:
        click.echo(f"damaged: pack {damage.container:08d}, offset {damage.offset}: {damage.reason}")
    for refusal in report.refused[:NAMED_MAX]:
        click.echo(f"not indexed: SOP instance {refusal.identifier.sop_instance_uid}: {refusal.reason}")
    click.echo(
        f"Indexed {count_of(report.instances, 'instance')}; {report.damaged_count} damaged places, "
        f"{report.refused_count} not indexed."
    )
    if report.unfinished_count:
        click.echo(
            f"{count_of(report.unfinished_count, 'new version')} of updates that were not finished do not count; "
            "those that go on when the node starts begin with them."
        )
    if report.has_lost_records:
        click.echo(
            "The old index could not be read: work list, performed steps, commitments, workitems and deliveries are "
            "lost. Send again what was still to be delivered."
        )
    if backup is not None:
        click.echo(f"The index before is kept as {backup}.")
    return 1 if report.damaged_count or report.refused_count or report.has_lost_records else 0
