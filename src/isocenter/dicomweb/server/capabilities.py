"""OPTIONS of the service: what it offers (PS3.18 8.9)."""

from __future__ import annotations

from starlette.responses import Response

from isocenter.dicomweb.codec.capabilities import choose_form, describe, resources_of
from isocenter.dicomweb.server.service import Call


async def describe_service(call: Call) -> Response:
    """Return what is offered under the root of a call, each resource with its methods."""
    form = choose_form(call.accept)
    content = describe(resources_of(call.offered()), service_url=call.root, form=form)
    return Response(content, media_type=form, headers={"Vary": "Accept"})
