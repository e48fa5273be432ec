"""What is wrong with an attribute that is mapped. A reason never holds the value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One attribute of one instance that cannot be mapped."""

    attribute: str
    """Its keyword."""
    reason: str
    is_required: bool = False
    """Whether the instance is left out for it."""
