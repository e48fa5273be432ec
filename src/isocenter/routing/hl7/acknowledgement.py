"""The answer to a message (HL7 version 2, chapter 2.9): taken, wrong, or to be sent again."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from isocenter.routing.hl7.message import Message, Separators

TEXT_LENGTH_MAX = 80
"""Of MSA-3."""


class Acceptance(StrEnum):
    """What became of a message (HL7 table 0008)."""

    ACCEPTED = "AA"
    """It is kept, on disk, or is none that anything is done for."""
    ERROR = "AE"
    """It could not be taken now; its sender is to try again."""
    REJECTED = "AR"
    """It cannot be understood; sent again it would not be either."""


def build_acknowledgement(
    message: Message | None, acceptance: Acceptance, *, now: datetime, control_id: str, text: str = ""
) -> bytes:
    """Return the answer to a message, or to something that could not be read as one.

    `control_id` is that of the answer. Sender and receiver change places; the rest follows the message's own words.
    """
    marks = message.header.separators if message is not None else Separators()
    header = message.header if message is not None else None
    trigger = header.text(9, 2) if header is not None else ""
    kind = marks.component.join(["ACK", trigger, "ACK"]) if trigger else "ACK"
    places = [header.raw(number) if header is not None else "" for number in (5, 6, 3, 4)]
    encoding = marks.component + marks.repetition + marks.escape + marks.subcomponent
    processing, version = (header.raw(11), header.raw(12)) if header is not None else ("P", "2.3.1")
    fields = ["MSH" + marks.field + encoding, *places, now.strftime("%Y%m%d%H%M%S%z"), "", kind, control_id]
    fields += [processing or "P", version or "2.3.1"]
    charset = header.raw(18) if header is not None else ""
    if charset:
        fields += ["", "", "", "", "", charset]
    answered = header.raw(10) if header is not None else ""
    told = ["MSA", acceptance.value, answered, escape(text[:TEXT_LENGTH_MAX], marks)]
    lines = [marks.field.join(fields), marks.field.join(told).rstrip(marks.field)]
    codec = message.codec if message is not None else "ascii"
    return ("\r".join(lines) + "\r").encode(codec, "replace")


def escape(text: str, separators: Separators) -> str:
    """Return text with what parts a message escaped, without line ends."""
    marks = {
        separators.escape: "E",
        separators.field: "F",
        separators.component: "S",
        separators.repetition: "R",
        separators.subcomponent: "T",
    }
    out = []
    for character in text.replace("\r", " ").replace("\n", " "):
        letter = marks.get(character)
        out.append(character if letter is None else f"{separators.escape}{letter}{separators.escape}")
    return "".join(out)
