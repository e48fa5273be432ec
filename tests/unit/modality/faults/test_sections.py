from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.domain.errors import InvalidRequest
from isocenter.modality.faults import fault
from isocenter.modality.faults.fault import (
    Bandwidth,
    DimseStatus,
    Direction,
    Fault,
    HttpAnswer,
    HttpFault,
    Latency,
    Reset,
)
from isocenter.modality.faults.sections import FAULTS, described, kind_of, parse_fault, parse_words, written


def test_every_class_of_fault_has_one_kind() -> None:
    made = [section.make for section in FAULTS]
    assert len(set(made)) == len(made)
    assert len({section.kind for section in FAULTS}) == len(made)
    classes = [each for each in vars(fault).values() if isinstance(each, type) and issubclass(each, Fault)]
    assert set(made) == set(classes) - {Fault, HttpFault}


def test_every_field_of_a_fault_has_a_key() -> None:
    for section in FAULTS:
        assert {key.field_name for key in section.keys} == {each.name for each in fields(section.make)}, section.kind


def test_words_of_a_command_line_make_a_fault() -> None:
    assert parse_words("latency", ["delay=200ms", "jitter=0.05s"]) == Latency(delay_s=0.2, jitter_s=0.05)
    assert parse_words("reset", ["after_bytes=100kB", "direction=requests", "count=2"]) == Reset(
        after_bytes=100_000, direction=Direction.REQUESTS, count=2
    )
    assert parse_words("reset", ["after_bytes=17"]) == Reset(after_bytes=17)
    assert parse_words("http-answer", ["status=429", "retry_after=7s", "path=/*/studies"]) == HttpAnswer(
        status=429, retry_after_s=7, path="/*/studies"
    )
    assert parse_words("dimse-status", ["status=A700"]) == DimseStatus(status=0xA700)


@pytest.mark.parametrize(
    ("kind", "words", "told"),
    [
        ("latncy", [], "did you mean latency"),
        ("latency", ["delay"], "key=value"),
        ("latency", ["dely=1s"], "did you mean delay"),
        ("latency", ["delay=soon"], "expected is a duration"),
        ("http-answer", [], "status is missing"),
        ("http-answer", ["status=99"], "from 200 to 599"),
        ("bandwidth", ["rate=0B/s"], "a rate above nothing"),
        ("dimse-status", ["status=A7000"], "a DIMSE status"),
        ("reset", ["probability=2"], "from 0 to 1"),
        ("reset", ["after_bytes=true"], "a size"),
    ],
)
def test_what_makes_no_fault_is_told(kind: str, words: list[str], told: str) -> None:
    with pytest.raises(InvalidRequest, match=told):
        parse_words(kind, words)


_faults = st.one_of(
    st.builds(Latency, delay_s=st.integers(0, 9000).map(lambda ms: ms / 1000), direction=st.sampled_from(Direction)),
    st.builds(Bandwidth, bytes_per_s=st.integers(1, 10**9), count=st.integers(0, 5)),
    st.builds(Reset, after_bytes=st.integers(0, 2**40), probability=st.floats(0, 1), seed=st.integers(0, 99)),
    st.builds(HttpAnswer, status=st.integers(200, 599), retry_after_s=st.none() | st.just(5.0)),
    st.builds(DimseStatus, status=st.integers(0, 0xFFFF), reaches_target=st.booleans()),
)


@given(_faults)
def test_a_fault_is_read_from_what_is_written_of_it(one: Fault) -> None:
    assert parse_fault(written(one)) == one
    assert described(one).startswith(kind_of(one))
