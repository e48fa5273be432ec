"""Carry one run of a rule out: search, choose, compare, fetch, and tell what became of each candidate.

sources ─▶ candidates ─▶ chosen ─▶ series there ─▶ series missing here ─▶ fetched
                └──────────┴── each with a reason ──┴────────────────────────┴──▶ report
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import structlog

from isocenter.app.prefetching.source import Source
from isocenter.domain.errors import IsocenterError, Unavailable
from isocenter.domain.identifiers import Scope
from isocenter.ports.index import InstanceIndex
from isocenter.routing.prefetch.choose import Candidate, Judgement, choose
from isocenter.routing.prefetch.plan import MissingSeries, SourceSeries, missing_series
from isocenter.routing.prefetch.region import regions_of
from isocenter.routing.prefetch.rule import PrefetchRule
from isocenter.routing.prefetch.trigger import Trigger, reference_day

_log = structlog.get_logger()

LOOKED_INTO_MAX = 50
"""Studies that are asked for their series because their description tells no region."""

NoteFetched = Callable[[Candidate], None]
"""Told of a study before it is fetched, so that its arrival is known for what it is."""


@dataclass(slots=True)
class Report:
    """What became of a run; for people, and kept."""

    judgements: tuple[Judgement, ...] = ()
    missing: dict[str, tuple[MissingSeries, ...]] = field(default_factory=dict)
    """By study that was chosen; nothing where it is here."""
    fetched: list[dict[str, Any]] = field(default_factory=list)
    problems: list[dict[str, Any]] = field(default_factory=list)
    has_failed_fetch: bool = False

    @property
    def is_to_be_tried_again(self) -> bool:
        """Tell whether something failed that may not fail later."""
        return any(problem["is_transient"] for problem in self.problems)

    @property
    def is_failed(self) -> bool:
        """Tell whether what was chosen is not here, or nothing could be searched."""
        return bool(self.problems) and (self.has_failed_fetch or not self.judgements)

    def note_problem(self, source: str, error: IsocenterError) -> None:
        """Keep why a source could not be asked, or did not send."""
        is_transient = isinstance(error, Unavailable)
        self.problems.append({"source": source, "reason": error.message, "is_transient": is_transient})

    def as_json(self) -> dict[str, Any]:
        """Return it to be kept, and for programs."""
        return {
            "judgements": [_judgement_json(one, self.missing) for one in self.judgements],
            "fetched": self.fetched,
            "problems": self.problems,
        }


def _judgement_json(one: Judgement, missing: Mapping[str, Sequence[MissingSeries]]) -> dict[str, Any]:
    candidate = one.candidate
    document: dict[str, Any] = {
        "study_instance_uid": candidate.study_instance_uid,
        "source": candidate.source,
        "study_date": candidate.study_date,
        "modalities": list(candidate.modalities),
        "is_chosen": one.is_chosen,
        "score": one.score,
        "reason": one.reason,
    }
    if one.is_chosen and candidate.study_instance_uid in missing:
        document["missing_series"] = [
            {"series_instance_uid": series.series_instance_uid, "instances": series.instances, "reason": series.reason}
            for series in missing[candidate.study_instance_uid]
        ]
    return document


class Run:
    """One run."""

    def __init__(
        self,
        index: InstanceIndex,
        sources: Sequence[Source],
        rule: PrefetchRule,
        trigger: Trigger,
        *,
        now: Callable[[], datetime],
    ) -> None:
        self._index = index
        self._now = now
        self._sources = {source.name: source for source in sources}
        self._rule = rule
        self._trigger = trigger
        self._series: dict[tuple[str, str], list[SourceSeries]] = {}
        self.report = Report()

    async def explain(self) -> Report:
        """Search, choose and compare; nothing is fetched."""
        candidates: list[Candidate] = []
        for source in self._sources.values():
            try:
                candidates += await self._look_into(source, await source.studies(self._trigger.patient_id))
            except IsocenterError as error:
                self.report.note_problem(source.name, error)
        day = reference_day(self._trigger, now=self._now())
        self.report.judgements = choose(candidates, self._trigger, self._rule, day=day)
        for one in self.report.judgements:
            if one.is_chosen:
                await self._compare(one.candidate)
        return self.report

    async def carry_out(self, note_fetched: NoteFetched) -> Report:
        """Do the same, and fetch what is missing."""
        await self.explain()
        for one in self.report.judgements:
            missing = self.report.missing.get(one.candidate.study_instance_uid, ())
            if one.is_chosen and missing:
                await asyncio.to_thread(note_fetched, one.candidate)
                await self._fetch(one.candidate, missing)
        return self.report

    async def _look_into(self, source: Source, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Return candidates with the body parts of their series, where their own words tell no region."""
        out: list[Candidate] = []
        asked = 0
        for candidate in candidates:
            is_known = bool(regions_of(candidate.description, synonyms=self._rule.synonyms))
            if not is_known and asked < LOOKED_INTO_MAX:
                asked += 1
                told = await self._series_of(source, candidate.study_instance_uid)
                words = dict.fromkeys([candidate.description, *(series.description for series in told)])
                modalities = candidate.modalities or tuple(dict.fromkeys(one.modality for one in told if one.modality))
                candidate = replace(candidate, description=" ".join(filter(None, words)), modalities=modalities)
            out.append(candidate)
        return out

    async def _series_of(self, source: Source, study_instance_uid: str) -> list[SourceSeries]:
        key = (source.name, study_instance_uid)
        if key not in self._series:
            self._series[key] = await source.series(study_instance_uid)
        return self._series[key]

    async def _compare(self, candidate: Candidate) -> None:
        uid = candidate.study_instance_uid
        try:
            there = await self._series_of(self._sources[candidate.source], uid)
            self.report.missing[uid] = missing_series(there, await asyncio.to_thread(self._here, uid))
        except IsocenterError as error:
            self.report.note_problem(candidate.source, error)

    def _here(self, study_instance_uid: str) -> Mapping[str, int]:
        rows = self._index.instances(Scope(study_instance_uid))
        return Counter(row.identifier.series_instance_uid for row in rows)

    async def _fetch(self, candidate: Candidate, missing: Sequence[MissingSeries]) -> None:
        uid = candidate.study_instance_uid
        before = await asyncio.to_thread(self._here, uid)
        scopes = [Scope(uid, series.series_instance_uid) for series in missing]
        try:
            await self._sources[candidate.source].fetch(scopes)
        except IsocenterError as error:
            self.report.note_problem(candidate.source, error)
            self.report.has_failed_fetch = True
            _log.warning("prefetch.not_fetched", source=candidate.source, study_instance_uid=uid, reason=error.message)
        here = await asyncio.to_thread(self._here, uid)
        came = sum(here.values()) - sum(before.values())
        if came:
            told = {"study_instance_uid": uid, "source": candidate.source, "instances": came}
            self.report.fetched.append(told | {"series": [series.series_instance_uid for series in missing]})
            _log.info("prefetch.fetched", source=candidate.source, study_instance_uid=uid, instances=came)
