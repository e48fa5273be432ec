"""Routes of the light viewer: pages first, then what they load.

/light/STUDY[/SERIES[/INSTANCE]]            a page with its picture
…/INSTANCE/attributes                       a page of all attributes
…/INSTANCE/frames/N, …/SERIES/thumbnail     pictures
…/INSTANCE/document, …/SERIES/stack         a PDF, what a script needs
"""

from __future__ import annotations

from functools import partial

from starlette.routing import BaseRoute, Route

from isocenter.web.light.asked import Light
from isocenter.web.light.pages import show_attributes, show_sight, to_studies
from isocenter.web.light.pictures import give_document, give_picture, give_stack, give_thumbnail, give_window
from isocenter.web.light.place import LIGHT_PATH

STUDY = LIGHT_PATH + "/{study}"
SERIES = STUDY + "/{series}"
INSTANCE = SERIES + "/{instance}"


def light_routes(light: Light) -> list[BaseRoute]:
    """Return the routes of the light viewer, to be mounted at the root of the node."""
    see = partial(show_sight, light)
    return [
        Route(LIGHT_PATH, to_studies),
        Route(LIGHT_PATH + "/", to_studies),
        light.page_route(STUDY, see),
        light.page_route(SERIES, see),
        light.part_route(f"{SERIES}/thumbnail", give_thumbnail, operation="retrieve-rendered", decodes=True),
        light.part_route(f"{SERIES}/stack", give_stack, operation="retrieve-metadata"),
        light.page_route(INSTANCE, see),
        light.page_route(f"{INSTANCE}/attributes", partial(show_attributes, light)),
        light.part_route(f"{INSTANCE}/frames/{{frame}}", give_picture, operation="retrieve-rendered", decodes=True),
        light.part_route(
            f"{INSTANCE}/frames/{{frame}}/window", give_window, operation="retrieve-rendered", decodes=True
        ),
        light.part_route(f"{INSTANCE}/document", give_document, operation="retrieve"),
    ]
