"""A container of Azure Blob Storage, or of its emulator: opened by its address or by a connection string."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import httpx
import obstore
from obstore.exceptions import BaseError, NotFoundError, PermissionDeniedError, PreconditionError, UnauthenticatedError
from obstore.store import AzureStore

from isocenter.domain.errors import InvalidRequest, NotFound, PeerUnreachable

EMULATOR_ACCOUNT = "devstoreaccount1"
EMULATOR_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
EMULATOR_ENDPOINT = f"http://127.0.0.1:10000/{EMULATOR_ACCOUNT}"
REQUEST_TIMEOUT = "60s"
"""For one block: longer on a line that carries less than a megabit."""
RETRIES_MAX = 2
"""Whoever uses it tries again by itself; more here would only hide why it stands."""


REMOVAL_TIMEOUT_S = 30.0
SIGNED_FOR = timedelta(minutes=5)
API_VERSION = "2021-12-02"
_REMOVED = frozenset({httpx.codes.ACCEPTED, httpx.codes.NOT_FOUND, httpx.codes.PRECONDITION_FAILED})
_DENIALS = frozenset({httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN})
_DENIED = re.compile(r"status code: 40[134]\b")
"""What the library says of a listing that is refused; it has classes of errors for single blobs only."""


@dataclass(frozen=True, slots=True)
class AzureContainer:
    """An opened container, and what it takes to ask it for what its library does not offer."""

    store: AzureStore = field(repr=False)
    url: str
    """Its address, without any secret."""
    account_key: str = field(default="", repr=False)
    signature: str = field(default="", repr=False)
    """A shared access signature, as the query of an address."""
    token: str = field(default="", repr=False)


@contextmanager
def container_errors(what: str) -> Iterator[None]:
    """Turn the store's errors into the tree's, in words about `what` ("of the export")."""
    try:
        yield
    except (FileNotFoundError, NotFoundError, PermissionDeniedError, UnauthenticatedError):
        raise InvalidRequest(f"The container {what} is not there, or it denies access.") from None
    except PreconditionError:
        raise NotFound("Another blob came in its place.") from None
    except (BaseError, OSError) as error:
        if _DENIED.search(str(error)):
            raise InvalidRequest(f"The container {what} is not there, or it denies access.") from None
        raise PeerUnreachable(f"The object store {what} does not answer as it should.") from None


def open_container_url(url: str) -> AzureContainer:
    """Return a container by its address, which may hold a shared access signature. Raises InvalidRequest."""
    parts = urlsplit(url)
    segments = [segment for segment in parts.path.split("/") if segment]
    is_by_path = not (parts.hostname or "").endswith(".blob.core.windows.net")
    if parts.scheme not in ("http", "https") or len(segments) != (2 if is_by_path else 1):
        raise InvalidRequest("The blobContainerUri is not the address of a container.")
    account = segments[0] if is_by_path else (parts.hostname or "").split(".", 1)[0]
    endpoint = f"{parts.scheme}://{parts.netloc}" + (f"/{account}" if is_by_path else "")
    signature = {name: values[0] for name, values in parse_qs(parts.query).items()}
    return _open(account, segments[-1], endpoint, signature=signature)


def open_connection_string(text: str, container_name: str) -> AzureContainer:
    """Return a container of the account that a connection string names. Raises InvalidRequest."""
    fields = parse_connection_string(text)
    if fields.get("usedevelopmentstorage", "").lower() == "true":
        return _open(EMULATOR_ACCOUNT, container_name, EMULATOR_ENDPOINT, key=EMULATOR_KEY)
    account = fields.get("accountname", "")
    suffix = fields.get("endpointsuffix", "core.windows.net")
    scheme = fields.get("defaultendpointsprotocol", "https")
    endpoint = fields.get("blobendpoint", f"{scheme}://{account}.blob.{suffix}").rstrip("/")
    account = account or (urlsplit(endpoint).hostname or "").split(".", 1)[0]
    query = fields.get("sharedaccesssignature", "").lstrip("?")
    signature = {name: values[0] for name, values in parse_qs(query).items()}
    return _open(account, container_name, endpoint, key=fields.get("accountkey", ""), signature=signature)


def parse_connection_string(text: str) -> dict[str, str]:
    """Return the fields of a connection string, by names in lower case."""
    pairs = (field.partition("=") for field in text.split(";") if field.strip())
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _open(
    account: str, container: str, endpoint: str, *, key: str = "", signature: Mapping[str, str] | None = None
) -> AzureContainer:
    if not account or not container:
        raise InvalidRequest("The destination does not name a storage account and a container.")
    options: dict[str, object] = {"account_name": account, "container_name": container, "endpoint": endpoint}
    query = token = ""
    if key:
        options["account_key"] = key
    elif signature:
        query = urlencode(signature)
        options["sas_key"] = "&".join(f"{name}={value}" for name, value in signature.items())
    elif token := os.environ.get("AZURE_STORAGE_TOKEN", ""):
        options["token"] = token
    client = {"allow_http": endpoint.startswith("http://"), "timeout": REQUEST_TIMEOUT}
    store = AzureStore(config=options, client_options=client, retry_config={"max_retries": RETRIES_MAX})  # type: ignore[arg-type]
    return AzureContainer(store, f"{endpoint}/{container}", key, query, token)


def remove_blob(container: AzureContainer, path: str, what: str, *, entity_tag: str | None = None) -> None:
    """Remove a blob; with an entity tag, unless another has come in its place. Harmless where it is gone.

    The library knows no such condition, and removes by batches, which a signature need not allow. Raises InvalidRequest
    where that is denied, PeerUnreachable.
    """
    address, headers = _address_of_removal(container, path, what)
    headers |= {"If-Match": entity_tag or "*", "x-ms-version": API_VERSION}
    try:
        answer = httpx.delete(address, headers=headers, timeout=REMOVAL_TIMEOUT_S, follow_redirects=False)
    except (httpx.HTTPError, httpx.InvalidURL):  # their words may hold the signed address
        raise PeerUnreachable(f"The object store {what} does not answer as it should.") from None
    if answer.status_code in _DENIALS:
        raise InvalidRequest(f"The container {what} is not there, or it denies access.")
    if answer.status_code not in _REMOVED:
        raise PeerUnreachable(f"The object store {what} answered {answer.status_code} to a removal.")


def _address_of_removal(container: AzureContainer, path: str, what: str) -> tuple[str, dict[str, str]]:
    """Return an address and the headers with which a blob may be removed."""
    if container.account_key:
        with container_errors(what):
            return obstore.sign(container.store, "DELETE", path, SIGNED_FOR), {}
    address = f"{container.url}/{quote(path)}"
    if container.signature:
        return f"{address}?{container.signature}", {}
    return address, {"Authorization": f"Bearer {container.token}"} if container.token else {}
