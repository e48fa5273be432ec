"""The DIMSE sender against pynetdicom and DCMTK: what is reported of each instance, and over which associations."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from isocenter.app.senders.dimse import DimseSender, OwnSide
from isocenter.app.senders.dimse_lane import REMEMBERED_MAX, PeerKnowledge
from isocenter.dicom.part10 import read_encoding
from isocenter.dimse.scu.context_plan import InstanceKind
from isocenter.dimse.shell.runtime import Times
from isocenter.dimse.ul.limits import AssociationLimits
from isocenter.domain.application_entity import RemoteAe
from isocenter.domain.errors import CorruptInstance
from isocenter.routing.configuration.destination import CallingTitle, Compression, DimseTarget
from isocenter.routing.deliveries.report import (
    AssociationAborted,
    AssociationRejected,
    ContextRefused,
    DimseAnswered,
    LocalFailed,
    LocalFault,
    Report,
    TransportFailed,
    TransportFault,
)
from isocenter.routing.deliveries.sender import Outgoing
from tests.support.dcmtk import storescp
from tests.support.dicom_files import element, file_of
from tests.support.instances import CT_IMAGE_STORAGE, identify
from tests.support.peers import require_module
from tests.support.processes import free_port
from tests.support.pynetdicom_scp import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    storage_scp,
)
from tests.support.senders import CONVERTER, Reports, outgoing_of, sent, small_batch
from tests.support.small_instances import digest_of, make_instance

pytestmark = pytest.mark.interop

STORED = DimseAnswered(0x0000)
WAIT_S = 20.0


@contextmanager
def sender_to(
    port: int,
    *,
    title: str = "PACS",
    calling: CallingTitle = CallingTitle.OWN,
    mapped: tuple[tuple[str, str], ...] = (),
    compression: Compression = Compression.LOSSLESS,
    answer_timeout_s: float = 20.0,
) -> Iterator[DimseSender]:
    target = DimseTarget(
        RemoteAe(title, "127.0.0.1", port),
        calling_ae_title=calling,
        calling_ae_titles=mapped,
        compression=compression,
    )
    own = OwnSide(
        "ROUTER",
        times=Times(dimse_s=answer_timeout_s, connect_s=5.0),
        limits=AssociationLimits(
            artim_timeout_s=answer_timeout_s, request_timeout_s=answer_timeout_s, idle_timeout_s=None
        ),
    )
    sender = DimseSender(target, own, CONVERTER, PeerKnowledge())
    try:
        yield sender
    finally:
        sender.close()


@contextmanager
def raw_server(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """Do something with each connection; gives the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connected, _ = listener.accept()
                    with connected, suppress(OSError):
                        serve(connected)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(WAIT_S)


def _dataset(content: bytes) -> bytes:
    return content[read_encoding(content)[1] :]


# ---- what arrives


def test_data_sets_arrive_as_they_are(tmp_path: Path) -> None:
    contents = [
        make_instance(identify(instance=n), seed=n, size_bytes=size).content for n, size in ((1, 4096), (2, 5 << 20))
    ]
    with storescp(tmp_path / "scp", "+xa", "+B", "-F") as peer, sender_to(peer.port, title=peer.ae_title) as sender:
        reports = sent(sender, [outgoing_of(content, n) for n, content in enumerate(contents, start=1)])
        received = [path.read_bytes() for path in peer.files()]
    assert reports.reports == [STORED, STORED]
    assert sorted(map(digest_of, received)) == sorted(digest_of(_dataset(content)) for content in contents)


def test_associations_are_used_from_batch_to_batch() -> None:
    with storage_scp() as peer, sender_to(peer.port) as sender:
        for first in (1, 11, 21):
            assert sent(sender, small_batch(10, first=first)).reports == [STORED] * 10
    assert len(peer.stored) == 30
    assert peer.callers == ["ROUTER"]


def test_what_is_closed_is_opened_again() -> None:
    with storage_scp() as peer, sender_to(peer.port) as sender:
        sent(sender, small_batch(1))
        sender.close()
        assert sent(sender, small_batch(1)).reports == [STORED]
    assert len(peer.callers) == 2


