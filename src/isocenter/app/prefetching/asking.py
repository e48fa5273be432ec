"""Prefetching as commands ask for it: triggers handed in beside a node, a dry run, what became of runs."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isocenter.app.logging_setup import set_up_logging
from isocenter.app.machine_zone import MachineZone
from isocenter.app.prefetching.desk import PrefetchDesk, run_json
from isocenter.app.prefetching.opening import SourceFactory
from isocenter.app.prefetching.run import Report, Run
from isocenter.app.routing_file import load_routing
from isocenter.app.settings import Settings
from isocenter.app.wiring import SystemClock
from isocenter.app.worklist import open_index
from isocenter.dimse.shell.record import AssociationRegister
from isocenter.dimse.shell.runtime import Completions, Runtime, Times
from isocenter.domain.errors import InvalidRequest, InvalidSetting, NotFound
from isocenter.ports.prefetches import HitCounts, PrefetchRun
from isocenter.routing.configuration.channel import Configuration
from isocenter.routing.hl7.order import parse_time
from isocenter.routing.prefetch.rule import PrefetchRule, TriggerKind
from isocenter.routing.prefetch.trigger import Trigger, heeding
from isocenter.storage.sqlite.index import SqliteInstanceIndex

CSV_ROWS_MAX = 100_000
"""A hospital's patients of a month."""
CSV_SIZE_MAX_BYTES = 32 * 1024**2
COLUMNS = ("patient_id", "issuer", "birth_date", "modality", "description", "study_instance_uid", "appointment")
"""Of a CSV file; the first must be there."""
THREADS = 4


def configured(settings: Settings, *, rule: str = "") -> Configuration:
    """Return the configuration that names rules. Raises InvalidSetting where there is none, NotFound for a rule."""
    configuration = load_routing(settings)
    names = [one.name for one in configuration.prefetch]
    if not names:
        raise InvalidSetting(
            "No rule for prefetching is configured; add [prefetch.NAME] to the file that routing.configuration names."
        )
    if rule and rule not in names:
        raise NotFound(f"There is no rule {rule}; there are {', '.join(names)}.")
    return configuration


def read_csv(path: Path) -> Iterator[Trigger]:
    """Yield the requests of a file with a heading. Raises InvalidRequest, with the line, for what cannot be read."""
    if path.stat().st_size > CSV_SIZE_MAX_BYTES:
        raise InvalidRequest(f"{path} is too large to be a list of patients.")
    with path.open(newline="", encoding="utf-8-sig") as file:
        try:
            rows = csv.DictReader(file, strict=True)
            headings = rows.fieldnames or []
            unknown = [name for name in headings if name not in COLUMNS]
            if COLUMNS[0] not in headings or unknown:
                raise InvalidRequest(
                    f"{path} needs a heading with {COLUMNS[0]}, and may have {', '.join(COLUMNS[1:])}."
                )
            for number, row in enumerate(rows, start=2):
                if number > CSV_ROWS_MAX:
                    raise InvalidRequest(f"{path} has more than {CSV_ROWS_MAX} lines.")
                yield _trigger_of_row(
                    {name: (row.get(name) or "").strip() for name in COLUMNS}, f"{path}, line {number}"
                )
        except (csv.Error, UnicodeDecodeError) as error:
            raise InvalidRequest(f"{path} is not CSV in UTF-8: {error}.") from error


def _trigger_of_row(row: dict[str, str], where: str) -> Trigger:
    if not row["patient_id"]:
        raise InvalidRequest(f"{where}: patient_id is empty.")
    appointment = row.pop("appointment")
    moment = parse_appointment(appointment, where=where) if appointment else None
    return Trigger(TriggerKind.REQUEST, **row, appointment=moment)


def parse_appointment(text: str, *, where: str) -> float:
    """Return a time as 2026-11-23T09:30, or as HL7 and DICOM write it. Raises InvalidRequest."""
    moment = parse_time(text.replace("-", "").replace(":", "").replace("T", "").replace(" ", ""), local=MachineZone())
    if moment is None:
        raise InvalidRequest(f"{where}: {text!r} is no time; write it as 2026-11-23T09:30.")
    return moment.timestamp()


def hand_in(settings: Settings, triggers: Sequence[Trigger], *, rule: str) -> list[PrefetchRun]:
    """Keep a run of each rule, or of one, for each trigger; the node carries them out."""
    set_up_logging("error", "console")
    configuration = configured(settings, rule=rule)
    with open_index(settings) as index:
        desk = PrefetchDesk(index.prefetches, configuration.prefetch, SystemClock())
        return [run for trigger in triggers for run in desk.hand_in(trigger, only=rule)]


@dataclass(frozen=True, slots=True)
class Explained:
    """What a rule would do for a trigger."""

    trigger: Trigger
    rule: PrefetchRule
    report: Report

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {"rule": self.rule.name, "trigger": self.trigger.as_json(), **self.report.as_json()}


def explain(settings: Settings, triggers: Sequence[Trigger], *, rule: str) -> list[Explained]:
    """Return what rules would do; sources are searched, nothing is fetched and nothing kept."""
    set_up_logging("error", "console")
    configuration = configured(settings, rule=rule)
    with open_index(settings) as index:
        return asyncio.run(_explain(settings, configuration, index, triggers, rule))


async def _explain(
    settings: Settings,
    configuration: Configuration,
    index: SqliteInstanceIndex,
    triggers: Sequence[Trigger],
    only: str,
) -> list[Explained]:
    out: list[Explained] = []
    with _runtime(settings) as runtime:
        factory = SourceFactory(None, settings, configuration, AssociationRegister())
        for trigger in triggers:
            for rule in heeding(configuration.prefetch, trigger):
                if only in ("", rule.name):
                    run = Run(index, factory.sources_of(rule.name, runtime), rule, trigger, now=SystemClock().now)
                    out.append(Explained(trigger, rule, await run.explain()))
    return out


@contextmanager
def _runtime(settings: Settings) -> Iterator[Runtime]:
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(THREADS, "prefetch") as executor:
        yield Runtime(
            loop=loop,
            executor=executor,
            picture_executor=executor,
            completions=Completions(loop),
            now=SystemClock().now,
            times=Times(dimse_s=settings.dicom.dimse_timeout_s, connect_s=settings.dicom.connect_timeout_s),
        )


def list_runs(settings: Settings, *, limit: int) -> tuple[list[dict[str, Any]], HitCounts]:
    """Return runs for programs, the last one first, and how often fetching was worth it."""
    with open_index(settings) as index:
        return [run_json(run) for run in index.prefetches.recent(limit=limit)], index.prefetches.hits()
