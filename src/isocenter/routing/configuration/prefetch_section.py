"""The table of rules for prefetching."""

from __future__ import annotations

import re

from isocenter.routing.configuration import kinds
from isocenter.routing.configuration.kinds import Kind, Unfit
from isocenter.routing.configuration.section import Key, Section
from isocenter.routing.prefetch.region import Region
from isocenter.routing.prefetch.rule import BodyPartMatch, FetchBy, PrefetchRule, Reports, TriggerKind

COUNT_HIGHEST = 1000
"""A patient with more studies is a test."""
_MODALITY = re.compile(r"[A-Z0-9]{1,16}", re.ASCII)
_MESSAGE = re.compile(r"[A-Z]{3}\^[A-Z][A-Z0-9]{2}", re.ASCII)


def _synonyms(raw: object) -> tuple[tuple[str, str], ...]:
    found = kinds.VALUE_TABLE.parse(raw)
    assert isinstance(found, tuple)
    unknown = [region for _, region in found if region not in set(Region)]
    if unknown:
        raise Unfit(f"There is no region {unknown[0]!r}; there are {', '.join(Region)}.")
    return found


def _fitting(pattern: re.Pattern[str]) -> Kind:
    def read(raw: object) -> str:
        if not isinstance(raw, str) or pattern.fullmatch(raw) is None:
            raise ValueError
        return raw

    return Kind("a code", read)


MODALITIES = kinds.list_of(_fitting(_MODALITY), expected='a list of modalities, for example ["CT", "MR"]')
MESSAGE_TYPES = kinds.list_of(_fitting(_MESSAGE), expected='a list of message types, for example ["ORM^O01"]')
SYNONYMS = Kind('a table of words and regions, for example { "RAD 0815" = "chest" }', _synonyms, dict)
TRIGGERS = kinds.list_of(
    kinds.choice(TriggerKind), expected="a list of " + ", ".join(f'"{kind}"' for kind in TriggerKind)
)

PREFETCH = Section(
    PrefetchRule,
    (
        Key("description", kinds.TEXT, "For people."),
        Key("enabled", kinds.BOOLEAN, "Where it is not, it heeds nothing.", field="is_enabled"),
        Key("sources", kinds.NAMES, "Destinations, of kind dimse or dicomweb, that are searched for priors."),
        Key("on", TRIGGERS, "What it heeds; requests by command or API it heeds always."),
        Key("messages", MESSAGE_TYPES, "Which messages of HL7 it heeds."),
        Key("for_modalities", MODALITIES, "Only for studies to come of these; without it, for all."),
        Key("modalities", MODALITIES, "Modalities that are fetched; without it, all, the same one before others."),
        Key(
            "body_part",
            kinds.choice(BodyPartMatch),
            "Whether a prior must show the same region or a neighbour, as far as both tell theirs.",
        ),
        Key("age_max", kinds.DURATION, "Older studies are left out; without it, none for its age.", field="age_max_s"),
        Key("count_max", kinds.integer(1, COUNT_HIGHEST), "At most so many studies."),
        Key("score_min", kinds.number(0.0, 1.0), "The score that a study must have, out of 1."),
        Key("reports", kinds.choice(Reports), "Whether studies without images are fetched."),
        Key(
            "repeat_after",
            kinds.DURATION,
            "The same patient, modality and region triggers nothing again for so long.",
            field="repeat_after_s",
        ),
        Key(
            "lead_time",
            kinds.DURATION,
            "So long before an appointment the priors are to be here; the nearest deadline goes first.",
            field="lead_time_s",
        ),
        Key("begin_before", kinds.DURATION, "Fetching begins so long before that.", field="begin_before_s"),
        Key("fetch_by", kinds.choice(FetchBy), "How series come from a source of kind dimse."),
        Key("synonyms", SYNONYMS, "Words of this house, and the regions of the body that they mean."),
    ),
    help="Earlier studies of a patient that are fetched before somebody asks for them.",
)
