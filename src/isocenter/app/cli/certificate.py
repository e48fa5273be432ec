"""`isocenter certificate`: the node's own certificate authority."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from isocenter.app.cli.command import CommandWithExamples, GroupWithExamples
from isocenter.app.cli.options import json_option, node_options, settings_of
from isocenter.app.cli.output import print_json


@click.group(cls=GroupWithExamples, examples=("isocenter certificate export > isocenter-ca.pem",))
def command() -> None:
    """Show or export the certificate that clients must trust to call this node over https."""


@command.command(
    cls=CommandWithExamples,
    examples=("isocenter certificate export > isocenter-ca.pem", "isocenter certificate export -o isocenter-ca.pem"),
)
@node_options
@click.option("-o", "--output", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False), help="Where to.")
def export(data_dir: str | None, config_file: Path | None, assignments: tuple[str, ...], output: Path | None) -> None:
    """Write the certificate of the node's authority in PEM form; it is made where there is none yet.

    It is no secret. A client trusts it by its own setting: REQUESTS_CA_BUNDLE or SSL_CERT_FILE for Python, --cacert for
    curl, NODE_EXTRA_CA_CERTS for Node.js, the certificate store of the machine for .NET and browsers.
    """
    from isocenter.app.http_tls import certificate_of_authority

    settings = settings_of(data_dir=data_dir, config_file=config_file, assignments=assignments)
    path, _ = certificate_of_authority(settings)
    content = path.read_text(encoding="ascii")
    if output is None:
        sys.stdout.write(content)
    else:
        output.write_text(content, encoding="ascii")
        click.echo(f"Wrote {output}.", err=True)


@command.command(cls=CommandWithExamples, examples=("isocenter certificate show",))
@node_options
@json_option
def show(data_dir: str | None, config_file: Path | None, assignments: tuple[str, ...], as_json: bool) -> None:
    """Show where the certificates are, until when they are valid, and for which names."""
    from isocenter.app.http_tls import certificate_of_authority, local_authority
    from isocenter.identity.local_authority import fingerprint, names_of, read_certificate

    settings = settings_of(data_dir=data_dir, config_file=config_file, assignments=assignments)
    path, authority = certificate_of_authority(settings)
    server = settings.http.tls_certificate or local_authority(settings).server_certificate
    document: dict[str, object] = {
        "authority": str(path),
        "authority_sha256": fingerprint(authority),
        "authority_valid_until": authority.not_valid_after_utc.date().isoformat(),
    }
    if server.exists():
        shown = read_certificate(server)
        document |= {
            "server": str(server),
            "server_valid_until": shown.not_valid_after_utc.date().isoformat(),
            "server_names": names_of(shown),
        }
    if as_json:
        print_json(document)
        return
    for key, value in document.items():
        click.echo(f"{key.replace('_', ' '):<22} {', '.join(value) if isinstance(value, list) else value}")
