"""Ask another application entity: C-ECHO, C-FIND, and C-MOVE to ourselves or C-GET where that is refused."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from isocenter.app.console.query_failures import dimse_failures
from isocenter.app.console.query_peers import DimsePeer
from isocenter.app.dimse_listing import Listed, list_instances
from isocenter.app.dimse_peer import DimsePeer as CalledPeer
from isocenter.app.finding import FindRequest, build_identifier, row_of
from isocenter.app.retrieving import scope_identifier
from isocenter.dimse.scp.store import Storage
from isocenter.dimse.scu.client import Opener, ProposedContext
from isocenter.dimse.scu.echo import VERIFICATION, echo
from isocenter.dimse.scu.errors import ContextRefused, RequestFailed
from isocenter.dimse.scu.find import STUDY_ROOT_FIND, find
from isocenter.dimse.scu.retrieve import STUDY_ROOT_GET, STUDY_ROOT_MOVE, Progress, Retrieved, get, move
from isocenter.dimse.scu.storage_plan import GUESSED_CLASSES, plan_storage
from isocenter.dimse.shell.service import ServiceTable
from isocenter.domain.identifiers import Level, Scope
from isocenter.domain.query import SearchRow
from isocenter.routing.catalogue.entry import Family
from isocenter.routing.translation.json_row import JsonRow

STUDY_RETURNED = (
    "StudyDate",
    "StudyTime",
    "PatientName",
    "PatientID",
    "AccessionNumber",
    "StudyDescription",
    "ModalitiesInStudy",
    "NumberOfStudyRelatedSeries",
    "NumberOfStudyRelatedInstances",
)
SERIES_RETURNED = ("Modality", "SeriesNumber", "SeriesDescription", "NumberOfSeriesRelatedInstances")
SERIES_MAX = 2000
"""Of one study."""
MOVE, GET = "C-MOVE", "C-GET"
MOVE_REFUSED = frozenset({0xA801, 0x0122, 0x0124, 0x0211})
"""Move destination unknown, no such SOP class, not authorized, unrecognized operation (PS3.4 table C.4-2, PS3.7 C)."""
MOVED_NOWHERE = frozenset({0xA702, 0xA801})
"""Unable to perform sub-operations, move destination unknown (PS3.4 table C.4-2)."""


@dataclass(frozen=True, slots=True)
class Course:
    """Who is told how a retrieval goes on."""

    on_listed: Callable[[Sequence[str]], None]
    """Given the SOP Instance UIDs that the peer says it has; none where it cannot tell."""
    on_way: Callable[[str], None]
    """Told by which service it goes."""
    on_begin: Callable[[Callable[[], None]], None]
    """Given what asks the peer to end it."""
    on_progress: Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class DimseAsking:
    """One application entity, and what opens associations to it."""

    peer: DimsePeer
    opener: Opener

    async def echo(self) -> str:
        """Return what it answered, in a sentence."""
        began = time.perf_counter()
        with dimse_failures(self.peer.row.name, Family.DIMSE):
            async with self.opener.association(self.peer.remote, [ProposedContext(VERIFICATION)]) as association:
                opened = time.perf_counter()
                await echo(association)
                answered = time.perf_counter()
                version = association.record.implementation_version_name
        who = f" ({version})" if version else ""
        return (
            f"{self.peer.row.name} answers{who}: association in {(opened - began) * 1000:.0f} ms, "
            f"echo in {(answered - opened) * 1000:.0f} ms."
        )

    async def studies(self, keys: Sequence[tuple[str, str]], *, limit: int) -> list[SearchRow]:
        """Return studies that match, at most `limit`."""
        return await self._find(FindRequest(Level.STUDY, tuple(keys), returned=STUDY_RETURNED, limit=limit))

    async def series(self, study_instance_uid: str) -> list[SearchRow]:
        """Return the series of a study."""
        keys = (("StudyInstanceUID", study_instance_uid),)
        return await self._find(FindRequest(Level.SERIES, keys, returned=SERIES_RETURNED, limit=SERIES_MAX))

    async def _find(self, request: FindRequest) -> list[SearchRow]:
        with dimse_failures(self.peer.row.name, Family.FIND):
            identifier = build_identifier(request)
            async with self.opener.association(self.peer.remote, [ProposedContext(STUDY_ROOT_FIND)]) as association:
                matches = await find(association, identifier, limit=request.limit)
        return [search_row(JsonRow(row_of(match))) for match in matches]

    async def retrieve(self, scope: Scope, course: Course, *, move_to: str, storage: Storage) -> Retrieved:
        """Have a study or series brought here: by C-MOVE to a title of ours, by C-GET where that is refused."""
        with dimse_failures(self.peer.row.name, Family.RETRIEVE):
            listed = await list_instances(self.opener, CalledPeer(self.peer.remote, self.opener.ae_title), scope)
            course.on_listed([one.identifier.sop_instance_uid for one in listed or ()])
            moved = await self._move(scope, course, destination=move_to) if move_to else None
            if moved is not None and not _reached_nobody(moved):
                return moved
            try:
                return await self._get(scope, course, listed or [], storage)
            except ContextRefused:
                if moved is None:
                    raise
                course.on_way(MOVE)
                return moved

    async def _move(self, scope: Scope, course: Course, *, destination: str) -> Retrieved | None:
        """Have it sent to a title of ours; return None where the peer refuses that, or does not know the title."""
        course.on_way(MOVE)
        try:
            async with self.opener.association(self.peer.remote, [ProposedContext(STUDY_ROOT_MOVE)]) as association:
                return await move(
                    association,
                    scope_identifier(scope),
                    destination=destination,
                    on_progress=course.on_progress,
                    on_begin=course.on_begin,
                )
        except ContextRefused:
            return None
        except RequestFailed as error:
            if error.status in MOVE_REFUSED:
                return None
            raise

    async def _get(self, scope: Scope, course: Course, listed: Sequence[Listed], storage: Storage) -> Retrieved:
        course.on_way(GET)
        classes: dict[str, dict[str, None]] = {}
        for one in listed:
            if one.sop_class_uid:
                classes.setdefault(one.sop_class_uid, {}).update(dict.fromkeys(one.transfer_syntax_uids))
        # One association: a second one, for further classes, would have the peer send everything again.
        guessed: dict[str, dict[str, None]] = {uid: {} for uid in GUESSED_CLASSES}
        [plan, *_] = plan_storage(classes or guessed)
        contexts = [ProposedContext(STUDY_ROOT_GET), *(context for each in plan.values() for context in each)]
        services = ServiceTable([], other=storage.find)
        async with self.opener.association(self.peer.remote, contexts, services=services) as association:
            return await get(
                association, scope_identifier(scope), on_progress=course.on_progress, on_begin=course.on_begin
            )


def _reached_nobody(moved: Retrieved) -> bool:
    """Tell whether a peer took the order and sent nothing: some know the title only when they call it."""
    return moved.status in MOVED_NOWHERE and not moved.progress.completed and not moved.progress.warning


def search_row(row: JsonRow) -> SearchRow:
    """Return a row of an answer as the archive's own searches give theirs."""
    return SearchRow(0, {tag: row.text_of(tag) for tag in row})
