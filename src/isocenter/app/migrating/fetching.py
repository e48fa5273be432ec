"""Bring what a series has into the spool, however often the source fails, and find out where it is damaged there."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from isocenter.app.migrating.ends import Source
from isocenter.app.migrating.patience import Patience, breaks_off, describe, patiently
from isocenter.app.migrating.throttle import Throttle
from isocenter.domain.errors import NotFound, Refused, StorageFull, Unavailable
from isocenter.domain.identifiers import Scope
from isocenter.routing.deliveries.retry import RetryPolicy
from isocenter.routing.deliveries.verdict import SUSPENDING, judge

BREAKS_MAX = 2
"""So often an answer may break off before what it is about is taken for damaged."""

_NO_ROOM = frozenset(map(os.strerror, (errno.ENOSPC, errno.EDQUOT)))
"""How it is told that an instance which came could not be written."""


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Fetches from one source into one spool; workers share it."""

    source: Source
    spool: Path
    throttle: Throttle
    policy: RetryPolicy
    on_answer: Callable[[float], None]
    """Is told how long the source took to answer a small question."""
    on_failure: Callable[[], None]
    reasons: dict[str, str] = field(default_factory=dict)
    """Why instances did not come, by SOP Instance UID, as far as that was told."""

    def fetch(self, scope: Scope) -> bool:
        """Fetch something; tell whether the source gave what it has of it.

        Where it breaks off time and again, and answers otherwise, something in it is damaged there: what did not come
        is to be fetched one by one, or cannot be had. Raises Refused, Unavailable after too many failures, Stopped.
        """
        patience = Patience(self.policy, self.throttle, Random(), self.source.name)
        breaks = 0
        while True:
            try:
                self._fetch_once(scope)
                return True
            except NotFound:
                return True  # there is nothing of that name any more
            except StorageFull:
                raise
            except Unavailable as error:
                self.throttle.require_going()
                self.on_failure()
                report = self.source.report_of(error)
                if judge(report).verdict in SUSPENDING:
                    raise Refused(describe(self.source.name, report, told=error.message)) from error
                breaks += breaks_off(report)
                if breaks == BREAKS_MAX:
                    patiently(patience, lambda: self._ask_little(scope), self.source.report_of)
                    return False
                patience.wait(report, told=error.message)

    def _fetch_once(self, scope: Scope) -> None:
        began = time.monotonic()
        report = self.source.fetch(scope, self.spool, lambda: self.on_answer(time.monotonic() - began))
        self.reasons.update(report.failed)
        if any(reason in _NO_ROOM for _, reason in report.failed):
            raise StorageFull(f"There is no room in {self.spool}; free space and give the command again.")

    def _ask_little(self, scope: Scope) -> None:
        """Ask the source what a study has, to see whether it answers at all."""
        with suppress(Refused, NotFound):
            self.source.list_study(scope.study_instance_uid)
