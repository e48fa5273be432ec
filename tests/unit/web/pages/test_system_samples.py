from __future__ import annotations

from isocenter.web.pages.system_samples import (
    BY_KEY,
    DAY_SAMPLES,
    DAY_STEP_S,
    HOUR_SAMPLES,
    STEP_S,
    Sample,
    Samples,
    course_of,
)


def _filled(count: int) -> Samples:
    samples = Samples()
    for number in range(count):
        samples.add(Sample(number * STEP_S, {"instances": float(number)}))
    return samples


def test_an_hour_and_a_day_are_kept_and_no_more() -> None:
    samples = _filled(DAY_SAMPLES * int(DAY_STEP_S / STEP_S) + HOUR_SAMPLES)
    assert len(samples.hour()) == HOUR_SAMPLES
    assert samples.hour()[-1].at - samples.hour()[0].at == (HOUR_SAMPLES - 1) * STEP_S
    assert len(samples.day()) <= DAY_SAMPLES + 1


def test_a_day_has_a_sample_a_minute_and_the_latest() -> None:
    times = [one.at for one in _filled(26).day()]
    assert times == [0.0, 60.0, 120.0, 125.0]


def test_a_day_without_samples_is_empty() -> None:
    assert Samples().day() == ()


def test_a_gauge_is_shown_as_it_is() -> None:
    assert course_of(BY_KEY["instances"], _filled(3).hour()) == [(0.0, 0.0), (5.0, 1.0), (10.0, 2.0)]


def test_a_counter_is_shown_by_its_growth_each_second() -> None:
    samples = [Sample(0.0, {"requests": 10.0}), Sample(5.0, {"requests": 30.0}), Sample(10.0, {"requests": 5.0})]
    assert course_of(BY_KEY["requests"], samples) == [(5.0, 4.0), (10.0, 0.0)]


def test_what_was_not_measured_is_left_out() -> None:
    samples = [Sample(0.0, {}), Sample(5.0, {"waiting": 2.0})]
    assert course_of(BY_KEY["waiting"], samples) == [(5.0, 2.0)]


def test_a_clock_that_was_set_back_breaks_no_rate() -> None:
    samples = [Sample(10.0, {"requests": 1.0}), Sample(5.0, {"requests": 2.0}), Sample(6.0, {"requests": 4.0})]
    assert course_of(BY_KEY["requests"], samples) == [(6.0, 2.0)]
