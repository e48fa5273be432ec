from __future__ import annotations

from datetime import datetime
from io import BytesIO

from pydicom import dcmread

from isocenter.modality.demo_studies import demo_plans, iter_demo, number_of_demo_instances
from isocenter.modality.patients import STORY_PATIENTS
from isocenter.modality.plans import CrSeriesPlan, CtSeriesPlan, MrSeriesPlan

TODAY = datetime(2026, 11, 21)


def test_the_demo_has_two_ct_two_mr_of_two_series_and_three_cr() -> None:
    kinds = [type(plan.series[0]) for plan in demo_plans(TODAY)]
    assert [kinds.count(kind) for kind in (CtSeriesPlan, MrSeriesPlan, CrSeriesPlan)] == [2, 2, 3]
    assert all(len(plan.series) == 2 for plan in demo_plans(TODAY) if isinstance(plan.series[0], MrSeriesPlan))


def test_one_ct_is_long_and_large() -> None:
    series = [s for plan in demo_plans(TODAY) for s in plan.series if isinstance(s, CtSeriesPlan)]
    assert any(s.slices >= 120 and s.edge == 512 for s in series)


def test_no_study_lies_in_the_future_and_none_before_the_patient_was_born() -> None:
    for plan in demo_plans(TODAY):
        assert plan.patient.birth_date < plan.started_at.date() <= TODAY.date()


def test_studies_have_patients_and_accession_numbers_of_their_own() -> None:
    plans = demo_plans(TODAY)
    assert len({plan.patient.patient_id for plan in plans}) == len({plan.accession_number for plan in plans}) == 7


def test_nobody_of_the_walk_through_is_among_them_whose_studies_are_counted_there() -> None:
    assert not {plan.patient.patient_id for plan in demo_plans(TODAY)} & {one.patient_id for one in STORY_PATIENTS}


def test_the_demo_fits_on_a_laptop() -> None:
    series = [s for plan in demo_plans(TODAY) for s in plan.series]
    size_bytes = sum(2 * s.rows * s.columns for s in series if isinstance(s, CrSeriesPlan))
    size_bytes += sum(2 * s.slices * s.edge**2 for s in series if isinstance(s, CtSeriesPlan | MrSeriesPlan))
    assert size_bytes < 150_000_000


def test_the_demo_begins_with_the_first_plan() -> None:
    first = dcmread(BytesIO(next(iter_demo(TODAY))))
    assert first.AccessionNumber == demo_plans(TODAY)[0].accession_number
    assert first.pixel_array.shape == (1280, 1024)


def test_the_count_for_the_progress_bar_is_that_of_the_plans() -> None:
    assert number_of_demo_instances(TODAY) == 3 + 128 + 68 + 2 * 28 + 28 + 24
