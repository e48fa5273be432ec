"""The load of a scenario: a modality that sends by C-STORE, and sends again until an instance is acknowledged."""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil, isqrt
from pathlib import Path

from isocenter.dicom.part10 import read_encoding
from isocenter.dimse.message.statuses import StatusCategory, category_of
from isocenter.dimse.scu.client import Opener, ProposedContext, close, give_up
from isocenter.dimse.scu.requests import require_context
from isocenter.dimse.scu.store import store
from isocenter.dimse.shell.connection import Connection
from isocenter.dimse.shell.record import AssociationRegister
from isocenter.dimse.shell.runtime import Completions, Runtime, Times
from isocenter.domain.application_entity import RemoteAe
from isocenter.domain.errors import IsocenterError
from isocenter.modality.faults.scenario import LoadPlan
from isocenter.modality.workload import WorkloadInstance, WorkloadShape, write_workload

SET_NAME = "load"
RETRY_S = 0.5
"""Between an instance that was not taken and its next try; a real modality waits longer, and shows less in a minute."""
RESPONSE_TIMEOUT_S = 10.0
"""A modality waits longer; within a scenario of a minute or two this is what it comes to."""
SIDE_MAX = 4096
"""Pixels; an instance has 32 MB at most."""


@dataclass(frozen=True, slots=True)
class _Instance:
    path: Path
    sop_class_uid: str
    sop_instance_uid: str


class Load:
    """Sends what a plan says. The time is that of the event loop."""

    def __init__(self, plan: LoadPlan, folder: Path) -> None:
        self.plan = plan
        self._folder = folder
        self._waiting: deque[_Instance] = deque()
        self._connection: Connection | None = None
        self._transfer_syntax_uid = ""
        self.studies: frozenset[str] = frozenset()
        self.instances = 0
        self.tried = 0
        self.acknowledged: dict[str, float] = {}
        """When, by SOP Instance UID."""
        self.longest_wait_s = 0.0
        self.last_problem = ""

    def prepare(self) -> None:
        """Make the instances."""
        side = min(SIDE_MAX, max(8, isqrt(self.plan.size_bytes // 2)))
        studies = min(self.plan.studies, self.plan.instances)
        shape = WorkloadShape(SET_NAME, studies, 1, ceil(self.plan.instances / studies), side, side)
        made = write_workload(self._folder, shape, seed=self.plan.seed)[: self.plan.instances]
        self._waiting = deque(self._instance(one) for one in made)
        self.studies = frozenset(one.study for one in made)
        self.instances = len(made)
        if made:
            content = (self._folder / made[0].path).read_bytes()
            self._transfer_syntax_uid = read_encoding(content)[0].transfer_syntax_uid

    def _instance(self, one: WorkloadInstance) -> _Instance:
        return _Instance(self._folder / one.path, one.sop_class, one.sop)

    @property
    def is_done(self) -> bool:
        """Tell whether nothing is left to be sent."""
        return not self._waiting

    async def send(self) -> None:
        """Send until everything is acknowledged; whoever plays cancels it before."""
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, "load") as executor:
            opener = self._opener(executor)
            begun_s = loop.time()
            try:
                while self._waiting:
                    await self._keep_pace(begun_s)
                    instance = self._waiting[0]
                    await self._send_until_taken(opener, instance)
                    self._waiting.popleft()
            finally:
                await self._hang_up()

    def _opener(self, executor: ThreadPoolExecutor) -> Opener:
        loop = asyncio.get_running_loop()
        runtime = Runtime(
            loop=loop,
            executor=executor,
            picture_executor=executor,
            completions=Completions(loop),
            now=lambda: datetime.now(UTC),
            times=Times(dimse_s=RESPONSE_TIMEOUT_S),
        )
        return Opener(runtime, AssociationRegister(), self.plan.calling_ae_title)

    async def _keep_pace(self, begun_s: float) -> None:
        if self.plan.instances_per_s:
            due_s = begun_s + self.tried / self.plan.instances_per_s
            await asyncio.sleep(max(0.0, due_s - asyncio.get_running_loop().time()))

    async def _send_until_taken(self, opener: Opener, instance: _Instance) -> None:
        loop = asyncio.get_running_loop()
        self.tried += 1
        begun_s = loop.time()
        while True:
            try:
                await self._send_once(opener, instance)
            except IsocenterError as error:
                self.last_problem = error.message
                await self._drop(error.message)
                await asyncio.sleep(RETRY_S)
                continue
            now_s = loop.time()
            self.acknowledged[instance.sop_instance_uid] = now_s
            self.longest_wait_s = max(self.longest_wait_s, now_s - begun_s)
            return

    async def _send_once(self, opener: Opener, instance: _Instance) -> None:
        if self._connection is None:
            proposed = [ProposedContext(instance.sop_class_uid, (self._transfer_syntax_uid,))]
            to = self.plan.to
            self._connection = await opener.open(RemoteAe(to.ae_title, to.host, to.port), proposed)
        context = require_context(self._connection, instance.sop_class_uid)
        content = await asyncio.to_thread(instance.path.read_bytes)
        dataset = memoryview(content)[read_encoding(content)[1] :]
        answer = await store(self._connection, context, [dataset], sop_instance_uid=instance.sop_instance_uid)
        if category_of(answer.status) not in (StatusCategory.SUCCESS, StatusCategory.WARNING):
            raise IsocenterError(f"{self.plan.to.ae_title} answers {answer.status:04X}.")

    async def _drop(self, cause: str) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await give_up(connection, cause)

    async def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await close(connection)
