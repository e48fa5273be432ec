"""The services around a work list for the listeners of a node, with the RIS behind them where there is one."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

from isocenter.app.settings import Settings
from isocenter.app.worklist_pass import WorklistPass, find_ris
from isocenter.app.worklist_pass_status import overview
from isocenter.app.worklist_pass_steps import StepForwarder
from isocenter.archive.archive import Archive
from isocenter.dimse.scp.performed_step import PerformedStepProvider
from isocenter.dimse.scp.worklist import WorklistProvider
from isocenter.dimse.scu.client import Opener
from isocenter.dimse.shell.record import AssociationRegister
from isocenter.dimse.shell.runtime import Runtime
from isocenter.dimse.shell.service import Service
from isocenter.domain.worklist import LeavesWhen

CALLING_AE_TITLE = "ISOCENTER"
"""How a node that listens only for channels calls the RIS."""


class WorklistServices:
    """The work list and performed procedure steps, for every listener of a node alike."""

    def __init__(self, archive: Archive, settings: Settings) -> None:
        """Make them ready. Raises InvalidSetting where the RIS is no remote AE with an address."""
        self._archive = archive
        self._settings = settings
        self._ris = find_ris(settings.worklist, settings.dicom)
        self._passing: WorklistPass | None = None
        self._forwarder: StepForwarder | None = None

    @property
    def has_ris(self) -> bool:
        """Tell whether another AE keeps the work list."""
        return self._ris is not None

    def start(
        self, runtime: Runtime, register: AssociationRegister, make_tls: Callable[[], ssl.SSLContext | None]
    ) -> None:
        """Begin to speak with the RIS, in the running event loop; before a listener asks for services."""
        if self._ris is None:
            return
        own = self._settings.dicom.listen or self._settings.dicom.tls_listen
        title = CALLING_AE_TITLE if own is None else own.ae_title
        opener = Opener(runtime, register, title, tls=make_tls() if self._ris.uses_tls else None)
        self._passing = WorklistPass(self._archive, self._settings.worklist, self._ris, opener)
        self._passing.start()
        if self._settings.worklist.performed_steps == "forward":
            self._forwarder = StepForwarder(self._archive, self._ris, opener)
            self._forwarder.start()

    async def stop(self) -> None:
        """End it; performed steps that were not taken yet are told at the next start."""
        for one in (self._passing, self._forwarder):
            if one is not None:
                await one.stop()

    def services(self) -> list[Service]:
        """Return the rows of a table of services."""
        archive, leave = self._archive, LeavesWhen(self._settings.dicom.worklist_steps_leave)
        forward_to = "" if self._forwarder is None else self._forwarder.ris.ae_title
        worklist = WorklistProvider(archive.worklist, steps_leave=leave, upstream=self._passing)
        steps = PerformedStepProvider(archive.performed_steps, archive.clock, forward_to=forward_to)
        return [worklist.service(), *steps.services()]

    def services_of_channels(self) -> list[Service]:
        """Return those that listeners of channels offer besides: modalities know one title for everything."""
        return self.services() if self.has_ris else []

    def overview(self) -> dict[str, Any]:
        """Return how it stands with the RIS, for programs; waits for the disk."""
        status = None if self._passing is None else self._passing.status()
        return overview(status, self._archive.step_messages, now=self._archive.clock.now().timestamp())
