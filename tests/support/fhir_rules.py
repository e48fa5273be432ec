"""What a strict FHIR R4 server takes of the resources that a cast writes: every element by name, type and number.

Written from the R4 pages of the resources, not from what the cast sends: what is not listed is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Check = Callable[[Any, str], None]


class Invalid(Exception):
    """A resource breaks a rule; the path says where."""

    def __init__(self, path: str, code: str = "structure") -> None:
        super().__init__(path)
        self.path = path
        self.code = code


def _matching(pattern: str) -> Check:
    compiled = re.compile(pattern)

    def check(value: Any, path: str) -> None:
        if not isinstance(value, str) or not compiled.fullmatch(value):
            raise Invalid(path, "value")

    return check


def _one_of(*codes: str) -> Check:
    def check(value: Any, path: str) -> None:
        if value not in codes:
            raise Invalid(path, "code-invalid")

    return check


def _whole(value: Any, path: str) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**31:
        raise Invalid(path, "value")


def _number(value: Any, path: str) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise Invalid(path, "value")


def _list_of(check: Check) -> Check:
    def check_all(value: Any, path: str) -> None:
        if not isinstance(value, list) or not value:
            raise Invalid(path)
        for number, item in enumerate(value):
            check(item, f"{path}[{number}]")

    return check_all


def _object(elements: Mapping[str, Check], *required: str) -> Check:
    def check(value: Any, path: str) -> None:
        if not isinstance(value, dict) or not value:
            raise Invalid(path)
        for name in required:
            if name not in value:
                raise Invalid(f"{path}.{name}", "required")
        for name, item in value.items():
            if name not in elements:
                raise Invalid(f"{path}.{name}")
            elements[name](item, f"{path}.{name}")

    return check


STRING = _matching(r"[ \r\n\t\S]*\S[ \r\n\t\S]*")
URI = _matching(r"\S+")
URL = _matching(r"https?://\S+")
CODE = _matching(r"[^\s]+(\s[^\s]+)*")
ID = _matching(r"[A-Za-z0-9\-\.]{1,64}")
_YEAR, _MONTH, _DAY = r"[0-9]{4}", r"(0[1-9]|1[0-2])", r"(0[1-9]|[12][0-9]|3[01])"
DATE = _matching(f"{_YEAR}(-{_MONTH}(-{_DAY})?)?")
DATE_TIME = _matching(
    f"{_YEAR}(-{_MONTH}(-{_DAY}"
    r"(T([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?(Z|(\+|-)((0[0-9]|1[0-3]):[0-5][0-9]|14:00)))?)?)?"
)
CODING = _object({"system": URI, "code": CODE, "display": STRING})
CONCEPT = _object({"coding": _list_of(CODING), "text": STRING})
IDENTIFIER = _object({"use": CODE, "type": CONCEPT, "system": URI, "value": STRING})
REFERENCE = _object({"reference": URI})
QUANTITY = _object({"value": _number, "unit": STRING, "system": URI, "code": CODE})
META = _object({"source": URI, "tag": _list_of(CODING), "profile": _list_of(URI)})
_ANY = {"id": ID, "meta": META, "resourceType": CODE}
_INSTANCE = _object({"uid": ID, "sopClass": CODING, "number": _whole, "title": STRING}, "uid", "sopClass")
_SERIES = _object(
    {
        "uid": ID,
        "number": _whole,
        "modality": CODING,
        "description": STRING,
        "numberOfInstances": _whole,
        "started": DATE_TIME,
        "bodySite": CODING,
        "instance": _list_of(_INSTANCE),
    },
    "uid",
    "modality",
)
_COMPONENT = _object(
    {
        "code": CONCEPT,
        "valueQuantity": QUANTITY,
        "valueInteger": _number,
        "valueString": STRING,
        "valueCodeableConcept": CONCEPT,
    },
    "code",
)
RESOURCES: Mapping[str, Check] = {
    "Patient": _object(
        {
            **_ANY,
            "identifier": _list_of(IDENTIFIER),
            "name": _list_of(
                _object(
                    {
                        "use": _one_of("usual", "official", "temp", "nickname", "anonymous", "old", "maiden"),
                        "family": STRING,
                        "given": _list_of(STRING),
                        "prefix": _list_of(STRING),
                        "suffix": _list_of(STRING),
                        "text": STRING,
                    }
                )
            ),
            "gender": _one_of("male", "female", "other", "unknown"),
            "birthDate": DATE,
            "telecom": _list_of(_object({"system": CODE, "value": STRING})),
        }
    ),
    "Endpoint": _object(
        {
            **_ANY,
            "identifier": _list_of(IDENTIFIER),
            "status": _one_of("active", "suspended", "error", "off", "entered-in-error", "test"),
            "connectionType": CODING,
            "name": STRING,
            "payloadType": _list_of(CONCEPT),
            "payloadMimeType": _list_of(CODE),
            "address": URL,
        },
        "status",
        "connectionType",
        "payloadType",
        "address",
    ),
    "ImagingStudy": _object(
        {
            **_ANY,
            "identifier": _list_of(IDENTIFIER),
            "status": _one_of("registered", "available", "cancelled", "entered-in-error", "unknown"),
            "modality": _list_of(CODING),
            "subject": REFERENCE,
            "started": DATE_TIME,
            "basedOn": _list_of(REFERENCE),
            "endpoint": _list_of(REFERENCE),
            "numberOfSeries": _whole,
            "numberOfInstances": _whole,
            "procedureCode": _list_of(CONCEPT),
            "note": _list_of(_object({"text": STRING, "authorString": STRING}, "text")),
            "description": STRING,
            "series": _list_of(_SERIES),
        },
        "status",
        "subject",
    ),
    "Observation": _object(
        {
            **_ANY,
            "identifier": _list_of(IDENTIFIER),
            "partOf": _list_of(REFERENCE),
            "status": _one_of("registered", "preliminary", "final", "amended", "corrected", "cancelled"),
            "code": CONCEPT,
            "subject": REFERENCE,
            "bodySite": CONCEPT,
            "component": _list_of(_COMPONENT),
        },
        "status",
        "code",
    ),
}


def require_valid(resource: Any) -> None:
    """Raise Invalid where a resource breaks a rule."""
    kind = str(resource.get("resourceType")) if isinstance(resource, dict) else ""
    if kind not in RESOURCES:
        raise Invalid("resourceType")
    RESOURCES[kind](resource, kind)
    uids = [one["uid"] for one in resource.get("series", ())] if kind == "ImagingStudy" else []
    if len(set(uids)) < len(uids):
        raise Invalid("ImagingStudy.series", "duplicate")
    for series in resource.get("series", ()) if kind == "ImagingStudy" else ():
        listed = [one["uid"] for one in series.get("instance", ())]
        if len(set(listed)) < len(listed):
            raise Invalid("ImagingStudy.series.instance", "duplicate")


def references_of(value: Any) -> list[str]:
    """Return every reference in a resource."""
    if isinstance(value, list):
        return [one for item in value for one in references_of(item)]
    if not isinstance(value, dict):
        return []
    own = [value["reference"]] if isinstance(value.get("reference"), str) else []
    return own + [one for item in value.values() for one in references_of(item)]
