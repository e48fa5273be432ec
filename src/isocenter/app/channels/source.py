"""What a source of a channel is to the router."""

from __future__ import annotations

from typing import Protocol


class Source(Protocol):
    """Where instances come in. It is opened and closed any number of times; an open one is not opened again."""

    @property
    def stays_open_paused(self) -> bool:
        """Tell whether it is there while its channel is paused, to refuse for the time being."""
        ...

    @property
    def address(self) -> str:
        """Return where instances come in, for people."""
        ...

    async def open(self) -> None:
        """Begin to take instances in. Raises Unavailable, InvalidSetting where that cannot be."""
        ...

    async def close(self) -> None:
        """Take no more in, let go of everything that is open; harmless where nothing is."""
        ...
