"""Examine a running node in a thread of its own, one examination at a time (`web.pages.system_doctor.Doctor`)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime

import structlog

from isocenter.app.doctor import Check, all_checks, examine
from isocenter.app.settings import Settings
from isocenter.web.pages.system_doctor import CheckRow, Examination

_log = structlog.get_logger()

NOT_WHILE_RUNNING = frozenset({"packs"})
"""Checks that a running node stands in the way of: it holds the folder of packs itself."""
BROKEN = "The examination itself failed, so that nothing is known; the node's log tells why. Examine again."


class DoctorDesk:
    """Keeps what was found last."""

    def __init__(
        self,
        settings: Settings,
        *,
        now: Callable[[], datetime],
        checks: Callable[[], Sequence[Check]] = all_checks,
    ) -> None:
        self._settings = settings
        self._checks = checks
        self._now = now
        self._lock = threading.Lock()
        self._last = Examination((), None, 0.0, is_running=False)

    def last(self) -> Examination:
        """Return what was found last."""
        return self._last

    def mark(self) -> tuple[float | None, bool]:
        """Return what changes when an examination begins or ends."""
        return self._last.ended_at, self._last.is_running

    def begin(self) -> bool:
        """Begin to examine in the background; return False where that is under way."""
        with self._lock:
            if self._last.is_running:
                return False
            last = self._last
            self._last = Examination(last.rows, last.ended_at, last.took_s, is_running=True)
        # A daemon: a check that waits for somebody else's machine must not hold up the end of the node.
        threading.Thread(target=self._run, name="doctor", daemon=True).start()
        return True

    def _run(self) -> None:
        began = time.monotonic()
        rows: Sequence[CheckRow] = ()
        problem = BROKEN
        try:
            checks = [check for check in self._checks() if check.name not in NOT_WHILE_RUNNING]
            answers = examine(self._settings, checks)
            rows = [CheckRow(one.name, one.state.value, one.finding, one.remedy) for one in answers]
            problem = ""
        except Exception:  # the outermost loop of the thread
            _log.exception("console.doctor_broken")
        finally:
            took_s = time.monotonic() - began
            self._last = Examination(rows, self._now().timestamp(), took_s, is_running=False, problem=problem)
