"""Watch the router while something breaks: what waits for whom, four times a second, and what happened when."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from isocenter.app.story.books import Place
from isocenter.app.story.outage import PARTS, WHOLE, waiting_counter
from isocenter.app.story.router_view import Overview, RouterView
from isocenter.domain.errors import IsocenterError
from isocenter.modality.faults.record import Happening, Record, Sample

INTERVAL_S = 0.25
"""Finer than what a person sees, and no load for the router."""
STOP_WAIT_S = 30.0
"""Longer than one question to the router may take."""
DESTINATIONS = {Place.PACS: "pacs", Place.CLOUD: "cloud"}
"""As the router's configuration calls them."""
Sent = Callable[[], tuple[int, int]]
"""Tells how many instances were tried and acknowledged so far."""


class Sampler:
    """Gathers a record in a thread of its own, for the length of a block."""

    def __init__(
        self, router: RouterView, *, sent: Callable[[], tuple[int, int]], on_change: Callable[[], None]
    ) -> None:
        self.record = Record()
        self._router = router
        self._sent = sent
        self._on_change = on_change
        self._began_s = time.monotonic()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="story sampler", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._thread.join(STOP_WAIT_S)
        self.record.ended_at_s = self._now_s()

    def happened(self, thing: str, text: str, *, is_trouble: bool) -> None:
        """Note that trouble begins or ends."""
        self.record.happenings.append(Happening(self._now_s(), thing, text, is_trouble=is_trouble))
        self._on_change()

    def _now_s(self) -> float:
        return time.monotonic() - self._began_s

    def _run(self) -> None:
        while not self._is_over.is_set():
            began_s = time.monotonic()
            self._sample()
            self._is_over.wait(max(0.0, INTERVAL_S - (time.monotonic() - began_s)))
        self._sample()

    def _sample(self) -> None:
        tried, acknowledged = self._sent()
        at_s = self._now_s()
        try:
            counters = counters_of(self._router.overview())
        except IsocenterError:
            counters = {}  # a sample without counters: the curve keeps its last value there
        self.record.add(Sample(at_s, sent=tried, acknowledged=acknowledged, counters=counters))
        self.record.ended_at_s = at_s
        self._on_change()


def counters_of(overview: Overview) -> dict[str, float]:
    """Return the numbers of one look at the router by their names in the drawing."""
    counters = overview.counters
    parts = (counters.delivered, counters.waiting, counters.needs_human, counters.cancelled)
    found: dict[str, float] = {WHOLE: counters.received, **dict(zip(PARTS, parts, strict=True))}
    for place, destination in DESTINATIONS.items():
        if destination in overview.waiting:
            found[waiting_counter(place)] = overview.waiting[destination]
    return found
