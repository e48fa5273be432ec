"""Decode the stream of PDUs as it arrives (PS3.8 9.3).

A P-DATA-TF PDU is never held: its PDVs leave as views of the bytes that brought them, in as many pieces as those came
in. The other PDUs are collected whole, once their announced length is known to be within its limit.

    PDU header --> body of another PDU --> PDU header ...
        |
        └── P-DATA-TF --> PDV header --> PDV data --> PDV header ... --> PDU header ...
"""

from __future__ import annotations

from enum import Enum
from struct import Struct

from isocenter.dimse.ul.associate_decoder import ASSOCIATE_LENGTH_MIN, decode_associate_ac, decode_associate_rq
from isocenter.dimse.ul.errors import ProtocolViolation
from isocenter.dimse.ul.limits import ASSOCIATE_LENGTH_MAX, PDU_LENGTH_MAX, PDVS_PER_PDU_MAX
from isocenter.dimse.ul.pdu import (
    Abort,
    AbortReason,
    AssociateAc,
    AssociateRj,
    AssociateRq,
    Buffer,
    Pdv,
    ReleaseRp,
    ReleaseRq,
)

ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ, P_DATA_TF, RELEASE_RQ, RELEASE_RP, ABORT = range(1, 8)
"""PDU types (PS3.8 9.3.1)."""

_HEADER_LENGTH = 6
"""Of a PDU, and as it happens of a PDV."""
_SHORT_LENGTH = 4
"""A-ASSOCIATE-RJ, A-RELEASE-RQ, A-RELEASE-RP and A-ABORT have this length and no other (PS3.8 9.3.4 to 9.3.8)."""
_PDU_HEADER = Struct(">BxI")
_PDV_HEADER = Struct(">IBB")


class DataBegun(Enum):
    """A P-DATA-TF PDU begins; its PDVs follow."""

    MARK = "P-DATA-TF"


Decoded = AssociateRq | AssociateAc | AssociateRj | DataBegun | Pdv | ReleaseRq | ReleaseRp | Abort | ProtocolViolation
"""A violation is the last thing that a decoder returns: behind it nobody knows where a PDU begins."""


