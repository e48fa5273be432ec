"""A DICOMweb client as plain as can be, so that tests see what is on the wire."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpx

ANY_DICOM = 'multipart/related; type="application/dicom"; transfer-syntax=*'
ANY_FRAMES = "multipart/related; type=application/octet-stream; transfer-syntax=*"
JSON = "application/dicom+json"
TIMEOUT_S = 120


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a multipart answer."""

    content_type: str
    content: bytes

    @property
    def transfer_syntax_uid(self) -> str:
        """Return the transfer syntax that the part names, empty where it names none."""
        found = re.search(r'transfer-syntax="?([0-9.]+)"?', self.content_type)
        return found.group(1) if found else ""


@cache
def client() -> httpx.Client:
    """Return the one client of the run: making another for each request costs more than the request."""
    return httpx.Client(timeout=TIMEOUT_S, trust_env=False, verify=False)  # noqa: S501 - plain http on loopback


def post_instance(dicomweb_url: str, content: bytes, *, path: str = "studies") -> httpx.Response:
    """Store one instance as a single part."""
    headers = {"Content-Type": "application/dicom", "Accept": JSON}
    return client().post(f"{dicomweb_url}/{path}", content=content, headers=headers)


def get(url: str, accept: str | None = None, **headers: str) -> httpx.Response:
    """Ask for a resource."""
    wanted = {"Accept": accept} if accept is not None else {}
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    request = client().build_request("GET", url, headers={**wanted, **names})
    if accept is None:
        del request.headers["Accept"]
    return client().send(request)


def delete(url: str) -> httpx.Response:
    """Delete a resource."""
    return client().delete(url)


def instance_urls(answer: httpx.Response) -> list[str]:
    """Return the addresses of the instances that a store request kept."""
    items: list[dict[str, Any]] = answer.json().get("00081199", {}).get("Value", [])
    return [item["00081190"]["Value"][0] for item in items]


def failure_reasons(answer: httpx.Response) -> list[int]:
    """Return why instances of a store request were refused."""
    items: list[dict[str, Any]] = answer.json().get("00081198", {}).get("Value", [])
    return [item["00081197"]["Value"][0] for item in items]


def parts(answer: httpx.Response) -> list[Part]:
    """Return the parts of a multipart answer, by an independent and simple-minded reading of RFC 2046."""
    found = re.search(r'boundary="?([^";]+)"?', answer.headers["content-type"])
    assert found is not None, answer.headers
    delimiter = b"--" + found.group(1).encode()
    body = b"\r\n" + answer.content
    pieces = body.split(b"\r\n" + delimiter)
    assert pieces[-1].startswith(b"--"), "the closing delimiter is missing"
    return [_part(piece) for piece in pieces[1:-1]]


def _part(piece: bytes) -> Part:
    head, _, content = piece.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().strip().split("\r\n"))
    return Part(headers.get("Content-Type", ""), content)
