"""The tour, loaded when somebody looks at it: what draws and proves images takes a second that a start has not."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from typing import TYPE_CHECKING

from isocenter.app.hospital.control import HospitalControl
from isocenter.app.hospital.reach import Reach
from isocenter.web.pages.tour import TourView

if TYPE_CHECKING:
    from isocenter.app.story.tour import StoryTour


class LateTour:
    """A tour like any other. Safe for threads."""

    def __init__(self, reach: Reach, control: HospitalControl) -> None:
        self._reach = reach
        self._control = control
        self._lock = threading.Lock()
        self._tour: StoryTour | None = None

    def view(self) -> TourView:
        """Return how everything stands."""
        return self._loaded().view()

    def play(self, number: int) -> None:
        """Begin to play a step; raises Conflict where that cannot be now, NotFound."""
        self._loaded().play(number)

    def play_all(self) -> None:
        """Begin to play all steps; raises Conflict where that cannot be now."""
        self._loaded().play_all()

    def mark(self) -> Hashable:
        """Return what changes whenever there is something else to see: nothing, before anybody looked."""
        return None if self._tour is None else self._tour.mark()

    def close(self) -> None:
        """Leave off playing."""
        with self._lock:
            if self._tour is not None:
                self._tour.close()

    def _loaded(self) -> StoryTour:
        with self._lock:
            if self._tour is None:
                from isocenter.app.story.tour import StoryTour

                self._tour = StoryTour(self._reach, self._control)
            return self._tour
