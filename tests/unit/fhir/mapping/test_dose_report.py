"""Doses in reports: what is found by its code wherever it stands, what is left out, and trees that are no reports."""

from __future__ import annotations

from typing import Any

import pytest

from isocenter.fhir.mapping import dose_report
from isocenter.fhir.mapping.coding import Code
from isocenter.fhir.mapping.dose_report import Component, DoseFacts, Quantity, Sort, doses_of
from tests.support.dose_reports import Item, code, event, item
from tests.support.dose_reports import dose_report as report

UCUM = "http://unitsofmeasure.org"


def _values(facts: DoseFacts) -> dict[str, Any]:
    return {one.code.value: one.value for one in facts.components}


@pytest.mark.parametrize("root", [{}, item(code("113701", "99X")), item(code("1", "DCM"), event("1.2", ctdi=1))])
def test_what_is_no_report_of_doses_says_nothing(root: Item) -> None:
    assert doses_of(root, "1.1") == ()


def test_a_report_and_each_of_its_events_are_told() -> None:
    tree = report(
        item(code("113811"), item(code("113812"), number=2), item(code("113813"), number=900.5, unit="mGy.cm")),
        item(code("121022"), text=" A7 "),
        event("1.2.1", ctdi=40),
        event("1.2.2", ctdi=20),
    )
    summary, first, second = doses_of(tree, "1.1")
    assert (summary.uid, summary.is_event, summary.accession_number) == ("1.1", False, "A7")
    assert _values(summary) == {"113812": 2, "113813": Quantity(900.5, Code("mGy.cm", UCUM, "meaning of mGy.cm"))}
    assert [(one.uid, one.is_event) for one in (first, second)] == [("1.2.1", True), ("1.2.2", True)]
    assert [_values(one)["113830"].value for one in (first, second)] == [40, 20]
    assert first.body_site == Code("69536005", "http://snomed.info/sct", "Head")
    assert _values(first)["113835"] == Code(
        "113690", "http://dicom.nema.org/resources/ontology/DCM", "IEC Head Dosimetry Phantom"
    )
    assert set(_values(first)) == {"113830", "113838", "113835"}


def test_what_differs_from_event_to_event_is_left_to_them() -> None:
    one_event = doses_of(report(event("1.2.1", ctdi=40)), "1.1")[0]
    two_events = doses_of(report(event("1.2.1", ctdi=40), event("1.2.2", ctdi=20)), "1.1")[0]
    alike = doses_of(report(event("1.2.1", ctdi=40), event("1.2.2", ctdi=40)), "1.1")[0]
    assert [set(_values(one)) for one in (one_event, two_events, alike)] == [{"113830"}, set(), {"113830"}]


def test_an_event_without_a_uid_is_left_out_and_one_that_is_told_twice_is_one() -> None:
    tree = report(event(None, ctdi=1), event("no uid", ctdi=2), event("1.2.1", ctdi=3), event("1.2.1", ctdi=4))
    assert [one.uid for one in doses_of(tree, "1.1")] == ["1.1", "1.2.1"]


def test_radiopharmaceuticals_are_texts_and_codes() -> None:
    tree = report(
        item(
            code("113502"),
            item(code("349358000", "SCT"), coded=code("C-B1031", "SCT", "FDG")),
            item(code("89457008", "SCT"), text="18F"),
            item(code("410675002", "SCT"), coded=code("47625008", "SCT", "Intravenous")),
            item(code("113507"), number="370", unit="MBq"),
        ),
        concept="113500",
    )
    [summary] = doses_of(tree, "1.1")
    assert _values(summary)["349358000"] == "FDG"
    assert _values(summary)["89457008"] == "18F"
    assert _values(summary)["410675002"].value == "47625008"
    assert _values(summary)["113507"].value == 370


@pytest.mark.parametrize(
    "child",
    [
        item(code("113812"), number=0),
        item(code("113812"), number=1.5),
        item(code("113812")),
        item(code("113813")),
        item(code("113813"), number="x"),
        item(code("113813"), number=float("inf")),
        item(code("410675002", "SCT")),
        item(code("410675002", "SCT"), coded={}),
        item(code("89457008", "SCT")),
        item(code("89457008", "SCT"), text={}),
        {"0040A043": {"vr": "SQ", "Value": [{}]}},
        {},
    ],
)
def test_what_has_no_value_is_left_out(child: Item) -> None:
    [summary] = doses_of(report(child), "1.1")
    assert summary.components == ()


def test_a_number_may_have_no_unit() -> None:
    bare = doses_of(report(item(code("113813"), number=1)), "1.1")[0]
    assert bare.components == (
        Component(
            Code("113813", "http://dicom.nema.org/resources/ontology/DCM", "meaning of 113813"),
            Sort.QUANTITY,
            Quantity(1.0, None),
        ),
    )
    broken = item(code("113813"), number=1)
    broken["0040A300"]["Value"][0]["004008EA"] = {"vr": "SQ", "Value": [{}]}
    assert _values(doses_of(report(broken), "1.1")[0])["113813"] == Quantity(1.0, None)


def test_a_concept_without_a_code_that_can_be_read_is_left_out() -> None:
    odd = item({"00080100": {"vr": "SH", "Value": ["113813"]}, "00080102": {"vr": "SH", "Value": ["DCM"]}}, number=1)
    odd["0040A043"]["Value"][0]["00080104"] = {"vr": "LO", "Value": [{}]}
    assert doses_of(report(odd), "1.1")[0].components == ()


def test_reports_without_end_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dose_report, "EVENTS_MAX", 2)
    with pytest.raises(ValueError, match="irradiation events"):
        doses_of(report(*(event(f"1.2.{number}", ctdi=1) for number in range(3))), "1.1")
    monkeypatch.setattr(dose_report, "ITEMS_MAX", 5)
    with pytest.raises(ValueError, match="content items"):
        doses_of(report(*(item(code("1")) for _ in range(6))), "1.1")


def test_deep_trees_are_walked_without_recursion() -> None:
    tree = item(code("113813"), number=1, unit="mGy.cm")
    for _ in range(5000):
        tree = item(code("1"), tree)
    assert len(doses_of(report(tree), "1.1")[0].components) == 1
