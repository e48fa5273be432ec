"""Have the archive behind a gateway send instances into the cache, by C-GET over our association or by C-MOVE to us."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from isocenter.app.gateway.fetch import Classes
from isocenter.app.gateway.upstream import Upstream
from isocenter.dicom.dataset import Dataset
from isocenter.dimse.scp.store import Storage
from isocenter.dimse.scu.client import ProposedContext
from isocenter.dimse.scu.errors import ContextRefused
from isocenter.dimse.scu.retrieve import STUDY_ROOT_GET, STUDY_ROOT_MOVE, Retrieved, get, move
from isocenter.dimse.scu.storage_plan import GUESSED_CLASSES, plan_storage
from isocenter.dimse.shell.service import ServiceTable

_log = structlog.get_logger()


@dataclass(slots=True)
class Pulling:
    """Pull by C-GET as long as the archive offers it, and by C-MOVE where we have a title that it can move to."""

    upstream: Upstream
    storage: Storage
    """Takes what comes into the cache."""
    move_destination: str = ""
    """Our title, under which a listener of ours stores into the cache; empty where there is none."""
    prefers_move: bool = False
    _has_no_get: bool = field(default=False, init=False)

    async def pull(self, identifiers: Sequence[Dataset], classes: Classes | None) -> str:
        """Have the archive send what the identifiers name; return what it told where it did not send everything."""
        if self.move_destination and (self.prefers_move or self._has_no_get):
            return await self._move(identifiers)
        try:
            return await self._get(identifiers, classes)
        except ContextRefused:
            if not self.move_destination:
                raise
            self._has_no_get = True
            _log.info("gateway.no_get", upstream=self.upstream.remote.ae_title, instead="move")
            return await self._move(identifiers)

    async def _get(self, identifiers: Sequence[Dataset], classes: Classes | None) -> str:
        told = ""
        for plan in plan_storage(dict.fromkeys(GUESSED_CLASSES, ()) if classes is None else classes):
            contexts = [ProposedContext(STUDY_ROOT_GET), *(context for each in plan.values() for context in each)]
            services = ServiceTable((), other=self.storage.find)
            opener = self.upstream.opener
            async with opener.association(self.upstream.remote, contexts, services=services) as association:
                for identifier in identifiers:
                    told = self._note(await get(association, identifier)) or told
        return told

    async def _move(self, identifiers: Sequence[Dataset]) -> str:
        told = ""
        contexts = [ProposedContext(STUDY_ROOT_MOVE)]
        async with self.upstream.opener.association(self.upstream.remote, contexts) as association:
            for identifier in identifiers:
                told = self._note(await move(association, identifier, destination=self.move_destination)) or told
        return told

    def _note(self, result: Retrieved) -> str:
        if result.told:
            failed, name = result.progress.failed, self.upstream.remote.ae_title
            _log.warning("gateway.pull", upstream=name, told=result.told, failed=failed)
        return result.told
