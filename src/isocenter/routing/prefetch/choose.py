"""Choose among the studies of a patient, with a score and a reason for each of them.

    candidates ─▶ excluded by a limit of the rule ─▶ scored ─▶ below the score ─▶ beyond the count ─▶ chosen

The score is 0.4 for the modality, 0.4 for the region, 0.2 for how young it is: between a study of last month and one of
ten years ago everything else decides first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from isocenter.routing.prefetch.region import Region, are_neighbours, regions_of
from isocenter.routing.prefetch.rule import DAY_S, BodyPartMatch, PrefetchRule, Reports
from isocenter.routing.prefetch.trigger import Trigger

MODALITY_WEIGHT, REGION_WEIGHT, AGE_WEIGHT = 0.4, 0.4, 0.2
NEIGHBOUR_SHARE = 0.5
"""Of the weight of the region, for a neighbour and for what nobody told."""
YEAR_DAYS = 365.25
AGE_HALF_YEARS = 2.0
"""A study of that age has half of the weight of its age."""
NOT_IMAGES = frozenset({"SR", "DOC", "KO", "PR", "AU", "REG", "RTPLAN", "RTSTRUCT", "RTDOSE", "PLAN", "SEG", "OT"})
"""Modalities of what is read, not looked at; a study of nothing else is a report. OT are scanned request forms."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A study of the patient that a source has."""

    study_instance_uid: str
    source: str
    study_date: str = ""
    modalities: tuple[str, ...] = ()
    description: str = ""
    """Study description and body parts."""
    accession_number: str = ""
    birth_date: str = ""
    issuer: str = ""
    instances: int | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """What becomes of a candidate, and why in words."""

    candidate: Candidate
    is_chosen: bool
    reason: str
    score: float = 0.0


def choose(
    candidates: Sequence[Candidate], trigger: Trigger, rule: PrefetchRule, *, day: date
) -> tuple[Judgement, ...]:
    """Return a judgement for each candidate, the best first; of one study that two sources have, the first counts."""
    excluded: list[Judgement] = []
    scored: list[Judgement] = []
    seen: dict[str, str] = {}
    for candidate in candidates:
        reason = _duplicate(candidate, seen) or _exclusion(candidate, trigger, rule, day)
        if reason:
            excluded.append(Judgement(candidate, is_chosen=False, reason=f"skipped: {reason}"))
        else:
            scored.append(_score(candidate, trigger, rule, day))
        seen.setdefault(candidate.study_instance_uid, candidate.source)
    ranked = sorted(scored, key=lambda one: (-one.score, _reversed(one.candidate.study_date)))
    return (*_limited(ranked, rule), *excluded)


def _reversed(text: str) -> tuple[int, ...]:
    return tuple(-ord(letter) for letter in text)


def _limited(ranked: Sequence[Judgement], rule: PrefetchRule) -> list[Judgement]:
    out: list[Judgement] = []
    chosen = 0
    for one in ranked:
        if one.score < rule.score_min:
            reason = f"skipped: score {one.score:.2f}; at least {rule.score_min:.2f} ({one.reason})"
            out.append(Judgement(one.candidate, is_chosen=False, reason=reason, score=one.score))
            continue
        chosen += 1
        if chosen > rule.count_max:
            reason = f"skipped: number {chosen} by score; limit {rule.count_max} ({one.reason})"
            out.append(Judgement(one.candidate, is_chosen=False, reason=reason, score=one.score))
        else:
            reason = f"chosen: score {one.score:.2f} ({one.reason})"
            out.append(Judgement(one.candidate, is_chosen=True, reason=reason, score=one.score))
    return out


def _duplicate(candidate: Candidate, seen: dict[str, str]) -> str:
    source = seen.get(candidate.study_instance_uid)
    return "" if source is None else f"{source} has it too, and is asked first"


def _exclusion(candidate: Candidate, trigger: Trigger, rule: PrefetchRule, day: date) -> str:
    """Return why a candidate is none, an empty text where it may be one."""
    if candidate.study_instance_uid == trigger.study_instance_uid:
        return "it is the study itself"
    if trigger.accession_number and candidate.accession_number == trigger.accession_number:
        return "it has the accession number of the study itself"
    if _differ(candidate.birth_date, trigger.birth_date):
        return "another patient: the birth date is not the same"
    if _differ(candidate.issuer, trigger.issuer):
        return "another patient: the identifier was given by somebody else"
    if rule.reports is Reports.EXCLUDE and candidate.modalities and NOT_IMAGES.issuperset(candidate.modalities):
        return "no images, only " + ", ".join(candidate.modalities)
    return (
        _by_age(candidate, rule, day) or _by_modality(candidate, trigger, rule) or _by_region(candidate, trigger, rule)
    )


