"""What is ordered of a running hospital, from any process that may read its file: the client of the supervisor."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

import httpx

from isocenter.app.hospital.reach import Reach, read_reach
from isocenter.domain.errors import InvalidRequest, NotFound, PeerUnreachable, Unavailable

TIMEOUT_S = 100.0
"""Longer than a part may take to start or to end."""


class Part(StrEnum):
    """A process of the hospital."""

    PACS = "pacs"
    ROUTER = "router"
    CLOUD = "cloud"


class Line(StrEnum):
    """What joins the router to an archive."""

    PACS = "pacs"
    CLOUD = "cloud"


class Cut(StrEnum):
    """What becomes of a line that is cut."""

    REFUSE = "refuse"
    """Nobody listens, as where the line or the machine is gone."""
    SILENCE = "silence"
    """Connections are taken and nothing passes: the worst to wait for."""
    RESET = "reset"
    """Every connection breaks as soon as something passes."""
    SLOW = "slow"
    """Everything passes, at the pace of an old telephone line."""


class PartState(StrEnum):
    """How a part is."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    KILLED = "killed"
    CRASHED = "crashed"
    """It ended by itself and will be started again soon."""
    FAILED = "failed"
    """It ended too often, or could not be started; somebody must look."""


@dataclass(frozen=True, slots=True)
class PartStatus:
    """A part as it is now."""

    name: Part
    state: PartState
    process_id: int | None
    restarts: int
    """How often it was started again because it had ended by itself."""
    message: str


@dataclass(frozen=True, slots=True)
class LineStatus:
    """A line as it is now."""

    name: Line
    cut: Cut | None
    """None for a sound one."""
    open_connections: int


@dataclass(frozen=True, slots=True)
class HospitalStatus:
    """All of a hospital as it is now."""

    parts: tuple[PartStatus, ...]
    lines: tuple[LineStatus, ...]
    filling: str
    """How far the first images are taken in, in words; empty where nothing is to be said."""

    def part(self, name: Part | str) -> PartStatus:
        """Return one part."""
        return next(one for one in self.parts if one.name == name)

    def line(self, name: Line | str) -> LineStatus:
        """Return one line."""
        return next(one for one in self.lines if one.name == name)


class HospitalControl:
    """Orders what the buttons of the front page order. Each method returns when it is done."""

    def __init__(self, reach: Reach) -> None:
        self._url = reach.supervisor.web_url
        self._headers = {"Authorization": f"Bearer {reach.supervisor.token}"}

    @classmethod
    def of_folder(cls, folder: Path) -> Self:
        """Return the control of the hospital of a folder; raises PeerUnreachable where none runs."""
        return cls(read_reach(folder))

    def start(self, part: Part | str) -> None:
        """Start a part and wait until it is ready."""
        self._call("POST", f"/parts/{part}/start")

    def stop(self, part: Part | str) -> None:
        """Ask a part to end, and wait until it has."""
        self._call("POST", f"/parts/{part}/stop")

    def kill(self, part: Part | str) -> None:
        """End a part at once, as where the power goes; it stays down until it is started."""
        self._call("POST", f"/parts/{part}/kill")

    def cut(self, line: Line | str, how: Cut | str = Cut.REFUSE) -> None:
        """Cut the line between the router and an archive."""
        self._call("POST", f"/lines/{line}/cut", {"how": str(how)})

    def heal(self, line: Line | str) -> None:
        """Make a line sound again."""
        self._call("POST", f"/lines/{line}/heal")

    def status(self) -> HospitalStatus:
        """Return how everything is."""
        found = self._call("GET", "/status")
        return HospitalStatus(
            tuple(
                PartStatus(
                    Part(one["name"]), PartState(one["state"]), one["process_id"], one["restarts"], one["message"]
                )
                for one in found["parts"]
            ),
            tuple(
                LineStatus(Line(one["name"]), Cut(one["cut"]) if one["cut"] else None, one["open_connections"])
                for one in found["lines"]
            ),
            found["filling"],
        )

    def _call(self, method: str, path: str, document: dict[str, str] | None = None) -> Any:
        try:
            # Plain HTTP on loopback: without verify=False all certificate authorities of the machine would be read.
            with httpx.Client(headers=self._headers, timeout=TIMEOUT_S, verify=False, trust_env=False) as client:  # noqa: S501
                answer = client.request(method, f"{self._url}/control{path}", json=document)
                found = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise PeerUnreachable(f"The demo at {self._url} does not answer; it may be ending.") from error
        if answer.is_success:
            return found
        message = str(found.get("error", "")) if isinstance(found, dict) else ""
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise NotFound(message)
        raise Unavailable(message) if answer.is_server_error else InvalidRequest(message)
