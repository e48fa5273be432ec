"""How full and how busy a node is, over the last hour or day."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import BaseRoute

from isocenter.web.console.console import Console, Visit
from isocenter.web.pages.system_chart import HEIGHT, WIDTH, draw
from isocenter.web.pages.system_frame import FIGURES, system_page
from isocenter.web.pages.system_samples import FIGURES as ALL_FIGURES
from isocenter.web.pages.system_samples import Samples, course_of

SPANS = (("hour", "Last hour"), ("day", "Last day"))


def figure_routes(console: Console, samples: Samples) -> list[BaseRoute]:
    """Return the route of the figures."""

    def show(visit: Visit) -> Response:
        span = "day" if visit.parameter("span") == "day" else "hour"
        taken = samples.day() if span == "day" else samples.hour()
        known = {key for one in taken[-1:] for key in one.values}
        charts = [draw(figure, course_of(figure, taken)) for figure in ALL_FIGURES if figure.key in known]
        values = {
            "charts": charts,
            "span": span,
            "spans": SPANS,
            "path": visit.prefix + FIGURES,
            "box": (WIDTH, HEIGHT),
            "at": taken[-1].at if taken else None,
        }
        return system_page(console, visit, "system_figures.html", values, tab="figures")

    return [console.get(FIGURES, show, name="system")]
