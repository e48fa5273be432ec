"""Plan where an instance goes before it is committed, so that its deliveries commit with it.

Whoever takes instances in for others gives a reception its planner. An instance whose plans cannot be made is not
taken: what is acknowledged and goes nowhere by mistake would be lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from isocenter.dicom.scan import ScannedHeader
from isocenter.domain.delivery import DeliveryPlan


class Planner(Protocol):
    """Says where instances go that came in one way."""

    @property
    def tags(self) -> frozenset[int]:
        """Return the tags of the elements that it looks at."""
        ...

    def plan(self, header: ScannedHeader, *, size_bytes: int) -> tuple[DeliveryPlan, ...]:
        """Return where an instance goes, by its header, in which `tags` were located.

        Raises nothing of its own for what an instance says; an error refuses the instance.
        """
        ...

    def begun(self, plans: Sequence[DeliveryPlan]) -> None:
        """Take notice of the plans of an instance that is durable now; called where it is committed: be quick."""
        ...
