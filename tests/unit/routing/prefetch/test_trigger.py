from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from isocenter.routing.hl7.order import Order, PatientIdentifier
from isocenter.routing.prefetch.rule import DAY_S, PrefetchRule, TriggerKind
from isocenter.routing.prefetch.trigger import (
    Timing,
    Trigger,
    heeding,
    reference_day,
    subject_of,
    timing_of,
    trigger_of_json,
    trigger_of_order,
)

_RULE = PrefetchRule("priors", ("pacs",))
_STUDY = Trigger(TriggerKind.STUDY, "4711", modality="CT", description="CT thorax", study_date="20261121")
_NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def _order(**values: object) -> Order:
    fields = {"patients": (PatientIdentifier("4711", "HOSP"),), "modality": "CT", "procedure": "CT thorax"} | values
    return Order("ORM^O01", "1", **fields)  # type: ignore[arg-type]


def test_an_order_triggers_for_its_patient_and_procedure() -> None:
    trigger = trigger_of_order(_order(appointment=_NOW, accession_number="A1"))
    assert trigger is not None
    assert (trigger.patient_id, trigger.issuer, trigger.modality) == ("4711", "HOSP", "CT")
    assert (trigger.appointment, trigger.message_type) == (_NOW.timestamp(), "ORM^O01")


@pytest.mark.parametrize("order", [_order(patients=()), _order(is_cancelled=True)])
def test_what_names_nobody_or_is_taken_back_triggers_nothing(order: Order) -> None:
    assert trigger_of_order(order) is None


@pytest.mark.parametrize("trigger", [_STUDY, replace(_STUDY, appointment=12.5, issuer="X", message_type="ORM^O01")])
def test_a_trigger_comes_back_from_json(trigger: Trigger) -> None:
    assert trigger_of_json(trigger.as_json()) == trigger


@pytest.mark.parametrize(
    ("rule", "trigger", "heeds"),
    [
        (_RULE, _STUDY, True),
        (replace(_RULE, is_enabled=False), _STUDY, False),
        (replace(_RULE, on=(TriggerKind.ORDER,)), _STUDY, False),
        (replace(_RULE, on=(TriggerKind.ORDER,)), replace(_STUDY, kind=TriggerKind.REQUEST), True),
        (replace(_RULE, for_modalities=("MR",)), _STUDY, False),
        (replace(_RULE, for_modalities=("MR",)), replace(_STUDY, modality=""), True),
        (_RULE, replace(_STUDY, kind=TriggerKind.ORDER, message_type="ORM^O01"), True),
        (_RULE, replace(_STUDY, kind=TriggerKind.ORDER, message_type="ORU^R01"), False),
    ],
)
def test_a_rule_heeds_what_it_says(rule: PrefetchRule, trigger: Trigger, heeds: bool) -> None:
    assert list(heeding([rule], trigger)) == ([rule] if heeds else [])


def test_triggers_for_the_same_patient_modality_and_region_are_the_same() -> None:
    assert subject_of(_STUDY, _RULE) == subject_of(
        replace(_STUDY, kind=TriggerKind.ORDER, description="Chest CT, low dose", accession_number="A9"), _RULE
    )


@pytest.mark.parametrize("values", [{"patient_id": "1"}, {"issuer": "X"}, {"modality": "MR"}, {"description": "head"}])
def test_other_triggers_are_not(values: dict[str, str]) -> None:
    assert subject_of(_STUDY, _RULE) != subject_of(replace(_STUDY, **values), _RULE)  # type: ignore[arg-type]


def test_a_subject_does_not_tell_who_the_patient_is() -> None:
    assert "4711" not in subject_of(_STUDY, _RULE)


def test_fetching_begins_at_once_without_an_appointment() -> None:
    assert timing_of(_STUDY, _RULE, now=100.0) == Timing(100.0, None)


@pytest.mark.parametrize(("days", "start_days"), [(10, 9), (0.5, 0), (-1, 0)])
def test_fetching_begins_a_day_before_the_lead_time_of_an_appointment(days: float, start_days: float) -> None:
    now = 1_000_000.0
    deadline = now + days * DAY_S
    trigger = replace(_STUDY, appointment=deadline + _RULE.lead_time_s)
    assert timing_of(trigger, _RULE, now=now) == Timing(now + start_days * DAY_S, deadline)


@pytest.mark.parametrize(
    ("trigger", "day"),
    [
        (_STUDY, date(2026, 11, 21)),
        (replace(_STUDY, study_date="2026"), date(2026, 11, 21)),
        (replace(_STUDY, study_date="", appointment=0.0), date(1970, 1, 1)),
        (replace(_STUDY, study_date=""), date(2026, 11, 21)),
    ],
)
def test_the_age_of_priors_counts_from_the_study_or_the_appointment(trigger: Trigger, day: date) -> None:
    assert reference_day(trigger, now=_NOW) == day
