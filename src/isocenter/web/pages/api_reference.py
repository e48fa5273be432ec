"""What can be asked over DICOMweb, for people: a page for each root, made of its OpenAPI document.

A page of our own rather than one of the viewers for OpenAPI: those need a megabyte of script and styles written at run
time, which the policy of our pages forbids, and show nothing without script.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from isocenter.dicomweb.codec.openapi.document import build_document
from isocenter.dicomweb.server.api_document import describe_service
from isocenter.dicomweb.server.public_path import public_origin, public_prefix
from isocenter.dicomweb.server.routes import ROOTS, described_under
from isocenter.dicomweb.server.service import Service
from isocenter.web.console_page import Templates
from isocenter.web.pages.api_operation import operation_groups, schema_sections

API_PATH = "/docs/api"
FIRST_SHOWN = "v2"
_LABELS = {
    "/v2": "Version 2",
    "/v1": "Version 1",
    "/v1.0-prerelease": "Version 1.0-prerelease",
    "/dicom-web": "DICOMweb standard",
}
"""How a root is called in the row of links; a root without a label has its path."""


def api_reference_routes(service: Service) -> list[BaseRoute]:
    """Return the routes of the pages, to be mounted at the root of the node; anybody may read them."""
    templates = Templates()

    def first(request: Request) -> Response:
        return RedirectResponse(f"{public_prefix(request)}{API_PATH}/{FIRST_SHOWN}", 303)

    def reference(request: Request) -> Response:
        root = f"/{request.path_params['root']}".lower()
        prefix = public_prefix(request)
        if root not in ROOTS:
            values = {"prefix": prefix, "status": 404, "message": "There is no such version of the service."}
            return templates.page("error.html", values, status_code=404)
        base_url = public_origin(request) + prefix
        described = describe_service(service, ROOTS[root], service_url=base_url + root, base_url=base_url)
        document = build_document(described, described_under(root))
        values = {
            "prefix": prefix,
            "api_path": API_PATH,
            "document": document,
            "root": root,
            "roots": {one: _LABELS.get(one, one) for one in sorted(ROOTS, key=list(_LABELS).index)},
            "authority": described.authority,
            "groups": operation_groups(document),
            "schemas": schema_sections(document),
        }
        return templates.page("api_reference.html", values)

    return [Route(API_PATH, first, name="api"), Route(API_PATH + "/{root}", reference, name="api-reference")]
