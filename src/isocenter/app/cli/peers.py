"""Options that say which archive or application entity a command talks to, and how."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from isocenter.app.cli.output import printable
from isocenter.app.cli.peer_user import USER_OPTIONS, peer_user, user_options
from isocenter.app.web_archive import WebArchive
from isocenter.identity.host_names import is_loopback

if TYPE_CHECKING:
    from isocenter.app.dimse_peer import DimsePeer, TlsFiles

Archive: TypeAlias = "WebArchive | DimsePeer"
"""The address of a DICOMweb service, or a DIMSE peer."""
Command = Callable[..., Any]

DEFAULT_URL = "http://127.0.0.1:8080"
PEER_METAVAR = "AET@HOST:PORT"
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_CA_HELP = "Who certifies the archive or peer (PEM); for a service ISOCENTER_CA as well."
_SHOWN = ("token", "client_id", "client_secret_file", "authority")
"""The options that say what a service is shown."""


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


def service_options(flag: str) -> Callable[[Command], Command]:
    """Add what names a DICOMweb service, and what it is shown; the command gets it as `archive`."""
    address = click.option(
        flag,
        "address",
        metavar="URL",
        envvar="ISOCENTER_URL",
        default=DEFAULT_URL,
        show_default=True,
        help="The archive: a node's address, or the root of any DICOMweb service. ISOCENTER_URL sets another default.",
    )
    authorities = click.option("--ca", "authorities", metavar="FILE", type=_FILE, help=_CA_HELP)

    def decorate(command: Command) -> Command:
        @wraps(command)
        def wrapped(*, address: str, authorities: Path | None, **others: Any) -> Any:
            if not is_url(address):
                message = f"{printable(address)} is no address; it begins with http:// or https://."
                raise click.BadParameter(message, param_hint=f"'{flag}'")
            shown = {name: others.pop(name) for name in _SHOWN}
            return command(archive=service_of(address, authorities, **shown), **others)

        return address(authorities(credential_options(wrapped)))

    return decorate


def is_url(address: str) -> bool:
    """Tell whether an address is that of a DICOMweb service."""
    return address.startswith(("http://", "https://"))


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
            shown = {option: others.pop(option) for option in _SHOWN} if allows_url else {}
            user = {option: others.pop(option) for option in USER_OPTIONS}
            if allows_url and is_url(address):
                for_peers = (calling_ae_title, certificate, key, timeout_s, *user.values())
                if uses_tls or any(value is not None for value in for_peers):
                    raise click.UsageError(
                        f"--as, --tls, --cert, --key, --timeout, --user, --password-file and --user-token are for a "
                        f"peer {PEER_METAVAR}, not for a URL."
                    )
                return command(**{name: service_of(address, authorities, **shown)}, **others)
            peer = _peer(address, hint, allows_url=allows_url, calling_ae_title=calling_ae_title, timeout_s=timeout_s)
            wants_tls = uses_tls or peer.remote.uses_tls
            if wants_tls or any(path is not None for path in (certificate, key, authorities)):
                peer = peer.with_tls(_tls_files(certificate, key, authorities))
            peer = _with_user(peer, **user)
            return command(**{name: peer}, **others)

        with_options = _dimse_options(user_options(credential_options(wrapped) if allows_url else wrapped))
        return address_parameter(with_options)

    return decorate


def credential_options(command: Command) -> Command:
    """Add the options that say what a service is shown."""
    for option in (
        click.option(
            "--authority",
            metavar="URL",
            envvar="ISOCENTER_AUTHORITY",
            help="Where it gets its tokens (default: where the service says, if that is the service itself).",
        ),
        click.option(
            "--client-secret-file", metavar="FILE", help="Its secret, in a file; or in ISOCENTER_CLIENT_SECRET."
        ),
        click.option(
            "--client-id", metavar="ID", envvar="ISOCENTER_CLIENT_ID", help="The application as which to ask for one."
        ),
        click.option(
            "--token", metavar="TOKEN", envvar="ISOCENTER_TOKEN", help="A token for a service that wants one."
        ),
    ):
        command = option(command)
    return command


def service_of(
    url: str,
    authorities: Path | None,
    *,
    token: str | None,
    client_id: str | None,
    client_secret_file: str | None,
    authority: str | None,
) -> WebArchive:
    """Return a service with what it is shown; a secret comes from a file or the environment."""
    from isocenter.app.cli.directory import read_secret

    in_environment = os.environ.get("ISOCENTER_CA")
    if authorities is None and in_environment:
        authorities = Path(in_environment)
    if token or client_id is None:
        return WebArchive(url, token=token or None, authorities=authorities)
    secret = os.environ.get("ISOCENTER_CLIENT_SECRET", "")
    if client_secret_file is not None:
        secret = read_secret(client_secret_file)
    if not secret:
        raise click.UsageError("--client-id needs its secret, by --client-secret-file or ISOCENTER_CLIENT_SECRET.")
    return WebArchive(url, client_id=client_id, client_secret=secret, authority=authority, authorities=authorities)


def service_from_environment(url: str) -> WebArchive:
    """Return a service that is shown what the environment holds for it, for commands that have no options for that."""
    client_id, authority = os.environ.get("ISOCENTER_CLIENT_ID"), os.environ.get("ISOCENTER_AUTHORITY")
    token = os.environ.get("ISOCENTER_TOKEN")
    return service_of(url, None, token=token, client_id=client_id, client_secret_file=None, authority=authority)


def _dimse_options(command: Command) -> Command:
    path = _FILE
    for option in (
        click.option(
            "--timeout",
            "timeout_s",
            metavar="SECONDS",
            type=click.FloatRange(1, 86_400),
            help="How long to wait for a response of a DIMSE peer (default: 120).",
        ),
        click.option("--ca", "authorities", metavar="FILE", type=path, help=_CA_HELP),
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


def peer_beside(address: str, peer: DimsePeer, hint: str) -> DimsePeer:
    """Return another peer that is called as a first one is, but not as its user, whose password is not for others."""
    from isocenter.app.dimse_peer import TlsFiles
    from isocenter.domain.application_entity import parse_remote_ae
    from isocenter.domain.errors import InvalidRequest

    try:
        remote = parse_remote_ae(address)
        if remote.address is None:
            raise InvalidRequest(f"{address} has no port.")
    except InvalidRequest as error:
        raise click.BadParameter(printable(error.message), param_hint=f"'{hint}'") from error
    beside = replace(peer, remote=remote, user=None)
    return beside.with_tls(peer.tls_files or TlsFiles()) if remote.uses_tls else beside


def _with_user(peer: DimsePeer, **options: str | None) -> DimsePeer:
    user = peer_user(**options)
    if user is None:
        return peer
    is_secret = user.identity_type != 1
    if is_secret and not peer.remote.uses_tls and not is_loopback(peer.remote.host):
        click.echo("Without --tls whoever listens on the way can read the password or token of the user.", err=True)
    return replace(peer, user=user)


def _tls_files(certificate: Path | None, key: Path | None, authorities: Path | None) -> TlsFiles:
    from isocenter.app.dimse_peer import TlsFiles

    if (certificate is None) != (key is None):
        raise click.UsageError("--cert and --key belong together.")
    return TlsFiles(certificate, key, authorities)
