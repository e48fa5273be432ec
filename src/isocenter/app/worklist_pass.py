"""Pass the work list of another AE, the RIS, through to modalities, and stand in for it while it is away.

    C-FIND ──▶ RIS ──▶ answers ──▶ modality
                │          └─▶ the node's own work list, as items of that source: the cache
                └─ away ──▶ what is in the cache and not too old

The RIS is asked for everything that a list shows besides what the modality wants, so that one modality's answers serve
another. What the RIS does not answer any more, though it would fit, is taken out of the cache.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog

from isocenter.app.settings import DicomSettings, WorklistSettings
from isocenter.app.worklist import RETURNED, RETURNED_OF_STEP, build_identifier
from isocenter.archive.archive import Archive
from isocenter.archive.worklist import add_items, find_steps, iter_pages, make_item, remove_items
from isocenter.dicom.dataset import Attribute, Dataset, decode_dataset, encode_dataset
from isocenter.dicom.model import Encoding
from isocenter.dicom.part10 import encoding_of
from isocenter.dicom.syntax import EXPLICIT_VR_LITTLE_ENDIAN
from isocenter.dimse.codec.worklist import decode_worklist_request
from isocenter.dimse.scp.worklist import MODALITY_WORKLIST_FIND
from isocenter.dimse.scu.client import Opener, ProposedContext
from isocenter.dimse.scu.errors import RequestFailed
from isocenter.dimse.scu.find import Match, find
from isocenter.dimse.shell.service import QUERY_TRANSFER_SYNTAX_UIDS
from isocenter.dimse.ul.errors import AssociationOver
from isocenter.domain.application_entity import RemoteAe
from isocenter.domain.errors import InvalidAttributes, InvalidSetting, IsocenterError, PeerUnreachable, Unavailable
from isocenter.domain.principal import LOCAL_OWNER
from isocenter.domain.worklist import (
    SCHEDULED_PROCEDURE_STEP_SEQUENCE,
    NewWorklistItem,
    StepState,
    WorklistEntry,
    WorklistQuery,
)

_log = structlog.get_logger()

MATCHES_MAX = 10_000
"""Answers of the RIS to one query; a hospital schedules some thousands of steps a day."""
AWAY_HOLD_S = 15.0
"""So long after a failure the RIS is not asked again: modalities ask often, and would wait each time."""
WARM_INTERVAL_S = 300.0
"""How old the cache is at most, whether modalities ask or not, when the RIS goes away."""
WARM_BEFORE, WARM_AFTER = timedelta(days=1), timedelta(days=2)
"""The days around now that are asked for: yesterday's steps that are late, and what is read before a night."""
_FOREVER = WorklistQuery(states=frozenset(StepState))


@dataclass(frozen=True, slots=True)
class PassStatus:
    """How it stands with the RIS; times are seconds since the epoch."""

    ae_title: str
    is_away: bool
    reached_at: float | None
    away_since: float | None
    reason: str
    cached: int
    oldest_at: float | None


def find_ris(worklist: WorklistSettings, dicom: DicomSettings) -> RemoteAe | None:
    """Return the RIS, None where there is none. Raises InvalidSetting where it is no remote AE with an address."""
    if not worklist.ris:
        return None
    found = next((remote for remote in dicom.remotes if remote.ae_title == worklist.ris.strip()), None)
    if found is None or found.address is None:
        raise InvalidSetting(
            f"worklist.ris names {worklist.ris!r}, which needs a row in dicom.remotes: {worklist.ris}@HOST:PORT."
        )
    return found


