"""Bring a database to the schema of this version: forward only, one transaction per step."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files

import apsw

from isocenter.domain.errors import StorageFailed
from isocenter.storage.sqlite.statements import load_schema

APPLICATION_ID = 0x49534F43
"""`ISOC`: tells our database from another program's."""
SCHEMA_VERSION = 14

_FILE_NAME = re.compile(r"(\d{4})_\w+\.sql", re.ASCII)


def load_migrations() -> Mapping[int, str]:
    """Return the steps by the version that they lead to."""
    folder = files(__package__).joinpath("migrations")
    found = ((_FILE_NAME.fullmatch(entry.name), entry) for entry in (folder.iterdir() if folder.is_dir() else ()))
    return {int(name[1]): entry.read_text(encoding="utf-8") for name, entry in found if name}


def migrate(connection: apsw.Connection, *, schema: str, schema_version: int, migrations: Mapping[int, str]) -> None:
    """Create the schema in an empty database, or carry out the steps that an older one lacks."""
    version = int(connection.pragma("user_version"))
    _require_ours(connection, version, schema_version)
    if version == 0:
        _step(connection, schema, schema_version)
        return
    for step in range(version + 1, schema_version + 1):
        _step(connection, migrations[step], step)


def migrate_to_current(connection: apsw.Connection) -> None:
    """Bring a database to the schema of this version."""
    migrate(connection, schema=load_schema(), schema_version=SCHEMA_VERSION, migrations=load_migrations())


def _require_ours(connection: apsw.Connection, version: int, schema_version: int) -> None:
    is_empty = connection.execute("SELECT count(*) FROM sqlite_schema").get == 0
    if not is_empty and int(connection.pragma("application_id")) != APPLICATION_ID:
        raise StorageFailed("The file is not an index of isocenter.")
    if version > schema_version:
        raise StorageFailed("The index was written by a newer isocenter; start that one.")


def _step(connection: apsw.Connection, statements: str, version: int) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(statements)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {version}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
