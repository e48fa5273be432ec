"""Deliveries: a list that is filtered and paged, one with its attempts and its decision, what is done with them.

What is done with many is asked about first, on a page that says how many; it works without script.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from isocenter.domain.delivery import DeliveryState
from isocenter.domain.errors import InvalidRequest, IsocenterError
from isocenter.domain.principal import DataAction
from isocenter.ports.ledger import PAGE_MAX, Selection
from isocenter.routing.deliveries.ledger_desk import SENT_AGAIN_UNASKED, STATES, Action
from isocenter.web.api.router_asked import REASON_LENGTH_MAX
from isocenter.web.api.router_desk import RouterDesk
from isocenter.web.console.console import Done, Form, Visit
from isocenter.web.number_in_path import number_part
from isocenter.web.pages.router_delivery_filter import DeliveryFilter, parse_delivery_filter
from isocenter.web.pages.router_delivery_row import attempt_row, delivery_row, find_studies
from isocenter.web.pages.router_frame import DELIVERIES, RouterFrame
from isocenter.web.pages.router_words import state_words

TAB = "deliveries"
PAGE_SIZE = 50
COUNTED_MAX = 5_000
"""Half a second's work; beyond that a page only tells that there are more."""
NAME_SOME = "Say which deliveries: by channel, destination, study, note, or their numbers."
ACTION_WORDS: Mapping[Action, tuple[str, str]] = {
    Action.HOLD: ("Hold", "put aside"),
    Action.RELEASE: ("Release", "taken up again"),
    Action.CANCEL: ("Cancel", "cancelled"),
    Action.SEND_AGAIN: ("Send again", "queued again"),
}


def delivery_pages(frame: RouterFrame) -> list[BaseRoute]:
    """Return the routes of deliveries."""
    console, needs = frame.console, frame.needs
    desk = needs.desk

    def deliveries(visit: Visit) -> Response:
        state = parse_delivery_filter(visit.request.query_params)
        after = _number(visit.parameter("after"))
        rows = desk.ledger.ledger.page(state.selection(), after=after, limit=PAGE_SIZE + 1)
        shown = rows[:PAGE_SIZE]
        studies = find_studies(needs.studies, visit.principal, [row.identifier.study_instance_uid for row in shown])
        values = {
            "state": state,
            "rows": [delivery_row(row, studies) for row in shown],
            "is_first": after is None,
            "after": shown[-1].delivery_key if len(rows) > PAGE_SIZE else None,
            "states": [(one.value, state_words(one.value)) for one in DeliveryState],
            "channels": _names(desk, "channel"),
            "destinations": _names(desk, "destination"),
            "actions": _bulk_actions(state),
        }
        return frame.page(visit, "router_deliveries.html", values, tab=TAB)

    def delivery(visit: Visit) -> Response:
        return show_delivery(visit, with_values=False)

    def show_values(visit: Visit, form: Form) -> Response:
        with needs.audited(visit, "explanation with values"):
            return show_delivery(visit, with_values=True)

    def show_delivery(visit: Visit, *, with_values: bool) -> Response:
        key = _key(visit)
        row = desk.ledger.delivery(key)
        studies = find_studies(needs.studies, visit.principal, [row.identifier.study_instance_uid])
        values = {
            "delivery": delivery_row(row, studies),
            "attempts": [attempt_row(one) for one in desk.ledger.attempts(key)],
            **_explanation(desk, key, with_values=with_values),
            "with_values": with_values,
            "can_go_anew": Action.SEND_AGAIN.value in delivery_row(row, studies).actions,
            "labels": {action.value: words[0] for action, words in ACTION_WORDS.items()},
        }
        return frame.page(visit, "router_delivery.html", values, tab=TAB)

    def step_one(visit: Visit, form: Form) -> Done:
        key, action = _key(visit), _action(form.one("action"))
        reason = form.one("reason")[:REASON_LENGTH_MAX]
        with needs.audited(visit, f"deliveries {action.value}", reason=reason):
            if action is Action.SEND_AGAIN and form.one("rules") == "current":
                count = desk.send_anew([key])
            else:
                count = desk.ledger.step(action, Selection(delivery_keys=(key,))).count
                _tell(desk, action)
        return Done(f"{DELIVERIES}/{key}", *_told(action, count, one="This delivery"))

    def ask(visit: Visit) -> Response:
        action = _action(visit.parameter("action"))
        state = parse_delivery_filter(visit.request.query_params)
        count, has_more = _count(desk, action, state)
        values = {
            "state": state,
            "action": action.value,
            "label": ACTION_WORDS[action][0],
            "done": ACTION_WORDS[action][1],
            "count": count,
            "has_more": has_more,
            "rules": visit.parameter("rules"),
        }
        return frame.page(visit, "router_step.html", values, tab=TAB)

    def step_many(visit: Visit, form: Form) -> Done:
        action, state = _action(form.one("action")), parse_delivery_filter(dict(form.pairs))
        reason = form.one("reason")[:REASON_LENGTH_MAX]
        with needs.audited(visit, f"deliveries {action.value}", reason=reason):
            if action is Action.SEND_AGAIN and form.one("rules") == "current":
                count, is_complete = _send_anew(desk, state)
            else:
                stepped = desk.ledger.step(action, _selected(action, state))
                count, is_complete = stepped.count, stepped.is_complete
                _tell(desk, action)
        text, is_failure = _told(action, count, one="1 delivery")
        more = "" if is_complete else " There are more; do the same again for the rest."
        return Done(f"{DELIVERIES}?{replace(state, state='').query()}", text + more, is_failure)

    export, one = DataAction.EXPORT, f"{DELIVERIES}/{number_part('delivery')}"
    return [
        console.get(DELIVERIES, deliveries, name="router-deliveries"),
        console.get(f"{DELIVERIES}/step", ask, name="router-deliveries-step", action=export),
        console.post(f"{DELIVERIES}/step", step_many, name="router-deliveries-stepped", action=export),
        console.get(one, delivery, name="router-delivery"),
        console.post(
            f"{one}/values",
            show_values,
            name="router-delivery-values",
            action=DataAction.READ,
        ),
        console.post(f"{one}/step", step_one, name="router-delivery-step", action=export),
    ]


