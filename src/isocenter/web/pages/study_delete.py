"""Delete studies, a series or an instance, after a page that says what that means."""

from __future__ import annotations

from collections.abc import Callable

from starlette.responses import Response
from starlette.routing import BaseRoute

from isocenter.archive.archive import Archive
from isocenter.archive.delete import delete
from isocenter.dicomweb.server.trail import open_trail
from isocenter.domain.audit import AuditRecord
from isocenter.domain.errors import IsocenterError, NotFound
from isocenter.domain.identifiers import Scope
from isocenter.domain.principal import DataAction, Principal
from isocenter.domain.statuses import statuses_of
from isocenter.web.console.console import Console, Done, Form, Visit
from isocenter.web.console.moment import format_duration
from isocenter.web.console.section import STUDIES
from isocenter.web.pages.choice import look_at, parse_choice, read_choice
from isocenter.web.pages.download import asked_choice, choice_values

DELETE_PATH = "/delete"


def delete_routes(
    console: Console, archive: Archive, *, audit: Callable[[AuditRecord], None] | None
) -> list[BaseRoute]:
    """Return the routes of deletes."""

    def ask(visit: Visit) -> Response:
        chosen = look_at(archive, visit.principal, asked_choice(visit))
        values = {**choice_values(chosen), "grace": format_duration(archive.settings.erase_after_s)}
        return console.page(visit, "delete.html", values, section=STUDIES.key)

    def act(visit: Visit, form: Form) -> Done:
        scopes = parse_choice(form.all("study"), form.one("series"), form.one("instance"))
        removed = sum(_delete(archive, visit, scope, audit=audit) for scope in scopes)
        if not removed:
            raise NotFound("Nothing of what was chosen is here any more.")
        first = scopes[0]
        is_part = first.series_instance_uid is not None
        words = f"{removed:,} instance{'' if removed == 1 else 's'} deleted."
        return Done(f"/studies/{first.study_instance_uid}" if is_part and _is_there(archive, first) else "/", words)

    return [
        console.get(DELETE_PATH, ask, name="delete", action=DataAction.DELETE),
        console.post(DELETE_PATH, act, name="delete-chosen", action=DataAction.DELETE, read=read_choice),
    ]


def _delete(archive: Archive, visit: Visit, scope: Scope, *, audit: Callable[[AuditRecord], None] | None) -> int:
    """Delete one scope, with its trail; return how many instances went, none where it is gone already."""
    if audit is None:
        return _removed(archive, visit.principal, scope)
    uids = (scope.study_instance_uid, scope.series_instance_uid, scope.sop_instance_uid)
    resource = {name: uid for name, uid in zip(("study", "series", "instance"), uids, strict=True) if uid}
    trail = open_trail(audit, visit.request, operation="delete", resource=resource, properties={})
    trail.begin(visit.principal)
    try:
        removed = _removed(archive, visit.principal, scope)
    except IsocenterError as error:
        trail.end(statuses_of(error).http_status)
        raise
    trail.end(204 if removed else 404)
    return removed


def _removed(archive: Archive, principal: Principal, scope: Scope) -> int:
    try:
        return delete(archive, principal, scope)
    except NotFound:
        return 0


def _is_there(archive: Archive, scope: Scope) -> bool:
    return bool(archive.index.instances(Scope(scope.study_instance_uid)))
