"""What the lean client and the lean sink know of DIMSE: PDUs in and out, command sets, nothing more (PS3.7, PS3.8)."""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

APPLICATION_CONTEXT = b"1.2.840.10008.3.1.1.1"
EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
IMPLEMENTATION_CLASS_UID = b"1.2.826.0.1.3680043.10.1488.9"
ASSOCIATE_RQ, ASSOCIATE_AC, P_DATA_TF, RELEASE_RQ, RELEASE_RP, ABORT = 1, 2, 4, 5, 6, 7
PDU_LENGTH_MAX = 131_072
"""What client and sink announce; servers cut what they send to it."""
RECEIVE_BYTES = 1 << 20
TIMEOUT_S = 300

C_STORE_RQ, C_STORE_RSP, C_GET_RQ, C_FIND_RQ, C_MOVE_RQ = 0x0001, 0x8001, 0x0010, 0x0020, 0x0021
SOP_CLASS, COMMAND, MESSAGE_ID, RESPONDED_ID, DESTINATION = 0x0002, 0x0100, 0x0110, 0x0120, 0x0600
PRIORITY, DATASET_TYPE, STATUS, SOP_INSTANCE = 0x0700, 0x0800, 0x0900, 0x1000
NO_DATASET = 0x0101
PENDING = (0xFF00, 0xFF01)

_PDU = struct.Struct(">BxI")
_PDV = struct.Struct(">IBB")
_PDU_WITH_PDV = struct.Struct(">BxIIBB")
_ELEMENT = struct.Struct("<HHI")

Buffer = bytes | memoryview
Command = Mapping[int, bytes]


class Message(NamedTuple):
    """What came: its context, its command by element number, and how long its data set is."""

    context_id: int
    command: Command
    dataset_bytes: int


@dataclass(frozen=True, slots=True)
class Context:
    """A presentation context as it is proposed, and the roles that are asked for its SOP class."""

    abstract_syntax_uid: str
    transfer_syntax_uid: str = EXPLICIT_VR_LITTLE_ENDIAN
    as_scp: bool = False


def number(value: int) -> bytes:
    """Return a US value."""
    return struct.pack("<H", value)


def uid(value: str) -> bytes:
    """Return a UI value."""
    encoded = value.encode()
    return encoded + b"\0" * (len(encoded) % 2)


def title(value: str) -> bytes:
    """Return an AE value."""
    encoded = value.encode()
    return encoded + b" " * (len(encoded) % 2)


def read_number(command: Command, element: int) -> int:
    """Return a US value of a command."""
    return int.from_bytes(command[element], "little")


def encode_command(elements: Command) -> bytes:
    """Return a command set with its group length."""
    body = b"".join(_ELEMENT.pack(0, element, len(value)) + value for element, value in sorted(elements.items()))
    return _ELEMENT.pack(0, 0, 4) + struct.pack("<I", len(body)) + body


def encode_identifier(elements: Sequence[tuple[int, str, str]]) -> bytes:
    """Return a data set of short texts (tag, VR, value) in explicit VR little endian."""
    encoded = b""
    for tag, vr, text in sorted(elements):
        value = uid(text) if vr == "UI" else title(text)
        encoded += struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), len(value)) + value
    return encoded


def message_pieces(
    context_id: int, command: bytes, dataset: Buffer | None = None, *, pdu_length: int = PDU_LENGTH_MAX
) -> list[Buffer]:
    """Return the buffers of a message: the command in one PDU, the data set cut and not copied."""
    pieces: list[Buffer] = [_PDU_WITH_PDV.pack(P_DATA_TF, len(command) + 6, len(command) + 2, context_id, 3) + command]
    if dataset is None:
        return pieces
    view, size = memoryview(dataset), pdu_length - 6
    for start in range(0, len(view), size):
        piece = view[start : start + size]
        is_last = start + size >= len(view)
        pieces += (_PDU_WITH_PDV.pack(P_DATA_TF, len(piece) + 6, len(piece) + 2, context_id, 2 * is_last), piece)
    return pieces


def item(kind: int, content: bytes) -> bytes:
    """Return an item of an association PDU."""
    return struct.pack(">BxH", kind, len(content)) + content


def user_information(roles: bytes = b"") -> bytes:
    """Return the user information that client and sink announce."""
    lengths = item(0x51, struct.pack(">I", PDU_LENGTH_MAX))
    return item(0x50, lengths + item(0x52, IMPLEMENTATION_CLASS_UID) + roles)


def associate_pdu(kind: int, titles: bytes, items: bytes) -> bytes:
    """Return an A-ASSOCIATE-RQ or -AC."""
    body = struct.pack(">HH", 1, 0) + titles + bytes(32) + item(0x10, APPLICATION_CONTEXT) + items
    return _PDU.pack(kind, len(body)) + body


def items_of(content: bytes, start: int = 0) -> list[tuple[int, bytes]]:
    """Return the items of an association PDU or of an item."""
    found = []
    while start + 4 <= len(content):
        kind, length = struct.unpack_from(">BxH", content, start)
        found.append((kind, content[start + 4 : start + 4 + length]))
        start += 4 + length
    return found


def release_pdu(kind: int) -> bytes:
    """Return an A-RELEASE-RQ or -RP."""
    return _PDU.pack(kind, 4) + bytes(4)


class PduReader:
    """Reads PDUs from a socket into one buffer; what it returns is valid until the next call."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._buffer = bytearray(RECEIVE_BYTES)
        self._view = memoryview(self._buffer)
        self._start = self._end = 0

    def read_pdu(self) -> tuple[int, memoryview]:
        """Return type and body of the next PDU."""
        self._need(6)
        kind, length = _PDU.unpack_from(self._buffer, self._start)
        self._need(6 + length)
        body = self._view[self._start + 6 : self._start + 6 + length]
        self._start += 6 + length
        return kind, body

    def read_message(self) -> Message | None:
        """Return the next message, its data set counted and thrown away; None at a request to release."""
        command_bytes, command, dataset_bytes = b"", {}, 0
        while True:
            kind, body = self.read_pdu()
            if kind == RELEASE_RQ:
                return None
            if kind != P_DATA_TF:
                raise ConnectionError(f"a PDU of type {kind} came: {bytes(body).hex()}")
            position = 0
            while position < len(body):
                length, context_id, flags = _PDV.unpack_from(body, position)
                fragment = body[position + 6 : position + 4 + length]
                position += 4 + length
                if flags & 1:
                    command_bytes += fragment
                    if flags & 2:
                        command = _decode_command(command_bytes)
                        if read_number(command, DATASET_TYPE) == NO_DATASET:
                            return Message(context_id, command, 0)
                else:
                    dataset_bytes += len(fragment)
                    if flags & 2:
                        return Message(context_id, command, dataset_bytes)

    def _need(self, count: int) -> None:
        have = self._end - self._start
        if have >= count:
            return
        if self._start + count > RECEIVE_BYTES:
            self._buffer[:have] = self._buffer[self._start : self._end]
            self._start, self._end = 0, have
        while self._end - self._start < count:
            received = self._socket.recv_into(self._view[self._end :])
            if not received:
                raise EOFError("the peer closed the connection")
            self._end += received


def _decode_command(encoded: bytes) -> dict[int, bytes]:
    elements, position = {}, 0
    while position + 8 <= len(encoded):
        _group, element, length = _ELEMENT.unpack_from(encoded, position)
        elements[element] = encoded[position + 8 : position + 8 + length]
        position += 8 + length
    return elements
