"""Record in the audit log what people do on pages: who, what, with which resource, and how it ended."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import cast

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from isocenter.dicomweb.server.trail import open_trail
from isocenter.domain.audit import AuditRecord
from isocenter.domain.errors import IsocenterError
from isocenter.domain.statuses import statuses_of
from isocenter.web.console.console import Act, Done, Form, Visit

REDIRECTED = 303
"""What an action answers that was carried out."""
VALUE_LENGTH_MAX = 200
"""Of what a form names; a name or a UID has less."""


def audited(
    act: Act, *, audit: Callable[[AuditRecord], None] | None, operation: str, fields: tuple[str, ...] = ()
) -> Act:
    """Return an action that leaves two records, before and after; `fields` of its form name what it is about."""
    if audit is None:
        return act
    write = audit

    async def call(visit: Visit, form: Form) -> Done | Response:
        named = {field: form.one(field)[:VALUE_LENGTH_MAX] for field in fields if form.one(field)}
        resource = {name: str(value) for name, value in visit.request.path_params.items()} | named
        trail = open_trail(write, visit.request, operation=operation, resource=resource, properties={})
        trail.begin(visit.principal)
        try:
            done = await _run(act, visit, form)
        except IsocenterError as error:
            trail.end(statuses_of(error).http_status)
            raise
        trail.end(done.status_code if isinstance(done, Response) else 409 if done.is_failure else REDIRECTED)
        return done

    return call


async def _run(act: Act, visit: Visit, form: Form) -> Done | Response:
    if inspect.iscoroutinefunction(act):
        return cast("Done | Response", await act(visit, form))
    return cast("Done | Response", await run_in_threadpool(act, visit, form))  # a plain function gives no awaitable
