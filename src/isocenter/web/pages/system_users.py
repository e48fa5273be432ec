"""The people who may sign in, for whoever administers; of an embedded provider only.

At least one person who may do everything stays: nobody locks themselves and all others out.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass

from starlette.responses import Response
from starlette.routing import BaseRoute

from isocenter.domain.audit import AuditRecord
from isocenter.domain.directory import User
from isocenter.domain.errors import Conflict, InvalidRequest, NotFound
from isocenter.domain.principal import DataAction
from isocenter.domain.role import DATA_OWNER, ROLES, find_role, parse_role
from isocenter.identity.registry import Registry
from isocenter.web.console.audited import audited
from isocenter.web.console.console import Act, Console, Done, Form, Visit
from isocenter.web.pages.system_frame import USERS, system_page

ROWS = 50
"""People on one page."""
PASSWORD_SIZE_BYTES = 15
"""Of a password that is made here: 20 letters, more than anybody guesses."""
_ADMINISTER = DataAction.MANAGE_EXTENDED_QUERY_TAGS
"""The first look; owners alone come further."""


@dataclass(frozen=True, slots=True)
class PersonRow:
    """One person as the list shows it."""

    user: User
    roles: tuple[tuple[str, str], ...]
    """Name of the role and of the partition, which is empty where it holds everywhere."""
    is_self: bool
    is_last_owner: bool

    @property
    def role(self) -> str:
        """Return the name of the role that holds everywhere, empty where there is none."""
        names = [name for name, partition in self.roles if not partition]
        return next((role.name for role in ROLES if role.name in names), "")


def user_routes(
    console: Console,
    registry: Registry | None,
    *,
    issuers: tuple[str, ...],
    audit: Callable[[AuditRecord], None] | None,
) -> list[BaseRoute]:
    """Return the routes of the list and of what can be done; `issuers` keep the people where we do not."""
    pages = _Pages(console, registry, issuers, threading.Lock())
    path = USERS + "/{object_id}"

    def post(path: str, act: Act, name: str) -> BaseRoute:
        traced = audited(act, audit=audit, operation=name, fields=("name", "role"))
        return console.post(path, traced, name=name, action=_ADMINISTER)

    return [
        console.get(USERS, pages.listed, name="system-users"),
        console.get(path + "/remove", pages.ask_to_remove, name="system-user-remove-asked"),
        post(USERS, pages.add, "add-user"),
        post(path + "/role", pages.change_role, "change-user-role"),
        post(path + "/password", pages.reset_password, "reset-user-password"),
        post(path + "/remove", pages.remove, "remove-user"),
    ]


@dataclass(frozen=True, slots=True)
class _Pages:
    """What is shown and done; owners only."""

    console: Console
    registry: Registry | None
    issuers: tuple[str, ...]
    changing: threading.Lock
    """Held while it is looked whether an owner is left, and changed: two owners could take each other's role."""

    def listed(self, visit: Visit) -> Response:
        return self._page(visit)

    def ask_to_remove(self, visit: Visit) -> Response:
        values = {"user": self._found(visit), "path": visit.prefix + USERS}
        return system_page(self.console, visit, "system_user_remove.html", values, tab="users")

    def add(self, visit: Visit, form: Form) -> Response:
        known = self._directory(visit)
        role = parse_role(form.one("role")) if form.one("role") else None
        password = _new_password()
        user = known.add_user(form.one("name"), password, tenant=known.first_tenant())
        if role is not None:
            known.assign_role(user.object_id, role)
        return self._page(visit, given=(user.name, password))

    def reset_password(self, visit: Visit, form: Form) -> Response:
        user, password = self._found(visit), _new_password()
        self._directory(visit).set_password(user, password)
        return self._page(visit, given=(user.name, password))

    def change_role(self, visit: Visit, form: Form) -> Done:
        known, user = self._directory(visit), self._found(visit)
        role = parse_role(form.one("role")) if form.one("role") else None
        with self.changing:
            if role is not DATA_OWNER:
                self._require_another_owner(known, user)
            if role is not None:
                known.assign_role(user.object_id, role)
            for one in known.directory.assignments(user.object_id):
                if not one.partition_name and (role is None or one.role_id != role.role_id):
                    known.directory.remove_assignment(user.object_id, one.role_id, "")
        told = f"{user.name} is {role.name} now." if role else f"{user.name} may do nothing any more, and stays known."
        return Done(USERS, told)

    def remove(self, visit: Visit, form: Form) -> Done:
        known, user = self._directory(visit), self._found(visit)
        if form.one("sure") != "yes":
            raise InvalidRequest("Say on the page before that you are sure.")
        with self.changing:
            self._require_another_owner(known, user)
            known.directory.remove_user(user.object_id)
        return Done(USERS, f"{user.name} is removed; sessions and tokens are void.")

    def _require_another_owner(self, known: Registry, user: User) -> None:
        if _owners(known) == {user.object_id}:
            raise Conflict(
                f"{user.name} is the last person who may do everything. Make somebody else {DATA_OWNER.name} first."
            )

    def _directory(self, visit: Visit) -> Registry:
        visit.principal.require_owner()
        if self.registry is None:
            raise NotFound("People are not kept by this node.")
        return self.registry

    def _found(self, visit: Visit) -> User:
        known = self._directory(visit)
        user = known.directory.user(visit.part("object_id"))
        if user is None:
            raise NotFound("There is nobody of that identifier any more.")
        return user

    def _page(self, visit: Visit, *, given: tuple[str, str] | None = None) -> Response:
        visit.principal.require_owner()
        wanted = visit.parameter("find").strip()[:64]
        number = visit.parameter("page")
        page = max(1, int(number)) if number.isascii() and number.isdigit() and len(number) < 6 else 1
        people = [] if self.registry is None else _people(self.registry, visit.principal.object_id)
        found = [one for one in people if wanted.casefold() in one.user.name.casefold()]
        first = (page - 1) * ROWS
        values = {
            "is_embedded": self.registry is not None,
            "issuers": self.issuers,
            "rows": found[first : first + ROWS],
            "count": len(found),
            "first": first,
            "page": page,
            "has_next": len(found) > first + ROWS,
            "find": wanted,
            "roles": [role.name for role in ROLES],
            "given": given,
            "path": visit.prefix + USERS,
        }
        return system_page(self.console, visit, "system_users.html", values, tab="users")


def _people(known: Registry, own_object_id: str) -> list[PersonRow]:
    roles: dict[str, list[tuple[str, str]]] = {}
    for one in known.directory.assignments():
        role = find_role(one.role_id)
        roles.setdefault(one.object_id, []).append((role.name if role else one.role_id, one.partition_name))
    owners = _owners(known)
    return [
        PersonRow(
            user,
            tuple(roles.get(user.object_id, ())),
            is_self=user.object_id == own_object_id,
            is_last_owner=owners == {user.object_id},
        )
        for user in known.directory.users()
    ]


def _owners(known: Registry) -> set[str]:
    """Return the people who may do everything everywhere."""
    people = {user.object_id for user in known.directory.users()}
    given = known.directory.assignments()
    return {
        one.object_id
        for one in given
        if one.role_id == DATA_OWNER.role_id and not one.partition_name and one.object_id in people
    }


def _new_password() -> str:
    return secrets.token_urlsafe(PASSWORD_SIZE_BYTES)