def test_the_contexts_of_a_batch_are_proposed_together() -> None:
    classes = [f"1.2.840.10008.5.1.4.1.1.{ending}" for ending in ("2", "4", "7", "1.1")]
    with storage_scp([(uid, (EXPLICIT_VR_LITTLE_ENDIAN,)) for uid in classes]) as peer, sender_to(peer.port) as sender:
        assert sent(sender, [_of_class(uid, n) for n, uid in enumerate(classes, start=1)]).reports == [STORED] * 4
    assert peer.contexts == [8]  # explicit and implicit, of each class


def _of_class(sop_class_uid: str, number: int, transfer_syntax_uid: str = EXPLICIT_VR_LITTLE_ENDIAN) -> Outgoing:
    def padded(text: str) -> bytes:
        return text.encode() + b"\0" * (len(text) % 2)

    dataset = b"".join(
        [
            element(0x00080016, "UI", padded(sop_class_uid)),
            element(0x00080018, "UI", padded(f"1.2.3.{number}")),
            element(0x0020000D, "UI", padded("1.2.3")),
            element(0x0020000E, "UI", padded("1.2.3.1")),
        ]
    )
    return outgoing_of(file_of(dataset, transfer_syntax_uid), number)


def test_more_than_128_contexts_take_several_associations() -> None:
    known = require_module("pynetdicom").AllStoragePresentationContexts
    classes = [str(context.abstract_syntax) for context in known][:100]
    with storage_scp([(uid, (EXPLICIT_VR_LITTLE_ENDIAN,)) for uid in classes]) as peer, sender_to(peer.port) as sender:
        batch = [_of_class(uid, number) for number, uid in enumerate(classes)]
        assert sent(sender, batch).reports == [STORED] * 100
        assert sent(sender, batch).reports == [STORED] * 100
    assert max(peer.contexts) <= 128
    assert len(peer.contexts) == 2


def test_kinds_that_were_taken_before_are_proposed_again() -> None:
    classes = ["1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"]
    with storage_scp([(uid, (EXPLICIT_VR_LITTLE_ENDIAN,)) for uid in classes]) as peer, sender_to(peer.port) as sender:
        sent(sender, [_of_class(uid, number) for number, uid in enumerate(classes)])
        sender.close()
        sent(sender, [_of_class(classes[0], 1)])
        sent(sender, [_of_class(classes[1], 2)])
    assert len(peer.contexts) == 2, "the second association serves both batches"


# ---- as whom


@pytest.mark.parametrize(
    ("calling", "mapped", "expected"),
    [
        (CallingTitle.OWN, (("CT1", "CT_ROUTED"),), ["CT_ROUTED", "ROUTER"]),
        (CallingTitle.KEEP, (("CT1", "CT_ROUTED"),), ["CT_ROUTED", "MR1"]),
    ],
)
def test_it_calls_as_the_destination_says(
    calling: CallingTitle, mapped: tuple[tuple[str, str], ...], expected: list[str]
) -> None:
    with storage_scp() as peer, sender_to(peer.port, calling=calling, mapped=mapped) as sender:
        sent(sender, small_batch(1, calling_ae_title="CT1"))
        sent(sender, small_batch(1, calling_ae_title="MR1"))
    assert peer.callers == expected


def test_each_title_has_an_association_of_its_own() -> None:
    with storage_scp() as peer, sender_to(peer.port, calling=CallingTitle.KEEP) as sender:
        batch = [*small_batch(1, calling_ae_title="CT1"), *small_batch(1, first=2, calling_ae_title="MR1")]
        batch += small_batch(1, first=3)  # by STOW: it has no title
        assert sent(sender, batch).reports == [STORED] * 3
        assert sent(sender, batch).reports == [STORED] * 3
    assert peer.callers == ["CT1", "MR1", "ROUTER"]


# ---- what it answers


def test_every_status_is_told_of_its_instance() -> None:
    statuses = [0x0000, 0xB000, 0xB006, 0xB007, 0x0111, 0x0122, 0x0124, 0xA700, 0xA900, 0xC000, 0x0000]
    batch = small_batch(len(statuses))
    answers = {outgoing.identifier.sop_instance_uid: status for outgoing, status in zip(batch, statuses, strict=True)}
    with storage_scp() as peer, sender_to(peer.port) as sender:
        peer.answer = answers.get
        reports = sent(sender, batch)
    assert reports.reports == [DimseAnswered(status) for status in statuses]
    assert [bool(detail) for detail in reports.details] == [status != 0 for status in statuses]
    assert len(peer.callers) == 1


