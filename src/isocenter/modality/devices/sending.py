"""The associations of a device: opened as its kind opens them, one C-STORE after the other, nothing tried twice.

    instances ─▶ pace ─▶ association (an image's, a series', the study's) ─▶ C-STORE ─▶ outcome

A device keeps no journal and sends nothing again: where its peer is lost it stops, and tells how far it came.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from isocenter.dicom.syntax import IMPLICIT_VR_LITTLE_ENDIAN
from isocenter.dimse.scu.client import Opener, ProposedContext, close, give_up
from isocenter.dimse.scu.context_plan import InstanceKind, choose_context, plan_contexts
from isocenter.dimse.scu.errors import AssociationRefused, PeerBusy, RequestFailed
from isocenter.dimse.scu.requests import describe_refusal, named
from isocenter.dimse.scu.status_texts import describe_status
from isocenter.dimse.scu.store import store
from isocenter.dimse.shell.connection import Connection
from isocenter.dimse.ul.contexts import AcceptedContext
from isocenter.dimse.ul.errors import AssociationOver
from isocenter.domain.application_entity import RemoteAe
from isocenter.domain.errors import InvalidDataset, NotAcceptable, PeerUnreachable
from isocenter.modality.devices.instance import DeviceInstance, converted
from isocenter.modality.devices.outcome import Outcome


class AssociationPer(StrEnum):
    """For how long a device keeps an association."""

    IMAGE = "image"
    SERIES = "series"
    STUDY = "study"


Wait = Callable[[DeviceInstance], Awaitable[None]]
"""Waits until the device has made an instance."""
Propose = Callable[[Sequence[InstanceKind]], Sequence[Sequence[ProposedContext]]]
"""Returns the contexts of the associations for kinds; the first is the one that instances go over."""


async def at_once(_instance: DeviceInstance) -> None:
    """Wait for nothing."""


def usual_contexts(kinds: Sequence[InstanceKind]) -> Sequence[Sequence[ProposedContext]]:
    """Return what a well-behaved device proposes: each class in its own transfer syntax and in the native ones."""
    return [plan.contexts for plan in plan_contexts(kinds)]


def implicit_contexts(kinds: Sequence[InstanceKind]) -> Sequence[Sequence[ProposedContext]]:
    """Return what a device proposes that knows Implicit VR Little Endian alone."""
    classes = dict.fromkeys(kind.sop_class_uid for kind in kinds)
    return [[ProposedContext(uid, (IMPLICIT_VR_LITTLE_ENDIAN,)) for uid in classes]]


@dataclass(frozen=True, slots=True)
class SendingHabit:
    """How a device sends."""

    association_per: AssociationPer = AssociationPer.IMAGE
    propose: Propose = usual_contexts
    abort_after: int | None = None
    """It aborts the association in the middle of the instance behind so many."""


@dataclass(slots=True)
class DeviceSender:
    """Sends instances to one peer."""

    opener: Opener
    peer: RemoteAe
    habit: SendingHabit = field(default_factory=SendingHabit)
    wait: Wait = at_once
    on_outcome: Callable[[Outcome], None] = lambda outcome: None
    stopped: str = ""
    """Why it sends nothing more."""
    _open: list[Connection] = field(default_factory=list)
    _kinds: dict[InstanceKind, None] = field(default_factory=dict)
    _group: str = ""
    _sent: int = 0

    async def send(self, instances: Iterator[DeviceInstance]) -> None:
        """Send what there is until the end, or until the peer is lost; each outcome is told as it comes.

        Raises PeerUnreachable, PeerBusy or AssociationRefused where the first association does not come about.
        """
        try:
            instance = await self.opener.runtime.run(next, instances, None)
            while instance is not None and not self.stopped:
                await self.wait(instance)
                outcome = await self._send(instance)
                self._sent += 1
                self.on_outcome(outcome)
                instance = await self.opener.runtime.run(next, instances, None)
                if instance is None or self._group_of(instance) != self._group:
                    await self._end(is_wanted=not self.stopped)  # it is not kept while the next one is made
        except BaseException:
            await self._end(is_wanted=False)
            raise
        await self._end(is_wanted=not self.stopped)

    async def _send(self, instance: DeviceInstance) -> Outcome:
        try:
            connection = await self._association(instance)
        except (PeerUnreachable, PeerBusy, AssociationRefused) as error:
            if not self._sent:
                raise
            self.stopped = error.message
            return _outcome(instance, problem=error.message)
        try:
            return await self._store(connection, instance)
        except _AbortedOnPurpose:
            self.stopped = "The device aborted the association in the middle of an instance."
            return _outcome(instance, problem=self.stopped)
        except AssociationOver:
            cause = connection.record.cause or "it gave no reason"
            self.stopped = f"The association with {self.peer.address} ended while an instance was sent: {cause}"
            return _outcome(instance, problem=self.stopped)

    async def _store(self, connection: Connection, instance: DeviceInstance) -> Outcome:
        context = self._context_for(instance.kind)
        if context is None:
            offered = named(instance.kind.transfer_syntax_uid)
            refusal = describe_refusal(connection, instance.kind.sop_class_uid)
            return _outcome(instance, problem=f"{refusal} The device makes it in {offered}.")
        taken, agreed = context
        try:
            ready = await self.opener.runtime.run(converted, instance, agreed.transfer_syntax_uid)
            pieces = _stream(ready, is_to_be_aborted=self._sent == self.habit.abort_after)
            response = await store(taken, agreed, pieces, sop_instance_uid=instance.sop_instance_uid)
        except (NotAcceptable, InvalidDataset, RequestFailed) as error:
            return _outcome(instance, problem=error.message)
        outcome = _outcome(instance, status=response.status)
        if outcome.is_acknowledged:
            return outcome
        told = f"{self.peer.address} answers {describe_status(response)}"
        return _outcome(instance, status=response.status, problem=told)

    def _context_for(self, kind: InstanceKind) -> tuple[Connection, AcceptedContext] | None:
        for connection in self._open:
            context = choose_context(connection.contexts, kind)
            if context is not None:
                return connection, context
        return None

    async def _association(self, instance: DeviceInstance) -> Connection:
        """Return the association for an instance: the one that is open, where it is still the right one."""
        group = self._group_of(instance)
        is_known = instance.kind in self._kinds
        if self._open and (group != self._group or not is_known or not self._open[0].is_open):
            await self._end(is_wanted=True)
        self._group = group
        if self.habit.association_per is AssociationPer.IMAGE:
            self._kinds.clear()  # who opens one for each image knows of that image only
        self._kinds[instance.kind] = None
        if not self._open:
            for contexts in self.habit.propose(list(self._kinds)):
                self._open.append(await self.opener.open(self.peer, contexts))
        return self._open[0]

    def _group_of(self, instance: DeviceInstance) -> str:
        match self.habit.association_per:
            case AssociationPer.IMAGE:
                return f"{self._sent} {instance.sop_instance_uid}"
            case AssociationPer.SERIES:
                return instance.series_instance_uid
            case AssociationPer.STUDY:
                return instance.study_instance_uid

    async def _end(self, *, is_wanted: bool) -> None:
        opened, self._open = self._open, []
        for connection in opened:
            if is_wanted:
                await close(connection)
            else:
                await give_up(connection, "The device stopped before everything was sent.")


class _AbortedOnPurpose(Exception):
    """The device gives up in the middle of an instance."""


async def _stream(instance: DeviceInstance, *, is_to_be_aborted: bool) -> AsyncIterator[bytes | memoryview]:
    """Yield the data set; half of its first piece alone where the device is to abort."""
    for piece in instance.iter_dataset():
        if is_to_be_aborted:
            yield piece[: len(piece) // 4 * 2]
            yield b"\0\0"  # what was yielded before goes out when more has come
            raise _AbortedOnPurpose
        yield piece


def _outcome(instance: DeviceInstance, *, status: int | None = None, problem: str = "") -> Outcome:
    return Outcome(
        instance.reference,
        instance.series_instance_uid,
        instance.study_instance_uid,
        instance.size_bytes,
        status=status,
        problem=problem,
    )
