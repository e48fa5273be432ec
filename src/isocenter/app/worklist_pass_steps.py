"""Tell the RIS of performed procedure steps: what modalities said, in order for each step, until it has taken it.

Each attempt is noted before it is made, so that after a kill it is known that a message may have arrived: a RIS that
then says that it has the step already has taken it.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace

import structlog

from isocenter.archive.archive import Archive
from isocenter.dicom.dataset import decode_dataset
from isocenter.dicom.part10 import encoding_of
from isocenter.dicom.syntax import EXPLICIT_VR_LITTLE_ENDIAN
from isocenter.dimse.codec.performed_step import MODALITY_PERFORMED_PROCEDURE_STEP
from isocenter.dimse.scu.client import Opener, ProposedContext
from isocenter.dimse.scu.errors import RequestFailed
from isocenter.dimse.scu.performed_step import create_performed_step, set_performed_step
from isocenter.dimse.shell.connection import Connection
from isocenter.dimse.ul.errors import AssociationOver
from isocenter.domain.application_entity import RemoteAe
from isocenter.domain.errors import IsocenterError
from isocenter.ports.step_messages import MessageState, StepMessage, StepOperation

_log = structlog.get_logger()

POLL_S = 1.0
BATCH_COUNT = 64
"""Messages of one association; modalities send a few an hour each."""
WAIT_FIRST_S, WAIT_MAX_S = 5.0, 300.0
OUTAGE_WAIT_MAX_S = 60.0
"""A RIS that is back is told within a minute."""
ENDED_EARLY = "The association ended early."
AGE_MAX_S = 7 * 86_400.0
"""A RIS that was away for longer learns the rest from its people (routing-and-gateway 3.2)."""
KEPT_S = 30 * 86_400.0
FORGET_INTERVAL_S = 3600.0
DUPLICATE_SOP_INSTANCE, PROCESSING_FAILURE = 0x0111, 0x0110
_LASTING = frozenset({0x0105, 0x0106, 0x0112, 0x0117, 0x0118, 0x0119, 0x0120, 0x0121, 0x0122, 0x0211, 0x0212})
"""Statuses of what is wrong with the message itself, or of a step that the RIS does not know (PS3.7 C.5)."""


class StepForwarder:
    """Tell the RIS, for as long as the node runs."""

    def __init__(self, archive: Archive, ris: RemoteAe, opener: Opener) -> None:
        self._archive = archive
        self.ris = ris
        self._opener = opener
        self._task: asyncio.Task[None] | None = None
        self._outages = 0

    def start(self) -> None:
        """Begin; what an earlier process left goes first."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End; what is not taken yet is told at the next start."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        forgotten_at_s = float("-inf")
        while True:
            told = 0
            try:
                now_s = self._archive.clock.monotonic_s()
                if now_s - forgotten_at_s > FORGET_INTERVAL_S:
                    forgotten_at_s = now_s
                    await self._opener.runtime.run(self._archive.step_messages.forget, before=self._now() - KEPT_S)
                due = await self._opener.runtime.run(
                    self._archive.step_messages.due, now=self._now(), limit=BATCH_COUNT
                )
                told = await self._tell(due) if due else 0
            except IsocenterError as error:
                _log.error("performed_step.not_forwarded", reason=error.message)
            except Exception:  # the outermost loop: what waits stays where it is
                _log.exception("performed_step.broken")
            if not told:
                await asyncio.sleep(min(OUTAGE_WAIT_MAX_S, POLL_S * 2.0 ** min(self._outages, 16)))

    async def _tell(self, due: list[StepMessage]) -> int:
        """Tell what is due over one association; return how many messages were settled."""
        settled = 0
        waiting = list(due)
        try:
            async with self._opener.association(
                self.ris, [ProposedContext(MODALITY_PERFORMED_PROCEDURE_STEP)]
            ) as association:
                while waiting:
                    message = replace(waiting[0], attempts=waiting[0].attempts + 1)
                    await self._keep(message)
                    waiting[0] = message
                    settled += await self._tell_one(association, message)
                    waiting.pop(0)
        except AssociationOver:
            await self._note_outage(waiting, ENDED_EARLY)
        except IsocenterError as error:
            await self._note_outage(waiting, error.message)
        else:
            self._outages = 0
        return settled

    async def _note_outage(self, waiting: list[StepMessage], problem: str) -> None:
        """Wait with everything; the first of what waits tells why, and what is too old is given up."""
        self._outages += 1
        _log.warning("performed_step.waits", ris=self.ris.ae_title, messages=len(waiting), reason=problem)
        for message in waiting:
            if self._now() - message.received_at > AGE_MAX_S:
                await self._settle(message, MessageState.REFUSED, f"Given up after seven days: {problem}")
        if waiting:
            await self._keep(replace(waiting[0], problem=problem))

    async def _tell_one(self, association: Connection, message: StepMessage) -> bool:
        """Tell one message; return whether it is settled."""
        attributes = decode_dataset(message.content, encoding_of(EXPLICIT_VR_LITTLE_ENDIAN))
        try:
            if message.operation is StepOperation.CREATE:
                await create_performed_step(association, attributes, sop_instance_uid=message.sop_instance_uid)
            else:
                await set_performed_step(association, message.sop_instance_uid, attributes)
        except RequestFailed as error:
            return await self._note_failure(message, error)
        await self._settle(message, MessageState.SENT, "")
        return True

    async def _note_failure(self, message: StepMessage, error: RequestFailed) -> bool:
        may_have_arrived = message.attempts > 1 and message.problem in ("", ENDED_EARLY)
        is_create = message.operation is StepOperation.CREATE
        if error.status == DUPLICATE_SOP_INSTANCE and is_create:
            await self._settle(message, MessageState.SENT, "It had the step already.")
        elif error.status == PROCESSING_FAILURE and not is_create and may_have_arrived:
            # An attempt whose answer was lost; the RIS does not change a step that is finished (PS3.4 F.7.2.2.2).
            await self._settle(message, MessageState.SENT, "It had the change already.")
        elif error.status in _LASTING:
            await self._settle(message, MessageState.REFUSED, error.message)
        else:
            await self._put_off(message, error.message)
            return False
        return True

    async def _settle(self, message: StepMessage, state: MessageState, problem: str) -> None:
        await self._keep(replace(message, state=state, problem=problem, finished_at=self._now()))
        _log.info(
            "performed_step.forwarded" if state is MessageState.SENT else "performed_step.refused",
            ris=self.ris.ae_title,
            sop_instance_uid=message.sop_instance_uid,
            operation=message.operation.value,
            attempts=message.attempts,
            reason=problem,
        )

    async def _put_off(self, message: StepMessage, problem: str) -> None:
        now = self._now()
        if now - message.received_at > AGE_MAX_S:
            await self._settle(message, MessageState.REFUSED, f"Given up after seven days: {problem}")
            return
        wait_s = min(WAIT_MAX_S, WAIT_FIRST_S * 2.0 ** min(message.attempts - 1, 16))
        await self._keep(replace(message, next_at=now + wait_s, problem=problem))
        _log.warning("performed_step.waits", ris=self.ris.ae_title, messages=1, reason=problem)

    async def _keep(self, message: StepMessage) -> None:
        await self._opener.runtime.run(self._archive.step_messages.replace, message)

    def _now(self) -> float:
        return self._archive.clock.now().timestamp()
