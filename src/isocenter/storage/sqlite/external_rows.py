"""Rows of external metadata as a transaction writes them."""

from __future__ import annotations

from collections.abc import Sequence

from isocenter.domain.external_metadata import ExternalValue, comparable
from isocenter.domain.query import person_name_words
from isocenter.storage.sqlite.connections import Row


def external_rows(
    partition_key: int, study_instance_uid: str, values: Sequence[ExternalValue], *, now: float
) -> list[Row]:
    """Return the rows of some values of a study."""
    return [
        (
            partition_key,
            study_instance_uid,
            one.tag,
            one.value,
            comparable(one),
            person_name_words(one.value) if one.vr == "PN" else None,
            now,
        )
        for one in values
    ]
