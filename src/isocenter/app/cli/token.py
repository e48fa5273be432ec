"""`isocenter token`: print a token."""

from __future__ import annotations

from pathlib import Path

import click

from isocenter.app.cli.command import CommandWithExamples
from isocenter.app.cli.options import json_option, node_options, settings_of
from isocenter.app.cli.output import print_json


@click.command(
    cls=CommandWithExamples,
    examples=(
        'curl --cacert ca.pem -H "Authorization: Bearer $(isocenter token)" https://localhost:8443/v2/studies',
        "isocenter token --app dashboards",
        "export ISOCENTER_TOKEN=$(isocenter token)",
    ),
)
@node_options
@click.option(
    "--app",
    "application",
    metavar="NAME",
    help="The application that the token is for, by name or identifier (default: one for the owner of the data folder, "
    "with the role DICOM Data Owner).",
)
@click.option("--audience", metavar="URI", help="The service that the token is for (default: the first one).")
@json_option
def command(
    data_dir: str | None,
    config_file: Path | None,
    assignments: tuple[str, ...],
    application: str | None,
    audience: str | None,
    as_json: bool,
) -> None:
    """Print an access token of the embedded identity provider, valid for an hour.

    Whoever may read the data folder may have one; programs elsewhere ask the token endpoint with their secret.
    """
    from isocenter.app.minting import mint

    settings = settings_of(data_dir=data_dir, config_file=config_file, assignments=assignments)
    minted = mint(settings, wanted=application, audience=audience)
    if as_json:
        print_json(minted)
    else:
        click.echo(minted["access_token"])
