from __future__ import annotations

from isocenter.domain.values import Values, first_text, items, tag_key, texts

PATIENT_NAME, STEPS, MODALITY = 0x00100010, 0x00400100, 0x00080060
VALUES: Values = {"00100010": ["A", "B"], "00400100": [{"00080060": ["CT"]}, {}]}


def test_texts_and_items_are_found_by_tag() -> None:
    assert tag_key(PATIENT_NAME) == "00100010"
    assert texts(VALUES, PATIENT_NAME) == ["A", "B"]
    assert first_text(VALUES, PATIENT_NAME) == "A"
    assert [first_text(item, MODALITY) for item in items(VALUES, STEPS)] == ["CT", ""]


def test_what_is_absent_or_of_the_other_kind_is_empty() -> None:
    assert texts(VALUES, MODALITY) == texts(VALUES, STEPS) == []
    assert first_text(VALUES, MODALITY) == ""
    assert items(VALUES, PATIENT_NAME) == items(VALUES, MODALITY) == []
