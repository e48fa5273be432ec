"""How a delivery and its attempts read on the pages, with the study that they are about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from isocenter.domain.attributes import BY_KEYWORD
from isocenter.domain.delivery import DeliveryState
from isocenter.domain.identifiers import Level
from isocenter.domain.principal import Principal
from isocenter.domain.query import OneOf, Query
from isocenter.ports.ledger import Attempt, LedgerRow
from isocenter.routing.catalogue.entry import Entry
from isocenter.routing.catalogue.lookup import entry_of_note
from isocenter.routing.deliveries.ledger_desk import STATES, Action
from isocenter.routing.sending.status import describe_size
from isocenter.web.console.moment import format_moment
from isocenter.web.pages.router_needs import StudySearch
from isocenter.web.pages.router_words import DELIVERY_TONES, state_words
from isocenter.web.pages.study_row import StudyRow, study_row

_STUDY_INSTANCE_UID = BY_KEYWORD["StudyInstanceUID"].tag


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """One delivery as pages show it."""

    row: LedgerRow
    state: str
    tone: str
    size: str
    received_at: str
    due_at: str
    entry: Entry | None
    """What the catalogue says of its note."""
    study: StudyRow | None
    """None where it is not here any more."""
    actions: tuple[str, ...]
    """What can be done with it."""

    @property
    def key(self) -> int:
        """Return its number."""
        return self.row.delivery_key


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """One attempt."""

    began_at: str
    took: str
    note: str
    detail: str
    entry: Entry | None


def delivery_row(row: LedgerRow, studies: Mapping[str, StudyRow]) -> DeliveryRow:
    """Return a delivery as pages show it."""
    delivery = row.delivery
    is_queued = delivery.state is DeliveryState.QUEUED
    return DeliveryRow(
        row=row,
        state=state_words(delivery.state.value),
        tone=DELIVERY_TONES[delivery.state],
        size=describe_size(row.size_bytes),
        received_at=format_moment(delivery.received_at),
        due_at=format_moment(delivery.due_at) if is_queued else "",
        entry=entry_of_note(delivery.note) if delivery.note else None,
        study=studies.get(row.identifier.study_instance_uid),
        actions=actions_of(row),
    )


def attempt_row(attempt: Attempt) -> AttemptRow:
    """Return an attempt as pages show it."""
    return AttemptRow(
        format_moment(attempt.began_at),
        f"{max(0.0, attempt.ended_at - attempt.began_at):.2f} s",
        attempt.note,
        attempt.detail,
        entry_of_note(attempt.note) if attempt.note else None,
    )


def actions_of(row: LedgerRow) -> tuple[str, ...]:
    """Return what a person can do with a delivery; nothing leads away from nowhere."""
    if not row.plan.destination:
        return ()
    return tuple(action.value for action in Action if row.delivery.state in STATES[action])


def find_studies(search: StudySearch, principal: Principal, uids: Sequence[str]) -> dict[str, StudyRow]:
    """Return the studies of some UIDs that are here and may be seen, by one search."""
    wanted = tuple(dict.fromkeys(uids))
    if not wanted:
        return {}
    query = Query(Level.STUDY, (OneOf(_STUDY_INSTANCE_UID, wanted),), limit=len(wanted))
    rows = (study_row(row) for row in search.search(principal, query))
    return {row.study_instance_uid: row for row in rows}
