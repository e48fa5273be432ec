"""What performs the requests of a peer: one `Service` for each service class, and the table of them.

A service class has a module in `scp` with one function that returns its `Service`; the table is made of these.

    def echo_service() -> Service:
        return Service(AeService.ECHO, frozenset({VERIFICATION}), performs={CEchoRq: _echo})

    async def _echo(exchange: Exchange, request: CEchoRq, dataset: bytes | None) -> None:
        await exchange.respond(CEchoRsp(message_id_being_responded_to=request.message_id, status=SUCCESS))

A performer is called with the whole data set (at most `dataset_size_max_bytes`), in the transfer syntax of
`exchange.context`, as a task that is cancelled when the association ends. It answers by `exchange.respond`: pending
responses as many as it likes, one final. An error of the tree that it raises is answered with its DIMSE status.
Requests of one association are performed one after the other, in the order in which they came, unless the peer
negotiated an asynchronous operations window. It waits for nothing on the event loop but by `await`; what reads the disk
goes through `exchange.run`. Requests of our own over the same association go through `exchange.invoke`.

A service whose data sets are large (storage) has `receives` instead: it is given each piece as it comes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from isocenter.dicom.syntax import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from isocenter.dimse.message.messages import Request
from isocenter.dimse.ul.negotiation import AcceptorRole
from isocenter.dimse.ul.pdu import Buffer
from isocenter.domain.application_entity import AeService

if TYPE_CHECKING:
    from isocenter.dimse.shell.exchange import Exchange

DATASET_SIZE_MAX_BYTES = 1024**2
"""Identifiers have some kilobytes; the longest, a commitment request for thousands of instances, some hundred."""

QUERY_TRANSFER_SYNTAX_UIDS = (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
)
"""For identifiers of queries: old workstations ask in big endian, and long lists of answers are worth deflating."""

Perform = Callable[["Exchange", Any, bytes | None], Awaitable[None]]
"""Called with the exchange, the request (of the type it is listed under) and its data set."""


class DatasetSink(Protocol):
    """Where a data set goes while it comes."""

    def write(self, data: Buffer) -> None:
        """Take the next piece, which does not change afterwards."""
        ...

    def end(self) -> None:
        """Know that it is whole; from here on the sink sees to it that the request is answered."""
        ...

    def abandon(self) -> None:
        """Know that the rest will not come: the association has ended."""
        ...


Receive = Callable[["Exchange", Any], DatasetSink]
"""Called when a command is complete, before its data set comes."""


@dataclass(frozen=True, slots=True)
class Service:
    """What this node does for the SOP classes of one service class."""

    name: AeService
    """What a remote AE must be allowed for its contexts to be accepted."""
    sop_class_uids: frozenset[str]
    performs: Mapping[type[Request], Perform] = field(default_factory=dict)
    receives: Mapping[type[Request], Receive] = field(default_factory=dict)
    transfer_syntax_uids: tuple[str, ...] | None = (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN)
    """In our order of preference; None takes the first that the requestor names."""
    role: AcceptorRole = AcceptorRole.SCP
    """The roles that we agree to play where the peer opened the association."""
    extensions: bytes = b""
    """What is supported of the SOP class extended negotiation, a byte for each field."""
    dataset_size_max_bytes: int = DATASET_SIZE_MAX_BYTES


class ServiceTable:
    """The services of a node by SOP class."""

    def __init__(
        self, services: Iterable[Service], *, other: Callable[[str], Service | None] = lambda sop_class_uid: None
    ) -> None:
        """Make the table; `other` is asked for SOP classes that no service lists."""
        self._by_sop_class = {uid: service for service in services for uid in service.sop_class_uids}
        self._other = other

    @property
    def listed(self) -> tuple[Service, ...]:
        """Return the services that list their SOP classes."""
        return tuple({id(service): service for service in self._by_sop_class.values()}.values())

    def find(self, sop_class_uid: str) -> Service | None:
        """Return the service for an SOP class, or None."""
        return self._by_sop_class.get(sop_class_uid) or self._other(sop_class_uid)


NO_SERVICES = ServiceTable(())
"""For associations on which a peer may ask nothing."""
