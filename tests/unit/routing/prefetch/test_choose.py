from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from isocenter.routing.prefetch.choose import Candidate, Judgement, choose
from isocenter.routing.prefetch.rule import DAY_S, BodyPartMatch, PrefetchRule, Reports, TriggerKind
from isocenter.routing.prefetch.trigger import Trigger

_DAY = date(2026, 11, 21)
_RULE = PrefetchRule("priors", ("pacs",))
_TRIGGER = Trigger(
    TriggerKind.STUDY, "4711", modality="CT", description="CT chest", study_instance_uid="1.9", birth_date="19600101"
)
_PRIOR = Candidate("1.1", "pacs", "20260101", ("CT",), "CT thorax")


def _one(candidate: Candidate, rule: PrefetchRule = _RULE, trigger: Trigger = _TRIGGER) -> Judgement:
    (judgement,) = choose([candidate], trigger, rule, day=_DAY)
    return judgement


def test_the_last_study_of_the_same_modality_and_region_is_chosen_with_its_reasons() -> None:
    judgement = _one(_PRIOR)
    assert judgement.is_chosen
    assert judgement.reason == "chosen: score 0.94 (same modality CT, same region chest, 11 months old)"


@pytest.mark.parametrize(
    ("candidate", "reason"),
    [
        (replace(_PRIOR, study_date="20151120"), "skipped: 11 years old; limit 5 years"),
        (replace(_PRIOR, study_instance_uid="1.9"), "skipped: it is the study itself"),
        (replace(_PRIOR, modalities=("SR",)), "skipped: no images, only SR"),
        (replace(_PRIOR, description="CT knee"), "skipped: region leg; wanted chest"),
        (replace(_PRIOR, modalities=("US",)), "skipped: modality US; wanted CT, MR"),
        (replace(_PRIOR, birth_date="19700101"), "skipped: another patient: the birth date is not the same"),
    ],
)
def test_what_is_left_out_says_why(candidate: Candidate, reason: str) -> None:
    rule = replace(_RULE, age_max_s=5 * 365.25 * DAY_S, modalities=("CT", "MR"))
    judgement = _one(candidate, rule)
    assert (judgement.is_chosen, judgement.reason) == (False, reason)


def test_another_issuer_means_another_patient() -> None:
    trigger = replace(_TRIGGER, issuer="HOSP")
    assert not _one(replace(_PRIOR, issuer="OTHER"), trigger=trigger).is_chosen
    assert _one(replace(_PRIOR, issuer=""), trigger=trigger).is_chosen


def test_the_study_of_an_order_is_known_by_its_accession_number() -> None:
    trigger = replace(_TRIGGER, accession_number="A1")
    assert _one(replace(_PRIOR, accession_number="A1"), trigger=trigger).reason.startswith("skipped: it has the acc")


def test_an_old_study_is_taken_where_no_age_is_set() -> None:
    rule = replace(_RULE, count_max=2)
    assert _one(replace(_PRIOR, study_date="19940223"), rule).is_chosen


def test_the_best_are_taken_up_to_the_count() -> None:
    candidates = [
        replace(_PRIOR, study_instance_uid=f"1.{year}", study_date=f"{year}0101") for year in range(2010, 2020)
    ]
    judgements = choose(candidates, _TRIGGER, replace(_RULE, count_max=2), day=_DAY)
    assert [one.candidate.study_date[:4] for one in judgements if one.is_chosen] == ["2019", "2018"]
    assert judgements[2].reason.startswith("skipped: number 3 by score; limit 2")
    assert len(judgements) == len(candidates)


def test_a_study_of_little_use_is_below_the_score() -> None:
    judgement = _one(replace(_PRIOR, modalities=("US",), description="CT abdomen"))
    assert judgement.reason.startswith("skipped: score 0.34; at least 0.50 (modality US, neighbouring region abdomen")


def test_of_a_study_that_two_sources_have_the_first_is_asked() -> None:
    judgements = choose([_PRIOR, replace(_PRIOR, source="cloud")], _TRIGGER, _RULE, day=_DAY)
    assert [(one.candidate.source, one.is_chosen) for one in judgements] == [("pacs", True), ("cloud", False)]
    assert judgements[1].reason == "skipped: pacs has it too, and is asked first"


def test_reports_are_taken_where_the_rule_includes_them() -> None:
    rule = replace(_RULE, reports=Reports.INCLUDE, modalities=("SR",))
    assert _one(replace(_PRIOR, modalities=("SR",)), rule).is_chosen


def test_any_region_will_do_where_the_rule_says_so() -> None:
    rule = replace(_RULE, body_part=BodyPartMatch.ANY)
    assert _one(replace(_PRIOR, description="CT knee"), rule).is_chosen


def test_what_nobody_told_is_not_held_against_a_study() -> None:
    assert _one(replace(_PRIOR, description="", modalities=("CT",), study_date="")).is_chosen
    assert not _one(replace(_PRIOR, description="", modalities=(), study_date="")).is_chosen


def test_a_new_examination_of_an_unknown_kind_is_compared_with_all() -> None:
    judgement = _one(_PRIOR, trigger=Trigger(TriggerKind.REQUEST, "4711"))
    assert judgement.is_chosen
    assert judgement.score == pytest.approx(0.2 + 0.2 + 0.2 * 2 / (2 + 324 / 365.25), abs=1e-4)


def test_a_date_of_the_old_form_is_read() -> None:
    assert "11 months old" in _one(replace(_PRIOR, study_date="2026.01.01")).reason


def test_what_was_made_later_is_no_prior() -> None:
    assert _one(replace(_PRIOR, study_date="20261122")).reason == "skipped: it was made later than the study itself"
    assert _one(replace(_PRIOR, study_date="20261121")).is_chosen
