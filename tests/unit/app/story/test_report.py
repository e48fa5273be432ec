from __future__ import annotations

import json
from pathlib import Path

import pytest

from isocenter.app.story.books import Books, Place
from isocenter.app.story.outage import OutagePlan, outage_scenario, waiting_counter
from isocenter.app.story.plan import STEPS
from isocenter.app.story.report import is_held, parse_result, report_json, result_json
from isocenter.app.story.step import Evidence, Expectation, Outage, StepResult, StepState
from isocenter.app.story.telling import iter_result, verdict_of
from isocenter.app.story.tour_memory import Memory, read_memory, write_memory
from isocenter.modality.faults.record import Happening, Record, Sample
from isocenter.modality.story import story_studies


def _outage() -> Outage:
    record = Record(ended_at_s=4.0)
    for at_s in range(4):
        record.add(
            Sample(float(at_s), sent=at_s, acknowledged=at_s, counters={waiting_counter(Place.CLOUD): 3.0 - at_s})
        )
    record.happenings = [Happening(1.0, "line", "cut"), Happening(2.0, "line", "mended", is_trouble=False)]
    plan = OutagePlan("The line breaks", "line", Place.CLOUD, 1)
    return Outage(outage_scenario(plan), record, "Nothing lost, 0 duplicates, recovered in 1.0 s.", is_met=True)


def _result(number: int, state: StepState = StepState.HELD, outage: Outage | None = None) -> StepResult:
    return StepResult(
        number,
        state,
        (
            Expectation("All are there", "8 studies", "8 studies", is_met=True),
            Expectation("None is lost", "0 lost", "1 lost", is_met=state is StepState.HELD),
        ),
        (
            Evidence(
                "Studies",
                "4 studies",
                {"Jule": ["2.25.1", "2.25.2"], "Orval": ["2.25.3"], "x": ["2.25.4"], "y": ["2.25.5"]},
            ),
        ),
        1.25,
        outage=outage,
    )


def test_what_was_written_of_a_step_is_read_back_as_it_was() -> None:
    document = json.loads(json.dumps(result_json(_result(8, outage=_outage()))))
    read = parse_result(document)
    assert result_json(read) == document
    assert read.outage is not None
    assert read.outage.record.samples == _outage().record.samples


def test_a_report_holds_where_each_step_does() -> None:
    results = [_result(plan.number) for plan in STEPS]
    assert report_json(results, pacs="orthanc", verdict="All held.")["held"] is True
    results[3] = _result(4, StepState.FAILED)
    assert report_json(results, pacs="orthanc", verdict="NOT")["held"] is False
    assert not is_held([])


def test_a_step_is_told_with_what_was_expected_where_it_is_not_so() -> None:
    text = "\n".join(iter_result(_result(4, StepState.FAILED)))
    assert "FAILED" in text
    assert "yes  All are there: 8 studies" in text
    assert "NO   None is lost" in text
    assert "expected: 0 lost" in text
    assert "found:    1 lost" in text
    assert "Jule: 2.25.1 2.25.2" in text
    assert "… 1 more" in text


def test_an_outage_is_told_with_its_curve_and_verdict() -> None:
    lines = list(iter_result(_result(8, outage=_outage())))
    assert any("█" in line and line.strip().startswith("waiting for the cloud") for line in lines)
    assert any("Nothing lost" in line for line in lines)


def test_a_step_that_was_left_out_says_why() -> None:
    left_out = StepResult(4, StepState.LEFT_OUT, reason="It needs step 3, which did not hold.")
    assert "It needs step 3, which did not hold." in "\n".join(iter_result(left_out))


def test_the_verdict_names_what_failed_and_what_was_left_out() -> None:
    results = [_result(plan.number) for plan in STEPS]
    results[7] = _result(8, outage=_outage())
    assert verdict_of(results) == ("All 9 steps held. The line breaks: nothing lost, 0 duplicates, recovered in 1.0 s.")
    results[2] = _result(3, StepState.FAILED)
    results[3] = StepResult(4, StepState.LEFT_OUT)
    assert verdict_of(results).startswith("NOT as expected. 7 of 9 steps held; failed: 3; left out: 4.")


def test_a_tour_remembers_results_and_books(tmp_path: Path) -> None:
    books = Books(story_studies(), {1, 8}, {"2.25.9": 5})
    memory = Memory().with_result(_result(8, outage=_outage())).with_books(books, play=3)
    write_memory(tmp_path / "tour.json", memory)
    read = read_memory(tmp_path / "tour.json")
    assert (set(read.played), read.sent_under_trouble, read.play) == ({1, 8}, {"2.25.9": 5}, 3)
    assert result_json(read.results[8]) == result_json(memory.results[8])


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", '{"version": 99}', '{"version": 1, "results": [{}]}', "\x00", '{"version": 1}']
)
def test_a_memory_that_cannot_be_read_begins_anew(tmp_path: Path, content: str) -> None:
    (tmp_path / "tour.json").write_text(content)
    assert read_memory(tmp_path / "tour.json") == Memory()
    assert read_memory(tmp_path / "nowhere.json") == Memory()


def test_a_folder_that_takes_nothing_costs_the_memory_only(tmp_path: Path) -> None:
    write_memory(tmp_path / "nowhere" / "tour.json", Memory())
    assert not (tmp_path / "nowhere").exists()
