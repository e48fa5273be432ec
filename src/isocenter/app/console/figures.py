"""Measure a running node every few seconds, for the figures of the console."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial

import structlog

from isocenter.app.routing_running import Routing
from isocenter.app.settings import Settings
from isocenter.archive.archive import Archive
from isocenter.dicomweb.server.counts import TransactionCounts
from isocenter.dimse.shell.record import AssociationRegister
from isocenter.domain.errors import IsocenterError
from isocenter.web.pages.system_samples import STEP_S, Sample, Samples

_log = structlog.get_logger()

Measure = Callable[[], Mapping[str, float]]
"""Gives values by the key of their figure; may wait for the disk."""


class Figures:
    """Takes samples while the node runs; an edge of it (`http_server.Edge`)."""

    def __init__(
        self, archive: Archive, settings: Settings, register: AssociationRegister, routing: Routing | None
    ) -> None:
        self.samples = Samples()
        self._archive = archive
        self._measures: list[Measure] = [
            partial(_measure_disk, settings),
            partial(_measure_archive, archive),
            *([] if routing is None else [partial(_measure_deliveries, routing)]),
        ]
        self._register = register
        self._task: asyncio.Task[None] | None = None
        self._taken = 0

    def count_requests(self, counts: TransactionCounts) -> None:
        """Sample the requests of DICOMweb too."""
        self._measures.append(lambda: {"requests": float(sum(counts.requests.copy().values()))})

    def mark(self) -> int:
        """Return what changes with each sample."""
        return self._taken

    def listen(self) -> None:
        """Need no port."""

    async def start(self) -> None:
        """Begin to measure."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End it."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            # The register is read here, on the event loop, where it changes; the rest may wait for the disk.
            values = _measure_associations(self._register)
            self.samples.add(await asyncio.to_thread(self._measure, values))
            self._taken += 1
            await asyncio.sleep(STEP_S)

    def _measure(self, known: Mapping[str, float]) -> Sample:
        """Return what can be measured now; what fails is left out."""
        values = dict(known)
        for measure in self._measures:
            try:
                values.update(measure())
            except (IsocenterError, OSError) as error:
                _log.debug("console.not_measured", reason=str(error))
            except Exception:  # the outermost loop of the sampling: the next sample is taken
                _log.exception("console.measure_broken")
        return Sample(self._archive.clock.now().timestamp(), values)


def _measure_disk(settings: Settings) -> Mapping[str, float]:
    folder = settings.storage.packs_dir if settings.storage.packs_dir.exists() else settings.data_dir
    return {"free_bytes": float(shutil.disk_usage(folder).free)}


def _measure_archive(archive: Archive) -> Mapping[str, float]:
    totals = archive.index.totals()
    return {"stored_bytes": float(totals.size_bytes), "instances": float(totals.instances)}


def _measure_associations(register: AssociationRegister) -> Mapping[str, float]:
    totals = register.totals
    return {"associations": float(len(register.live)), "dimse_bytes": float(totals.bytes_received + totals.bytes_sent)}


def _measure_deliveries(routing: Routing) -> Mapping[str, float]:
    counters = [status.counters for status in routing.desk.destinations()]
    return {
        "waiting": float(sum(one.waiting for one in counters)),
        "needs_human": float(sum(one.needs_human for one in counters)),
    }
