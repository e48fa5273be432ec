"""Where the parts of a running hospital answer, as values; and the file in its folder that says so.

The file holds the password and the token of the supervisor: its owner alone may read it, and it is there only while
the hospital runs. What a killed supervisor left behind is told apart by the lock that only a living one holds.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from isocenter.app.hospital.folder_lock import is_held
from isocenter.domain.application_entity import AeAddress
from isocenter.domain.errors import PeerUnreachable

STATE_FILE = "hospital.json"
OWNER_ONLY = 0o600
SIZE_MAX_BYTES = 64 * 1024
"""The file has about two thousand bytes."""


class PacsKind(StrEnum):
    """Which program is the PACS."""

    ISOCENTER = "isocenter"
    ORTHANC = "orthanc"


@dataclass(frozen=True, slots=True)
class PacsReach:
    """The PACS."""

    kind: PacsKind
    address: AeAddress
    """Straight to it, past its line to the router."""
    web_url: str
    """Without a slash at the end; our PACS has the console and DICOMweb there, Orthanc its explorer and REST."""


@dataclass(frozen=True, slots=True)
class RouterReach:
    """The router."""

    qierouter: AeAddress
    """Takes images for both archives."""
    qietoazure: AeAddress
    """The translator: the cloud as one more PACS."""
    web_url: str


@dataclass(frozen=True, slots=True)
class Application:
    """The registration by which the router, and whoever checks the cloud, gets tokens there."""

    token_url: str
    """Straight to the cloud, past the line."""
    client_id: str
    secret_file: Path
    scope: str

    @property
    def secret(self) -> str:
        """Return the secret."""
        return self.secret_file.read_text(encoding="utf-8").strip()


@dataclass(frozen=True, slots=True)
class Person:
    """Who signs in to PACS, router and cloud."""

    name: str
    password: str


@dataclass(frozen=True, slots=True)
class Supervisor:
    """The process that runs the parts."""

    process_id: int
    web_url: str
    """Its page, the front door."""
    token: str
    """For its API below `web_url`."""


@dataclass(frozen=True, slots=True)
class Reach:
    """All of a hospital. The folders of data are `pacs`, `router` and `cloud` below `folder`."""

    folder: Path
    pacs: PacsReach
    router: RouterReach
    cloud_url: str
    """Straight to it, past its line to the router: console, viewer, DICOMweb."""
    person: Person
    application: Application
    supervisor: Supervisor


def read_reach(folder: Path) -> Reach:
    """Return where the hospital of a folder answers; raises PeerUnreachable where none runs."""
    if not is_held(folder):
        raise PeerUnreachable(f"No demo runs in {folder}; start one with `isocenter demo --folder {folder}`.")
    found = _read(folder)
    if found is None:
        raise PeerUnreachable(f"The demo in {folder} is starting or ending; try again in a moment.")
    return found


@contextmanager
def announced(reach: Reach) -> Iterator[None]:
    """Let others find a hospital for the length of a block."""
    path = reach.folder / STATE_FILE
    partial = path.with_suffix(".partial")
    with suppress(FileNotFoundError):
        partial.unlink()
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(_document(reach), file, indent=1)
    partial.replace(path)
    try:
        yield
    finally:
        with suppress(FileNotFoundError):
            path.unlink()


def _document(reach: Reach) -> dict[str, Any]:
    return {
        "pacs": {"kind": reach.pacs.kind.value, "address": _pair(reach.pacs.address), "web_url": reach.pacs.web_url},
        "router": {
            "qierouter": _pair(reach.router.qierouter),
            "qietoazure": _pair(reach.router.qietoazure),
            "web_url": reach.router.web_url,
        },
        "cloud_url": reach.cloud_url,
        "person": {"name": reach.person.name, "password": reach.person.password},
        "application": {
            "token_url": reach.application.token_url,
            "client_id": reach.application.client_id,
            "secret_file": str(reach.application.secret_file),
            "scope": reach.application.scope,
        },
        "supervisor": {
            "process_id": reach.supervisor.process_id,
            "web_url": reach.supervisor.web_url,
            "token": reach.supervisor.token,
        },
    }


def _pair(address: AeAddress) -> dict[str, Any]:
    return {"ae_title": address.ae_title, "host": address.host, "port": address.port}


def _read(folder: Path) -> Reach | None:
    """Return what the file says, None where there is none that can be read."""
    try:
        with (folder / STATE_FILE).open(encoding="utf-8") as file:
            found = json.loads(file.read(SIZE_MAX_BYTES))
        pacs, router, application = found["pacs"], found["router"], found["application"]
        return Reach(
            folder,
            PacsReach(PacsKind(pacs["kind"]), AeAddress(**pacs["address"]), pacs["web_url"]),
            RouterReach(AeAddress(**router["qierouter"]), AeAddress(**router["qietoazure"]), router["web_url"]),
            found["cloud_url"],
            Person(**found["person"]),
            Application(**{**application, "secret_file": Path(application["secret_file"])}),
            Supervisor(**found["supervisor"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
