"""The desk of a running node's router: what its JSON asks for (`web.api.router_desk.RouterDesk`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from isocenter.app.channels.configuration import ConfigurationStore, CurrentConfiguration
from isocenter.app.channels.control import Running
from isocenter.app.channels.explaining import decide_again, explain_delivery
from isocenter.app.channels.replaying import replay
from isocenter.app.channels.router import Lane, Router
from isocenter.app.channels.unit import TRANSLATOR, TranslatorBasis, Unit
from isocenter.archive.archive import Archive
from isocenter.domain.delivery import DeliveryPlan
from isocenter.domain.errors import NotFound
from isocenter.ports.ledger import LedgerRow
from isocenter.routing.configuration.channel import Channel
from isocenter.routing.configuration.channel_sections import SOURCES
from isocenter.routing.configuration.destination_sections import TARGETS
from isocenter.routing.configuration.difference import compare_configurations
from isocenter.routing.configuration.write import write_configuration
from isocenter.routing.deliveries.ledger_desk import LedgerDesk
from isocenter.routing.rules.plan import plans_of
from isocenter.routing.sending.engine import Deliveries
from isocenter.routing.sending.status import DestinationStatus
from isocenter.web.api.router_desk import ChannelOrder, ChannelStatus, Preview, Refusal, VersionSummary

FAILED = "failed"
DAY_S = 86_400.0
ORDERED = {
    ChannelOrder.START: Running.STARTED,
    ChannelOrder.PAUSE: Running.PAUSED,
    ChannelOrder.STOP: Running.STOPPED,
}


class RouterRecords:
    """What the records of a node tell, whether it runs or not: ledger, decisions, versions of the configuration."""

    def __init__(
        self,
        archive: Archive,
        store: ConfigurationStore,
        *,
        current: Callable[[], CurrentConfiguration],
        notify: Callable[[Iterable[str]], None],
    ) -> None:
        """Make one; `current` gives the configuration that holds, `notify` tells of what may be sent."""
        self.archive = archive
        self.store = store
        self.ledger = LedgerDesk(archive.index.ledger, now=archive.clock.now)
        self._current = current
        self._notify = notify

    @property
    def current(self) -> CurrentConfiguration:
        """Return the configuration that holds."""
        return self._current()

    def notify(self, destinations: Sequence[str]) -> None:
        """Tell those who send that something may be there."""
        self._notify(destinations)

    def earlier(self, number: int, reason: str) -> tuple[str, str]:
        """Return the text of a version that is to hold again, and what is told as the reason; raises NotFound."""
        version = self.store.history.version(number)
        return version.text, f"Back to version {number}." + (f" {reason}" if reason else "")

    def destination_kinds(self) -> Mapping[str, str]:
        """Return the kind of each destination."""
        kinds = {section.make: section.kind for section in TARGETS}
        return {one.name: kinds[type(one.target)] for one in self.current.configuration.destinations}

    # ---- decisions

    def send_anew(self, delivery_keys: Sequence[int]) -> int:
        """Send deliveries again as the rules that hold now say."""
        rows = [self.ledger.delivery(key) for key in delivery_keys]
        planned = [(row.delivery_key, plan) for row in rows if (plan := self._plan_now(row)) is not None]
        count = self.archive.index.ledger.replan(planned, now=self.archive.clock.now().timestamp())
        self.notify([plan.destination for _, plan in planned])
        return count

    def _plan_now(self, row: LedgerRow) -> DeliveryPlan | None:
        """Return what the rules that hold now say of a delivery, None where they do not send it there."""
        current = self.current
        channel = current.configuration.channel(row.plan.channel)
        stored = self.archive.index.instance(row.instance_key)
        if channel is None or stored is None:
            raise NotFound(f"Delivery {row.delivery_key}: its channel or its instance is not there any more.")
        decision = decide_again(self.archive, stored, channel, row.plan.calling_ae_title)
        plans = plans_of(
            decision,
            channel=channel.name,
            configuration_version=current.version.number,
            calling_ae_title=row.plan.calling_ae_title,
        )
        return next((plan for plan in plans if plan.destination == row.plan.destination), None)

    def explain(self, delivery_key: int, *, with_values: bool) -> Mapping[str, object]:
        """Return what each rule compared when a delivery was planned."""
        row = self.ledger.delivery(delivery_key)
        return explain_delivery(self.archive, row, self.store.configuration_of, with_values=with_values)

    def replay(
        self, days: float, text: str | None, *, is_given_up: Callable[[], bool] = lambda: False
    ) -> Mapping[str, object]:
        """Return where what came lately would go."""
        store = self.store
        configuration = self.current.configuration if text is None else store.read(text).configuration
        since = self.archive.clock.now().timestamp() - days * DAY_S
        return replay(self.archive, configuration, since=since, is_given_up=is_given_up)

    # ---- the configuration

    def versions(self) -> list[VersionSummary]:
        """Return the versions of the configuration, the latest first."""
        history = self.store.history
        found = (history.version(number) for number in reversed(history.numbers()))
        return [VersionSummary(one.number, one.author, one.at, one.reason) for one in found]

    def text(self, number: int | None, *, as_written: bool) -> tuple[int, str]:
        """Return a version's number and text."""
        version = self.current.version if number is None else self.store.history.version(number)
        if as_written:
            return version.number, version.text
        return version.number, write_configuration(self.store.read(version.text).configuration)

    def preview(self, text: str) -> Preview:
        """Return what a configuration would change."""
        store = self.store
        read = store.read(text)
        differences = compare_configurations(self.current.configuration, read.configuration)
        return Preview(differences, read.warnings, store.missing_secrets(read.configuration))


