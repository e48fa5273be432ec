"""What the router's JSON asks of whoever runs the channels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from isocenter.routing.configuration.difference import Difference
from isocenter.routing.configuration.problem import Problem
from isocenter.routing.deliveries.ledger_desk import LedgerDesk
from isocenter.routing.sending.status import DestinationStatus


class ChannelOrder(StrEnum):
    """What a person tells a channel to do."""

    START = "start"
    PAUSE = "pause"
    STOP = "stop"
    RESTART = "restart"


@dataclass(frozen=True, slots=True)
class ChannelStatus:
    """One channel at one moment."""

    name: str
    kind: str
    """Of its source."""
    address: str
    description: str
    state: str
    """`started`, `paused`, `stopped`, or `failed`: it is to run and cannot."""
    problem: str
    """Why it cannot."""
    ordered_by: str
    """Who started, paused or stopped it last; empty where the configuration says what it does."""
    ordered_at: float | None
    reason: str
    refused: int
    """Instances that it refused since the start of the node."""
    destinations: Sequence[str]
    """Where its rules send to."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One instance that was refused."""

    at: float
    """Seconds since the epoch."""
    channel: str
    sender: str
    """AE title and address, or the name of a caller."""
    sop_instance_uid: str
    """As the sender announced it; empty where it did not."""
    sop_class_uid: str
    status: str
    """What was answered: a status of DIMSE or a failure reason, in hexadecimal."""
    reason: str
    """In words, without values of attributes."""


@dataclass(frozen=True, slots=True)
class VersionSummary:
    """One version of the configuration, without its text."""

    number: int
    author: str
    at: float
    reason: str


@dataclass(frozen=True, slots=True)
class Preview:
    """What another configuration would change."""

    differences: Sequence[Difference]
    warnings: Sequence[Problem]
    missing_secrets: Sequence[str]
    """A sentence for each, with its name and where it belongs."""


class RouterDesk(Protocol):
    """Where channels, destinations and the configuration are looked at and changed.

    Methods without `async` may wait for the disk; they are called from threads, those with it on the event loop.
    """

    @property
    def ledger(self) -> LedgerDesk:
        """Return where deliveries are looked at and acted on."""
        ...

    def channels(self) -> list[ChannelStatus]:
        """Return all channels in the order of the configuration."""
        ...

    def refusals(self, channel: str) -> list[Refusal]:
        """Return what a channel refused lately, the latest first; raises NotFound."""
        ...

    async def order(self, channel: str, order: ChannelOrder, *, by: str, reason: str) -> None:
        """Start, pause, stop or restart a channel; raises NotFound, Unavailable."""
        ...

    def destinations(self) -> list[DestinationStatus]:
        """Return how all destinations are doing."""
        ...

    def destination_kinds(self) -> Mapping[str, str]:
        """Return the kind of each destination by its name."""
        ...

    def hold_destination(self, name: str, *, by: str, reason: str) -> None:
        """Put a destination aside; raises NotFound."""
        ...

    def release_destination(self, name: str, *, by: str) -> None:
        """Take a destination up again; raises NotFound."""
        ...

    def probe_destination(self, name: str) -> None:
        """Have a sick destination probed at once; raises NotFound."""
        ...

    def notify(self, destinations: Sequence[str]) -> None:
        """Tell those who send that something may be there."""
        ...

    def send_anew(self, delivery_keys: Sequence[int]) -> int:
        """Send deliveries again as the rules that hold now say; return how many. Raises NotFound."""
        ...

    def explain(self, delivery_key: int, *, with_values: bool) -> Mapping[str, object]:
        """Return what each rule compared when a delivery was planned, by the version that planned it; NotFound."""
        ...

    def replay(
        self, days: float, text: str | None, *, is_given_up: Callable[[], bool] = lambda: False
    ) -> Mapping[str, object]:
        """Return where what came lately would go by another configuration, or by the one that holds.

        Raises Unavailable once it is given up.
        """
        ...

    def versions(self) -> list[VersionSummary]:
        """Return the versions of the configuration, the latest first."""
        ...

    def text(self, number: int | None, *, as_written: bool) -> tuple[int, str]:
        """Return a version's number and text, the latest for None; raises NotFound."""
        ...

    def preview(self, text: str) -> Preview:
        """Return what a configuration would change; raises InvalidConfiguration."""
        ...

    async def replace_configuration(self, text: str, *, author: str, reason: str, expected: int | None) -> int:
        """Have another configuration hold; return its version. Raises InvalidConfiguration, Conflict, Unavailable."""
        ...

    async def roll_back(self, number: int, *, author: str, reason: str) -> int:
        """Have an earlier version hold again, as a new one; raises NotFound."""
        ...
