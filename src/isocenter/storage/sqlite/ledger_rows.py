"""Deliveries as the tables have them, with the keys of the counters that they count in."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import apsw

from isocenter.domain.delivery import Delivery, DeliveryPlan, DeliveryState, Priority, Wish
from isocenter.domain.identifiers import InstanceIdentifier
from isocenter.ports.ledger import LedgerRow
from isocenter.storage.sqlite.connections import fetch


@dataclass(frozen=True, slots=True)
class KeptDelivery:
    """One delivery, and where it counts."""

    row: LedgerRow
    tally_key: int
    study_key: int
    """Of the study on its way to the destination."""


def read_deliveries(
    connection: apsw.Connection, queries: Mapping[str, str], delivery_keys: Sequence[int]
) -> dict[int, KeptDelivery]:
    """Return those of some deliveries that there are, by key, in the order that was asked for."""
    plans: dict[int, DeliveryPlan] = {}
    found: dict[int, KeptDelivery] = {}
    for row in fetch(connection, queries["ledger_rows"], (json.dumps(list(delivery_keys)),)):
        key, instance_key, study, series, sop, partition, size_bytes, plan_key, tally_key, study_key, *kept = row
        if plan_key not in plans:
            plans[plan_key] = _plan(connection, queries, plan_key)
        identifier = InstanceIdentifier(study, series, sop, partition)
        entry = LedgerRow(key, instance_key, identifier, size_bytes, plans[plan_key], _delivery(*kept))
        found[key] = KeptDelivery(entry, tally_key, study_key)
    return found


def _delivery(
    state: str, received_at: float, due_at: float, lease_number: int, leased_until: float | None, *rest: object
) -> Delivery:
    failures, wish, note = rest
    return Delivery(
        DeliveryState(state),
        received_at,
        due_at,
        lease_number,
        leased_until,
        int(str(failures)),
        Wish(str(wish)),
        str(note),
    )


def _plan(connection: apsw.Connection, queries: Mapping[str, str], plan_key: int) -> DeliveryPlan:
    [(destination, channel, rule, version, transforms, priority, ae_title, awaits)] = fetch(
        connection, queries["plan_row"], (plan_key,)
    )
    return DeliveryPlan(
        destination, channel, rule, version, tuple(json.loads(transforms)), Priority(priority), ae_title, bool(awaits)
    )


def plan_columns(plan: DeliveryPlan) -> tuple[object, ...]:
    """Return what the rules said as the columns of its table."""
    return (
        plan.destination,
        plan.channel,
        plan.rule,
        plan.configuration_version,
        json.dumps(list(plan.transforms)),
        plan.priority.value,
        plan.calling_ae_title,
        int(plan.awaits_study),
    )
