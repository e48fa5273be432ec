"""A peer that does what a test wants, right or wrong: PDUs on a bare connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from isocenter.dimse.message.assembler import DatasetFragment, MessageAssembler, MessageBegun
from isocenter.dimse.message.fragmenter import iter_pdvs
from isocenter.dimse.message.messages import CStoreRq, CStoreRsp, Message
from isocenter.dimse.ul.negotiation import AcceptedSyntax, AcceptorRole, NegotiationPolicy, negotiate
from isocenter.dimse.ul.pdu import (
    Abort,
    AssociateAc,
    AssociateRj,
    AssociateRq,
    Pdu,
    Pdv,
    PresentationContextRq,
    ReleaseRp,
    ReleaseRq,
)
from isocenter.dimse.ul.pdu_decoder import DataBegun, PduDecoder
from isocenter.dimse.ul.pdu_encoder import encode_data_header, encode_pdu
from isocenter.dimse.ul.user_information import (
    AsyncOperationsWindow,
    RoleSelection,
    UserIdentityRq,
    UserInformation,
)
from tests.support.instances import CT_IMAGE_STORAGE, EXPLICIT_VR_LITTLE_ENDIAN

VERIFICATION = "1.2.840.10008.1.1"
IMPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2"
PDU_LENGTH_MAX = 16_384
WAIT_S = 20.0

Answer = AssociateAc | AssociateRj | ReleaseRp | ReleaseRq | Abort


@dataclass(frozen=True, slots=True)
class Received:
    """A message that came."""

    context_id: int
    message: Message
    dataset: bytes


def associate_rq(
    *contexts: tuple[str, str],
    called: str = "NODE",
    calling: str = "CALLER",
    window: AsyncOperationsWindow | None = None,
    roles: Sequence[RoleSelection] = (),
    user: UserIdentityRq | None = None,
) -> AssociateRq:
    """Return a request; contexts are pairs of abstract and transfer syntax with the ids 1, 3, 5 and so on."""
    proposed = contexts or ((VERIFICATION, IMPLICIT_VR_LITTLE_ENDIAN), (CT_IMAGE_STORAGE, EXPLICIT_VR_LITTLE_ENDIAN))
    return AssociateRq(
        called_ae_title=called,
        calling_ae_title=calling,
        presentation_contexts=tuple(
            PresentationContextRq(2 * index + 1, abstract, (transfer,))
            for index, (abstract, transfer) in enumerate(proposed)
        ),
        user_information=UserInformation(
            PDU_LENGTH_MAX,
            "1.2.3.4",
            "RAW",
            async_operations_window=window,
            role_selections=tuple(roles),
            user_identity=user,
        ),
    )


def message_bytes(
    context_id: int, message: Message, dataset: bytes | None = None, *, pdu_length: int = PDU_LENGTH_MAX
) -> bytes:
    """Return a message as P-DATA-TF PDUs."""
    pieces = None if dataset is None else [dataset]
    pdvs = iter_pdvs(context_id, message, dataset=pieces, pdu_length_max=pdu_length)
    return b"".join(encode_data_header(pdv) + bytes(pdv.data) for pdv in pdvs)


def store_rq(sop_instance_uid: str, *, message_id: int = 1, sop_class_uid: str = CT_IMAGE_STORAGE) -> CStoreRq:
    """Return a C-STORE-RQ."""
    return CStoreRq(
        message_id=message_id, affected_sop_class_uid=sop_class_uid, affected_sop_instance_uid=sop_instance_uid
    )


class RawPeer:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer
        self._decoder = PduDecoder()
        self._assembler = MessageAssembler()
        self._pdus: list[Answer] = []
        self._messages: list[Received] = []
        self._command: MessageBegun | None = None
        self._request: AssociateRq | None = None
        self._dataset = bytearray()
        self.is_over = False
        """The other end has closed the connection."""

    async def send(self, *data: bytes | Pdu) -> None:
        """Send bytes, or PDUs."""
        for each in data:
            self.writer.write(each if isinstance(each, bytes) else encode_pdu(each))
        await self.writer.drain()

    async def send_message(self, context_id: int, message: Message, dataset: bytes | None = None) -> None:
        """Send a message."""
        await self.send(message_bytes(context_id, message, dataset))

    async def associate(self, request: AssociateRq | None = None) -> Answer:
        """Request an association and return the answer."""
        await self.send(request or associate_rq())
        return await self.pdu()

    async def accept(self) -> None:
        """Wait for a request and accept all its contexts, as the acceptor."""
        while self._request is None:
            await self._read()
        policy = NegotiationPolicy(
            lambda uid: AcceptedSyntax(None, AcceptorRole.BOTH), PDU_LENGTH_MAX, "1.2.3.5", "RAW"
        )
        await self.send(negotiate(self._request, policy))

    async def release(self) -> Answer:
        """Release the association and return what came."""
        await self.send(ReleaseRq())
        return await self.pdu()

    async def pdu(self) -> Answer:
        """Return the next PDU that carries no data."""
        while not self._pdus:
            await self._read()
        return self._pdus.pop(0)

    async def message(self) -> Received:
        """Return the next message."""
        while not self._messages:
            await self._read()
        return self._messages.pop(0)

    async def end(self) -> None:
        """Wait until the other end closes the connection."""
        while not self.is_over:
            with suppress(EOFError):
                await self._read()

    async def _read(self) -> None:
        async with asyncio.timeout(WAIT_S):
            try:
                data = await self._reader.read(65536)
            except ConnectionError:
                data = b""
        if not data:
            self.is_over = True
            raise EOFError
        for decoded in self._decoder.feed(data):
            if isinstance(decoded, Pdv):
                self._take(decoded)
            elif isinstance(decoded, AssociateRq):
                self._request = decoded
            elif isinstance(decoded, AssociateAc | AssociateRj | ReleaseRp | ReleaseRq | Abort):
                self._pdus.append(decoded)
            else:
                assert isinstance(decoded, DataBegun), decoded

    def _take(self, pdv: Pdv) -> None:
        for event in self._assembler.feed(pdv):
            if isinstance(event, DatasetFragment):
                self._dataset += event.data
                if event.is_last:
                    self._end_message()
            elif isinstance(event, MessageBegun):
                self._command = event
                if not event.has_dataset:
                    self._end_message()

    def _end_message(self) -> None:
        assert self._command is not None
        self._messages.append(Received(self._command.context_id, self._command.command, bytes(self._dataset)))
        self._dataset.clear()


@asynccontextmanager
async def raw_peer(port: int) -> AsyncIterator[RawPeer]:
    """Connect to a port of loopback for the length of a block."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield RawPeer(reader, writer)
    finally:
        writer.transport.abort()
        with suppress(ConnectionError):
            await writer.wait_closed()


