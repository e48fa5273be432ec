"""Triggers as values: who comes, for what, when; which rules heed one, and what makes two of them the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from isocenter.routing.hl7.order import Order
from isocenter.routing.prefetch.region import regions_of
from isocenter.routing.prefetch.rule import PrefetchRule, TriggerKind


@dataclass(frozen=True, slots=True)
class Trigger:
    """Says that a patient has a study, or will have one; what is not known is empty."""

    kind: TriggerKind
    patient_id: str
    issuer: str = ""
    birth_date: str = ""
    modality: str = ""
    description: str = ""
    """Words on what is examined: body part, procedure, study description."""
    study_instance_uid: str = ""
    study_date: str = ""
    accession_number: str = ""
    appointment: float | None = None
    """Seconds since the epoch."""
    message_type: str = ""
    """Of an order, such as `ORM^O01`."""

    def as_json(self) -> dict[str, Any]:
        """Return what `trigger_of_json` reads."""
        return {name: value for name in _FIELDS if (value := getattr(self, name)) not in ("", None)}


_FIELDS = (
    "kind",
    "patient_id",
    "issuer",
    "birth_date",
    "modality",
    "description",
    "study_instance_uid",
    "study_date",
    "accession_number",
    "appointment",
    "message_type",
)


def trigger_of_json(document: dict[str, Any]) -> Trigger:
    """Return the trigger that `as_json` wrote."""
    return Trigger(**{**document, "kind": TriggerKind(document["kind"])})


def trigger_of_order(order: Order) -> Trigger | None:
    """Return what an order triggers; None where it names no patient, or takes back what another one said."""
    if order.is_cancelled or not order.patients:
        return None
    patient = order.patients[0]
    return Trigger(
        kind=TriggerKind.ORDER,
        patient_id=patient.patient_id,
        issuer=patient.issuer,
        birth_date=order.birth_date,
        modality=order.modality,
        description=order.procedure,
        study_instance_uid=order.study_instance_uid,
        accession_number=order.accession_number,
        appointment=None if order.appointment is None else order.appointment.timestamp(),
        message_type=order.message_type,
    )


def heeding(rules: Iterable[PrefetchRule], trigger: Trigger) -> Iterator[PrefetchRule]:
    """Yield the rules that a trigger concerns."""
    for rule in rules:
        is_heard = trigger.kind is TriggerKind.REQUEST or trigger.kind in rule.on
        is_message = trigger.kind is not TriggerKind.ORDER or trigger.message_type in rule.messages
        is_modality = not rule.for_modalities or not trigger.modality or trigger.modality in rule.for_modalities
        if rule.is_enabled and is_heard and is_message and is_modality:
            yield rule


def subject_of(trigger: Trigger, rule: PrefetchRule) -> str:
    """Return what makes two triggers of a rule the same: patient, modality, regions; not to be read back."""
    regions = sorted(regions_of(trigger.description, synonyms=rule.synonyms))
    parts = (trigger.patient_id, trigger.issuer, trigger.modality, *regions)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Timing:
    """When fetching begins, and by when it is to be done; seconds since the epoch."""

    start_at: float
    deadline: float | None


def timing_of(trigger: Trigger, rule: PrefetchRule, *, now: float) -> Timing:
    """Return when priors are fetched: at once, or a day before an appointment, whose lead time is the deadline."""
    if trigger.appointment is None:
        return Timing(now, None)
    deadline = trigger.appointment - rule.lead_time_s
    return Timing(max(now, deadline - rule.begin_before_s), deadline)


def reference_day(trigger: Trigger, *, now: datetime) -> date:
    """Return the day from which the age of priors is counted: of the study, of the appointment, else today."""
    try:
        if trigger.study_date:
            return date(int(trigger.study_date[:4]), int(trigger.study_date[4:6]), int(trigger.study_date[6:8]))
    except ValueError:
        pass
    if trigger.appointment is None:
        return now.date()
    return datetime.fromtimestamp(trigger.appointment, now.tzinfo).date()
