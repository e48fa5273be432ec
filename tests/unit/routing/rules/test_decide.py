from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from isocenter.domain.delivery import Priority
from isocenter.routing.rules.decide import (
    After,
    Rule,
    RuleOutcome,
    WaitFor,
    decide,
    decide_and_explain,
    wanted_tags,
)
from isocenter.routing.rules.parse import parse_expression
from isocenter.routing.rules.subject import Subject
from tests.support.rule_expressions import MODALITY, Item, expressions, subject, subjects

CT = subject(Item({MODALITY: ["CT"]}))
IS_CT, IS_MR = parse_expression('Modality = "CT"'), parse_expression('Modality = "MR"')


def _rule(
    name: str, *to: str, after: After = After.CONTINUE, is_ct: bool | None = None, is_otherwise: bool = False
) -> Rule:
    when = None if is_ct is None else IS_CT if is_ct else IS_MR
    return Rule(name, when, is_otherwise, to, after=after)


def _destinations(*rules: Rule) -> list[str]:
    return [delivery.destination for delivery in decide(rules, CT).deliveries]


def test_every_rule_that_matches_adds_its_destinations_once() -> None:
    assert _destinations(
        _rule("a", "pacs", is_ct=True), _rule("b", "tape", is_ct=False), _rule("c", "cloud", "pacs")
    ) == ["pacs", "cloud"]


def test_a_rule_that_says_stop_is_the_last_one_where_it_matches() -> None:
    assert _destinations(_rule("a", "pacs", after=After.STOP), _rule("b", "cloud")) == ["pacs"]
    assert _destinations(_rule("a", "pacs", after=After.STOP, is_ct=False), _rule("b", "cloud")) == ["cloud"]


def test_a_rule_of_last_resort_runs_only_where_none_before_matched() -> None:
    otherwise = _rule("rest", "shelf", is_otherwise=True)
    assert _destinations(_rule("a", "pacs", is_ct=True), otherwise) == ["pacs"]
    assert _destinations(_rule("a", "pacs", is_ct=False), otherwise) == ["shelf"]
    assert _destinations(_rule("drop", is_ct=True), otherwise) == []


def test_the_first_rule_that_names_a_destination_says_how_it_is_sent() -> None:
    first = Rule("first", to=("pacs",), transforms=("anonymous",), priority=Priority.STAT)
    (delivery,) = decide([first, Rule("second", to=("pacs",))], CT).deliveries
    assert (delivery.rule_name, delivery.transforms, delivery.priority) == ("first", ("anonymous",), Priority.STAT)


def test_the_record_says_what_became_of_every_rule() -> None:
    decision = decide_and_explain(
        [_rule("a", is_ct=False), _rule("b", "pacs", is_ct=True, after=After.STOP), _rule("c", "cloud")], CT
    )
    assert [(record.rule.name, record.outcome) for record in decision.records] == [
        ("a", RuleOutcome.UNMATCHED),
        ("b", RuleOutcome.MATCHED),
        ("c", RuleOutcome.NOT_ASKED),
    ]
    assert decision.records[0].finding is not None
    assert decision.matched == ("b",)


def test_tags_of_all_rules_are_wanted() -> None:
    assert wanted_tags([_rule("a", is_ct=True), _rule("b"), Rule("c", parse_expression("Rows > 1"))]) == {
        MODALITY,
        0x00280010,
    }


_rules = st.lists(
    st.builds(
        Rule,
        name=st.just(""),
        when=st.none() | expressions(),
        is_otherwise=st.booleans(),
        to=st.lists(st.sampled_from("abc"), max_size=2, unique=True).map(tuple),
        after=st.sampled_from(After),
    ),
    max_size=5,
).map(
    lambda rules: [
        Rule(str(at), rule.when, rule.is_otherwise, rule.to, after=rule.after) for at, rule in enumerate(rules)
    ]
)


@given(rules=_rules, of=subjects())
def test_explaining_changes_nothing(rules: list[Rule], of: Subject) -> None:
    plain, explained = decide(rules, of), decide_and_explain(rules, of)
    assert (plain.deliveries, plain.matched) == (explained.deliveries, explained.matched)
    assert [record.rule for record in explained.records] == rules
    destinations = [delivery.destination for delivery in plain.deliveries]
    assert len(set(destinations)) == len(destinations)


def test_a_rule_says_whether_what_it_names_awaits_the_study() -> None:
    rules = [Rule("all", to=("pacs",)), Rule("research", to=("cloud",), wait_for=WaitFor.STUDY)]
    planned = decide(rules, CT).deliveries
    assert [(one.destination, one.awaits_study) for one in planned] == [("pacs", False), ("cloud", True)]
