"""The whole life of an order: work list, step in progress, images, step completed, storage commitment, report.

    choose ─▶ N-CREATE ─▶ C-STORE each ─▶ N-SET ─▶ (late series) ─▶ N-ACTION, N-EVENT-REPORT ─▶ report

A device goes on where it can: a step that nobody takes does not stop the images. What failed stands in the report.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from isocenter.app.committing import CommitReport, commit
from isocenter.app.dimse_peer import DimsePeer
from isocenter.app.modality.report import ScanReport
from isocenter.dimse.codec.performed_step import MODALITY_PERFORMED_PROCEDURE_STEP
from isocenter.dimse.scu.client import Opener, ProposedContext
from isocenter.dimse.scu.errors import AssociationRefused, ContextRefused, PeerBusy, RequestFailed
from isocenter.dimse.scu.performed_step import create_performed_step, set_performed_step
from isocenter.domain.errors import IsocenterError, PeerUnreachable, Unavailable
from isocenter.domain.performed_step import PerformedStepState
from isocenter.modality.devices.acquisition import Acquisition
from isocenter.modality.devices.contexts import many_contexts
from isocenter.modality.devices.instance import DeviceInstance
from isocenter.modality.devices.outcome import Outcome
from isocenter.modality.devices.pace import FAST, Pace, Pacer
from isocenter.modality.devices.performed_step import creation_of, ending_of
from isocenter.modality.devices.sending import (
    AssociationPer,
    DeviceSender,
    SendingHabit,
    implicit_contexts,
    usual_contexts,
)

STEP_CONTEXT = ProposedContext(MODALITY_PERFORMED_PROCEDURE_STEP)
STEP_ERRORS = (PeerUnreachable, PeerBusy, AssociationRefused, ContextRefused, RequestFailed, Unavailable)
"""What keeps a device from telling of its step, and not from making images."""
STEP_LENGTH = timedelta(minutes=10)
"""What a step is said to have taken, so that a seed gives the same messages at any pace."""


@dataclass(frozen=True, slots=True)
class Peers:
    """Whom a device talks to."""

    archive: DimsePeer
    steps: DimsePeer | None = None
    """Who is told of performed steps; None where nobody is."""
    commitment: DimsePeer | None = None
    """Who is asked to commit; None where nobody is."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How a device goes about it."""

    pace: Pace = FAST
    association_per: AssociationPer | None = None
    """None for what the profile does."""
    commitment_wait_s: float = 60.0
    listener: socket.socket | None = None
    """Bound, for associations that a peer opens to report on a commitment."""


@dataclass(slots=True)
class Scan:
    """One study, from the first message to the last."""

    acquisition: Acquisition
    peers: Peers
    manner: Manner = field(default_factory=Manner)
    on_outcome: Callable[[Outcome], None] = lambda outcome: None

    def run(self) -> ScanReport:
        """Make the study and send it; return what became of everything.

        Raises nothing for what peers do: that stands in the report.
        """
        report = ScanReport(self.acquisition, str(self.peers.archive))
        self._create_step(report)
        self._send(report, self.acquisition.iter_images(), report.outcomes)
        self._end_step(report)
        if self.acquisition.misbehaviour.late_series_s is not None and not report.stopped:
            self._send(report, self.acquisition.iter_late_images(), report.late_outcomes)
        self._commit(report)
        return report

    # ---- the performed step

    def _create_step(self, report: ScanReport) -> None:
        acquisition = self.acquisition
        if self.peers.steps is None or acquisition.misbehaviour.tells_no_step:
            return
        step = acquisition.step
        attributes = creation_of(step, acquisition.order, acquisition.profile)
        peer = self.peers.steps

        async def create(opener: Opener) -> None:
            async with opener.association(peer.remote, [STEP_CONTEXT]) as association:
                await create_performed_step(association, attributes, sop_instance_uid=step.sop_instance_uid)

        report.tells_step_to = str(peer)
        try:
            peer.run(create)
        except STEP_ERRORS as error:
            report.step_problem = error.message
        else:
            report.step_states.append(PerformedStepState.IN_PROGRESS)

    def _end_step(self, report: ScanReport) -> None:
        peer, acquisition = self.peers.steps, self.acquisition
        if peer is None or not report.step_states:
            return
        made = [outcome for outcome in report.outcomes if outcome.is_acknowledged]
        state = PerformedStepState.DISCONTINUED if report.stopped or not made else PerformedStepState.COMPLETED
        ended_at = acquisition.begun_at + STEP_LENGTH
        changes = ending_of(state, made, acquisition.series_descriptions, ended_at=ended_at)

        async def change(opener: Opener) -> None:
            async with opener.association(peer.remote, [STEP_CONTEXT]) as association:
                await set_performed_step(association, acquisition.step.sop_instance_uid, changes)

        try:
            peer.run(change)
        except STEP_ERRORS as error:
            report.step_problem = error.message
        else:
            report.step_states.append(state)

    # ---- images

    def _send(self, report: ScanReport, images: Iterator[DeviceInstance], outcomes: list[Outcome]) -> None:
        is_late = outcomes is report.late_outcomes
        pacer = Pacer(self.acquisition.profile.pacing, self.manner.pace)

        async def wait(instance: DeviceInstance) -> None:
            delay_s = pacer.delay_s(instance)
            if is_late and not outcomes:
                delay_s += self.manner.pace.scaled_s(self.acquisition.misbehaviour.late_series_s or 0.0)
            if delay_s:
                await asyncio.sleep(delay_s)

        def note(outcome: Outcome) -> None:
            outcomes.append(outcome)
            self.on_outcome(outcome)

        async def send(opener: Opener) -> str:
            habit = self._habit(is_late=is_late)
            sender = DeviceSender(opener, self.peers.archive.remote, habit, wait, note)
            await sender.send(images)
            return sender.stopped

        try:
            report.stopped = self.peers.archive.run(send)
        except (PeerUnreachable, PeerBusy) as error:
            report.stopped, report.was_reached = error.message, bool(outcomes)
        except IsocenterError as error:
            report.stopped = error.message

    def _habit(self, *, is_late: bool) -> SendingHabit:
        wrong = self.acquisition.misbehaviour
        usual = implicit_contexts if wrong.implicit_vr else usual_contexts
        return SendingHabit(
            association_per=self.manner.association_per or self.acquisition.profile.association_per,
            propose=usual if wrong.contexts is None else many_contexts(wrong.contexts, usual=usual),
            abort_after=None if is_late else wrong.abort_after,
        )

    # ---- storage commitment

    def _commit(self, report: ScanReport) -> None:
        peer = self.peers.commitment
        if peer is None or self.acquisition.misbehaviour.asks_no_commitment:
            return
        report.asks_for_commitment_of = str(peer)
        references = report.acknowledged_references
        if not references:
            return
        report.commitment = CommitReport()
        try:
            commit(
                peer,
                references,
                report.commitment,
                wait_s=self.manner.commitment_wait_s,
                on_progress=lambda number: None,
                listener=self.manner.listener,
            )
        except IsocenterError as error:
            report.commitment.unanswered = list(references)
            report.commitment_problem = error.message
