"""The picture of channels: every delivery that is counted has a line, and the lines add up."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

from isocenter.domain.delivery import NOWHERE
from isocenter.domain.delivery_counters import Counters
from isocenter.ports.ledger import Tally
from isocenter.routing.configuration.gateway import Gateway
from isocenter.routing.configuration.read import read_configuration
from isocenter.routing.sending.condition import DestinationState
from isocenter.routing.sending.recent import Rate
from isocenter.routing.sending.status import DestinationStatus
from isocenter.web.api.router_desk import ChannelStatus
from isocenter.web.pages.router_flow import Flow, draw_flow

CONFIGURATION = read_configuration(
    """
[channels.a]
source = { kind = "stow" }
[[channels.a.rules]]
name = "first"
to = ["pacs", "cloud"]
[[channels.a.rules]]
name = "second"
to = ["pacs"]
[destinations.pacs]
kind = "folder"
path = "/p"
[destinations.cloud]
kind = "folder"
path = "/c"
""",
    file="channels.toml",
).configuration


def _channel(name: str = "a") -> ChannelStatus:
    return ChannelStatus(name, "stow", "", "", "started", "", "", None, "", 0, ("pacs", "cloud"))


def _destination(name: str, state: DestinationState = DestinationState.RUNNING) -> DestinationStatus:
    counters, rate = Counters(), Rate()
    return DestinationStatus(name, state, 0.0, None, None, None, None, counters, 0, None, 0, 0, rate, None)


def _draw(*tallies: Tally) -> Flow:
    destinations = [_destination("pacs"), _destination("cloud", DestinationState.WAITING)]
    return draw_flow(CONFIGURATION, [_channel()], destinations, tallies)


def test_each_rule_has_a_line_to_each_of_its_destinations() -> None:
    flow = _draw()
    assert [box.name for box in flow.boxes if box.kind == "rule"] == ["first", "second"]
    assert len(flow.lines) == 2 + 3


def test_what_the_configuration_does_not_know_has_a_box_too_so_that_numbers_add_up() -> None:
    tallies = [
        Tally("a", "pacs", Counters(3, 2, 1, 0, 0), 10),
        Tally("a", NOWHERE, Counters(4, 0, 0, 0, 4), 0),
        Tally("gone", "tape", Counters(5, 5, 0, 0, 0), 0),
        Tally("", "cloud", Counters(6, 0, 0, 6, 0), 0),
    ]
    flow = _draw(*tallies)
    assert {"Sent nowhere", "tape", "gone", "Sent by hand"} <= {box.name for box in flow.boxes}
    shown = sum(int(number) for label in flow.labels for number in re.findall(r"\d+", label.text))
    assert shown == sum(one.counters.received for one in tallies)


def test_translators_and_gateways_ask_their_upstream_by_a_line_without_counters() -> None:
    configuration = replace(CONFIGURATION, gateways=(Gateway("web", "pacs"),))
    translator = replace(_channel("translators.cloud"), kind="translator", destinations=("cloud",))
    flow = draw_flow(configuration, [translator], [_destination("pacs"), _destination("cloud")], [])
    assert [box.name for box in flow.boxes if box.kind == "source"] == ["translators.cloud", "gateways.web"]
    assert [line.is_asking for line in flow.lines] == [True, True]
    assert [label.text for label in flow.labels] == ["asks", "asks"]


def test_boxes_of_a_column_do_not_overlap_and_lie_within_the_picture() -> None:
    flow = _draw(Tally("", "cloud", Counters(), 0), Tally("gone", "pacs", Counters(), 0))
    for column in {box.x for box in flow.boxes}:
        boxes = sorted((box for box in flow.boxes if box.x == column), key=lambda box: box.y)
        assert all(first.y + first.height <= second.y for first, second in pairwise(boxes))
        assert boxes[-1].y + boxes[-1].height <= flow.height


def test_a_long_name_is_cut_and_whole_in_its_title() -> None:
    name = "x" * 64
    flow = draw_flow(CONFIGURATION, [_channel(name)], [], [])
    (box,) = [box for box in flow.boxes if box.kind == "source"]
    assert len(box.name) < 40
    assert box.title == name
