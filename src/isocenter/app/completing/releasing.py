"""Let deliveries that await their study go when it is whole.

Late instances await a completion of their own: what goes out then is themselves, and nothing a second time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import structlog

from isocenter.archive.archive import Archive
from isocenter.domain.delivery import AWAITING_STUDY, WAITING_STATES, let_go_with_study
from isocenter.domain.errors import IsocenterError
from isocenter.ports.event_cursors import EventCursor
from isocenter.ports.ledger import PAGE_MAX, Selection
from isocenter.ports.watched_studies import Completion

_log = structlog.get_logger()

CURSOR = "completeness.released"
"""In the table of cursors; its sequence is the key of the last completion that was acted on."""
POLL_S = 0.5
PAGE_ROWS = 200
CLOSE_TIMEOUT_S = 5.0


class StudyReleaser:
    """Follow what became whole for as long as it is open."""

    def __init__(self, archive: Archive, *, notify: Callable[[], None]) -> None:
        """`notify` is called when deliveries may be sent that could not before."""
        self._archive = archive
        self._notify = notify
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="study_releaser", daemon=True)
        self._cursor = self._open()

    def _open(self) -> EventCursor:
        """Return where to go on; from the beginning after a rebuild, for to let go twice changes nothing."""
        cursor = self._archive.event_cursors.open(CURSOR, sequence=0, timestamp=0.0)
        return replace(cursor, sequence=0, is_of_older_feed=False) if cursor.is_of_older_feed else cursor

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def close(self) -> None:
        """Stop; what becomes whole meanwhile is acted on at the next start."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(CLOSE_TIMEOUT_S)

    def _run(self) -> None:
        while not self._stop.is_set():
            has_more = False
            try:
                has_more = self.look()
            except IsocenterError as error:
                _log.error("completeness.not_released", reason=error.message)
            except Exception:  # the outermost loop of the thread: completions wait
                _log.exception("completeness.release_broken")
            if not has_more:
                self._stop.wait(POLL_S)

    def look(self) -> bool:
        """Act on what became whole; return whether there is more of it."""
        completions = self._archive.watched_studies.completions(after=self._cursor.sequence, limit=PAGE_ROWS)
        if not completions:
            return False
        released = sum(map(self._release, completions))
        self._cursor = replace(self._cursor, sequence=completions[-1].completion_key)
        self._archive.event_cursors.replace(self._cursor)
        if released:
            self._notify()
        return len(completions) == PAGE_ROWS

    def _release(self, completion: Completion) -> int:
        now = self._archive.clock.now().timestamp()
        study = completion.study_instance_uid
        selection = Selection(study_instance_uid=study, note=AWAITING_STUDY, states=WAITING_STATES)
        step = partial(let_go_with_study, now=now, received_until=completion.completed_at)
        released = 0
        while (count := self._archive.index.ledger.change(selection, step)) == PAGE_MAX:
            released += count
        released += count
        if released:
            _log.info("completeness.released", study_instance_uid=study, deliveries=released)
        return released
