"""The minimal lower layer protocol: bytes to messages and back, however they are cut on their way.

A message stands between 0B and 1C 0D. Senders that leave the last byte out exist, so 1C alone ends a message; what
stands between two messages is passed over and counted.
"""

from __future__ import annotations

from dataclasses import dataclass

MESSAGE_SIZE_MAX_BYTES = 1024**2
"""An order has some kilobytes; results with documents inside, which are none of ours, have megabytes."""
START, END, RETURN = b"\x0b", b"\x1c", b"\x0d"


@dataclass(frozen=True, slots=True)
class Frame:
    """The bytes of one message."""

    content: bytes


@dataclass(frozen=True, slots=True)
class Oversized:
    """A message went on beyond the limit; its bytes were let go."""


class MllpDecoder:
    """Cut a stream of bytes into messages."""

    def __init__(self, *, message_size_max_bytes: int = MESSAGE_SIZE_MAX_BYTES) -> None:
        self._size_max_bytes = message_size_max_bytes
        self._message: bytearray | None = None
        self._is_oversized = False
        self.stray_bytes = 0
        """Outside of messages, line ends left out: a peer with many of them speaks something else."""

    @property
    def is_within_message(self) -> bool:
        """Tell whether a message has begun and not ended."""
        return self._message is not None

    def feed(self, data: bytes) -> list[Frame | Oversized]:
        """Take the next bytes and return what they complete."""
        events: list[Frame | Oversized] = []
        while data:
            data = self._skip(data) if self._message is None else self._take(data, self._message, events)
        return events

    def _skip(self, data: bytes) -> bytes:
        stray, start, rest = data.partition(START)
        self.stray_bytes += sum(byte not in b"\r\n" for byte in stray)
        if start:
            self._message, self._is_oversized = bytearray(), False
        return rest

    def _take(self, data: bytes, message: bytearray, events: list[Frame | Oversized]) -> bytes:
        content, end, rest = data.partition(END)
        if len(message) + len(content) > self._size_max_bytes:
            self._is_oversized = True
        if self._is_oversized:
            message.clear()
        else:
            message += content
        if end:
            events.append(Oversized() if self._is_oversized else Frame(bytes(message)))
            self._message = None
        return rest


def encode_frame(content: bytes) -> bytes:
    """Return a message with the bytes around it that a peer knows it by."""
    return START + content + END + RETURN
