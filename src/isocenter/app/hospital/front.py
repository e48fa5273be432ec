"""The front door of a hospital: the map of its network with what can be ordered of each part, the tour, the API.

Whoever opens the page works on this machine: it listens on loopback alone, answers under no other name, and takes forms
from its own pages only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import Response

from isocenter.app.hospital.control import Cut
from isocenter.app.hospital.control_api import control_route, parse_cut, parse_line, parse_part
from isocenter.app.hospital.map_values import map_values
from isocenter.domain.errors import NotFound
from isocenter.domain.principal import DataAction
from isocenter.identity.authenticate import LoopbackAuthenticator
from isocenter.web.console.console import Console, Done, Form, Visit
from isocenter.web.console.live import LiveTopics, live_routes
from isocenter.web.console.section import Section
from isocenter.web.pages.tour import TOUR, TOUR_TOPIC, Tour, tour_routes
from isocenter.web.static_files import static_routes

if TYPE_CHECKING:
    from isocenter.app.hospital.supervisor import Hospital

MAP = Section("map", "Network", "/", "map")
_DONE = {"start": "runs.", "stop": "has ended.", "kill": "was killed."}


def front_topics(hospital: Hospital, tour: Tour) -> LiveTopics:
    """Return what open pages are told of."""
    return LiveTopics({"hospital": hospital.status, TOUR_TOPIC: tour.mark})


def front(hospital: Hospital, live: LiveTopics, tour: Tour) -> Starlette:
    """Return the page and the API of a hospital as an application."""
    authenticate = LoopbackAuthenticator(allowed_hosts=frozenset())
    console = Console(authenticate=authenticate, login_path=None, sections=(MAP, TOUR), node_name="Hospital")

    async def show(visit: Visit) -> Response:
        values = map_values(hospital.reach, hospital.status())
        return console.page(visit, "hospital_map.html", values, section=MAP.key)

    async def order(visit: Visit, _form: Form) -> Done:
        part = parse_part(visit.part("part"))
        wanted = visit.part("order")
        match wanted:
            case "start":
                await hospital.start(part)
            case "stop":
                await hospital.stop(part)
            case "kill":
                await hospital.kill(part)
            case _:
                raise NotFound("A part can be started, stopped and killed.")
        return Done("/", f"The {part.value} {_DONE[wanted]}")

    async def cut(visit: Visit, form: Form) -> Done:
        line, how = parse_line(visit.part("line")), parse_cut(form.one("how") or Cut.REFUSE)
        hospital.cut(line, how)
        return Done("/", f"The line between router and {line.value} is cut: {how.value}.")

    async def heal(visit: Visit, _form: Form) -> Done:
        line = parse_line(visit.part("line"))
        hospital.heal(line)
        return Done("/", f"The line between router and {line.value} is sound again.")

    return Starlette(
        routes=[
            *static_routes(),
            *live_routes(live, authenticate=authenticate),
            console.get("/", show, name="map"),
            console.post("/parts/{part}/{order}", order, name="order", action=DataAction.READ),
            console.post("/lines/{line}/cut", cut, name="cut", action=DataAction.READ),
            console.post("/lines/{line}/heal", heal, name="heal", action=DataAction.READ),
            *tour_routes(console, tour),
            control_route(hospital),
        ]
    )
