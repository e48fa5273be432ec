"""Endpoints: where the images of a study can be fetched (dicom-service 13.2)."""

from __future__ import annotations

from collections.abc import Sequence

from isocenter.fhir.errors import FhirNotUsable
from isocenter.fhir.mapping.resource import Resource, token

CONNECTION_SYSTEM = "http://terminology.hl7.org/CodeSystem/endpoint-connection-type"
CONNECTION_CODE = "dicom-wado-rs"


def endpoint_name(dicomweb_url: str) -> str:
    """Return the name under which the endpoint of a service is known."""
    return f"DICOM WADO-RS endpoint {dicomweb_url}"


def endpoint_search(dicomweb_url: str) -> dict[str, str]:
    """Return the search for the endpoint of a service."""
    return {
        "name:exact": endpoint_name(dicomweb_url),
        "connection-type": token(CONNECTION_SYSTEM, CONNECTION_CODE),
    }


def new_endpoint(dicomweb_url: str) -> Resource:
    """Return an Endpoint to create."""
    return {
        "resourceType": "Endpoint",
        "status": "active",
        "connectionType": {"system": CONNECTION_SYSTEM, "code": CONNECTION_CODE},
        "name": endpoint_name(dicomweb_url),
        "payloadType": [{"text": "DICOM WADO-RS"}],
        "payloadMimeType": ["application/dicom"],
        "address": dicomweb_url,
    }


def choose_endpoint(found: Sequence[Resource], dicomweb_url: str) -> Resource | None:
    """Return the endpoint of a service among those that a search found; None where there is none.

    Raises FhirNotUsable where it has another address, or there are several.
    """
    named = [endpoint for endpoint in found if endpoint.get("name") == endpoint_name(dicomweb_url)]
    if len(named) > 1:
        raise FhirNotUsable("The FHIR server has several Endpoints of this service; remove all but one.")
    if named and named[0].get("address") != dicomweb_url:
        raise FhirNotUsable("The Endpoint of this service on the FHIR server has another address; correct it there.")
    return named[0] if named else None
