"""What studies and series are found by that stands in tables of its own: modalities, SOP classes, requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import apsw

from isocenter.domain.query import fold_caseless
from isocenter.storage.sqlite.columns import request_rows
from isocenter.storage.sqlite.recollection import SeriesEntry, StudyEntry


def refresh_modalities(
    connection: apsw.Connection, queries: Mapping[str, str], partition_key: int, study_key: int
) -> None:
    """Show the modalities of a study's series anew, and let the study be found by them."""
    modalities = [row[0] for row in connection.execute(queries["modalities_of_study"], (study_key,))]
    connection.execute(queries["store_modalities"], ("\\".join(modalities) or None, study_key))
    connection.execute(queries["forget_modalities"], (study_key,))
    rows = [(partition_key, fold_caseless(modality), study_key) for modality in modalities]
    connection.executemany(queries["insert_modality"], rows)


def refresh_sop_classes(
    connection: apsw.Connection, queries: Mapping[str, str], partition_key: int, study_key: int
) -> list[str]:
    """Show the SOP classes of a study's instances anew, and let the study be found by them."""
    classes: list[str] = [row[0] for row in connection.execute(queries["sop_classes_of_study"], (study_key,))]
    _list_sop_classes(connection, queries, partition_key, study_key, classes)
    return classes


def write_sop_classes(connection: apsw.Connection, queries: Mapping[str, str], study: StudyEntry) -> None:
    """Let a study be found by the SOP classes that its entry has."""
    _list_sop_classes(connection, queries, study.partition_key, study.study_key, sorted(study.sop_classes))
    study.has_new_sop_class = False


def _list_sop_classes(
    connection: apsw.Connection,
    queries: Mapping[str, str],
    partition_key: int,
    study_key: int,
    sop_class_uids: Sequence[str],
) -> None:
    connection.execute(queries["store_sop_classes"], ("\\".join(sop_class_uids) or None, study_key))
    connection.execute(queries["forget_sop_classes"], (study_key,))
    rows = [(partition_key, uid, study_key) for uid in sop_class_uids]
    connection.executemany(queries["insert_sop_class"], rows)


def write_requests(connection: apsw.Connection, queries: Mapping[str, str], series: SeriesEntry) -> None:
    """Let a series be found by the items of its RequestAttributesSequence."""
    connection.execute(queries["forget_requests"], (series.series_key,))
    connection.executemany(
        queries["insert_request"],
        [
            (series.series_key, number, series.partition_key, *values)
            for number, values in enumerate(request_rows(series.requests))
        ],
    )
    series.has_new_requests = False
