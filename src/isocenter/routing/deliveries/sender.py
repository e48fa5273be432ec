"""What sends deliveries: one for each worker of a destination."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from isocenter.domain.identifiers import InstanceIdentifier
from isocenter.routing.deliveries.report import Report

OnReport = Callable[["Outgoing", Report, str], None]
"""Called once for each instance, as soon as its fate is known; the text is what the destination itself said, or ''."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One instance as it is to go out: its transforms are made."""

    delivery_key: int
    identifier: InstanceIdentifier
    """As it is to be known at the destination."""
    sop_class_uid: str
    transfer_syntax_uid: str
    size_bytes: int
    """Of the Part 10 file."""
    calling_ae_title: str
    """Of whoever sent it here; empty where nobody did by DIMSE."""
    read: Callable[[], Iterator[bytes | memoryview]]
    """Yields the Part 10 file, preamble included, in pieces; from the beginning each time it is called.

    Raises CorruptInstance or NotFound where the archive cannot give it."""


class Sender(Protocol):
    """Send instances to one destination over what it keeps open; used by one thread at a time."""

    def send(self, batch: Sequence[Outgoing], on_report: OnReport) -> None:
        """Send instances and report each of them; raises nothing for what the destination or the network does.

        What would have met any instance (nobody listens, a 503 for a whole request) is reported of one of those that it
        met; the others are not tried in vain. What is not reported when this returns or raises counts as not sent.
        `on_report` and `Outgoing.read` may raise to end the batch, which is passed on.
        """
        ...

    def probe(self) -> Report | None:
        """Ask the destination for as little as tells whether it is well; return what came of it, None where it is."""
        ...

    def close(self) -> None:
        """Let go of what is open; it is opened again when it is needed."""
        ...
