"""The service as its clients meet it: change feed, query tags, workitems, operations, partitions, applications."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from isocenter.domain.errors import InvalidRequest
from isocenter.web.console.console import Console, Visit
from isocenter.web.console.moment import format_moment
from isocenter.web.console.section import SERVICE

FEED, QUERY_TAGS, WORKITEMS = "/service", "/service/query-tags", "/service/workitems"
OPERATIONS, PARTITIONS, APPLICATIONS = "/service/operations", "/service/partitions", "/service/applications"
ROWS = 50
"""Of a page of a list."""
NUMBER_MAX = 2**62
"""Of an offset or a sequence in an address; no list is longer."""


def service_page(
    console: Console, visit: Visit, template: str, values: Mapping[str, object], *, tab: str, status_code: int = 200
) -> Response:
    """Return a page of the section with the tabs that a person may see."""
    tabs = [
        ("feed", "Change feed", FEED),
        ("query-tags", "Query tags", QUERY_TAGS),
        ("workitems", "Workitems", WORKITEMS),
        ("operations", "Operations", OPERATIONS),
        ("partitions", "Partitions", PARTITIONS),
        *([("applications", "Applications", APPLICATIONS)] if visit.principal.is_owner else []),
    ]
    shown = {"tabs": tabs, "tab": tab, "show_moment": format_moment, "address": visit.prefix + visit.request.url.path}
    query = visit.request.url.query
    shown["address"] = f"{shown['address']}?{query}" if query else shown["address"]
    return console.page(visit, template, {**shown, **values}, section=SERVICE.key, status_code=status_code)


def number_of(visit: Visit, name: str, otherwise: int) -> int:
    """Return a parameter that is a whole number; raises InvalidRequest."""
    text = visit.parameter(name)
    if not text:
        return otherwise
    if not text.isascii() or not text.isdecimal() or len(text) > 18 or int(text) > NUMBER_MAX:
        raise InvalidRequest(f"The parameter {name} of this address is a whole number.")
    return int(text)
