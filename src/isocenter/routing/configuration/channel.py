"""Channels as values: whence instances come, which rules and transforms they meet, where they go."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from isocenter.domain.application_entity import AeAddress
from isocenter.routing.configuration.destination import Destination
from isocenter.routing.configuration.gateway import Gateway
from isocenter.routing.configuration.translator import Translator
from isocenter.routing.prefetch.rule import PrefetchRule
from isocenter.routing.rules.decide import Rule
from isocenter.routing.transforms.step import Transform


class Acknowledgement(StrEnum):
    """When the sender is told that an instance is stored."""

    DURABLE = "durable"
    """It is on disk here, with its deliveries."""
    DELIVERED = "delivered"
    """Every destination has it too."""


class AfterReading(StrEnum):
    """What becomes of a file that was taken in."""

    KEEP = "keep"
    MOVE = "move"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class DimseSource:
    """A listener for associations, under a title and port of its own."""

    listen: AeAddress
    acknowledge: Acknowledgement = Acknowledgement.DURABLE
    callers: tuple[str, ...] = ()
    """Titles of remote AEs that may use it; none: all that the node lets in."""
    uses_tls: bool = False
    """Whether TLS is spoken there, as the node's settings say."""


@dataclass(frozen=True, slots=True)
class StowSource:
    """Store requests to `/channels/NAME/studies` of the node."""

    acknowledge: Acknowledgement = Acknowledgement.DURABLE


@dataclass(frozen=True, slots=True)
class FolderSource:
    """Files that appear in a folder."""

    path: str
    pattern: str = "*"
    """Of file names."""
    settle_s: float = 3.0
    """A file is taken when it has not changed for so long."""
    after: AfterReading = AfterReading.MOVE
    moved_to: str = ""
    """A folder; needed where files are moved."""


@dataclass(frozen=True, slots=True)
class FeedSource:
    """Every instance that the node's own archive stores from now on."""

    partition: str = ""
    """Only of this partition of the archive."""


@dataclass(frozen=True, slots=True)
class ScheduleSource:
    """At certain times, what the node's own archive has received lately."""

    at: tuple[str, ...]
    """Times of the week, written `mon-fri 19:00`."""
    received_within_s: float = 86_400.0


Source = DimseSource | StowSource | FolderSource | FeedSource | ScheduleSource


@dataclass(frozen=True, slots=True)
class Channel:
    """One way through the node."""

    name: str
    source: Source
    rules: tuple[Rule, ...] = ()
    is_started: bool = True
    """Whether it runs from the start of the node on."""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Configuration:
    """Everything that a file says, in its order."""

    channels: tuple[Channel, ...] = ()
    destinations: tuple[Destination, ...] = ()
    transforms: tuple[Transform, ...] = field(default=())
    translators: tuple[Translator, ...] = ()
    prefetch: tuple[PrefetchRule, ...] = ()
    gateways: tuple[Gateway, ...] = ()

    @property
    def titles(self) -> frozenset[str]:
        """Return the AE titles under which its parts listen."""
        channels = (one.source.listen.ae_title for one in self.channels if isinstance(one.source, DimseSource))
        return frozenset([*channels, *(one.listen.ae_title for one in self.translators)])

    def channel(self, name: str) -> Channel | None:
        """Return the channel of a name."""
        return next((channel for channel in self.channels if channel.name == name), None)

    def destination(self, name: str) -> Destination | None:
        """Return the destination of a name."""
        return next((destination for destination in self.destinations if destination.name == name), None)

    def transform(self, name: str) -> Transform | None:
        """Return the transform of a name."""
        return next((transform for transform in self.transforms if transform.name == name), None)
