"""App registrations, their secrets and roles, for whoever administers; of an embedded provider only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from starlette.responses import Response
from starlette.routing import BaseRoute

from isocenter.dicomweb.server.public_path import public_origin
from isocenter.domain.audit import AuditRecord
from isocenter.domain.directory import Application
from isocenter.domain.errors import InvalidRequest, NotFound
from isocenter.domain.partition import parse_partition_name
from isocenter.domain.principal import DataAction
from isocenter.domain.role import ROLES, find_role, parse_role
from isocenter.identity.registry import Registry
from isocenter.web.console.audited import audited
from isocenter.web.console.console import Act, Console, Done, Form, Visit
from isocenter.web.pages.service import APPLICATIONS, service_page

DAY_S = 86_400.0
SECRET_DAYS_MAX = 730
"""Two years, as Azure's own portal allows; a secret that nobody changes gets known."""
_ADMINISTER = DataAction.MANAGE_EXTENDED_QUERY_TAGS
"""The first look; owners alone come further."""
_TOLD = ("name", "role", "role_id", "partition", "secret_id", "days", "sure")
"""Fields that stand in the audit log; none holds a secret, and `sure` tells a removal from the question before it."""


def application_routes(
    console: Console, registry: Registry | None, *, audit: Callable[[AuditRecord], None] | None
) -> list[BaseRoute]:
    """Return the routes of the list, of one application, and of what can be done."""
    pages = _Pages(console, registry)
    path = APPLICATIONS + "/{client_id}"

    def post(path: str, act: Act, name: str, operation: str) -> BaseRoute:
        traced = audited(act, audit=audit, operation=operation, fields=_TOLD)
        return console.post(path, traced, name=name, action=_ADMINISTER)

    return [
        console.get(APPLICATIONS, pages.listed, name="service-applications"),
        post(APPLICATIONS, pages.register, "service-application-register", "register-application"),
        console.get(path, pages.one, name="service-application"),
        post(path + "/secrets", pages.add_secret, "service-secret-add", "add-application-secret"),
        post(path + "/secrets/remove", pages.remove_secret, "service-secret-remove", "remove-application-secret"),
        post(path + "/roles", pages.assign, "service-role-assign", "assign-application-role"),
        post(path + "/roles/remove", pages.revoke, "service-role-remove", "remove-application-role"),
        post(path + "/remove", pages.remove, "service-application-remove", "remove-application"),
    ]


@dataclass(frozen=True, slots=True)
class _Pages:
    """What is shown and done; owners only."""

    console: Console
    registry: Registry | None

    def listed(self, visit: Visit) -> Response:
        visit.principal.require_owner()
        known = self.registry
        applications = [] if known is None else known.directory.applications()
        values = {
            "is_embedded": known is not None,
            "rows": [] if known is None else [(one, _roles_of(known, one)) for one in applications],
            "roles": [role.name for role in ROLES],
        }
        return service_page(self.console, visit, "service_applications.html", values, tab="applications")

    def one(self, visit: Visit) -> Response:
        return self._page_of(visit, self._found(visit))

    def register(self, visit: Visit, form: Form) -> Response:
        known = self._directory(visit)
        role = parse_role(form.one("role")) if form.one("role") else None
        lifetime_s = _lifetime_s(form.one("days"))
        application = known.register_application(
            form.one("name"), tenant=known.first_tenant(), redirect_uris=form.one("redirect_uris").split()
        )
        if role is not None:
            known.assign_role(application.object_id, role)
        _, secret = known.add_secret(application, lifetime_s=lifetime_s)
        return self._page_of(visit, application, secret=secret)

    def add_secret(self, visit: Visit, form: Form) -> Response:
        application = self._found(visit)
        _, secret = self._directory(visit).add_secret(application, lifetime_s=_lifetime_s(form.one("days")))
        return self._page_of(visit, application, secret=secret)

    def remove_secret(self, visit: Visit, form: Form) -> Done:
        client_id = visit.part("client_id")
        if not self._directory(visit).directory.remove_secret(client_id, form.one("secret_id")):
            raise NotFound("The application has no such secret.")
        told = "The secret is void; tokens got with it live on for an hour at most."
        return Done(f"{APPLICATIONS}/{client_id}", told)

    def assign(self, visit: Visit, form: Form) -> Done:
        application, role = self._found(visit), parse_role(form.one("role"))
        partition_name = parse_partition_name(form.one("partition")) if form.one("partition") else ""
        self._directory(visit).assign_role(application.object_id, role, partition_name=partition_name)
        return Done(f"{APPLICATIONS}/{application.client_id}", f"It is {role.name} now.")

    def revoke(self, visit: Visit, form: Form) -> Done:
        application, role_id, partition_name = self._found(visit), form.one("role_id"), form.one("partition")
        directory = self._directory(visit).directory
        if not directory.remove_assignment(application.object_id, role_id, partition_name):
            raise NotFound("The application has no such role.")
        return Done(f"{APPLICATIONS}/{application.client_id}", "The role is taken away.")

    def remove(self, visit: Visit, form: Form) -> Done | Response:
        application = self._found(visit)
        if form.one("sure") != "yes":
            values = {"application": application}
            return service_page(self.console, visit, "service_application_remove.html", values, tab="applications")
        self._directory(visit).directory.remove_application(application.client_id)
        return Done(APPLICATIONS, "The application is removed; its secrets and tokens are void.")

    def _directory(self, visit: Visit) -> Registry:
        visit.principal.require_owner()
        if self.registry is None:
            raise NotFound("Applications of this node are registered at its identity provider, not here.")
        return self.registry

    def _found(self, visit: Visit) -> Application:
        return self._directory(visit).application(visit.part("client_id"))

    def _page_of(self, visit: Visit, application: Application, *, secret: str = "") -> Response:
        known = self._directory(visit)
        values = {
            "application": application,
            "secret": secret,
            "secrets": known.directory.secrets(application.client_id),
            "assigned": _roles_of(known, application),
            "roles": [role.name for role in ROLES],
            "origin": public_origin(visit.request),
        }
        return service_page(self.console, visit, "service_application.html", values, tab="applications")


def _roles_of(known: Registry, application: Application) -> list[tuple[str, str, str]]:
    """Return identifier, name and partition of each role."""
    named = [(one, find_role(one.role_id)) for one in known.directory.assignments(application.object_id)]
    return [(one.role_id, role.name if role else one.role_id, one.partition_name) for one, role in named]


def _lifetime_s(days: str) -> float:
    if not days.isascii() or not days.isdecimal() or len(days) > 4 or not 1 <= int(days) <= SECRET_DAYS_MAX:
        raise InvalidRequest(f"A secret is valid for 1 to {SECRET_DAYS_MAX} days.")
    return int(days) * DAY_S
