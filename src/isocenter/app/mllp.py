"""The listener for HL7 messages over MLLP: an answer goes out only after what it says is kept.

    connection ──▶ frames ──▶ message ──▶ order ──▶ trigger, durable ──▶ AA
                                └─ garbage ──▶ AR      └─ cannot be kept now ──▶ AE

MLLP knows no callers: who may send is known by address. What a message says of a patient stays out of the log.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from uuid import uuid4

import structlog

from isocenter.app.http_kinds import Network
from isocenter.app.prefetching.desk import PrefetchDesk
from isocenter.app.setting_kinds import Address
from isocenter.domain.errors import Broken, IsocenterError, Unavailable
from isocenter.routing.hl7.acknowledgement import Acceptance, build_acknowledgement
from isocenter.routing.hl7.framing import Frame, MllpDecoder, Oversized, encode_frame
from isocenter.routing.hl7.message import InvalidMessage, parse_message
from isocenter.routing.hl7.order import read_order
from isocenter.routing.prefetch.trigger import trigger_of_order

_log = structlog.get_logger()

CONNECTIONS_MAX = 64
"""A hospital has an interface engine or two; each keeps a few connections."""
BACKLOG = 64
READ_BYTES = 64 * 1024
STRAY_MAX_BYTES = 64 * 1024
"""A peer that sends so much outside of messages speaks something else."""
MESSAGE_TIMEOUT_S = 60.0
"""For the rest of a message that has begun."""
IDLE_TIMEOUT_S = 3600.0
"""Interface engines keep connections open for days and open a new one where it was closed; a dead one goes by this."""
WRITE_TIMEOUT_S = 30.0
"""A peer that does not take its answer for so long is gone."""


@dataclass(slots=True)
class MllpCounts:
    """What came since the start of the process."""

    connections: int = 0
    accepted: int = 0
    triggers: int = 0
    errors: int = 0
    rejected: int = 0
    refused_connections: int = 0
    by_type: dict[str, int] = field(default_factory=dict)


TYPES_COUNTED_MAX = 100
"""Message types that are counted each for itself."""


class MllpListener:
    """Take messages and hand their triggers in."""

    def __init__(
        self,
        address: Address,
        senders: Sequence[Network],
        desk: PrefetchDesk,
        *,
        local: tzinfo,
        now: Callable[[], datetime],
    ) -> None:
        """Bind the address; raises Unavailable where it is taken."""
        self._senders = tuple(senders)
        self._desk = desk
        self._local = local
        self._now = now
        self._socket = _bind(address)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()
        self.counts = MllpCounts()

    @property
    def address(self) -> tuple[str, int]:
        """Return where it listens; the port that was given where any would do."""
        host, port = self._socket.getsockname()[:2]
        return host, port

    def listen(self) -> None:
        """Let connections come in; they wait until `start`."""
        self._socket.listen(BACKLOG)

    async def start(self) -> None:
        """Begin to take messages."""
        self._server = await asyncio.start_server(self._accept, sock=self._socket, limit=READ_BYTES)
        host, port = self.address
        _log.info("mllp.listening", address=f"{host}:{port}")

    async def stop(self) -> None:
        """Take no more connections, and end those that are open."""
        if self._server is not None:
            self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        self._socket.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        host = str((writer.get_extra_info("peername") or ("",))[0])
        if not self.may_send(host) or len(self._open) >= CONNECTIONS_MAX:
            self.counts.refused_connections += 1
            _log.warning("mllp.refused", address=host, connections=len(self._open))
            writer.transport.abort()
            return
        self._open.add(task)
        self.counts.connections += 1
        try:
            await self._serve(reader, writer, host)
        except (OSError, ssl.SSLError, TimeoutError) as error:
            _log.info("mllp.ended", address=host, reason=type(error).__name__)
        except asyncio.CancelledError:  # the node stops; the server's own callback must not see it
            pass
        finally:
            self._open.discard(task)
            writer.close()
            with suppress(OSError):
                await asyncio.wait_for(writer.wait_closed(), WRITE_TIMEOUT_S)

    def may_send(self, host: str) -> bool:
        """Tell whether messages are taken from an address: this machine's own, or one of the senders."""
        try:
            address = ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        address = mapped or address
        return address.is_loopback or any(address in network for network in self._senders)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str) -> None:
        decoder = MllpDecoder()
        while True:
            timeout_s = MESSAGE_TIMEOUT_S if decoder.is_within_message else IDLE_TIMEOUT_S
            data = await asyncio.wait_for(reader.read(READ_BYTES), timeout_s)
            if not data:
                return
            for event in decoder.feed(data):
                writer.write(encode_frame(await self._answer(event)))
                await asyncio.wait_for(writer.drain(), WRITE_TIMEOUT_S)
            if decoder.stray_bytes > STRAY_MAX_BYTES:
                _log.warning("mllp.no_messages", address=host)
                return

    async def _answer(self, event: Frame | Oversized) -> bytes:
        """Return the answer to a message, when what it says is kept."""
        if isinstance(event, Oversized):
            return self._reject("The message is too large.")
        try:
            message = parse_message(event.content)
        except InvalidMessage as error:
            return self._reject(error.message)
        control_id = uuid4().hex[:20]
        trigger = trigger_of_order(read_order(message, local=self._local))
        acceptance, text = Acceptance.ACCEPTED, ""
        if trigger is not None:
            try:
                runs = await asyncio.to_thread(self._desk.hand_in, trigger)
                self.counts.triggers += len(runs)
            except IsocenterError as error:
                acceptance, text = Acceptance.ERROR, error.message
            except Exception:  # the outermost place of a message: its sender tries again
                _log.exception("mllp.broken")
                acceptance, text = Acceptance.ERROR, Broken().message
        self._count(message.type, acceptance)
        _log.info("mllp.message", type=message.type, answer=acceptance.value, has_trigger=trigger is not None)
        return build_acknowledgement(message, acceptance, now=self._now(), control_id=control_id, text=text)

    def _reject(self, text: str) -> bytes:
        self.counts.rejected += 1
        _log.warning("mllp.rejected", reason=text)
        return build_acknowledgement(None, Acceptance.REJECTED, now=self._now(), control_id=uuid4().hex[:20], text=text)

    def _count(self, message_type: str, acceptance: Acceptance) -> None:
        self.counts.accepted += acceptance is Acceptance.ACCEPTED
        self.counts.errors += acceptance is Acceptance.ERROR
        types = self.counts.by_type
        if message_type in types or len(types) < TYPES_COUNTED_MAX:
            types[message_type] = types.get(message_type, 0) + 1


def _bind(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((address.host, address.port))
    except OSError as error:
        bound.close()
        raise Unavailable(
            f"Cannot listen on {address}: {error.strerror or error}. Choose another mllp.listen."
        ) from error
    return bound
