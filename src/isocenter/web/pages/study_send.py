"""Send what was chosen to another system, and see how far that is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from starlette.responses import Response
from starlette.routing import BaseRoute

from isocenter.archive.archive import Archive
from isocenter.dicomweb.server.trail import open_trail
from isocenter.domain.audit import AuditRecord
from isocenter.domain.errors import InvalidRequest
from isocenter.domain.principal import DataAction
from isocenter.ports.index import InstanceRow
from isocenter.web.console.console import Console, Done, Form, Visit
from isocenter.web.console.moment import format_moment
from isocenter.web.console.section import STUDIES
from isocenter.web.pages.choice import instances_of, look_at, parse_choice, read_choice
from isocenter.web.pages.download import asked_choice, choice_values

SEND_PATH = "/send"


class JobState(StrEnum):
    """How a job stands."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Place:
    """Where something can be sent to."""

    key: str
    label: str
    kind: str
    """In words."""


@dataclass(slots=True)
class SendJob:
    """One job, as it stands; whoever carries it out changes it."""

    job_id: str
    label: str
    """Which studies it is about, in words."""
    studies: tuple[str, ...]
    place: Place
    by: str
    started_at: float
    total: int
    is_queued: bool
    """Whether the router's ledger carries it out."""
    done: int = 0
    failed: int = 0
    cancelled: int = 0
    """Of what the ledger carries out: given up, by a person or because the instance is gone."""
    state: JobState = JobState.RUNNING
    problem: str = ""
    note: str = ""
    is_cancelled: bool = field(default=False)

    @property
    def light(self) -> str:
        """Return which light its state has."""
        if self.state is JobState.RUNNING:
            return "busy"
        return {JobState.DONE: "good", JobState.FAILED: "bad", JobState.CANCELLED: ""}[self.state]

    @property
    def outcome(self) -> str:
        """Return how it stands, in words."""
        count = f"{self.done:,} of {self.total:,}"
        words = {
            JobState.RUNNING: f"{count} sent",
            JobState.DONE: f"All {self.total:,} are there",
            JobState.FAILED: f"{count} are there",
            JobState.CANCELLED: f"Stopped; {count} are there",
        }
        return words[self.state]

    @property
    def started(self) -> str:
        """Return when it began."""
        return format_moment(self.started_at)


class SendDesk(Protocol):
    """What sends for people."""

    def places(self) -> list[Place]:
        """Return where something can be sent to."""
        ...

    def jobs(self) -> list[SendJob]:
        """Return all jobs, the latest first."""
        ...

    def start(self, key: str, rows: Sequence[InstanceRow], *, label: str, by: str, studies: Sequence[str]) -> SendJob:
        """Begin to send instances; raises NotFound where the place is none, Overloaded."""
        ...

    def cancel(self, job_id: str) -> None:
        """Stop a job; raises NotFound."""
        ...


def send_routes(
    console: Console, archive: Archive, desk: SendDesk, *, audit: Callable[[AuditRecord], None] | None
) -> list[BaseRoute]:
    """Return the routes of sending."""

    def ask(visit: Visit) -> Response:
        values: dict[str, object] = {"chosen": [], "places": desk.places(), "jobs": desk.jobs()}
        if visit.parameter("study"):
            values |= choice_values(look_at(archive, visit.principal, asked_choice(visit)))
        return console.page(visit, "send.html", values, section=STUDIES.key)

    def act(visit: Visit, form: Form) -> Done:
        if not form.one("to"):
            raise InvalidRequest("Choose where to send to.")
        chosen = look_at(
            archive, visit.principal, parse_choice(form.all("study"), form.one("series"), form.one("instance"))
        )
        rows = instances_of(archive, visit.principal, [one.scope for one in chosen])
        studies = [one.scope.study_instance_uid for one in chosen]
        label = chosen[0].label if len(chosen) == 1 else f"{len(chosen)} studies"
        if audit is not None:
            resource = {"study": ",".join(studies)}
            trail = open_trail(audit, visit.request, operation="export", resource=resource, properties={})
            trail.begin(visit.principal)
            trail.end(202)
        job = desk.start(form.one("to"), rows, label=label, by=visit.principal.name, studies=studies)
        count = f"{len(rows):,} instance{'' if len(rows) == 1 else 's'}"
        return Done(SEND_PATH, f"{count} on the way to {job.place.label}.")

    def stop(visit: Visit, form: Form) -> Done:
        desk.cancel(form.one("job"))
        return Done(SEND_PATH, "The job stops after the image that is on its way.")

    return [
        console.get(SEND_PATH, ask, name="send", action=DataAction.EXPORT),
        console.post(SEND_PATH, act, name="send-chosen", action=DataAction.EXPORT, read=read_choice),
        console.post(f"{SEND_PATH}/stop", stop, name="send-stop", action=DataAction.EXPORT),
    ]
