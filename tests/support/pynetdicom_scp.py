"""A storage SCP of pynetdicom's on loopback, which answers what a test wants."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.support.peers import require_module
from tests.support.processes import free_port

CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
WAIT_S = 20.0
VERIFICATION = "1.2.840.10008.1.1"
EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"


@dataclass
class StorageScp:
    """What it received, and what it answers."""

    port: int = 0
    stored: list[str] = field(default_factory=list)
    """SOP Instance UIDs in the order in which they came."""
    datasets: dict[str, bytes] = field(default_factory=dict)
    syntaxes: dict[str, str] = field(default_factory=dict)
    callers: list[str] = field(default_factory=list)
    """AE titles of associations, as they were requested."""
    contexts: list[int] = field(default_factory=list)
    """How many contexts each proposed."""
    echoes: int = 0
    answer: Callable[[str], int | None] = lambda uid: 0x0000
    """Status for a SOP Instance UID; None aborts the association."""
    server: Any = None

    @contextmanager
    def ending(self, how: str) -> Iterator[None]:
        """Have the one association aborted or released by the peer before the block begins."""
        (association,) = self.server.active_associations
        ender = threading.Thread(target=getattr(association, how), daemon=True)
        ender.start()
        while association.dul.state_machine.current_state == "Sta6":  # until its request has gone out
            ender.join(0.005)
        try:
            yield
        finally:
            ender.join(WAIT_S)


@contextmanager
def storage_scp(
    contexts: Sequence[tuple[str, Sequence[str]]] = (
        (CT_IMAGE_STORAGE, (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN)),
        (VERIFICATION, (IMPLICIT_VR_LITTLE_ENDIAN,)),
    ),
    *,
    ae_title: str = "PACS",
    callers: Sequence[str] = (),
    associations_max: int = 20,
) -> Iterator[StorageScp]:
    """Run one for the length of a block."""
    pynetdicom = require_module("pynetdicom")
    events = require_module("pynetdicom.events")
    scp = StorageScp(port=free_port())
    entity = pynetdicom.AE(ae_title=ae_title)
    for sop_class_uid, syntaxes in contexts:
        entity.add_supported_context(sop_class_uid, list(syntaxes))
    entity.require_calling_aet = list(callers)
    entity.maximum_associations = associations_max

    def on_store(event: Any) -> int:
        uid = str(event.request.AffectedSOPInstanceUID)
        status = scp.answer(uid)
        if status is None:
            event.assoc.abort()
            return 0xC000
        scp.stored.append(uid)
        scp.datasets[uid] = event.request.DataSet.getvalue()
        scp.syntaxes[uid] = str(event.context.transfer_syntax)
        return status

    def on_requested(event: Any) -> None:
        scp.callers.append(event.assoc.requestor.primitive.calling_ae_title.strip())
        scp.contexts.append(len(event.assoc.requestor.primitive.presentation_context_definition_list))

    def on_echo(event: Any) -> int:
        scp.echoes += 1
        return 0x0000

    handlers = [(events.EVT_C_STORE, on_store), (events.EVT_REQUESTED, on_requested), (events.EVT_C_ECHO, on_echo)]
    scp.server = entity.start_server(("127.0.0.1", scp.port), block=False, evt_handlers=handlers)
    try:
        yield scp
    finally:
        scp.server.shutdown()
