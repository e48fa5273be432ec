"""`isocenter test-connection`: find out step by step whether a destination can be used, and what to tell its owner."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from isocenter.app.cli.command import CommandWithExamples
from isocenter.app.cli.options import config_option, data_dir_option, json_option, settings_of
from isocenter.app.cli.output import print_json, printable
from isocenter.app.cli.peers import is_url

if TYPE_CHECKING:
    from isocenter.app.connection_testing.destination import Circumstances
    from isocenter.app.dimse_peer import DimsePeer, TlsFiles
    from isocenter.app.web_archive import WebArchive
    from isocenter.routing.connection_test.report import ConnectionReport, Step

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
MARKS = {"passed": "ok", "warned": "look", "failed": "FAILED", "skipped": "-"}
COLORS = {"passed": "green", "warned": "yellow", "failed": "red", "skipped": None}
FACTS_SHOWN = frozenset({"tls", "contexts", "association"})
"""Steps whose facts people want to see; JSON has all of them."""


@click.command(
    cls=CommandWithExamples,
    examples=(
        "isocenter test-connection cloud --channels channels.toml",
        "isocenter test-connection PACS@10.1.2.3:104 --as ROUTER",
        "isocenter test-connection https://archive.example/dicom-web --token TOKEN --store-test",
    ),
)
@click.argument("destination", metavar="DEST")
@click.option(
    "--channels",
    "configuration_file",
    metavar="FILE",
    type=_FILE,
    help="The configuration of channels that names the destination (default: that of the node, routing.configuration).",
)
@click.option("--store-test", "stores", is_flag=True, help="Store a synthetic image at a service, and delete it again.")
@click.option("--as", "calling_ae_title", metavar="AET", default="ISOCENTER", show_default=True, help="Our AE title.")
@click.option("--tls", "uses_tls", is_flag=True, help="Call a DIMSE peer over TLS.")
@click.option("--cert", "certificate", metavar="FILE", type=_FILE, help="Our certificate (PEM).")
@click.option("--key", metavar="FILE", type=_FILE, help="The private key of that certificate (PEM).")
@click.option("--ca", "authorities", metavar="FILE", type=_FILE, help="Who certifies the destination (PEM).")
@click.option("--token", metavar="TOKEN", envvar="ISOCENTER_TOKEN", help="A token for a service named by its URL.")
@click.option(
    "--client-id",
    metavar="ID",
    envvar="ISOCENTER_CLIENT_ID",
    help="The application as which to ask for one; its secret stands in ISOCENTER_CLIENT_SECRET.",
)
@click.option("--authority", metavar="URL", envvar="ISOCENTER_AUTHORITY", help="Where tokens come from.")
@click.option(
    "--timeout",
    "timeout_s",
    metavar="SECONDS",
    type=click.FloatRange(0.1, 600),
    default=10.0,
    show_default=True,
    help="How long to wait in each step.",
)
@data_dir_option
@config_option
@json_option
def command(*, destination: str, as_json: bool, **how: Any) -> int:
    """Find out step by step whether a destination can be used, and what to tell its owner.

    DEST is a destination of the configuration of channels, a peer AET@HOST:PORT, or the URL of a DICOMweb service.
    Nothing is stored or moved, unless --store-test is given. Exit code 1 where a step failed, 3 where nobody answers
    at the address.
    """
    from isocenter.app.cli import EXIT_FAILED, EXIT_UNREACHABLE
    from isocenter.app.logging_setup import set_up_logging

    set_up_logging("error", "console")  # the report says what happened
    report = _test(destination, **how)
    if as_json:
        print_json(report.as_json() | {"message": report.message()})
    else:
        _print(report)
    if report.is_sound:
        return 0
    return EXIT_FAILED if report.is_reached else EXIT_UNREACHABLE


def _test(destination: str, *, uses_tls: bool, **how: Any) -> ConnectionReport:
    from isocenter.app.connection_testing.destination import check_dimse, check_web_archive

    shown = {name: how.pop(name) for name in ("token", "client_id", "authority")}
    places = {name: how.pop(name) for name in ("configuration_file", "data_dir", "config_file")}
    circumstances = _circumstances(**how)
    if is_url(destination):
        return check_web_archive(_archive(destination, how["authorities"], **shown), circumstances)
    if "@" in destination:
        return check_dimse(_peer(destination, circumstances, uses_tls=uses_tls), circumstances, name=destination)
    return _test_configured(destination, circumstances, **places)


def _archive(
    url: str, authorities: Path | None, *, token: str | None, client_id: str | None, authority: str | None
) -> WebArchive:
    from isocenter.app.web_archive import WebArchive

    if token or client_id is None:
        return WebArchive(url, token=token, authorities=authorities)
    secret = os.environ.get("ISOCENTER_CLIENT_SECRET", "")
    if not secret:
        raise click.UsageError("--client-id needs its secret, in ISOCENTER_CLIENT_SECRET.")
    return WebArchive(url, client_id=client_id, client_secret=secret, authority=authority, authorities=authorities)


def _circumstances(
    *,
    stores: bool,
    calling_ae_title: str,
    certificate: Path | None,
    key: Path | None,
    authorities: Path | None,
    timeout_s: float,
) -> Circumstances:
    from isocenter.app.connection_testing.destination import Circumstances
    from isocenter.domain.application_entity import parse_ae_title
    from isocenter.domain.errors import InvalidRequest

    try:
        title = parse_ae_title(calling_ae_title)
    except InvalidRequest as error:
        raise click.BadParameter(error.message, param_hint="'--as'") from error
    files = _tls_files(certificate, key, authorities)
    return Circumstances(datetime.now(UTC), timeout_s, stores, title, files)


def _tls_files(certificate: Path | None, key: Path | None, authorities: Path | None) -> TlsFiles | None:
    from isocenter.app.dimse_peer import TlsFiles

    if (certificate is None) != (key is None):
        raise click.UsageError("--cert and --key belong together.")
    if certificate is None and authorities is None:
        return None
    return TlsFiles(certificate, key, authorities)


def _peer(address: str, circumstances: Circumstances, *, uses_tls: bool) -> DimsePeer:
    from isocenter.app.dimse_peer import DimsePeer, TlsFiles
    from isocenter.domain.application_entity import parse_remote_ae
    from isocenter.domain.errors import InvalidRequest

    try:
        remote = parse_remote_ae(address)
        if remote.address is None:
            raise InvalidRequest(f"{address} has no port; a peer is written AET@HOST:PORT.")
    except InvalidRequest as error:
        raise click.BadParameter(printable(error.message), param_hint="'DEST'") from error
    peer = DimsePeer(remote, circumstances.calling_ae_title)
    wants_tls = uses_tls or remote.uses_tls or circumstances.tls_files is not None
    return peer.with_tls(circumstances.tls_files or TlsFiles()) if wants_tls else peer


def _test_configured(
    name: str,
    circumstances: Circumstances,
    *,
    configuration_file: Path | None,
    data_dir: str | None,
    config_file: Path | None,
) -> ConnectionReport:
    from isocenter.app.connection_testing.destination import check_destination, find_destination
    from isocenter.app.rule_trying import load_configuration
    from isocenter.app.secrets_by_name import SecretsByName

    settings = settings_of(data_dir=data_dir, config_file=config_file)
    path = configuration_file or settings.routing.configuration
    if path is None:
        raise click.UsageError(
            f"{printable(name)} is neither AET@HOST:PORT nor a URL, and there is no configuration of channels; name "
            "one with --channels."
        )
    destination = find_destination(load_configuration(path).configuration, name)
    read_secret = SecretsByName(settings.data_dir, os.environ).read
    return check_destination(destination, circumstances, read_secret=read_secret)


def _print(report: ConnectionReport) -> None:
    click.secho(printable(f"{report.destination} ({report.address})"), bold=True)
    for step in report.steps:
        _print_step(step)
    message = report.message()
    if message:
        click.echo("\nTo send to whoever looks after it:\n")
        for line in message.splitlines():
            click.echo(f"  {printable(line)}")


def _print_step(step: Step) -> None:
    mark = click.style(f"{MARKS[step.outcome]:<7}", fg=COLORS[step.outcome])
    took = f" ({step.elapsed_s * 1000:.0f} ms)" if step.elapsed_s else ""
    click.echo(f"{mark}{step.name.value:<15}{printable(step.happened)}{took}")
    if step.advice:
        side = f" [{step.side.value}]" if step.side else ""
        click.echo(f"{'':22}{printable(step.advice)}{side}")
    if step.name.value in FACTS_SHOWN:
        for value in dict.fromkeys(value for _, value in step.facts):
            names = ", ".join(name for name, each in step.facts if each == value)
            click.echo(f"{'':22}{printable(names)}: {printable(value)}")
