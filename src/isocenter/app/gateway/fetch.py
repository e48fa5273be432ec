"""Bring studies and series of the archive behind a gateway into its cache, each once however many ask for it.

What is there is not fetched again: the archive is asked what it has, and only what is missing comes. Answers of a
moment ago hold, so that a viewer that asks for a hundred frames costs one look.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from isocenter.app.dimse_listing import Listed, list_instances
from isocenter.app.dimse_peer import DimsePeer
from isocenter.app.gateway.upstream import Upstream, upstream_errors
from isocenter.app.retrieving import scope_identifier
from isocenter.archive.archive import Archive
from isocenter.archive.delete import delete
from isocenter.dicom.dataset import Dataset
from isocenter.domain.errors import NotFound, TooLarge, Unavailable
from isocenter.domain.identifiers import InstanceIdentifier, Scope
from isocenter.domain.principal import LOCAL_OWNER

_log = structlog.get_logger()

FRESH_S = 30.0
"""How long the archive is not asked again what it has: while a viewer opens a study."""
KNOWN_MAX = 10_000
"""Studies and series of which it is remembered when they were looked at."""
UIDS_PER_REQUEST_MAX = 100
"""Of one retrieval of instances by their UIDs: 6 KB, which every archive takes."""
WHOLE_MIN_SHARE = 0.5
"""Where more than half is missing all of it is asked for, in one request that every archive understands."""
FETCHES_MAX = 4
"""Retrievals at a time: what archives of hospitals take beside their own work."""
WAITING_MAX = 256
"""Fetches that wait for their turn; more are refused, so that callers do not pile up without end."""

Classes = Mapping[str, Iterable[str]]
"""Transfer syntaxes by SOP class; none where the archive did not tell."""


class Puller(Protocol):
    """One way to have the archive send instances into the cache."""

    async def pull(self, identifiers: Sequence[Dataset], classes: Classes | None) -> str:
        """Have it send what the identifiers name; return what it told where it did not send everything.

        Classes are None where the archive could not be searched.
        """
        ...


@dataclass(slots=True)
class _Known:
    """What is known of a study or series that was looked at."""

    looked_at: float
    used_at: float
    listed: frozenset[InstanceIdentifier] | None
    told: str = ""
    """By the archive, where it did not send everything."""


@dataclass(slots=True)
class Fetcher:
    """Keep the cache in step with what callers ask for."""

    upstream: Upstream
    cache: Archive
    puller: Puller
    monotonic_s: Callable[[], float]
    _known: dict[Scope, _Known] = field(default_factory=dict)
    _running: dict[Scope, asyncio.Task[None]] = field(default_factory=dict)
    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(FETCHES_MAX))

    async def ensure(self, scope: Scope) -> None:
        """Return when the cache has what a scope names.

        Raises NotFound where the archive has nothing of that name, Unavailable where it cannot be reached or did not
        send all of it, TooLarge where too many fetches wait.
        """
        unit = Scope(scope.study_instance_uid, scope.series_instance_uid)
        running = self._covering(unit)
        if running is not None:
            await asyncio.shield(running)
        if self._fresh(unit) is None:
            await self._begin(unit)
        await self._require(scope, unit)

    def _covering(self, unit: Scope) -> asyncio.Task[None] | None:
        """Return a fetch under way that brings a study or series: its own, or that of the series' study."""
        return self._running.get(unit) or self._running.get(Scope(unit.study_instance_uid))

    def _fresh(self, unit: Scope) -> _Known | None:
        now = self.monotonic_s()
        for each in (unit, Scope(unit.study_instance_uid)):
            known = self._known.get(each)
            if known is not None and now - known.looked_at < FRESH_S:
                known.used_at = now
                return known
        return None

    async def _begin(self, unit: Scope) -> None:
        if len(self._running) >= WAITING_MAX:
            raise TooLarge("Too many studies are being fetched at the same time; try again in a moment.")
        task = asyncio.get_running_loop().create_task(self._fetch(unit))
        self._running[unit] = task
        task.add_done_callback(lambda ended: self._end(unit, ended))
        await asyncio.shield(task)

    def _end(self, unit: Scope, ended: asyncio.Task[None]) -> None:
        self._running.pop(unit, None)
        if not ended.cancelled():
            ended.exception()  # every caller may have gone away; those who wait see it all the same

    async def _fetch(self, unit: Scope) -> None:
        remote = self.upstream.remote
        async with self._turns:
            with upstream_errors(remote.ae_title):
                listed = await list_instances(self.upstream.opener, DimsePeer(remote), unit)
                if listed is None:
                    told = await self.puller.pull([scope_identifier(unit)], None)
                else:
                    told = await self._bring(unit, listed)
        self._remember(unit, None if listed is None else frozenset(each.identifier for each in listed), told)

    async def _bring(self, unit: Scope, listed: Sequence[Listed]) -> str:
        stored = await self._stored(unit)
        await self._drop(stored - {each.identifier for each in listed})
        missing = [each for each in listed if each.identifier not in stored]
        if not missing:
            return ""
        _log.info("gateway.fetch", upstream=self.upstream.remote.ae_title, instances=len(missing), of=len(listed))
        is_whole = len(missing) > WHOLE_MIN_SHARE * len(listed)
        identifiers = [scope_identifier(unit)] if is_whole else _parts(missing)
        return await self.puller.pull(identifiers, _classes(missing))

    async def _stored(self, unit: Scope) -> set[InstanceIdentifier]:
        rows = await self.upstream.opener.runtime.run(self.cache.index.instances, unit)
        return {row.identifier for row in rows}

    async def _drop(self, gone: Iterable[InstanceIdentifier]) -> None:
        """Forget what the archive no longer has."""
        for one in gone:
            scope = Scope(one.study_instance_uid, one.series_instance_uid, one.sop_instance_uid)
            await self.upstream.opener.runtime.run(delete, self.cache, LOCAL_OWNER, scope)

    def _remember(self, unit: Scope, listed: frozenset[InstanceIdentifier] | None, told: str) -> None:
        now = self.monotonic_s()
        while len(self._known) >= KNOWN_MAX:
            self._known.pop(min(self._known, key=lambda each: self._known[each].used_at))
        self._known[unit] = _Known(now, now, listed, told)

    async def _require(self, scope: Scope, unit: Scope) -> None:
        """Raise unless the cache has all that the archive listed of a scope."""
        known = self._known.get(unit) or self._known.get(Scope(unit.study_instance_uid))
        stored = await self._stored(scope)
        listed = None if known is None else known.listed
        if listed is None:
            if not stored:
                raise NotFound(f"{self.upstream.remote.ae_title} has no {scope.level.name.lower()} of that UID.")
            return
        wanted = _within(listed, scope)
        if not wanted:
            raise NotFound(f"{self.upstream.remote.ae_title} has no {scope.level.name.lower()} of that UID.")
        missing = len(wanted - stored)
        if missing:
            self._known.pop(unit, None)
            said = f": {known.told}" if known is not None and known.told else "; try again"
            raise Unavailable(
                f"{self.upstream.remote.ae_title} did not send {missing:,} of {len(wanted):,} instances{said}."
            )

    def forget(self, study_instance_uid: str) -> None:
        """Look at a study anew when it is asked for next: the archive has something else of it now."""
        for unit in [each for each in self._known if each.study_instance_uid == study_instance_uid]:
            self._known.pop(unit, None)

    async def forget_unused(self, older_than_s: float) -> int:
        """Delete from the cache the studies that nobody asked for lately; return how many."""
        now = self.monotonic_s()
        used: dict[str, float] = {}
        for unit, known in self._known.items():
            used[unit.study_instance_uid] = max(known.used_at, used.get(unit.study_instance_uid, 0.0))
        unused = [study for study, at in used.items() if now - at > older_than_s]
        for study in unused:
            self.forget(study)
            if self._covering(Scope(study)) is None:
                try:
                    await self.upstream.opener.runtime.run(delete, self.cache, LOCAL_OWNER, Scope(study))
                except NotFound:
                    continue
        return len(unused)


