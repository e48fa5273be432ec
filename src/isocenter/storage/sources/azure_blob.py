"""Blobs to import from a container of Azure Blob Storage, or of its emulator (dicom-service 11.3).

A blob is there whole or not at all, so that it needs no time to settle. It is removed on the condition that it is still
the one that was read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import PurePosixPath
from urllib.parse import quote

import obstore
from obstore.exceptions import BaseError, NotFoundError

from isocenter.domain.errors import InvalidRequest, NotFound, PeerUnreachable
from isocenter.ports.import_source import ImportFile
from isocenter.storage.azure_container import AzureContainer, container_errors, remove_blob

SUFFIX = ".dcm"
MESSAGE_SUFFIX = ".error.json"
LIST_SIZE = 1000
CHUNK_BYTES = 1024**2
PART_BYTES = 8 * 1024**2
_OURS = "of bulk import"
_CHECK_PATH = ".isocenter-check"


class AzureBlobSource:
    """Take blobs from one container and move refused ones to another."""

    name = "container"

    def __init__(self, container: AzureContainer, errors: AzureContainer) -> None:
        self._container = container
        self._errors = errors

    def check(self) -> None:
        """Look into the one container, and write a blob to the other and remove it again."""
        with container_errors(_OURS):
            next(iter(obstore.list(self._container.store, chunk_size=1)), None)
            obstore.put(self._errors.store, _CHECK_PATH, b"")
        remove_blob(self._errors, _CHECK_PATH, _OURS)

    def iter_waiting(self) -> Iterator[ImportFile]:
        """Yield the blobs that are there."""
        with container_errors(_OURS):
            for page in obstore.list(self._container.store, chunk_size=LIST_SIZE):
                for blob in page:
                    if blob["path"].lower().endswith(SUFFIX):
                        yield ImportFile(blob["path"], blob["size"], _quoted(blob["e_tag"] or ""))

    def iter_chunks(self, file: ImportFile) -> Iterator[bytes]:
        """Yield the content of a blob, as long as it is the one that was seen."""
        try:
            with container_errors(_OURS):
                found = obstore.get(self._container.store, file.path, options={"if_match": file.version})
                for chunk in found.stream(min_chunk_size=CHUNK_BYTES):
                    yield bytes(chunk)
        except InvalidRequest as error:  # the container was listed, so that it is the blob which is gone
            raise NotFound("The blob is not there any more.") from error

    def remove(self, file: ImportFile) -> None:
        """Remove a blob, unless another has come in its place."""
        remove_blob(self._container, file.path, _OURS, entity_tag=file.version)

    def put_aside(self, file: ImportFile, message: bytes) -> None:
        """Move a blob to the container of refused ones, the message first: a blob there always has its message."""
        target = self._target(file)
        try:
            with container_errors(_OURS):
                obstore.put(self._errors.store, target + MESSAGE_SUFFIX, message)
                self._copy(file, target)
        except NotFound:
            return
        except InvalidRequest as error:
            raise PeerUnreachable(error.message) from error
        self.remove(file)

    def _copy(self, file: ImportFile, target: str) -> None:
        """Copy a blob through this node; the copy appears when it is closed, whole, and never where that fails."""
        copy = obstore.open_writer(self._errors.store, target, buffer_size=PART_BYTES, max_concurrency=1)
        for chunk in self.iter_chunks(file):
            copy.write(chunk)
        copy.close()

    def _target(self, file: ImportFile) -> str:
        """Return where a refused blob goes: under its own name, unless another one is there already."""
        try:
            obstore.head(self._errors.store, file.path)
        except (FileNotFoundError, NotFoundError):
            return file.path
        except (BaseError, OSError):
            raise PeerUnreachable("The object store of bulk import does not answer as it should.") from None
        digest = hashlib.sha256(file.version.encode()).hexdigest()[:8]
        path = PurePosixPath(file.path)
        return str(path.with_name(f"{path.stem}~{digest}{path.suffix}"))

    def href(self, file: ImportFile) -> str:
        """Return the address of a blob."""
        return f"{self._container.url}/{quote(file.path)}"


def _quoted(entity_tag: str) -> str:
    """Return an entity tag as headers have it; listings leave the quotes out."""
    bare = entity_tag.strip('"')
    return f'"{bare}"'
