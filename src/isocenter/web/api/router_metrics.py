"""What the router counts, as samples for metrics: read from ledger, channels and destinations when somebody asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from isocenter.domain.delivery_counters import Counter
from isocenter.routing.sending.condition import DestinationState
from isocenter.web.api.router_desk import RouterDesk

Samples = Mapping[tuple[str, ...], float]
RECEIVED = "received"
CHANNEL_STATES = ("started", "paused", "stopped", "failed")


@dataclass(frozen=True, slots=True)
class RouterObserved:
    """The router of a node; without a desk it has nothing to tell."""

    desk: RouterDesk | None = None

    def deliveries(self) -> Samples:
        """Return deliveries by channel, destination and counter."""
        if self.desk is None:
            return {}
        return {
            (one.channel, one.destination, name): float(getattr(one.counters, name))
            for one in self.desk.ledger.tallies()
            for name in (RECEIVED, *(counter.value for counter in Counter))
        }

    def waiting_bytes(self) -> Samples:
        """Return the bytes that wait by channel and destination."""
        tallies = [] if self.desk is None else self.desk.ledger.tallies()
        return {(one.channel, one.destination): float(one.waiting_bytes) for one in tallies}

    def oldest_age_s(self) -> Samples:
        """Return how long the oldest delivery to each destination has been waiting."""
        statuses = [] if self.desk is None else self.desk.destinations()
        return {(one.name,): one.oldest_age_s or 0.0 for one in statuses}

    def destination_states(self) -> Samples:
        """Return 1 for the state of each destination and 0 for the others."""
        statuses = [] if self.desk is None else self.desk.destinations()
        return {(one.name, state.value): float(one.state is state) for one in statuses for state in DestinationState}

    def channel_states(self) -> Samples:
        """Return 1 for the state of each channel and 0 for the others."""
        channels = [] if self.desk is None else self.desk.channels()
        return {(one.name, state): float(one.state == state) for one in channels for state in CHANNEL_STATES}

    def refused(self) -> Samples:
        """Return how many instances each channel refused."""
        channels = [] if self.desk is None else self.desk.channels()
        return {(one.name,): float(one.refused) for one in channels}
