"""The pictures of the story as the device makes them, and what tells their pixels from others.

A check has them made beforehand, in a process of its own, while the hospital starts.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import signal
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from isocenter.app.migrating.digests import digest
from isocenter.dicom.scan import scan_instance
from isocenter.domain.errors import Unavailable
from isocenter.modality.story import StoryStudy, iter_instances

MADE_WITHIN_S = 120.0
"""All of them take ten seconds of one processor; others may want it too."""
_SOP_INSTANCE_UID = 0x00080018
_PR_SET_PDEATHSIG = 1


@dataclass(slots=True)
class StoryImages:
    """Makes instances of the story, and keeps the digests of those that it made."""

    reduction: int = 1
    """How much coarser the pictures are."""
    _digests: dict[str, dict[str, str]] = field(default_factory=dict)
    """By study and instance."""
    _made: dict[str, Future[list[bytes]]] = field(default_factory=dict)
    """By study: what is being made, or is and has not been asked for yet."""

    def make(self, study: StoryStudy) -> Iterator[bytes]:
        """Yield the instances of a study as Part 10 files."""
        digests = self._digests.setdefault(study.study_instance_uid, {})
        for content in self._contents(study):
            digests[_uid_of(content)] = digest(memoryview(content)).sha256
            yield content

    def digests_of(self, study: StoryStudy) -> dict[str, str]:
        """Return SHA-256 of the pixel data of each instance of a study, as the device made it."""
        if len(self._digests.get(study.study_instance_uid, {})) < study.plan.number_of_instances:
            for _ in self.make(study.reduced(self.reduction) if self.reduction > 1 else study):
                pass
        return self._digests[study.study_instance_uid]

    def _contents(self, study: StoryStudy) -> Iterator[bytes] | list[bytes]:
        future = self._made.pop(study.study_instance_uid, None)
        if future is None:
            return iter_instances(study)
        try:
            return future.result(MADE_WITHIN_S)
        except TimeoutError as error:
            raise Unavailable(f"The pictures were not made within {MADE_WITHIN_S:.0f} s.") from error

    @contextmanager
    def making(self, studies: Sequence[StoryStudy]) -> Iterator[None]:
        """Make the instances of studies in another process, in their order, while the block goes on."""
        pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), initializer=_leave_interrupts_to_parent)
        try:
            for study in studies:
                wanted = study.reduced(self.reduction) if self.reduction > 1 else study
                self._made[study.study_instance_uid] = pool.submit(partial(_make, wanted))
            yield
        finally:
            self._made.clear()
            pool.shutdown(wait=True, cancel_futures=True)


def in_order_of_use(studies: Sequence[StoryStudy]) -> list[StoryStudy]:
    """Return studies as the scripts send them."""
    return sorted(studies, key=lambda study: study.script.value)


def _leave_interrupts_to_parent() -> None:
    """Go on at Ctrl-C, which whoever waits for the pictures answers; and end with it, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _make(study: StoryStudy) -> list[bytes]:
    return list(iter_instances(study))


def _uid_of(content: bytes) -> str:
    return scan_instance(content, wanted=frozenset({_SOP_INSTANCE_UID})).attributes[_SOP_INSTANCE_UID]
