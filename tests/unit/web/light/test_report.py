from __future__ import annotations

from typing import Any

from isocenter.web.light.report import LINES_MAX, read_report
from tests.unit.web.light.test_image_facts import dataset


def _code(meaning: str, value: str = "1") -> dict[str, Any]:
    return dataset(CodeMeaning=meaning, CodeValue=value)


def _item(value_type: str, name: str = "", **values: Any) -> dict[str, Any]:
    named = {"ConceptNameCodeSequence": _code(name)} if name else {}
    return dataset(ValueType=value_type, **named, **values)


def test_a_tree_becomes_lines_with_their_depth() -> None:
    size = dataset(NumericValue=1.5, MeasurementUnitsCodeSequence=_code("centimetre", "cm"))
    document = dataset(
        ConceptNameCodeSequence=_code("Findings Report"),
        CompletionFlag="COMPLETE",
        VerificationFlag="UNVERIFIED",
        ContentSequence=[
            _item("CONTAINER", "Findings", ContentSequence=[_item("NUM", "Size", MeasuredValueSequence=size)]),
            _item("TEXT", "Conclusion", TextValue="Nothing\r\nnew"),
            _item("CODE", "Severity", ConceptCodeSequence=_code("mild")),
            _item("PNAME", "Observer", PersonName={"Alphabetic": "Wide^Wanda"}),
            _item("DATE", "When", Date="20260301"),
        ],
    )
    report = read_report(document)
    assert (report.title, report.state) == ("Findings Report", "complete, unverified")
    assert [(line.depth, line.name, line.value) for line in report.lines] == [
        (0, "Findings", ""),
        (1, "Size", "1.5 cm"),
        (0, "Conclusion", "Nothing\nnew"),
        (0, "Severity", "mild"),
        (0, "Observer", "Wide, Wanda"),
        (0, "When", "2026-03-01"),
    ]


def test_an_item_without_a_name_or_value_is_still_a_line() -> None:
    report = read_report(dataset(ContentSequence=[_item("TEXT"), {}, _item("NUM", "Size"), _item("CONTAINER")]))
    assert [line.value for line in report.lines] == ["", "", "no value", ""]
    assert report.lines[3].name == "Section"
    assert report.title == ""


def test_a_reference_names_its_instance() -> None:
    referenced = dataset(ReferencedSOPInstanceUID="1.2.3")
    (line,) = read_report(dataset(ContentSequence=_item("IMAGE", ReferencedSOPSequence=referenced))).lines
    assert line.referenced_sop_instance_uid == "1.2.3"


def test_an_endless_document_is_cut() -> None:
    report = read_report(dataset(ContentSequence=[_item("TEXT", TextValue="x")] * (LINES_MAX + 10)))
    assert len(report.lines) == LINES_MAX
    assert report.is_cut
