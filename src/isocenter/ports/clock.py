"""Time from outside."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Tell the time."""

    def now(self) -> datetime:
        """Return the time, aware, in UTC."""
        ...

    def monotonic_s(self) -> float:
        """Return seconds that never go back."""
        ...