class PduDecoder:
    """Decode the PDUs of one peer, fed in chunks of any size."""

    def __init__(self, *, associate_length_max: int = ASSOCIATE_LENGTH_MAX) -> None:
        self.data_length_max = PDU_LENGTH_MAX
        """Of P-DATA-TF PDUs: what was announced to the peer, 0 for no limit."""
        self._associate_length_max = associate_length_max
        self._held = bytearray()
        self._body_type = 0
        self._body_left = 0
        self._data_left = 0
        self._pdvs = 0
        self._pdv_left = 0
        self._context_id = 0
        self._is_command = False
        self._is_last = False
        self._is_stopped = False

    @property
    def held_bytes(self) -> int:
        """Return how many bytes wait for those that complete them."""
        return len(self._held)

    def stop(self) -> None:
        """Take nothing more."""
        self._is_stopped = True
        self._held.clear()

    def feed(self, data: Buffer) -> list[Decoded]:
        """Return what a chunk completes; views in it stay valid as long as the chunk does."""
        decoded: list[Decoded] = []
        if self._is_stopped:
            return decoded
        try:
            self._read(memoryview(data), decoded)
        except ProtocolViolation as violation:
            self.stop()
            decoded.append(violation)
        return decoded

    def _read(self, view: memoryview, decoded: list[Decoded]) -> None:
        position, length = 0, len(view)
        while position < length:
            if self._pdv_left:
                position = self._read_pdv_data(view, position, decoded)
            elif self._body_left:
                position = self._read_body(view, position, decoded)
            else:
                end = position + _HEADER_LENGTH - len(self._held)
                if end > length:
                    self._held += view[position:]
                    return
                header: Buffer = view[position:end]
                if self._held:
                    header = bytes(self._held) + header
                    self._held.clear()
                position = end
                if self._data_left:
                    self._read_pdv_header(header, decoded)
                else:
                    self._read_pdu_header(header, decoded)

    def _read_pdu_header(self, header: Buffer, decoded: list[Decoded]) -> None:
        pdu_type, length = _PDU_HEADER.unpack(header)
        if pdu_type == P_DATA_TF:
            self._begin_data(length, decoded)
            return
        if not ASSOCIATE_RQ <= pdu_type <= ABORT:
            raise ProtocolViolation("The type of a PDU is unknown.", reason=AbortReason.UNRECOGNIZED_PDU)
        is_associate = pdu_type in (ASSOCIATE_RQ, ASSOCIATE_AC)
        length_min = ASSOCIATE_LENGTH_MIN if is_associate else _SHORT_LENGTH
        length_max = self._associate_length_max if is_associate else _SHORT_LENGTH
        if not length_min <= length <= length_max:
            raise ProtocolViolation(f"A PDU of type {pdu_type:02X}H announces {length} bytes.")
        self._body_type, self._body_left = pdu_type, length

    def _begin_data(self, length: int, decoded: list[Decoded]) -> None:
        if length < _HEADER_LENGTH:
            raise ProtocolViolation("A P-DATA-TF PDU has no PDV.")
        if 0 < self.data_length_max < length:
            raise ProtocolViolation(
                f"A P-DATA-TF PDU announces {length} bytes; at most {self.data_length_max} were agreed on."
            )
        self._data_left, self._pdvs = length, 0
        decoded.append(DataBegun.MARK)

    def _read_pdv_header(self, header: Buffer, decoded: list[Decoded]) -> None:
        length, context_id, control = _PDV_HEADER.unpack(header)
        # The length counts context ID and message control header, which are read already.
        length -= 2
        left = self._data_left - _HEADER_LENGTH - length
        if length < 0 or not (left == 0 or left >= _HEADER_LENGTH):
            raise ProtocolViolation("A PDV does not fit into its PDU.")
        self._pdvs += 1
        if self._pdvs > PDVS_PER_PDU_MAX:
            raise ProtocolViolation(f"A P-DATA-TF PDU has at most {PDVS_PER_PDU_MAX} PDVs.")
        is_command, is_last = control & 1 == 1, control & 2 == 2
        if length:
            self._data_left -= _HEADER_LENGTH
            self._pdv_left = length
            self._context_id, self._is_command, self._is_last = context_id, is_command, is_last
        else:
            self._data_left = left
            decoded.append(Pdv(context_id, is_command, is_last, b""))

    def _read_pdv_data(self, view: memoryview, position: int, decoded: list[Decoded]) -> int:
        piece = view[position : position + self._pdv_left]
        taken = len(piece)
        self._pdv_left -= taken
        self._data_left -= taken
        is_last = self._is_last and not self._pdv_left
        decoded.append(Pdv(self._context_id, self._is_command, is_last, piece))
        return position + taken

    def _read_body(self, view: memoryview, position: int, decoded: list[Decoded]) -> int:
        piece = view[position : position + self._body_left]
        self._held += piece
        self._body_left -= len(piece)
        if not self._body_left:
            body = bytes(self._held)
            self._held.clear()
            decoded.append(_decode_body(self._body_type, body))
        return position + len(piece)


def _decode_body(pdu_type: int, body: bytes) -> Decoded:
    if pdu_type == ASSOCIATE_RQ:
        return decode_associate_rq(body)
    if pdu_type == ASSOCIATE_AC:
        return decode_associate_ac(body)
    if pdu_type == ASSOCIATE_RJ:
        return AssociateRj(result=body[1], source=body[2], reason=body[3])
    if pdu_type == RELEASE_RQ:
        return ReleaseRq()
    if pdu_type == RELEASE_RP:
        return ReleaseRp()
    return Abort(source=body[2], reason=body[3])
