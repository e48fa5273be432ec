"""What the service offers, for programs that ask (PS3.18 8.9): as WADL, or the same as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

import orjson

from isocenter.dicomweb.codec.media_type import parse_accept
from isocenter.dicomweb.codec.openapi.document import DescribedRoute
from isocenter.dicomweb.codec.openapi.operations import JSON
from isocenter.dicomweb.codec.openapi.service import WADL
from isocenter.domain.errors import NotAcceptable

_NAMESPACE = "http://wadl.dev.java.net/2009/02"


@dataclass(frozen=True, slots=True)
class Method:
    """One method of a resource: its name, what it takes and gives, and its query parameters."""

    name: str
    takes: tuple[str, ...] = ()
    gives: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource: its path below the service, names in braces, and its methods."""

    path: str
    methods: tuple[Method, ...]


def resources_of(routes: Iterable[DescribedRoute]) -> Sequence[Resource]:
    """Return what routes offer, each path once; the root itself is left out, which tells of the others."""
    methods: dict[str, list[Method]] = {}
    for route in routes:
        described = route.description
        names = tuple(parameter.name for parameter in described.parameters if parameter.location == "query")
        method = Method(route.place.method, described.takes, described.gives, names)
        if route.place.pattern:
            methods.setdefault(route.place.pattern, []).append(method)
    return [Resource(path, tuple(found)) for path, found in methods.items()]


def choose_form(accept: str | None) -> str:
    """Return the form of the description that a client takes, WADL where it does not say."""
    ranges = sorted(parse_accept(accept or "*/*"), key=lambda each: -each.quality)
    for media_range in ranges:
        for form in (WADL, JSON):
            if media_range.quality > 0 and media_range.covers(form):
                return form
        if media_range.quality > 0 and media_range.essence in ("application/xml", "text/xml"):
            return WADL
    raise NotAcceptable()


def describe(resources: Sequence[Resource], *, service_url: str, form: str) -> bytes:
    """Return the description of a service in a form that `choose_form` gave."""
    base = f"{service_url}/"
    return _wadl(resources, base).encode() if form == WADL else _json(resources, base)


def _wadl(resources: Sequence[Resource], base: str) -> str:
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f"<application xmlns={quoteattr(_NAMESPACE)}>"]
    lines.append(f"<resources base={quoteattr(base)}>")
    for resource in resources:
        lines.append(f"<resource path={quoteattr(resource.path)}>")
        lines += [_wadl_method(method) for method in resource.methods]
        lines.append("</resource>")
    lines += ["</resources>", "</application>", ""]
    return "\n".join(lines)


def _wadl_method(method: Method) -> str:
    parameters = "".join(f'<param name={quoteattr(name)} style="query"/>' for name in method.parameters)
    takes = parameters + _representations(method.takes)
    gives = _representations(method.gives)
    inner = (f"<request>{takes}</request>" if takes else "") + (f"<response>{gives}</response>" if gives else "")
    return f"<method name={quoteattr(method.name)}>{inner}</method>"


def _representations(media_types: Sequence[str]) -> str:
    return "".join(f"<representation mediaType={quoteattr(media_type)}/>" for media_type in media_types)


def _json(resources: Sequence[Resource], base: str) -> bytes:
    described = [
        {
            "path": resource.path,
            "methods": [
                {
                    "name": method.name,
                    "parameters": method.parameters,
                    "request": method.takes,
                    "response": method.gives,
                }
                for method in resource.methods
            ],
        }
        for resource in resources
    ]
    return orjson.dumps({"base": base, "resources": described})
