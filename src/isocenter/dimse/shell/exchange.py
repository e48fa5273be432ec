"""One request of a peer while it is performed: what a service sees of the association."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from isocenter.dimse.message.messages import Request, Response
from isocenter.dimse.ul.contexts import AcceptedContext
from isocenter.dimse.ul.pdu import Buffer
from isocenter.domain.application_entity import AeService, RemoteAe
from isocenter.domain.principal import Principal

if TYPE_CHECKING:
    from isocenter.dimse.shell.connection import Connection

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end of an association, as far as it was verified."""

    ae_title: str
    address: str
    """Its IP address."""
    principal: Principal
    services: frozenset[AeService]
    remote: RemoteAe | None = None
    """Its row in the AE table, if it has one."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The response to a request of ours, with its data set."""

    response: Response
    dataset: bytes | None = None


class Exchange:
    """A request in hand."""

    __slots__ = ("connection", "context", "is_cancelled", "request")

    def __init__(self, connection: Connection, context: AcceptedContext, request: Request) -> None:
        self.connection = connection
        self.context = context
        self.request = request
        self.is_cancelled = False
        """A C-CANCEL-RQ came for it."""

    @property
    def peer(self) -> Peer:
        """Return who asks."""
        return self.connection.peer

    @property
    def contexts(self) -> Mapping[int, AcceptedContext]:
        """Return all contexts of the association by id, for requests of our own."""
        return self.connection.contexts

    async def respond(self, response: Response, dataset: Iterable[Buffer] | None = None) -> None:
        """Send a response and wait until the peer takes it; whether it is final follows from its status."""
        self.connection.respond(self, response, dataset)
        await self.connection.drain()

    async def invoke(self, context_id: int, request: Request, dataset: Iterable[Buffer] | None = None) -> Answer:
        """Send a request of our own over the same association and return the final response.

        Raises AssociationOver where the association ends before it comes.
        """
        return await self.connection.invoke(context_id, request, dataset)

    def next_message_id(self) -> int:
        """Return a message id for a request of our own."""
        return self.connection.next_message_id()

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call something that waits for the disk, off the event loop."""
        return await self.connection.run(function, *args, **kwargs)
