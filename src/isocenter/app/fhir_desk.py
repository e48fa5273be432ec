"""What operators see of the cast to a FHIR server and ask of it, beside a running node or without one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from isocenter.app.fhir_casting import cast_options, open_fhir_client, require_server
from isocenter.app.settings import Settings
from isocenter.app.wiring import SystemClock
from isocenter.domain.errors import InvalidRequest, NotFound
from isocenter.fhir.cast import cast_name
from isocenter.fhir.client import Capability
from isocenter.fhir.reconcile import Comparison, Records, compare_all
from isocenter.ports.fhir_ledger import CastError, ErrorKind, OpenStudy
from isocenter.storage.sqlite.index import SqliteInstanceIndex

OPEN_MAX = 1_000_000
"""Studies that a command takes up at once; more than an archive has of them in trouble."""


@dataclass(frozen=True, slots=True)
class CastStanding:
    """Where the cast stands."""

    url: str
    sequence: int
    """The last row of the feed that was cast."""
    latest: int
    succeeded_at: float | None
    failed_at: float | None
    failure: str
    waiting: int
    """Studies that are tried again by themselves."""
    shelved: int
    """Studies that wait for a person."""
    errors: dict[str, int]

    @property
    def behind(self) -> int:
        """Return how many rows of the feed were not cast yet."""
        return max(0, self.latest - self.sequence)

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "url": self.url,
            "sequence": self.sequence,
            "latest": self.latest,
            "behind": self.behind,
            "last_success": moment_of(self.succeeded_at),
            "last_failure": moment_of(self.failed_at),
            "failure": self.failure,
            "studies_waiting": self.waiting,
            "studies_shelved": self.shelved,
            "errors": self.errors,
        }


def standing(settings: Settings, index: SqliteInstanceIndex) -> CastStanding:
    """Return where the cast stands, as far as it is kept; raises InvalidSetting where no server is named."""
    require_server(settings)
    name = cast_name(settings.fhir.url)
    cursor = index.event_cursors.open(name, sequence=0, timestamp=0.0)
    noted = index.fhir_ledger.standing(name)
    studies = index.fhir_ledger.open_studies(limit=OPEN_MAX)
    shelved = sum(1 for one in studies if one.due_at is None)
    return CastStanding(
        settings.fhir.url,
        0 if cursor.is_of_older_feed else cursor.sequence,
        index.latest_sequence(),
        noted.succeeded_at,
        noted.failed_at,
        noted.failure,
        len(studies) - shelved,
        shelved,
        {kind.value: count for kind, count in index.fhir_ledger.counts().items()},
    )


def list_errors(index: SqliteInstanceIndex, *, kind: str | None, limit: int) -> list[CastError]:
    """Return errors, the last first."""
    return index.fhir_ledger.errors(kind=ErrorKind(kind) if kind else None, limit=limit)


def error_json(error: CastError) -> dict[str, Any]:
    """Return an error as JSON."""
    return {
        "kind": error.kind.value,
        "partition": error.study.partition_name,
        "study_instance_uid": error.study.study_instance_uid,
        "series_instance_uid": error.series_instance_uid,
        "sop_instance_uid": error.sop_instance_uid,
        "attribute": error.attribute,
        "reason": error.reason,
        "sequence": error.sequence,
        "first_at": moment_of(error.first_at),
        "last_at": moment_of(error.last_at),
    }


def retry(index: SqliteInstanceIndex, study_instance_uids: Sequence[str]) -> int:
    """Have studies cast again, those of some UIDs or all that are open; return how many.

    Raises NotFound where one of the UIDs is not open.
    """
    opened = index.fhir_ledger.open_studies(limit=OPEN_MAX)
    wanted = [one.study for one in opened if not study_instance_uids or _is_named(one, study_instance_uids)]
    for uid in study_instance_uids:
        if not any(one.study_instance_uid == uid for one in wanted):
            raise NotFound(f"The study {uid} does not wait; `isocenter fhir rerun` casts all of the feed again.")
    if wanted:
        index.fhir_ledger.ask_for(wanted, due_at=_now())
    return len(wanted)


def _is_named(one: OpenStudy, study_instance_uids: Sequence[str]) -> bool:
    return one.study.study_instance_uid in study_instance_uids


def rerun(settings: Settings, index: SqliteInstanceIndex, *, sequence: int) -> int:
    """Have the feed cast anew from a row on; return how many rows that are. Raises InvalidRequest beyond its end."""
    require_server(settings)
    latest = index.latest_sequence()
    if sequence > latest:
        raise InvalidRequest(f"The last row of the feed is {latest}.")
    index.fhir_ledger.want_rerun(cast_name(settings.fhir.url), after=sequence - 1)
    return latest - sequence + 1


def check(settings: Settings) -> Capability:
    """Ask the server what it is, and search it, which needs rights; raises what says why it cannot be used."""
    cast_options(settings)
    with closing(open_fhir_client(settings)) as client:
        capability = client.check()
        client.search("Endpoint", {"name:exact": "isocenter"})
        return capability


def reconcile(
    settings: Settings, index: SqliteInstanceIndex, *, heals: bool, on_study: Callable[[int], None]
) -> Iterator[Comparison]:
    """Yield the studies that differ, and with `heals` have them cast again; `on_study` is told the count."""
    options = cast_options(settings)
    records = Records(index, index.partitions, index.fhir_ledger)
    with closing(open_fhir_client(settings)) as client:
        for number, compared in enumerate(compare_all(records, client, options), start=1):
            if not compared.is_equal:
                if heals:
                    index.fhir_ledger.ask_for([compared.study], due_at=_now())
                yield compared
            on_study(number)


def comparison_json(compared: Comparison) -> dict[str, Any]:
    """Return a comparison as JSON."""
    here, there, study = compared.here, compared.there, compared.study
    return {
        "partition": study.partition_name,
        "study_instance_uid": study.study_instance_uid,
        "archive_series": here.series if here else 0,
        "archive_instances": here.instances if here else 0,
        "server_series": there.series if there else 0,
        "server_instances": there.instances if there else 0,
    }


def moment_of(timestamp: float | None) -> str:
    """Return a time as it is shown; empty where there is none."""
    return "" if timestamp is None else datetime.fromtimestamp(timestamp, UTC).isoformat(timespec="seconds")


def _now() -> float:
    return SystemClock().now().timestamp()
