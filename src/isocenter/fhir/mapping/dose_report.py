"""Doses in structured reports (PS3.16 TID 10001, 10011, 10021): the report as a whole, each irradiation event.

Content items are known by the code of their concept, wherever they stand in the tree (dicom-service 13.2).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from isocenter.domain.identifiers import is_uid
from isocenter.fhir.mapping import attribute_values as values
from isocenter.fhir.mapping.attribute_values import Metadata
from isocenter.fhir.mapping.coding import Code, code_of

EVENTS_MAX = 2000
"""Of one report: an hour of fluoroscopy has some hundreds, and each is a resource."""
ITEMS_MAX = 500_000
"""Content items of one report that are looked at; the largest reports have some ten thousands."""
CONCEPT_NAME, CONTENT = "0040A043", "0040A730"
REPORTS = frozenset({("DCM", "113701"), ("DCM", "113500")})
EVENTS = frozenset({("DCM", "113706"), ("DCM", "113819"), ("DCM", "113502")})
EVENT_UID, TARGET_REGION, ACCESSION = ("DCM", "113769"), ("DCM", "123014"), ("DCM", "121022")


class Sort(Enum):
    """What the value of a component is."""

    QUANTITY = "valueQuantity"
    INTEGER = "valueInteger"
    TEXT = "valueString"
    CODE = "valueCodeableConcept"


def _dcm(sort: Sort, *codes: str) -> dict[tuple[str, str], Sort]:
    return {("DCM", code): sort for code in codes}


REPORT_COMPONENTS: Mapping[tuple[str, str], Sort] = {
    **_dcm(
        Sort.QUANTITY,
        *("113725", "111637", "113722", "113726", "113727", "113730", "113507", "113813", "113830", "123005"),
    ),
    **_dcm(Sort.INTEGER, "113731", "113812"),
    ("SCT", "349358000"): Sort.TEXT,
    ("SCT", "89457008"): Sort.TEXT,
    ("SCT", "410675002"): Sort.CODE,
}
EVENT_COMPONENTS: Mapping[tuple[str, str], Sort] = {
    **_dcm(Sort.QUANTITY, "113830", "113838"),
    **_dcm(Sort.CODE, "113835"),
}


@dataclass(frozen=True, slots=True)
class Quantity:
    """A measured value with its unit."""

    value: float
    unit: Code | None


@dataclass(frozen=True, slots=True)
class Component:
    """One thing that a report or an event says."""

    code: Code
    sort: Sort
    value: Quantity | int | str | Code


@dataclass(frozen=True, slots=True)
class DoseFacts:
    """A report of doses, or one irradiation event."""

    uid: str
    """Of the event; of the instance for the report as a whole."""
    is_event: bool
    components: tuple[Component, ...] = ()
    accession_number: str | None = None
    body_site: Code | None = None


def doses_of(metadata: Metadata, sop_instance_uid: str) -> tuple[DoseFacts, ...]:
    """Return what a report of doses says; nothing for any other instance.

    Raises ValueError for one with more than can be taken.
    """
    if _concept(metadata) not in REPORTS:
        return ()
    items = list(_walk(metadata))
    report = DoseFacts(
        sop_instance_uid,
        is_event=False,
        components=_unambiguous(_components(items, REPORT_COMPONENTS)),
        accession_number=next((text for item in items if (text := _text(item, ACCESSION)) is not None), None),
    )
    events = [event for item in items if _concept(item) in EVENTS and (event := _event(item)) is not None]
    if len(events) > EVENTS_MAX:
        raise ValueError(f"has more than {EVENTS_MAX} irradiation events")
    return (report, *{event.uid: event for event in events}.values())


def _event(item: Metadata) -> DoseFacts | None:
    """Return an irradiation event; None for one without a UID, which could not be told from others."""
    items = list(_walk(item))
    uids = [values.first_value(one, "0040A124") for one in items if _concept(one) == EVENT_UID]
    uid = next((one for one in uids if isinstance(one, str) and one and is_uid(one)), None)
    if uid is None:
        return None
    sites = [code for one in items if _concept(one) == TARGET_REGION and (code := _code(one)) is not None]
    return DoseFacts(
        uid,
        is_event=True,
        components=_unambiguous(_components(items, EVENT_COMPONENTS)),
        body_site=sites[0] if sites else None,
    )


def _walk(root: Metadata) -> Iterator[Metadata]:
    """Yield the content items below one, each before those below it."""
    waiting = list(reversed(values.items(root, CONTENT)))
    for _ in range(ITEMS_MAX):
        if not waiting:
            return
        item = waiting.pop()
        yield item
        waiting += reversed(values.items(item, CONTENT))
    raise ValueError(f"has more than {ITEMS_MAX} content items")


def _name(item: Metadata) -> Code | None:
    names = values.items(item, CONCEPT_NAME)
    try:
        return code_of(names[0]) if names else None
    except ValueError:
        return None


def _concept(item: Metadata) -> tuple[str, str]:
    """Return designator and code of an item's concept."""
    names = values.items(item, CONCEPT_NAME)
    if not names:
        return "", ""
    designator, code = (values.first_value(names[0], tag) for tag in ("00080102", "00080100"))
    return str(designator), str(code)


def _components(items: Sequence[Metadata], wanted: Mapping[tuple[str, str], Sort]) -> Iterator[Component]:
    for item in items:
        sort = wanted.get(_concept(item))
        if sort is None:
            continue
        name, value = _name(item), _value(item, sort)
        if name is not None and value is not None:
            yield Component(name, sort, value)


def _unambiguous(components: Iterator[Component]) -> tuple[Component, ...]:
    """Return components of which there is one value: what differs from event to event is left to the events."""
    found: dict[Code, list[Component]] = {}
    for one in components:
        alike = found.setdefault(one.code, [])
        if one not in alike:
            alike.append(one)
    return tuple(alike[0] for alike in found.values() if len(alike) == 1)


def _value(item: Metadata, sort: Sort) -> Quantity | int | str | Code | None:
    if sort is Sort.CODE:
        return _code(item)
    if sort is Sort.TEXT:
        code = _code(item)
        return _content_text(item) or (code.meaning or code.value if code is not None else None)
    quantity = _quantity(item)
    if sort is Sort.QUANTITY or quantity is None:
        return quantity
    return int(quantity.value) or None if quantity.value.is_integer() else None


def _quantity(item: Metadata) -> Quantity | None:
    measured = values.items(item, "0040A300")
    number: Any = values.first_value(measured[0], "0040A30A") if measured else None
    try:
        value = float(number)
    except (TypeError, ValueError):
        return None
    units = values.items(measured[0], "004008EA")
    try:
        unit = code_of(units[0]) if units else None
    except ValueError:
        unit = None
    return Quantity(value, unit) if math.isfinite(value) else None


def _code(item: Metadata) -> Code | None:
    codes = values.items(item, "0040A168")
    try:
        return code_of(codes[0]) if codes else None
    except ValueError:
        return None


def _content_text(item: Metadata) -> str | None:
    try:
        return values.text(item, "0040A160")
    except ValueError:
        return None


def _text(item: Metadata, concept: tuple[str, str]) -> str | None:
    return _content_text(item) if _concept(item) == concept else None
