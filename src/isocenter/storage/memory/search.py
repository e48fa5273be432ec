"""Search by looking at every row: the meaning of a match, spelled out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from isocenter.domain.attributes import MODALITIES_IN_STUDY
from isocenter.domain.identifiers import Level
from isocenter.domain.query import Match
from isocenter.storage.matching import matched_attribute, value_fits


def fits(match: Match, level: Level, attributes: Mapping[int, str], modalities: Iterable[str]) -> bool:
    """Tell whether the attributes of a row, with those of the levels above, fit a match."""
    vr = matched_attribute(match, level).vr
    values = list(modalities) if match.tag == MODALITIES_IN_STUDY else [attributes.get(match.tag, "")]
    return any(value_fits(match, vr, value) for value in values or [""])
