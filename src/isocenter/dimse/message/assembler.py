"""Put messages together from PDVs (PS3.7 6.3, PS3.8 annex E): the command whole, the data set piece by piece.

    command fragments --last--> data set fragments --last--> command fragments ...

The fragments of one message come in a row, and all on one context; other messages never stand between them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from isocenter.dimse.message.command_set import CommandUnusable, decode_command
from isocenter.dimse.message.messages import Message, RefusalRsp
from isocenter.dimse.ul.errors import ProtocolViolation
from isocenter.dimse.ul.pdu import Buffer, Pdv

COMMAND_LENGTH_MAX = 16 * 1024
"""Most have 200 bytes; a list of attribute identifiers, four bytes each, is the only thing in them that can be long."""


@dataclass(frozen=True, slots=True)
class MessageBegun:
    """A command is complete; where no data set follows, so is the message."""

    context_id: int
    command: Message
    has_dataset: bool


@dataclass(frozen=True, slots=True)
class MessageUnusable:
    """A request that is to be answered so and not performed; its data set is swallowed."""

    context_id: int
    answer: RefusalRsp


class DatasetFragment(NamedTuple):
    """A piece of the data set of the message that was begun last; the message ends with the last one."""

    context_id: int
    data: Buffer
    is_last: bool


MessageEvent = MessageBegun | MessageUnusable | DatasetFragment


class MessageAssembler:
    """Assemble the messages of one direction of an association."""

    def __init__(self) -> None:
        self._context_id: int | None = None
        """Of the message that has begun and not ended."""
        self._command = bytearray()
        self._is_in_dataset = False
        self._swallows = False

    @property
    def is_between_messages(self) -> bool:
        """Tell whether all that began has ended."""
        return self._context_id is None

    def feed(self, pdv: Pdv) -> list[MessageEvent]:
        """Return what a PDV completes; data of a data set is handed on as it is.

        Raises ProtocolViolation for what no peer may send; the association is to be aborted.
        """
        if self._context_id is not None and pdv.context_id != self._context_id:
            raise ProtocolViolation("The fragments of two messages are mixed.")
        if pdv.is_command == self._is_in_dataset:
            raise ProtocolViolation("A command and a data set are not in their order.")
        return self._take_dataset(pdv) if self._is_in_dataset else self._take_command(pdv)

    def _take_dataset(self, pdv: Pdv) -> list[MessageEvent]:
        if pdv.is_last:
            self._context_id, self._is_in_dataset = None, False
        return [] if self._swallows else [DatasetFragment(pdv.context_id, pdv.data, pdv.is_last)]

    def _take_command(self, pdv: Pdv) -> list[MessageEvent]:
        if len(self._command) + len(pdv.data) > COMMAND_LENGTH_MAX:
            raise ProtocolViolation(f"A command set has at most {COMMAND_LENGTH_MAX} bytes.")
        self._context_id = pdv.context_id
        self._command += pdv.data
        if not pdv.is_last:
            return []
        event, has_dataset = _decode(pdv.context_id, bytes(self._command))
        self._command.clear()
        self._is_in_dataset, self._swallows = has_dataset, isinstance(event, MessageUnusable)
        if not has_dataset:
            self._context_id = None
        return [event]


def _decode(context_id: int, command: bytes) -> tuple[MessageBegun | MessageUnusable, bool]:
    try:
        decoded = decode_command(command)
    except CommandUnusable as unusable:
        return MessageUnusable(context_id, unusable.answer), unusable.has_dataset
    return MessageBegun(context_id, decoded.message, decoded.has_dataset), decoded.has_dataset
