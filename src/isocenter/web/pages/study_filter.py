"""What the study list shows, as its address says it, and the search that this means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

from isocenter.domain.attributes import BY_KEYWORD, MODALITIES_IN_STUDY
from isocenter.domain.identifiers import Level
from isocenter.domain.query import (
    Between,
    Comparison,
    Match,
    OneOf,
    Query,
    Wildcard,
    WordPrefixes,
    person_name_words,
)
from isocenter.web.pages.search_address import address_of, clean_day, problem_of_days

TEXT_LENGTH_MAX = 64
"""The longest value of a searched attribute (LO, SH, one group of PN: PS3.5 table 6.2-1)."""
PAGE_SIZES = (25, 50, 100, 200)
PAGE_MAX = 100_000
"""Beyond any archive; keeps the offset of a search within reason."""
WILDCARDS = frozenset("*?")

_PATIENT_NAME = BY_KEYWORD["PatientName"].tag
_PATIENT_ID = BY_KEYWORD["PatientID"].tag
_ACCESSION_NUMBER = BY_KEYWORD["AccessionNumber"].tag
_STUDY_DESCRIPTION = BY_KEYWORD["StudyDescription"].tag
_STUDY_DATE = BY_KEYWORD["StudyDate"].tag


@dataclass(frozen=True, slots=True)
class StudyFilter:
    """The state of the study list; the names of the fields are those in its address."""

    patient: str = ""
    of: str = ""
    """The whole patient ID of one patient, as the list of patients leads here."""
    id: str = ""
    accession: str = ""
    description: str = ""
    modality: str = ""
    since: str = ""
    until: str = ""
    size: int = PAGE_SIZES[0]
    page: int = 1

    @property
    def is_empty(self) -> bool:
        """Tell whether it lets every study through."""
        return replace(self, page=1, size=PAGE_SIZES[0]) == StudyFilter()

    @property
    def problem(self) -> str:
        """Return why it cannot be searched, in a sentence for the reader; empty if it can."""
        return problem_of_days(self.since, self.until)

    def address(self, **changes: object) -> str:
        """Return the query string of this state with some of it changed, without what is at its default."""
        state = replace(self, **changes)  # type: ignore[arg-type]  # names of fields, checked by replace
        return address_of(state, StudyFilter())

    def matches(self) -> tuple[Match, ...]:
        """Return what a study must fit."""
        name_matches = _name_matches(self.patient)
        text_matches = (
            _text_match(_PATIENT_ID, self.id, anywhere=False),
            _text_match(_ACCESSION_NUMBER, self.accession, anywhere=False),
            _text_match(_STUDY_DESCRIPTION, self.description, anywhere=True),
        )
        found = [*name_matches, *(match for match in text_matches if match is not None)]
        if self.of:
            found.append(OneOf(_PATIENT_ID, (self.of,)))
        if self.modality:
            values = tuple(part.strip().upper() for part in self.modality.split(",") if part.strip())
            found.append(OneOf(MODALITIES_IN_STUDY, values))
        if self.since or self.until:
            found.append(Between(_STUDY_DATE, self.since.replace("-", "") or None, self.until.replace("-", "") or None))
        return tuple(found)

    def query(self, level: Level = Level.STUDY) -> Query:
        """Return the search for this page and one row more, which tells whether there is a next page."""
        return Query(level, self.matches(), limit=self.size + 1, offset=(self.page - 1) * self.size)


def parse_study_filter(parameters: Mapping[str, str]) -> StudyFilter:
    """Return the state that an address holds; unknown parameters and impossible numbers are left out."""
    names = ("patient", "of", "id", "accession", "description", "modality")
    texts = {name: _clean(parameters.get(name, "")) for name in names}
    dates = {name: clean_day(_clean(parameters.get(name, ""))) for name in ("since", "until")}
    size = _parse_number(parameters.get("size", ""), default=PAGE_SIZES[0])
    page = _parse_number(parameters.get("page", ""), default=1)
    size = size if size in PAGE_SIZES else PAGE_SIZES[0]
    return StudyFilter(**texts, **dates, size=size, page=min(max(page, 1), PAGE_MAX))


@dataclass(frozen=True, slots=True)
class Period:
    """A range of study dates that one click chooses."""

    label: str
    since: str
    until: str


def periods(today: date) -> tuple[Period, ...]:
    """Return the ranges that the list offers."""

    def last_days(label: str, days: int) -> Period:
        return Period(label, (today - timedelta(days=days - 1)).isoformat(), "")

    return (Period("Any date", "", ""), last_days("Today", 1), last_days("7 days", 7), last_days("30 days", 30))


def _clean(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable()).strip()[:TEXT_LENGTH_MAX]


def _parse_number(text: str, *, default: int) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(PAGE_MAX)) else default


def _name_matches(text: str) -> list[Match]:
    """Each word begins a word of the name, in any order; a wildcard is taken as written."""
    if WILDCARDS.intersection(text):
        return [Wildcard(_PATIENT_NAME, text, Comparison.FOLDED)]
    words = person_name_words(text.replace(",", " ")).split()
    return [WordPrefixes(_PATIENT_NAME, (word,)) for word in words]


def _text_match(tag: int, text: str, *, anywhere: bool) -> Match | None:
    if not text:
        return None
    if WILDCARDS.intersection(text):
        return Wildcard(tag, text, Comparison.FOLDED)
    return Wildcard(tag, f"*{text}*" if anywhere else f"{text}*", Comparison.FOLDED)