def test_an_abort_is_the_report_of_its_instance_and_the_others_go_over_a_new_association() -> None:
    batch = small_batch(4)
    second = batch[1].identifier.sop_instance_uid
    with storage_scp() as peer, sender_to(peer.port) as sender:
        peer.answer = lambda uid: None if uid == second else 0x0000
        reports = sent(sender, batch)
    assert [type(report) for report in reports.reports] == [
        DimseAnswered,
        AssociationAborted,
        DimseAnswered,
        DimseAnswered,
    ]
    assert len(peer.callers) == 2


@pytest.mark.parametrize("how", ["abort", "release"])
def test_an_association_that_the_peer_ended_meanwhile_costs_nothing(how: str) -> None:
    with storage_scp() as peer, sender_to(peer.port) as sender:
        sent(sender, small_batch(1))
        with peer.ending(how):
            assert sent(sender, small_batch(3, first=2)).reports == [STORED] * 3


@pytest.mark.parametrize("option", ["--abort-during", "--abort-after"])
def test_a_peer_that_aborts_every_association_is_told_so(tmp_path: Path, option: str) -> None:
    with storescp(tmp_path / "scp", option) as peer, sender_to(peer.port, title=peer.ae_title) as sender:
        reports = sent(sender, small_batch(2))
    assert {type(report) for report in reports.reports} <= {AssociationAborted, TransportFailed}
    assert len(reports.reports) == 2


def test_a_peer_that_rejects_is_told_of_once_with_its_codes(tmp_path: Path) -> None:
    with storescp(tmp_path / "scp", "--refuse") as peer, sender_to(peer.port, title=peer.ae_title) as sender:
        reports = sent(sender, small_batch(3))
    assert reports.reports == [AssociationRejected(1, 1, 1)]


def test_a_title_that_the_peer_does_not_know_is_told() -> None:
    with storage_scp(callers=["CT1"]) as peer, sender_to(peer.port) as sender:
        reports = sent(sender, small_batch(1))
    assert reports.reports == [AssociationRejected(1, 1, 3)]
    assert "'ROUTER'" in reports.details[0]


def test_nobody_there_is_told_once() -> None:
    with sender_to(free_port()) as sender:
        reports = sent(sender, small_batch(5))
    assert reports.reports == [TransportFailed(TransportFault.CONNECTION_REFUSED)]


# ---- syntaxes


def test_what_the_peer_does_not_take_is_converted_without_loss() -> None:
    (outgoing,) = small_batch(1)
    uid = outgoing.identifier.sop_instance_uid
    with storage_scp([(CT_IMAGE_STORAGE, (IMPLICIT_VR_LITTLE_ENDIAN,))]) as peer, sender_to(peer.port) as sender:
        assert sent(sender, [outgoing]).reports == [STORED]
    assert peer.syntaxes[uid] == IMPLICIT_VR_LITTLE_ENDIAN
    content = b"".join(outgoing.read())
    assert peer.datasets[uid].endswith(content[-4000:])


def test_where_nothing_may_be_converted_the_refusal_says_what_was_offered() -> None:
    with (
        storage_scp([(CT_IMAGE_STORAGE, (IMPLICIT_VR_LITTLE_ENDIAN,))]) as peer,
        sender_to(peer.port, compression=Compression.NEVER) as sender,
    ):
        reports = sent(sender, small_batch(1))
    assert reports.reports == [ContextRefused(4)]
    assert "CT Image Storage" in reports.details[0]
    assert "Explicit VR Little Endian" in reports.details[0]
    assert "Implicit VR Little Endian" in reports.details[0]


def test_a_class_that_is_not_taken_stops_only_its_instances() -> None:
    with storage_scp() as peer, sender_to(peer.port) as sender:
        reports = sent(sender, [_of_class("1.2.840.10008.5.1.4.1.1.4", 1), *small_batch(1, first=2)])
    assert reports.by_key == {1: ContextRefused(3), 2: STORED}
    assert peer.stored != []


# ---- what cannot be read, and what is no DICOM


def test_an_instance_that_is_damaged_here_stops_alone() -> None:
    def damaged() -> Iterator[bytes]:
        yield from ()
        raise CorruptInstance

    batch = small_batch(3)
    batch[1] = replace(batch[1], read=damaged)
    with storage_scp() as peer, sender_to(peer.port) as sender:
        reports = sent(sender, batch)
    assert reports.reports == [STORED, LocalFailed(LocalFault.INSTANCE_CORRUPT), STORED]


