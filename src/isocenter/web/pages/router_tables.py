"""What goes on beside deliveries: studies that are not whole yet, what is fetched ahead, the work list of the RIS."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from isocenter.domain.errors import NotFound
from isocenter.domain.identifiers import parse_uid
from isocenter.domain.principal import DataAction
from isocenter.web.api.completeness import CompletenessTable
from isocenter.web.console.console import Done, Form, Visit
from isocenter.web.pages.router_delivery_row import find_studies
from isocenter.web.pages.router_frame import PREFETCH, UNDER_WAY, WORKLIST, RouterFrame
from isocenter.web.pages.router_words import span_words

ROWS_MAX = 200
"""The last ones; who looks for one names it."""
RUNS_MAX = 50


def table_pages(frame: RouterFrame) -> list[BaseRoute]:
    """Return the routes of these tables, as far as the node has them."""
    console, needs = frame.console, frame.needs

    def under_way(visit: Visit) -> Response:
        table = _completeness(frame)
        wanted = visit.parameter("show", "open")
        rows = [one for one in table.overview(limit=ROWS_MAX) if wanted == "all" or not one["is_complete"]]
        known = find_studies(needs.studies, visit.principal, [str(one["study_instance_uid"]) for one in rows])
        values = {
            "rows": [(one, known.get(str(one["study_instance_uid"]))) for one in rows],
            "wanted": wanted,
            "rows_max": ROWS_MAX,
        }
        return frame.page(visit, "router_under_way.html", values, tab="under-way")

    def one_study(visit: Visit) -> Response:
        uid = parse_uid(visit.part("study"))
        known = find_studies(needs.studies, visit.principal, [uid])
        values = {"study": _completeness(frame).find(uid), "known": known.get(uid)}
        return frame.page(visit, "router_watched_study.html", values, tab="under-way")

    def treat(visit: Visit, form: Form) -> Done:
        uid = parse_uid(visit.part("study"))
        with needs.audited(visit, "treat study as complete"):
            _completeness(frame).treat_as_complete(uid, origin=visit.principal.name)
        return Done(UNDER_WAY, "The study is treated as complete; what comes late goes out by itself.")

    def prefetch(visit: Visit) -> Response:
        if needs.prefetch is None:
            raise NotFound("This node fetches nothing ahead.")
        return frame.page(visit, "router_prefetch.html", needs.prefetch.overview(limit=RUNS_MAX), tab="prefetch")

    def worklist(visit: Visit) -> Response:
        if needs.worklist is None:
            raise NotFound("This node keeps no work list.")
        found: dict[str, Any] = needs.worklist()
        ris = found["ris"]
        age = span_words(None if ris is None else ris["oldest_age_s"])
        return frame.page(visit, "router_worklist.html", {**found, "age": age}, tab="worklist")

    study = f"{UNDER_WAY}/{{study}}"
    return [
        console.get(UNDER_WAY, under_way, name="router-under-way"),
        console.get(study, one_study, name="router-watched-study"),
        console.post(f"{study}/complete", treat, name="router-complete", action=DataAction.WRITE),
        console.get(PREFETCH, prefetch, name="router-prefetch"),
        console.get(WORKLIST, worklist, name="router-worklist"),
    ]


def _completeness(frame: RouterFrame) -> CompletenessTable:
    if frame.needs.completeness is None:
        raise NotFound("This node does not watch whether studies are whole.")
    return frame.needs.completeness
