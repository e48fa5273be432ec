"""What a retrieval names: some patients, studies, series or instances (PS3.4 C.4.2.1.4)."""

from __future__ import annotations

from dataclasses import dataclass

from isocenter.domain.identifiers import DEFAULT_PARTITION, Level


@dataclass(frozen=True, slots=True)
class Selection:
    """The unique keys of a retrieval; those above its level may be missing where it is relational."""

    level: Level
    patient_id: str | None = None
    study_instance_uids: tuple[str, ...] = ()
    series_instance_uids: tuple[str, ...] = ()
    sop_instance_uids: tuple[str, ...] = ()
    partition_name: str = DEFAULT_PARTITION
