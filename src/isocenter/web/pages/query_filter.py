"""What Query/Retrieve asks another archive for, as its address says it, and the search that this means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from isocenter.domain.attributes import BY_KEYWORD, MODALITIES_IN_STUDY
from isocenter.domain.identifiers import Level
from isocenter.domain.query import Between, Comparison, Match, OneOf, PersonName, Query, Wildcard
from isocenter.web.pages.search_address import address_of, clean_day, problem_of_days

TEXT_LENGTH_MAX = 64
"""The longest value of a searched attribute (LO, SH, one group of PN: PS3.5 table 6.2-1)."""
PEER_LENGTH_MAX = 400
"""A title, a host name and a port."""
PAGE_COUNT = 25
"""Studies on one page."""
PAGE_MAX = 1000
"""Beyond what one search brings."""
FOUND_MAX = 500
"""Studies of one search; a person who has to look through more narrows it."""
WILDCARDS = frozenset("*?")
_FIELDS = ("patient", "id", "accession", "description", "modality", "since", "until")


@dataclass(frozen=True, slots=True)
class QueryFilter:
    """The state of a search; the names of the fields are those in its address."""

    peer: str = ""
    """The key of the archive that is asked; empty before one is chosen."""
    patient: str = ""
    id: str = ""
    accession: str = ""
    description: str = ""
    modality: str = ""
    since: str = ""
    until: str = ""
    page: int = 1

    @property
    def is_empty(self) -> bool:
        """Tell whether it names nothing to look for."""
        return not any(getattr(self, name) for name in _FIELDS)

    @property
    def problem(self) -> str:
        """Return why it cannot be searched, in a sentence for the reader; empty if it can."""
        return problem_of_days(self.since, self.until)

    def address(self, **changes: object) -> str:
        """Return the query string of this state with some of it changed, without what is at its default."""
        state = replace(self, **changes)  # type: ignore[arg-type]  # names of fields, checked by replace
        return address_of(state, QueryFilter())

    def keys(self) -> tuple[tuple[str, str], ...]:
        """Return what an application entity is asked, attribute by attribute (PS3.4 C.2.2.2)."""
        found = {
            "PatientName": self._name_pattern,
            "PatientID": self.id,
            "AccessionNumber": self.accession,
            "StudyDescription": _pattern(self.description, anywhere=True),
            "ModalitiesInStudy": self.modality.upper(),
            "StudyDate": f"{self._since}-{self._until}" if self.since or self.until else "",
        }
        return tuple((keyword, value) for keyword, value in found.items() if value)

    def query(self) -> Query:
        """Return the same for whoever asks a DICOMweb service."""
        matches: list[Match] = []
        if self.patient:
            matches.append(PersonName(BY_KEYWORD["PatientName"].tag, (self._name_pattern,)))
        matches += [
            _text_match(keyword, text)
            for keyword, text in (("PatientID", self.id), ("AccessionNumber", self.accession))
            if text
        ]
        if self.description:
            pattern = _pattern(self.description, anywhere=True)
            matches.append(Wildcard(BY_KEYWORD["StudyDescription"].tag, pattern, Comparison.FOLDED))
        if self.modality:
            matches.append(OneOf(MODALITIES_IN_STUDY, (self.modality.upper(),)))
        if self.since or self.until:
            matches.append(Between(BY_KEYWORD["StudyDate"].tag, self._since or None, self._until or None))
        return Query(Level.STUDY, tuple(matches))

    @property
    def _name_pattern(self) -> str:
        """Return the name as it was typed, beginning with it; a comma is how people write a family name first."""
        family, comma, given = self.patient.partition(",")
        return _pattern(f"{family.strip()}^{given.strip()}" if comma else self.patient, anywhere=False)

    @property
    def _since(self) -> str:
        return self.since.replace("-", "")

    @property
    def _until(self) -> str:
        return self.until.replace("-", "")


def parse_query_filter(parameters: Mapping[str, str]) -> QueryFilter:
    """Return the state that an address or a form holds; unknown parameters and impossible pages are left out."""
    names = ("patient", "id", "accession", "description")
    texts = {name: _clean(parameters.get(name, "")) for name in names}
    dates = {name: clean_day(_clean(parameters.get(name, ""))) for name in ("since", "until")}
    page = parameters.get("page", "")
    return QueryFilter(
        peer=_clean(parameters.get("peer", ""), length_max=PEER_LENGTH_MAX),
        modality=_clean(parameters.get("modality", ""), length_max=16).upper(),
        page=min(max(int(page), 1), PAGE_MAX) if page.isascii() and page.isdigit() and len(page) < 6 else 1,
        **texts,
        **dates,
    )


def _text_match(keyword: str, text: str) -> Match:
    tag = BY_KEYWORD[keyword].tag
    return Wildcard(tag, text, Comparison.FOLDED) if WILDCARDS & set(text) else OneOf(tag, (text,))


def _pattern(text: str, *, anywhere: bool) -> str:
    if not text or WILDCARDS & set(text):
        return text
    return f"*{text}*" if anywhere else f"{text}*"


def _clean(text: str, *, length_max: int = TEXT_LENGTH_MAX) -> str:
    return "".join(letter for letter in text if letter.isprintable() and letter != "\\").strip()[:length_max]
