"""The router's pages: the channels as a picture, each channel and destination, and what people tell them to do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from starlette.responses import Response
from starlette.routing import BaseRoute

from isocenter.domain.errors import NotFound
from isocenter.domain.principal import DataAction
from isocenter.routing.catalogue.entry import Entry
from isocenter.routing.configuration.channel import Channel
from isocenter.routing.rules.format import format_expression
from isocenter.routing.sending.condition import DestinationState
from isocenter.routing.sending.status import DestinationStatus, describe, describe_size, explain_failure
from isocenter.web.api.router_asked import REASON_LENGTH_MAX
from isocenter.web.api.router_channels import HOLD, PROBE, RELEASE, WISHES
from isocenter.web.api.router_desk import ChannelOrder, ChannelStatus
from isocenter.web.api.router_json import sum_counters
from isocenter.web.console.console import Console, Done, Form, Visit
from isocenter.web.console.moment import format_moment
from isocenter.web.pages.router_configuration import configuration_pages
from isocenter.web.pages.router_configuration_text import current_configuration
from isocenter.web.pages.router_deliveries import delivery_pages
from isocenter.web.pages.router_flow import draw_flow
from isocenter.web.pages.router_frame import OVERVIEW, RouterFrame
from isocenter.web.pages.router_needs import RouterNeeds
from isocenter.web.pages.router_replay import replay_pages
from isocenter.web.pages.router_shelf import shelf_pages
from isocenter.web.pages.router_sparkline import Sparkline, sparkline
from isocenter.web.pages.router_studies import study_pages
from isocenter.web.pages.router_tables import table_pages
from isocenter.web.pages.router_testing import test_pages
from isocenter.web.pages.router_trial import trial_pages
from isocenter.web.pages.router_words import CHANNEL_TONES, DESTINATION_TONES, rate_words, span_words

TAB = "channels"
REFUSALS_SHOWN_MAX = 100
DONE_WORDS = {
    ChannelOrder.START: "is started",
    ChannelOrder.PAUSE: "is paused",
    ChannelOrder.STOP: "is stopped",
    ChannelOrder.RESTART: "was closed and is started again",
}
WISH_WORDS = {HOLD: "is put aside", RELEASE: "is taken up again", PROBE: "is being probed"}


@dataclass(frozen=True, slots=True)
class ChannelRow:
    """A channel as a table shows it."""

    status: ChannelStatus
    tone: str
    counters: object
    ordered_at: str


@dataclass(frozen=True, slots=True)
class DestinationRow:
    """A destination as its card and its page show it."""

    status: DestinationStatus
    kind: str
    tone: str
    words: str
    waiting: str
    oldest: str
    rate: str
    next_in: str
    breaker: str
    backlog: Sparkline
    failure: Entry | None
    failed_at: str


def router_routes(console: Console, needs: RouterNeeds) -> list[BaseRoute]:
    """Return the routes of all pages of the router."""
    frame = RouterFrame(console, needs)
    return [
        *test_pages(frame),
        *_overview_routes(frame),
        *delivery_pages(frame),
        *study_pages(frame),
        *shelf_pages(frame),
        *trial_pages(frame),
        *configuration_pages(frame),
        *replay_pages(frame),
        *table_pages(frame),
    ]


def _overview_routes(frame: RouterFrame) -> list[BaseRoute]:
    console, needs = frame.console, frame.needs
    desk = needs.desk

    def overview(visit: Visit) -> Response:
        tallies = desk.ledger.tallies()
        channels, destinations = desk.channels(), desk.destinations()
        rows = [
            ChannelRow(
                one,
                CHANNEL_TONES.get(one.state, ""),
                sum_counters(tally.counters for tally in tallies if tally.channel == one.name),
                format_moment(one.ordered_at),
            )
            for one in channels
        ]
        values = {
            "flow": draw_flow(current_configuration(desk), channels, destinations, tallies),
            "channels": rows,
            "destinations": [destination_row(needs, one) for one in destinations],
            "has_trouble": any(one.next_at is not None for one in destinations),
        }
        return frame.page(visit, "router.html", values, tab=TAB)

    def channel(visit: Visit) -> Response:
        name = visit.part("channel")
        status = _find_channel(needs, name)
        configured = current_configuration(desk).channel(name)
        values = {
            "channel": ChannelRow(status, CHANNEL_TONES.get(status.state, ""), None, format_moment(status.ordered_at)),
            "by_destination": desk.ledger.tallies(channel=name),
            "total": sum_counters(one.counters for one in desk.ledger.tallies(channel=name)),
            "rules": [] if configured is None else _rules(configured),
            "refusals": [(format_moment(one.at), one) for one in desk.refusals(name)[:REFUSALS_SHOWN_MAX]],
        }
        return frame.page(visit, "router_channel.html", values, tab=TAB)

    async def order_channel(visit: Visit, form: Form) -> Done:
        name, wanted = visit.part("channel"), visit.part("order")
        if wanted not in set(ChannelOrder):
            raise NotFound("A channel can be started, paused, stopped or restarted.")
        order, reason = ChannelOrder(wanted), form.one("reason")[:REASON_LENGTH_MAX]
        with needs.audited(visit, f"channel {order.value}", reason=reason):
            await desk.order(name, order, by=visit.principal.name, reason=reason)
        return Done(_back(form), f"Channel {name} {DONE_WORDS[order]}.")

    def destination(visit: Visit) -> Response:
        name = visit.part("destination")
        status = _find_destination(needs, name)
        values = {
            "destination": destination_row(needs, status),
            "by_channel": desk.ledger.tallies(destination=name),
            "own_title": needs.tests.own_title,
            "tests": needs.jobs.recent("test", name, limit=5),
        }
        return frame.page(visit, "router_destination.html", values, tab=TAB)

    def change_destination(visit: Visit, form: Form) -> Done:
        name, wish = visit.part("destination"), visit.part("wish")
        reason, by = form.one("reason")[:REASON_LENGTH_MAX], visit.principal.name
        if wish not in WISHES:
            raise NotFound("A destination can be put aside, taken up again, or probed.")
        with needs.audited(visit, f"destination {wish}", reason=reason):
            if wish == HOLD:
                desk.hold_destination(name, by=by, reason=reason)
            elif wish == RELEASE:
                desk.release_destination(name, by=by)
            else:
                desk.probe_destination(name)
        return Done(_back(form), f"Destination {name} {WISH_WORDS[wish]}.")

    export = DataAction.EXPORT
    return [
        console.get(OVERVIEW, overview, name="router"),
        console.get("/router/channels/{channel}", channel, name="router-channel"),
        console.post("/router/channels/{channel}/{order}", order_channel, name="router-order", action=export),
        console.get("/router/destinations/{destination}", destination, name="router-destination"),
        console.post(
            "/router/destinations/{destination}/{wish}",
            change_destination,
            name="router-wish",
            action=export,
        ),
    ]


def destination_row(needs: RouterNeeds, status: DestinationStatus) -> DestinationRow:
    """Return a destination as pages show it."""
    local = datetime.fromtimestamp(status.observed_at).astimezone()
    failure = status.failure
    is_over = status.state is DestinationState.RUNNING
    return DestinationRow(
        status=status,
        kind=needs.desk.destination_kinds().get(status.name, ""),
        tone=DESTINATION_TONES[status.state],
        words=describe(status, local=local),
        waiting=f"{status.counters.waiting:,}, {describe_size(status.waiting_bytes)}",
        oldest=span_words(status.oldest_age_s),
        rate=rate_words(instances=status.rate.instances, size_bytes=status.rate.size_bytes),
        next_in="–" if status.next_at is None else f"in {span_words(max(0.0, status.next_at - status.observed_at))}",
        breaker=BREAKER_WORDS.get(status.state, "closed"),
        backlog=sparkline(needs.backlog_of(status.name)),
        failure=None if failure is None or is_over else explain_failure(failure),
        failed_at="" if failure is None else format_moment(failure.at),
    )


BREAKER_WORDS = {
    DestinationState.WAITING: "open",
    DestinationState.SUSPENDED: "open: somebody has to change something first",
    DestinationState.PROBING: "half open, probing",
    DestinationState.RECOVERING: "closed, more and more is let through",
}


def _rules(channel: Channel) -> list[dict[str, object]]:
    return [
        {
            "name": rule.name,
            "when": "" if rule.when is None else format_expression(rule.when),
            "is_otherwise": rule.is_otherwise,
            "to": rule.to,
            "transforms": rule.transforms,
            "after": rule.after.value,
        }
        for rule in channel.rules
    ]


def _back(form: Form) -> str:
    """Return the page of the router that a form was sent from; anything that could lead elsewhere is ignored."""
    back = form.one("back")
    is_ours = back.startswith(OVERVIEW) and "\\" not in back and back.isprintable() and back.isascii()
    return back if is_ours else OVERVIEW


def _find_channel(needs: RouterNeeds, name: str) -> ChannelStatus:
    found = next((one for one in needs.desk.channels() if one.name == name), None)
    if found is None:
        raise NotFound("There is no channel of that name.")
    return found


def _find_destination(needs: RouterNeeds, name: str) -> DestinationStatus:
    found = next((one for one in needs.desk.destinations() if one.name == name), None)
    if found is None:
        raise NotFound("There is no destination of that name.")
    return found
