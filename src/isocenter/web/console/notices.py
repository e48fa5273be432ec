"""What a page tells after an action, carried over the redirect that follows a form (post, redirect, get).

The sentence stays here and only its name is in the address, so that no link from elsewhere can put words into a page.
"""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass

NOTICES_MAX = 500
"""Each is told within a second or never; beyond this the oldest are forgotten."""
NAME_SIZE_BYTES = 9


@dataclass(frozen=True, slots=True)
class Notice:
    """One sentence, and whether something failed."""

    text: str
    is_failure: bool = False


class Notices:
    """What is still to be told; safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: OrderedDict[str, Notice] = OrderedDict()

    def keep(self, notice: Notice) -> str:
        """Keep a notice and return the name under which a page finds it."""
        name = secrets.token_urlsafe(NAME_SIZE_BYTES)
        with self._lock:
            self._waiting[name] = notice
            while len(self._waiting) > NOTICES_MAX:
                self._waiting.popitem(last=False)
        return name

    def find(self, name: str) -> Notice | None:
        """Return a notice, None where it is long told."""
        with self._lock:
            return self._waiting.get(name)
