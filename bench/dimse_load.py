"""A lean DIMSE client on a raw socket: requests are built beforehand, answers are counted, not kept."""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bench import dimse_wire as wire
from bench.load import send_pieces

CALLING_AE_TITLE = "BENCHSCU"
STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
STUDY_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.3"
QUERY_LEVEL, STUDY_DATE, ACCESSION = 0x00080052, 0x00080020, 0x00080050
PATIENT_NAME, PATIENT_ID, STUDY_UID = 0x00100010, 0x00100020, 0x0020000D
UNLIMITED_PDU_LENGTH = 1 << 20
"""For a peer that takes PDUs of any length."""

Request = list[wire.Buffer]


@dataclass(frozen=True, slots=True)
class Stored:
    """An instance as it is sent."""

    sop_class_uid: str
    sop_instance_uid: str
    dataset: memoryview


class Retrieved(NamedTuple):
    """What a C-GET or C-MOVE ended with."""

    instances: int
    dataset_bytes: int


class NotOfferedError(Exception):
    """The server accepted no context for what is to be measured."""


class DimseConnection:
    """One association, opened."""

    def __init__(self, port: int, *, called_ae_title: str, contexts: Sequence[wire.Context]) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), wire.TIMEOUT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = wire.PduReader(self._socket)
        self._socket.sendall(_associate_rq(called_ae_title, contexts))
        kind, body = self._reader.read_pdu()
        if kind != wire.ASSOCIATE_AC:
            raise ConnectionError(f"the association was not accepted: PDU {kind}, {bytes(body).hex()}")
        self.context_ids: dict[str, int] = {}
        self.pdu_length = UNLIMITED_PDU_LENGTH
        for item_kind, content in wire.items_of(bytes(body), 68):
            if item_kind == 0x21 and content[2] == 0:
                self.context_ids[contexts[content[0] // 2].abstract_syntax_uid] = content[0]
            elif item_kind == 0x50:
                length = dict(wire.items_of(content)).get(0x51, bytes(4))
                self.pdu_length = struct.unpack(">I", length)[0] or UNLIMITED_PDU_LENGTH

    def store_request(self, instance: Stored, message_id: int) -> Request:
        """Return the buffers of a C-STORE-RQ."""
        command = {
            wire.SOP_CLASS: wire.uid(instance.sop_class_uid),
            wire.COMMAND: wire.number(wire.C_STORE_RQ),
            wire.MESSAGE_ID: wire.number(message_id),
            wire.PRIORITY: wire.number(0),
            wire.DATASET_TYPE: wire.number(1),
            wire.SOP_INSTANCE: wire.uid(instance.sop_instance_uid),
        }
        return self._request(instance.sop_class_uid, command, instance.dataset)

    def find_request(self, identifier: bytes) -> Request:
        """Return the buffers of a C-FIND-RQ."""
        return self._request(STUDY_ROOT_FIND, _query_command(STUDY_ROOT_FIND, wire.C_FIND_RQ), identifier)

    def get_request(self, identifier: bytes) -> Request:
        """Return the buffers of a C-GET-RQ."""
        return self._request(STUDY_ROOT_GET, _query_command(STUDY_ROOT_GET, wire.C_GET_RQ), identifier)

    def move_request(self, identifier: bytes, destination: str) -> Request:
        """Return the buffers of a C-MOVE-RQ."""
        command = {
            **_query_command(STUDY_ROOT_MOVE, wire.C_MOVE_RQ),
            wire.DESTINATION: wire.title(destination),
        }
        return self._request(STUDY_ROOT_MOVE, command, identifier)

    def store(self, request: Request) -> None:
        """Send an instance and wait for its acknowledgement."""
        send_pieces(self._socket, request)
        _check(self._receive())

    def find(self, request: Request) -> int:
        """Ask and return how many matches came."""
        send_pieces(self._socket, request)
        count = 0
        while (status := wire.read_number((message := self._receive()).command, wire.STATUS)) in wire.PENDING:
            count += 1
        _check(message, status)
        return count

    def move(self, request: Request) -> None:
        """Ask for a move and wait for its end."""
        send_pieces(self._socket, request)
        while wire.read_number((message := self._receive()).command, wire.STATUS) in wire.PENDING:
            pass
        _check(message)

    def get(self, request: Request) -> Retrieved:
        """Ask for instances, acknowledge each, and return how many came."""
        send_pieces(self._socket, request)
        instances = dataset_bytes = 0
        while True:
            message = self._receive()
            if wire.read_number(message.command, wire.COMMAND) == wire.C_STORE_RQ:
                instances += 1
                dataset_bytes += message.dataset_bytes
                self._socket.sendall(store_response(message))
            elif wire.read_number(message.command, wire.STATUS) not in wire.PENDING:
                _check(message)
                return Retrieved(instances, dataset_bytes)

    def close(self) -> None:
        """Release the association and close the connection."""
        try:
            self._socket.sendall(wire.release_pdu(wire.RELEASE_RQ))
            self._reader.read_pdu()
        finally:
            self._socket.close()

    def _request(self, sop_class_uid: str, command: wire.Command, dataset: wire.Buffer) -> Request:
        if sop_class_uid not in self.context_ids:
            raise NotOfferedError(sop_class_uid)
        context_id = self.context_ids[sop_class_uid]
        return wire.message_pieces(context_id, wire.encode_command(command), dataset, pdu_length=self.pdu_length)

    def _receive(self) -> wire.Message:
        message = self._reader.read_message()
        if message is None:
            raise ConnectionError("the peer released the association")
        return message


def store_response(message: wire.Message) -> bytes:
    """Return the PDU that acknowledges an instance."""
    command = {
        wire.SOP_CLASS: message.command[wire.SOP_CLASS],
        wire.COMMAND: wire.number(wire.C_STORE_RSP),
        wire.RESPONDED_ID: message.command[wire.MESSAGE_ID],
        wire.DATASET_TYPE: wire.number(wire.NO_DATASET),
        wire.STATUS: wire.number(0),
        wire.SOP_INSTANCE: message.command[wire.SOP_INSTANCE],
    }
    return bytes(wire.message_pieces(message.context_id, wire.encode_command(command))[0])


def study_identifier(**keys: str) -> bytes:
    """Return the identifier of a query for studies, with values for `patient_id` or `study_instance_uid`."""
    return wire.encode_identifier(
        [
            (QUERY_LEVEL, "CS", "STUDY"),
            (STUDY_DATE, "DA", ""),
            (ACCESSION, "SH", ""),
            (PATIENT_NAME, "PN", ""),
            (PATIENT_ID, "LO", keys.get("patient_id", "")),
            (STUDY_UID, "UI", keys.get("study_instance_uid", "")),
        ]
    )


def retrieve_identifier(study_instance_uid: str) -> bytes:
    """Return the identifier of a retrieval of one study."""
    return wire.encode_identifier([(QUERY_LEVEL, "CS", "STUDY"), (STUDY_UID, "UI", study_instance_uid)])


def _associate_rq(called_ae_title: str, contexts: Sequence[wire.Context]) -> bytes:
    titles = called_ae_title.encode().ljust(16) + CALLING_AE_TITLE.encode().ljust(16)
    items = roles = b""
    for index, context in enumerate(contexts):
        abstract = wire.item(0x30, context.abstract_syntax_uid.encode())
        transfer = wire.item(0x40, context.transfer_syntax_uid.encode())
        items += wire.item(0x20, bytes([2 * index + 1, 0, 0, 0]) + abstract + transfer)
        if context.as_scp:
            name = context.abstract_syntax_uid.encode()
            roles += wire.item(0x54, struct.pack(">H", len(name)) + name + b"\0\1")
    return wire.associate_pdu(wire.ASSOCIATE_RQ, titles, items + wire.user_information(roles))


def _query_command(sop_class_uid: str, command: int) -> wire.Command:
    return {
        wire.SOP_CLASS: wire.uid(sop_class_uid),
        wire.COMMAND: wire.number(command),
        wire.MESSAGE_ID: wire.number(1),
        wire.PRIORITY: wire.number(0),
        wire.DATASET_TYPE: wire.number(1),
    }


def _check(message: wire.Message, status: int | None = None) -> None:
    found = wire.read_number(message.command, wire.STATUS) if status is None else status
    if found:
        raise RuntimeError(f"DIMSE status {found:04X}")
