"""Command sets: the bytes of a message (PS3.7 6.3.1, annex E), implicit VR little endian always."""

from __future__ import annotations

from typing import NamedTuple

from isocenter.dimse.message.messages import Message, RefusalRsp
from isocenter.dimse.ul.pdu import Buffer
from isocenter.domain.errors import InvalidRequest


def encode_command(message: Message, *, has_dataset: bool) -> bytes:
    """Return the command set of a message."""
    raise NotImplementedError


class DecodedCommand(NamedTuple):
    """A message, and whether its data set follows."""

    message: Message
    has_dataset: bool


class CommandUnusable(InvalidRequest):
    """The request cannot be understood."""

    def __init__(self, message: str, *, answer: RefusalRsp, has_dataset: bool) -> None:
        super().__init__(message)
        self.answer = answer
        """What the peer is owed for it."""
        self.has_dataset = has_dataset


def decode_command(data: Buffer) -> DecodedCommand:
    """Return the message of a command set.

    Raises CommandUnusable for a request that is to be answered with a failure, ProtocolViolation for what can only be
    aborted.
    """
    raise NotImplementedError
