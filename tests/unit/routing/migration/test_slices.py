"""The inventory of a source that cuts its answers off finds every study, whether it says so or not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.routing.migration.slices import EVERYTHING, Answer, Slice, Survey, answer_of, parse_day, survey

TODAY = date(2026, 11, 21)
ROUNDS_MAX = 200


@dataclass(frozen=True)
class Study:
    """A study as an archive keeps it."""

    number: int
    day: date | None
    minute: int = 0


@dataclass
class LimitedArchive:
    """Answers with so many studies at most, the newest first, and says so or not."""

    studies: list[Study]
    limit: int | None = None
    tells: bool = False
    searches: int = 0

    def ask(self, one: Slice) -> tuple[Answer, set[int]]:
        self.searches += 1
        found = [study for study in self.studies if _is_in(one, study)]
        found.sort(key=lambda study: (study.day or date.min, study.minute), reverse=True)
        is_cut = self.limit is not None and len(found) > self.limit
        found = found[: self.limit]
        days = [study.day.strftime("%Y%m%d") if study.day else "" for study in found]
        return answer_of(days, is_cut=is_cut and self.tells), {study.number for study in found}


def _is_in(one: Slice, study: Study) -> bool:
    if one.is_everything:
        return True
    if study.day is None:
        return False
    after = one.first_day is None or study.day >= one.first_day
    before = one.last_day is None or study.day <= one.last_day
    return after and before and one.first_minute <= study.minute <= one.last_minute


def _take(archive: LimitedArchive, *, limit: int | None = None) -> tuple[Survey, set[int]]:
    """Take an inventory to its end."""
    answers: dict[Slice, Answer] = {}
    found: set[int] = set()
    for _ in range(ROUNDS_MAX):
        state = survey(answers, today=TODAY, limit=limit)
        if not state.pending:
            return state, found
        for one in state.pending:
            answers[one], numbers = archive.ask(one)
            found |= numbers
    raise AssertionError("the inventory does not end")


def _spread(count: int, *, every_days: int = 3) -> list[Study]:
    return [Study(number, TODAY - timedelta(days=number * every_days)) for number in range(count)]


def test_an_archive_without_a_limit_is_asked_a_few_times_only() -> None:
    archive = LimitedArchive(_spread(500))
    state, found = _take(archive)
    assert len(found) == 500
    assert archive.searches == 3  # everything, and two halves that prove it whole
    assert (state.limit, state.unsure, state.is_cut_at_all) == (None, [], False)


def test_a_small_archive_is_asked_once() -> None:
    archive = LimitedArchive(_spread(9))
    _take(archive)
    assert archive.searches == 1


@pytest.mark.parametrize("tells", [True, False])
def test_an_archive_with_a_limit_is_known_wholly(tells: bool) -> None:
    state, found = _take(LimitedArchive(_spread(1000), limit=37, tells=tells))
    assert len(found) == 1000
    assert (state.limit, state.unsure) == (37, [])
    assert state.is_cut_at_all


def test_a_limit_that_is_known_saves_searches() -> None:
    unknown, known = (LimitedArchive(_spread(1000), limit=100) for _ in range(2))
    _take(unknown)
    _, found = _take(known, limit=100)
    assert len(found) == 1000
    assert known.searches <= unknown.searches


def test_a_day_that_is_too_full_is_halved_by_time() -> None:
    day = date(2020, 5, 5)
    studies = [Study(number, day, minute=number * 7) for number in range(200)]
    state, found = _take(LimitedArchive(studies, limit=20, tells=True))
    assert len(found) == 200
    assert state.unsure == []


def test_a_minute_that_is_too_full_is_told() -> None:
    state, _ = _take(
        LimitedArchive([Study(number, date(2020, 5, 5), 600) for number in range(50)], limit=20, tells=True)
    )
    assert [one.key for one in state.unsure] == ["20200505 100000-100059.999999"]


def test_a_source_that_refuses_to_tell_everything_is_asked_by_intervals() -> None:
    answers = {EVERYTHING: Answer(0, is_cut=True)}
    pending = survey(answers, today=TODAY).pending
    assert len(pending) == 2
    assert pending[0].last_day is not None
    assert pending[1].first_day == pending[0].last_day + timedelta(days=1)


def test_what_was_paged_to_its_end_is_whole_however_long_it_is() -> None:
    state = survey({EVERYTHING: Answer(1_000_000, is_whole=True)}, today=TODAY, limit=100)
    assert (state.pending, state.is_cut_at_all) == ([], False)


def test_slices_say_what_to_ask_for() -> None:
    assert (EVERYTHING.dates, EVERYTHING.times) == ("", "")
    assert Slice(None, date(2020, 1, 2)).dates == "-20200102"
    assert Slice(date(2020, 1, 2), None).dates == "20200102-"
    assert Slice(date(2020, 1, 2), date(2020, 1, 2), 0, 719).times == "000000-115959.999999"


@pytest.mark.parametrize(
    ("text", "day"),
    [("20200131", date(2020, 1, 31)), ("2020.01.31", date(2020, 1, 31)), ("20200231", None), ("", None), ("x", None)],
)
def test_days_are_read_as_devices_write_them(text: str, day: date | None) -> None:
    assert parse_day(text) == day


@given(
    days=st.lists(st.one_of(st.none(), st.integers(0, 4000)), max_size=120),
    limit=st.integers(10, 40),
    tells=st.booleans(),
)
def test_no_dated_study_is_missed_that_its_minute_does_not_hide(
    days: list[int | None], limit: int, tells: bool
) -> None:
    studies = [
        Study(number, None if ago is None else TODAY - timedelta(days=ago), minute=(number * 37) % 1440)
        for number, ago in enumerate(days)
    ]
    state, found = _take(LimitedArchive(studies, limit=limit, tells=tells))
    dated = {study.number for study in studies if study.day is not None}
    if not state.unsure:
        assert dated <= found
