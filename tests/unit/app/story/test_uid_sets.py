from __future__ import annotations

from isocenter.app.story.step import Findings
from isocenter.app.story.uid_sets import count, expect_among, expect_exactly


def test_the_same_are_told_by_their_number() -> None:
    findings = Findings()
    assert expect_exactly(findings, "There", wanted=["1", "2"], found=["2", "1"], noun="study")
    assert (findings.expectations[0].wanted, findings.expectations[0].found) == ("2 studies", "2 studies")


def test_what_is_missing_and_what_is_too_much_is_named() -> None:
    findings = Findings()
    assert not expect_exactly(findings, "There", wanted=["1", "2"], found=["2", "3"], noun="study")
    assert findings.expectations[0].found == "2 studies, missing 1, not expected 3"


def test_many_that_are_missing_are_not_all_named() -> None:
    findings = Findings()
    expect_among(findings, "There", wanted=list("12345"), found=[], noun="instance")
    assert findings.expectations[0].found == "0 instances, missing 1 2 3 …"


def test_others_do_not_matter_where_they_may_be() -> None:
    findings = Findings()
    assert expect_among(findings, "There", wanted=["1"], found=["1", "9"], noun="study")
    assert findings.expectations[0].found == "1 study"


def test_nouns_have_their_form() -> None:
    assert (count(["1"], "study"), count([], "study"), count(["1"], "instance")) == (
        "1 study",
        "0 studies",
        "1 instance",
    )
