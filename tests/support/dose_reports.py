"""Reports of radiation doses in the DICOM JSON model, as far as their content tree goes."""

from __future__ import annotations

from typing import Any

from pydicom.dataset import Dataset

from tests.support.dicom_files import quiet_pydicom

Item = dict[str, Any]


def code(value: str, scheme: str = "DCM", meaning: str = "") -> Item:
    """Return a coded entry."""
    texts = {"00080100": value, "00080102": scheme, "00080104": meaning or f"meaning of {value}"}
    return {tag: {"vr": "SH", "Value": [text]} for tag, text in texts.items()}


def item(concept: Item, *children: Item, **values: Any) -> Item:
    """Return a content item; `number` with `unit`, `text`, `coded` or `uid` are its value."""
    made: Item = {"0040A043": {"vr": "SQ", "Value": [concept]}}
    if "number" in values:
        measured: Item = {"0040A30A": {"vr": "DS", "Value": [values["number"]]}}
        if "unit" in values:
            measured["004008EA"] = {"vr": "SQ", "Value": [code(values["unit"], "UCUM")]}
        made["0040A300"] = {"vr": "SQ", "Value": [measured]}
    for name, tag, vr in (("text", "0040A160", "UT"), ("uid", "0040A124", "UI"), ("coded", "0040A168", "SQ")):
        if name in values:
            made[tag] = {"vr": vr, "Value": [values[name]]}
    if children:
        made["0040A730"] = {"vr": "SQ", "Value": list(children)}
    return made


def event(uid: str | None, *, ctdi: float, concept: str = "113819") -> Item:
    """Return an irradiation event of a CT."""
    named = [item(code("113769"), uid=uid)] if uid is not None else []
    return item(
        code(concept),
        item(code("123014"), coded=code("69536005", "SCT", "Head")),
        *named,
        item(
            code("113829"),
            item(code("113830"), number=ctdi, unit="mGy"),
            item(code("113838"), number=500, unit="mGy.cm"),
        ),
        item(code("113835"), coded=code("113690", meaning="IEC Head Dosimetry Phantom")),
    )


def dose_report(*children: Item, concept: str = "113701") -> Item:
    """Return the root of a report."""
    return item(code(concept), *children)


def as_dataset(report: Item) -> Dataset:
    """Return a report as a data set."""
    with quiet_pydicom():
        return Dataset.from_json(report)
