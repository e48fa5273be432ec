"""What each route of the router's JSON does: decode, ask the desk, encode."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime

from isocenter.domain.delivery import NOWHERE
from isocenter.domain.errors import InvalidRequest, NotFound
from isocenter.domain.identifiers import parse_uid
from isocenter.domain.principal import Principal
from isocenter.ports.ledger import PAGE_MAX, Selection, Tally
from isocenter.routing.deliveries.ledger_desk import Action
from isocenter.routing.sending.status import DestinationStatus, describe
from isocenter.web.api.router_desk import ChannelOrder, ChannelStatus, RouterDesk
from isocenter.web.api.router_json import (
    parse_selection,
    render_attempt,
    render_counters,
    render_delivery,
    render_difference,
    render_note,
    render_problem,
    render_study,
    render_tallies,
    render_time,
)

ORDERS = tuple(ChannelOrder)
STEPS = tuple(Action)
HOLD, RELEASE, PROBE = WISHES = ("hold", "release", "probe")
LIMIT_DEFAULT = 100
REASON_LENGTH_MAX = 500
REPLAY_DAYS_MAX = 92.0
"""A quarter: who looks further back looks at rules of another time."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as a handler sees it."""

    principal: Principal
    path: Mapping[str, str]
    query: Mapping[str, Sequence[str]]
    word: str
    """The last part of the path."""
    body: object
    """What was sent as JSON, or text that was sent as TOML."""
    accepts_toml: bool = False

    def one(self, name: str) -> str | None:
        """Return a parameter of the query; raises InvalidRequest where it is given again."""
        values = self.query.get(name, ())
        if len(values) > 1:
            raise InvalidRequest(f"The parameter {name} is given twice.")
        return values[0] if values else None

    def number(self, name: str, default: int, *, highest: int) -> int:
        """Return a parameter that is a whole number from 1 on; raises InvalidRequest."""
        text = self.one(name)
        if text is None:
            return default
        if not text.isascii() or not text.isdecimal() or len(text) > 18 or not 1 <= int(text) <= highest:
            raise InvalidRequest(f"The parameter {name} is a whole number from 1 to {highest}.")
        return int(text)

    @property
    def document(self) -> Mapping[str, object]:
        """Return the body as an object; raises InvalidRequest where it is none."""
        if not isinstance(self.body, Mapping):
            raise InvalidRequest("The body must be a JSON object.")
        return self.body

    def text(self, name: str) -> str:
        """Return a text of the body, empty where it is not there; raises InvalidRequest."""
        value = self.document.get(name, "")
        if not isinstance(value, str):
            raise InvalidRequest(f"{name} must be a text.")
        return value

    @property
    def reason(self) -> str:
        """Return why something is done, as far as people read it."""
        return self.text("reason")[:REASON_LENGTH_MAX]


@dataclass(frozen=True, slots=True)
class Text:
    """An answer that is no JSON."""

    text: str
    headers: Mapping[str, str] = field(default_factory=dict)


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


# ---- deliveries


def list_deliveries(desk: RouterDesk, asked: Asked) -> object:
    """Return a page of deliveries."""
    limit = asked.number("limit", LIMIT_DEFAULT, highest=PAGE_MAX)
    after = asked.number("after", 0, highest=2**62) or None
    rows = desk.ledger.ledger.page(_selection_of_query(asked), after=after, limit=limit)
    following = rows[-1].delivery_key if len(rows) == limit else None
    return {"deliveries": [render_delivery(row) for row in rows], "after": following}


def read_delivery(desk: RouterDesk, asked: Asked) -> object:
    """Return one delivery with its attempts."""
    key = int(asked.path["delivery"])
    attempts = [render_attempt(one) for one in desk.ledger.attempts(key)]
    return {**render_delivery(desk.ledger.delivery(key)), "attempts": attempts}


def explain_delivery(desk: RouterDesk, asked: Asked) -> object:
    """Return what each rule compared when a delivery was planned."""
    return desk.explain(int(asked.path["delivery"]), with_values=asked.one("values") == "true")


def step_deliveries(desk: RouterDesk, asked: Asked) -> object:
    """Do something with the deliveries that are selected."""
    document = asked.document
    selection = parse_selection(document.get("selection"))
    action, rules = Action(asked.word), asked.text("rules") or "original"
    if rules not in ("original", "current"):
        raise InvalidRequest('rules is "original" or "current".')
    if action is Action.SEND_AGAIN and rules == "current":
        if selection.delivery_keys is None:
            raise InvalidRequest("By the rules that hold now, deliveries are sent again by their numbers.")
        return {"count": desk.send_anew(selection.delivery_keys), "is_complete": True}
    stepped = desk.ledger.step(action, selection)
    if action in (Action.RELEASE, Action.SEND_AGAIN):
        desk.notify([one.name for one in desk.destinations()])
    return asdict(stepped)


