"""A RIS that takes modality performed procedure steps (pynetdicom), and remembers what it was told, in order."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pydicom.dataset import Dataset

from tests.support.peers import require_module

MPPS = "1.2.840.10008.3.1.2.3.3"


@dataclass
class StepListener:
    """What came: operation, UID and status."""

    port: int
    told: list[tuple[str, str, str]] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    refuse_with: int = 0
    """A status to answer with in the place of success."""
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def wait_for(self, count: int, *, timeout_s: float = 60.0) -> list[tuple[str, str, str]]:
        """Return what came once it is so much; fails where it does not come."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.told) >= count, timeout_s), self.told
            return list(self.told)

    def _note(self, operation: str, uid: str, attributes: Dataset) -> None:
        with self._changed:
            self.told.append((operation, uid, str(attributes.get("PerformedProcedureStepStatus", ""))))
            self._changed.notify_all()

    def create(self, event: Any) -> tuple[int, Dataset | None]:
        """Take an N-CREATE."""
        uid = str(event.request.AffectedSOPInstanceUID)
        self._note("create", uid, event.attribute_list)
        if uid in self.known:
            return 0x0111, None
        if self.refuse_with:
            return self.refuse_with, None
        self.known.add(uid)
        return 0x0000, event.attribute_list

    def set(self, event: Any) -> tuple[int, Dataset | None]:
        """Take an N-SET."""
        self._note("set", str(event.request.RequestedSOPInstanceUID), event.modification_list)
        return self.refuse_with, event.modification_list


@contextmanager
def step_listener(port: int, *, ae_title: str = "RIS", known: set[str] | None = None) -> Iterator[StepListener]:
    """Listen on a port of loopback for the length of a block."""
    pynetdicom = require_module("pynetdicom")
    listener = StepListener(port, known=known or set())
    entity = pynetdicom.AE(ae_title=ae_title)
    entity.add_supported_context(MPPS)
    handlers = [(pynetdicom.evt.EVT_N_CREATE, listener.create), (pynetdicom.evt.EVT_N_SET, listener.set)]
    server = entity.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers)
    try:
        yield listener
    finally:
        server.shutdown()
