"""Options of the commands that ask a router: where the node is, what it is shown, which deliveries are meant."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from isocenter.app.cli.options import node_options, settings_of
from isocenter.app.cli.peers import credential_options, service_of
from isocenter.app.node_address import noted_addresses
from isocenter.domain.errors import Conflict, PeerUnreachable

if TYPE_CHECKING:
    from isocenter.app.routing_client import RouterClient

Command = Callable[..., Any]
SHOWN = ("token", "client_id", "client_secret_file", "authority")
NODE = ("data_dir", "config_file", "assignments")
SELECTING = ("destination", "channel", "states", "note", "study", "series", "instance")


def router_options(command: Command) -> Command:
    """Add what names a node; the command gets `router`, where it asks."""
    address = click.option(
        "--node",
        "address",
        metavar="URL",
        envvar="ISOCENTER_URL",
        help="The node (default: the one that runs on the folder, and the folder itself where none does).",
    )
    authorities = click.option(
        "--ca", "authorities", metavar="FILE", type=click.Path(path_type=Path, exists=True, dir_okay=False),
        help="Who certifies the node (PEM); ISOCENTER_CA as well.",
    )  # fmt: skip

    @wraps(command)
    def wrapped(*, address: str | None, authorities: Path | None, **others: Any) -> Any:
        shown = {name: others.pop(name) for name in SHOWN}
        node = {name: others.pop(name) for name in NODE}
        with _router(address, authorities, shown, node) as router:
            return command(router=router, **others)

    return address(authorities(credential_options(node_options(wrapped))))


@contextmanager
def _router(
    address: str | None, authorities: Path | None, shown: Mapping[str, Any], node: Mapping[str, Any]
) -> Iterator[RouterClient]:
    from isocenter.app.routing_client import Question, open_folder_router, open_web_router

    if address is not None:
        with open_web_router(service_of(address, authorities, **shown)) as router:
            yield router
        return
    settings = settings_of(**node)
    configured = [f"{'http' if at == settings.http.listen else 'https'}://{at}" for at in settings.http.addresses]
    for url in dict.fromkeys([*noted_addresses(settings.data_dir), *configured]):
        with open_web_router(service_of(url, authorities, **shown)) as running:
            try:
                running.ask(Question("GET", "/configuration/versions"))
            except PeerUnreachable:
                continue
            yield running
            return
    try:
        with open_folder_router(settings) as stopped:
            yield stopped
    except Conflict as error:
        if settings.routing.configuration is None:
            raise
        raise Conflict(f"{error.message} If a node runs on it, say where it listens: --node URL.") from error


def selection_options(command: Command) -> Command:
    """Add what selects deliveries; the command gets `selection`, as the JSON of the router writes it."""

    @wraps(command)
    def wrapped(**others: Any) -> Any:
        given = {name: others.pop(name) for name in SELECTING}
        selection: dict[str, object] = {name: value for name, value in given.items() if value}
        if selection.get("states"):
            selection["states"] = [state for text in given["states"] for state in text.split(",")]
        return command(selection=selection, **others)

    for option in (
        click.option("--instance", metavar="UID", help="Only of this instance."),
        click.option("--series", metavar="UID", help="Only of this series."),
        click.option("--study", metavar="UID", help="Only of this study."),
        click.option("--note", metavar="CODE", help="Only with this code of the catalogue, such as http:503."),
        click.option(
            "--state", "states", metavar="STATE", multiple=True, help="Only in this state; can be given again."
        ),
        click.option("--channel", metavar="NAME", help="Only of this channel."),
        click.option("--destination", metavar="NAME", help="Only to this destination."),
    ):
        wrapped = option(wrapped)
    return wrapped


def reason_option(command: Command) -> Command:
    """Add why something is done, for those who look later."""
    return click.option("--reason", metavar="TEXT", default="", help="Why, for those who look later.")(command)
