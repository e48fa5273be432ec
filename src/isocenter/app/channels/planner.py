"""The rules of a channel, ready to plan for what comes in and for what is stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from isocenter.dicom.element_view import ElementView
from isocenter.dicom.scan import ScannedHeader
from isocenter.dicom.walk import Buffer
from isocenter.domain.delivery import DeliveryPlan
from isocenter.domain.errors import Broken
from isocenter.routing.configuration.channel import Channel
from isocenter.routing.rules.decide import Decision, compile_rules, wanted_tags
from isocenter.routing.rules.plan import plans_of
from isocenter.routing.rules.subject import HeaderAttributes, Subject, read_attributes

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sent an instance here, as far as that is known."""

    calling_ae_title: str | None = None
    called_ae_title: str | None = None
    address: str | None = None


@dataclass(frozen=True, slots=True)
class ChannelRules:
    """The rules of one version of a channel."""

    channel: Channel
    configuration_version: int
    tags: frozenset[int] = field(init=False)
    """What they look at."""
    _decide: Callable[[Subject], Decision] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "tags", wanted_tags(self.channel.rules))
        object.__setattr__(self, "_decide", compile_rules(self.channel.rules))

    def plan(self, subject: Subject) -> tuple[DeliveryPlan, ...]:
        """Return where an instance goes. Raises Broken where rules fail, which none should."""
        try:
            decision = self._decide(subject)
        except Exception as error:  # whatever it is, nothing may be taken in that goes nowhere by mistake
            _log.exception("router.rules_broken", channel=self.channel.name)
            raise Broken(f"The rules of channel {self.channel.name} failed; see the log of the node.") from error
        return plans_of(
            decision,
            channel=self.channel.name,
            configuration_version=self.configuration_version,
            calling_ae_title=subject.calling_ae_title or "",
        )

    def plan_stored(
        self, header: Buffer, *, received_at: datetime, size_bytes: int, transfer_syntax_uid: str
    ) -> tuple[DeliveryPlan, ...]:
        """Return where an instance goes that the archive holds, by its header. Raises InvalidDataset, Broken."""
        attributes = read_attributes(header, self.tags)
        return self.plan(Subject(attributes, received_at.astimezone(), size_bytes, transfer_syntax_uid))


@dataclass(frozen=True, slots=True)
class ArrivalPlanner:
    """Plans for what comes in over a channel from one sender (`archive.planning.Planner`)."""

    rules: ChannelRules
    sender: Sender
    now: Callable[[], datetime]
    note_begun: Callable[[Sequence[DeliveryPlan]], None] = lambda plans: None

    @property
    def tags(self) -> frozenset[int]:
        """Return what the rules look at."""
        return self.rules.tags

    def plan(self, header: ScannedHeader, *, size_bytes: int) -> tuple[DeliveryPlan, ...]:
        """Return where an instance goes."""
        encoding, sender = header.scanned.encoding, self.sender
        view = ElementView(header.buffer, list(header.elements), is_little_endian=encoding.is_little_endian)
        subject = Subject(
            attributes=HeaderAttributes(view),
            received_at=self.now().astimezone(),  # hours and days in rules are those of the place
            size_bytes=size_bytes,
            transfer_syntax_uid=encoding.transfer_syntax_uid,
            calling_ae_title=sender.calling_ae_title,
            called_ae_title=sender.called_ae_title,
            address=sender.address,
        )
        return self.rules.plan(subject)

    def begun(self, plans: Sequence[DeliveryPlan]) -> None:
        """Take notice of deliveries that are durable."""
        self.note_begun(plans)
