"""Channels and destinations as the router's JSON: how they are, and what people tell them to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from isocenter.domain.errors import NotFound
from isocenter.ports.ledger import Tally
from isocenter.routing.sending.status import DestinationStatus, describe
from isocenter.web.api.router_asked import Asked
from isocenter.web.api.router_desk import ChannelOrder, ChannelStatus, RouterDesk
from isocenter.web.api.router_json import render_counters, render_note, render_tallies, render_time

ORDERS = tuple(ChannelOrder)
HOLD, RELEASE, PROBE = WISHES = ("hold", "release", "probe")


# ---- channels


def read_overview(desk: RouterDesk, asked: Asked) -> object:
    """Return the counters of everything."""
    tallies = desk.ledger.tallies()
    return {
        "counters": render_tallies(tallies),
        "channels": [_channel(one, tallies) for one in desk.channels()],
        "destinations": [_destination(desk, one) for one in desk.destinations()],
    }


def list_channels(desk: RouterDesk, asked: Asked) -> object:
    """Return all channels."""
    tallies = desk.ledger.tallies()
    return {"channels": [_channel(one, tallies) for one in desk.channels()]}


def read_channel(desk: RouterDesk, asked: Asked) -> object:
    """Return one channel, with its counters by destination."""
    tallies = desk.ledger.tallies(channel=asked.path["channel"])
    status = _find_channel(desk, asked.path["channel"])
    return {**_channel(status, tallies), "by_destination": [_tally(one) for one in tallies]}


def list_refusals(desk: RouterDesk, asked: Asked) -> object:
    """Return what a channel refused."""
    found = desk.refusals(asked.path["channel"])
    return {"refusals": [{**asdict(one), "at": render_time(one.at)} for one in found]}


async def order_channel(desk: RouterDesk, asked: Asked) -> object:
    """Start, pause, stop or restart a channel."""
    name = asked.path["channel"]
    await desk.order(name, ChannelOrder(asked.word), by=asked.principal.name, reason=asked.reason)
    return _channel(_find_channel(desk, name), desk.ledger.tallies(channel=name))


def _find_channel(desk: RouterDesk, name: str) -> ChannelStatus:
    found = next((one for one in desk.channels() if one.name == name), None)
    if found is None:
        raise NotFound(f"There is no channel {name}.")
    return found


def _channel(status: ChannelStatus, tallies: Sequence[Tally]) -> dict[str, object]:
    own = [one for one in tallies if one.channel == status.name]
    return {
        **asdict(status),
        "ordered_at": render_time(status.ordered_at),
        "counters": render_tallies(own),
    }


def _tally(one: Tally) -> dict[str, object]:
    return {
        "channel": one.channel,
        "destination": one.destination,
        **render_counters(one.counters),
        "waiting_bytes": one.waiting_bytes,
    }


# ---- destinations


def list_destinations(desk: RouterDesk, asked: Asked) -> object:
    """Return how destinations are doing."""
    return {"destinations": [_destination(desk, one) for one in desk.destinations()]}


def read_destination(desk: RouterDesk, asked: Asked) -> object:
    """Return one destination, with its counters by channel."""
    name = asked.path["destination"]
    tallies = desk.ledger.tallies(destination=name)
    return {**_destination(desk, _find_destination(desk, name)), "by_channel": [_tally(one) for one in tallies]}


def change_destination(desk: RouterDesk, asked: Asked) -> object:
    """Put a destination aside, take it up again, have it probed."""
    name, by = asked.path["destination"], asked.principal.name
    if asked.word == HOLD:
        desk.hold_destination(name, by=by, reason=asked.reason)
    elif asked.word == RELEASE:
        desk.release_destination(name, by=by)
    else:
        desk.probe_destination(name)
    return _destination(desk, _find_destination(desk, name))


def _find_destination(desk: RouterDesk, name: str) -> DestinationStatus:
    found = next((one for one in desk.destinations() if one.name == name), None)
    if found is None:
        raise NotFound(f"There is no destination {name}.")
    return found


def _destination(desk: RouterDesk, status: DestinationStatus) -> dict[str, object]:
    local = datetime.fromtimestamp(status.observed_at).astimezone()
    return {
        "name": status.name,
        "kind": desk.destination_kinds().get(status.name, ""),
        "state": status.state.value,
        "words": describe(status, local=local),
        "since": render_time(status.since),
        "hold": None if status.hold is None else {**asdict(status.hold), "since": render_time(status.hold.since)},
        "failure": None
        if status.failure is None
        else {
            "note": status.failure.note,
            "detail": status.failure.detail,
            "explanation": render_note(status.failure.note),
        },
        "next_at": render_time(status.next_at),
        "counters": render_counters(status.counters),
        "waiting_bytes": status.waiting_bytes,
        "oldest_age_s": status.oldest_age_s,
        "sending": status.sending,
        "workers": status.workers,
        "clears_in_s": status.clears_in_s,
    }
