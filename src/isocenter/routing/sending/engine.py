"""The engine: every destination with its own desk and workers, and a keeper for what all of them need.

    commit of instances ──notify──▶ desk of the destination ──▶ its workers ──▶ its senders
    keeper: leases of what is under way are renewed, those that nobody was heard of run out

No destination waits for another: threads, connections and bytes under way are its own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import structlog

from isocenter.domain.delivery import NOWHERE, DeliveryState, give_up
from isocenter.domain.delivery_counters import Counters
from isocenter.domain.errors import InvalidRequest, IsocenterError, NotFound
from isocenter.ports.ledger import PAGE_MAX, LedgerRow, Selection
from isocenter.routing.configuration.destination import Destination
from isocenter.routing.deliveries.retry import RetryPolicy
from isocenter.routing.deliveries.settlement import expire
from isocenter.routing.sending.condition import Hold
from isocenter.routing.sending.desk import LEASE_S, Desk
from isocenter.routing.sending.outcome import given_back
from isocenter.routing.sending.status import DestinationStatus
from isocenter.routing.sending.worker import Means, Worker

_log = structlog.get_logger()

RENEWED_EVERY_S = LEASE_S / 4
"""Three renewals may fail before a lease is over."""
STOP_GRACE_S = 5.0
"""For the instances that are on the wire to be answered when the node stops; then they are broken off."""
STOP_TIMEOUT_S = 5.0
"""For a sender to notice that; one that does not keeps the node from stopping no longer."""
SENDING = frozenset({DeliveryState.SENDING})


@dataclass(frozen=True, slots=True)
class _Run:
    """One destination that is sent to."""

    desk: Desk
    workers: Sequence[Worker]


class Deliveries:
    """Send what the ledger holds, until it is closed."""

    def __init__(
        self,
        means: Means,
        *,
        holds: Mapping[str, Hold] | None = None,
        keep_holds: Callable[[Mapping[str, Hold]], None] = lambda holds: None,
    ) -> None:
        """Make one; `holds` are the destinations that people put aside before, `keep_holds` keeps them."""
        self._means = means
        self._keep_holds = keep_holds
        self._lock = threading.Lock()
        self._runs: dict[str, _Run] = {}
        self._ending: list[_Run] = []
        """Of configurations that are past: what they have under way is sent to its end."""
        self._holds: dict[str, Hold] = dict(holds or {})
        self._stop = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="deliveries", daemon=True)

    def start(self, destinations: Sequence[Destination]) -> None:
        """Begin to send. What a process before this one had under way is due again."""
        self._take_back(Selection(states=SENDING))
        self.reconfigure(destinations)
        self._keeper.start()

    def _take_back(self, selection: Selection) -> None:
        step = partial(give_up, now=self._now())
        while self._means.ledger.change(selection, step) == PAGE_MAX:
            pass

    def reconfigure(self, destinations: Sequence[Destination]) -> None:
        """Send to these destinations from now on, each as it is configured; those that did not change notice nothing.

        Deliveries to one that is not there any more wait for it.
        """
        wanted = {destination.name: destination for destination in destinations}
        with self._lock:
            if self._stop.is_set():
                return
            kept = {name: run for name, run in self._runs.items() if wanted.get(name) == run.desk.destination}
            for name in self._runs.keys() - kept.keys():
                self._runs[name].desk.stop()
                self._ending.append(self._runs[name])
            self._ending = [run for run in self._ending if not _has_ended(run, 0.0)]
            self._runs = {name: kept.get(name) or self._begin(one) for name, one in wanted.items()}

    def _begin(self, destination: Destination) -> _Run:
        means = self._means
        hold = self._holds.get(destination.name)
        desk = Desk(destination, means.ledger, means.clock, draw=means.draw, hold=hold, gather_s=means.gather_s)
        workers = [Worker(desk, means, number=number) for number in range(1, destination.workers + 1)]
        for worker in workers:
            worker.start()
        return _Run(desk, workers)

    # ---- what happens meanwhile

    def notify(self, destinations: Iterable[str]) -> None:
        """Tell, from any thread, that something is there for some destinations; costs next to nothing."""
        runs = self._runs
        for name in set(destinations):
            run = runs.get(name)
            if run is not None:
                run.desk.wake()

    def notify_all(self) -> None:
        """Tell that something may be there for any destination."""
        self.notify(list(self._runs))

    def hold(self, destination: str, *, by: str, why: str = "") -> None:
        """Put a destination aside until it is released, across restarts too. Raises NotFound, StorageFailed."""
        if not by:
            raise InvalidRequest("Whoever puts a destination aside is to be named.")
        self._put_aside(destination, Hold(by, self._now(), why))
        _log.info("delivery.held", destination=destination, by=by)

    def release(self, destination: str, *, by: str) -> None:
        """Take a destination up again. Raises NotFound, StorageFailed."""
        self._put_aside(destination, None)
        _log.info("delivery.released", destination=destination, by=by)

    def _put_aside(self, destination: str, hold: Hold | None) -> None:
        desk = self._desk(destination)
        with self._lock:
            others = {name: one for name, one in self._holds.items() if name != destination}
            holds = others if hold is None else {**others, destination: hold}
            self._keep_holds(holds)
            self._holds = holds
            desk.put_aside(hold)

    def probe(self, destination: str) -> None:
        """Have a sick destination probed at once. Raises NotFound."""
        self._desk(destination).probe_now()

    def _desk(self, destination: str) -> Desk:
        run = self._runs.get(destination)
        if run is None:
            raise NotFound(f"There is no destination {destination}.")
        return run.desk

    def status(self, destination: str) -> DestinationStatus:
        """Return how a destination is doing. Raises NotFound."""
        desk = self._desk(destination)
        counters, waiting_bytes = _tallied(self._means, [destination])[destination]
        return desk.status(counters, waiting_bytes=waiting_bytes)

    def statuses(self) -> list[DestinationStatus]:
        """Return how all destinations are doing, in the order of the configuration."""
        runs = dict(self._runs)
        tallied = _tallied(self._means, runs)
        return [run.desk.status(tallied[name][0], waiting_bytes=tallied[name][1]) for name, run in runs.items()]

    # ---- keeping

    def _keep(self) -> None:
        while not self._stop.wait(RENEWED_EVERY_S):
            try:
                self.keep()
            except IsocenterError as error:
                _log.error("delivery.not_kept", reason=error.message)
            except Exception:  # the outermost loop of the thread
                _log.exception("delivery.keeper_broken")

    def keep(self) -> None:
        """Renew the leases of what is under way, and let those run out whose worker was not heard of."""
        now = self._now()
        with self._lock:
            runs = [*self._runs.values(), *self._ending]
            policies = {name: run.desk.destination.retry for name, run in self._runs.items()}
        leases = [(row.delivery_key, row.delivery.lease_number) for run in runs for row in run.desk.under_way]
        for start in range(0, len(leases), PAGE_MAX):
            self._means.ledger.renew(leases[start : start + PAGE_MAX], now=now, until=now + LEASE_S)
        for name, policy in policies.items():
            selection = Selection(destination=name, states=SENDING, leased_before=now)
            self._means.ledger.change(selection, partial(expire, now=now, policy=policy))
        self._means.ledger.change(
            Selection(states=SENDING, leased_before=now), partial(expire, now=now, policy=RetryPolicy())
        )

    def _now(self) -> float:
        return self._means.clock.now().timestamp()

    def close(self, *, grace_s: float = STOP_GRACE_S, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """Stop: what is on the wire is answered and settled, what is not is given up and due again."""
        self._stop.set()
        with self._lock:
            runs = [*self._runs.values(), *self._ending]
        for run in runs:
            run.desk.stop()
        if not _all_ended(runs, grace_s):
            for run in runs:
                for worker in run.workers:
                    worker.give_up()
            _all_ended(runs, timeout_s)
        if self._keeper.is_alive():
            self._keeper.join()
        self._give_back([row for run in runs for row in run.desk.under_way])

    def _give_back(self, rows: Sequence[LedgerRow]) -> None:
        """Give back what a sender holds that does not end; should it arrive all the same, it does so twice."""
        if not rows:
            return
        _log.warning("delivery.given_back", count=len(rows))
        try:
            self._means.ledger.settle([given_back(row, now=self._now()) for row in rows])
        except IsocenterError as error:
            _log.error("delivery.not_given_back", reason=error.message)


def _tallied(means: Means, names: Iterable[str]) -> dict[str, tuple[Counters, int]]:
    """Return counters and bytes that wait, of each destination whatever channel fills it."""
    found = {name: (Counters(), 0) for name in names}
    for tally in means.ledger.tallies():
        if tally.destination != NOWHERE and tally.destination in found:
            counters, waiting_bytes = found[tally.destination]
            found[tally.destination] = (_sum(counters, tally.counters), waiting_bytes + tally.waiting_bytes)
    return found


def _sum(one: Counters, other: Counters) -> Counters:
    return Counters(
        one.received + other.received,
        one.delivered + other.delivered,
        one.waiting + other.waiting,
        one.needs_human + other.needs_human,
        one.cancelled + other.cancelled,
    )


def _all_ended(runs: Sequence[_Run], timeout_s: float) -> bool:
    ends_at_s = time.monotonic() + timeout_s
    return all(_has_ended(run, ends_at_s - time.monotonic()) for run in runs)


def _has_ended(run: _Run, timeout_s: float) -> bool:
    ends_at_s = time.monotonic() + timeout_s
    return all(worker.join(ends_at_s - time.monotonic()) for worker in run.workers)
