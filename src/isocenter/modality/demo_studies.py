"""Studies for a visitor to look at: two CT, two MR, three CR, for as many patients whom the story does not know."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from isocenter.modality.chest import Build
from isocenter.modality.head import Finding
from isocenter.modality.patients import JAPANESE_PATIENT, OTHER_PATIENTS, UNICODE_PATIENT
from isocenter.modality.plans import (
    CrSeriesPlan,
    CtSeriesPlan,
    MrSeriesPlan,
    MrWeighting,
    Orientation,
    Region,
    StudyPlan,
)
from isocenter.modality.studies import iter_study

DEMO_SEED = 20221122


def demo_plans(today: datetime) -> tuple[StudyPlan, ...]:
    """Return what the demo takes in, dated back from a day that is passed in."""
    days = (0, 1, 3, 8, 21, 60, 400)
    begun = [
        today.replace(hour=8, minute=12, second=0, microsecond=0) - timedelta(days=d, minutes=-37 * d % 300)
        for d in days
    ]
    upright, lying = Build(arms_raised=False), Build(arms_raised=False, breasts=True, breadth=0.94, heart=1.12)
    return (
        StudyPlan(OTHER_PATIENTS[0], begun[0], "ACC2000558", "CHEST AP PORT", (CrSeriesPlan("AP", "AP"),), build=lying),
        StudyPlan(
            OTHER_PATIENTS[1],
            begun[1],
            "ACC2000143",
            "CT HEAD WITHOUT CONTRAST",
            (CtSeriesPlan(Region.HEAD, "Head 1.25 standard", 128, 1.25, -82.0, 240.0, (40, 90)),),
            finding=Finding.HAEMORRHAGE,
            atrophy=0.5,
        ),
        StudyPlan(
            OTHER_PATIENTS[2],
            begun[2],
            "ACC2000016",
            "CT CHEST WITH CONTRAST",
            (CtSeriesPlan(Region.CHEST, "Chest 4.0 standard", 68, 4.0, -136.0, 390.0, (40, 400), noise_hu=11.0),),
            build=Build(nodule=True),
        ),
        StudyPlan(JAPANESE_PATIENT, begun[3], "ACC2000361", "MR BRAIN", _brain_series(MrWeighting.T1), atrophy=0.1),
        StudyPlan(
            UNICODE_PATIENT,
            begun[4],
            "ACC2000347",
            "MR BRAIN, DEMYELINATION",
            (
                MrSeriesPlan(MrWeighting.FLAIR, "FLAIR axial", 28, 5.0, -50.0),
                MrSeriesPlan(MrWeighting.T1, "T1 sagittal", 24, 5.5, -63.25, Orientation.SAGITTAL),
            ),
            finding=Finding.PLAQUES,
        ),
        StudyPlan(
            OTHER_PATIENTS[3],
            begun[5],
            "ACC2000696",
            "CHEST PA",
            (CrSeriesPlan("PA", "PA", "MONOCHROME1"),),
            build=upright,
        ),
        StudyPlan(
            OTHER_PATIENTS[4],
            begun[6],
            "ACC2000941",
            "CHEST PA",
            (CrSeriesPlan("PA"),),
            build=Build(breadth=0.97, heart=1.2, arms_raised=False, breasts=True),
        ),
    )


def _brain_series(first: MrWeighting) -> tuple[MrSeriesPlan, ...]:
    return (
        MrSeriesPlan(first, f"{first.value} axial", 28, 5.0, -50.0),
        MrSeriesPlan(MrWeighting.T2, "T2 axial", 28, 5.0, -50.0),
    )


def number_of_demo_instances(today: datetime) -> int:
    """Return how many instances `iter_demo` will yield, for a progress bar."""
    return sum(plan.number_of_instances for plan in demo_plans(today))


def iter_demo(today: datetime, seed: int = DEMO_SEED) -> Iterator[bytes]:
    """Yield every instance of the demo, study by study."""
    for offset, plan in enumerate(demo_plans(today)):
        yield from iter_study(plan, seed + offset)
