"""The scan that a device sends while something breaks: forty slices of a head, other ones at each play."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

from isocenter.app.dimse_peer import DimsePeer
from isocenter.app.migrating.digests import digest
from isocenter.dimse.scu.client import Opener
from isocenter.domain.application_entity import AeAddress, RemoteAe
from isocenter.domain.errors import IsocenterError
from isocenter.modality.devices.instance import DeviceInstance, read_instance
from isocenter.modality.devices.outcome import Outcome
from isocenter.modality.devices.sending import AssociationPer, DeviceSender, SendingHabit
from isocenter.modality.patients import STORY_PATIENTS
from isocenter.modality.plans import CtSeriesPlan, Region, StudyPlan
from isocenter.modality.story import STORY_SEED
from isocenter.modality.studies import iter_study

SLICES = 40
EDGE = 256
"""Pixels; 128 KiB a slice: enough to be looked at, and sent in no time."""
SLICES_PER_S = 20.0
"""Two seconds for the scan, as fast as a scanner of today makes them."""
CALLER = "CT1"
RESPONSE_TIMEOUT_S = 30.0
STOP_WAIT_S = 60.0
STORY_DAY = datetime(2022, 11, 22, 14, 0)
SEEDS_PER_PLAY = 100
"""Each scan has noise of its own, so that no two of its slices are alike."""
PATIENTS = {8: 5, 9: 6}
"""Who is scanned in which step."""


def scan_plan(step: int, play: int) -> StudyPlan:
    """Return the study of a step; each play makes another one, for what an archive has already proves nothing."""
    patient = STORY_PATIENTS[PATIENTS[step] - 1]
    series = CtSeriesPlan(Region.HEAD, "Head 4.0 standard", SLICES, 4.0, -82.0, 240.0, (40, 90), edge=EDGE)
    begun = STORY_DAY + timedelta(hours=step - 8, minutes=play % 60)
    accession = f"OUT{step}{play:07d}"
    return StudyPlan(
        patient, begun, accession, "CT HEAD, EMERGENCY", (series,), anatomy_seed=STORY_SEED + PATIENTS[step]
    )


def make_scan(step: int, play: int) -> list[DeviceInstance]:
    """Return the slices of a step's study."""
    seed = STORY_SEED + step + play * SEEDS_PER_PLAY
    return [read_instance(content) for content in iter_study(scan_plan(step, play), seed)]


def digests_of(instances: list[DeviceInstance]) -> dict[str, str]:
    """Return SHA-256 of the pixel data of each instance."""
    return {one.sop_instance_uid: digest(memoryview(one.part10)).sha256 for one in instances}


class Sending:
    """Sends instances one by one at a pace, in a thread of its own, for the length of a block."""

    def __init__(self, to: AeAddress, instances: list[DeviceInstance]) -> None:
        self.instances = instances
        self.tried = 0
        self.acknowledged: dict[str, float] = {}
        """When, on the clock of the block, by SOP Instance UID."""
        self.longest_wait_s = 0.0
        self.problem = ""
        self._to = to
        self._began_s = time.monotonic()
        self._tried_at_s = 0.0
        self._thread = threading.Thread(target=self._run, name="story scan", daemon=True)

    def __enter__(self) -> Self:
        self._began_s = time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._thread.join(STOP_WAIT_S)

    @property
    def is_done(self) -> bool:
        """Tell whether nothing more is sent."""
        return not self._thread.is_alive()

    def _run(self) -> None:
        remote = RemoteAe(self._to.ae_title, self._to.host, self._to.port)
        peer = DimsePeer(remote, CALLER, timeout_s=RESPONSE_TIMEOUT_S)
        habit = SendingHabit(association_per=AssociationPer.SERIES)

        async def work(opener: Opener) -> None:
            sender = DeviceSender(opener, remote, habit, wait=self._keep_pace, on_outcome=self._note)
            await sender.send(self._iter_instances())

        try:
            peer.run(work)
        except IsocenterError as error:
            self.problem = error.message

    def _iter_instances(self) -> Iterator[DeviceInstance]:
        return iter(self.instances)

    async def _keep_pace(self, _instance: DeviceInstance) -> None:
        due_s = self._began_s + self.tried / SLICES_PER_S
        await asyncio.sleep(max(0.0, due_s - time.monotonic()))
        self.tried += 1
        self._tried_at_s = time.monotonic()

    def _note(self, outcome: Outcome) -> None:
        now_s = time.monotonic()
        if not outcome.is_acknowledged:
            self.problem = self.problem or outcome.problem
            return
        self.longest_wait_s = max(self.longest_wait_s, now_s - self._tried_at_s)
        self.acknowledged[outcome.reference.sop_instance_uid] = now_s - self._began_s
