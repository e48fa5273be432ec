"""What C-MOVE and C-GET send, wherever it comes from: the seam between these services and an archive.

Supply.select ─▶ instances ─▶ contexts that they need ─▶ Outgoing, each with its syntax ─▶ Supply.begin ─▶ Flow
                                                                          Flow.take ─▶ Opened, one after the other
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from isocenter.dimse.shell.runtime import Runtime
from isocenter.dimse.ul.contexts import AcceptedContext
from isocenter.dimse.ul.pdu import Buffer
from isocenter.domain.errors import IsocenterError
from isocenter.domain.identifiers import InstanceIdentifier
from isocenter.domain.principal import Principal
from isocenter.domain.selection import Selection

READ_AHEAD_BYTES = 4 * 1024**2
"""One trip to a thread brings about this much while as much is being sent."""

ContextKey = tuple[str, str]
"""SOP class and transfer syntax."""


class Sendable(Protocol):
    """An instance that can be sent."""

    @property
    def identifier(self) -> InstanceIdentifier:
        """Return which instance it is."""
        ...

    @property
    def sop_class_uid(self) -> str:
        """Return its SOP class."""
        ...

    @property
    def transfer_syntax_uids(self) -> Sequence[str]:
        """Return the transfer syntaxes that it may come in: one where that is known."""
        ...

    def syntax_for(self, accepted: Collection[ContextKey]) -> str | None:
        """Return the transfer syntax to send it in, empty where it must come first to tell.

        None stands for a receiver that takes nothing that can be made of it.
        """
        ...


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An instance, and the transfer syntax that it is sent in."""

    instance: Sendable
    transfer_syntax_uid: str

    @property
    def key(self) -> ContextKey:
        """Return what its context must be for."""
        return self.instance.sop_class_uid, self.transfer_syntax_uid

    @property
    def sop_instance_uid(self) -> str:
        """Return the UID of the instance."""
        return self.instance.identifier.sop_instance_uid

    @property
    def is_transcoded(self) -> bool:
        """Tell whether it goes in another syntax than it comes in."""
        return self.transfer_syntax_uid not in self.instance.transfer_syntax_uids


@dataclass(slots=True)
class Opened:
    """An instance whose data set is read, whole or to begin with; or why it cannot be."""

    outgoing: Outgoing
    pieces: list[Buffer] = field(default_factory=list)
    rest: Iterator[bytes] | None = None
    """What follows the pieces, to be read by a thread."""
    error: IsocenterError | None = None
    open_again: Callable[[], Opened] | None = None
    """Open it once more, where `rest` was read in part; called by a thread."""


class Flow(Protocol):
    """Instances, each opened before it is asked for; several may ask."""

    async def take(self) -> Opened | None:
        """Return the next instance, or None behind the last."""
        ...

    async def close(self) -> None:
        """Wait for what is being read; nobody takes more."""
        ...


class Supply(Protocol):
    """An archive, as these services see it."""

    def select(self, principal: Principal, selection: Selection, *, count_max: int) -> Sequence[Sendable]:
        """Return the instances that are named; called by a thread.

        Raises TooLarge where there are more than `count_max`, Unavailable, Forbidden, or FinalStatus.
        """
        ...

    def begin(self, runtime: Runtime, outgoing: Sequence[Outgoing], *, accepted: Collection[ContextKey]) -> Flow:
        """Begin to read instances; `accepted` is what the receiver takes."""
        ...


def contexts_to_send(contexts: Iterable[AcceptedContext]) -> dict[ContextKey, int]:
    """Return the contexts on which we may send, by SOP class and transfer syntax."""
    return {
        (context.abstract_syntax_uid, context.transfer_syntax_uid): context.context_id
        for context in contexts
        if context.as_scu
    }


async def iter_pieces(runtime: Runtime, opened: Opened) -> AsyncIterator[Buffer]:
    """Yield a data set that is too large for memory, reading on while what was read is sent."""
    executor = runtime.picture_executor if opened.outgoing.is_transcoded else runtime.executor
    batch: Sequence[Buffer] = opened.pieces
    rest = opened.rest
    while batch:
        following = None if rest is None else runtime.loop.run_in_executor(executor, _take, rest)
        try:
            for piece in batch:
                yield piece
        finally:
            if following is not None:
                await asyncio.wait([following])
        batch = [] if following is None else following.result()


def _take(chunks: Iterator[bytes]) -> list[bytes]:
    batch: list[bytes] = []
    size_bytes = 0
    for chunk in chunks:
        batch.append(chunk)
        size_bytes += len(chunk)
        if size_bytes >= READ_AHEAD_BYTES:
            break
    return batch
