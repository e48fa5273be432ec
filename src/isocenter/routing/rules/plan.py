"""From a decision to plans of deliveries: what the ledger keeps of why an instance goes where."""

from __future__ import annotations

from isocenter.domain.delivery import NOWHERE, DeliveryPlan
from isocenter.routing.rules.decide import Decision


def plans_of(
    decision: Decision, *, channel: str, configuration_version: int, calling_ae_title: str = ""
) -> tuple[DeliveryPlan, ...]:
    """Return a plan for each destination; where there is none, one to nowhere, so that counters add up.

    That names the last rule that matched: it sent the instance nowhere on purpose.
    """
    if not decision.deliveries:
        rule = decision.matched[-1] if decision.matched else ""
        return (
            DeliveryPlan(
                NOWHERE, channel, rule, configuration_version=configuration_version, calling_ae_title=calling_ae_title
            ),
        )
    return tuple(
        DeliveryPlan(
            one.destination,
            channel,
            one.rule_name,
            configuration_version=configuration_version,
            transforms=one.transforms,
            priority=one.priority,
            calling_ae_title=calling_ae_title,
            awaits_study=one.awaits_study,
        )
        for one in decision.deliveries
    )
