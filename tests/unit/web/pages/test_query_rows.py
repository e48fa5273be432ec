from __future__ import annotations

import pytest

from isocenter.web.pages.query_rows import SHOWN_LENGTH_MAX, Here, Presence, found_series, found_study
from tests.support.studies_listed import listed


@pytest.mark.parametrize(
    ("here", "presence", "text"),
    [
        (Here(0, 5), Presence.NONE, "Not here"),
        (Here(0, None), Presence.NONE, "Not here"),
        (Here(3, 5), Presence.SOME, "3 of 5 here"),
        (Here(5, 5, 1, 2), Presence.SOME, "5 of 5 here"),
        (Here(5, 5, 2, 2), Presence.ALL, "All here"),
        (Here(7, 5, 2, 2), Presence.ALL, "All here"),
        (Here(3, None), Presence.UNKNOWN, "3 here, the archive tells no number"),
    ],
)
def test_numbers_tell_how_much_is_here(here: Here, presence: Presence, text: str) -> None:
    assert (here.presence, here.text) == (presence, text)


def test_a_study_is_shown_with_what_of_it_is_here() -> None:
    row = listed(
        {
            "StudyInstanceUID": "1.2",
            "PatientName": "Doe^Jane",
            "StudyDate": "20260102",
            "ModalitiesInStudy": "CT\\SR",
            "NumberOfStudyRelatedSeries": "2",
            "NumberOfStudyRelatedInstances": "40",
        }
    )
    study = found_study(row, {"1.2": (1, 10)})
    assert (study.patient_name, study.study_date, study.modalities) == ("Doe, Jane", "2026-01-02", ("CT", "SR"))
    assert study.here == Here(10, 40, 1, 2)
    assert study.label == "Doe, Jane · 2026-01-02"


@pytest.mark.parametrize("number", ["", "many", "-3", "9" * 40, "4.5"])
def test_a_number_that_is_none_counts_as_not_told(number: str) -> None:
    row = listed({"StudyInstanceUID": "1.2", "NumberOfStudyRelatedInstances": number})
    assert found_study(row, {}).here.instances_there is None


def test_values_of_any_length_are_shown_up_to_a_bound() -> None:
    row = listed(
        {"StudyInstanceUID": "1.2", "StudyDescription": "x" * 10_000, "ModalitiesInStudy": "\\".join(["A"] * 9999)}
    )
    study = found_study(row, {})
    assert len(study.description) == SHOWN_LENGTH_MAX
    assert len(study.modalities) <= SHOWN_LENGTH_MAX


def test_series_stand_by_their_numbers_and_those_without_come_last() -> None:
    rows = [listed({"SeriesInstanceUID": f"1.{number}", "SeriesNumber": number}) for number in ("10", "", "2", "x")]
    assert [one.number for one in found_series(rows, {})] == ["2", "10", "", "x"]


def test_a_series_tells_what_of_it_is_here() -> None:
    row = listed({"SeriesInstanceUID": "1.5", "NumberOfSeriesRelatedInstances": "4"})
    (series,) = found_series([row], {"1.5": 4})
    assert series.here.presence is Presence.ALL
