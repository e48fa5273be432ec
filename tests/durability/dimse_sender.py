"""A sender of C-STORE that writes what was acknowledged into a history: blocking, one instance after the other."""

from __future__ import annotations

import socket
import time

from isocenter.dicom.file_meta import write_file_head
from isocenter.dicom.part10 import read_encoding
from isocenter.dimse.message.assembler import MessageAssembler, MessageBegun
from isocenter.dimse.message.fragmenter import iter_pdvs
from isocenter.dimse.message.messages import CStoreRq, CStoreRsp
from isocenter.dimse.ul.association import Association
from isocenter.dimse.ul.events import AssociationAccepted, PdvReceived
from isocenter.dimse.ul.limits import AssociationLimits
from isocenter.dimse.ul.pdu import AssociateRq, PresentationContextRq
from isocenter.dimse.ul.user_information import UserInformation
from tests.durability.client import NodeGone
from tests.durability.history import History
from tests.support.instances import CT_IMAGE_STORAGE, EXPLICIT_VR_LITTLE_ENDIAN
from tests.support.small_instances import SmallInstance

AE_TITLE = "NODE"
CALLER = "KILLER"
CONTEXT_ID = 1
PDU_LENGTH_MAX = 131_072
ANSWER_TIMEOUT_S = 60


def as_stored(instance: SmallInstance) -> SmallInstance:
    """Return an instance as it lies in the archive after a C-STORE: its data set behind a head of the node's."""
    dataset = dataset_of(instance)
    head = write_file_head(
        sop_class_uid=CT_IMAGE_STORAGE,
        sop_instance_uid=instance.identifier.sop_instance_uid,
        transfer_syntax_uid=EXPLICIT_VR_LITTLE_ENDIAN,
        source_ae_title=CALLER,
    )
    content = head + dataset
    frame_length = len(instance.content) - instance.pixel_offset
    return SmallInstance(instance.identifier, content, len(content) - frame_length)


def dataset_of(instance: SmallInstance) -> bytes:
    """Return the bytes of its data set."""
    return instance.content[read_encoding(instance.content)[1] :]


class DimseSender:
    """One association."""

    def __init__(self, port: int, history: History) -> None:
        self._history = history
        self._assembler = MessageAssembler()
        self._message_id = 0
        request = AssociateRq(
            called_ae_title=AE_TITLE,
            calling_ae_title=CALLER,
            presentation_contexts=(PresentationContextRq(CONTEXT_ID, CT_IMAGE_STORAGE, (EXPLICIT_VR_LITTLE_ENDIAN,)),),
            user_information=UserInformation(PDU_LENGTH_MAX, "1.2.3.4", "TEST"),
        )
        self._association = Association.requestor(request, AssociationLimits(), now_s=time.monotonic())
        try:
            self._socket = socket.create_connection(("127.0.0.1", port), ANSWER_TIMEOUT_S)
            while not any(isinstance(event, AssociationAccepted) for event in self._exchange()):
                pass
        except OSError as error:
            raise NodeGone(str(error)) from error

    def __enter__(self) -> DimseSender:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def store(self, instance: SmallInstance) -> int:
        """Send an instance and return the status of the answer; raise NodeGone where none comes."""
        stored = as_stored(instance)
        before = self._history.begin_store(stored)
        self._message_id = self._message_id % 0xFFFF + 1
        request = CStoreRq(
            message_id=self._message_id,
            affected_sop_class_uid=CT_IMAGE_STORAGE,
            affected_sop_instance_uid=instance.identifier.sop_instance_uid,
        )
        length_max = self._association.peer_pdu_length_max
        pdvs = iter_pdvs(CONTEXT_ID, request, dataset=[dataset_of(instance)], pdu_length_max=length_max)
        self._association.send_pdvs(list(pdvs))
        status = self._answer()
        if status == 0:
            self._history.acknowledge(stored.identifier, stored.digest)
        elif status in REFUSED:
            self._history.refused(stored.identifier, before)
        return status

    def _answer(self) -> int:
        try:
            while True:
                for event in self._exchange():
                    if isinstance(event, PdvReceived):
                        for message in self._assembler.feed(event.pdv):
                            assert isinstance(message, MessageBegun)
                            assert isinstance(message.command, CStoreRsp)
                            return message.command.status
        except OSError as error:
            raise NodeGone(str(error)) from error

    def _exchange(self) -> list[object]:
        """Send what waits, and return what came."""
        for buffer in self._association.take_outgoing():
            self._socket.sendall(buffer)
        data = self._socket.recv(65_536)
        if not data:
            raise NodeGone("the node closed the connection")
        return list(self._association.receive(data, now_s=time.monotonic()))


REFUSED = frozenset({0xA700})
"""Answers that promise that nothing was kept."""
