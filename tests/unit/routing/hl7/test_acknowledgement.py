from __future__ import annotations

from datetime import UTC, datetime

from isocenter.routing.hl7.acknowledgement import TEXT_LENGTH_MAX, Acceptance, build_acknowledgement, escape
from isocenter.routing.hl7.message import Separators, parse_message

_NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def _answer(content: bytes, acceptance: Acceptance = Acceptance.ACCEPTED, text: str = "") -> bytes:
    return build_acknowledgement(parse_message(content), acceptance, now=_NOW, control_id="9", text=text)


def test_an_answer_goes_back_to_who_sent_the_message_and_names_it() -> None:
    answer = parse_message(_answer(b"MSH|^~\\&|RIS|HOSP|ROUTER|SITE|20261121||ORM^O01|42|P|2.5"))
    assert [answer.header.text(number) for number in (3, 4, 5, 6)] == ["ROUTER", "SITE", "RIS", "HOSP"]
    assert answer.header.components(9) == ["ACK", "O01", "ACK"]
    assert (answer.header.text(10), answer.header.text(11), answer.header.text(12)) == ("9", "P", "2.5")
    assert (answer.first("MSA").text(1), answer.first("MSA").text(2)) == ("AA", "42")


def test_an_answer_is_in_the_separators_and_the_character_set_of_the_message() -> None:
    content = "MSH#*@!%#RIS#Köln#R#H#2026##ADT*A01#7#P#2.3######8859/1".encode("latin-1")
    answer = _answer(content)
    assert "Köln".encode("latin-1") in answer
    assert parse_message(answer).header.text(18) == "8859/1"


def test_why_a_message_was_not_taken_is_told_within_the_length_of_its_field() -> None:
    answer = parse_message(_answer(b"MSH|^~\\&|A|B|C|D|||ORM^O01|1|P|2.3", Acceptance.ERROR, "no room | " * 20))
    assert answer.first("MSA").text(1) == "AE"
    assert len(answer.first("MSA").text(3)) <= TEXT_LENGTH_MAX


def test_what_is_no_message_is_answered_all_the_same() -> None:
    content = build_acknowledgement(None, Acceptance.REJECTED, now=_NOW, control_id="9", text="No MSH.")
    answer = parse_message(content)
    assert (answer.type, answer.first("MSA").text(1), answer.first("MSA").text(2)) == ("ACK", "AR", "")


def test_line_ends_do_not_end_a_segment() -> None:
    assert escape("a\rb|", Separators()) == "a b\\F\\"
