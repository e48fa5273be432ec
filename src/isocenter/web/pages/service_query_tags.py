"""Extended query tags with the operation that makes each ready."""

from __future__ import annotations

from collections.abc import Callable

import orjson
from starlette.responses import Response
from starlette.routing import BaseRoute

from isocenter.dicom.dictionary import keyword_of
from isocenter.dicomweb.codec.query_tag_json import LEVELS, parse_entries, parse_tag_path
from isocenter.domain.audit import AuditRecord
from isocenter.domain.errors import NotFound
from isocenter.domain.operation import Operation
from isocenter.domain.principal import DataAction
from isocenter.domain.query_tag import KINDS_BY_VR, QueryStatus
from isocenter.web.console.audited import audited
from isocenter.web.console.console import Act, Console, Done, Form, Visit
from isocenter.web.pages.service import QUERY_TAGS, ROWS, number_of, service_page
from isocenter.web.pages.service_desk import ServiceDesk

_MANAGE = DataAction.MANAGE_EXTENDED_QUERY_TAGS


def query_tag_routes(
    console: Console, desk: ServiceDesk, *, audit: Callable[[AuditRecord], None] | None
) -> list[BaseRoute]:
    """Return the routes of the tags: the list, one with its errors, and what can be done."""

    def operation_of(visit: Visit, operation_id: str) -> Operation | None:
        try:
            return desk.operation(visit.principal, operation_id) if operation_id else None
        except NotFound:
            return None

    def listed(visit: Visit) -> Response:
        tags = desk.query_tags(visit.principal)
        values = {
            "rows": [(tag, operation_of(visit, tag.operation_id)) for tag in tags],
            "keyword_of": keyword_of,
            "levels": list(LEVELS),
            "vrs": sorted(KINDS_BY_VR),
        }
        return service_page(console, visit, "service_query_tags.html", values, tab="query-tags")

    def one(visit: Visit) -> Response:
        tag = parse_tag_path(visit.part("tag"))
        found = desk.query_tag(visit.principal, tag)
        offset = number_of(visit, "offset", 0)
        errors = desk.query_tag_errors(visit.principal, tag, limit=ROWS + 1, offset=offset)
        values = {
            "tag": found,
            "keyword": keyword_of(tag) or "",
            "operation": operation_of(visit, found.operation_id),
            "errors": errors[:ROWS],
            "offset": offset,
            "next_offset": offset + ROWS if len(errors) > ROWS else None,
        }
        return service_page(console, visit, "service_query_tag.html", values, tab="query-tags")

    def add(visit: Visit, form: Form) -> Done:
        fields = {"path": form.one("path"), "level": form.one("level")}
        fields |= {
            name: form.one(field) for field, name in (("vr", "vr"), ("creator", "privateCreator")) if form.one(field)
        }
        (entry,) = parse_entries(orjson.dumps([fields]))
        if not desk.add_query_tags(visit.principal, [entry]):
            return Done(QUERY_TAGS, "Another reindex is under way; add the tag when it has ended.", is_failure=True)
        return Done(QUERY_TAGS, f"{entry.path} is added; searches can use it when its reindex has ended.")

    def change(visit: Visit, form: Form) -> Done:
        tag = parse_tag_path(visit.part("tag"))
        wanted = QueryStatus.ENABLED if form.one("query_status") == "enabled" else QueryStatus.DISABLED
        desk.set_query_status(visit.principal, tag, wanted)
        return Done(QUERY_TAGS, f"Searches by {tag:08X} are {wanted.value}.")

    def remove(visit: Visit, form: Form) -> Done | Response:
        tag = parse_tag_path(visit.part("tag"))
        if form.one("sure") != "yes":
            values = {"tag": desk.query_tag(visit.principal, tag), "keyword": keyword_of(tag) or ""}
            return service_page(console, visit, "service_query_tag_remove.html", values, tab="query-tags")
        desk.remove_query_tag(visit.principal, tag)
        return Done(QUERY_TAGS, f"{tag:08X} is removed; what was indexed by it goes in the background.")

    def post(path: str, act: Act, name: str, operation: str) -> BaseRoute:
        fields = ("path", "level", "vr", "creator", "query_status", "sure")  # the last tells from the question before
        traced = audited(act, audit=audit, operation=f"{operation}-extended-query-tag", fields=fields)
        return console.post(path, traced, name=name, action=_MANAGE)

    return [
        console.get(QUERY_TAGS, listed, name="service-query-tags"),
        post(QUERY_TAGS, add, "service-query-tag-add", "add"),
        console.get(QUERY_TAGS + "/{tag}", one, name="service-query-tag"),
        post(QUERY_TAGS + "/{tag}/status", change, "service-query-tag-status", "update"),
        post(QUERY_TAGS + "/{tag}/remove", remove, "service-query-tag-remove", "remove"),
    ]