def _explanation(desk: RouterDesk, key: int, *, with_values: bool) -> dict[str, Any]:
    try:
        return {"explanation": desk.explain(key, with_values=with_values), "unexplained": ""}
    except IsocenterError as error:
        return {"explanation": None, "unexplained": error.message}


def _names(desk: RouterDesk, of: str) -> list[str]:
    """Return the channels or destinations that the ledger or the configuration knows."""
    named = desk.channels() if of == "channel" else desk.destinations()
    counted = [str(getattr(one, of)) for one in desk.ledger.tallies()]
    return [name for name in dict.fromkeys([*(one.name for one in named), *counted]) if name]


def _bulk_actions(state: DeliveryFilter) -> list[tuple[str, str]]:
    """Return what can be done with all deliveries of a filter; nothing with those of no filter, or of a state only."""
    if state.is_only_state:
        return []
    wanted = None if not state.state else DeliveryState(state.state)
    return [
        (action.value, words[0]) for action, words in ACTION_WORDS.items() if wanted is None or wanted in STATES[action]
    ]


def _selected(action: Action, state: DeliveryFilter) -> Selection:
    """Return what an action is for: of what is sent again only what needs a person, unless a state is named."""
    selection = state.selection()
    if selection.states is None and action is Action.SEND_AGAIN:
        return replace(selection, states=SENT_AGAIN_UNASKED)
    return selection


def _send_anew(desk: RouterDesk, state: DeliveryFilter) -> tuple[int, bool]:
    """Send deliveries again by the rules that hold now, a page of them; tell whether that were all."""
    if state.is_only_state:
        raise InvalidRequest(NAME_SOME)
    selection = _selected(Action.SEND_AGAIN, state)
    states = STATES[Action.SEND_AGAIN] & (selection.states or STATES[Action.SEND_AGAIN])
    rows = desk.ledger.ledger.page(replace(selection, states=states), limit=PAGE_MAX) if states else []
    keys = [row.delivery_key for row in rows if row.plan.destination]
    return (desk.send_anew(keys) if keys else 0), len(rows) < PAGE_MAX


def _count(desk: RouterDesk, action: Action, state: DeliveryFilter) -> tuple[int, bool]:
    """Return how many deliveries an action is for, and whether there are more than are counted."""
    if state.is_only_state:
        raise InvalidRequest(NAME_SOME)
    selection = _selected(action, state)
    states = STATES[action] if selection.states is None else selection.states & STATES[action]
    if not states:
        return 0, False
    selection, after, count = replace(selection, states=states), None, 0
    while count < COUNTED_MAX:
        page = desk.ledger.ledger.page(selection, after=after, limit=PAGE_MAX)
        count += sum(1 for row in page if row.plan.destination)
        if len(page) < PAGE_MAX:
            return count, False
        after = page[-1].delivery_key
    return count, True


def _tell(desk: RouterDesk, action: Action) -> None:
    if action in (Action.RELEASE, Action.SEND_AGAIN):
        desk.notify([one.name for one in desk.destinations()])


def _told(action: Action, count: int, *, one: str) -> tuple[str, bool]:
    done = ACTION_WORDS[action][1]
    if not count:
        return f"Nothing was {done}: by now it is not in a state in which that can be done.", True
    return (f"{one} is {done}." if count == 1 else f"{count:,} deliveries are {done}."), False


def _action(text: str) -> Action:
    if text not in set(Action):
        raise InvalidRequest("Deliveries can be held, released, cancelled or sent again.")
    return Action(text)


def _key(visit: Visit) -> int:
    return int(visit.part("delivery"))


def _number(text: str) -> int | None:
    is_number = text.isascii() and text.isdecimal() and len(text) <= 18
    return int(text) if is_number and int(text) > 0 else None