def test_one_that_is_damaged_in_its_middle_stops_alone_too() -> None:
    content = make_instance(identify(), size_bytes=3 << 20).content

    def damaged() -> Iterator[bytes]:
        yield content[: 1 << 20]
        yield content[1 << 20 : 2 << 20]
        raise CorruptInstance

    batch = [replace(outgoing_of(content), read=damaged), *small_batch(2, first=2)]
    with storage_scp() as peer, sender_to(peer.port) as sender:
        reports = sent(sender, batch)
    assert reports.by_key == {1: LocalFailed(LocalFault.INSTANCE_CORRUPT), 2: STORED, 3: STORED}


def _hang_up(connected: socket.socket) -> None:
    connected.recv(1)


def _say_nonsense(connected: socket.socket) -> None:
    connected.recv(1)
    connected.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    connected.recv(65536)


def _say_nothing(connected: socket.socket) -> None:
    while connected.recv(65536):
        pass


@pytest.mark.parametrize(
    ("serve", "fault"),
    [
        (_hang_up, TransportFault.CONNECTION_LOST),
        (_say_nonsense, TransportFault.ANSWER_GARBLED),
        (_say_nothing, TransportFault.ANSWER_TIMEOUT),
    ],
)
def test_what_is_no_peer_at_all_is_told(serve: Callable[[socket.socket], None], fault: TransportFault) -> None:
    with raw_server(serve) as port, sender_to(port, answer_timeout_s=0.5) as sender:
        assert sent(sender, small_batch(2)).reports == [TransportFailed(fault)]


def test_who_ends_a_batch_is_not_sent_more() -> None:
    class Enough(Exception):
        pass

    def end(outgoing: Outgoing) -> None:
        if outgoing.delivery_key == 2:
            raise Enough

    with storage_scp() as peer, sender_to(peer.port) as sender:
        with pytest.raises(Enough):
            sender.send(small_batch(5), Reports(on_each=end))
        assert sent(sender, small_batch(1, first=9)).reports == [STORED]
    assert len(peer.stored) == 3
    assert len(peer.callers) == 1, "the association is as good as before"


# ---- probes


def test_a_probe_asks_for_an_echo() -> None:
    with storage_scp() as peer, sender_to(peer.port) as sender:
        assert sender.probe() is None
    assert peer.echoes == 1


@pytest.mark.parametrize("offers_verification", [True, False])
def test_a_peer_that_answers_at_all_is_well(offers_verification: bool) -> None:
    contexts = [(CT_IMAGE_STORAGE, [EXPLICIT_VR_LITTLE_ENDIAN])]
    if offers_verification:
        contexts.append(("1.2.840.10008.1.1", [EXPLICIT_VR_LITTLE_ENDIAN]))
    with storage_scp(contexts) as peer, sender_to(peer.port) as sender:
        assert sender.probe() is None


def test_a_probe_of_nobody_tells_so() -> None:
    with sender_to(free_port()) as sender:
        assert sender.probe() == TransportFailed(TransportFault.CONNECTION_REFUSED)


def test_a_probe_calls_as_the_last_instance_did() -> None:
    with storage_scp(callers=["CT1"]) as peer, sender_to(peer.port, calling=CallingTitle.KEEP) as sender:
        sent(sender, small_batch(1, calling_ae_title="CT1"))
        assert sender.probe() is None


def _no_context(report: Report) -> bool:
    return isinstance(report, ContextRefused)


def test_a_peer_that_takes_nothing_says_so_of_each(tmp_path: Path) -> None:
    with storage_scp([("1.2.840.10008.1.1", [IMPLICIT_VR_LITTLE_ENDIAN])]) as peer, sender_to(peer.port) as sender:
        reports = sent(sender, small_batch(3))
    assert len(reports.reports) == 3
    assert all(map(_no_context, reports.reports))


def test_memory_of_what_a_peer_takes_has_a_limit() -> None:
    knowledge = PeerKnowledge()
    for number in range(REMEMBERED_MAX * 2):
        knowledge.note(InstanceKind(f"1.2.{number}", "1.2"), now_s=0.0)
    assert len(knowledge.kinds(now_s=1.0)) == REMEMBERED_MAX
    assert knowledge.kinds(now_s=1e9) == []
