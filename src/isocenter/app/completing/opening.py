"""Join the watch over studies to a node."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from isocenter.app.completing.table import Completeness
from isocenter.app.completing.tracker import StudyTracker
from isocenter.app.settings import Settings
from isocenter.archive.archive import Archive


def tracks(settings: Settings) -> bool:
    """Tell whether studies are watched: where the node routes, unless the settings say otherwise."""
    chosen = settings.completeness.tracking
    return settings.routing.configuration is not None if chosen == "auto" else chosen == "on"


@contextmanager
def watching_studies(archive: Archive, settings: Settings) -> Iterator[Completeness | None]:
    """Watch studies for the length of a block, where the settings want it."""
    if not tracks(settings):
        yield None
        return
    with closing(StudyTracker(archive)) as tracker:
        tracker.start()
        yield Completeness(archive.watched_studies, now=archive.clock.now)
