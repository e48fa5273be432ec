from __future__ import annotations

from datetime import datetime

from isocenter.modality.plans import CtSeriesPlan, MgSeriesPlan, MrSeriesPlan, UsSeriesPlan, XaSeriesPlan
from isocenter.modality.story_extensions import EXTENSIONS, NEW_DAY, StudyKind

WINDOW_DAYS = 5 * 365


def _day(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%d")


def test_every_modality_of_the_simulator_is_there() -> None:
    kinds = {type(series) for extension in EXTENSIONS for series in extension.series}
    assert kinds == {CtSeriesPlan, MrSeriesPlan, UsSeriesPlan, MgSeriesPlan, XaSeriesPlan}


def test_a_ct_has_sixty_slices_an_mr_three_series_and_a_mammogram_four_views() -> None:
    for extension in EXTENSIONS:
        match extension.series[0]:
            case CtSeriesPlan(slices=slices):
                assert slices == 60
            case MrSeriesPlan():
                assert len(extension.series) == 3
            case MgSeriesPlan(views=views):
                assert len(views) == 4


def test_new_studies_are_those_of_the_day_of_the_story() -> None:
    assert all((e.kind is StudyKind.NEW) == (e.day == NEW_DAY) for e in EXTENSIONS)


def test_a_window_of_five_years_finds_priors_for_some_new_studies_and_misses_others() -> None:
    found = []
    for new in (e for e in EXTENSIONS if e.kind is StudyKind.NEW):
        ages = [
            (_day(new.day) - _day(e.day)).days
            for e in EXTENSIONS
            if e.patient_number == new.patient_number and e.kind is not StudyKind.NEW
        ]
        found.append(any(age <= WINDOW_DAYS for age in ages))
    assert True in found
    assert False in found
