"""What a node says of its health: to a load balancer, to an orchestrator, and as Azure's service does."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from isocenter import __version__
from isocenter.archive.archive import Archive
from isocenter.domain.errors import StorageFailed

HEALTHY, UNHEALTHY = "Healthy", "Unhealthy"
NOT_STORED = {"Cache-Control": "no-store"}


def health_routes(archive: Archive) -> list[BaseRoute]:
    """Return the routes of health, which need no evidence and tell no secret."""

    async def ready(request: Request) -> Response:
        failure = _failure(archive)
        if failure:
            return JSONResponse({"ready": False, "reason": failure}, status_code=503)
        return JSONResponse({"ready": True, "version": __version__})

    async def alive(request: Request) -> Response:
        return JSONResponse({"alive": True, "version": __version__})

    async def check(request: Request) -> Response:
        details = [_detail(name, ask(archive)) for name, ask in _CHECKS]
        is_healthy = all(detail["status"] == HEALTHY for detail in details)
        document = {"overallStatus": HEALTHY if is_healthy else UNHEALTHY, "details": details}
        return JSONResponse(document, status_code=200 if is_healthy else 503, headers=NOT_STORED)

    return [Route("/health/ready", ready), Route("/health/live", alive), Route("/health/check", check)]


def _blobs(archive: Archive) -> str:
    return "The packs answered with an error; no instance can be stored." if archive.blobs.is_failed else ""


def _metadata(archive: Archive) -> str:
    failure = archive.intake.failure
    return "" if failure is None else failure.message


def _index(archive: Archive) -> str:
    return "The index answered with an error; nothing can be committed." if archive.index.is_failed else ""


_CHECKS: tuple[tuple[str, Callable[[Archive], str]], ...] = (
    ("DicomBlobHealthCheck", _blobs),
    ("MetadataHealthCheck", _metadata),
    ("SqlServerHealthCheck", _index),
)
"""Under the names that Azure's have, whatever stands behind them (dicom-service 12.2)."""


def _failure(archive: Archive) -> str:
    if archive.intake.failure is not None:
        return archive.intake.failure.message
    return StorageFailed().message if archive.index.is_failed or archive.blobs.is_failed else ""


def _detail(name: str, failure: str) -> dict[str, str]:
    return {
        "name": name,
        "status": UNHEALTHY if failure else HEALTHY,
        "description": failure or "It does what it should.",
    }
