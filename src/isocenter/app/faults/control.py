"""How commands find a running fault plane: a file with its address and token, readable by its owner alone."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

from isocenter.app.faults.api import ApiAddress
from isocenter.domain.errors import InvalidRequest, InvalidSetting, NotFound, PeerUnreachable

DEFAULT_FILE = "isocenter-faults.json"
TIMEOUT_S = 10.0
_OWNER_ONLY = 0o600


@contextmanager
def announced(path: Path, address: ApiAddress) -> Iterator[None]:
    """Let the commands find a plane for the length of a block; raise InvalidSetting where another one is there."""
    _require_free(path)
    with suppress(FileNotFoundError):
        path.unlink()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump({"url": address.url, "token": address.token, "process": os.getpid()}, file)
    try:
        yield
    finally:
        with suppress(FileNotFoundError):
            path.unlink()


class PlaneClient:
    """Talks to a running plane."""

    def __init__(self, path: Path) -> None:
        found = _read(path)
        if found is None:
            raise PeerUnreachable(f"No fault plane is announced in {path}; start one, or name its file with --control.")
        self._url, self._token = str(found.get("url", "")), str(found.get("token", ""))

    def links(self) -> list[dict[str, Any]]:
        """Return what there is."""
        found = self._call("GET", "/links")
        return found if isinstance(found, list) else []

    def set(self, link: str, table: dict[str, object]) -> dict[str, Any]:
        """Set a fault and return its number and text."""
        return dict(self._call("POST", f"/links/{link}/faults", table))

    def clear(self, link: str, fault_id: int | None) -> int:
        """Clear one fault or all; return how many were set."""
        path = f"/links/{link}/faults" + ("" if fault_id is None else f"/{fault_id}")
        return int(self._call("DELETE", path)["cleared"])

    def _call(self, method: str, path: str, table: dict[str, object] | None = None) -> Any:
        headers = {"Authorization": f"Bearer {self._token}"}
        try:
            # Plain HTTP on loopback: without verify=False all certificate authorities of the machine would be read.
            with httpx.Client(base_url=self._url, headers=headers, timeout=TIMEOUT_S, verify=False) as client:  # noqa: S501
                answer = client.request(method, path, json=table)
                found = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise PeerUnreachable(f"The fault plane at {self._url} does not answer; it may have ended.") from error
        if answer.is_success:
            return found
        message = str(found.get("error", "")) if isinstance(found, dict) else ""
        raise NotFound(message) if answer.status_code == httpx.codes.NOT_FOUND else InvalidRequest(message)


def _require_free(path: Path) -> None:
    found = _read(path)
    process = found.get("process") if found is not None else None
    if isinstance(process, int) and _is_running(process):
        raise InvalidSetting(f"{path} is that of a fault plane that runs; name another file with --control.")


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
