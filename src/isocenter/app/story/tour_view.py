"""The results of the story as the pages of the tour show them."""

from __future__ import annotations

from collections.abc import Mapping

from isocenter.app.hospital.control import Part
from isocenter.app.hospital.reach import PacsKind, Reach
from isocenter.app.story.plan import STEPS
from isocenter.app.story.report import is_held
from isocenter.app.story.step import Look, Outage, StepPlan, StepResult, StepState
from isocenter.app.story.telling import details_of
from isocenter.modality.faults.record import Happening
from isocenter.web.pages.tour import CardState, EvidenceLine, ExpectationLine, LookLink, StepCard, TourView
from isocenter.web.pages.tour_drawing import Curve, Mark, OutageView, Trouble

_LABELS = {Part.PACS: "PACS", Part.ROUTER: "Router", Part.CLOUD: "Cloud"}


def tour_view(reach: Reach, results: Mapping[int, StepResult], *, playing: int | None, verdict: str) -> TourView:
    """Return the tour with what has been played of it."""
    cards = tuple(_card(reach, plan, results) for plan in STEPS)
    return TourView(cards, playing, verdict, is_held([results[one] for one in sorted(results)]))


def _card(reach: Reach, plan: StepPlan, results: Mapping[int, StepResult]) -> StepCard:
    result = results.get(plan.number) or StepResult(plan.number, StepState.NOT_PLAYED)
    before = [one.number for one in STEPS[: plan.number - 1] if one.number not in results]
    return StepCard(
        number=plan.number,
        title=plan.title,
        text=plan.text,
        state=CardState(result.state.value),
        took=f"{result.elapsed_s:.1f} s" if result.state in (StepState.HELD, StepState.FAILED) else "",
        reason=result.reason if result.state is StepState.LEFT_OUT else "",
        expectations=tuple(ExpectationLine(one.text, one.is_met, one.wanted, one.found) for one in result.expectations),
        evidence=tuple(EvidenceLine(one.name, one.text, tuple(details_of(one.data))) for one in result.evidence),
        looks=tuple(_look(reach, look) for look in plan.looks),
        outage=None if result.outage is None else outage_view(result.outage),
        waits_for=before[-1] if before else None,
    )


def _look(reach: Reach, look: Look) -> LookLink:
    bases = {Part.PACS: reach.pacs.web_url, Part.ROUTER: reach.router.web_url, Part.CLOUD: reach.cloud_url}
    is_orthanc = look.part is Part.PACS and reach.pacs.kind is PacsKind.ORTHANC
    return LookLink(_LABELS[look.part], bases[look.part] + ("/" if is_orthanc else look.path), look.text)


def outage_view(outage: Outage) -> OutageView:
    """Return an outage as its picture is made of."""
    record = outage.record
    names = [counter.name for counter in outage.scenario.counters]
    curves = [
        Curve(name, tuple((one.at_s, one.counters[name]) for one in list(record.samples) if name in one.counters))
        for name in names
    ]
    happenings = list(record.happenings)
    return OutageView(
        outage.scenario.name,
        record.ended_at_s,
        tuple(sorted(curves, key=lambda curve: -curve.highest)),
        tuple(_troubles(happenings, record.ended_at_s)),
        tuple(Mark(one.at_s, one.text) for one in happenings),
        outage.verdict,
        outage.is_met,
    )


def _troubles(happenings: list[Happening], ended_at_s: float) -> list[Trouble]:
    found: list[Trouble] = []
    begun: float | None = None
    for one in happenings:
        if one.is_trouble:
            begun = one.at_s if begun is None else begun
        elif begun is not None:
            found.append(Trouble(begun, one.at_s))
            begun = None
    return found if begun is None else [*found, Trouble(begun, ended_at_s)]
