"""The archive that a command talks to, by whatever form of address a person gives."""

from __future__ import annotations

from urllib.parse import urlsplit

from isocenter.dicomweb.client.client import DicomwebClient
from isocenter.domain.errors import InvalidRequest, NotFound
from isocenter.domain.identifiers import Level

ROOTS = ("/dicom-web", "/v2", "")
"""Where a service may have its root when an address names only a host, the likeliest first."""


def open_peer(url: str) -> DicomwebClient:
    """Return a client of the DICOMweb service at an address: a node's, or a service's root.

    Raises PeerUnreachable where nothing answers, InvalidRequest where no DICOMweb service does.
    """
    bare = url.rstrip("/")
    has_path = urlsplit(bare).path.strip("/") != ""
    failure: InvalidRequest | NotFound | None = None
    for root in ("",) if has_path else ROOTS:
        client = DicomwebClient(bare + root)
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
        f"There is no DICOMweb service at {url}; give the root of one, for example http://host:8080/dicom-web."
    ) from failure
