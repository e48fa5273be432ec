"""Join the watch over studies to a node."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager

from isocenter.app.completing.releasing import StudyReleaser
from isocenter.app.completing.table import Completeness
from isocenter.app.completing.tracker import StudyTracker
from isocenter.app.settings import Settings
from isocenter.archive.archive import Archive


def tracks(settings: Settings) -> bool:
    """Tell whether studies are watched: where the node routes, unless the settings say otherwise."""
    chosen = settings.completeness.tracking
    return settings.routing.configuration is not None if chosen == "auto" else chosen == "on"


@contextmanager
def watching_studies(
    archive: Archive, settings: Settings, *, notify: Callable[[], None] | None = None
) -> Iterator[Completeness | None]:
    """Watch studies for the length of a block, where the settings want it.

    Deliveries that await a study are let go when it is whole, where there is somebody to notify of that.
    """
    if not tracks(settings):
        yield None
        return
    with ExitStack() as stack:
        tracker = stack.enter_context(closing(StudyTracker(archive)))
        tracker.start()
        if notify is not None:
            stack.enter_context(closing(StudyReleaser(archive, notify=notify))).start()
        yield Completeness(archive.watched_studies, now=archive.clock.now)
