"""Deliveries as the router's JSON: pages, drill-down from study to attempt, what people do with them."""

from __future__ import annotations

from dataclasses import asdict

from isocenter.domain.delivery import NOWHERE
from isocenter.domain.errors import InvalidRequest
from isocenter.domain.identifiers import parse_uid
from isocenter.ports.ledger import PAGE_MAX, Selection
from isocenter.routing.deliveries.ledger_desk import Action
from isocenter.web.api.router_asked import Asked
from isocenter.web.api.router_desk import RouterDesk
from isocenter.web.api.router_json import (
    KEY_MAX,
    parse_selection,
    parse_study_cursor,
    render_attempt,
    render_counters,
    render_delivery,
    render_study,
)

STEPS = tuple(Action)
LIMIT_DEFAULT = 100


def list_deliveries(desk: RouterDesk, asked: Asked) -> object:
    """Return a page of deliveries."""
    limit = asked.number("limit", LIMIT_DEFAULT, highest=PAGE_MAX)
    after = asked.number("after", 0, highest=KEY_MAX) or None
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
        desk.notify(list(desk.destination_kinds()))
    return asdict(stepped)


def list_studies(desk: RouterDesk, asked: Asked) -> object:
    """Return deliveries by study and destination."""
    limit = asked.number("limit", LIMIT_DEFAULT, highest=PAGE_MAX)
    text = asked.one("after")
    after = None if text is None else parse_study_cursor(text)
    tallies = desk.ledger.ledger.studies(_selection_of_query(asked), after=after, limit=limit)
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


_QUERY_TEXTS = ("destination", "channel", "note", "study", "series", "instance")


def _selection_of_query(asked: Asked) -> Selection:
    raw: dict[str, object] = {name: value for name in _QUERY_TEXTS if (value := asked.one(name))}
    states = [state for text in asked.query.get("state", ()) for state in text.split(",")]
    if states:
        raw["states"] = states
    return parse_selection(raw)
