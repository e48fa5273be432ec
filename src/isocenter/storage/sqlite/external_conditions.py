"""Matches on external metadata as conditions of SQL."""

from __future__ import annotations

from isocenter.domain.external_metadata import comparing_vr
from isocenter.domain.identifiers import Level
from isocenter.domain.query import ByExternalMetadata
from isocenter.storage.sqlite.conditions import PARTITION, Conditions
from isocenter.storage.sqlite.query_tag_conditions import value_condition

_NOTHING = "0"


def external_condition(conditions: Conditions, match: ByExternalMetadata) -> str:
    """Return the condition that a match on external metadata means."""
    conditions.levels.add(Level.STUDY)
    study = conditions.aliases[Level.STUDY]
    where = value_condition(conditions, comparing_vr(match.vr), match.match, query_tag_key=None)
    if where == _NOTHING:
        return _NOTHING
    source = f"FROM external_metadata q WHERE q.tag = {match.tag:d}"
    if conditions.is_walk:
        own = f"q.partition_key = {study}.partition_key AND q.study_instance_uid = {study}.study_instance_uid"
        return f"EXISTS (SELECT 1 {source} AND {own} AND {where})"
    found = f"SELECT q.study_instance_uid {source} AND q.partition_key = {PARTITION} AND {where}"
    return f"{study}.study_instance_uid IN ({found})"
