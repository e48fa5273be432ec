"""OPTIONS of the service: what it offers (PS3.18 8.9)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from starlette.responses import Response

from isocenter.dicomweb.codec.capabilities import Resource, choose_form, describe
from isocenter.dicomweb.server.service import Call


def describing(resources_of: Callable[[str], Sequence[Resource]]) -> Callable[[Call], Awaitable[Response]]:
    """Return the handler that describes what is offered under the root of a call."""

    async def describe_service(call: Call) -> Response:
        form = choose_form(call.accept)
        root = f"/{call.root.rsplit('/', 1)[1]}"
        content = describe(resources_of(root), service_url=call.root, form=form)
        return Response(content, media_type=form, headers={"Vary": "Accept"})

    return describe_service
