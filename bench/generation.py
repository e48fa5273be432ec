"""The part `generation` of the benchmark: how fast the simulated modality makes its instances."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime

from bench.figures import OURS, Figure
from isocenter.modality.patients import STORY_PATIENTS
from isocenter.modality.plans import CrSeriesPlan, SeriesPlan, StudyPlan
from isocenter.modality.story_extensions import CORONARIES, CT_CHEST, CT_HEAD, ECHO
from isocenter.modality.studies import iter_study

SLICES = 128
"""A CT of the head; the chest has its 60 slices of the story twice over."""
_BEGUN = datetime(2022, 11, 22, 9)


def measure_generation(runs: int) -> list[Figure]:
    """Measure how fast Part 10 files of each kind are made in one process; nothing is sent or written."""
    head = replace(CT_HEAD[0], slices=SLICES, spacing_mm=1.25)
    chest = replace(CT_CHEST[0], slices=2 * CT_CHEST[0].slices, spacing_mm=2.0)
    rows = (
        (Figure("CT of the head, 512 × 512: slices made", "/s", "≥ 100", at_least=100), head, head.slices),
        (Figure("CT of the chest, 512 × 512: slices made", "/s", "≥ 100", at_least=100), chest, chest.slices),
        (Figure("radiograph of the chest, 1280 × 1024: made", "/s", "–"), CrSeriesPlan("AP", "AP"), 1),
        (Figure("ultrasound, 640 × 480: frames made", "/s", "–"), ECHO[0], ECHO[0].frames),
        (Figure("angiography, 512 × 512: frames made", "/s", "–"), CORONARIES[0], CORONARIES[0].frames),
    )
    for figure, series, count in rows:
        for number in range(runs):
            figure.add(OURS, count / _seconds_for(series, number))
    return [figure for figure, _, _ in rows]


def _seconds_for(series: SeriesPlan, seed: int) -> float:
    plan = StudyPlan(STORY_PATIENTS[1], _BEGUN, "ACC0000001", "benchmark", (series,))
    began = time.perf_counter()
    for _ in iter_study(plan, seed):
        pass
    return time.perf_counter() - began
