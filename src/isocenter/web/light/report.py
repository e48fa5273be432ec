"""The content tree of a structured report as lines of text (PS3.3 C.17.3), whatever is missing in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from isocenter.web.light.attribute_rows import printable
from isocenter.web.light.dataset_json import Dataset, item_of, items_of, text_of
from isocenter.web.pages.study_row import person_name, readable_date, readable_time

LINES_MAX = 5_000
"""Longer than any report that is read; a dose report of a long intervention has a thousand."""
DEPTH_SHOWN_MAX = 8
"""What lies deeper is not indented further."""


@dataclass(frozen=True, slots=True)
class ReportLine:
    """One content item."""

    depth: int
    name: str
    """What it is about, as the code says; empty where the document does not."""
    value: str
    is_heading: bool = False
    referenced_sop_instance_uid: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """A document as people read it."""

    title: str
    state: str
    """Whether it is complete and verified, as far as it says."""
    lines: tuple[ReportLine, ...]
    is_cut: bool


def read_report(dataset: Dataset) -> Report:
    """Return the document that a data set holds."""
    lines = list(islice(_lines(dataset, 0), LINES_MAX + 1))
    flags = (text_of(dataset, "CompletionFlag"), text_of(dataset, "VerificationFlag"))
    state = ", ".join(flag.lower() for flag in flags if flag)
    return Report(_code(dataset, "ConceptNameCodeSequence"), state, tuple(lines[:LINES_MAX]), len(lines) > LINES_MAX)


def _lines(item: Dataset, depth: int) -> Iterator[ReportLine]:
    for child in items_of(item, "ContentSequence"):
        yield _line(child, min(depth, DEPTH_SHOWN_MAX))
        yield from _lines(child, depth + 1)


def _line(item: Dataset, depth: int) -> ReportLine:
    value_type = text_of(item, "ValueType")
    name = _code(item, "ConceptNameCodeSequence")
    if value_type == "CONTAINER":
        return ReportLine(depth, name or "Section", "", is_heading=True)
    referenced = text_of(item_of(item, "ReferencedSOPSequence"), "ReferencedSOPInstanceUID")
    return ReportLine(depth, name, printable(_value(item, value_type)), referenced_sop_instance_uid=referenced)


def _value(item: Dataset, value_type: str) -> str:
    match value_type:
        case "NUM":
            return _measurement(item)
        case "CODE":
            return _code(item, "ConceptCodeSequence")
        case "PNAME":
            return person_name(text_of(item, "PersonName"))[0]
        case "DATE":
            return readable_date(text_of(item, "Date"))
        case "TIME":
            return readable_time(text_of(item, "Time"))
        case "DATETIME":
            text = text_of(item, "DateTime")
            return f"{readable_date(text[:8])} {readable_time(text[8:])}".strip()
        case "UIDREF":
            return text_of(item, "UID")
        case "IMAGE" | "COMPOSITE" | "WAVEFORM":
            return {"IMAGE": "An image", "WAVEFORM": "A waveform"}.get(value_type, "An object")
        case "SCOORD" | "SCOORD3D" | "TCOORD":
            return f"{text_of(item, 'GraphicType') or text_of(item, 'TemporalRangeType')} (not drawn)".lower()
        case _:
            return text_of_whole(item)


def text_of_whole(item: Dataset) -> str:
    """Return the text of a TEXT item, which may be long (UT)."""
    attribute = item.get("0040A160")
    values = attribute.get("Value") if isinstance(attribute, dict) else None
    return "\n".join(str(value) for value in values).replace("\r\n", "\n") if isinstance(values, list) else ""


def _measurement(item: Dataset) -> str:
    measured = item_of(item, "MeasuredValueSequence")
    unit = item_of(measured, "MeasurementUnitsCodeSequence")
    number = text_of(measured, "NumericValue")
    if not number:
        return _code(item, "NumericValueQualifierCodeSequence") or "no value"
    coded = text_of(unit, "CodeValue")
    return " ".join(part for part in (number, "" if coded in ("1", "{}") else coded) if part)


def _code(item: Dataset, keyword: str) -> str:
    code = item_of(item, keyword)
    return printable(text_of(code, "CodeMeaning") or text_of(code, "CodeValue"))
