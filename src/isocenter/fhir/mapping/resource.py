"""Resources of FHIR as they travel, and what several modules need of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

Resource = dict[str, Any]
_SERVER_META = ("versionId", "lastUpdated")


def reference_of(resource: Resource) -> str:
    """Return how other resources refer to one that is on the server."""
    return f"{resource['resourceType']}/{resource['id']}"


def new_reference(name: str) -> str:
    """Return how others in the same bundle refer to a resource that is new, by a name that is its own."""
    return f"urn:uuid:{uuid5(NAMESPACE_URL, name)}"


def version_of(resource: Resource) -> str | None:
    """Return the version of a resource on the server, where the server keeps versions."""
    meta = resource.get("meta")
    version = meta.get("versionId") if isinstance(meta, Mapping) else None
    return str(version) if version else None


def source_of(resource: Resource) -> str:
    """Return who wrote a resource; some servers put the number of the request behind it."""
    meta = resource.get("meta")
    source = meta.get("source") if isinstance(meta, Mapping) else None
    return source.partition("#")[0] if isinstance(source, str) else ""


def to_send(resource: Resource) -> Resource:
    """Return a resource without what the server says of it."""
    meta = {name: value for name, value in (resource.get("meta") or {}).items() if name not in _SERVER_META}
    sent = {name: value for name, value in resource.items() if name != "meta"}
    return sent | {"meta": meta} if meta else sent


def without_none(elements: Mapping[str, Any]) -> Resource:
    """Return elements without those that have no value: FHIR knows no empty ones."""
    return {name: value for name, value in elements.items() if value is not None and value != []}


def listed(resource: Mapping[str, Any], name: str) -> list[Any]:
    """Return a repeating element, empty where it is not there."""
    value = resource.get(name)
    return list(value) if isinstance(value, list) else []


def token(system: str | None, value: str) -> str:
    """Return a token of a search (R4 3.1.1.4.10), with what would cut it in pieces escaped."""
    escaped = value
    for letter in "\\$,|":
        escaped = escaped.replace(letter, "\\" + letter)
    return f"{system or ''}|{escaped}"


def query_of(parameters: Mapping[str, str]) -> str:
    """Return the query of a search."""
    return "&".join(f"{quote(name, safe=':')}={quote(value, safe='')}" for name, value in parameters.items())
