"""Hold ordered rules against an instance: where it goes, and the record of why.

Rules are asked in their order. One that matches names destinations; after it the next is asked, unless it says stop.
A rule of last resort is asked only where no rule before matched. A destination that two rules name gets the instance
once, as the first of them says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from isocenter.domain.delivery import Priority
from isocenter.routing.rules.evaluate import Finding, compile_expression, explain
from isocenter.routing.rules.expression import Expression, tags_of
from isocenter.routing.rules.subject import Subject


class After(StrEnum):
    """What follows a rule that matched."""

    CONTINUE = "continue"
    STOP = "stop"


class WaitFor(StrEnum):
    """What an instance waits for before it goes out."""

    NOTHING = "nothing"
    STUDY = "study"
    """Its study is whole, by the evidence that there is; late instances go out by themselves."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a channel."""

    name: str
    """Each once among the rules that are asked together."""
    when: Expression | None = None
    """None matches everything."""
    is_otherwise: bool = False
    """Asked only where no rule before matched."""
    to: tuple[str, ...] = ()
    """Names of destinations; none: what matches is not sent, on purpose."""
    transforms: tuple[str, ...] = ()
    """Names of transforms, in the order in which they are applied."""
    priority: Priority = Priority.ROUTINE
    after: After = After.CONTINUE
    wait_for: WaitFor = WaitFor.NOTHING


class RuleOutcome(StrEnum):
    """What became of one rule."""

    MATCHED = "matched"
    UNMATCHED = "unmatched"
    NOT_ASKED = "not asked"
    """A rule before it said stop, or it is one of last resort and another matched."""


@dataclass(frozen=True, slots=True)
class RuleRecord:
    """What became of one rule, and why."""

    rule: Rule
    outcome: RuleOutcome
    finding: Finding | None = None
    """None where the rule has no condition, or was not asked."""


@dataclass(frozen=True, slots=True)
class PlannedDelivery:
    """Where an instance goes, and as what."""

    destination: str
    rule_name: str
    transforms: tuple[str, ...]
    priority: Priority
    awaits_study: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """What the rules came to for one instance."""

    deliveries: tuple[PlannedDelivery, ...]
    matched: tuple[str, ...]
    """Names of the rules that matched, in their order."""
    records: tuple[RuleRecord, ...] = ()
    """One for each rule, where the decision was asked to be explained."""


def decide(rules: Sequence[Rule], subject: Subject) -> Decision:
    """Return where an instance goes."""
    return compile_rules(rules)(subject)


def compile_rules(rules: Sequence[Rule]) -> Callable[[Subject], Decision]:
    """Return rules ready to decide on many instances."""
    tests = {rule.name: compile_expression(rule.when) for rule in rules if rule.when is not None}

    def decide_on(subject: Subject) -> Decision:
        reader = subject.attributes
        matched = _matching(rules, lambda rule: rule.when is None or tests[rule.name](reader, subject))
        return Decision(_deliveries(matched), tuple(rule.name for rule in matched))

    return decide_on


def decide_and_explain(rules: Sequence[Rule], subject: Subject) -> Decision:
    """Return where an instance goes and what became of each rule."""
    records: dict[str, RuleRecord] = {}

    def ask(rule: Rule) -> bool:
        finding = None if rule.when is None else explain(rule.when, subject)
        is_matched = finding is None or finding.is_true
        outcome = RuleOutcome.MATCHED if is_matched else RuleOutcome.UNMATCHED
        records[rule.name] = RuleRecord(rule, outcome, finding)
        return is_matched

    matched = _matching(rules, ask)
    all_records = tuple(records.get(rule.name) or RuleRecord(rule, RuleOutcome.NOT_ASKED) for rule in rules)
    return Decision(_deliveries(matched), tuple(rule.name for rule in matched), all_records)


def wanted_tags(rules: Sequence[Rule]) -> frozenset[int]:
    """Return the tags that must be at hand to decide."""
    return frozenset().union(*(tags_of(rule.when) for rule in rules if rule.when is not None))


def _matching(rules: Sequence[Rule], matches: Callable[[Rule], bool]) -> list[Rule]:
    """Return the rules that match, asking no more of them than their order says."""
    matched: list[Rule] = []
    for rule in rules:
        if rule.is_otherwise and matched:
            continue
        if matches(rule):
            matched.append(rule)
            if rule.after is After.STOP:
                break
    return matched


def _deliveries(matched: Sequence[Rule]) -> tuple[PlannedDelivery, ...]:
    planned: dict[str, PlannedDelivery] = {}
    for rule in matched:
        for destination in rule.to:
            planned.setdefault(
                destination,
                PlannedDelivery(destination, rule.name, rule.transforms, rule.priority, rule.wait_for is WaitFor.STUDY),
            )
    return tuple(planned.values())
