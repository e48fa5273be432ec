"""What the service offers, for programs that ask (PS3.18 8.9): as WADL, or the same as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

import orjson

from isocenter.dicomweb.codec.accept import RENDERED_TYPES
from isocenter.dicomweb.codec.media_type import parse_accept
from isocenter.domain.errors import NotAcceptable

WADL = "application/vnd.sun.wadl+xml"
JSON = "application/json"
_NAMESPACE = "http://wadl.dev.java.net/2009/02"

_DICOM = 'multipart/related; type="application/dicom"'
_DICOM_JSON = "application/dicom+json"
_FRAMES = 'multipart/related; type="application/octet-stream"'
_PICTURES = (*RENDERED_TYPES, "image/webp")
_SEARCH = ("limit", "offset", "includefield", "fuzzymatching", "accept")


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


def method_of(name: str, pattern: str, operation: str) -> Method:
    """Return what a method takes and gives, by the transaction that it is."""
    match operation:
        case "store":
            return Method(name, ("application/dicom", _DICOM), (_DICOM_JSON,))
        case "query":
            return Method(name, (), (_DICOM_JSON,), _SEARCH)
        case "retrieve":
            return Method(name, (), _forms_of(pattern), ("accept",))
        case "retrieve-metadata":
            return Method(name, (), (_DICOM_JSON,), ("accept",))
        case "retrieve-rendered":
            return Method(name, (), _PICTURES, ("quality", "viewport", "window", "accept"))
        case "delete":
            return Method(name)
        case _ if operation.endswith("workitem"):
            takes = (_DICOM_JSON,) if name in ("POST", "PUT") else ()
            return Method(name, takes, (_DICOM_JSON,), _SEARCH if operation.startswith("query") else ())
        case _:
            return Method(name, (JSON,) if name in ("POST", "PATCH") else (), (JSON,))


def _forms_of(pattern: str) -> tuple[str, ...]:
    if "/frames/" in pattern:
        return (_FRAMES, "application/octet-stream", 'multipart/related; type="image/jp2"')
    if "/bulkdata/" in pattern:
        return ("application/octet-stream", _FRAMES)
    if pattern.endswith("{instance}"):
        return ("application/dicom", _DICOM)
    return (_DICOM,) if pattern.startswith("studies") else ("application/dicom", *_PICTURES)


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
