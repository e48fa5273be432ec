"""A fault plane: several links by name, started and stopped together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from isocenter.app.faults.link import Link
from isocenter.domain.errors import InvalidSetting, NotFound
from isocenter.domain.nearest import did_you_mean
from isocenter.modality.faults.link import LinkPlan
from isocenter.modality.faults.sections import described, written

LINKS_MAX = 64
"""More than any place has between its components."""


@dataclass(frozen=True, slots=True)
class FaultPlane:
    """The links of a place."""

    links: Mapping[str, Link]

    def link(self, name: str) -> Link:
        """Return a link; raise NotFound with the nearest name."""
        if name in self.links:
            return self.links[name]
        hint = did_you_mean(name, self.links, "there are " + ", ".join(self.links) + ".", cutoff=0.4)
        raise NotFound(f"There is no link {name}; {hint}")


@asynccontextmanager
async def running_plane(plans: Iterable[LinkPlan]) -> AsyncIterator[FaultPlane]:
    """Run links for the length of a block."""
    wanted = list(plans)
    names = [plan.name for plan in wanted]
    if len(set(names)) < len(names) or len(names) > LINKS_MAX:
        raise InvalidSetting(f"Links have names of their own, and there are at most {LINKS_MAX}.")
    plane = FaultPlane({plan.name: Link(plan) for plan in wanted})
    async with AsyncExitStack() as stack:
        for link in plane.links.values():
            stack.push_async_callback(link.stop)
            await link.start()
        yield plane


def link_json(link: Link) -> dict[str, Any]:
    """Return what there is to know of a link, for programs."""
    return {
        "name": link.plan.name,
        "listen": str(link.plan.listen),
        "target": str(link.plan.target),
        "protocol": link.plan.protocol.value,
        "is_listening": link.is_listening,
        "open_connections": link.open_connections,
        "counts": dict(link.counts),
        "instances_sent": len(link.instances),
        "instances_sent_again": sum(number - 1 for number in link.instances.values()),
        "faults": [
            {
                "id": active.fault_id,
                "fault": written(active.fault),
                "text": described(active.fault),
                "struck": active.struck,
                "is_spent": active.is_spent,
            }
            for active in link.board
        ],
    }
