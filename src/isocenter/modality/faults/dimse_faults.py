"""Faults of DIMSE on one connection: associations rejected or aborted, C-STOREs answered with a status. Sans-I/O.

PDUs pass as they came, byte for byte; only what a fault says is made anew. What is no DIMSE passes untouched.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from isocenter.dimse.message.assembler import DatasetFragment, MessageAssembler, MessageBegun, MessageEvent
from isocenter.dimse.message.command_set import encode_command
from isocenter.dimse.message.messages import CStoreRq, CStoreRsp
from isocenter.dimse.message.statuses import SUCCESS
from isocenter.dimse.ul.errors import ProtocolViolation
from isocenter.dimse.ul.pdu import Abort, AssociateRj, PDataTf, Pdv
from isocenter.dimse.ul.pdu_decoder import ASSOCIATE_RQ, P_DATA_TF, PduDecoder
from isocenter.dimse.ul.pdu_encoder import encode_pdu
from isocenter.modality.faults.action import Action, Cut, CutKind, Pass
from isocenter.modality.faults.board import ActiveFault, FaultBoard
from isocenter.modality.faults.fault import DimseAbort, DimseReject, DimseStatus, Direction
from isocenter.modality.faults.pdu_stream import PduStream

INSTANCES_COUNTED_MAX = 1_000_000
"""What a day of a hospital brings, in some 200 MB; later ones are carried and not counted."""


class _Messages:
    """The messages of one direction, seen in passing."""

    def __init__(self) -> None:
        self.pdus = PduStream()
        self._decoder = PduDecoder()
        self._decoder.data_length_max = 0  # how long PDUs may be is agreed on by the two ends
        self._assembler = MessageAssembler()
        self._is_lost = False

    def see(self, pdu: bytes) -> list[MessageEvent]:
        """Return what a PDU brings; nothing more once messages cannot be told."""
        if self._is_lost or self.pdus.is_opaque or pdu[0] != P_DATA_TF:
            return []
        try:
            events: list[MessageEvent] = []
            for decoded in self._decoder.feed(pdu):
                if isinstance(decoded, ProtocolViolation):
                    raise decoded
                if isinstance(decoded, Pdv):
                    events += self._assembler.feed(decoded)
        except ProtocolViolation:
            self._is_lost = True
            return []
        return events

    @property
    def is_within_command(self) -> bool:
        """Tell whether the next bytes belong to a message, of which nothing is known yet."""
        return not self._is_lost and not self._assembler.is_between_messages


class DimseFaults:
    """Decide what becomes of the association of one connection."""

    def __init__(self, board: FaultBoard, counts: Counter[str], instances: Counter[str]) -> None:
        self._board = board
        self._counts = counts
        self._instances = instances
        """How often each SOP Instance UID was sent."""
        self._requests, self._answers = _Messages(), _Messages()
        self._aborts: dict[int, tuple[ActiveFault, DimseAbort] | None] = {}
        self._answered = 0
        self._is_over = False
        self._swallowed: tuple[MessageBegun, CStoreRsp] | None = None
        self._overridden: dict[int, int] = {}
        """Status by message ID."""
        self._held = b""
        """The beginning of a response whose command is not complete."""

    def receive(self, direction: Direction, data: bytes) -> list[Action]:
        """Return what is to be done with bytes that came from the start of a direction."""
        actions: list[Action] = []
        messages = self._requests if direction is Direction.REQUESTS else self._answers
        take = self._take_request if direction is Direction.REQUESTS else self._take_answer
        for pdu in messages.pdus.feed(data):
            if self._is_over:
                break
            take(pdu, actions)
        return actions

    # From the requestor

    def _take_request(self, pdu: bytes, actions: list[Action]) -> None:
        if pdu[0] == ASSOCIATE_RQ and not self._requests.pdus.is_opaque:
            self._counts["associations"] += 1
            if self._rejects(actions):
                return
        events = self._requests.see(pdu)
        for event in events:
            if isinstance(event, MessageBegun) and isinstance(event.command, CStoreRq):
                self._counts["stores"] += 1
                self._count_instance(event.command.affected_sop_instance_uid)
                if self._aborts_before_store(actions):
                    return
                self._choose_status(event, event.command)
        if self._swallowed is None:
            actions.append(Pass(Direction.REQUESTS, pdu))
        elif any(isinstance(event, DatasetFragment) and event.is_last for event in events):
            self._answer_swallowed(actions)

    def _count_instance(self, sop_instance_uid: str) -> None:
        if sop_instance_uid in self._instances or len(self._instances) < INSTANCES_COUNTED_MAX:
            self._instances[sop_instance_uid] += 1

    def _rejects(self, actions: list[Action]) -> bool:
        for active, fault in self._board.of(DimseReject):
            if active.is_drawn() and active.strike():
                self._is_over = True
                answer = encode_pdu(AssociateRj(fault.result, fault.source, fault.reason))
                actions += [Pass(Direction.ANSWERS, answer), Cut(CutKind.CLOSE, Direction.ANSWERS)]
                return True
        return False

    def _choose_status(self, begun: MessageBegun, request: CStoreRq) -> None:
        for active, fault in self._board.of(DimseStatus):
            if not (active.is_drawn() and active.strike()):
                continue
            if fault.reaches_target:
                self._overridden[request.message_id] = fault.status
            else:
                response = CStoreRsp(
                    message_id_being_responded_to=request.message_id,
                    status=fault.status,
                    affected_sop_class_uid=request.affected_sop_class_uid,
                    affected_sop_instance_uid=request.affected_sop_instance_uid,
                )
                self._swallowed = (begun, response)
            return

    def _answer_swallowed(self, actions: list[Action]) -> None:
        assert self._swallowed is not None
        begun, response = self._swallowed
        self._swallowed = None
        self._count_answer(response)
        actions.append(Pass(Direction.ANSWERS, _encode_response(begun.context_id, response)))

    # From the acceptor

    def _take_answer(self, pdu: bytes, actions: list[Action]) -> None:
        events = self._answers.see(pdu)
        pdu = self._held + pdu
        if not events and self._answers.is_within_command and pdu[0] == P_DATA_TF and not self._answers.pdus.is_opaque:
            self._held = pdu
            return
        self._held = b""
        for event in events:
            if isinstance(event, MessageBegun) and isinstance(event.command, CStoreRsp):
                pdu = self._with_status(event, event.command, pdu)
                if self._aborts_in_place_of_answer(actions):
                    return
        actions.append(Pass(Direction.ANSWERS, pdu))

    def _with_status(self, begun: MessageBegun, response: CStoreRsp, pdu: bytes) -> bytes:
        status = self._overridden.pop(response.message_id_being_responded_to, None)
        if status is not None:
            response = replace(response, status=status)
            pdu = _encode_response(begun.context_id, response)
        self._count_answer(response)
        return pdu

    def _count_answer(self, response: CStoreRsp) -> None:
        self._answered += 1
        self._counts["stores answered"] += 1
        self._counts["stores succeeded"] += response.status == SUCCESS

    # Aborts

    def _aborts_before_store(self, actions: list[Action]) -> bool:
        return any(
            self._abort(active, fault, actions)
            for active, fault in self._drawn_aborts()
            if not fault.hides_answer and self._answered >= fault.after_instances
        )

    def _aborts_in_place_of_answer(self, actions: list[Action]) -> bool:
        return any(
            self._abort(active, fault, actions)
            for active, fault in self._drawn_aborts()
            if fault.hides_answer and self._answered > fault.after_instances
        )

    def _drawn_aborts(self) -> list[tuple[ActiveFault, DimseAbort]]:
        """Return the faults that this association drew when it first saw them."""
        found = []
        for active, fault in self._board.of(DimseAbort):
            if active.fault_id not in self._aborts:
                self._aborts[active.fault_id] = (active, fault) if active.is_drawn() else None
            drawn = self._aborts[active.fault_id]
            if drawn is not None:
                found.append(drawn)
        return found

    def _abort(self, active: ActiveFault, fault: DimseAbort, actions: list[Action]) -> bool:
        if not active.strike():
            return False
        self._is_over = True
        pdu = encode_pdu(Abort(fault.source, fault.reason))
        actions += [
            Pass(Direction.REQUESTS, pdu),
            Pass(Direction.ANSWERS, pdu),
            Cut(CutKind.CLOSE, Direction.ANSWERS),
        ]
        return True


def _encode_response(context_id: int, response: CStoreRsp) -> bytes:
    command = encode_command(response, has_dataset=False)
    return encode_pdu(PDataTf((Pdv(context_id, is_command=True, is_last=True, data=command),)))
