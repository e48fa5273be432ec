"""The storage commitment service, in both roles, with pynetdicom at the other end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.association import Association

from isocenter.archive.archive import Archive
from isocenter.archive.commitment import begin_asking, request_commitment
from isocenter.dimse.codec.commitment import STORAGE_COMMITMENT_INSTANCE, STORAGE_COMMITMENT_PUSH_MODEL
from isocenter.dimse.scp.commitment import CommitmentProvider
from isocenter.dimse.scu.commitment import COMMITMENT_CONTEXT, CommitmentReport, ask_for_commitment, report_service
from isocenter.dimse.scu.errors import RequestFailed
from isocenter.dimse.shell.service import ServiceTable
from isocenter.domain.application_entity import RemoteAe
from isocenter.domain.commitment import (
    Commitment,
    CommitmentRequest,
    CommitmentResult,
    CommitmentState,
    FailureReason,
    InstanceReference,
    Side,
)
from isocenter.domain.principal import LOCAL_OWNER
from tests.support.dimse_thread import AE_TITLE, ANSWER_TIMEOUT_S, HOST, DimseNode, Served, Tools, dimse_node
from tests.support.instances import CT_IMAGE_STORAGE, identify
from tests.support.memory_archive import FakeClock, memory_archive, store
from tests.support.small_instances import make_instance

PUSH = STORAGE_COMMITMENT_PUSH_MODEL
HERE = InstanceReference(CT_IMAGE_STORAGE, identify(1).sop_instance_uid)
MISSING = InstanceReference(CT_IMAGE_STORAGE, "1.77.1")
PEER = "CT1"


@dataclass
class Reports:
    """What a peer was told."""

    status: int = 0x0000
    """What it answers."""
    taken: list[tuple[int, Dataset]] = field(default_factory=list)
    came: threading.Event = field(default_factory=threading.Event)

    def take(self, event: evt.Event) -> tuple[int, None]:
        """Take a report (pynetdicom)."""
        assert getattr(event.request, "AffectedSOPInstanceUID", None) == STORAGE_COMMITMENT_INSTANCE
        assert event.event_type is not None
        self.taken.append((event.event_type, event.event_information))
        self.came.set()
        return self.status, None

    def wait(self) -> tuple[int, Dataset]:
        """Return the first report, once it has come."""
        assert self.came.wait(ANSWER_TIMEOUT_S)
        return self.taken[0]

    @property
    def handlers(self) -> list[Any]:
        """Return what pynetdicom wants to know."""
        return [(evt.EVT_N_EVENT_REPORT, self.take)]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def archive(clock: FakeClock) -> Iterator[Archive]:
    with memory_archive(clock=clock) as opened:
        store(opened, make_instance(identify(1)).content)
        yield opened


@contextmanager
def _serving(archive: Archive, clock: FakeClock, *peers: RemoteAe) -> Iterator[DimseNode]:
    def make(tools: Tools) -> Served:
        provider = CommitmentProvider(
            archive,
            tools.runtime,
            tools.opener,
            find_peer=lambda title: next((peer for peer in peers if peer.ae_title == title), None),
            look_interval_s=0.05,
        )
        return Served([provider.service()], provider.start, provider.stop)

    with dimse_node(make, clock=clock) as node:
        yield node


@contextmanager
def _associated(node: DimseNode, reports: Reports) -> Iterator[Association]:
    ae = AE(PEER)
    ae.add_requested_context(PUSH)
    association = ae.associate(HOST, node.port, ae_title=AE_TITLE, evt_handlers=reports.handlers)
    assert association.is_established
    try:
        yield association
    finally:
        association.release()


@contextmanager
def _listening(reports: Reports, ae_title: str = PEER) -> Iterator[RemoteAe]:
    """Run a peer that takes reports on associations that are opened to it."""
    ae = AE(ae_title)
    ae.add_supported_context(PUSH, scu_role=True, scp_role=True)
    server = ae.start_server((HOST, 0), block=False, evt_handlers=reports.handlers)
    try:
        yield RemoteAe(ae_title, HOST, _port(server))
    finally:
        ae.shutdown()


def _port(server: Any) -> int:
    port: int = server.socket.getsockname()[1]
    return port


def _information(*references: InstanceReference, uid: str = "1.9") -> Dataset:
    dataset = Dataset()
    dataset.TransactionUID = uid
    dataset.ReferencedSOPSequence = []
    for reference in references:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = reference.sop_class_uid, reference.sop_instance_uid
        dataset.ReferencedSOPSequence.append(item)
    return dataset


def _bare() -> Dataset:
    dataset = Dataset()
    dataset.TransactionUID = "1.9"
    return dataset


def _ask(
    association: Association,
    information: Dataset,
    *,
    action_type: int = 1,
    instance: str = STORAGE_COMMITMENT_INSTANCE,
) -> int:
    status, _ = association.send_n_action(information, action_type, PUSH, instance)
    return int(status.Status)


def _wait(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + ANSWER_TIMEOUT_S
    while not is_so():
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)


def _kept(archive: Archive, side: Side = Side.PROVIDER) -> Commitment:
    found = archive.commitments.find(side, "1.9")
    assert found is not None
    return found


def _wait_for_state(archive: Archive, state: CommitmentState, side: Side = Side.PROVIDER) -> Commitment:
    _wait(lambda: _kept(archive, side).state is state)
    return _kept(archive, side)


# the provider


def test_success_is_reported_on_the_association_of_the_request(archive: Archive, clock: FakeClock) -> None:
    reports = Reports()
    with _serving(archive, clock) as node, _associated(node, reports) as association:
        assert _ask(association, _information(HERE, HERE)) == 0x0000
        event_type, report = reports.wait()
        kept = _wait_for_state(archive, CommitmentState.REPORTED)
    assert event_type == 1
    assert report.TransactionUID == "1.9"
    assert [item.ReferencedSOPInstanceUID for item in report.ReferencedSOPSequence] == [HERE.sop_instance_uid]
    assert report.RetrieveAETitle == AE_TITLE
    assert "FailedSOPSequence" not in report
    assert (kept.peer_ae_title, kept.own_ae_title, kept.request.named_count) == (PEER, AE_TITLE, 2)


def test_failures_are_reported_with_their_reasons(archive: Archive, clock: FakeClock) -> None:
    reports = Reports()
    no_storage = InstanceReference("1.2.840.10008.1.1", "1.77.2")
    other_class = InstanceReference("1.2.840.10008.5.1.4.1.1.4", HERE.sop_instance_uid)
    with _serving(archive, clock) as node, _associated(node, reports) as association:
        assert _ask(association, _information(HERE, MISSING, no_storage, other_class)) == 0x0000
        event_type, report = reports.wait()
    assert event_type == 2
    assert len(report.ReferencedSOPSequence) == 1
    assert [item.FailureReason for item in report.FailedSOPSequence] == [0x0112, 0x0122, 0x0119]


def test_a_transaction_uid_that_was_used_is_reported_as_such(archive: Archive, clock: FakeClock) -> None:
    first, second = Reports(), Reports()
    with _serving(archive, clock) as node:
        with _associated(node, first) as association:
            _ask(association, _information(HERE))
            assert first.wait()[0] == 1
        with _associated(node, second) as association:
            assert _ask(association, _information(HERE)) == 0x0000
            event_type, report = second.wait()
    assert event_type == 2
    assert [item.FailureReason for item in report.FailedSOPSequence] == [0x0131]
    assert "ReferencedSOPSequence" not in report


def test_success_is_reported_on_a_new_association_where_the_first_is_over(archive: Archive, clock: FakeClock) -> None:
    reports = Reports()
    with _listening(reports) as peer, _serving(archive, clock, peer) as node:
        with _gate(archive) as opened, _associated(node, Reports()) as association:
            assert _ask(association, _information(HERE)) == 0x0000
            association.release()
            _wait(lambda: not node.register.live)
            opened.set()
        assert reports.wait()[0] == 1
        _wait_for_state(archive, CommitmentState.REPORTED)


@contextmanager
def _gate(archive: Archive) -> Iterator[threading.Event]:
    """Hold up searches of the archive until an event is set."""
    gate = threading.Event()
    search = archive.index.search
    archive.index.search = lambda query: gate.wait(ANSWER_TIMEOUT_S) and search(query)  # type: ignore[method-assign, assignment, return-value]
    try:
        yield gate
    finally:
        gate.set()


def test_a_report_is_tried_again_until_somebody_takes_it(archive: Archive, clock: FakeClock) -> None:
    deaf, reports = Reports(status=0x0110), Reports()
    with _listening(reports) as peer, _serving(archive, clock, peer) as node, _associated(node, deaf) as association:
        assert _ask(association, _information(HERE)) == 0x0000
        _wait(lambda: _kept(archive).attempts == 1)
        assert "0x0110" in _kept(archive).problem
        assert not reports.taken
        clock.advance(6)
        assert reports.wait()[0] == 1
        kept = _wait_for_state(archive, CommitmentState.REPORTED)
    assert (kept.attempts, kept.problem) == (2, "")


def test_a_peer_without_an_address_is_named(archive: Archive, clock: FakeClock) -> None:
    deaf = Reports(status=0x0110)
    with _serving(archive, clock) as node, _associated(node, deaf) as association:
        _ask(association, _information(HERE))
        _wait(lambda: _kept(archive).attempts == 1)
        clock.advance(6)
        _wait(lambda: _kept(archive).attempts == 2)
    assert _kept(archive).problem == "No address is known for CT1; add it to dicom.remotes."


def test_a_peer_that_does_not_answer_is_tried_again(archive: Archive, clock: FakeClock) -> None:
    nobody = RemoteAe(PEER, HOST, 1)
    with _serving(archive, clock, nobody):
        _open(archive)
        clock.advance(61)
        _wait(lambda: _kept(archive).attempts == 1)
    assert "cannot be reached" in _kept(archive).problem
    assert _kept(archive).state is CommitmentState.CHECKED


def _open(archive: Archive) -> None:
    request_commitment(
        archive.commitments,
        LOCAL_OWNER,
        CommitmentRequest("1.9", (HERE, MISSING), 2),
        peer_ae_title=PEER,
        own_ae_title=AE_TITLE,
        now=archive.clock.now().timestamp(),
    )


def test_what_was_left_when_a_node_stopped_is_taken_up(archive: Archive, clock: FakeClock) -> None:
    _open(archive)
    clock.advance(61)
    reports = Reports()
    with _listening(reports) as peer, _serving(archive, clock, peer):
        assert reports.wait()[0] == 2
        _wait_for_state(archive, CommitmentState.REPORTED)


@pytest.mark.parametrize(
    ("action_type", "instance", "status"),
    [(2, STORAGE_COMMITMENT_INSTANCE, 0x0123), (1, "1.2.3", 0x0112)],
)
def test_a_request_for_something_else_is_refused(
    archive: Archive, clock: FakeClock, action_type: int, instance: str, status: int
) -> None:
    with _serving(archive, clock) as node, _associated(node, Reports()) as association:
        assert _ask(association, _information(HERE), action_type=action_type, instance=instance) == status
    assert archive.commitments.recent(limit=9) == []


def test_a_request_of_another_class_is_refused(archive: Archive, clock: FakeClock) -> None:
    ae = AE(PEER)
    ae.add_requested_context(PUSH)
    with _serving(archive, clock) as node:
        association = ae.associate(HOST, node.port, ae_title=AE_TITLE)
        status, _ = association.send_n_action(_information(HERE), 1, "1.2.840.10008.1.20.2", "1.2.3", meta_uid=PUSH)
        association.release()
    assert status.Status == 0x0118


@pytest.mark.parametrize("information", [_information(), _information(HERE, uid=""), _bare()])
def test_a_request_that_says_nothing_is_refused(archive: Archive, clock: FakeClock, information: Dataset) -> None:
    with _serving(archive, clock) as node, _associated(node, Reports()) as association:
        assert _ask(association, information) == 0x0115
    assert archive.commitments.recent(limit=9) == []


# our own requests


class _CommittingPeer:
    """A peer that takes our requests and reports on the same association or a new one."""

    def __init__(self, *, status: int = 0x0000, reports_to: int | None = None, event_type: int = 1) -> None:
        self.status = status
        self.reports_to = reports_to
        self.event_type = event_type
        self.answers: list[int] = []
        self.threads: list[threading.Thread] = []

    def take(self, event: evt.Event) -> tuple[int, None]:
        """Take a request (pynetdicom)."""
        if self.status == 0x0000:
            thread = threading.Thread(target=self._report, args=(event.assoc, event.action_information))
            self.threads.append(thread)
            thread.start()
        return self.status, None

    def _report(self, association: Association, information: Dataset) -> None:
        if self.reports_to is None:
            status, _ = association.send_n_event_report(information, self.event_type, PUSH, STORAGE_COMMITMENT_INSTANCE)
        else:
            ae = AE("PACS")
            ae.add_requested_context(PUSH)
            role = [_role()]
            opened = ae.associate(HOST, self.reports_to, ae_title=AE_TITLE, ext_neg=role)
            status, _ = opened.send_n_event_report(information, self.event_type, PUSH, STORAGE_COMMITMENT_INSTANCE)
            opened.release()
        self.answers.append(int(status.Status))


def _role() -> Any:
    from pynetdicom import build_role

    return build_role(PUSH, scp_role=True)


@contextmanager
def _pacs(peer: _CommittingPeer) -> Iterator[RemoteAe]:
    ae = AE("PACS")
    ae.add_supported_context(PUSH)
    server = ae.start_server((HOST, 0), block=False, evt_handlers=[(evt.EVT_N_ACTION, peer.take)])
    try:
        yield RemoteAe("PACS", HOST, _port(server))
    finally:
        for thread in peer.threads:
            thread.join(ANSWER_TIMEOUT_S)
        ae.shutdown()


REQUEST = CommitmentRequest("1.9", (HERE,), 1)


def test_the_report_to_our_request_comes_on_the_same_association(archive: Archive, clock: FakeClock) -> None:
    peer, reports = _CommittingPeer(), []
    came = threading.Event()

    async def take(report: CommitmentReport) -> bool:
        reports.append(report)
        came.set()
        return True

    async def ask(node: DimseNode, remote: RemoteAe) -> None:
        services = ServiceTable([report_service(take)])
        async with node.opener.association(remote, [COMMITMENT_CONTEXT], services=services) as connection:
            await ask_for_commitment(connection, REQUEST)
            await connection.run(came.wait, ANSWER_TIMEOUT_S)
            await connection.run(_wait, lambda: bool(peer.answers))

    with _pacs(peer) as remote, _serving(archive, clock) as node:
        node.run(ask(node, remote))
    assert reports == [CommitmentReport("1.9", CommitmentResult((HERE,)), "PACS")]
    assert peer.answers == [0x0000]


@pytest.mark.parametrize(
    ("is_asked", "event_type", "answer"), [(True, 1, 0x0000), (False, 1, 0x0110), (True, 9, 0x0113)]
)
def test_the_report_to_our_request_comes_to_our_listener(
    archive: Archive, clock: FakeClock, is_asked: bool, event_type: int, answer: int
) -> None:
    now = archive.clock.now().timestamp()
    if is_asked:
        begin_asking(archive.commitments, REQUEST, peer_ae_title="PACS", own_ae_title=AE_TITLE, now=now)

    async def ask(node: DimseNode, remote: RemoteAe) -> None:
        async with node.opener.association(remote, [COMMITMENT_CONTEXT]) as connection:
            await ask_for_commitment(connection, REQUEST)

    with _serving(archive, clock) as node:
        peer = _CommittingPeer(reports_to=node.port, event_type=event_type)
        with _pacs(peer) as remote:
            node.run(ask(node, remote))
    assert peer.answers == [answer]
    if is_asked:
        expected = CommitmentState.ANSWERED if answer == 0x0000 else CommitmentState.ASKED
        assert _kept(archive, Side.USER).state is expected


def test_a_peer_that_refuses_our_request_is_told_of(archive: Archive, clock: FakeClock) -> None:
    async def ask(node: DimseNode, remote: RemoteAe) -> None:
        # Caught within, so that the association is released: pynetdicom leaves a socket open that is reset under it.
        async with node.opener.association(remote, [COMMITMENT_CONTEXT]) as connection:
            with pytest.raises(RequestFailed, match=r"^PACS answers .*0213"):
                await ask_for_commitment(connection, REQUEST)

    with _pacs(_CommittingPeer(status=0x0213)) as remote, _serving(archive, clock) as node:
        node.run(ask(node, remote))


def test_a_request_whose_report_does_not_come_is_ended(archive: Archive, clock: FakeClock) -> None:
    now = archive.clock.now().timestamp()
    begin_asking(archive.commitments, REQUEST, peer_ae_title="PACS", own_ae_title=AE_TITLE, now=now)
    with _serving(archive, clock):
        clock.advance(24 * 3600)
        kept = _wait_for_state(archive, CommitmentState.UNANSWERED, Side.USER)
    assert kept.problem == "No report came in time."


def test_reasons_of_the_standard_are_what_they_are() -> None:
    assert [int(reason) for reason in FailureReason] == [0x0110, 0x0112, 0x0119, 0x0122, 0x0131, 0x0213]
