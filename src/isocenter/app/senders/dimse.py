"""Send instances to another application entity by C-STORE, over associations that stay open from batch to batch.

    batch ──▶ by calling title ──▶ by contexts ──▶ association ──▶ C-STORE each ──▶ report

A sender has an event loop of its own, which runs while its worker sends: nothing changes threads for an instance, and
an association that stalls holds up nobody else. An association that was lost while it was not used is opened again
without a word; one that is lost under an instance is that instance's report, and the others go over a new one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from isocenter.app.senders.converting import Converter
from isocenter.app.senders.dimse_lane import Lane, PeerKnowledge, Unopened
from isocenter.app.senders.dimse_reports import report_of_end, report_of_opening
from isocenter.dimse.scu.client import Opener, ProposedContext
from isocenter.dimse.scu.echo import VERIFICATION, echo
from isocenter.dimse.scu.errors import AssociationRefused, ContextRefused, PeerBusy, RequestFailed
from isocenter.dimse.shell.record import AssociationRegister
from isocenter.dimse.shell.runtime import Completions, Runtime, Times
from isocenter.dimse.shell.tls import TlsSettings, client_context
from isocenter.dimse.ul.errors import AssociationOver
from isocenter.dimse.ul.limits import AssociationLimits
from isocenter.domain.errors import PeerUnreachable
from isocenter.routing.configuration.destination import CallingTitle, DimseTarget
from isocenter.routing.deliveries.report import DimseAnswered, Report
from isocenter.routing.deliveries.sender import OnReport, Outgoing

T = TypeVar("T")

LANES_MAX = 8
"""Calling titles with associations open at a time; the one that was used longest ago is closed for another."""
CLOSE_TIMEOUT_S = 3.0
"""For all peers together to agree to the release."""


@dataclass(frozen=True, slots=True)
class OwnSide:
    """As whom the node calls, and how long it waits."""

    ae_title: str
    tls: TlsSettings = field(default_factory=TlsSettings)
    times: Times = field(default_factory=Times)
    limits: AssociationLimits = field(default_factory=lambda: AssociationLimits(idle_timeout_s=None))


class DimseSender:
    """Sends to one application entity."""

    def __init__(self, target: DimseTarget, own: OwnSide, converter: Converter, knowledge: PeerKnowledge) -> None:
        """Make one; raises InvalidSetting where TLS is to be spoken and its keys cannot be used."""
        self._target = target
        self._own = own
        self._converter = converter
        self._knowledge = knowledge
        self._tls = client_context(own.tls) if target.remote.uses_tls else None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._executor = ThreadPoolExecutor(1, "sender")  # asked for by the runtime; sending never uses it
        self._lanes: dict[str, Lane] = {}

    def send(self, batch: Sequence[Outgoing], on_report: OnReport) -> None:
        """Send instances and report each, those of one calling title together."""
        self._run(self._send(batch, on_report))

    async def _send(self, batch: Sequence[Outgoing], on_report: OnReport) -> None:
        await _listen()
        for title, instances in _by_title(batch, self._title_of):
            lane = await self._lane(title)
            try:
                await lane.send(instances, on_report)
            except Unopened as error:
                on_report(error.outgoing, error.report, error.detail)
                return  # whoever does not take this association takes no other one now

    def _title_of(self, outgoing: Outgoing) -> str:
        came_from = outgoing.calling_ae_title
        mapped = dict(self._target.calling_ae_titles).get(came_from) if came_from else None
        keeps = self._target.calling_ae_title is CallingTitle.KEEP
        return mapped or (came_from if keeps else "") or self._own.ae_title

    async def _lane(self, title: str) -> Lane:
        lane = self._lanes.pop(title, None)
        if lane is None:
            if len(self._lanes) == LANES_MAX:
                await self._lanes.pop(next(iter(self._lanes))).close()
            lane = Lane(self._opener(title), self._target, self._converter, self._knowledge)
        self._lanes[title] = lane  # the last used is the last
        self._knowledge.last_title = title
        return lane

    def _opener(self, title: str) -> Opener:
        loop = asyncio.get_running_loop()
        runtime = Runtime(
            loop=loop,
            executor=self._executor,
            picture_executor=self._executor,
            completions=Completions(loop),
            now=lambda: datetime.now(UTC),
            limits=self._own.limits,
            times=self._own.times,
        )
        return Opener(runtime, AssociationRegister(), title, tls=self._tls)

    def probe(self) -> Report | None:
        """Ask for a C-ECHO under the title that was used last; return what came of it, None where it is well."""
        return self._run(self._probe())

    async def _probe(self) -> Report | None:
        opener = self._opener(self._knowledge.last_title or self._own.ae_title)
        try:
            async with opener.association(self._target.remote, [ProposedContext(VERIFICATION)]) as association:
                await echo(association)
        except (AssociationRefused, PeerBusy, PeerUnreachable) as error:
            return report_of_opening(error)
        except AssociationOver:
            return report_of_end(opener.register.recent[0])
        except RequestFailed as error:
            return DimseAnswered(error.status)
        except ContextRefused:  # it does not offer verification; it is there all the same
            return None
        return None

    def close(self) -> None:
        """Release what is open."""
        loop, self._loop = self._loop, None
        if loop is not None:
            try:
                loop.run_until_complete(self._close_lanes())
            finally:
                loop.close()
        self._executor.shutdown(wait=False)
        self._executor = ThreadPoolExecutor(1, "sender")

    async def _close_lanes(self) -> None:
        lanes, self._lanes = list(self._lanes.values()), {}
        await asyncio.gather(*(lane.close(CLOSE_TIMEOUT_S) for lane in lanes))

    def _run(self, work: Coroutine[None, None, T]) -> T:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
        return self._loop.run_until_complete(work)


async def _listen() -> None:
    """Take in what peers said while nothing was sent: that they released or gave up an association."""
    for _ in range(2):  # what was read in one round of the loop is acted on in the next
        await asyncio.sleep(0)


def _by_title(batch: Iterable[Outgoing], title_of: Callable[[Outgoing], str]) -> Iterator[tuple[str, list[Outgoing]]]:
    titles: dict[str, list[Outgoing]] = {}
    for outgoing in batch:
        titles.setdefault(title_of(outgoing), []).append(outgoing)
    yield from titles.items()
