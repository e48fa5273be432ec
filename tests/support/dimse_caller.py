"""A device by pynetdicom: it searches, retrieves and stores, and keeps what it is told and sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from pynetdicom import AE, build_role, evt
from pynetdicom.association import Association

HOST = "127.0.0.1"
CT, SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.7"
ROOT = "1.2.840.10008.5.1.4.1.2."
PATIENT_FIND, STUDY_FIND, PATIENT_STUDY_FIND = ROOT + "1.1", ROOT + "2.1", ROOT + "3.1"
STUDY_MOVE, STUDY_GET = ROOT + "2.2", ROOT + "2.3"
SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
PENDING = (0xFF00, 0xFF01)


@dataclass(slots=True)
class Found:
    """What a search ended with."""

    statuses: list[int]
    answers: list[Dataset]
    comment: str

    @property
    def status(self) -> int:
        """Return the final status."""
        return self.statuses[-1]


@dataclass(slots=True)
class Retrieved:
    """What a retrieval ended with."""

    status: int
    remaining: int | None
    completed: int
    failed: int
    warning: int
    failed_uids: list[str]
    comment: str
    pendings: list[Dataset] = field(default_factory=list)


@dataclass(slots=True)
class Receiver:
    """A storage provider on loopback."""

    title: str
    port: int = 0
    received: list[Dataset] = field(default_factory=list)
    originators: list[tuple[str, int]] = field(default_factory=list)
    status: int = 0

    @property
    def peer(self) -> str:
        """Return its address as the node wants it."""
        return f"{self.title}@{HOST}:{self.port}"

    def forget(self) -> None:
        """Be as new."""
        self.received.clear()
        self.originators.clear()
        self.status = 0

    def take(self, event: evt.Event) -> int:
        """Keep an instance."""
        dataset = event.dataset
        dataset.file_meta = event.file_meta
        self.received.append(dataset)
        request: Any = event.request
        self.originators.append((request.MoveOriginatorApplicationEntityTitle, request.MoveOriginatorMessageID))
        return self.status


@contextmanager
def receiving(title: str, *, syntaxes: Sequence[str] = SYNTAXES, classes: Sequence[str] = (CT,)) -> Iterator[Receiver]:
    """Run a storage provider for the length of a block."""
    ae = AE(title)
    for one in classes:
        ae.add_supported_context(one, list(syntaxes))
    receiver = Receiver(title)
    sockets: list[Any] = []

    def opened(event: Any) -> None:
        sockets.append(event.assoc.dul.socket.socket)

    handlers: list[Any] = [(evt.EVT_C_STORE, receiver.take), (evt.EVT_CONN_OPEN, opened)]
    server: Any = ae.start_server((HOST, 0), block=False, evt_handlers=handlers)
    receiver.port = server.socket.getsockname()[1]
    try:
        yield receiver
    finally:
        ae.shutdown()
        _close(sockets)


def _close(sockets: Sequence[Any]) -> None:
    """Close what pynetdicom leaves open where the peer was gone before it could shut a socket down."""
    for one in sockets:
        if one is not None:
            one.close()


@contextmanager
def associated(
    port: int, called: str, *contexts: str, calling: str = "OLDPACS", syntaxes: Sequence[str] = SYNTAXES, **options: Any
) -> Iterator[Association]:
    """Open an association for the length of a block."""
    ae = AE(calling)
    for one in contexts:
        ae.add_requested_context(one, list(syntaxes))
    association: Any = ae.associate(HOST, port, ae_title=called, **options)
    assert association.is_established
    sockets = [association.dul.socket.socket]
    try:
        yield association
    finally:
        if association.is_established:
            association.release()
        _close(sockets)


def identifier(level: str, **keys: Any) -> Dataset:
    """Return an identifier."""
    dataset = Dataset()
    dataset.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(dataset, keyword, value)
    return dataset


def find(port: int, called: str, query: Dataset, *, model: str = STUDY_FIND, **options: Any) -> Found:
    """Search, and return all answers."""
    found = Found([], [], "")
    with associated(port, called, model, **options) as association:
        for status, answer in association.send_c_find(query, model):
            found.statuses.append(status.Status)
            found.comment = str(status.get("ErrorComment", ""))
            if answer is not None:
                found.answers.append(answer)
    return found


def move(port: int, called: str, query: Dataset, destination: str) -> Retrieved:
    """Have instances moved."""
    with associated(port, called, STUDY_MOVE) as association:
        return _ended(list(association.send_c_move(query, destination, STUDY_MOVE)))


def get(port: int, called: str, query: Dataset, receiver: Receiver) -> Retrieved:
    """Get instances over the same association."""
    options: dict[str, Any] = {
        "ext_neg": [build_role(CT, scp_role=True)],
        "evt_handlers": [(evt.EVT_C_STORE, receiver.take)],
    }
    with associated(port, called, STUDY_GET, CT, **options) as association:
        return _ended(list(association.send_c_get(query, STUDY_GET)))


def _ended(responses: list[tuple[Dataset, Dataset | None]]) -> Retrieved:
    status, final = responses[-1]
    failed: Any = [] if final is None else final.get("FailedSOPInstanceUIDList", [])
    return Retrieved(
        status.Status,
        status.get("NumberOfRemainingSuboperations"),
        status.get("NumberOfCompletedSuboperations", 0),
        status.get("NumberOfFailedSuboperations", 0),
        status.get("NumberOfWarningSuboperations", 0),
        [failed] if isinstance(failed, str) else [str(uid) for uid in failed],
        str(status.get("ErrorComment", "")),
        [pending for pending, _ in responses[:-1]],
    )


def store(port: int, called: str, *datasets: Dataset) -> list[Dataset]:
    """Store instances, and return the responses."""
    classes = dict.fromkeys(str(one.SOPClassUID) for one in datasets)
    syntaxes = list(dict.fromkeys(str(one.file_meta.TransferSyntaxUID) for one in datasets))
    with associated(port, called, *classes, syntaxes=syntaxes) as association:
        return [association.send_c_store(one) for one in datasets]
