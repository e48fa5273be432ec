"""Multipart/related, decoded as it arrives and encoded part by part (RFC 2046 5.1, RFC 2387).

The decoder never holds more than one part header or one delimiter's length of the body: data leaves as views of the
chunk that brought it. It looks at each byte a bounded number of times, however the stream is cut, so that its work is
linear in the length of the body even where every byte nearly is a delimiter.

    START --> PREAMBLE --delimiter--> HEADER --blank line--> BODY --delimiter--> HEADER ...
        any state --closing delimiter--> EPILOGUE
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from isocenter.dicomweb.codec.find_bytes import find_bytes
from isocenter.domain.errors import InvalidRequest, TooLarge

BOUNDARY_LENGTH_MAX = 200
"""RFC 2046 5.1.1 allows 70, Orthanc writes 73; a bound of some kind bounds the work per byte."""
PADDING_LENGTH_MAX = 64
"""White space behind a delimiter (RFC 2046 "transport padding"); senders write none."""

_UNREADABLE = "There was an error reading the multipart request."
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class MultipartLimits:
    """How much of a body the decoder takes before it refuses."""

    part_header_bytes: int = 8 * 1024
    """Senders write under 300 bytes a part."""
    preamble_bytes: int = 64 * 1024
    """A body without any delimiter is refused here rather than at its end."""
    parts: int = 1_000_000
    """More instances than any study; each part costs an answer item in memory."""


DEFAULT_LIMITS = MultipartLimits()


@dataclass(frozen=True, slots=True)
class PartBegin:
    """A part begins; names of headers are in lower case."""

    headers: Mapping[str, str]


@dataclass(slots=True)
class PartData:
    """Bytes of the part, in order; a view of the chunk that was fed."""

    data: memoryview


@dataclass(frozen=True, slots=True)
class PartEnd:
    """The part is complete."""


@dataclass(frozen=True, slots=True)
class End:
    """The closing delimiter was read; what follows is ignored."""


Event = PartBegin | PartData | PartEnd | End

_PART_END = PartEnd()
_END = End()


class _State(Enum):
    START = "start"
    PREAMBLE = "preamble"
    HEADER = "header"
    BODY = "body"
    EPILOGUE = "epilogue"


class _Follows(Enum):
    """What stands behind the bytes of a delimiter."""

    PART = "part"
    CLOSING = "closing"
    DATA = "data"
    UNKNOWN = "unknown"


class MultipartDecoder:
    """Decode one multipart body, fed in chunks of any size."""

    def __init__(self, boundary: str, limits: MultipartLimits = DEFAULT_LIMITS) -> None:
        if not is_boundary(boundary):
            raise InvalidRequest(_UNREADABLE)
        self._delimiter = b"\r\n--" + boundary.encode("ascii")
        self._limits = limits
        self._state = _State.START
        self._held = bytearray()
        self._preamble_bytes = 0
        # Senders repeat one header for every part: what was read last, and what stands behind a delimiter then.
        self._known = PartBegin(_NO_HEADERS)
        self._known_header = b""
        self._repeated = b""
        self.parts = 0
        """Parts begun so far."""
        self.bytes_scanned = 0
        """Bytes looked at for delimiters and header ends, so that a test can hold the work to a line."""

    @property
    def is_complete(self) -> bool:
        """Tell whether the closing delimiter was read."""
        return self._state is _State.EPILOGUE

    def feed(self, chunk: bytes) -> list[Event]:
        """Return the events that a chunk completes; views in them stay valid as long as they are kept."""
        events: list[Event] = []
        position = 0
        if self._state is _State.START and chunk:
            position = self._read_start(chunk)
        if self._held:
            before = len(self._held)
            if self._state is _State.HEADER and not self._may_end_header(chunk):
                return events
            chunk = bytes(self._held[:before]) + chunk
            self._held.clear()
        length = len(chunk)
        while 0 <= position < length and self._state is not _State.EPILOGUE:
            read = self._read_header if self._state is _State.HEADER else self._read_content
            position = read(chunk, position, events)
        return events

    def close(self) -> None:
        """Raise InvalidRequest unless the closing delimiter was read."""
        if not self.is_complete:
            raise InvalidRequest(_UNREADABLE)

    def _read_start(self, chunk: bytes) -> int:
        """Read a first delimiter at the very start, as nearly all senders write it; return the position behind it."""
        self._state = _State.PREAMBLE
        opening = self._delimiter[2:]
        if chunk.startswith(opening):
            follows, after = _what_follows(chunk, len(opening))
            if follows is _Follows.PART:
                self._state = _State.HEADER
                return after
        # A line end put before the first delimiter makes it like the others.
        self._held += b"\r\n"
        return 0

    def _read_content(self, chunk: bytes, start: int, events: list[Event]) -> int:
        """Read preamble or body up to the next delimiter; return where to go on, or -1 where the rest is held."""
        delimiter, search_from = self._delimiter, start
        while True:
            found = find_bytes(chunk, delimiter, search_from)
            if found < 0:
                self.bytes_scanned += len(chunk) - search_from
                return self._hold(chunk, start, _start_of_partial(chunk, search_from, delimiter), events)
            behind = found + len(delimiter)
            self.bytes_scanned += behind - search_from
            repeated = self._repeated
            if repeated and self._state is _State.BODY and chunk.startswith(repeated, behind):
                self._emit(chunk, start, found, events)
                events.append(_PART_END)
                self.bytes_scanned += len(repeated)
                start = search_from = self._begin_part(self._known, behind + len(repeated), events)
                continue
            follows, after = _what_follows(chunk, behind)
            if follows is _Follows.UNKNOWN:
                return self._hold(chunk, start, found, events)
            if follows is not _Follows.DATA:
                self._emit(chunk, start, found, events)
                self._end_content(follows, events)
                return after
            # Boundary characters hold no line end, so no delimiter can begin inside this one.
            search_from = behind

    def _hold(self, chunk: bytes, start: int, end: int, events: list[Event]) -> int:
        self._emit(chunk, start, end, events)
        self._held += chunk[end:]
        return -1

    def _emit(self, chunk: bytes, start: int, end: int, events: list[Event]) -> None:
        if self._state is _State.PREAMBLE:
            self._preamble_bytes += end - start
            if self._preamble_bytes > self._limits.preamble_bytes:
                raise InvalidRequest(_UNREADABLE)
        elif end > start:
            events.append(PartData(memoryview(chunk)[start:end]))

    def _end_content(self, follows: _Follows, events: list[Event]) -> None:
        if self._state is _State.BODY:
            events.append(_PART_END)
        if follows is _Follows.CLOSING:
            events.append(_END)
        self._state = _State.EPILOGUE if follows is _Follows.CLOSING else _State.HEADER

    def _may_end_header(self, chunk: bytes) -> bool:
        """Tell whether a header that began before a chunk is decided by it, looking only at new bytes."""
        held, limit = self._held, self._limits.part_header_bytes
        resume = max(0, len(held) - 3)
        held += chunk[: limit + 1]
        if held[:1] == b"\r":
            return True
        self.bytes_scanned += len(held) - resume
        return held.find(b"\r\n\r\n", resume) >= 0 or len(held) > limit

    def _read_header(self, chunk: bytes, start: int, events: list[Event]) -> int:
        """Read a part header; return where its body begins, or -1 where the rest is held."""
        known = self._known_header
        if known and chunk.startswith(known, start):
            self.bytes_scanned += len(known)
            return self._begin_part(self._known, start + len(known), events)
        if chunk[start] in b"\r":
            return self._read_empty_header(chunk, start, events)
        end = chunk.find(b"\r\n\r\n", start, start + self._limits.part_header_bytes)
        if end < 0:
            self.bytes_scanned += min(len(chunk) - start, self._limits.part_header_bytes)
            if len(chunk) - start > self._limits.part_header_bytes:
                raise InvalidRequest(_UNREADABLE)
            self._held += chunk[start:]
            return -1
        self.bytes_scanned += end + 4 - start
        self._known_header = chunk[start : end + 4]
        self._repeated = b"\r\n" + self._known_header
        self._known = PartBegin(parse_headers(self._known_header))
        return self._begin_part(self._known, end + 4, events)

    def _read_empty_header(self, chunk: bytes, start: int, events: list[Event]) -> int:
        """Read a header without lines.

        A delimiter that begins with the blank line itself closes a part that has neither header nor body: some senders
        write a request of no parts that way, so it counts as none.
        """
        delimiter = self._delimiter
        seen = chunk[start : start + len(delimiter)]
        if seen == delimiter:
            follows, after = _what_follows(chunk, start + len(delimiter))
            if follows in (_Follows.PART, _Follows.CLOSING):
                self._end_content(follows, events)
                return after
        else:
            follows = _Follows.UNKNOWN if delimiter.startswith(seen) else _Follows.DATA
        if follows is _Follows.UNKNOWN:
            self._held += chunk[start:]
            return -1
        if not seen.startswith(b"\r\n"):
            raise InvalidRequest(_UNREADABLE)
        return self._begin_part(PartBegin(_NO_HEADERS), start + 2, events)

    def _begin_part(self, event: PartBegin, position: int, events: list[Event]) -> int:
        self.parts += 1
        if self.parts > self._limits.parts:
            raise TooLarge(f"The request exceeded the allowed limit of {self._limits.parts} parts.")
        self._state = _State.BODY
        events.append(event)
        return position


def is_boundary(text: str) -> bool:
    """Tell whether text can be a boundary: printable ASCII, not too long."""
    return 0 < len(text) <= BOUNDARY_LENGTH_MAX and text.isascii() and text.isprintable()


def parse_headers(raw: bytes) -> Mapping[str, str]:
    """Return the headers of a part by lower-case name; lines that are no header make the request unreadable."""
    headers: dict[str, str] = {}
    for line in raw.decode("latin-1").split("\r\n"):
        name, colon, value = line.partition(":")
        if line and not colon:
            raise InvalidRequest(_UNREADABLE)
        if line:
            headers[name.strip().lower()] = value.strip()
    return MappingProxyType(headers)


def _start_of_partial(chunk: bytes, start: int, delimiter: bytes) -> int:
    """Return where the beginning of a delimiter stands at the end of a chunk, or the chunk's length."""
    # A delimiter holds one carriage return, its first byte: only the last one in the chunk can begin it.
    found = chunk.rfind(b"\r", max(start, len(chunk) - len(delimiter) + 1))
    return found if found >= 0 and delimiter.startswith(chunk[found:]) else len(chunk)


