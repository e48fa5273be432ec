"""The manifest of a migration: a line for what was done, one for each instance, one with the signature.

    {"manifest": 1, "job": …, "source": …, "target": …, "counts": …, "verification": …}
    {"study": …, "series": …, "instance": …, "state": …, "sha256": …}
    …
    {"lines": …, "sha256": …, "algorithm": "Ed25519", "public_key": …, "signature": …}

Each line is JSON. The last one signs the digest of all bytes before it, so that a manifest of any length is written and
checked in one pass. A signature shows who has the key; the key that stands in the manifest itself shows only that
nothing was changed since, until its fingerprint is compared with one that came by another way.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from isocenter.domain.errors import InvalidRequest

VERSION = 1
ALGORITHM = "Ed25519"
LINE_LENGTH_MAX = 1024 * 1024
"""Of a line that is read: the first may name a few thousand anomalies."""
_CONTEXT = b"isocenter migration manifest 1\0"
"""Signed with the digest, so that a signature of something else can never stand for one of a manifest."""


@dataclass(frozen=True, slots=True)
class CheckedManifest:
    """A manifest whose signature holds."""

    head: Mapping[str, Any]
    instances: int
    fingerprint: str
    """Of the key that signed it."""


def write_lines(
    head: Mapping[str, Any], instances: Iterable[Mapping[str, Any]], key: Ed25519PrivateKey
) -> Iterator[bytes]:
    """Yield the lines of a manifest, signed."""
    digest, count = hashlib.sha256(), 0
    for document in _documents(head, instances):
        line = _encode(document)
        digest.update(line)
        count += 1
        yield line
    public = key.public_key()
    yield _encode(
        {
            "lines": count,
            "sha256": digest.hexdigest(),
            "algorithm": ALGORITHM,
            "public_key": base64.b64encode(public.public_bytes_raw()).decode(),
            "signature": base64.b64encode(key.sign(_CONTEXT + digest.digest())).decode(),
        }
    )


def _documents(head: Mapping[str, Any], instances: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    yield {"manifest": VERSION, **head}
    yield from instances


def _encode(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def check_lines(lines: Iterable[bytes], *, public_key: Ed25519PublicKey | None = None) -> CheckedManifest:
    """Return what a manifest says after verifying its signature, with the key that it must be of where one is given.

    Raises InvalidRequest where it is no manifest, was changed or cut off, or another key signed it.
    """
    digest, count = hashlib.sha256(), 0
    head: Mapping[str, Any] = {}
    before: bytes | None = None
    for line in lines:
        if len(line) > LINE_LENGTH_MAX:
            raise InvalidRequest("This is no manifest: a line of it is longer than any that is written.")
        if before is not None:
            head = _read(before) if count == 0 else head
            digest.update(before)
            count += 1
        before = line
    if before is None or head.get("manifest") != VERSION:
        raise InvalidRequest("This is no manifest of a migration, or one of a later version.")
    return _verified(head, _read(before), count, digest.digest(), public_key)


def _verified(
    head: Mapping[str, Any],
    end: Mapping[str, Any],
    count: int,
    digest: bytes,
    wanted: Ed25519PublicKey | None,
) -> CheckedManifest:
    try:
        raw = base64.b64decode(str(end["public_key"]), validate=True)
        signature = base64.b64decode(str(end["signature"]), validate=True)
        key = Ed25519PublicKey.from_public_bytes(raw)
    except (KeyError, ValueError) as error:
        raise InvalidRequest("The manifest has no signature at its end; it was cut off.") from error
    if end.get("lines") != count or end.get("sha256") != digest.hex():
        raise InvalidRequest("The manifest was changed after it was signed.")
    try:
        key.verify(signature, _CONTEXT + digest)
    except InvalidSignature as error:
        raise InvalidRequest("The signature of the manifest is not valid.") from error
    if wanted is not None and wanted.public_bytes_raw() != raw:
        raise InvalidRequest(
            f"The manifest is whole and was signed by another key ({fingerprint_of(key)}) than the one that is given."
        )
    return CheckedManifest(head, count - 1, fingerprint_of(key))


def fingerprint_of(key: Ed25519PublicKey) -> str:
    """Return what people compare a key by."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key.public_bytes_raw()).digest()).decode().rstrip("=")


def _read(line: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(line)
    except ValueError as error:
        raise InvalidRequest("This is no manifest: a line of it is no JSON.") from error
    if not isinstance(document, dict):
        raise InvalidRequest("This is no manifest: a line of it is no object.")
    return document