def _differ(one: str, other: str) -> bool:
    return bool(one and other and one != other)


def _by_age(candidate: Candidate, rule: PrefetchRule, day: date) -> str:
    age_days = age_of(candidate, day)
    if age_days is not None and age_days < 0:
        return "it was made later than the study itself"
    if not rule.age_max_s or age_days is None or age_days * DAY_S <= rule.age_max_s:
        return ""
    return f"{_age_in_words(age_days)} old; limit {_age_in_words(rule.age_max_s / DAY_S)}"


def _by_modality(candidate: Candidate, trigger: Trigger, rule: PrefetchRule) -> str:
    if not rule.modalities or not candidate.modalities or set(candidate.modalities) & set(rule.modalities):
        return ""
    return f"modality {', '.join(candidate.modalities)}; wanted {', '.join(rule.modalities)}"


def _by_region(candidate: Candidate, trigger: Trigger, rule: PrefetchRule) -> str:
    if rule.body_part is BodyPartMatch.ANY:
        return ""
    wanted, there = _regions(trigger.description, rule), _regions(candidate.description, rule)
    if not wanted or not there or _fit(wanted, there) > 0:
        return ""
    return f"region {', '.join(sorted(there))}; wanted {', '.join(sorted(wanted))}"


def _regions(text: str, rule: PrefetchRule) -> frozenset[Region]:
    return regions_of(text, synonyms=rule.synonyms)


def _fit(wanted: frozenset[Region], there: frozenset[Region]) -> float:
    if wanted & there or Region.WHOLE_BODY in wanted | there:
        return 1.0
    return NEIGHBOUR_SHARE if are_neighbours(wanted, there) else 0.0


def _score(candidate: Candidate, trigger: Trigger, rule: PrefetchRule, day: date) -> Judgement:
    """Return a candidate with its score and what that is made of."""
    modality, modality_told = _modality_share(candidate, trigger, rule)
    region, region_told = _region_share(candidate, trigger, rule)
    age, age_told = _age_share(candidate, day)
    score = MODALITY_WEIGHT * modality + REGION_WEIGHT * region + AGE_WEIGHT * age
    return Judgement(
        candidate, is_chosen=True, reason=", ".join((modality_told, region_told, age_told)), score=round(score, 4)
    )


def _modality_share(candidate: Candidate, trigger: Trigger, rule: PrefetchRule) -> tuple[float, str]:
    wanted = {trigger.modality} if trigger.modality else set(rule.modalities)
    told = ", ".join(candidate.modalities) or "not told"
    if not wanted or not candidate.modalities:
        return NEIGHBOUR_SHARE, f"modality {told}"
    if wanted & set(candidate.modalities):
        return 1.0, f"same modality {told}"
    return (NEIGHBOUR_SHARE if rule.modalities else 0.0), f"modality {told}"


def _region_share(candidate: Candidate, trigger: Trigger, rule: PrefetchRule) -> tuple[float, str]:
    wanted, there = _regions(trigger.description, rule), _regions(candidate.description, rule)
    told = ", ".join(sorted(there)) or "not told"
    if not wanted or not there:
        return NEIGHBOUR_SHARE, f"region {told}"
    share = _fit(wanted, there)
    return share, {1.0: "same region", NEIGHBOUR_SHARE: "neighbouring region"}.get(share, "region") + f" {told}"


def _age_share(candidate: Candidate, day: date) -> tuple[float, str]:
    age_days = age_of(candidate, day)
    if age_days is None:
        return 0.0, "date not told"
    years = max(0.0, age_days / YEAR_DAYS)
    return AGE_HALF_YEARS / (AGE_HALF_YEARS + years), f"{_age_in_words(age_days)} old"


def age_of(candidate: Candidate, day: date) -> float | None:
    """Return how many days before a day a study was made, None where it does not tell."""
    text = candidate.study_date.replace(".", "")
    try:
        return float((day - date(int(text[:4]), int(text[4:6]), int(text[6:8]))).days)
    except ValueError:
        return None


def _age_in_words(days: float) -> str:
    if days < 60:
        return f"{days:.0f} day{'' if round(days) == 1 else 's'}"
    if days < 2 * YEAR_DAYS:
        return f"{days / YEAR_DAYS * 12:.0f} months"
    return f"{days / YEAR_DAYS:.0f} years"
