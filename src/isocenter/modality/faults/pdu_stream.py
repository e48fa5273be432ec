"""Whole PDUs out of a stream of bytes (PS3.8 9.3.1), as they came."""

from __future__ import annotations

from struct import Struct

from isocenter.dimse.ul.pdu_decoder import ABORT, ASSOCIATE_RQ

PDU_LENGTH_MAX = 1024 * 1024
"""Eight times what any peer that we know sends; a stream with a longer one passes without being looked into."""
_HEADER = Struct(">BxI")


class PduStream:
    """Collect the PDUs of one direction; from what is none on, everything passes as it comes."""

    def __init__(self) -> None:
        self._held = bytearray()
        self.is_opaque = False

    def feed(self, data: bytes) -> list[bytes]:
        """Return the PDUs that bytes complete; once opaque, the bytes."""
        self._held += data
        pdus: list[bytes] = []
        while not self.is_opaque and len(self._held) >= _HEADER.size:
            pdu_type, length = _HEADER.unpack_from(self._held)
            if not ASSOCIATE_RQ <= pdu_type <= ABORT or length > PDU_LENGTH_MAX:
                self.is_opaque = True
                break
            if len(self._held) < _HEADER.size + length:
                break
            pdus.append(self._take(_HEADER.size + length))
        if self.is_opaque and self._held:
            pdus.append(self._take(len(self._held)))
        return pdus

    def _take(self, size: int) -> bytes:
        pdu = bytes(self._held[:size])
        del self._held[:size]
        return pdu
