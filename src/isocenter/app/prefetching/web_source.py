"""A source that speaks DICOMweb: QIDO-RS for what it has, WADO-RS for what is wanted."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from isocenter.app.prefetching.dimse_source import PREFETCHER
from isocenter.app.prefetching.source import (
    SERIES_MAX,
    STUDIES_MAX,
    candidate_of,
    require_searchable,
    series_of,
)
from isocenter.app.received_chunks import receive_chunks
from isocenter.archive.archive import Archive
from isocenter.archive.store import begin_store
from isocenter.dicomweb.client.client import DicomwebClient, RetrievedInstance
from isocenter.dimse.shell.runtime import Runtime
from isocenter.domain.errors import Refused
from isocenter.domain.identifiers import Level, Scope
from isocenter.routing.prefetch.choose import Candidate
from isocenter.routing.prefetch.plan import SourceSeries

PAGE_COUNT = 200
"""Rows asked for at once; the most that Azure's service gives (dicom-service 4.1)."""
SOURCE = "prefetch"
_STUDY_FIELDS = ("ModalitiesInStudy", "StudyDescription", "NumberOfStudyRelatedInstances")
"""What a study's row may lack unless it is asked for (PS3.18 table 10.6.3-3)."""
_SERIES_FIELDS = ("SeriesDescription", "BodyPartExamined", "NumberOfSeriesRelatedInstances")


class KeepFailed(Refused):
    """What came cannot be kept here."""


class WebSource:
    """A DICOMweb service that is searched."""

    def __init__(
        self,
        name: str,
        *,
        open_client: Callable[[], DicomwebClient],
        archive: Archive | None,
        runtime: Runtime,
        stop: threading.Event,
    ) -> None:
        """Once `stop` is set, what is being fetched ends with the piece that comes next."""
        self._name = name
        self._open_client = open_client
        self._archive = archive
        self._runtime = runtime
        self._stop = stop

    @property
    def name(self) -> str:
        """Return how the configuration calls it."""
        return self._name

    async def studies(self, patient_id: str) -> list[Candidate]:
        """Return the studies of a patient."""
        require_searchable(patient_id)
        keys = [("PatientID", patient_id), *(("includefield", field) for field in _STUDY_FIELDS)]
        rows = await self._runtime.run(self._rows, Level.STUDY, keys, None, STUDIES_MAX)
        found = (candidate_of(row, source=self._name, patient_id=patient_id) for row in rows)
        return [one for one in found if one is not None]

    async def series(self, study_instance_uid: str) -> list[SourceSeries]:
        """Return the series of a study."""
        keys = [("includefield", field) for field in _SERIES_FIELDS]
        rows = await self._runtime.run(self._rows, Level.SERIES, keys, Scope(study_instance_uid), SERIES_MAX)
        return [one for one in map(series_of, rows) if one is not None]

    def _rows(
        self, level: Level, keys: list[tuple[str, str]], within: Scope | None, count_max: int
    ) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        with self._open_client() as client:
            while len(found) < count_max:
                page = [("limit", str(PAGE_COUNT)), ("offset", str(len(found)))]
                rows = client.search(level, [*keys, *page], within=within)
                if not rows or rows[0] in found:  # a service that ignores the offset
                    break
                found += rows
        return found[:count_max]

    async def fetch(self, scopes: Sequence[Scope]) -> int:
        """Have series brought here, and return how many instances came."""
        return await self._runtime.run(self._fetch, scopes)

    def _fetch(self, scopes: Sequence[Scope]) -> int:
        stored, reasons = 0, []
        with self._open_client() as client:
            for scope in scopes:
                for retrieved in client.retrieve(scope):
                    reason = self._store(retrieved, scope)
                    stored += not reason
                    reasons += [reason] if reason else []
        if reasons:
            raise KeepFailed(f"{len(reasons)} of {stored + len(reasons)} instances could not be kept: {reasons[0]}")
        return stored

    def _store(self, retrieved: RetrievedInstance, scope: Scope) -> str:
        """Store an instance, and return why that cannot be; an empty text where it is durable."""
        assert self._archive is not None
        reception = begin_store(self._archive, PREFETCHER, source=SOURCE, study_instance_uid=scope.study_instance_uid)
        return receive_chunks(reception, retrieved.chunks, is_stopped=self._stop, told="The node stops.")
