"""Play a scenario: start what runs, send the load, make each step when it is due, sample, and gather evidence.

files ──▶ links ──▶ processes ──▶ load ─┬─▶ sample ──▶ step due? ──▶ act ─┐
                                        └────────────── every 0.2 s ◀─────┘──▶ evidence ──▶ verdict
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, ExitStack, suppress
from pathlib import Path

import httpx

from isocenter.app.faults.counters import Counters
from isocenter.app.faults.evidence import ask_archive
from isocenter.app.faults.load import Load
from isocenter.app.faults.plane import FaultPlane, running_plane
from isocenter.app.faults.process import ScenarioProcess
from isocenter.domain.errors import IsocenterError
from isocenter.modality.faults.board import ActiveFault
from isocenter.modality.faults.fault import Refuse
from isocenter.modality.faults.record import Happening, Record, Sample
from isocenter.modality.faults.scenario import (
    ActOnProcess,
    ClearFaults,
    DuplicatesAtMost,
    NothingLost,
    ProcessAction,
    RecoveredWithin,
    Scenario,
    SetFault,
    Step,
)
from isocenter.modality.faults.schedule import Schedule
from isocenter.modality.faults.sections import described

SAMPLE_S = 0.2
"""Finer than what a person sees, and no load for a component."""
SETTLED_SAMPLES = 5
"""A backlog that is empty for a second has drained."""
_BEGINNINGS = frozenset(
    {
        ProcessAction.KILL,
        ProcessAction.TERMINATE,
        ProcessAction.STOP,
        ProcessAction.DENY_WRITES,
        ProcessAction.FILL_VOLUME,
    }
)
"""What trouble begins with; the other actions end it."""
OnEvent = Callable[[str], None]
OnPlane = Callable[[FaultPlane], Awaitable[None]]


async def play(scenario: Scenario, folder: Path, *, on_event: OnEvent, on_plane: OnPlane) -> Record:
    """Play a scenario in a folder of its own, and return what was seen; everything that it started has ended then."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in scenario.files:
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.text, encoding="utf-8")
    record = Record()
    async with AsyncExitStack() as stack:
        plane = await stack.enter_async_context(running_plane(scenario.links))
        await on_plane(plane)
        processes = {plan.name: ScenarioProcess(plan, folder) for plan in scenario.processes}
        killing = stack.enter_context(ExitStack())
        for process in processes.values():
            killing.callback(process.kill)
        client = await stack.enter_async_context(httpx.AsyncClient(verify=False))  # noqa: S501 - see process.py
        player = _Player(scenario, plane, processes, Counters(scenario.counters, client), record, on_event)
        await player.play(folder)
        for process in reversed(processes.values()):
            with suppress(IsocenterError):
                await process.end()
    return record


