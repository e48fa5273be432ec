"""An export into a container of Azure Blob Storage, or of its emulator."""

from __future__ import annotations

import os
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import AzureStore

from isocenter.domain.errors import InvalidRequest, PeerUnreachable
from isocenter.ports.export_sink import ExportDestination

EMULATOR_ACCOUNT = "devstoreaccount1"
EMULATOR_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
EMULATOR_ENDPOINT = f"http://127.0.0.1:10000/{EMULATOR_ACCOUNT}"
PART_BYTES = 8 * 1024**2
"""What is sent at once of a large file; a block may have far more, memory need not."""
REQUEST_TIMEOUT = "60s"
"""For one block: longer on a line that carries less than a megabit."""
RETRIES_MAX = 2
"""The operation itself is tried again from its last step; more here would only hide why it stands."""
_CHECK_PATH = ".isocenter-check"


class AzureBlobSink:
    """Write blobs of one container."""

    def __init__(self, store: AzureStore, base_url: str) -> None:
        self._store = store
        self._base_url = base_url

    def check(self) -> None:
        """Write a blob and remove it again."""
        self._put(_CHECK_PATH, iter((b"",)))
        with _errors():
            obstore.delete(self._store, _CHECK_PATH)

    def put(self, path: str, chunks: Iterator[bytes]) -> None:
        """Write a blob, whole or not at all."""
        self._put(path, chunks)

    def _put(self, path: str, chunks: Iterator[bytes]) -> None:
        with _errors():
            obstore.put(self._store, path, chunks, chunk_size=PART_BYTES, max_concurrency=1)

    def href(self, path: str) -> str:
        """Return the address of a blob."""
        return f"{self._base_url}/{path}"


class _errors:  # noqa: N801 - reads as a statement
    """Turn the store's errors into the tree's."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, FileNotFoundError | PermissionDeniedError | UnauthenticatedError):
            raise InvalidRequest("The container of the export is not there, or it denies access.") from None
        if isinstance(error, BaseError | OSError):
            raise PeerUnreachable("The object store of the export does not answer as it should.") from None


def open_azure_blob(destination: ExportDestination) -> AzureBlobSink:
    """Return the sink of a container named by URL or by connection string. Raises InvalidRequest."""
    if destination.container_url:
        return _open_url(destination.container_url)
    return _open_connection_string(destination.connection_string, destination.container_name)


def _open_url(url: str) -> AzureBlobSink:
    parts = urlsplit(url)
    segments = [segment for segment in parts.path.split("/") if segment]
    is_by_path = not (parts.hostname or "").endswith(".blob.core.windows.net")
    if parts.scheme not in ("http", "https") or len(segments) != (2 if is_by_path else 1):
        raise InvalidRequest("The blobContainerUri is not the address of a container.")
    account = segments[0] if is_by_path else (parts.hostname or "").split(".", 1)[0]
    endpoint = f"{parts.scheme}://{parts.netloc}" + (f"/{account}" if is_by_path else "")
    signature = {name: values[0] for name, values in parse_qs(parts.query).items()}
    return _open(account, segments[-1], endpoint, signature=signature)


def _open_connection_string(text: str, container_name: str) -> AzureBlobSink:
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
    return _open(account, container_name, endpoint, key=fields.get("accountkey"), signature=signature)


def parse_connection_string(text: str) -> dict[str, str]:
    """Return the fields of a connection string, by names in lower case."""
    pairs = (field.partition("=") for field in text.split(";") if field.strip())
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _open(
    account: str, container: str, endpoint: str, *, key: str | None = None, signature: dict[str, str] | None = None
) -> AzureBlobSink:
    if not account or not container:
        raise InvalidRequest("The destination does not name a storage account and a container.")
    options: dict[str, object] = {"account_name": account, "container_name": container, "endpoint": endpoint}
    if key:
        options["account_key"] = key
    elif signature:
        options["sas_key"] = "&".join(f"{name}={value}" for name, value in signature.items())
    elif os.environ.get("AZURE_STORAGE_TOKEN"):
        options["token"] = os.environ["AZURE_STORAGE_TOKEN"]
    client = {"allow_http": endpoint.startswith("http://"), "timeout": REQUEST_TIMEOUT}
    store = AzureStore(config=options, client_options=client, retry_config={"max_retries": RETRIES_MAX})  # type: ignore[arg-type]
    return AzureBlobSink(store, f"{endpoint}/{container}")
