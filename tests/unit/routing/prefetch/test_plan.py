from __future__ import annotations

from isocenter.routing.prefetch.plan import MissingSeries, SourceSeries, missing_series


def test_only_series_that_are_not_here_or_not_whole_are_missing() -> None:
    there = [SourceSeries("1.1", "CT", 10), SourceSeries("1.2", "CT", 5), SourceSeries("1.3", "SR", 1)]
    assert missing_series(there, {"1.1": 10, "1.2": 2}) == (
        MissingSeries("1.2", 3, "2 of 5 instances are here"),
        MissingSeries("1.3", 1, "it is not here"),
    )


def test_a_series_that_the_source_does_not_count_is_whole_once_it_is_here() -> None:
    assert missing_series([SourceSeries("1.1"), SourceSeries("1.2")], {"1.1": 1}) == (
        MissingSeries("1.2", None, "it is not here"),
    )


def test_more_here_than_there_is_nothing_missing() -> None:
    assert missing_series([SourceSeries("1.1", "CT", 3)], {"1.1": 5}) == ()
