"""Connection tests of destinations: started by a form, with a row for each step as it is taken."""

from __future__ import annotations

from typing import cast

from starlette.responses import Response
from starlette.routing import BaseRoute

from isocenter.domain.application_entity import parse_ae_title
from isocenter.domain.principal import DataAction
from isocenter.routing.connection_test.report import ConnectionReport, OnStep, Outcome, Step
from isocenter.web.console.console import Done, Form, Visit
from isocenter.web.console.moment import format_moment
from isocenter.web.pages.router_frame import RouterFrame
from isocenter.web.pages.router_needs import ConnectionTests
from isocenter.web.pages.router_words import state_words

KIND = "test"
TAB = "channels"
TONES = {Outcome.PASSED: "good", Outcome.WARNED: "warn", Outcome.FAILED: "bad", Outcome.SKIPPED: ""}


def test_pages(frame: RouterFrame) -> list[BaseRoute]:
    """Return the routes of connection tests."""
    console, needs = frame.console, frame.needs

    def start(visit: Visit, form: Form) -> Done:
        name = visit.part("destination")
        title = parse_ae_title(form.one("calling") or needs.tests.own_title)
        stores = form.one("stores") == "on"
        with needs.audited(visit, "destination test"):
            job = needs.jobs.start(
                KIND, name, lambda note: _run(needs.tests, name, title, stores, note), by=visit.principal.name
            )
        return Done(f"/router/tests/{job}")

    def show(visit: Visit) -> Response:
        job = needs.jobs.find(visit.part("job"))
        report = cast("ConnectionReport | None", job.result)  # what this kind of job comes to
        steps = cast("tuple[Step, ...]", job.notes if report is None else report.steps)  # likewise
        values = {
            "job": job,
            "began_at": format_moment(job.began_at),
            "report": report,
            "steps": [(step, TONES[step.outcome], _facts(step)) for step in steps],
        }
        return frame.page(visit, "router_test.html", values, tab=TAB)

    return [
        console.post(
            "/router/destinations/{destination}/test", start, name="router-test-start", action=DataAction.EXPORT
        ),
        console.get("/router/tests/{job}", show, name="router-test"),
    ]


def _facts(step: Step) -> list[tuple[str, str]]:
    """Return what was seen, with the names of those for which it is the same together."""
    names: dict[str, list[str]] = {}
    for name, value in step.facts:
        names.setdefault(value, []).append(state_words(name))
    return [(", ".join(found), value) for value, found in names.items()]


def _run(tests: ConnectionTests, name: str, title: str, stores: bool, note: OnStep) -> ConnectionReport:
    return tests.run(name, calling_ae_title=title, stores=stores, on_step=note)
