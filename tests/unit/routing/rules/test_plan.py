from __future__ import annotations

from isocenter.domain.delivery import NOWHERE, DeliveryPlan, Priority
from isocenter.routing.rules.decide import Rule, decide
from isocenter.routing.rules.parse import parse_expression
from isocenter.routing.rules.plan import plans_of
from tests.support.rule_expressions import MODALITY, Item, subject

CT = subject(Item({MODALITY: ["CT"]}))


def _plans(*rules: Rule) -> tuple[DeliveryPlan, ...]:
    return plans_of(decide(rules, CT), channel="router", configuration_version=3, calling_ae_title="CT1")


def test_each_destination_has_a_plan_that_tells_why() -> None:
    rule = Rule("both", to=("pacs", "cloud"), transforms=("for-all",), priority=Priority.STAT)
    assert _plans(rule) == tuple(
        DeliveryPlan(to, "router", "both", 3, ("for-all",), Priority.STAT, "CT1") for to in ("pacs", "cloud")
    )


def test_what_no_rule_matches_is_planned_to_go_nowhere() -> None:
    assert _plans(Rule("mr", parse_expression('Modality = "MR"'), to=("pacs",))) == (
        DeliveryPlan(NOWHERE, "router", "", 3, calling_ae_title="CT1"),
    )


def test_what_a_rule_sends_nowhere_on_purpose_names_the_rule() -> None:
    (plan,) = _plans(Rule("first"), Rule("drop CT", parse_expression('Modality = "CT"')))
    assert (plan.destination, plan.rule) == (NOWHERE, "drop CT")
