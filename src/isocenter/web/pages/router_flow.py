"""The channels of a node as a picture: sources on the left, their rules, destinations on the right, lines between.

Only the geometry is made here, out of values; the template draws it as SVG. What the ledger counts that no channel or
destination of the configuration stands for (sent by hand, sent nowhere, removed since) has a box too, so that the
numbers at the lines add up to the totals.

    column of sources ──▶ column of rules ──▶ column of destinations
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from isocenter.domain.delivery import NOWHERE
from isocenter.domain.delivery_counters import Counters
from isocenter.ports.ledger import Tally
from isocenter.routing.configuration.channel import Configuration
from isocenter.routing.sending.status import DestinationStatus
from isocenter.web.api.router_desk import ChannelStatus
from isocenter.web.pages.router_words import BAD, BUSY, CHANNEL_TONES, DESTINATION_TONES, GOOD, IDLE, WARN, shortened

WIDTH = 1240
SOURCE_X, SOURCE_WIDTH = 8, 290
RULE_X, RULE_WIDTH = 360, 250
DESTINATION_X, DESTINATION_WIDTH = 932, 300
RULE_HEIGHT, RULE_GAP = 34, 8
SOURCE_HEIGHT, DESTINATION_HEIGHT, PORT_HEIGHT = 74, 66, 34
LANE_GAP, MARGIN = 20, 8
NAME_LENGTH_MAX, LINE_LENGTH_MAX, RULE_LENGTH_MAX = 30, 38, 32
"""Letters that fit into a box; the whole text is its title."""
RULES_SHOWN_MAX = 40
"""Of one channel; a picture of more is none."""
BY_HAND = ""
"""The channel of what somebody sent."""
LABEL_WIDTH = 236
"""A line is level where its counters stand, so that none crosses them."""


@dataclass(frozen=True, slots=True)
class Box:
    """One source, rule or destination."""

    kind: str
    x: int
    y: int
    width: int
    height: int
    name: str
    title: str
    """The whole text, for whoever points at it."""
    lines: tuple[str, ...] = ()
    tone: str = IDLE
    link: str = ""
    """Without the prefix of a proxy; empty where there is no page."""

    @property
    def middle(self) -> int:
        """Return the height at which lines arrive and leave."""
        return self.y + self.height // 2


@dataclass(frozen=True, slots=True)
class Line:
    """One way between two boxes."""

    path: str
    tone: str = IDLE
    is_asking: bool = False
    """It is asked, and nothing is counted."""


@dataclass(frozen=True, slots=True)
class Label:
    """The counters of one channel to one destination, where the line arrives."""

    x: int
    y: int
    text: str
    link: str
    tone: str


@dataclass(slots=True)
class Flow:
    """The picture."""

    width: int = WIDTH
    height: int = 0
    boxes: list[Box] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Source:
    name: str
    title: str
    lines: tuple[str, ...]
    tone: str
    link: str
    ways: tuple[tuple[str, tuple[str, ...]], ...]
    """Rules by name with where they send to; one without a name where there are no rules."""
    is_asking: bool = False


def draw_flow(
    configuration: Configuration,
    channels: Sequence[ChannelStatus],
    destinations: Sequence[DestinationStatus],
    tallies: Sequence[Tally],
) -> Flow:
    """Return the picture of a router as it is now."""
    counted = {(one.channel, one.destination): one.counters for one in tallies}
    sources = list(_sources(configuration, channels, tallies))
    flow = Flow()
    ports = _place_destinations(flow, sources, destinations, counted)
    top = MARGIN
    for source in sources:
        top = _draw_lane(flow, source, ports, counted, top)
    flow.height = max(flow.height, top - LANE_GAP + MARGIN)
    return flow


# ---- what stands on the left


def _sources(
    configuration: Configuration, channels: Sequence[ChannelStatus], tallies: Sequence[Tally]
) -> Iterator[_Source]:
    for status in channels:
        yield _channel_source(configuration, status, tallies)
    for gateway in configuration.gateways:
        lines: tuple[str, ...] = (f"DICOMweb root /gateways/{gateway.name}", "gateway: asks for others")
        ways = (("", (gateway.upstream,)),)
        name = f"gateways.{gateway.name}"
        yield _Source(name, gateway.description or name, lines, GOOD, "", ways, is_asking=True)
    known = {one.name for one in channels}
    for name in sorted({one.channel for one in tallies} - known):
        shown = "Sent by hand" if name == BY_HAND else name
        lines = ("from the studies, or by command",) if name == BY_HAND else ("not in the configuration any more",)
        link = "" if name == BY_HAND else f"/router/deliveries?channel={quote(name)}"
        counted = tuple(one.destination for one in tallies if one.channel == name)
        yield _Source(shown, shown, lines, IDLE, link, (("", counted),))


def _channel_source(configuration: Configuration, status: ChannelStatus, tallies: Sequence[Tally]) -> _Source:
    channel = configuration.channel(status.name)
    counted = [one for one in tallies if one.channel == status.name]
    received = sum(one.counters.received for one in counted)
    lines = (f"{status.kind} {status.address}".strip(), f"{status.state} · {received:,} received")
    is_asking = channel is None
    rules = () if channel is None else channel.rules[:RULES_SHOWN_MAX]
    ways = [(rule.name, rule.to) for rule in rules] if rules else [("", tuple(status.destinations))]
    named = {to for _, destinations in ways for to in destinations}
    others = tuple(one.destination for one in counted if one.destination not in named)
    if others:
        ways.append(("", others))
    title = ": ".join(part for part in (status.name, status.description, status.problem) if part)
    link = f"/router/channels/{quote(status.name)}"
    return _Source(status.name, title, lines, CHANNEL_TONES.get(status.state, IDLE), link, tuple(ways), is_asking)


# ---- what stands on the right


def _place_destinations(
    flow: Flow,
    sources: Sequence[_Source],
    destinations: Sequence[DestinationStatus],
    counted: Mapping[tuple[str, str], Counters],
) -> dict[tuple[str, str], tuple[int, str]]:
    """Draw destinations; return the height and tone of the end of each line, by source and destination."""
    known = {one.name: one for one in destinations}
    wanted = dict.fromkeys([*known, *(to for source in sources for _, tos in source.ways for to in tos)])
    ports: dict[tuple[str, str], tuple[int, str]] = {}
    top = MARGIN
    for name in wanted:
        incoming = [one.name for one in sources if any(name in tos for _, tos in one.ways)]
        height = max(DESTINATION_HEIGHT, 12 + PORT_HEIGHT * len(incoming))
        box = _destination_box(name, known.get(name), top=top, height=height)
        flow.boxes.append(box)
        for number, source in enumerate(incoming):
            share = height / len(incoming)
            ports[source, name] = (round(top + share * (number + 0.5)), box.tone)
        top += height + LANE_GAP
    flow.height = top - LANE_GAP + MARGIN
    return ports


def _destination_box(name: str, status: DestinationStatus | None, *, top: int, height: int) -> Box:
    place = (DESTINATION_X, top, DESTINATION_WIDTH, height)
    if name == NOWHERE:
        link = "/router/deliveries?note=delivery:nowhere"
        return Box("nowhere", *place, "Sent nowhere", "No rule names a destination", ("no rule sends it",), IDLE, link)
    link = f"/router/destinations/{quote(name)}"
    if status is None:
        return Box("destination", *place, shortened(name, NAME_LENGTH_MAX), name, ("not configured",), IDLE, "")
    told = [status.state.value]
    if status.counters.waiting:
        told.append(f"{status.counters.waiting:,} waiting")
    if status.counters.needs_human:
        told.append(f"{status.counters.needs_human:,} need a person")
    tone = DESTINATION_TONES[status.state]
    line = shortened(" · ".join(told), LINE_LENGTH_MAX)
    return Box("destination", *place, shortened(name, NAME_LENGTH_MAX), name, (line,), tone, link)


# ---- one lane: a source with its rules, and the lines from there


def _draw_lane(
    flow: Flow,
    source: _Source,
    ports: Mapping[tuple[str, str], tuple[int, str]],
    counted: Mapping[tuple[str, str], Counters],
    top: int,
) -> int:
    """Draw a lane; return where the next one begins."""
    height = max(SOURCE_HEIGHT, len(source.ways) * (RULE_HEIGHT + RULE_GAP) - RULE_GAP)
    box_top = top + (height - SOURCE_HEIGHT) // 2
    name, lines = (
        shortened(source.name, NAME_LENGTH_MAX),
        tuple(shortened(one, LINE_LENGTH_MAX) for one in source.lines),
    )
    place = (SOURCE_X, box_top, SOURCE_WIDTH, SOURCE_HEIGHT)
    box = Box("source", *place, name, source.title, lines, source.tone, source.link)
    flow.boxes.append(box)
    rule_top = top + (height - len(source.ways) * (RULE_HEIGHT + RULE_GAP) + RULE_GAP) // 2
    for rule, destinations in source.ways:
        start = _draw_rule(flow, source, box, rule, rule_top)
        for destination in dict.fromkeys(destinations):
            end, tone = ports[source.name, destination]
            path = f"{_curve(start, (DESTINATION_X - LABEL_WIDTH, end))} H{DESTINATION_X}"
            flow.lines.append(Line(path, _line_tone(source, counted, destination, tone), source.is_asking))
        rule_top += RULE_HEIGHT + RULE_GAP
    for destination in dict.fromkeys(to for _, tos in source.ways for to in tos):
        flow.labels += _labels(source, destination, ports[source.name, destination][0], counted)
    return top + height + LANE_GAP


def _draw_rule(flow: Flow, source: _Source, box: Box, rule: str, top: int) -> tuple[int, int]:
    """Draw a rule and the line to it; return where lines go on from."""
    leaves = (box.x + box.width, box.middle)
    if not rule:
        return leaves
    middle = top + RULE_HEIGHT // 2
    flow.lines.append(Line(_curve(leaves, (RULE_X, middle)), source.tone))
    place = (RULE_X, top, RULE_WIDTH, RULE_HEIGHT)
    flow.boxes.append(Box("rule", *place, shortened(rule, RULE_LENGTH_MAX), rule, (), IDLE, source.link))
    return RULE_X + RULE_WIDTH, middle


def _line_tone(
    source: _Source, counted: Mapping[tuple[str, str], Counters], destination: str, destination_tone: str
) -> str:
    counters = counted.get((_channel_of(source), destination), Counters())
    if counters.waiting and destination_tone in (BAD, WARN):
        return destination_tone
    return BUSY if counters.waiting else IDLE


def _labels(
    source: _Source, destination: str, height: int, counted: Mapping[tuple[str, str], Counters]
) -> Iterable[Label]:
    if source.is_asking and (_channel_of(source), destination) not in counted:
        yield Label(DESTINATION_X - 12, height - 5, "asks", "", IDLE)
        return
    counters = counted.get((_channel_of(source), destination), Counters())
    link = f"/router/deliveries?channel={quote(_channel_of(source))}"
    link += f"&destination={quote(destination)}" if destination else "&note=delivery:nowhere"
    if destination == NOWHERE:
        yield Label(DESTINATION_X - 12, height - 5, f"{counters.cancelled:,} sent nowhere", link, IDLE)
        return
    told = [f"{counters.delivered:,} delivered"]
    told += [f"{counters.waiting:,} waiting"] if counters.waiting else []
    told += [f"{counters.needs_human:,} need a person"] if counters.needs_human else []
    told += [f"{counters.cancelled:,} cancelled"] if counters.cancelled else []
    tone = BAD if counters.needs_human else IDLE
    yield Label(DESTINATION_X - 12, height - 5, " · ".join(told), link, tone)


def _channel_of(source: _Source) -> str:
    return BY_HAND if source.name == "Sent by hand" else source.name


def _curve(start: tuple[int, int], end: tuple[int, int]) -> str:
    (x1, y1), (x2, y2) = start, end
    bend = (x2 - x1) // 2
    return f"M{x1} {y1} C{x1 + bend} {y1} {x2 - bend} {y2} {x2} {y2}"