def _within(listed: frozenset[InstanceIdentifier], scope: Scope) -> Set[InstanceIdentifier]:
    """Return what lies within a scope; one instance is looked up, since viewers ask for each frame by itself."""
    study, series, sop_instance_uid = scope.study_instance_uid, scope.series_instance_uid, scope.sop_instance_uid
    if series is not None and sop_instance_uid is not None:
        return listed & {InstanceIdentifier(study, series, sop_instance_uid)}
    if series is None:
        return listed
    return {one for one in listed if one.series_instance_uid == series}


def _classes(missing: Sequence[Listed]) -> Classes | None:
    classes: dict[str, dict[str, None]] = {}
    for each in missing:
        if not each.sop_class_uid:
            return None
        classes.setdefault(each.sop_class_uid, {}).update(dict.fromkeys(each.transfer_syntax_uids))
    return classes


def _parts(missing: Sequence[Listed]) -> list[Dataset]:
    """Return the identifiers of requests for single instances."""
    by_series: dict[Scope, list[str]] = {}
    for each in missing:
        named = each.identifier
        series = Scope(named.study_instance_uid, named.series_instance_uid)
        by_series.setdefault(series, []).append(named.sop_instance_uid)
    return [
        scope_identifier(series, sop_instance_uids=uids[start : start + UIDS_PER_REQUEST_MAX])
        for series, uids in by_series.items()
        for start in range(0, len(uids), UIDS_PER_REQUEST_MAX)
    ]
