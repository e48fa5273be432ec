"""What an interceptor tells the owner of a connection to do, in this order."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from isocenter.modality.faults.fault import Direction


class CutKind(Enum):
    """How both sides of a connection end."""

    RESET = "reset"
    CLOSE = "close"


@dataclass(frozen=True, slots=True)
class Pass:
    """Send bytes to where a direction leads."""

    direction: Direction
    data: bytes


@dataclass(frozen=True, slots=True)
class Cut:
    """End both sides, once what was passed in a direction before is sent."""

    kind: CutKind
    direction: Direction


Action = Pass | Cut
