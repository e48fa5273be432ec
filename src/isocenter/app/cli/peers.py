"""Options that say which archive or application entity a command talks to, and how."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from isocenter.app.cli.output import printable

if TYPE_CHECKING:
    from isocenter.app.dimse_peer import DimsePeer, TlsFiles

Archive: TypeAlias = "str | DimsePeer"
"""The address of a DICOMweb service, or a DIMSE peer."""
Command = Callable[..., Any]

DEFAULT_URL = "http://127.0.0.1:8080"
PEER_METAVAR = "AET@HOST:PORT"


def archive_options(flag: str) -> Callable[[Command], Command]:
    """Add what names an archive by URL or as AET@HOST:PORT; the command gets it as `archive`."""
    address = click.option(
        flag,
        "address",
        metavar=f"URL|{PEER_METAVAR}",
        envvar="ISOCENTER_URL",
        default=DEFAULT_URL,
        show_default=True,
        help="The archive: a node's address, the root of any DICOMweb service, or a DIMSE peer by AE title, host and "
        "port. ISOCENTER_URL sets another default.",
    )
    return _with_peer(address, flag, "archive", allows_url=True)


def peer_option(flag: str) -> Callable[[Command], Command]:
    """Add what names a DIMSE peer; the command gets it as `peer`."""
    address = click.option(
        flag, "address", metavar=PEER_METAVAR, required=True, help="The peer by AE title, host and port."
    )
    return _with_peer(address, flag, "peer", allows_url=False)


def peer_argument(command: Command) -> Command:
    """Add the argument that names a DIMSE peer; the command gets it as `peer`."""
    address = click.argument("address", metavar=PEER_METAVAR)
    return _with_peer(address, PEER_METAVAR, "peer", allows_url=False)(command)


def _with_peer(
    address_parameter: Callable[[Command], Command], hint: str, name: str, *, allows_url: bool
) -> Callable[[Command], Command]:
    def decorate(command: Command) -> Command:
        @wraps(command)
        def wrapped(
            *,
            address: str,
            calling_ae_title: str | None,
            uses_tls: bool,
            certificate: Path | None,
            key: Path | None,
            authorities: Path | None,
            timeout_s: float | None,
            **others: Any,
        ) -> Any:
            given = (calling_ae_title, certificate, key, authorities, timeout_s)
            if allows_url and address.startswith(("http://", "https://")):
                if uses_tls or any(value is not None for value in given):
                    raise click.UsageError(
                        f"--as, --tls, --cert, --key, --ca and --timeout are for a peer {PEER_METAVAR}, not for a URL."
                    )
                return command(**{name: address}, **others)
            peer = _peer(address, hint, allows_url=allows_url, calling_ae_title=calling_ae_title, timeout_s=timeout_s)
            if uses_tls or any(path is not None for path in (certificate, key, authorities)):
                peer = peer.with_tls(_tls_files(certificate, key, authorities))
            return command(**{name: peer}, **others)

        return address_parameter(_dimse_options(wrapped))

    return decorate


def _dimse_options(command: Command) -> Command:
    path = click.Path(path_type=Path, exists=True, dir_okay=False)
    for option in (
        click.option(
            "--timeout",
            "timeout_s",
            metavar="SECONDS",
            type=click.FloatRange(1, 86_400),
            help="How long to wait for a response of a DIMSE peer (default: 120).",
        ),
        click.option("--ca", "authorities", metavar="FILE", type=path, help="Who certifies the peer (PEM)."),
        click.option("--key", metavar="FILE", type=path, help="The private key of that certificate (PEM)."),
        click.option("--cert", "certificate", metavar="FILE", type=path, help="Our certificate (PEM)."),
        click.option("--tls", "uses_tls", is_flag=True, help="Call a DIMSE peer over TLS."),
        click.option(
            "--as",
            "calling_ae_title",
            metavar="AET",
            help="Our AE title towards a DIMSE peer (default: ISOCENTER).",
        ),
    ):
        command = option(command)
    return command


def _peer(
    address: str, hint: str, *, allows_url: bool, calling_ae_title: str | None, timeout_s: float | None
) -> DimsePeer:
    from isocenter.app.dimse_peer import CALLING_AE_TITLE, RESPONSE_TIMEOUT_S, DimsePeer
    from isocenter.domain.application_entity import parse_ae_title, parse_remote_ae
    from isocenter.domain.errors import InvalidRequest

    if "@" not in address:
        url = "begins with http:// or https://, or " if allows_url else ""
        message = f"{printable(address)} is no address; it {url}is {PEER_METAVAR}, for example PACS@10.1.2.3:104."
        raise click.BadParameter(message, param_hint=f"'{hint}'")
    try:
        remote = parse_remote_ae(address)
        if remote.address is None:
            raise InvalidRequest(f"{address} has no port; a peer is written {PEER_METAVAR}.")
        title = CALLING_AE_TITLE if calling_ae_title is None else parse_ae_title(calling_ae_title)
    except InvalidRequest as error:
        raise click.BadParameter(printable(error.message), param_hint=f"'{hint}'") from error
    return DimsePeer(remote, title, timeout_s=RESPONSE_TIMEOUT_S if timeout_s is None else timeout_s)


def _tls_files(certificate: Path | None, key: Path | None, authorities: Path | None) -> TlsFiles:
    from isocenter.app.dimse_peer import TlsFiles

    if (certificate is None) != (key is None):
        raise click.UsageError("--cert and --key belong together.")
    return TlsFiles(certificate, key, authorities)
