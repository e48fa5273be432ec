from __future__ import annotations

from isocenter.routing.prefetch.rule import MESSAGES, PrefetchRule, TriggerKind


def test_a_rule_heeds_studies_work_lists_and_orders_unless_it_says_otherwise() -> None:
    rule = PrefetchRule("priors", ("pacs",))
    assert set(rule.on) == set(TriggerKind) - {TriggerKind.REQUEST}
    assert rule.messages == MESSAGES
    assert rule.count_max < 10, "a rule that says nothing does not take everything"
