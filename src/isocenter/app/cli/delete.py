"""`isocenter delete`: delete from an archive."""

from __future__ import annotations

import click

from isocenter.app.cli.command import CommandWithExamples
from isocenter.app.cli.options import parse_scope, yes_option
from isocenter.app.cli.output import count_of
from isocenter.app.cli.peers import service_options
from isocenter.app.web_archive import WebArchive


@click.command(cls=CommandWithExamples, examples=("isocenter delete 1.2.840.1 --from http://127.0.0.1:8080",))
@click.argument("names", metavar="STUDY[/SERIES[/INSTANCE]]…", nargs=-1, required=True)
@service_options("--from")
@yes_option
def command(names: tuple[str, ...], archive: WebArchive, is_sure: bool) -> int:
    """Delete studies, series or instances from an archive.

    A node makes them unreachable at once and destroys their bytes a minute later (archive.erase_after_s).
    Asks first, unless --yes is given. Exit code 1 where there was nothing of that name or it was to stay.
    """
    scopes = [parse_scope(name) for name in names]
    from isocenter.app.fetching import list_instances
    from isocenter.app.peer import open_peer
    from isocenter.domain.errors import NotFound

    failed = 0
    with open_peer(archive) as client:
        for scope, name in zip(scopes, names, strict=True):
            level = scope.level.name.lower()
            try:
                if not is_sure:
                    count = len(list_instances(client, scope))
                    question = (
                        f"Delete {level} {name} with {count_of(count, 'instance')} from {client.service} for good?"
                    )
                    if not click.confirm(question):
                        click.echo("It stays.")
                        failed += 1
                        continue
                client.delete(scope)
            except NotFound:
                click.echo(f"failed: {name}: {client.service} has no {level} of that UID.", err=True)
                failed += 1
            else:
                click.echo(f"Deleted {level} {name}.")
    return 1 if failed else 0
