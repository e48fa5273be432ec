"""Prefetching beside a running node: followers that trigger, and runs that are carried out, a few at a time.

A run is kept until it is done: after a kill it is begun again, and series that came already are not fetched twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import tzinfo

import structlog

from isocenter.app.prefetching.desk import PrefetchDesk
from isocenter.app.prefetching.following import StudyFollower, WorklistFollower
from isocenter.app.prefetching.opened import OpenedStudies
from isocenter.app.prefetching.run import Run
from isocenter.app.prefetching.source import Source
from isocenter.archive.archive import Archive
from isocenter.domain.errors import IsocenterError
from isocenter.ports.prefetches import PrefetchRun, RunState
from isocenter.ports.watched_studies import KeptExpectation
from isocenter.routing.completeness.judge import EvidenceKind
from isocenter.routing.prefetch.choose import Candidate
from isocenter.routing.prefetch.rule import DAY_S, PrefetchRule, TriggerKind
from isocenter.routing.prefetch.trigger import trigger_of_json

_log = structlog.get_logger()

RUNS_AT_ONCE = 2
"""Archives tolerate few retrievals at a time, and readers have their own."""
POLL_S = 1.0
"""How late a run may begin: a look at an idle table takes some 50 µs."""
FEED_POLL_S = 1.0
WORKLIST_POLL_S = 30.0
OPENED_POLL_S = 2.0
WAIT_FIRST_S, WAIT_MAX_S = 5.0, 600.0
"""Between attempts: a source that is back is asked within ten minutes."""
AGE_MAX_S = DAY_S
"""A run that could not be carried out for so long is given up: whoever wanted the priors has asked for them."""
KEPT_S = 90 * DAY_S
"""How long runs and what they fetched are told of."""
FORGET_INTERVAL_S = 3600.0


class Prefetching:
    """Followers and runs, in the event loop of the node."""

    def __init__(
        self,
        archive: Archive,
        desk: PrefetchDesk,
        opened: OpenedStudies,
        *,
        local: tzinfo,
        tells_counts: bool = False,
    ) -> None:
        """With `tells_counts`, the watch over studies learns how many instances sources have of what is fetched."""
        self._tells_counts = tells_counts
        self._archive = archive
        self._prefetches = archive.prefetches
        self._opened = opened
        self._desk = desk
        self._rules = {rule.name: rule for rule in desk.rules}
        self._local = local
        self._sources_of: Callable[[str], list[Source]] = lambda _rule_name: []
        self._running: dict[int, asyncio.Task[None]] = {}

    async def run(self, sources_of: Callable[[str], list[Source]]) -> None:
        """Work until it is cancelled; `sources_of` gives the sources of a rule."""
        self._sources_of = sources_of
        kinds = {kind for rule in self._rules.values() if rule.is_enabled for kind in rule.on}
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._begin_runs())
                group.create_task(self._forget())
                group.create_task(self._note_opened())
                if TriggerKind.STUDY in kinds:
                    group.create_task(self._follow_studies())
                if TriggerKind.WORKLIST in kinds:
                    group.create_task(self._follow_worklist())
        finally:
            for task in self._running.values():
                task.cancel()
            await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def _follow_studies(self) -> None:
        follower = await asyncio.to_thread(StudyFollower, self._archive, self._desk, self._prefetches)
        while True:
            has_more = await self._guarded(follower.look)
            if not has_more:
                await asyncio.sleep(FEED_POLL_S)

    async def _follow_worklist(self) -> None:
        follower = WorklistFollower(self._archive, self._desk, local=self._local)
        while True:
            await self._guarded(follower.look)
            await asyncio.sleep(WORKLIST_POLL_S)

    async def _forget(self) -> None:
        while True:
            await self._guarded(lambda: self._prefetches.forget(before=self._now() - KEPT_S))
            await asyncio.sleep(FORGET_INTERVAL_S)

    async def _note_opened(self) -> None:
        while True:
            await self._guarded(lambda: self._opened.note(self._prefetches, now=self._now()))
            await asyncio.sleep(OPENED_POLL_S)

    async def _guarded(self, look: Callable[[], int]) -> int:
        """Call something in a thread; where it fails, there is a next time."""
        try:
            return await asyncio.to_thread(look)
        except IsocenterError as error:
            _log.error("prefetch.failed", reason=error.message)
        except Exception:  # the outermost loop: what waits stays where it is
            _log.exception("prefetch.broken")
        return 0

    # ---- runs

    async def _begin_runs(self) -> None:
        while True:
            due: list[PrefetchRun] = []

            def look(found: list[PrefetchRun] = due) -> int:
                found += self._prefetches.due(now=self._now(), limit=2 * RUNS_AT_ONCE)
                return len(found)

            await self._guarded(look)
            for run in due:
                if run.run_key not in self._running and len(self._running) < RUNS_AT_ONCE:
                    self._begin(run)
            waiting = asyncio.ensure_future(asyncio.sleep(POLL_S))
            await asyncio.wait([waiting, *self._running.values()], return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()

    def _begin(self, run: PrefetchRun) -> None:
        task = asyncio.ensure_future(self._carry_out(run))
        self._running[run.run_key] = task
        task.add_done_callback(lambda _task: self._running.pop(run.run_key, None))

    async def _carry_out(self, run: PrefetchRun) -> None:
        try:
            ended = await self._attempt(run)
            await asyncio.to_thread(self._prefetches.replace, ended)
            _log.info("prefetch.attempted", rule=run.rule, run=run.run_key, state=ended.state.value)
        except IsocenterError as error:
            _log.error("prefetch.failed", run=run.run_key, reason=error.message)
            await asyncio.sleep(WAIT_FIRST_S)
        except Exception:  # the outermost loop of the run
            _log.exception("prefetch.broken", run=run.run_key)
            await asyncio.sleep(WAIT_FIRST_S)

    async def _attempt(self, run: PrefetchRun) -> PrefetchRun:
        rule = self._rules.get(run.rule)
        if rule is None:
            problem = {"source": "", "reason": "The rule is not configured any more.", "is_transient": False}
            return replace(run, state=RunState.FAILED, finished_at=self._now(), report={"problems": [problem]})
        sources = self._sources_of(rule.name)
        trigger = trigger_of_json(dict(run.trigger))
        one = Run(self._archive.index, sources, rule, trigger, now=self._archive.clock.now)
        report = await one.carry_out(lambda candidate: self._note_fetched(candidate, rule))
        fetched = [*run.report.get("fetched", []), *report.fetched]
        changed = replace(run, attempts=run.attempts + 1, report={**report.as_json(), "fetched": fetched})
        now = self._now()
        if report.is_to_be_tried_again and now - max(run.received_at, run.start_at) < AGE_MAX_S:
            wait_s = min(WAIT_MAX_S, WAIT_FIRST_S * 2.0 ** min(run.attempts, 16))
            return replace(changed, start_at=now + wait_s)
        is_failed = report.is_failed or report.is_to_be_tried_again
        return replace(changed, state=RunState.FAILED if is_failed else RunState.DONE, finished_at=now)

    def _note_fetched(self, candidate: Candidate, rule: PrefetchRule) -> None:
        """Keep that a study is fetched, and how many instances its source tells of, for whoever waits for all of it."""
        now, uid = self._now(), candidate.study_instance_uid
        self._prefetches.note_fetched(uid, rule=rule.name, source=candidate.source, now=now)
        if candidate.instances and self._tells_counts:
            count = EvidenceKind.COUNT.value
            expected = KeptExpectation(uid, count, candidate.source, count=candidate.instances, noted_at=now)
            self._archive.watched_studies.expect(expected)

    def _now(self) -> float:
        return self._archive.clock.now().timestamp()
