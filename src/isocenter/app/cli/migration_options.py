"""Options of the commands that migrate: how its ends are reached, how fast it goes, which job it is."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from isocenter.app.cli.output import printable

if TYPE_CHECKING:
    from isocenter.app.dimse_peer import TlsFiles
    from isocenter.app.migrating.opening import Evidence
    from isocenter.routing.calendar import Calendar
    from isocenter.routing.migration.estimate import Limits

Command = Callable[..., Any]
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_END = "URL|AET@HOST:PORT|DIR"

job_option = click.option(
    "--job",
    "folder",
    metavar="FOLDER",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder that keeps how far the migration has come; one for each pair of source and target.",
)


def ends_options(command: Command) -> Command:
    """Add what names source and target; the first command of a job needs them, the others know them."""
    source = click.option(
        "--from", "source", metavar=_END, help="The source: a DICOMweb service, a DIMSE peer, a folder of DICOM files."
    )
    target = click.option(
        "--to", "target", metavar=_END, help="The target: a DICOMweb service, a DIMSE peer, a node's data folder."
    )
    return source(target(command))


def way_options(command: Command) -> Command:
    """Add how the ends are reached and what they are shown; the command gets it as `way`."""

    @wraps(command)
    def wrapped(
        *,
        calling_ae_title: str | None,
        certificate: Path | None,
        key: Path | None,
        authorities: Path | None,
        timeout_s: float | None,
        listen: str | None,
        explicit_vr: bool,
        **others: Any,
    ) -> Any:
        from isocenter.app.dimse_peer import CALLING_AE_TITLE, RESPONSE_TIMEOUT_S
        from isocenter.app.migrating.opening import Way

        way = Way(
            calling_ae_title=calling_ae_title or CALLING_AE_TITLE,
            tls_files=_tls_files(certificate, key, authorities),
            timeout_s=timeout_s or RESPONSE_TIMEOUT_S,
            source=_evidence("from", others),
            target=_evidence("to", others),
            listens_on=None if listen is None else _parse_address(listen),
            explicit_vr=explicit_vr,
        )
        return command(way=way, **others)

    decorated: Command = wrapped
    for end, name in (("to", "target"), ("from", "source")):
        decorated = _evidence_options(decorated, end, name)
    for option in (
        click.option(
            "--explicit-vr",
            is_flag=True,
            help="Send implicit VR and big endian to a service as explicit VR little endian, for those that take "
            "nothing else, as Azure's does. Pixels stay as they are.",
        ),
        click.option(
            "--listen",
            metavar="HOST:PORT",
            help="Have a DIMSE source send to us here by C-MOVE, for one that offers no C-GET; it must know our AE "
            "title with this address.",
        ),
        click.option(
            "--timeout",
            "timeout_s",
            metavar="SECONDS",
            type=click.FloatRange(1, 86_400),
            help="How long to wait for a response of a DIMSE peer (default: 120).",
        ),
        click.option("--ca", "authorities", metavar="FILE", type=_FILE, help="Who certifies the ends (PEM)."),
        click.option("--key", metavar="FILE", type=_FILE, help="The private key of our certificate (PEM)."),
        click.option("--cert", "certificate", metavar="FILE", type=_FILE, help="Our certificate (PEM)."),
        click.option(
            "--as", "calling_ae_title", metavar="AET", help="Our AE title towards DIMSE peers (default: ISOCENTER)."
        ),
    ):
        decorated = option(decorated)
    return decorated


def _evidence_options(command: Command, end: str, name: str) -> Command:
    prefix = f"ISOCENTER_{end.upper()}"
    for option in (
        click.option(
            f"--{end}-authority",
            metavar="URL",
            envvar=f"{prefix}_AUTHORITY",
            help=f"Where the {name} gets its tokens (default: where it says itself).",
        ),
        click.option(
            f"--{end}-client-id",
            metavar="ID",
            envvar=f"{prefix}_CLIENT_ID",
            help=f"The application as which to ask for one; its secret stands in {prefix}_CLIENT_SECRET.",
        ),
        click.option(
            f"--{end}-token", metavar="TOKEN", envvar=f"{prefix}_TOKEN", help=f"A token for the {name}, a service."
        ),
    ):
        command = option(command)
    return command


def _evidence(end: str, options: dict[str, Any]) -> Evidence:
    from isocenter.app.migrating.opening import Evidence

    token, client_id = options.pop(f"{end}_token"), options.pop(f"{end}_client_id")
    authority = options.pop(f"{end}_authority")
    variable = f"ISOCENTER_{end.upper()}_CLIENT_SECRET"
    secret = os.environ.get(variable, "")
    if client_id and not token and not secret:
        raise click.UsageError(f"--{end}-client-id needs its secret, in {variable}.")
    return Evidence(token or None, client_id, secret, authority)


def _tls_files(certificate: Path | None, key: Path | None, authorities: Path | None) -> TlsFiles | None:
    from isocenter.app.dimse_peer import TlsFiles

    if (certificate is None) != (key is None):
        raise click.UsageError("--cert and --key belong together.")
    if certificate is None and authorities is None:
        return None
    return TlsFiles(certificate, key, authorities)


def _parse_address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise click.BadParameter(f"{printable(text)} is not HOST:PORT.", param_hint="'--listen'")
    return host.strip("[]"), int(port)


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast and when work goes on."""

    limits: Limits
    calendar: Calendar