class RunningDesk(RouterRecords):
    """Everything that people ask of the router of a node that runs."""

    def __init__(self, archive: Archive, router: Router, deliveries: Deliveries) -> None:
        super().__init__(archive, router.store, current=lambda: router.current, notify=deliveries.notify)
        self._router = router
        self._deliveries = deliveries

    # ---- channels

    def channels(self) -> list[ChannelStatus]:
        """Return all channels."""
        counts = self._router.refusals.counts
        return [self._status(lane, counts) for lane in self._router.lanes]

    def _status(self, lane: Lane, refused: Mapping[str, int]) -> ChannelStatus:
        channel = lane.channel
        order = self._router.control.order(channel.name)
        return ChannelStatus(
            name=channel.name,
            kind=TRANSLATOR if lane.unit.is_translator else kind_of(channel),
            address=lane.source.address,
            description=channel.description,
            state=FAILED if lane.problem else lane.gate.running.value,
            problem=lane.problem,
            ordered_by="" if order is None else order.by,
            ordered_at=None if order is None else order.at,
            reason="" if order is None else order.reason,
            refused=refused.get(channel.name, 0),
            destinations=destinations_of(lane.unit),
        )

    def refusals(self, channel: str) -> list[Refusal]:
        """Return what a channel refused lately."""
        self._router.lane(channel)
        return self._router.refusals.of_channel(channel)

    async def order(self, channel: str, order: ChannelOrder, *, by: str, reason: str) -> None:
        """Start, pause, stop or restart a channel."""
        if order is ChannelOrder.RESTART:
            await self._router.restart(channel, by=by, reason=reason)
        else:
            await self._router.order(channel, ORDERED[order], by=by, reason=reason)

    # ---- destinations

    def destinations(self) -> list[DestinationStatus]:
        """Return how all destinations are doing."""
        return self._deliveries.statuses()

    def hold_destination(self, name: str, *, by: str, reason: str) -> None:
        """Put a destination aside."""
        self._deliveries.hold(name, by=by, why=reason)

    def release_destination(self, name: str, *, by: str) -> None:
        """Take a destination up again."""
        self._deliveries.release(name, by=by)

    def probe_destination(self, name: str) -> None:
        """Have a sick destination probed at once."""
        self._deliveries.probe(name)

    async def replace_configuration(self, text: str, *, author: str, reason: str, expected: int | None) -> int:
        """Have another configuration hold; return its version."""
        current = await self._router.replace_configuration(text, author=author, reason=reason, expected=expected)
        return current.version.number

    async def roll_back(self, number: int, *, author: str, reason: str) -> int:
        """Have an earlier version hold again, as a new one."""
        text, told = self.earlier(number, reason)
        return await self.replace_configuration(text, author=author, reason=told, expected=None)


def kind_of(channel: Channel) -> str:
    """Return the kind of a channel's source, as the configuration writes it."""
    return next(section.kind for section in SOURCES if section.make is type(channel.source))


def destinations_of(unit: Unit) -> tuple[str, ...]:
    """Return where the rules of a channel send to, or what a translator asks, each once."""
    if isinstance(unit.basis, TranslatorBasis):
        return (unit.basis.destination.name,)
    return tuple(dict.fromkeys(name for rule in unit.channel.rules for name in rule.to))
