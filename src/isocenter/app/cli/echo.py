"""`isocenter echo`: ask another AE whether it is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from isocenter.app.cli.command import CommandWithExamples
from isocenter.app.cli.options import json_option
from isocenter.app.cli.output import print_json
from isocenter.app.cli.peers import peer_argument

if TYPE_CHECKING:
    from isocenter.app.dimse_peer import DimsePeer


@click.command(
    cls=CommandWithExamples,
    examples=(
        "isocenter echo PACS@10.1.2.3:11112",
        "isocenter echo PACS@pacs.example:2762 --tls --cert me.pem --key me.key --ca hospital.pem --as CT1",
    ),
)
@peer_argument
@json_option
def command(peer: DimsePeer, as_json: bool) -> int:
    """Ask another application entity whether it is there and takes our association (C-ECHO).

    Exit code 1 where it rejects the association or answers with a failure, 3 where it cannot be reached.
    """
    from isocenter.app.echoing import call_echo

    answer = call_echo(peer)
    if as_json:
        print_json(answer.as_json())
    else:
        click.echo(f"{peer} answers {peer.calling_ae_title}: {answer.describe()}.")
    return 0
