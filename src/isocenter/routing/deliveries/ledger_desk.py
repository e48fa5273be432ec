"""What people ask of the ledger and do with its deliveries, whether the node runs or not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import partial

from isocenter.domain import delivery as steps
from isocenter.domain.delivery import NOWHERE, Delivery, DeliveryState, Wish
from isocenter.domain.delivery_counters import Counters, count
from isocenter.domain.errors import InvalidRequest, NotFound
from isocenter.ports.ledger import PAGE_MAX, Attempt, Ledger, LedgerRow, Selection, Step, Tally

STEPPED_MAX = 100_000
"""Deliveries of one call: some seconds; who has more calls again, which goes on where it ended."""
SERIES_ROWS_MAX = 100_000
"""Deliveries of one study that are counted by series."""


class Action(StrEnum):
    """What a person does with deliveries."""

    HOLD = "hold"
    RELEASE = "release"
    CANCEL = "cancel"
    SEND_AGAIN = "send-again"


_S = DeliveryState
STATES: Mapping[Action, frozenset[DeliveryState]] = {
    Action.HOLD: frozenset({_S.QUEUED, _S.SENDING}),
    Action.RELEASE: frozenset({_S.HELD, _S.SENDING}),
    Action.CANCEL: frozenset({_S.QUEUED, _S.SENDING, _S.HELD, _S.NEEDS_HUMAN}),
    Action.SEND_AGAIN: frozenset({_S.NEEDS_HUMAN, _S.CANCELLED, _S.DELIVERED, _S.DELIVERED_WITH_NOTE}),
}
"""In which an action does something."""
SENT_AGAIN_UNASKED = frozenset({_S.NEEDS_HUMAN})
"""What is sent again where nobody says which; what arrived is not sent twice by a slip."""


@dataclass(frozen=True, slots=True)
class Stepped:
    """What an action came to."""

    count: int
    is_complete: bool
    """Whether all that were selected took it; else the same call goes on."""


@dataclass(frozen=True, slots=True)
class SeriesCount:
    """How far the deliveries of one series to one destination have come."""

    series_instance_uid: str
    destination: str
    counters: Counters


class LedgerDesk:
    """Look at deliveries and act on them."""

    def __init__(self, ledger: Ledger, *, now: Callable[[], datetime]) -> None:
        self.ledger = ledger
        self._now = now

    def tallies(self, *, channel: str | None = None, destination: str | None = None) -> list[Tally]:
        """Return the counters of a channel, a destination, or all."""
        return [
            one
            for one in self.ledger.tallies()
            if channel in (None, one.channel) and destination in (None, one.destination)
        ]

    def delivery(self, delivery_key: int) -> LedgerRow:
        """Return one delivery; raises NotFound."""
        found = self.ledger.page(Selection(delivery_keys=(delivery_key,)), limit=1)
        if not found:
            raise NotFound(f"There is no delivery {delivery_key}.")
        return found[0]

    def attempts(self, delivery_key: int) -> list[Attempt]:
        """Return what the attempts of a delivery came to; raises NotFound."""
        self.delivery(delivery_key)
        return self.ledger.attempts(delivery_key)

    def series(self, study_instance_uid: str) -> list[SeriesCount]:
        """Return the deliveries of a study by series and destination; raises NotFound where there are none."""
        states: dict[tuple[str, str], list[DeliveryState]] = {}
        selection, after, seen = Selection(study_instance_uid=study_instance_uid), None, 0
        while page := self.ledger.page(selection, after=after, limit=PAGE_MAX):
            for row in page:
                key = row.identifier.series_instance_uid, row.plan.destination
                states.setdefault(key, []).append(row.delivery.state)
            after, seen = page[-1].delivery_key, seen + len(page)
            if len(page) < PAGE_MAX or seen >= SERIES_ROWS_MAX:
                break
        if not states:
            raise NotFound("There are no deliveries of that study.")
        return [SeriesCount(series, to, count(found)) for (series, to), found in sorted(states.items())]

    def step(self, action: Action, selection: Selection) -> Stepped:
        """Do something with all deliveries that are selected, as far as it applies to them.

        Raises InvalidRequest for a selection of everything: that is rarely meant.
        """
        if selection == Selection(states=selection.states):
            raise InvalidRequest("Say which deliveries: by destination, channel, study, note, or their numbers.")
        unasked = SENT_AGAIN_UNASKED if action is Action.SEND_AGAIN and not _names_some(selection) else STATES[action]
        states = unasked if selection.states is None else selection.states & STATES[action]
        if not states or selection.destination == NOWHERE:
            return Stepped(0, is_complete=True)
        return self._step(replace(selection, states=states), self._step_of(action))

    def _step(self, selection: Selection, step: Step) -> Stepped:
        done = 0
        while done < STEPPED_MAX:
            changed = self.ledger.change(selection, step, limit=PAGE_MAX)
            done += changed
            if changed < PAGE_MAX:
                return Stepped(done, is_complete=True)
        return Stepped(done, is_complete=False)

    def _step_of(self, action: Action) -> Step:
        now = self._now().timestamp()
        match action:
            case Action.HOLD:
                return steps.hold
            case Action.RELEASE:
                return partial(steps.release, now=now)
            case Action.CANCEL:
                return _cancel
            case Action.SEND_AGAIN:
                return partial(steps.send_again, now=now)


def destinations_of(tallies: Sequence[Tally]) -> list[str]:
    """Return the destinations that deliveries go to, each once."""
    return list(dict.fromkeys(one.destination for one in tallies if one.destination != NOWHERE))


def _names_some(selection: Selection) -> bool:
    """Tell whether single deliveries are named, so that nothing is sent that was not thought of."""
    return selection.delivery_keys is not None or selection.sop_instance_uid is not None


def _cancel(delivery: Delivery) -> Delivery | None:
    """Cancel a delivery that is not to be cancelled already."""
    return None if delivery.wish is Wish.CANCEL else steps.cancel(delivery)
