"""The lines between the router and the archives: links of the fault plane, and what a cut sets on them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from isocenter.app.faults.plane import FaultPlane, running_plane
from isocenter.app.hospital.control import Cut, Line, LineStatus
from isocenter.app.hospital.options import PortName
from isocenter.app.hospital.ports import HOST, LinkName
from isocenter.modality.faults.fault import Bandwidth, Fault, Latency, Refuse, Reset, Silence, Stall
from isocenter.modality.faults.link import Endpoint, LinkPlan, LinkProtocol

SLOW_BYTES_PER_S = 56_000 // 8
"""A telephone line of the nineties."""
SLOW_DELAY_S = 0.3
_FAULTS: Mapping[Cut, tuple[Fault, ...]] = {
    Cut.REFUSE: (Refuse(),),
    Cut.SILENCE: (Silence(), Stall()),
    Cut.RESET: (Reset(),),
    Cut.SLOW: (Bandwidth(bytes_per_s=SLOW_BYTES_PER_S), Latency(delay_s=SLOW_DELAY_S)),
}
_LINKS: Mapping[Line, tuple[LinkName, ...]] = {
    Line.CLOUD: (LinkName.CLOUD,),
    Line.PACS: (LinkName.PACS, LinkName.TRANSLATOR),
}
_TARGETS: Mapping[LinkName, tuple[PortName, LinkProtocol]] = {
    LinkName.CLOUD: (PortName.CLOUD, LinkProtocol.HTTP),
    LinkName.PACS: (PortName.PACS, LinkProtocol.DIMSE),
    LinkName.TRANSLATOR: (PortName.QIETOAZURE, LinkProtocol.DIMSE),
}


@dataclass(slots=True)
class Lines:
    """The lines at work. All methods belong to the thread of the event loop."""

    plane: FaultPlane
    _cuts: dict[Line, Cut] = field(default_factory=dict)

    def cut(self, line: Line, how: Cut) -> None:
        """Cut a line, in another way if it is cut already."""
        for name in _LINKS[line]:
            link = self.plane.link(name)
            link.clear()
            for fault in _FAULTS[how]:
                link.set(fault)
        self._cuts[line] = how

    def heal(self, line: Line) -> None:
        """Make a line sound again."""
        for name in _LINKS[line]:
            self.plane.link(name).clear()
        self._cuts.pop(line, None)

    def statuses(self) -> tuple[LineStatus, ...]:
        """Return how each line is."""
        return tuple(
            LineStatus(line, self._cuts.get(line), sum(self.plane.link(name).open_connections for name in _LINKS[line]))
            for line in Line
        )


@asynccontextmanager
async def running_lines(ports: Mapping[str, int]) -> AsyncIterator[Lines]:
    """Run the lines for the length of a block."""
    plans = [
        LinkPlan(name.value, Endpoint(HOST, ports[name]), Endpoint(HOST, ports[target]), protocol)
        for name, (target, protocol) in _TARGETS.items()
    ]
    async with running_plane(plans) as plane:
        yield Lines(plane)
