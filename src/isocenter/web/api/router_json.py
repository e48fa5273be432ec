"""Channels, destinations, deliveries and versions of the configuration as JSON, and selections out of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from isocenter.domain.delivery import NOWHERE, DeliveryState
from isocenter.domain.delivery_counters import Counters
from isocenter.domain.errors import InvalidRequest
from isocenter.domain.identifiers import parse_uid
from isocenter.ports.ledger import PAGE_MAX, Attempt, LedgerRow, Selection, StudyTally, Tally
from isocenter.routing.catalogue.lookup import entry_of_note
from isocenter.routing.configuration.difference import Difference
from isocenter.routing.configuration.problem import Problem

TEXT_LENGTH_MAX = 256
"""Of a name or code; names have 64 characters."""
_TEXTS = ("destination", "channel", "note")
_UIDS = ("study", "series", "instance")
KEY_MAX = 2**62
"""Of what a database counts; it takes no more than 64 bits."""
CURSOR_LENGTH_MAX = 64
SELECTION_KEYS = (*_TEXTS, *_UIDS, "states", "deliveries")


# ---- from JSON


def parse_selection(raw: object) -> Selection:
    """Return the deliveries that a JSON object names. Raises InvalidRequest."""
    if not isinstance(raw, Mapping):
        raise InvalidRequest("A selection is an object with some of the keys " + ", ".join(SELECTION_KEYS) + ".")
    unknown = [str(key) for key in raw if key not in SELECTION_KEYS]
    if unknown:
        raise InvalidRequest(f"There is no key {unknown[0][:TEXT_LENGTH_MAX]} in a selection.")
    texts = {key: _text(raw, key) for key in (*_TEXTS, *_UIDS) if key in raw}
    uids = {key: parse_uid(texts[key]) for key in _UIDS if key in texts}
    return Selection(
        destination=texts.get("destination"),
        channel=texts.get("channel"),
        note=texts.get("note"),
        study_instance_uid=uids.get("study"),
        series_instance_uid=uids.get("series"),
        sop_instance_uid=uids.get("instance"),
        states=parse_states(raw["states"]) if "states" in raw else None,
        delivery_keys=_keys(raw["deliveries"]) if "deliveries" in raw else None,
    )


def parse_states(raw: object) -> frozenset[DeliveryState]:
    """Return the states that a list names. Raises InvalidRequest."""
    known = ", ".join(DeliveryState)
    if not isinstance(raw, list) or not raw:
        raise InvalidRequest(f"States are a list of some of {known}.")
    try:
        return frozenset(DeliveryState(one) for one in raw)
    except ValueError as error:
        raise InvalidRequest(f"The states of a delivery are {known}.") from error


def _text(raw: Mapping[str, object], key: str) -> str:
    value = raw[key]
    if not isinstance(value, str) or not value or len(value) > TEXT_LENGTH_MAX:
        raise InvalidRequest(f"The value of {key} is a text.")
    return value


def _keys(raw: object) -> tuple[int, ...]:
    if not isinstance(raw, list) or not 0 < len(raw) <= PAGE_MAX:
        raise InvalidRequest(f"Deliveries are a list of up to {PAGE_MAX} numbers.")
    if not all(isinstance(one, int) and not isinstance(one, bool) and 0 < one < 2**63 for one in raw):
        raise InvalidRequest("A delivery is named by its number.")
    return tuple(raw)


def parse_study_cursor(text: str) -> tuple[float, int]:
    """Return where a page of studies goes on, as the page before gave it. Raises InvalidRequest."""
    moment, comma, number = text.partition(",")
    try:
        if not comma or len(text) > CURSOR_LENGTH_MAX:
            raise ValueError
        at, key = float(moment), int(number)
        if not 0 <= key <= KEY_MAX:
            raise ValueError
    except ValueError as error:
        raise InvalidRequest("The page to go on from, after, is what the page before gave.") from error
    return at, key


# ---- to JSON


def render_counters(counters: Counters) -> dict[str, object]:
    """Return counters with the sum that they make."""
    return {
        "received": counters.received,
        "delivered": counters.delivered,
        "waiting": counters.waiting,
        "needs_human": counters.needs_human,
        "cancelled": counters.cancelled,
        "adds_up": counters.adds_up,
    }


def sum_counters(all_counters: Iterable[Counters]) -> Counters:
    """Return what counters come to together."""
    total = Counters()
    for one in all_counters:
        total = Counters(
            total.received + one.received,
            total.delivered + one.delivered,
            total.waiting + one.waiting,
            total.needs_human + one.needs_human,
            total.cancelled + one.cancelled,
        )
    return total


def render_tallies(tallies: Sequence[Tally]) -> dict[str, object]:
    """Return the counters of some deliveries together, and by destination."""
    return {
        **render_counters(sum_counters(one.counters for one in tallies)),
        "sent_nowhere": sum(one.counters.received for one in tallies if one.destination == NOWHERE),
        "waiting_bytes": sum(one.waiting_bytes for one in tallies),
    }


def render_delivery(row: LedgerRow) -> dict[str, object]:
    """Return a delivery; what a person is to do about it as well, where there is anything."""
    plan, delivery = row.plan, row.delivery
    return {
        "delivery": row.delivery_key,
        "study": row.identifier.study_instance_uid,
        "series": row.identifier.series_instance_uid,
        "instance": row.identifier.sop_instance_uid,
        "partition": row.identifier.partition_name,
        "size_bytes": row.size_bytes,
        "channel": plan.channel,
        "destination": plan.destination,
        "rule": plan.rule,
        "configuration_version": plan.configuration_version,
        "transforms": list(plan.transforms),
        "priority": plan.priority.value,
        "calling_ae_title": plan.calling_ae_title,
        "state": delivery.state.value,
        "wish": delivery.wish.value,
        "received_at": render_time(delivery.received_at),
        "due_at": render_time(delivery.due_at) if delivery.state is DeliveryState.QUEUED else None,
        "failures": delivery.failures,
        "note": delivery.note,
        **({"explanation": render_note(delivery.note)} if delivery.note else {}),
    }


def render_note(note: str) -> dict[str, str]:
    """Return what the catalogue says of a code."""
    entry = entry_of_note(note)
    return {
        "code": entry.key,
        "name": entry.name,
        "meaning": entry.meaning,
        "side": entry.side.value,
        "remedy": entry.remedy,
    }


def render_attempt(attempt: Attempt) -> dict[str, object]:
    """Return what one attempt came to."""
    return {
        "began_at": render_time(attempt.began_at),
        "ended_at": render_time(attempt.ended_at),
        "note": attempt.note,
        "detail": attempt.detail,
        **({"explanation": render_note(attempt.note)} if attempt.note else {}),
    }


def render_study(tally: StudyTally) -> dict[str, object]:
    """Return how far the deliveries of a study to a destination have come."""
    return {
        "study": tally.study_instance_uid,
        "partition": tally.partition,
        "destination": tally.destination,
        **render_counters(tally.counters),
        "last_received_at": render_time(tally.last_received_at),
        "after": f"{tally.last_received_at!r},{tally.tally_key}",
    }


def render_difference(one: Difference) -> dict[str, object]:
    """Return one thing that is not as it was."""
    return {
        "change": one.change.value,
        "thing": one.thing.value,
        "name": one.name,
        "details": list(one.details),
        "channels": list(one.channels),
        "words": str(one),
    }


def render_problem(problem: Problem) -> dict[str, object]:
    """Return what is wrong with a configuration at one place."""
    return {"line": problem.line, "key": problem.key, "message": problem.message}


def render_time(seconds: float | None) -> str | None:
    """Return a time as text, UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
