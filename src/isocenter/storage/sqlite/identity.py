"""What the embedded identity provider knows, in SQLite: a file beside the index, for its owner's eyes alone.

A command changes it while a node runs: SQLite lets one write at a time, and `revision` tells the others.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Self, TypeVar

import apsw
import orjson

from isocenter.domain.directory import (
    Application,
    ClientSecret,
    Grant,
    GrantKind,
    RoleAssignment,
    SigningKey,
    Tenant,
    User,
)
from isocenter.storage.folders import sync_folder
from isocenter.storage.sqlite.connections import BUSY_TIMEOUT_MS, Row, fetch, index_errors
from isocenter.storage.sqlite.migrate import migrate
from isocenter.storage.sqlite.statements import parse_statements

SCHEMA_VERSION = 1

Bindings = Sequence[str | int | float | bytes]
T = TypeVar("T")


class SqliteIdentityStore:
    """Keep directory, signing keys and grants; safe for threads and for several processes."""

    def __init__(self, path: Path) -> None:
        """Open the file, or create it; raises StorageFailed where that cannot be done."""
        package = files(__package__)
        statements = package.joinpath("identity_queries.sql").read_text(encoding="utf-8")
        schema = package.joinpath("identity_schema.sql").read_text(encoding="utf-8")
        self._queries: Mapping[str, str] = MappingProxyType(parse_statements(statements))
        self._lock = threading.Lock()
        self._write_lock = threading.Lock()
        with index_errors():
            is_new = not path.exists()
            self._writer = _open(path)
            migrate(self._writer, schema=schema, schema_version=SCHEMA_VERSION, migrations={})
            if is_new:
                sync_folder(path.parent)
            self._reader = _open(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        with self._lock, self._write_lock:
            self._reader.close()
            self._writer.close()

    def revision(self) -> int:
        """Return a number that differs after every change, whoever made it."""
        return int(self._rows("data_version", ())[0][0])

    def tenants(self) -> Sequence[Tenant]:
        """Return all tenants, the oldest first."""
        return [Tenant(*row) for row in self._rows("tenants", ())]

    def add_tenant(self, tenant: Tenant) -> bool:
        """Keep a new tenant; identifier and name are unique."""
        return self._change("insert_tenant", (tenant.tenant_id, tenant.name, tenant.created_at))

    def application(self, client_id: str) -> Application | None:
        """Return an application."""
        rows = self._rows("application", (client_id,))
        return _application(rows[0]) if rows else None

    def applications(self) -> Sequence[Application]:
        """Return all applications by name."""
        return [_application(row) for row in self._rows("applications", ())]

    def add_application(self, application: Application) -> bool:
        """Keep a new application."""
        one = application
        uris = orjson.dumps(one.redirect_uris).decode()
        row = (one.client_id, one.tenant_id, one.object_id, one.name, uris, one.created_at)
        return self._change("insert_application", row)

    def remove_application(self, client_id: str) -> bool:
        """Forget an application with its secrets, roles and what was granted to it."""

        def remove(connection: apsw.Connection) -> bool:
            rows = fetch(connection, self._queries["delete_application"], (client_id,))
            for (object_id,) in rows:
                fetch(connection, self._queries["delete_assignments"], (object_id,))
                fetch(connection, self._queries["forget_grants_of_client"], (client_id,))
            return bool(rows)

        return self._transact(remove)

    def secrets(self, client_id: str) -> Sequence[ClientSecret]:
        """Return the secrets of an application, the oldest first."""
        return [ClientSecret(*row) for row in self._rows("secrets", (client_id,))]

    def add_secret(self, secret: ClientSecret) -> bool:
        """Keep a further secret of an application that is there."""
        one = secret
        row = (one.secret_id, one.client_id, one.digest, one.hint, one.created_at, one.expires_at)
        return self._change("insert_secret", row)

    def remove_secret(self, client_id: str, secret_id: str) -> bool:
        """Forget a secret."""
        return self._change("delete_secret", (client_id, secret_id))

    def user(self, object_id: str) -> User | None:
        """Return a person."""
        rows = self._rows("user", (object_id,))
        return User(*rows[0]) if rows else None

    def user_named(self, tenant_id: str, name: str) -> User | None:
        """Return the person of that name in a tenant, whatever the case."""
        rows = self._rows("user_named", (tenant_id, name.casefold()))
        return User(*rows[0]) if rows else None

    def users(self) -> Sequence[User]:
        """Return all people by name."""
        return [User(*row) for row in self._rows("users", ())]

    def add_user(self, user: User) -> bool:
        """Keep a new person."""
        row = (user.object_id, user.tenant_id, user.name, user.digest, user.created_at, user.name.casefold())
        return self._change("insert_user", row)

    def set_password(self, object_id: str, digest: str) -> bool:
        """Change a person's password, and forget what was granted with the old one."""
        return self._transact(lambda connection: self._with_grants(connection, "update_password", (digest, object_id)))

    def remove_user(self, object_id: str) -> bool:
        """Forget a person with roles and what was granted."""

        def remove(connection: apsw.Connection) -> bool:
            fetch(connection, self._queries["delete_assignments"], (object_id,))
            return self._with_grants(connection, "delete_user", (object_id,))

        return self._transact(remove)

    def _with_grants(self, connection: apsw.Connection, name: str, bindings: Bindings) -> bool:
        """Change a person, named last, and forget the grants that stand for it."""
        fetch(connection, self._queries[name], bindings)
        is_done = connection.changes() > 0
        fetch(connection, self._queries["forget_grants_of_object"], bindings[-1:])
        return is_done

    def assignments(self, object_id: str | None = None) -> Sequence[RoleAssignment]:
        """Return the roles of one, or all."""
        if object_id is None:
            return [RoleAssignment(*row) for row in self._rows("all_assignments", ())]
        return [RoleAssignment(*row) for row in self._rows("assignments", (object_id,))]

    def assign_role(self, assignment: RoleAssignment) -> bool:
        """Give a role."""
        one = assignment
        return self._change("insert_assignment", (one.object_id, one.role_id, one.partition_name, one.created_at))

    def remove_assignment(self, object_id: str, role_id: str, partition_name: str) -> bool:
        """Take a role away, and with the last one the links that were given."""

        def remove(connection: apsw.Connection) -> bool:
            fetch(connection, self._queries["delete_assignment"], (object_id, role_id, partition_name))
            is_done = connection.changes() > 0
            if is_done:
                fetch(connection, self._queries["forget_shares_without_role"], (object_id,))
            return is_done

        return self._transact(remove)

    def signing_keys(self) -> Sequence[SigningKey]:
        """Return all keys, the oldest first."""
        return [SigningKey(*row) for row in self._rows("signing_keys", ())]

    def change_signing_keys(self, *, add: Sequence[SigningKey], remove: Sequence[str], known: Sequence[str]) -> bool:
        """Add and remove keys in one commit; return False, with nothing changed, where others than `known` are."""

        def change(connection: apsw.Connection) -> bool:
            there = {row[0] for row in fetch(connection, self._queries["signing_keys"], ())}
            if there != set(known):
                return False
            for key_id in remove:
                fetch(connection, self._queries["delete_signing_key"], (key_id,))
            for one in add:
                row = (
                    one.key_id,
                    one.private_pem,
                    one.created_at,
                    one.signs_from,
                    one.signs_until,
                    one.published_until,
                )
                fetch(connection, self._queries["insert_signing_key"], row)
            return True

        return self._transact(change)

    def add_grant(self, grant: Grant) -> None:
        """Keep something that is handed out."""
        one = grant
        row = (one.kind.value, one.digest, one.object_id, one.client_id, one.expires_at, one.created_at, one.details)
        self._change("insert_grant", row)

    def grant(self, kind: GrantKind, digest: bytes) -> Grant | None:
        """Return what was handed out."""
        return _grant(self._rows("grant", (kind.value, digest)))

    def grants_of_kind(self, kind: GrantKind) -> Sequence[Grant]:
        """Return all of a kind, the oldest first."""
        found = (_grant([row]) for row in self._rows("grants_of_kind", (kind.value,)))
        return [grant for grant in found if grant is not None]

    def take_grant(self, kind: GrantKind, digest: bytes) -> Grant | None:
        """Return what was handed out and forget it; of several callers only one gets it."""
        return _grant(
            self._transact(lambda connection: fetch(connection, self._queries["take_grant"], (kind.value, digest)))
        )

    def prolong_grant(self, kind: GrantKind, digest: bytes, *, expires_at: float) -> bool:
        """Let something be valid for longer; return False where it is not there any more."""
        return self._change("prolong_grant", (expires_at, kind.value, digest))

    def forget_grants(self, *, expired_at: float) -> int:
        """Forget what has expired by then, and return how many those were."""

        def forget(connection: apsw.Connection) -> int:
            fetch(connection, self._queries["forget_grants"], (expired_at,))
            return connection.changes()

        return self._transact(forget)

    def _rows(self, name: str, bindings: Bindings) -> list[Row]:
        with self._lock, index_errors():
            return fetch(self._reader, self._queries[name], bindings)

    def _change(self, name: str, bindings: Bindings) -> bool:
        def change(connection: apsw.Connection) -> bool:
            fetch(connection, self._queries[name], bindings)
            return connection.changes() > 0

        return self._transact(change)

    def _transact(self, work: Callable[[apsw.Connection], T]) -> T:
        with self._write_lock, index_errors(), _transaction(self._writer):
            return work(self._writer)


@contextmanager
def _transaction(connection: apsw.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _open(path: Path) -> apsw.Connection:
    path.touch(mode=0o600)
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(BUSY_TIMEOUT_MS)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "temp_store = MEMORY"):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    return connection


def _application(row: Row) -> Application:
    client_id, tenant_id, object_id, name, uris, created_at = row
    return Application(client_id, tenant_id, object_id, name, tuple(orjson.loads(uris)), created_at)


def _grant(rows: Sequence[Row]) -> Grant | None:
    if not rows:
        return None
    kind, *others = rows[0]
    return Grant(GrantKind(kind), *others)