class _Player:
    def __init__(
        self,
        scenario: Scenario,
        plane: FaultPlane,
        processes: dict[str, ScenarioProcess],
        counters: Counters,
        record: Record,
        on_event: OnEvent,
    ) -> None:
        self._scenario = scenario
        self._plane = plane
        self._processes = processes
        self._counters = counters
        self._record = record
        self._on_event = on_event
        self._loop = asyncio.get_running_loop()
        self._began_s = self._loop.time()
        self._load: Load | None = None
        self._set: list[tuple[str, ActiveFault]] = []

    async def play(self, folder: Path) -> None:
        """Play from the start of the processes to the evidence."""
        await asyncio.gather(self._prepare_load(folder), *map(self._start, self._processes.values()))
        self._began_s = self._loop.time()
        sending = None if self._load is None else self._loop.create_task(self._load.send())
        try:
            await self._play_steps(sending)
        finally:
            if sending is not None:
                sending.cancel()
                with suppress(asyncio.CancelledError):
                    await sending
        await self._gather_evidence()

    async def _start(self, process: ScenarioProcess) -> None:
        if process.plan.is_started:
            await process.start()
            self._tell(f"{process.plan.name} runs")

    async def _prepare_load(self, folder: Path) -> None:
        if self._scenario.load is None:
            return
        self._load = Load(self._scenario.load, folder / "load")
        await asyncio.to_thread(self._load.prepare)
        self._tell(f"{self._load.instances} instances are ready to be sent")

    async def _play_steps(self, sending: asyncio.Task[None] | None) -> None:
        load_size = 0 if self._load is None else self._load.instances
        schedule = Schedule(self._scenario.steps, instances=load_size)
        acting: asyncio.Task[None] | None = None
        try:
            while self._now_s() < self._scenario.duration_max_s:
                sample = await self._sample()
                if acting is None and (step := schedule.take_due(sample)) is not None:
                    acting = self._loop.create_task(self._act(step))
                elif acting is not None and acting.done():
                    await acting
                    acting = None
                    continue
                if sending is not None and sending.done():
                    sending.result()
                if acting is None and not schedule.left and self._has_settled():
                    break
                await asyncio.sleep(SAMPLE_S)
            if acting is not None:
                await acting
        finally:
            if acting is not None:
                acting.cancel()
            self._record.steps_left = schedule.left
            self._record.ended_at_s = self._now_s()

    def _now_s(self) -> float:
        return self._loop.time() - self._began_s

    async def _sample(self) -> Sample:
        load = self._load
        at_s = self._now_s()
        sample = Sample(
            at_s=at_s,
            sent=0 if load is None else load.tried,
            acknowledged=0 if load is None else len(load.acknowledged),
            counters=await self._counters.read(),
        )
        self._record.add(sample)
        return sample

    def _has_settled(self) -> bool:
        """Tell whether trouble and load are over, and what is to be back is back."""
        if self._now_s() < self._record.trouble_over_s or (self._load is not None and not self._load.is_done):
            return False
        wanted = [one for one in self._scenario.expectations if isinstance(one, RecoveredWithin)]
        last = [one for one in self._record.samples[-SETTLED_SAMPLES:] if one.at_s >= self._record.trouble_over_s]
        return len(last) == SETTLED_SAMPLES and all(
            sample.counters.get(one.counter, one.value + 1) <= one.value for one in wanted for sample in last
        )

    # Steps

    async def _act(self, step: Step) -> None:
        at_s = self._now_s()
        try:
            match step.action:
                case SetFault(link=name, fault=fault, for_s=for_s):
                    self._set.append((name, self._plane.link(name).set(fault, for_s=for_s)))
                    ends_s = at_s + (for_s or 0.0) if for_s is not None or fault.count else None
                    self._happened(Happening(at_s, name, described(fault), ends_s=ends_s))
                case ClearFaults(link=name):
                    self._plane.link(name).clear()
                    self._happened(Happening(at_s, name, "faults cleared", is_trouble=False))
                case ActOnProcess(process=name, action=action):
                    await self._act_on(name, action, at_s)
        except IsocenterError as error:
            self._record.problems.append(error.message)
            self._tell(error.message)

    async def _act_on(self, name: str, action: ProcessAction, at_s: float) -> None:
        is_trouble = action in _BEGINNINGS
        if is_trouble:
            self._happened(Happening(at_s, name, action.value))
        await self._processes[name].act(action)
        if not is_trouble:
            self._happened(Happening(self._now_s(), name, action.value, is_trouble=False))

    def _happened(self, happening: Happening) -> None:
        self._record.happenings.append(happening)
        self._tell(f"{happening.thing}: {happening.text}")

    def _tell(self, text: str) -> None:
        self._on_event(f"{max(0.0, self._now_s()):6.1f} s  {text}")

    # Evidence

    async def _gather_evidence(self) -> None:
        record, load = self._record, self._load
        for name, active in self._set:
            # How many connections a closed port refused, nobody counts; of the rest, what never struck proves nothing.
            if not active.struck and not isinstance(active.fault, Refuse):
                record.problems.append(f"{name}: {described(active.fault)} never struck")
        for link in self._plane.links.values():
            link.clear()
            record.sent_again[link.plan.name] = sum(number - 1 for number in link.instances.values())
        if load is not None:
            record.instances = load.instances
            record.acknowledged = frozenset(load.acknowledged)
            record.longest_wait_s = load.longest_wait_s
        studies = frozenset() if load is None else load.studies
        feeds = {one.archive for one in self._scenario.expectations if isinstance(one, DuplicatesAtMost)}
        archives = {url for one in self._scenario.expectations if isinstance(one, NothingLost) for url in one.archives}
        for url in sorted(archives | feeds - {""}):
            record.found[url] = await asyncio.to_thread(ask_archive, url, studies, reads_feed=url in feeds)
