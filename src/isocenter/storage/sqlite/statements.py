"""The statements by name: those of `queries.sql`, and those that list the columns of the attributes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from types import MappingProxyType

from isocenter.domain.identifiers import Level
from isocenter.storage.sqlite.columns import (
    COLUMNS,
    INSTANCE_FIXED,
    INSTANCE_PLACE,
    REQUEST_COLUMNS,
    REQUEST_FIXED,
    SERIES_FIXED,
    STUDY_FIXED,
)
from isocenter.storage.sqlite.query_tag_rows import value_statements

_NAMED = re.compile(r"^-- name: (\w+)\n((?:--.*\n)*)((?:(?!-- name: ).*\n?)*)", re.MULTILINE)

_FILES = ("queries.sql", "ledger_queries.sql", "fhir_queries.sql", "prefetch_queries.sql", "watched_queries.sql")


def load_queries() -> Mapping[str, str]:
    """Return the statements of the room by name."""
    named: dict[str, str] = {}
    for name in (
        "queries.sql",
        "ledger_queries.sql",
        "fhir_queries.sql",
        "prefetch_queries.sql",
        "watched_queries.sql",
    ):
        named |= parse_statements(files(__package__).joinpath(name).read_text(encoding="utf-8"))
    return MappingProxyType(named | _attribute_statements() | value_statements())


def parse_statements(text: str) -> dict[str, str]:
    """Return the statements of a file by the names that stand before them."""
    return {name: body.strip().removesuffix(";") for name, _, body in _NAMED.findall(text)}


def load_schema() -> str:
    """Return the statements that make an empty database ready."""
    return files(__package__).joinpath("schema.sql").read_text(encoding="utf-8")


def _attribute_statements() -> dict[str, str]:
    study = [column.name for column in COLUMNS[Level.STUDY]]
    series = [column.name for column in COLUMNS[Level.SERIES]]
    instance = [column.name for column in COLUMNS[Level.INSTANCE]]
    return {
        "insert_study": _insert("study", [*STUDY_FIXED, *study]),
        "insert_series": _insert("series", [*SERIES_FIXED, *series]),
        "insert_instance": _insert("instance", [*INSTANCE_FIXED, *instance, *INSTANCE_PLACE]),
        "insert_request": _insert("series_request", [*REQUEST_FIXED, *(column.name for column in REQUEST_COLUMNS)]),
        "update_study": _update("study", study),
        "update_series": _update("series", series),
        "study": (
            f"SELECT {', '.join(STUDY_FIXED)}, sop_classes_in_study, {_raw(Level.STUDY)} FROM study "
            "WHERE partition_key = ? AND study_instance_uid = ?"
        ),
        "series": (
            f"SELECT {', '.join(SERIES_FIXED)}, {_raw(Level.SERIES)} FROM series "
            "WHERE study_key = ? AND series_instance_uid = ?"
        ),
    }


def _raw(level: Level) -> str:
    return ", ".join(column.name for column in COLUMNS[level] if column.derive is None)


def _insert(table: str, columns: Sequence[str]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"


def _update(table: str, columns: Sequence[str]) -> str:
    return f"UPDATE {table} SET {', '.join(f'{column} = ?' for column in columns)} WHERE {table}_key = ?"