def list_studies(desk: RouterDesk, asked: Asked) -> object:
    """Return deliveries by study and destination."""
    limit = asked.number("limit", LIMIT_DEFAULT, highest=PAGE_MAX)
    tallies = desk.ledger.ledger.studies(_selection_of_query(asked), after=_study_cursor(asked), limit=limit)
    rows = [render_study(one) for one in tallies]
    return {"studies": rows, "after": rows[-1]["after"] if len(rows) == limit else None}


def read_study(desk: RouterDesk, asked: Asked) -> object:
    """Return the deliveries of a study by series and destination."""
    counted = desk.ledger.series(parse_uid(asked.path["study"]))
    return {
        "series": [
            {"series": one.series_instance_uid, "destination": one.destination, **render_counters(one.counters)}
            for one in counted
            if one.destination != NOWHERE or len(counted) == 1
        ]
    }


def _study_cursor(asked: Asked) -> tuple[float, int] | None:
    text = asked.one("after")
    if text is None:
        return None
    moment, comma, key = text.partition(",")
    try:
        if not comma or len(text) > 64:
            raise ValueError
        return float(moment), int(key)
    except ValueError as error:
        raise InvalidRequest("after is what the page before gave.") from error


_QUERY_TEXTS = ("destination", "channel", "note", "study", "series", "instance")


def _selection_of_query(asked: Asked) -> Selection:
    raw: dict[str, object] = {name: value for name in _QUERY_TEXTS if (value := asked.one(name))}
    states = [state for text in asked.query.get("state", ()) for state in text.split(",")]
    if states:
        raw["states"] = states
    return parse_selection(raw)


# ---- the configuration


def read_configuration(desk: RouterDesk, asked: Asked) -> object:
    """Return the text of a version."""
    version = asked.number("version", 0, highest=2**31) or None
    number, text = desk.text(version, as_written=asked.one("form") == "written")
    if asked.accepts_toml:
        return Text(text, {"ETag": f'"{number}"'})
    return {"version": number, "text": text}


async def replace_configuration(desk: RouterDesk, asked: Asked) -> object:
    """Have another configuration hold."""
    is_toml = isinstance(asked.body, str)
    text, reason = (asked.body, asked.one("reason") or "") if is_toml else (asked.text("text"), asked.reason)
    expected = None if is_toml else asked.document.get("version")
    if expected is not None and (not isinstance(expected, int) or isinstance(expected, bool)):
        raise InvalidRequest("version is the number of the version that is replaced.")
    number = await desk.replace_configuration(
        str(text), author=asked.principal.name, reason=reason[:REASON_LENGTH_MAX], expected=expected
    )
    return {"version": number}


def preview_configuration(desk: RouterDesk, asked: Asked) -> object:
    """Return what another configuration would change."""
    text = asked.body if isinstance(asked.body, str) else asked.text("text")
    preview = desk.preview(text)
    return {
        "differences": [render_difference(one) for one in preview.differences],
        "warnings": [render_problem(one) for one in preview.warnings],
        "missing_secrets": list(preview.missing_secrets),
    }


def list_versions(desk: RouterDesk, asked: Asked) -> object:
    """Return the versions of the configuration."""
    found = desk.versions()
    return {
        "versions": [
            {"version": one.number, "author": one.author, "at": render_time(one.at), "reason": one.reason}
            for one in found
        ]
    }


async def roll_back(desk: RouterDesk, asked: Asked) -> object:
    """Have an earlier version hold again."""
    number = await desk.roll_back(int(asked.path["version"]), author=asked.principal.name, reason=asked.reason)
    return {"version": number}


def replay(desk: RouterDesk, asked: Asked) -> object:
    """Return where what came lately would go."""
    days, text = asked.document.get("days", 7), asked.text("text")
    if not isinstance(days, int | float) or isinstance(days, bool) or not 0 < days <= REPLAY_DAYS_MAX:
        raise InvalidRequest(f"days is a number up to {REPLAY_DAYS_MAX:.0f}.")
    return desk.replay(float(days), text or None)


Handler = Callable[[RouterDesk, Asked], object]
