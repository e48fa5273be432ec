from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.modality.faults.fault import HttpAnswer
from isocenter.modality.faults.read import expand, read_scenario
from isocenter.modality.faults.scenario import (
    ActOnProcess,
    AfterAcknowledged,
    AfterCounter,
    AfterPause,
    AtTime,
    ClearFaults,
    Comparison,
    ProcessAction,
    SetFault,
    Step,
)
from isocenter.routing.configuration.problem import InvalidConfiguration

SOUND = """\
name = "an outage"
duration_max = "30s"

[files]
"router/channels.toml" = "text"

[processes.cloud]
command = ["isocenter", "serve"]
ready = "http://127.0.0.1:8080/health/ready"
environment = { A = "1" }

[links.line]
listen = "127.0.0.1:8081"
target = "127.0.0.1:8080"
protocol = "http"

[counters.waiting]
url = "http://127.0.0.1:8080/counters"
path = "cloud.waiting"

[load]
to = "CLOUD@127.0.0.1:4242"
instances = 20

[[timeline]]
after = "5 instances acknowledged"
link = "line"
set = { kind = "http-answer", status = 503 }
for = "4s"

[[timeline]]
wait = "2s"
process = "cloud"
do = "kill"

[[timeline]]
at = "9s"
link = "line"
clear = true

[[timeline]]
after = "waiting >= 3"
process = "cloud"
do = "start"

[[expectations]]
kind = "nothing-lost"
archives = ["http://127.0.0.1:8080/v2"]

[[expectations]]
kind = "recovered-within"
counter = "waiting"
time = "10s"
"""


def _problems(text: str) -> list[tuple[int, str, str]]:
    with pytest.raises(InvalidConfiguration) as caught:
        read_scenario(text, file="outage.toml")
    return [(problem.line, problem.key, problem.message) for problem in caught.value.problems]


def test_a_sound_scenario_is_read() -> None:
    scenario = read_scenario(SOUND, file="outage.toml")
    assert scenario.steps == (
        Step(AfterAcknowledged(5), SetFault("line", HttpAnswer(status=503), 4.0)),
        Step(AfterPause(2.0), ActOnProcess("cloud", ProcessAction.KILL)),
        Step(AtTime(9.0), ClearFaults("line")),
        Step(AfterCounter("waiting", Comparison.AT_LEAST, 3.0), ActOnProcess("cloud", ProcessAction.START)),
    )
    assert [process.name for process in scenario.processes] == ["cloud"]
    assert scenario.load is not None
    assert len(scenario.expectations) == 2


@pytest.mark.parametrize(
    ("old", "new", "line_of", "told"),
    [
        ('name = "an outage"', 'nam = "x"', 'nam = "x"', "did you mean name"),
        ('link = "line"\nset', 'link = "lien"\nset', 'link = "lien"', "did you mean line"),
        ("status = 503", "status = 42", "status = 42", "from 200 to 599"),
        ("status = 503", 'statu = "x"', 'statu = "x"', "did you mean status"),
        ('protocol = "http"', 'protocol = "tcp"', "set = {", "needs a link of protocol http"),
        ('after = "5 instances acknowledged"', 'after = "soon"', 'after = "soon"', "expected is"),
        ('after = "waiting >= 3"', 'after = "wating >= 3"', 'after = "wating', "did you mean waiting"),
        ('do = "kill"', 'do = "slay"', 'do = "slay"', "one of"),
        ('wait = "2s"\n', "", "[[timeline]]", "exactly one of the keys at, wait, after"),
        ('do = "kill"', 'do = "fill-volume"', 'do = "fill-volume"', "has no volume"),
        ('do = "start"', 'do = "start"\nlink = "line"', "[[timeline]]", "link with set or clear, or process with do"),
        ('counter = "waiting"', 'counter = "waitin"', "[[expectations]]", "did you mean waiting"),
        ('kind = "nothing-lost"', 'kind = "nothing"', 'kind = "nothing"', "no kind that is known"),
        ('command = ["isocenter", "serve"]', "command = []", "command = []", "names a program"),
        ('"router/channels.toml"', '"../channels.toml"', '"../channels.toml"', "within the folder"),
        ('target = "127.0.0.1:8080"', 'target = "nowhere"', 'target = "nowhere"', "HOST:PORT"),
        ("instances = 20", "instances = 0", "instances = 0", "from 1"),
    ],
)
def test_what_is_wrong_is_told_at_its_line(old: str, new: str, line_of: str, told: str) -> None:
    assert old in SOUND
    text = SOUND.replace(old, new, 1)
    found = [(line, message) for line, _, message in _problems(text) if told in message]
    assert found, _problems(text)
    lines = text.splitlines()
    assert any(line_of in lines[line - 1] for line, _ in found), found


def test_everything_that_is_wrong_is_told_at_once() -> None:
    text = SOUND.replace("status = 503", "status = 42").replace('do = "kill"', 'do = "slay"')
    assert len(_problems(text)) == 2


def test_without_expectations_there_is_no_verdict() -> None:
    text = SOUND[: SOUND.index("[[expectations]]")]
    assert "no verdict" in _problems(text)[0][2]


def test_duplicates_are_counted_in_one_place() -> None:
    problems = _problems(SOUND + '\n[[expectations]]\nkind = "duplicates-at-most"\n')
    assert "Either link or archive" in problems[0][2]


@given(st.text(max_size=60))
def test_any_text_is_a_scenario_or_told_to_be_none(text: str) -> None:
    with pytest.raises(InvalidConfiguration):
        read_scenario(text, file="outage.toml")


def test_places_are_filled_in_and_a_name_has_one_port() -> None:
    ports = iter(range(1000, 1010))
    text = "{folder}/x {port.http} {port.dimse} {port.http} { kind = 1 } {other}"
    assert expand(text, folder="/f", port_of=lambda _: next(ports)) == "/f/x 1000 1001 1000 { kind = 1 } {other}"