def _what_follows(chunk: bytes, behind: int) -> tuple[_Follows, int]:
    """Judge the bytes behind those of a delimiter; return where the thing that follows begins."""
    mark = chunk[behind : behind + 2]
    if mark == b"\r\n":
        return _Follows.PART, behind + 2
    if mark == b"--":
        return _Follows.CLOSING, behind + 2
    position, last = behind, behind + PADDING_LENGTH_MAX
    while position < last and chunk[position : position + 1] in (b" ", b"\t"):
        position += 1
    mark = chunk[position : position + 2]
    if mark == b"\r\n":
        return _Follows.PART, position + 2
    if mark in (b"", b"\r") or (mark == b"-" and position == behind):
        return _Follows.UNKNOWN, behind
    return _Follows.DATA, behind


def multipart_content_type(boundary: str, part_type: str) -> str:
    """Return the Content-Type of a multipart/related message whose root part has the given type."""
    return f'multipart/related; type="{part_type}"; boundary={boundary}'


def encode_part_header(
    boundary: str,
    content_type: str,
    *,
    is_first: bool = False,
    content_location: str | None = None,
    content_length: int | None = None,
) -> bytes:
    """Return the delimiter and header before a part's bytes."""
    lines = [f"--{boundary}" if is_first else f"\r\n--{boundary}", f"Content-Type: {content_type}"]
    if content_location is not None:
        lines.append(f"Content-Location: {content_location}")
    if content_length is not None:
        lines.append(f"Content-Length: {content_length}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def encode_closing(boundary: str) -> bytes:
    """Return what ends a multipart message."""
    return f"\r\n--{boundary}--\r\n".encode("ascii")
