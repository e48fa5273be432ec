"""DELETE of a study, series or instance."""

from __future__ import annotations

from starlette.responses import Response

from isocenter.archive.delete import delete
from isocenter.dicomweb.server.service import Call


async def delete_scope(call: Call) -> Response:
    """Remove what the path names (dicom-service 5)."""
    await call.service.run(delete, call.archive, call.principal, call.scope())
    return Response(status_code=204)
