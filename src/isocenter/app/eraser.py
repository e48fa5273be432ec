"""The thread that destroys deleted bytes."""

from __future__ import annotations

import threading

import structlog

from isocenter.archive.archive import Archive
from isocenter.archive.delete import ERASE_BATCH_MAX, erase_due
from isocenter.domain.errors import IsocenterError

_log = structlog.get_logger()

ERASE_INTERVAL_S = 1.0
"""How much later than its grace a deleted instance may be destroyed."""


class Eraser:
    """Destroy deleted bytes in the background, a little at a time."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="eraser", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(ERASE_INTERVAL_S):
            try:
                while erase_due(self._archive) == ERASE_BATCH_MAX and not self._stop.is_set():
                    pass
            except IsocenterError as error:
                _log.error("eraser.failed", reason=error.message)
            except Exception:  # outermost loop of the thread: deleted bytes wait for the next round
                _log.exception("eraser.broken")
