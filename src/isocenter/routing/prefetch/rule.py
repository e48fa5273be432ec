"""Rules as values: which triggers they heed, where they look, what they take."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

COUNT_MAX = 3
"""Readers compare with the last study, and with the one before it; more than three are hardly opened."""
SCORE_MIN = 0.5
"""A study of the same modality or the same region, and not much more."""
DAY_S = 86_400.0


class TriggerKind(StrEnum):
    """What tells that somebody will want priors."""

    STUDY = "study"
    """The first instance of a new study came."""
    WORKLIST = "worklist"
    """A scheduled step is on the work list."""
    ORDER = "order"
    """A message of HL7: an order, an appointment, an admission."""
    REQUEST = "request"
    """A person, or a program, by command or API."""


class BodyPartMatch(StrEnum):
    """Which regions of the body a prior may show."""

    SAME = "same"
    """The same one or a neighbour; one that is not told is not held against it."""
    ANY = "any"


class Reports(StrEnum):
    """What becomes of studies that hold no images."""

    EXCLUDE = "exclude"
    INCLUDE = "include"


class FetchBy(StrEnum):
    """How series come from a DIMSE source."""

    MOVE = "move"
    """The source sends them to us, which it must know."""
    GET = "get"
    """They come over our own association."""


MESSAGES = ("ORM^O01", "OMI^O23", "SIU^S12", "SIU^S13", "SIU^S14", "ADT^A01", "ADT^A04", "ADT^A05")
"""Orders; appointments made, moved and changed; admissions, registrations and pre-admissions."""


@dataclass(frozen=True, slots=True)
class PrefetchRule:
    """What is fetched, for which triggers, from where."""

    name: str
    sources: tuple[str, ...]
    """Destinations by name, of kind dimse or dicomweb, that are searched too."""
    on: tuple[TriggerKind, ...] = (TriggerKind.STUDY, TriggerKind.WORKLIST, TriggerKind.ORDER)
    """Whatever a rule heeds besides, it heeds requests."""
    messages: tuple[str, ...] = MESSAGES
    for_modalities: tuple[str, ...] = ()
    """Of the study to come; none: all."""
    modalities: tuple[str, ...] = ()
    """Of priors; none: that of the study to come."""
    body_part: BodyPartMatch = BodyPartMatch.SAME
    age_max_s: float = 0.0
    """0 sets no limit."""
    count_max: int = COUNT_MAX
    score_min: float = SCORE_MIN
    reports: Reports = Reports.EXCLUDE
    repeat_after_s: float = DAY_S / 2
    """The same trigger for the same patient, modality and region does nothing for so long."""
    lead_time_s: float = 2 * 3600.0
    """So long before an appointment the priors are to be here."""
    begin_before_s: float = DAY_S
    """Fetching begins so long before that."""
    fetch_by: FetchBy = FetchBy.MOVE
    synonyms: tuple[tuple[str, str], ...] = ()
    """Words of this house, and the regions that they mean."""
    is_enabled: bool = True
    description: str = ""