@asynccontextmanager
async def associated(port: int, request: AssociateRq | None = None) -> AsyncIterator[RawPeer]:
    """Connect and associate for the length of a block."""
    async with raw_peer(port) as peer:
        answer = await peer.associate(request)
        assert isinstance(answer, AssociateAc), answer
        yield peer


@dataclass
class StoreSink:
    """A C-STORE SCP that keeps what it gets, and hangs up when a test wants it to.

    `serve` is for asyncio.start_server.
    """

    hangs_up_at: Sequence[int] = ()
    waits: asyncio.Event | None = None
    """What it waits for before it answers."""
    requests: list[CStoreRq] = field(default_factory=list)
    datasets: dict[str, bytes] = field(default_factory=dict)
    associations: int = 0
    arrivals: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.associations += 1
        peer = RawPeer(reader, writer)
        try:
            await peer.accept()
            while True:
                received = await peer.message()
                self.arrivals += 1
                if self.arrivals in self.hangs_up_at:
                    await peer.send(encode_pdu(Abort(0, 0)))
                    return
                message = received.message
                assert isinstance(message, CStoreRq)
                self.requests.append(message)
                self.datasets[message.affected_sop_instance_uid] = received.dataset
                if self.waits is not None:
                    await self.waits.wait()
                answer = CStoreRsp(message_id_being_responded_to=message.message_id, status=0)
                await peer.send_message(received.context_id, answer)
        except EOFError:
            pass
        finally:
            writer.close()
