"""The tabs of System; who administers sees all of them."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from isocenter.web.console.console import Console, Visit
from isocenter.web.console.moment import format_duration, format_moment
from isocenter.web.console.section import SYSTEM

FIGURES, ASSOCIATIONS, DOCTOR = "/system", "/system/associations", "/system/doctor"
AUDIT, USERS, SETTINGS = "/system/audit", "/system/users", "/system/settings"


def system_page(
    console: Console, visit: Visit, template: str, values: Mapping[str, object], *, tab: str, status_code: int = 200
) -> Response:
    """Return a page of the section with the tabs that a person may see."""
    of_owners = [
        ("doctor", "Doctor", DOCTOR),
        ("audit", "Audit trail", AUDIT),
        ("users", "Users", USERS),
        ("settings", "Settings", SETTINGS),
    ]
    tabs = [
        ("figures", "Figures", FIGURES),
        ("associations", "Associations", ASSOCIATIONS),
        *(of_owners if visit.principal.is_owner else []),
    ]
    url = visit.request.url
    shown = {
        "tabs": tabs,
        "tab": tab,
        "show_moment": format_moment,
        "show_duration": format_duration,
        "address": visit.prefix + url.path + (f"?{url.query}" if url.query else ""),
    }
    return console.page(visit, template, {**shown, **values}, section=SYSTEM.key, status_code=status_code)
