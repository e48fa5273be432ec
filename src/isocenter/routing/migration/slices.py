"""Which searches find every study of an archive that answers with only so many.

    everything ──▶ few answers, or fewer than the limit ──▶ done
         │
         └──▶ as many as the limit, or nobody knows ──▶ two halves by date, and so on; within one day by time

Some archives say that they cut an answer off, some do not. An answer that may be cut off is held against those of its
two halves: halves that both have studies, and together exactly as many, prove it whole; more of them prove it cut off,
and tell the limit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

PROBE_MIN = 10
"""No archive limits its answers to fewer studies than this."""
MINUTES_OF_DAY = 24 * 60
FIRST_DAY = date(1970, 1, 1)
"""From where an interval without a beginning is halved, where no answer tells of dates."""
DEPTH_MAX = 64
"""Halvings: an interval of a century has one day after 16, and one minute after 11 more."""


@dataclass(frozen=True, slots=True)
class Slice:
    """One search: studies between two days, both included; without days, all studies."""

    first_day: date | None = None
    last_day: date | None = None
    first_minute: int = 0
    last_minute: int = MINUTES_OF_DAY - 1

    @property
    def is_everything(self) -> bool:
        """Tell whether it asks for studies without a date too."""
        return self.first_day is None and self.last_day is None

    @property
    def is_one_day(self) -> bool:
        """Tell whether it cannot be halved by date."""
        return self.first_day is not None and self.first_day == self.last_day

    @property
    def dates(self) -> str:
        """Return the value of StudyDate to ask for, empty for every study."""
        if self.is_everything:
            return ""
        if self.is_one_day:
            return _day(self.first_day)
        return f"{_day(self.first_day)}-{_day(self.last_day)}"

    @property
    def times(self) -> str:
        """Return the value of StudyTime to ask for, empty for all."""
        if (self.first_minute, self.last_minute) == (0, MINUTES_OF_DAY - 1):
            return ""
        return f"{_minute(self.first_minute)}00-{_minute(self.last_minute)}59.999999"

    @property
    def key(self) -> str:
        """Return what tells it from all others."""
        return f"{self.dates} {self.times}".strip()


def _day(day: date | None) -> str:
    return "" if day is None else day.strftime("%Y%m%d")


def _minute(minute: int) -> str:
    return f"{minute // 60:02d}{minute % 60:02d}"


EVERYTHING = Slice()


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one search."""

    count: int
    """Studies."""
    undated: int = 0
    """Of them without a StudyDate."""
    median_day: date | None = None
    """Of the others."""
    is_cut: bool = False
    """The source said that there are more, or refused to answer."""
    is_whole: bool = False
    """It was paged to its end, so that no limit can have cut it."""


@dataclass(slots=True)
class Survey:
    """How far an inventory has come."""

    pending: list[Slice] = field(default_factory=list)
    """What to ask next."""
    unsure: list[Slice] = field(default_factory=list)
    """What cannot be halved any more, and may have been cut off."""
    limit: int | None = None
    """How many studies the source answers with at most, told or found out."""
    is_cut_at_all: bool = False
    """The search for everything was cut off: studies without a date may be missing, no interval finds them."""


def survey(answers: Mapping[Slice, Answer], *, today: date, limit: int | None = None) -> Survey:
    """Return what is still to be asked after some answers; `limit` is what the source is known for."""
    found = Survey(limit=_limit(answers, today, limit))
    _visit(EVERYTHING, answers, found, today, DEPTH_MAX)
    whole = answers.get(EVERYTHING)
    found.is_cut_at_all = whole is not None and _is_cut(whole, found.limit)
    return found


def _visit(one: Slice, answers: Mapping[Slice, Answer], found: Survey, today: date, depth: int) -> None:
    answer = answers.get(one)
    if answer is None:
        found.pending.append(one)
        return
    if _is_complete(answer, found.limit):
        return
    parts = halves(one, answer, today=today) if depth else ()
    if not parts:
        if _is_cut(answer, found.limit):
            found.unsure.append(one)
        return
    if not answer.is_cut and _are_proof(answer, [answers.get(part) for part in parts]):
        return
    for part in parts:
        _visit(part, answers, found, today, depth - 1)


def _is_cut(answer: Answer, limit: int | None) -> bool:
    return not answer.is_whole and (answer.is_cut or (limit is not None and answer.count >= limit))


def _is_complete(answer: Answer, limit: int | None) -> bool:
    if answer.is_whole:
        return True
    return not answer.is_cut and (answer.count < PROBE_MIN or (limit is not None and answer.count < limit))


def _are_proof(answer: Answer, parts: Sequence[Answer | None]) -> bool:
    """Tell whether the answers of halves prove that of the whole complete."""
    counts = [0 if part is None else part.count for part in parts]
    return all(counts) and sum(counts) + answer.undated == answer.count


def _limit(answers: Mapping[Slice, Answer], today: date, told: int | None) -> int | None:
    """Return the smallest number at which an answer is known to have been cut off."""
    seen = [] if told is None else [told]
    for one, answer in answers.items():
        if answer.is_whole or not answer.count:
            continue
        parts = [answers.get(part) for part in halves(one, answer, today=today)]
        together = answer.undated + sum(part.count for part in parts if part is not None)
        if answer.is_cut or (all(parts) and together > answer.count >= PROBE_MIN):
            seen.append(answer.count)
    return min(seen, default=None)


def halves(one: Slice, answer: Answer, *, today: date) -> tuple[Slice, ...]:
    """Return the two searches that find what one does, divided where its answers lie; none where it cannot be."""
    if one.is_one_day:
        return _halves_of_day(one)
    first, last = one.first_day, one.last_day
    middle = answer.median_day
    if middle is None:
        low, high = first or min(FIRST_DAY, last or FIRST_DAY), last or max(today, first or today)
        middle = low + (high - low) / 2
    if first is not None:
        middle = max(middle, first)
    if last is not None:
        middle = min(middle, last)
    day = timedelta(days=1)
    if first is None or middle > first:
        return Slice(first, middle - day), Slice(middle, last)
    return Slice(first, middle), Slice(middle + day, last)


def _halves_of_day(one: Slice) -> tuple[Slice, ...]:
    if one.first_minute == one.last_minute:
        return ()
    middle = (one.first_minute + one.last_minute) // 2
    return (
        Slice(one.first_day, one.last_day, one.first_minute, middle),
        Slice(one.first_day, one.last_day, middle + 1, one.last_minute),
    )


def parse_day(text: str) -> date | None:
    """Return the day that a value of StudyDate says, in the form of today or the old one with dots; None for others."""
    digits = text.strip().replace(".", "")
    if len(digits) != 8 or not (digits.isascii() and digits.isdigit()):
        return None
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return None


def answer_of(days: Sequence[str], *, is_cut: bool = False, is_whole: bool = False) -> Answer:
    """Return what an answer tells by the dates of its studies."""
    known = sorted(day for text in days if (day := parse_day(text)) is not None)
    median = known[len(known) // 2] if known else None
    return Answer(len(days), len(days) - len(known), median, is_cut, is_whole)
