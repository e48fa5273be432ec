"""Where HTTP/1.1 messages begin and end in a stream of bytes (RFC 9112 6), without changing a byte of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

HEAD_LENGTH_MAX = 64 * 1024
"""Of start line and header fields; servers take less."""
_LINE_LENGTH_MAX = 4096
"""Of a chunk's size with its extensions."""


@dataclass(frozen=True, slots=True)
class Head:
    """The start line of a message and its header fields, as they came."""

    raw: bytes

    @property
    def start_line(self) -> str:
        """Return the first line."""
        return self.raw.split(b"\r\n", 1)[0].decode("latin-1")

    def values(self, name: str) -> list[str]:
        """Return the values of a header field, whatever the case of its name."""
        wanted = name.lower().encode()
        found = []
        for line in self.raw.split(b"\r\n")[1:]:
            key, colon, value = line.partition(b":")
            if colon and key.strip().lower() == wanted:
                found.append(value.strip().decode("latin-1"))
        return found

    def replaced(self, name: str, value: str | None) -> Head:
        """Return the head with a header field given one value, or taken away."""
        wanted = name.lower().encode()
        first, *lines = self.raw.removesuffix(b"\r\n\r\n").split(b"\r\n")
        kept = [line for line in lines if line.partition(b":")[0].strip().lower() != wanted]
        if value is not None:
            kept.append(f"{name}: {value}".encode("latin-1", "replace"))
        return Head(b"\r\n".join([first, *kept]) + b"\r\n\r\n")


class BodyPlan(Enum):
    """How one learns where a body ends."""

    NONE = auto()
    LENGTH = auto()
    CHUNKED = auto()


@dataclass(frozen=True, slots=True)
class HeadSeen:
    """A head is complete."""

    head: Head


@dataclass(frozen=True, slots=True)
class BodySeen:
    """Bytes behind a head, chunk framing included."""

    data: bytes
    is_last: bool


@dataclass(frozen=True, slots=True)
class NotHttp:
    """Bytes that nobody can tell messages in; nothing else follows."""

    data: bytes


Seen = HeadSeen | BodySeen | NotHttp


class _State(Enum):
    HEAD = auto()
    COUNTED = auto()
    CHUNK_SIZE = auto()
    CHUNK = auto()
    TRAILER = auto()
    OPAQUE = auto()


class RequestStream:
    """Follow the requests of a connection: heads whole, bodies piece by piece."""

    def __init__(self) -> None:
        self._state = _State.HEAD
        self._held = bytearray()
        self._left = 0

    def feed(self, data: bytes) -> list[Seen]:
        """Return what bytes bring; together the parts are the bytes as they came."""
        self._held += data
        seen: list[Seen] = []
        while self._held and self._step(seen):
            pass
        return seen

    def _step(self, seen: list[Seen]) -> bool:
        """Take one part of what is held; tell whether there may be another."""
        match self._state:
            case _State.HEAD:
                return self._take_head(seen)
            case _State.COUNTED | _State.CHUNK:
                return self._take_counted(seen)
            case _State.CHUNK_SIZE:
                return self._take_chunk_size(seen)
            case _State.TRAILER:
                return self._take_trailer(seen)
            case _State.OPAQUE:
                seen.append(NotHttp(self._take(len(self._held))))
                return False

    def _take_head(self, seen: list[Seen]) -> bool:
        end = self._held.find(b"\r\n\r\n")
        if end > HEAD_LENGTH_MAX or not _may_be_request(self._held):
            return self._give_up()
        if end < 0:
            return self._give_up() if len(self._held) > HEAD_LENGTH_MAX else False
        head = Head(self._take(end + 4))
        plan, length = body_plan(head)
        seen.append(HeadSeen(head))
        if plan is BodyPlan.NONE:
            seen.append(BodySeen(b"", is_last=True))
        elif plan is BodyPlan.LENGTH:
            self._state, self._left = _State.COUNTED, length
        else:
            self._state = _State.CHUNK_SIZE
        return True

    def _take_counted(self, seen: list[Seen]) -> bool:
        data = self._take(min(self._left, len(self._held)))
        self._left -= len(data)
        is_whole = not self._left
        is_last = is_whole and self._state is _State.COUNTED
        if is_whole:
            self._state = _State.HEAD if is_last else _State.CHUNK_SIZE
        seen.append(BodySeen(data, is_last=is_last))
        return True

    def _take_chunk_size(self, seen: list[Seen]) -> bool:
        end = self._held.find(b"\r\n")
        if end < 0:
            return self._give_up() if len(self._held) > _LINE_LENGTH_MAX else False
        try:
            size = int(bytes(self._held[:end]).partition(b";")[0], 16)
        except ValueError:
            return self._give_up()
        seen.append(BodySeen(self._take(end + 2), is_last=False))
        if size:
            self._state, self._left = _State.CHUNK, size + 2
        else:
            self._state = _State.TRAILER
        return True

    def _take_trailer(self, seen: list[Seen]) -> bool:
        end = self._held.find(b"\r\n")
        if end < 0:
            return self._give_up() if len(self._held) > HEAD_LENGTH_MAX else False
        if end == 0:
            self._state = _State.HEAD
        seen.append(BodySeen(self._take(end + 2), is_last=end == 0))
        return True

    def _give_up(self) -> bool:
        self._state = _State.OPAQUE
        return True

    def _take(self, size: int) -> bytes:
        data = bytes(self._held[:size])
        del self._held[:size]
        return data


def body_plan(head: Head) -> tuple[BodyPlan, int]:
    """Return how long the body of a request is (RFC 9112 6.3)."""
    if any("chunked" in value.lower() for value in head.values("Transfer-Encoding")):
        return BodyPlan.CHUNKED, 0
    lengths = [value for value in head.values("Content-Length") if value.isdecimal()]
    length = int(lengths[0]) if lengths else 0
    return (BodyPlan.LENGTH, length) if length else (BodyPlan.NONE, 0)


def _may_be_request(held: bytearray) -> bool:
    """Tell whether bytes can begin a request: a method is of capital letters (RFC 9112 3)."""
    method = bytes(held[:32]).partition(b" ")[0]
    return method.isalpha() and method.isupper() and not bytes(held).startswith(b"PRI * HTTP/2")
