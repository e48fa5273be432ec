"""A DICOMweb service as the configuration names it: from a target to a client, with its TLS and its evidence."""

from __future__ import annotations

import ssl

import httpx

from isocenter.app.secrets_by_name import ReadSecret
from isocenter.dicomweb.client.client import TIMEOUT_S, DicomwebClient
from isocenter.dicomweb.client.credentials import ClientCredentials, ClientSecret, HeaderKey
from isocenter.domain.errors import InvalidSetting
from isocenter.routing.configuration.destination import (
    BasicAuthentication,
    KeyAuthentication,
    NoAuthentication,
    OAuthAuthentication,
    WebTarget,
)


def open_web_client(target: WebTarget, read_secret: ReadSecret, *, timeout_s: float = TIMEOUT_S) -> DicomwebClient:
    """Return a client of a service, which keeps its connections and its token; the caller closes it.

    Nothing is sent yet. Raises InvalidSetting where a secret, a key or a certificate cannot be read, InvalidRequest
    where an address cannot be used.
    """
    tls = tls_of(target, read_secret)
    auth = authentication_of(target, read_secret, tls=tls)
    return DicomwebClient(target.url, auth=auth, tls=tls, timeout_s=timeout_s)


def tls_of(target: WebTarget, read_secret: ReadSecret) -> ssl.SSLContext | None:
    """Return how TLS is spoken with a service, None for the defaults of the machine; raises InvalidSetting."""
    if not target.authority_file and not target.client_certificate_file:
        return None
    context = _trusting(target.authority_file)
    if target.client_certificate_file:
        password = read_secret(target.client_key_password) if target.client_key_password else ""
        try:
            context.load_cert_chain(target.client_certificate_file, target.client_key_file, lambda: password)
        except (OSError, ssl.SSLError) as error:
            raise InvalidSetting(
                f"{target.client_certificate_file} and {target.client_key_file} are no certificate and key in PEM form "
                "that belong together, or the password of the key is another."
            ) from error
    return context


def _trusting(authority_file: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=authority_file or None)
    except (OSError, ssl.SSLError) as error:
        raise InvalidSetting(f"{authority_file} holds no certificates in PEM form that can be read.") from error


def authentication_of(
    target: WebTarget, read_secret: ReadSecret, *, tls: ssl.SSLContext | None = None
) -> httpx.Auth | None:
    """Return what shows a service who calls, None where it is not asked; raises InvalidSetting."""
    match target.authentication:
        case NoAuthentication():
            return None
        case BasicAuthentication(user, password):
            return httpx.BasicAuth(user, read_secret(password))
        case KeyAuthentication(header, key):
            return HeaderKey(header, read_secret(key))
        case OAuthAuthentication(token_url, client_id, client_secret, scope, resource):
            client = ClientSecret(
                client_id, read_secret(client_secret), token_url=token_url, scope=scope, resource=resource
            )
            return ClientCredentials(client, tls=tls)
