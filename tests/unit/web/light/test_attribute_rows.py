from __future__ import annotations

from typing import Any

from isocenter.web.light.attribute_rows import (
    ROWS_PER_PAGE,
    VALUE_LENGTH_MAX,
    attribute_page,
    iter_rows,
    printable,
)

NAME: dict[str, Any] = {"00100010": {"vr": "PN", "Value": [{"Alphabetic": "Wide^Wanda", "Ideographic": "\u5e83"}]}}


def test_rows_tell_tag_name_and_value() -> None:
    (row,) = iter_rows(NAME)
    assert (row.tag, row.vr, row.name, row.value) == ("(0010,0010)", "PN", "Patient Name", "Wide^Wanda=\u5e83")


def test_items_of_sequences_stand_in_place_and_deeper() -> None:
    nested = {"00400275": {"vr": "SQ", "Value": [NAME, {}]}, "00200013": {"vr": "IS", "Value": [7]}}
    rows = list(iter_rows(nested))
    assert [(row.depth, row.name, row.value) for row in rows] == [
        (0, "Instance Number", "7"),
        (0, "Request Attributes Sequence", ""),
        (1, "Item 1", ""),
        (2, "Patient Name", "Wide^Wanda=\u5e83"),
        (1, "Item 2", ""),
    ]


def test_a_uid_that_is_known_is_named() -> None:
    (row,) = iter_rows({"00080016": {"vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.2"]}})
    assert row.remark == "CT Image Storage"


def test_bulk_data_and_long_values_are_not_dragged_onto_the_page() -> None:
    long = "x" * (VALUE_LENGTH_MAX + 1)
    rows = list(
        iter_rows(
            {
                "00104000": {"vr": "LT", "Value": [long]},
                "00281201": {"vr": "OW", "InlineBinary": "AAAA"},
                "00420011": {"vr": "OB", "BulkDataURI": "somewhere"},
                "00720070": {"vr": "UI", "Value": ["1.2"] * 100},
            }
        )
    )
    assert len(rows[0].value) == VALUE_LENGTH_MAX + 1
    assert [row.remark for row in rows] == [
        f"{len(long):,} characters", "not shown: 3 bytes", "not shown: bulk data", "100 values"
    ]  # fmt: skip


def test_private_and_unknown_elements_have_a_row() -> None:
    rows = list(iter_rows({"00091001": {"vr": "LO", "Value": ["a"]}, "00087FFF": {"vr": "UN"}, "junk": 7}))
    assert [row.name for row in rows] == ["Unknown", "Private"]


def test_pages_follow_each_other_without_a_gap() -> None:
    many = {f"0019{number:04X}": {"vr": "IS", "Value": [number]} for number in range(0x1000, 0x1000 + 600)}
    pages = [attribute_page(many, number=number) for number in (1, 2, 3, 4)]
    assert [len(page.rows) for page in pages] == [ROWS_PER_PAGE, ROWS_PER_PAGE, 600 - 2 * ROWS_PER_PAGE, 0]
    assert [page.has_next for page in pages] == [True, True, False, False]
    assert pages[1].rows[0].value == str(0x1000 + ROWS_PER_PAGE)


def test_rows_are_found_by_tag_keyword_name_and_value() -> None:
    for wanted in ("0010,0010", "patientname", "patient name", "WANDA"):
        assert len(attribute_page({**NAME, "00100020": {"vr": "LO"}}, number=1, wanted=wanted).rows) == 1, wanted


def test_control_characters_are_seen_and_not_obeyed() -> None:
    assert printable("a\x1b[31mb\x00\n\x9bc") == "a\u241b[31mb\u2400\n\ufffdc"
