from __future__ import annotations

import pytest

from isocenter.routing.completeness.judge import EvidenceKind, Expectation, Snapshot, Verdict, judge
from isocenter.routing.completeness.quiet import QUIET_MAX_S

_HERE = Snapshot(frozenset({"1", "2"}), last_at=100.0, quiet_s=30.0)
_STEP = Expectation(EvidenceKind.PERFORMED_STEP, "step 9", frozenset({"1", "2"}))


def _judge(*expectations: Expectation, now: float = 101.0) -> Verdict:
    return judge(_HERE, expectations, now=now)


@pytest.mark.parametrize(
    ("expectation", "told"),
    [
        (_STEP, "step 9 completed, and all that is named is here"),
        (Expectation(EvidenceKind.COUNT, "pacs", count=2), "2 instances are here, as pacs tells"),
        (Expectation(EvidenceKind.COMMITMENT, "CT1", frozenset({"1"})), "all that CT1 names is here"),
        (Expectation(EvidenceKind.REQUEST, "a command"), "a command asked to treat it as complete"),
    ],
)
def test_evidence_makes_a_study_complete_at_once_and_is_told(expectation: Expectation, told: str) -> None:
    verdict = _judge(expectation)
    assert (verdict.is_complete, verdict.evidence, verdict.told) == (True, expectation.kind, told)


def test_without_evidence_silence_decides() -> None:
    assert _judge(now=129.9) == Verdict(False, None, "waits: quiet for 30 s", look_at=130.0)
    assert _judge(now=130.0) == Verdict(True, EvidenceKind.QUIET, "nothing came for 30 s")


@pytest.mark.parametrize(
    ("expectation", "objection"),
    [
        (
            Expectation(EvidenceKind.PERFORMED_STEP, "step 9", frozenset({"1", "3"})),
            "1 of 2 instances that step 9 names are missing",
        ),
        (Expectation(EvidenceKind.PERFORMED_STEP, "step 9", is_final=False), "step 9 is in progress"),
        (Expectation(EvidenceKind.PERFORMED_STEP, "step 9"), "step 9 names no instances"),
        (Expectation(EvidenceKind.COUNT, "pacs", count=3), "2 of 3 instances that pacs tells of are here"),
        (
            Expectation(EvidenceKind.COMMITMENT, "CT1", frozenset({"3"})),
            "1 of 1 instances that CT1 names are missing",
        ),
    ],
)
def test_evidence_that_says_no_makes_silence_wait_for_the_longest_time(
    expectation: Expectation, objection: str
) -> None:
    verdict = _judge(expectation, now=130.0)
    assert (verdict.is_complete, verdict.told) == (False, f"waits: {objection}")
    late = _judge(expectation, now=100.0 + QUIET_MAX_S)
    assert late.is_complete
    assert late.told == f"nothing came for {QUIET_MAX_S:.0f} s, though {objection}"


def test_the_strongest_evidence_that_fires_is_told() -> None:
    weaker = Expectation(EvidenceKind.COUNT, "pacs", count=2)
    assert _judge(weaker, _STEP).evidence is EvidenceKind.PERFORMED_STEP
    unfulfilled = Expectation(EvidenceKind.PERFORMED_STEP, "step 8", frozenset({"5"}))
    assert _judge(weaker, unfulfilled).evidence is EvidenceKind.COUNT


def test_every_step_of_a_study_must_be_done() -> None:
    other = Expectation(EvidenceKind.PERFORMED_STEP, "step 8", is_final=False)
    assert not _judge(_STEP, other).is_complete
