"""The archive that a command talks to, by whatever form of address a person gives."""

from __future__ import annotations

import ssl
from pathlib import Path
from urllib.parse import urlsplit

from isocenter.app.web_archive import WebArchive
from isocenter.dicomweb.client.client import DicomwebClient
from isocenter.dicomweb.client.credentials import ClientCredentials, ClientSecret
from isocenter.domain.errors import InvalidRequest, InvalidSetting, NotFound
from isocenter.domain.identifiers import Level

ROOTS = ("/dicom-web", "/v2", "")
"""Where a service may have its root when an address names only a host, the likeliest first."""


def open_peer(archive: WebArchive | str) -> DicomwebClient:
    """Return a client of the DICOMweb service at an address: a node's, or a service's root.

    Raises PeerUnreachable where nothing answers, InvalidRequest where no DICOMweb service does, Unauthenticated and
    Forbidden where it does not take what it is shown.
    """
    if isinstance(archive, str):
        archive = WebArchive(archive)
    bare = archive.url.rstrip("/")
    has_path = urlsplit(bare).path.strip("/") != ""
    tls = None if archive.authorities is None else trusting(archive.authorities)
    auth = None
    if archive.client_id is not None:
        auth = ClientCredentials(ClientSecret(archive.client_id, archive.client_secret, archive.authority), tls=tls)
    failure: InvalidRequest | NotFound | None = None
    for root in ("",) if has_path else ROOTS:
        client = DicomwebClient(bare + root, token=archive.token, auth=auth, tls=tls)
        try:
            client.search(Level.STUDY, [("limit", "1")])
        except (InvalidRequest, NotFound) as error:
            client.close()
            failure = failure or error
        except BaseException:
            client.close()
            raise
        else:
            return client
    raise InvalidRequest(
        f"There is no DICOMweb service at {archive.url}; give the root of one, for example http://host:8080/dicom-web."
    ) from failure


def trusting(authorities: Path) -> ssl.SSLContext:
    """Return a context that trusts the system's authorities and those of a file; raises InvalidSetting."""
    context = ssl.create_default_context()
    try:
        context.load_verify_locations(authorities)
    except (OSError, ssl.SSLError) as error:
        raise InvalidSetting(f"{authorities} holds no certificates in PEM form that can be read.") from error
    return context