def speed_options(command: Command) -> Command:
    """Add how fast and when it goes; the command gets it as `speed`."""

    @wraps(command)
    def wrapped(*, rate: str | None, instances_per_s: float | None, during: tuple[str, ...], **others: Any) -> Any:
        from isocenter.domain.errors import InvalidRequest
        from isocenter.routing.calendar import parse_window
        from isocenter.routing.migration.estimate import Limits

        try:
            calendar = tuple(parse_window(text) for text in during)
        except InvalidRequest as error:
            raise click.BadParameter(error.message, param_hint="'--during'") from error
        limits = Limits(_parse_rate(rate) if rate else 0.0, instances_per_s or 0.0)
        return command(speed=Speed(limits, calendar), **others)

    decorated: Command = wrapped
    for option in (
        click.option(
            "--during",
            metavar="HOURS",
            multiple=True,
            help='Work only in these hours, for example "mon-fri 19:00-06:00"; outside them it waits. Can be given '
            "again.",
        ),
        click.option(
            "--instances-per-s",
            metavar="NUMBER",
            type=click.FloatRange(0.001, 1_000_000),
            help="Move at most so many instances a second.",
        ),
        click.option("--rate", metavar="SIZE/s", help="Move at most so many bytes a second, for example 20MB/s."),
    ):
        decorated = option(decorated)
    return decorated


def _parse_rate(text: str) -> float:
    from isocenter.domain.measures import parse_size

    size_bytes = parse_size(text.strip().removesuffix("/s"))
    if not size_bytes:
        raise click.BadParameter(f"{printable(text)} is no rate; write it as 20MB/s.", param_hint="'--rate'")
    return float(size_bytes)


def require_job(folder: Path, ends: tuple[str | None, str | None]) -> None:
    """Refuse a job that neither exists nor is begun by this command."""
    from isocenter.app.migrating.job_database import DATABASE

    if not (folder / DATABASE).exists() and not all(ends):
        raise click.UsageError(f"There is no migration in {folder}; begin one with --from and --to.")


wave_option = click.option("--wave", type=click.IntRange(1), metavar="NUMBER", help="Only this wave of the plan.")
workers_option = click.option(
    "--workers",
    "workers_max",
    type=click.IntRange(1, 16),
    default=4,
    show_default=True,
    metavar="NUMBER",
    help="Series at a time at most; it begins with one and takes fewer while the source is slow.",
)
patience_option = click.option(
    "--give-up-after",
    "patience",
    metavar="DURATION",
    default="1h",
    show_default=True,
    help="End the run after so long without success; the next one goes on.",
)
limit_option = click.option(
    "--source-limit",
    "limit",
    type=click.IntRange(2),
    metavar="NUMBER",
    help="How many studies the source answers with at most, if that is known; else it is found out.",
)
later_option = click.option(
    "--instances-later", "lists_later", is_flag=True, help="Count studies only; list what is in each when it moves."
)
key_option = click.option(
    "--sign-with",
    "key_file",
    metavar="FILE",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="An Ed25519 key in PEM form to sign the manifest with (default: one of the job's own).",
)


def plan_options(command: Any) -> Any:
    """Add how to plan; the command gets it as `planned`."""
    for option in (
        click.option(
            "--wave-instances",
            type=click.IntRange(1),
            default=100_000,
            show_default=True,
            metavar="NUMBER",
            help="About how many instances a wave has.",
        ),
        click.option("--only-patients", is_flag=True, help="Move nobody else than the patients of --patients."),
        click.option(
            "--patients",
            "patients_file",
            metavar="CSV",
            type=click.Path(path_type=Path, exists=True, dir_okay=False),
            help="Whose studies come first, by PatientID; a table with that column, or one of a single column.",
        ),
        click.option(
            "--first",
            "order",
            type=click.Choice(["newest", "oldest"]),
            default="newest",
            show_default=True,
            help="Which studies come first.",
        ),
    ):
        command = option(command)
    return command


def verify_options(command: Any) -> Any:
    """Add how to verify."""
    for option in (
        click.option(
            "--defect-rate",
            type=click.FloatRange(0.000_01, 0.5),
            default=0.001,
            show_default=True,
            metavar="SHARE",
            help="Draw a sample large enough to exclude that more than this share differs.",
        ),
        click.option(
            "--confidence",
            type=click.FloatRange(0.5, 0.9999),
            default=0.95,
            show_default=True,
            metavar="SHARE",
            help="With how much certainty.",
        ),
        click.option("--seed", type=int, metavar="NUMBER", help="Of the sample (default: one of the job's own)."),
        click.option(
            "--level",
            type=click.IntRange(1, 4),
            default=3,
            show_default=True,
            help="1 counts, 2 sets of UIDs, 3 digests of a random sample, 4 digests of all.",
        ),
    ):
        command = option(command)
    return command
