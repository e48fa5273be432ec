from __future__ import annotations

import pytest

from isocenter.web.pages.study_row import (
    patient_details,
    person_name,
    readable_date,
    readable_text,
    readable_time,
    series_rows,
    study_row,
)
from tests.support.studies_listed import listed


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Smith^John", ("Smith, John", "")),
        ("Adams^John Robert Quincy^^Rev.^B.A. M.Div.", ("Adams, Rev. John Robert Quincy, B.A. M.Div.", "")),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", ("Yamada, Tarou", "山田, 太郎 · やまだ, たろう")),
        ("=山田^太郎", ("山田, 太郎", "")),
        ("^John", ("John", "")),
        ("One^A\\Two^B", ("One, A", "")),
        ("Plain Name", ("Plain Name", "")),
        ("", ("", "")),
        ("^^^^", ("", "")),
    ],
)
def test_a_person_name_reads_as_people_write_it(value: str, expected: tuple[str, str]) -> None:
    assert person_name(value) == expected


@pytest.mark.parametrize(("value", "expected"), [("20260331", "2026-03-31"), ("20260231", "20260231"), ("", "")])
def test_a_date_reads_as_year_month_day_and_a_wrong_one_as_it_stands(value: str, expected: str) -> None:
    assert readable_date(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [("074512.125", "07:45"), ("0745", "07:45"), ("07:45:12", "07:45"), ("07", ""), ("abcd", "")]
)
def test_a_time_reads_as_hours_and_minutes(value: str, expected: str) -> None:
    assert readable_time(value) == expected


@pytest.mark.parametrize(
    ("sex", "born", "on", "expected"),
    [
        ("F", "19770301", "20260301", "F 49 y"),
        ("F", "19770302", "20260301", "F 48 y"),
        ("M", "20251115", "20260301", "M 3 m"),
        ("", "19770302", "20260301", "48 y"),
        ("O", "", "20260301", "O"),
        ("M", "20270101", "20260301", "M"),
        ("", "", "", ""),
    ],
)
def test_sex_and_age_are_told_as_far_as_known(sex: str, born: str, on: str, expected: str) -> None:
    assert patient_details(sex=sex, born=born, on=on) == expected


def test_carets_for_blanks_are_taken_out() -> None:
    assert readable_text("MRI Brain^7T  T1") == "MRI Brain 7T T1"


def test_a_study_without_any_value_still_has_a_row() -> None:
    row = study_row(listed({"StudyInstanceUID": "1.2.3"}))
    assert row.viewer_query == "StudyInstanceUIDs=1.2.3"
    assert (row.patient_name, row.modalities, row.number_of_instances) == ("", (), 0)


def test_series_are_in_order_of_their_numbers_with_unknown_ones_last() -> None:
    rows = [
        listed({"StudyInstanceUID": "1", "SeriesInstanceUID": uid, "SeriesNumber": number})
        for uid, number in (("1.1", "10"), ("1.2", ""), ("1.3", "2"), ("1.4", "x"), ("1.5", "-1"))
    ]
    assert [row.series_instance_uid for row in series_rows(rows)] == ["1.5", "1.3", "1.1", "1.2", "1.4"]


@pytest.mark.parametrize("number", ["--5", "+-5", "-", "+", "9" * 5000, "-" + "9" * 5000, "²"])
def test_a_number_of_a_series_that_is_none_sorts_last(number: str) -> None:
    rows = [
        listed({"StudyInstanceUID": "1", "SeriesInstanceUID": uid, "SeriesNumber": one})
        for uid, one in (("1.1", number), ("1.2", "+7"), ("1.3", "-2147483648"))
    ]
    assert [row.series_instance_uid for row in series_rows(rows)] == ["1.3", "1.2", "1.1"]


def test_a_series_leads_to_its_thumbnail_and_opens_first_in_the_viewer() -> None:
    (row,) = series_rows([listed({"StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.2.3"})])
    assert row.thumbnail_path == "/studies/1.2/series/1.2.3/thumbnail?viewport=128,128"
    assert row.viewer_query == "StudyInstanceUIDs=1.2&initialSeriesInstanceUID=1.2.3"


@pytest.mark.parametrize(
    ("modality", "number", "expected"),
    [("CT", "1", "1 image"), ("CT", "1234", "1,234 images"), ("SR", "1", "1 object"), ("PR", "2", "2 objects")],
)
def test_instances_that_are_no_images_are_not_called_so(modality: str, number: str, expected: str) -> None:
    values = {"StudyInstanceUID": "1", "SeriesInstanceUID": "1.1", "Modality": modality}
    (row,) = series_rows([listed(values | {"NumberOfSeriesRelatedInstances": number})])
    assert row.count == expected
