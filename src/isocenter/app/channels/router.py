"""The channels and translators of a running node: each started, paused and stopped on its own, changed meanwhile.

    configuration ──▶ for each channel a gate (its rules as they are now) and a source ──▶ opened, as control says
    another one   ──▶ ports taken ──▶ kept ──▶ gates get their new rules; only sources that changed are opened anew

A channel whose source cannot be opened says why and lets the others go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from isocenter.app.channels.configuration import ConfigurationStore, CurrentConfiguration
from isocenter.app.channels.control import Control, Order, Running
from isocenter.app.channels.dimse_source import DimseChannelSource
from isocenter.app.channels.gate import Gate, Notify
from isocenter.app.channels.planner import ChannelRules
from isocenter.app.channels.refusals import Refusals
from isocenter.app.channels.source import Source
from isocenter.app.channels.unit import Unit, units_of
from isocenter.domain.errors import Conflict, IsocenterError, NotFound, Unavailable
from isocenter.ports.clock import Clock
from isocenter.routing.configuration.channel import Channel, Configuration

_log = structlog.get_logger()

REASON_LENGTH_MAX = 500
"""Of why somebody starts or stops a channel."""

MakeSource = Callable[[Unit, Gate, bool], Source]
"""From a channel or translator, its gate and whether it is new to what takes instances in."""
OnConfiguration = Callable[[Configuration], None]


@dataclass(slots=True)
class Lane:
    """One channel or translator while the node runs."""

    unit: Unit
    gate: Gate
    source: Source
    is_open: bool = False
    problem: str = ""
    """Why its source is not open though it is to be."""

    @property
    def channel(self) -> Channel:
        """Return the channel; that of a translator has no rules."""
        return self.unit.channel


class Router:
    """All channels (`http_server.Edge`). Its methods belong to the event loop."""

    def __init__(
        self,
        store: ConfigurationStore,
        current: CurrentConfiguration,
        *,
        clock: Clock,
        make_source: MakeSource,
        on_configuration: OnConfiguration = lambda configuration: None,
        notify: Notify = lambda destinations: None,
    ) -> None:
        """`on_configuration` is told of each configuration that holds after this one, `notify` of new deliveries."""
        self.store = store
        self.current = current
        self.control = Control(store.folder)
        self.refusals = Refusals(store.folder)
        self._clock = clock
        self._make_source = make_source
        self._on_configuration = on_configuration
        self._notify = notify
        self._changing = asyncio.Lock()
        self._is_running = False
        self._lanes = {
            one.name: self._lane(one, current, is_new=one.name in current.new_channels)
            for one in units_of(current.configuration)
        }

    @property
    def lanes(self) -> list[Lane]:
        """Return the channels in the order of the configuration, then translators."""
        return list(self._lanes.values())

    def lane(self, name: str) -> Lane:
        """Return a channel; raises NotFound."""
        found = self._lanes.get(name)
        if found is None:
            known = ", ".join(self._lanes) or "none"
            raise NotFound(f"There is no channel {name}; there are: {known}.")
        return found

    # ---- the life of the node

    def listen(self) -> None:
        """Take the ports of channels before anything begins; one that is taken leaves its channel with a problem."""
        for lane in self._lanes.values():
            if isinstance(lane.source, DimseChannelSource) and self._wanted(lane) is not Running.STOPPED:
                try:
                    lane.source.bind()
                except IsocenterError as error:
                    lane.problem = error.message

    async def start(self) -> None:
        """Open the channels that are to run."""
        async with self._changing:
            self._is_running = True
            for lane in self._lanes.values():
                await self._settle(lane)

    async def stop(self) -> None:
        """Close all channels."""
        async with self._changing:
            self._is_running = False
            for lane in self._lanes.values():
                lane.gate.running = Running.STOPPED
            await asyncio.gather(*(self._close(lane) for lane in self._lanes.values()))

    # ---- control

    async def order(self, name: str, running: Running, *, by: str, reason: str = "") -> Lane:
        """Start, pause or stop a channel, across restarts of the node too.

        Raises NotFound, StorageFailed; Unavailable or InvalidSetting where it cannot be opened, and the order holds.
        """
        async with self._changing:
            lane = self._require_running(name)
            await self._give(lane, running, by=by, reason=reason)
            await self._settle(lane)
            return _or_raise(lane)

    async def restart(self, name: str, *, by: str, reason: str = "") -> Lane:
        """Close a channel and start it again."""
        async with self._changing:
            lane = self._require_running(name)
            await self._give(lane, Running.STARTED, by=by, reason=reason)
            lane.gate.running = Running.STOPPED
            await self._close(lane)
            await self._settle(lane)
            return _or_raise(lane)

    def _require_running(self, name: str) -> Lane:
        if not self._is_running:
            raise Unavailable("The node is starting or stopping.")
        return self.lane(name)

    async def _give(self, lane: Lane, running: Running, *, by: str, reason: str) -> None:
        order = Order(running, by, self._clock.now().timestamp(), reason[:REASON_LENGTH_MAX])
        await asyncio.to_thread(self.control.give, lane.channel.name, order)
        _log.info("channel.ordered", channel=lane.channel.name, running=running.value, by=by)

    def _wanted(self, lane: Lane) -> Running:
        return self.control.running(lane.channel.name, is_started=lane.channel.is_started)

    async def _settle(self, lane: Lane) -> None:
        """Bring a channel to where it is to be; note why that cannot be done."""
        wanted = self._wanted(lane)
        is_to_be_open = wanted is Running.STARTED or (wanted is Running.PAUSED and lane.source.stays_open_paused)
        lane.problem = ""
        if wanted is not Running.STARTED:
            lane.gate.running = wanted
        if lane.is_open and not is_to_be_open:
            await self._close(lane)
        elif is_to_be_open and not lane.is_open:
            await self._open(lane)
        lane.gate.running = wanted if lane.is_open or not is_to_be_open else Running.STOPPED

    async def _open(self, lane: Lane) -> None:
        lane.gate.running = self._wanted(lane)
        try:
            await lane.source.open()
            lane.is_open = True
        except IsocenterError as error:
            lane.problem = error.message
            _log.error("channel.not_opened", channel=lane.channel.name, reason=error.message)

    async def _close(self, lane: Lane) -> None:
        lane.is_open = False
        await lane.source.close()

    # ---- another configuration

    async def replace_configuration(
        self, text: str, *, author: str, reason: str, expected: int | None = None
    ) -> CurrentConfiguration:
        """Have another configuration hold from now on; where it cannot be used, nothing is changed.

        With `expected` only in the place of that version. Raises InvalidConfiguration, Conflict, Unavailable where a
        port is taken, StorageFailed.
        """
        async with self._changing:
            if expected is not None and expected != self.current.version.number:
                raise Conflict(
                    f"Version {self.current.version.number} holds by now, not {expected}; look at what changed."
                )
            read = await asyncio.to_thread(self.store.read, text)
            fresh = self._fresh_lanes(read.configuration)
            try:
                self._take_ports(fresh)
                current = await asyncio.to_thread(self.store.replace, text, author=author, reason=reason)
            except IsocenterError:
                self._release_ports(fresh)
                raise
            await self._change_to(current, fresh)
            return current

    def _fresh_lanes(self, configuration: Configuration) -> dict[str, Lane]:
        """Return the channels that cannot go on as they are: new ones, and those whose source is another one."""
        before = self._lanes
        return {
            one.name: self._lane(one, self.current, is_new=one.name not in before)
            for one in units_of(configuration)
            if one.name not in before or before[one.name].unit.basis != one.basis
        }

    def _take_ports(self, fresh: dict[str, Lane]) -> None:
        """Take the ports of new listeners, save those that channels of ours leave with this change."""
        left = {
            lane.source.port
            for name, lane in self._lanes.items()
            if isinstance(lane.source, DimseChannelSource) and lane.is_open
        }
        for lane in fresh.values():
            source = lane.source
            if isinstance(source, DimseChannelSource) and source.port not in left and self._is_running:
                source.bind()

    def _release_ports(self, fresh: dict[str, Lane]) -> None:
        for lane in fresh.values():
            if isinstance(lane.source, DimseChannelSource):
                lane.source.release()

    async def _change_to(self, current: CurrentConfiguration, fresh: dict[str, Lane]) -> None:
        before, self.current = self._lanes, current
        units = units_of(current.configuration)
        kept = {one.name for one in units if one.name not in fresh}
        for name, lane in before.items():
            if name not in kept:
                lane.gate.running = Running.STOPPED
                await self._close(lane)
        lanes: dict[str, Lane] = {}
        for unit in units:
            lane = lanes[unit.name] = fresh.get(unit.name) or before[unit.name]
            lane.unit = unit
            lane.gate.rules = ChannelRules(unit.channel, current.version.number)
        self._lanes = lanes
        self._on_configuration(current.configuration)
        await asyncio.to_thread(self.control.forget_others, list(self._lanes))
        if self._is_running:
            for lane in self._lanes.values():
                await self._settle(lane)
        self._release_unused(fresh)

    def _release_unused(self, fresh: dict[str, Lane]) -> None:
        """Let go of ports that were taken for channels that are not to be open."""
        for lane in fresh.values():
            if isinstance(lane.source, DimseChannelSource) and not lane.is_open:
                lane.source.release()

    def _lane(self, unit: Unit, current: CurrentConfiguration, *, is_new: bool) -> Lane:
        rules = ChannelRules(unit.channel, current.version.number)
        gate = Gate(rules, now=self._clock.now, refusals=self.refusals, notify=self._notify)
        return Lane(unit, gate, self._make_source(unit, gate, is_new))


def _or_raise(lane: Lane) -> Lane:
    if lane.problem:
        raise Unavailable(lane.problem)
    return lane
