"""The fuzz targets of DIMSE: any input gives values, a refusal or a protocol violation, in bounded memory.

The corpus stands beside the tests that run it, one input a line in hexadecimal; `scripts/fuzz_dimse.py` extends it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from isocenter.dimse.message.assembler import MessageAssembler
from isocenter.dimse.message.command_set import CommandUnusable, decode_command, encode_command
from isocenter.dimse.message.fragmenter import iter_pdvs
from isocenter.dimse.message.messages import CFindRsp, CStoreRq, NGetRq
from isocenter.dimse.ul.errors import ProtocolViolation
from isocenter.dimse.ul.events import Event, PdvReceived
from isocenter.dimse.ul.limits import ASSOCIATE_LENGTH_MAX
from isocenter.dimse.ul.pdu import REJECT_CALLED_AE_TITLE, Abort, PDataTf, ReleaseRp, ReleaseRq
from isocenter.dimse.ul.pdu_decoder import PduDecoder
from isocenter.dimse.ul.pdu_encoder import encode_pdu
from isocenter.dimse.ul.user_information import (
    AsyncOperationsWindow,
    CommonExtendedNegotiation,
    ExtendedNegotiation,
    RoleSelection,
    UserIdentityRq,
    UserInformation,
)
from tests.support.dimse_wire import ANSWER, PDU_LENGTH_MAX, REACHABLE_STATES, REQUEST, in_state, joined, sent_by

CORPUS = Path(__file__).resolve().parent.parent / "unit" / "dimse" / "corpus"
_EVERYTHING = UserInformation(
    maximum_length_received=4096,
    implementation_class_uid="1.2.3",
    implementation_version_name="NAME",
    async_operations_window=AsyncOperationsWindow(2, 3),
    role_selections=(RoleSelection("1.2", True, True),),
    extended_negotiations=(ExtendedNegotiation("1.2", b"\1\1"),),
    common_extended_negotiations=(CommonExtendedNegotiation("1.2", "1.3", ("1.4", "1.5")),),
    user_identity=UserIdentityRq(2, True, b"name", b"word"),
)
_STORE = CStoreRq(message_id=7, affected_sop_class_uid="1.2.3", affected_sop_instance_uid="1.2.3.4")


def fuzz_stream(data: bytes) -> None:
    """Feed a stream to an association in some state, and what comes of it to an assembler: whole and in pieces.

    The first byte chooses the state, the second the length of the pieces.
    """
    state = REACHABLE_STATES[data[0] % len(REACHABLE_STATES)] if data else REACHABLE_STATES[0]
    piece_length = data[1] + 1 if len(data) > 1 else 1
    stream = data[2:]
    whole, pieces = in_state(state), in_state(state)
    events = whole.receive(stream, now_s=2)
    told = [
        event
        for at in range(0, len(stream), piece_length)
        for event in pieces.receive(stream[at : at + piece_length], now_s=2)
    ]
    assert joined(told) == joined(events)
    assert pieces.state is whole.state
    assert sent_by(pieces) == sent_by(whole)
    _assemble(events)
    _check_decoder(stream)


def _assemble(events: list[Event]) -> None:
    assembler = MessageAssembler()
    for event in events:
        if isinstance(event, PdvReceived):
            try:
                assembler.feed(event.pdv)
            except ProtocolViolation:
                return


def _check_decoder(stream: bytes) -> None:
    decoder = PduDecoder()
    decoded = decoder.feed(stream)
    assert decoder.held_bytes <= min(len(stream), ASSOCIATE_LENGTH_MAX)
    assert not any(isinstance(each, ProtocolViolation) for each in decoded[:-1])


def fuzz_command(data: bytes) -> None:
    """Decode a command set; what is a message can be encoded and is the same again."""
    try:
        message, has_dataset = decode_command(data)
    except ProtocolViolation:
        return
    except CommandUnusable as unusable:
        # What the peer is owed can be sent.
        encode_command(unusable.answer, has_dataset=False)
        return
    again = encode_command(message, has_dataset=has_dataset)
    assert encode_command(decode_command(again).message, has_dataset=has_dataset) == again


TARGETS: dict[str, Callable[[bytes], None]] = {"stream": fuzz_stream, "command": fuzz_command}


def iter_corpus(target: str) -> Iterator[bytes]:
    """Yield the kept inputs of a target."""
    for line in (CORPUS / f"{target}.hex").read_text(encoding="ascii").splitlines():
        yield bytes.fromhex(line)


def seeds(target: str) -> list[bytes]:
    """Return inputs to begin with, which are in order."""
    if target == "command":
        listed = NGetRq(
            message_id=1,
            requested_sop_class_uid="1.2",
            requested_sop_instance_uid="1.3",
            attribute_identifier_list=(0x00100010,),
        )
        found = CFindRsp(message_id_being_responded_to=1, status=0xFF00, error_comment="Comment")
        return [encode_command(message, has_dataset=True) for message in (_STORE, listed, found)]
    message = [
        encode_pdu(PDataTf((pdv,))) for pdv in iter_pdvs(1, _STORE, dataset=[bytes(20)], pdu_length_max=PDU_LENGTH_MAX)
    ]
    pdus = (
        REQUEST,
        replace(REQUEST, user_information=_EVERYTHING),
        ANSWER,
        REJECT_CALLED_AE_TITLE,
        ReleaseRq(),
        ReleaseRp(),
        Abort(2, 1),
    )
    streams = [*(encode_pdu(pdu) for pdu in pdus), b"".join(message), b"".join(message) + encode_pdu(ReleaseRq())]
    return [bytes((state, 6)) + stream for state in range(len(REACHABLE_STATES)) for stream in streams]
