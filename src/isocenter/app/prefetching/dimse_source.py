"""A source that speaks DIMSE: C-FIND for what it has, and C-MOVE to ourselves or C-GET for what is wanted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from isocenter.app.finding import FindRequest, build_identifier, row_of
from isocenter.app.prefetching.source import (
    SERIES_MAX,
    SERIES_RETURNED,
    STUDIES_MAX,
    STUDY_RETURNED,
    candidate_of,
    require_searchable,
    series_of,
)
from isocenter.app.retrieving import scope_identifier
from isocenter.archive.archive import Archive
from isocenter.dimse.scp.store import Storage
from isocenter.dimse.scu.client import Opener, ProposedContext
from isocenter.dimse.scu.find import STUDY_ROOT_FIND, find
from isocenter.dimse.scu.retrieve import STUDY_ROOT_GET, STUDY_ROOT_MOVE, Retrieved, get, move
from isocenter.dimse.scu.storage_plan import GUESSED_CLASSES, plan_storage
from isocenter.dimse.shell.service import ServiceTable
from isocenter.dimse.ul.errors import AssociationOver
from isocenter.domain.application_entity import RemoteAe
from isocenter.domain.errors import Unavailable
from isocenter.domain.identifiers import Level, Scope
from isocenter.domain.principal import DataAction, Principal
from isocenter.routing.prefetch.choose import Candidate
from isocenter.routing.prefetch.plan import SourceSeries

PREFETCHER = Principal("prefetch", frozenset({DataAction.WRITE}))
"""As whom what comes by C-GET or WADO is stored."""


class FetchFailed(Unavailable):
    """The source did not send all that it was asked for."""


@dataclass(frozen=True, slots=True)
class DimseSource:
    """An application entity that is searched."""

    name: str
    remote: RemoteAe
    opener: Opener
    archive: Archive | None
    """Where it stores what comes by C-GET."""
    own_ae_title: str = ""
    """Where it moves series to; empty: they are fetched by C-GET."""

    async def studies(self, patient_id: str) -> list[Candidate]:
        """Return the studies of a patient."""
        require_searchable(patient_id)
        request = FindRequest(Level.STUDY, (("PatientID", patient_id),), returned=STUDY_RETURNED, limit=STUDIES_MAX)
        rows = await self._ask(request)
        found = (candidate_of(row, source=self.name, patient_id=patient_id) for row in rows)
        return [one for one in found if one is not None]

    async def series(self, study_instance_uid: str) -> list[SourceSeries]:
        """Return the series of a study."""
        keys = (("StudyInstanceUID", study_instance_uid),)
        rows = await self._ask(FindRequest(Level.SERIES, keys, returned=SERIES_RETURNED, limit=SERIES_MAX))
        return [one for one in map(series_of, rows) if one is not None]

    async def _ask(self, request: FindRequest) -> list[dict[str, Any]]:
        with self._errors():
            async with self.opener.association(self.remote, [ProposedContext(STUDY_ROOT_FIND)]) as association:
                matches = await find(association, build_identifier(request), limit=request.limit)
        return [row_of(match) for match in matches]

    async def fetch(self, scopes: Sequence[Scope]) -> int:
        """Have series brought here, and return how many instances came."""
        with self._errors():
            results = await (self._move(scopes) if self.own_ae_title else self._get(scopes))
        told = next((result.told for result in results if result.told), "")
        if told:
            raise FetchFailed(f"{self.remote.ae_title} ended the retrieval with {told}.")
        return sum(result.progress.completed + result.progress.warning for result in results)

    async def _move(self, scopes: Sequence[Scope]) -> list[Retrieved]:
        async with self.opener.association(self.remote, [ProposedContext(STUDY_ROOT_MOVE)]) as association:
            return [await move(association, scope_identifier(scope), destination=self.own_ae_title) for scope in scopes]

    async def _get(self, scopes: Sequence[Scope]) -> list[Retrieved]:
        """Fetch by C-GET, with contexts for what hospitals have: at first for the most frequent classes."""
        assert self.archive is not None
        [plan, *_] = plan_storage(dict.fromkeys(GUESSED_CLASSES, ()))
        contexts = [ProposedContext(STUDY_ROOT_GET), *(context for each in plan.values() for context in each)]
        services = ServiceTable([], other=Storage(self.archive, principal=PREFETCHER).find)
        async with self.opener.association(self.remote, contexts, services=services) as association:
            return [await get(association, scope_identifier(scope)) for scope in scopes]

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except AssociationOver as error:
            raise Unavailable(f"The association with {self.remote.ae_title} ended early.") from error