class WorklistPass:
    """Ask the RIS, and keep what it answers (`dimse.scp.worklist.Upstream`)."""

    def __init__(self, archive: Archive, settings: WorklistSettings, ris: RemoteAe, opener: Opener) -> None:
        self._archive = archive
        self._settings = settings
        self._ris = ris
        self._opener = opener
        self._reached_at: float | None = None
        self._away_since: float | None = None
        self._asked_at_s = float("-inf")
        self._reason = ""
        self._task: asyncio.Task[None] | None = None

    @property
    def source(self) -> str:
        """Return what items of the RIS have as their source here."""
        return f"ris {self._ris.ae_title}"

    def start(self) -> None:
        """Begin to keep the cache warm."""
        self._task = asyncio.create_task(self._keep_warm())

    async def stop(self) -> None:
        """End that."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    # ---- queries

    async def ask(self, identifier: bytes, encoding: Encoding) -> list[WorklistEntry] | None:
        """Return what the RIS answers; None where it is away and what it answered lately stands in for it."""
        now_s = self._archive.clock.monotonic_s()
        if self._away_since is not None and now_s - self._asked_at_s < AWAY_HOLD_S:
            await self._stand_in()
            return None
        self._asked_at_s = now_s
        try:
            matches = await self._find(_widened(decode_dataset(identifier, encoding)))
        except IsocenterError as error:
            if isinstance(error, RequestFailed) and not _is_its_fault(error.status):
                self._note_reached()
                raise
            self._note_away(error)
            await self._stand_in()
            return None
        self._note_reached()
        items = [item for match in matches if (item := self._item(match)) is not None]
        await self._opener.runtime.run(self._keep, items, identifier, encoding)
        now = self._archive.clock.now().timestamp()
        return [_entry(item, now) for item in items]

    async def _find(self, identifier: Dataset) -> list[Match]:
        contexts = [ProposedContext(MODALITY_WORKLIST_FIND, QUERY_TRANSFER_SYNTAX_UIDS)]
        try:
            async with (
                asyncio.timeout(self._settings.timeout_s),
                self._opener.association(self._ris, contexts) as open_,
            ):
                return await find(open_, identifier, sop_class_uid=MODALITY_WORKLIST_FIND, limit=MATCHES_MAX)
        except TimeoutError as error:
            raise PeerUnreachable(f"{self._ris.ae_title} did not answer in time.") from error
        except AssociationOver as error:
            raise Unavailable(f"The association with {self._ris.ae_title} ended early.") from error

    def _item(self, match: Match) -> NewWorklistItem | None:
        """Return an answer as an item; one that cannot be kept is left out, which the log tells."""
        try:
            return make_item(match.content, encoding_of(match.transfer_syntax_uid), source=self.source)
        except IsocenterError as error:
            _log.warning("worklist.answer_left_out", ris=self._ris.ae_title, reason=error.message)
            return None

    # ---- the cache; in threads

    def _keep(self, items: Sequence[NewWorklistItem], identifier: bytes, encoding: Encoding) -> None:
        """Keep what was answered, and drop what would fit and was not."""
        worklist = self._archive.worklist
        try:
            add_items(worklist, LOCAL_OWNER, items, now=self._archive.clock.now().timestamp())
            if len(items) < MATCHES_MAX:
                query = decode_worklist_request(identifier, encoding).query
                answered = {item.identity for item in items}
                gone = [entry.item_key for entry in self._cached(query) if _identity(entry) not in answered]
                remove_items(worklist, LOCAL_OWNER, gone)
        except InvalidAttributes:  # the modality is told by the provider
            return
        except IsocenterError as error:
            _log.error("worklist.not_cached", reason=error.message)

    def _cached(self, query: WorklistQuery) -> list[WorklistEntry]:
        worklist = self._archive.worklist
        keys = find_steps(worklist, LOCAL_OWNER, query)
        pages = iter_pages(worklist, LOCAL_OWNER, keys)
        return [entry for page in pages for entry in page if entry.source == self.source]

    async def _stand_in(self) -> None:
        """Drop what is too old; raises Unavailable where nothing is left and the RIS was not there lately."""
        oldest = self._archive.clock.now().timestamp() - self._settings.cache_max_age_s
        left = await self._opener.runtime.run(self._expire, oldest)
        was_there = self._reached_at is not None and self._reached_at >= oldest
        if not left and not was_there:
            raise Unavailable(f"{self._ris.ae_title} is away and nothing of its list is known: {self._reason}")
        age_s = round(self._archive.clock.now().timestamp() - max(left, default=self._reached_at or oldest))
        _log.warning("worklist.stands_in", ris=self._ris.ae_title, entries=len(left), age_s=age_s)

    def _expire(self, oldest: float) -> list[float]:
        """Drop what is older; return when each of the others was answered."""
        entries = self._cached(_FOREVER)
        expired = [entry.item_key for entry in entries if entry.added_at < oldest]
        if expired:
            remove_items(self._archive.worklist, LOCAL_OWNER, expired)
        return [entry.added_at for entry in entries if entry.added_at >= oldest]

    async def _keep_warm(self) -> None:
        while True:
            try:
                await self.ask(self._warm_query(), encoding_of(EXPLICIT_VR_LITTLE_ENDIAN))
                oldest = self._archive.clock.now().timestamp() - self._settings.cache_max_age_s
                await self._opener.runtime.run(self._expire, oldest)
            except IsocenterError as error:
                _log.info("worklist.not_warm", ris=self._ris.ae_title, reason=error.message)
            except Exception:  # the outermost loop: there is a next time
                _log.exception("worklist.broken")
            await asyncio.sleep(WARM_INTERVAL_S if self._away_since is None else AWAY_HOLD_S)

    def _warm_query(self) -> bytes:
        now = self._archive.clock.now().astimezone()
        days = f"{now - WARM_BEFORE:%Y%m%d}-{now + WARM_AFTER:%Y%m%d}"
        identifier = build_identifier((("ScheduledProcedureStepStartDate", days),), returned=())
        return encode_dataset(identifier, encoding_of(EXPLICIT_VR_LITTLE_ENDIAN))

    # ---- how it stands

    def _note_reached(self) -> None:
        if self._away_since is not None:
            _log.info("worklist.ris_is_back", ris=self._ris.ae_title)
        self._reached_at, self._away_since, self._reason = self._archive.clock.now().timestamp(), None, ""

    def _note_away(self, error: IsocenterError) -> None:
        if self._away_since is None:
            self._away_since = self._archive.clock.now().timestamp()
        self._reason = error.message
        _log.warning("worklist.ris_is_away", ris=self._ris.ae_title, reason=error.message)

    def status(self) -> PassStatus:
        """Return how it stands; waits for the disk."""
        times = [entry.added_at for entry in self._cached(_FOREVER)]
        return PassStatus(
            self._ris.ae_title,
            is_away=self._away_since is not None,
            reached_at=self._reached_at,
            away_since=self._away_since,
            reason=self._reason,
            cached=len(times),
            oldest_at=min(times, default=None),
        )


def _is_its_fault(status: int) -> bool:
    """Tell whether the RIS could not answer, rather than would not (PS3.4 table K.4.1-2): others are to be stood in."""
    return 0xA700 <= status < 0xA800 or status >= 0xC000


def _identity(entry: WorklistEntry) -> str:
    """Return by what an entry is told from others; an answer has one step, so an item is an entry."""
    return make_item(entry.content, encoding_of(entry.transfer_syntax_uid), source="").identity


def _entry(item: NewWorklistItem, now: float) -> WorklistEntry:
    return WorklistEntry(
        0, 0, 0, StepState.SCHEDULED, item.content, item.transfer_syntax_uid, item.values, now, item.source
    )


def _widened(identifier: Dataset) -> Dataset:
    """Return an identifier that asks for everything a list shows, too."""
    wanted = build_identifier(
        (), returned=(*RETURNED, *(f"ScheduledProcedureStepSequence.{one}" for one in RETURNED_OF_STEP))
    )
    merged: dict[int, Any] = {**wanted, **identifier}
    own, other = (one.get(SCHEDULED_PROCEDURE_STEP_SEQUENCE) for one in (identifier, wanted))
    steps = own.items if own is not None and own.items else ({},)
    if other is not None and other.items:
        merged[SCHEDULED_PROCEDURE_STEP_SEQUENCE] = Attribute(
            "SQ", items=tuple(dict(sorted({**other.items[0], **step}.items())) for step in steps)
        )
    return dict(sorted(merged.items()))
