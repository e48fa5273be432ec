"""`isocenter commitments`: what peers asked a node to commit to, and the node them."""

from __future__ import annotations

from pathlib import Path

import click

from isocenter.app.cli.command import CommandWithExamples
from isocenter.app.cli.options import json_option, node_options, settings_of
from isocenter.app.cli.output import print_json, print_table

HEADINGS = ("requested", "peer", "side", "state", "instances", "committed", "failed", "attempts", "problem")


@click.command(
    cls=CommandWithExamples,
    examples=("isocenter commitments --data-dir ./archive", "isocenter commitments --json"),
)
@click.option(
    "--limit", metavar="N", default=100, show_default=True, type=click.IntRange(1), help="At most so many rows."
)
@node_options
@json_option
def command(
    limit: int, data_dir: str | None, config_file: Path | None, assignments: tuple[str, ...], as_json: bool
) -> int:
    """List the storage commitment transactions of a node, the last begun first, while it runs or does not.

    On the side `provider` a peer asked the node, on the side `user` the node asked a peer. A report that could
    not be delivered is tried for a day.
    """
    settings = settings_of(data_dir=data_dir, config_file=config_file, assignments=assignments)
    from isocenter.app.committing import list_commitments
    from isocenter.app.worklist import open_index

    with open_index(settings) as index:
        rows = list_commitments(index.commitments, limit=limit)
    if as_json:
        print_json(rows)
        return 0
    cells = [
        [
            row["requested_at"],
            row["peer_ae_title"],
            row["side"],
            row["state"],
            str(row["instances"]),
            str(row["committed"]),
            str(len(row["failed"])),
            str(row["attempts"]),
            row["problem"],
            row["transaction_uid"],
        ]
        for row in rows
    ]
    print_table([*HEADINGS, "transaction"], cells)
    return 0
