from __future__ import annotations

import pytest

from isocenter.app.faults.counters import number_at

DOCUMENT = {"cloud": {"waiting": 3}, "list": [{"n": 1}, {"n": 2.5}], "text": "x", "yes": True, "none": []}


@pytest.mark.parametrize(
    ("path", "number"),
    [
        ("cloud.waiting", 3),
        ("list.1.n", 2.5),
        ("list.*.n", 3.5),
        ("*.waiting", 3),
        ("none.*", 0),
        ("cloud.nothing", None),
        ("text", None),
        ("yes", None),
        ("list.7.n", None),
    ],
)
def test_a_path_leads_to_a_number_or_to_none(path: str, number: float | None) -> None:
    assert number_at(DOCUMENT, path) == number


def test_a_document_can_be_the_number_and_none_is_none() -> None:
    assert number_at(7, "") == 7
    assert number_at(None, "*") is None
