from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.routing.hl7.acknowledgement import escape
from isocenter.routing.hl7.message import SEGMENTS_MAX, InvalidMessage, Separators, parse_message, unescape

_HEAD = "MSH|^~\\&|RIS|HOSP|ROUTER|HOSP|20261121120000||ORM^O01|42|P|2.3.1"


def test_values_are_found_by_segment_field_component_and_repetition() -> None:
    message = parse_message(f"{_HEAD}\rPID|1||A^^^H1&1.2.3&ISO^MR~B^^^H2||Doe^Jane\r".encode())
    pid = message.first("PID")
    assert (message.type, message.control_id) == ("ORM^O01", "42")
    assert pid.repetitions(3) == 2
    assert (pid.text(3), pid.text(3, 4), pid.text(3, 4, subcomponent=2)) == ("A", "H1", "1.2.3")
    assert pid.text(3, repetition=1) == "B"
    assert pid.components(5) == ["Doe", "Jane"]


def test_what_is_not_there_is_an_empty_text() -> None:
    message = parse_message(f"{_HEAD}\rPID|1".encode())
    assert message.first("PID").text(99, 9) == ""
    assert message.first("OBR").text(4) == ""
    assert message.all("OBR") == []


@pytest.mark.parametrize("line_end", ["\r", "\n", "\r\n"])
def test_segments_end_as_their_sender_ends_lines(line_end: str) -> None:
    assert len(parse_message(line_end.join([_HEAD, "PID|1", "PV1|1"]).encode()).segments) == 3


def test_separators_are_those_that_the_message_names() -> None:
    message = parse_message(b"MSH#*@!%#RIS#H#R#H#2026##ORM*O01#7#P#2.3\rPID###X*Y%Z@W")
    assert (message.type, message.first("PID").text(3, 2, subcomponent=2)) == ("ORM^O01", "Z")


def test_text_is_in_the_character_set_of_the_message() -> None:
    content = f"{_HEAD}||||||8859/1\rPID|||1||Müller".encode("latin-1")
    assert parse_message(content).first("PID").text(5) == "Müller"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("a\\F\\b", "a|b"),
        ("\\T\\\\S\\\\R\\\\E\\", "&^~\\"),
        ("one\\.br\\two", "one\ntwo"),
        ("\\H\\bold\\N\\", "bold"),
        ("\\X41\\", "A"),
        ("\\Xzz\\!", "!"),
        ("C:\\dir", "C:\\dir"),
        ('""', '""'),
    ],
)
def test_escapes_are_resolved(raw: str, text: str) -> None:
    assert unescape(raw, Separators()) == text


@given(st.text(st.characters(exclude_characters="\r\n")))
def test_what_is_escaped_comes_back(text: str) -> None:
    assert unescape(escape(text, Separators()), Separators()) == text


def test_a_value_to_be_deleted_is_none() -> None:
    assert parse_message(f'{_HEAD}\rPID|1||""'.encode()).first("PID").text(3) == ""


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", b"PID|1", b"MSH", b"MSH|", b"MSH||||", b"MSHaaaa", b"\x00\xff" * 50, b"MSH|^~\\^|x"],
)
def test_garbage_is_no_message(content: bytes) -> None:
    with pytest.raises(InvalidMessage):
        parse_message(content)


def test_more_segments_than_anybody_sends_are_refused() -> None:
    with pytest.raises(InvalidMessage):
        parse_message((_HEAD + "\rNTE|1" * SEGMENTS_MAX).encode())


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_are_refused(content: bytes) -> None:
    for candidate in (content, b"MSH|^~\\&" + content):
        try:
            message = parse_message(candidate)
        except InvalidMessage:
            continue
        assert message.header.name == "MSH"
        [segment.text(number) for segment in message.segments for number in range(4)]
