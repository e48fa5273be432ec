"""`isocenter serve`: run a node."""

from __future__ import annotations

from pathlib import Path

import click

from isocenter.app.cli.command import CommandWithExamples
from isocenter.app.cli.options import node_options, settings_of


@click.command(
    cls=CommandWithExamples,
    examples=(
        "isocenter serve --data-dir ./archive --http 127.0.0.1:8080",
        "isocenter serve --https 0.0.0.0:8443",
        "isocenter serve --dicom ARCHIVE@127.0.0.1:11112 --remote PACS@127.0.0.1:4242",
        "isocenter serve --data-dir ./archive --set archive.duplicate_policy=keep",
    ),
)
@node_options
@click.option("--http", "listen", metavar="HOST:PORT", help="Where the web server listens (default: 127.0.0.1:8080).")
@click.option(
    "--https",
    "tls_listen",
    metavar="HOST:PORT",
    help="Where the web server listens over TLS. Without --http it then listens there alone.",
)
@click.option(
    "--dicom",
    "dicom",
    metavar="AET@HOST:PORT",
    help="The AE title of the node and where it listens for DICOM associations (default: nowhere).",
)
@click.option(
    "--remote",
    "remotes",
    metavar="AET@HOST:PORT",
    multiple=True,
    help="An AE that may call, and that instances may be moved to. Can be given again. On a node that listens to this "
    "machine alone, others may call as well.",
)
@click.option(
    "--auth",
    metavar="HOW",
    help="Whether callers must prove who they are: `auto` (as soon as other machines can reach the node), `required`, "
    "or `off`, which is for loopback only.",
)
def command(
    *,
    data_dir: str | None,
    config_file: Path | None,
    assignments: tuple[str, ...],
    remotes: tuple[str, ...],
    **listening: str | None,
) -> None:
    """Run a node until Ctrl-C or SIGTERM.

    It is ready when GET /health/ready answers 200. The study list is at /, the viewer at /viewer/,
    DICOMweb at /dicom-web/ and /v2/.
    """
    flags = {
        "http.listen": listening["listen"],
        "http.tls_listen": listening["tls_listen"],
        "auth": listening["auth"],
        "dicom.listen": listening["dicom"],
        "dicom.remotes": ";".join(remotes) if remotes else None,
    }
    settings = settings_of(data_dir=data_dir, config_file=config_file, assignments=assignments, flags=flags)
    from isocenter.app.serve import run

    run(settings)
