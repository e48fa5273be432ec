from __future__ import annotations

from isocenter.domain.application_entity import AeAddress
from isocenter.modality.faults.drawing import WIDTH, iter_drawing
from isocenter.modality.faults.record import SAMPLES_MAX, Happening, Record, Sample
from isocenter.modality.faults.scenario import AllAcknowledged, CounterPlan, LoadPlan, Scenario

SCENARIO = Scenario(
    *("an outage", "", 64.0, (), (), ()),
    (CounterPlan(name="waiting", url="http://x"),),
    LoadPlan(to=AeAddress("PACS", "127.0.0.1", 4242)),
    (),
    (AllAcknowledged(),),
)


def _record() -> Record:
    record = Record(ended_at_s=64.0)
    for second in range(64):
        waiting = max(0.0, 16.0 - abs(second - 32))
        record.add(Sample(second + 0.5, sent=second, acknowledged=second, counters={"waiting": waiting}))
    record.happenings = [
        Happening(16.2, "line", "refuse", ends_s=31.9),
        Happening(40.0, "pacs", "kill"),
        Happening(50.5, "pacs", "start", is_trouble=False),
    ]
    return record


def test_trouble_is_a_bar_where_it_was_and_counters_are_curves() -> None:
    lines = list(iter_drawing(SCENARIO, _record()))
    assert [line.split()[0] for line in lines] == ["time", "line", "pacs", "acknowledged", "waiting"]
    left = lines[0].index("0 s")
    bars = {line.split()[0]: line[left : left + WIDTH] for line in lines}
    assert bars["line"] == "·" * 16 + "█" * 16 + "·" * 32
    assert bars["pacs"] == "·" * 40 + "█" * 11 + "·" * 13
    assert bars["waiting"][32] == "█"
    assert bars["waiting"][0] == "▁"
    assert lines[1].endswith("refuse")
    assert lines[4].endswith("16 at most")


def test_trouble_that_never_ended_lasts_to_the_end() -> None:
    record = Record(ended_at_s=64.0, happenings=[Happening(32.0, "pacs", "kill")])
    assert "·" * 32 + "█" * 32 in list(iter_drawing(SCENARIO, record))[1]


def test_what_never_began_is_drawn_too() -> None:
    assert len(list(iter_drawing(SCENARIO, Record()))) == 3


def test_a_long_record_is_thinned_out_and_keeps_its_ends() -> None:
    record = Record()
    for number in range(SAMPLES_MAX + 10):
        record.add(Sample(float(number), sent=0, acknowledged=0, counters={}))
    assert len(record.samples) <= SAMPLES_MAX
    assert (record.samples[0].at_s, record.samples[-1].at_s) == (0.0, SAMPLES_MAX + 9.0)
