"""The desk of a node that does not run: its folder is looked at and changed; orders hold from the next start."""

from __future__ import annotations

from isocenter.app.channels.configuration import ConfigurationStore
from isocenter.app.channels.control import Control, Order, Running
from isocenter.app.channels.desk import ORDERED, RouterRecords, destinations_of, kind_of
from isocenter.app.channels.refusals import Refusals
from isocenter.app.channels.stow_source import FIRST_SEGMENT
from isocenter.app.channels.unit import TRANSLATOR, Unit, units_of
from isocenter.app.held_destinations import HeldDestinations
from isocenter.app.settings import Settings
from isocenter.archive.archive import Archive
from isocenter.domain.errors import Conflict, NotFound, Unavailable
from isocenter.routing.configuration.channel import Channel, DimseSource, FolderSource, StowSource
from isocenter.routing.sending.condition import DestinationState, Hold
from isocenter.routing.sending.recent import Rate
from isocenter.routing.sending.status import DestinationStatus
from isocenter.web.api.router_desk import ChannelOrder, ChannelStatus, Refusal
from isocenter.web.api.router_json import sum_counters


class OfflineDesk(RouterRecords):
    """Everything that people ask of the router of a node that does not run."""

    def __init__(self, archive: Archive, settings: Settings) -> None:
        store = ConfigurationStore(settings, now=archive.clock.now)
        super().__init__(archive, store, current=lambda: self._loaded, notify=lambda destinations: None)
        self._loaded = store.load()
        self._control = Control(store.folder)
        self._refusals = Refusals(store.folder)
        self._held = HeldDestinations(settings.data_dir)

    def channels(self) -> list[ChannelStatus]:
        """Return all channels, each as it will be once the node runs."""
        return [self._status(unit) for unit in units_of(self.current.configuration)]

    def _status(self, unit: Unit) -> ChannelStatus:
        channel = unit.channel
        order = self._control.order(channel.name)
        return ChannelStatus(
            name=channel.name,
            kind=TRANSLATOR if unit.is_translator else kind_of(channel),
            address=_address(channel),
            description=channel.description,
            state=self._control.running(channel.name, is_started=channel.is_started).value,
            problem="The node does not run.",
            ordered_by="" if order is None else order.by,
            ordered_at=None if order is None else order.at,
            reason="" if order is None else order.reason,
            refused=0,
            destinations=destinations_of(unit),
        )

    def refusals(self, channel: str) -> list[Refusal]:
        """Return what a channel refused lately."""
        self._require(channel)
        return self._refusals.of_channel(channel)

    async def order(self, channel: str, order: ChannelOrder, *, by: str, reason: str) -> None:
        """Have a channel start, pause or stop with the node."""
        self._require(channel)
        running = Running.STARTED if order is ChannelOrder.RESTART else ORDERED[order]
        self._control.give(channel, Order(running, by, self.archive.clock.now().timestamp(), reason))

    def _require(self, channel: str) -> None:
        if all(unit.name != channel for unit in units_of(self.current.configuration)):
            raise NotFound(f"There is no channel {channel}.")

    # ---- destinations

    def destinations(self) -> list[DestinationStatus]:
        """Return what the ledger knows of destinations; nothing is sent to them now."""
        holds = self._held.read()
        return [self._destination(one.name, holds.get(one.name)) for one in self.current.configuration.destinations]

    def _destination(self, name: str, hold: Hold | None) -> DestinationStatus:
        tallies, now = self.ledger.tallies(destination=name), self.archive.clock.now().timestamp()
        return DestinationStatus(
            name=name,
            state=DestinationState.DISABLED if hold is None else DestinationState.HELD,
            observed_at=now,
            since=None if hold is None else hold.since,
            hold=hold,
            failure=None,
            next_at=None,
            counters=sum_counters(one.counters for one in tallies),
            waiting_bytes=sum(one.waiting_bytes for one in tallies),
            oldest_received_at=self.ledger.ledger.backlog(name, now=now).oldest_received_at,
            sending=0,
            workers=0,
            rate=Rate(0, 0),
            clears_in_s=None,
        )

    def hold_destination(self, name: str, *, by: str, reason: str) -> None:
        """Put a destination aside."""
        self._require_destination(name)
        now = self.archive.clock.now().timestamp()
        self._held.write({**self._held.read(), name: Hold(by, now, reason)})

    def release_destination(self, name: str, *, by: str) -> None:
        """Take a destination up again."""
        self._require_destination(name)
        self._held.write({other: hold for other, hold in self._held.read().items() if other != name})

    def probe_destination(self, name: str) -> None:
        """Refuse: nobody is there to probe."""
        raise Unavailable("The node does not run, so that nothing can be probed; `isocenter test-connection` can.")

    def _require_destination(self, name: str) -> None:
        if self.current.configuration.destination(name) is None:
            raise NotFound(f"There is no destination {name}.")

    async def replace_configuration(self, text: str, *, author: str, reason: str, expected: int | None) -> int:
        """Have another configuration hold from the next start; return its version."""
        if expected is not None and expected != self._loaded.version.number:
            raise Conflict(f"Version {self._loaded.version.number} holds by now; look at what changed.")
        self._loaded = self.store.replace(text, author=author, reason=reason)
        return self._loaded.version.number

    async def roll_back(self, number: int, *, author: str, reason: str) -> int:
        """Have an earlier version hold from the next start, as a new one."""
        text, told = self.earlier(number, reason)
        return await self.replace_configuration(text, author=author, reason=told, expected=None)


def _address(channel: Channel) -> str:
    match channel.source:
        case DimseSource(listen):
            return str(listen)
        case FolderSource(path):
            return path
        case StowSource():
            return f"{FIRST_SEGMENT}/{channel.name}/studies"
        case _:
            return ""
