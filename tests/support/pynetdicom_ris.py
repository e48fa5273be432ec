"""A department as pynetdicom plays it: takes images and performed steps, and reports on commitments when it likes."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from tests.support.peers import require_module
from tests.support.processes import free_port

CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
PERFORMED_STEP = "1.2.840.10008.3.1.2.3.3"
COMMITMENT, COMMITMENT_INSTANCE = "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.1.1"
NO_SUCH_OBJECT_INSTANCE = 0x0112
WAIT_S = 20.0


@dataclass
class Department:
    """What it was told, and how it answers."""

    port: int
    stored: list[str] = field(default_factory=list)
    created: list[Dataset] = field(default_factory=list)
    changed: list[Dataset] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)
    """SOP Instance UIDs that it took and does not commit to."""
    calls_back_at: int = 0
    """The port of the device that asked, to which it opens an association for its report."""
    reported: list[int] = field(default_factory=list)
    """The device's answers to its reports."""


@contextmanager
def department(*, ae_title: str = "RIS", device: str = "CT01", refuses: Sequence[str] = ()) -> Iterator[Department]:
    """Run one for the length of a block; it offers no service whose class it refuses."""
    pynetdicom, events = require_module("pynetdicom"), require_module("pynetdicom.events")
    ris = Department(free_port(), calls_back_at=free_port())
    entity = pynetdicom.AE(ae_title=ae_title)
    for sop_class_uid in (CT_IMAGE_STORAGE, PERFORMED_STEP, COMMITMENT):
        if sop_class_uid not in refuses:
            entity.add_supported_context(sop_class_uid)
    callers: list[threading.Thread] = []

    def on_store(event: Any) -> int:
        ris.stored.append(str(event.request.AffectedSOPInstanceUID))
        return 0x0000

    def on_create(event: Any) -> tuple[int, Dataset]:
        ris.created.append(event.attribute_list)
        return 0x0000, event.attribute_list

    def on_set(event: Any) -> tuple[int, Dataset]:
        ris.changed.append(event.modification_list)
        return 0x0000, event.modification_list

    def on_action(event: Any) -> tuple[int, None]:
        report = _report_of(event.action_information, ris)
        callers.append(threading.Thread(target=_call_back, args=(pynetdicom, ae_title, device, ris, report)))
        callers[-1].start()
        return 0x0000, None

    handlers = [
        (events.EVT_C_STORE, on_store),
        (events.EVT_N_CREATE, on_create),
        (events.EVT_N_SET, on_set),
        (events.EVT_N_ACTION, on_action),
    ]
    server = entity.start_server(("127.0.0.1", ris.port), block=False, evt_handlers=handlers)
    try:
        yield ris
    finally:
        for caller in callers:
            caller.join(WAIT_S)
        server.shutdown()


def _report_of(asked: Dataset, ris: Department) -> Dataset:
    report = Dataset()
    report.TransactionUID = asked.TransactionUID
    wanted = list(asked.ReferencedSOPSequence)
    kept = [item for item in wanted if item.ReferencedSOPInstanceUID not in ris.lost]
    if kept:
        report.ReferencedSOPSequence = Items(kept)
    if len(kept) < len(wanted):
        report.FailedSOPSequence = Items([item for item in wanted if item not in kept])
        for item in report.FailedSOPSequence:
            item.FailureReason = NO_SUCH_OBJECT_INSTANCE
    return report


def _call_back(pynetdicom: Any, ae_title: str, device: str, ris: Department, report: Dataset) -> None:
    entity = pynetdicom.AE(ae_title=ae_title)
    entity.add_requested_context(COMMITMENT)
    role = pynetdicom.build_role(COMMITMENT, scu_role=False, scp_role=True)
    association = entity.associate("127.0.0.1", ris.calls_back_at, ae_title=device, ext_neg=[role])
    wire = association.dul.socket.socket
    if association.is_established:
        event_type = 2 if "FailedSOPSequence" in report else 1
        status, _ = association.send_n_event_report(report, event_type, COMMITMENT, COMMITMENT_INSTANCE)
        ris.reported.append(status.Status)
        association.release()
    association.join(WAIT_S)
    if wire is not None:  # pynetdicom leaves it open where the device was quicker to close
        wire.close()
