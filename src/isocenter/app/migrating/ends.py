"""What a migration asks of its source and of its target."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from isocenter.app.fetching import FetchReport
from isocenter.app.migrating.records import FoundInstance, FoundStudy, MovedInstance
from isocenter.domain.errors import IsocenterError
from isocenter.domain.identifiers import Scope
from isocenter.routing.deliveries.report import Report
from isocenter.routing.migration.slices import Answer, Slice

OnAnswer = Callable[[], None]
"""Called when the source has answered the small question that comes before a retrieval."""


@dataclass(frozen=True, slots=True)
class StagedFile:
    """An instance in a file, ready to go out."""

    sop_instance_uid: str
    path: Path
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Sent:
    """What the target said of one instance."""

    sop_instance_uid: str
    report: Report
    told: str = ""
    """In its own words."""


class End(Protocol):
    """One end of a migration."""

    @property
    def name(self) -> str:
        """Return its address as it may be shown."""
        ...

    def report_of(self, error: IsocenterError) -> Report:
        """Return what an error of it says."""
        ...

    def close(self) -> None:
        """Let go of what it holds open."""
        ...


class Source(End, Protocol):
    """Where images come from; nothing is ever deleted or changed there."""

    def ask(self, one: Slice) -> tuple[Answer, list[FoundStudy]]:
        """Return the studies of one slice."""
        ...

    def list_study(self, study_instance_uid: str) -> list[FoundInstance] | None:
        """Return what a study has, None where the source would not tell."""
        ...

    def fetch(self, scope: Scope, folder: Path, on_answer: OnAnswer) -> FetchReport:
        """Bring what of a study, series or instance is not yet in a folder."""
        ...


class Target(End, Protocol):
    """Where images go."""

    def send(self, files: Sequence[StagedFile]) -> list[Sent]:
        """Send instances and return what the target said of each; raises where it said nothing of any."""
        ...

    def list_study(self, study_instance_uid: str) -> set[tuple[str, str]] | None:
        """Return series and instances of what it has of a study, None where it would not tell."""
        ...

    def read_back(self, study_instance_uid: str, instances: Collection[MovedInstance], folder: Path) -> dict[str, Path]:
        """Bring instances back as files, by SOP Instance UID; what cannot be had is left out."""
        ...

    def remove(self, scope: Scope) -> None:
        """Delete one instance, so that another can take its place."""
        ...
