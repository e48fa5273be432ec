from __future__ import annotations

from dataclasses import replace

import pytest

from isocenter.archive.archive import Archive, ArchiveSettings
from isocenter.archive.store import Announcement, begin_store
from isocenter.dicom.file_meta import write_file_head
from isocenter.dicom.part10 import read_encoding
from isocenter.domain.errors import Forbidden, InstanceExists, InvalidDataset, TooLarge, UnexpectedInstance
from isocenter.domain.identifiers import Level
from isocenter.domain.outcome import Disposition, StoreOutcome
from isocenter.domain.principal import LOCAL_OWNER, READER_ACTIONS, Principal
from isocenter.domain.query import Query
from isocenter.storage.memory import MemoryBlobStore
from tests.support.dicom_files import element, file_of
from tests.support.faults import Fault, faulty_blobs
from tests.support.instances import CT_IMAGE_STORAGE, EXPLICIT_VR_LITTLE_ENDIAN, identify, scope_of
from tests.support.memory_archive import ANSWER_TIMEOUT_S, memory_archive, store
from tests.support.small_instances import make_instance

SMALL = ArchiveSettings(spool_threshold_bytes=1000, instance_size_max_bytes=20_000)


def _content(**changes: bytes) -> bytes:
    """Return an instance with a value of its own for an attribute, by hexadecimal tag."""
    uids = {0x00080016: CT_IMAGE_STORAGE, 0x00080018: "1.2.3.3", 0x0020000D: "1.2.3.1", 0x0020000E: "1.2.3.2"}
    values = {tag: ("UI", uid.encode() + b"\0" * (len(uid) % 2)) for tag, uid in uids.items()}
    for name, value in changes.items():
        values[int(name.removeprefix("t"), 16)] = ("IS", value)
    values[0x7FE00010] = ("OW", bytes(64))
    return file_of(b"".join(element(tag, *values[tag]) for tag in sorted(values)))


@pytest.mark.parametrize("cut", [1, 7, 999, 1000, 1001, 5000])
def test_bytes_come_back_as_they_came_however_they_were_cut(cut: int) -> None:
    content = make_instance(identify(1)).content
    with memory_archive(SMALL) as archive:
        reception = begin_store(archive, LOCAL_OWNER, source="test")
        for start in range(0, len(content), cut):
            reception.write(content[start : start + cut])
        reception.finish().result(ANSWER_TIMEOUT_S)
        [row] = archive.index.instances(scope_of(identify(1)))
        assert archive.blobs.read(row.address) == content


@pytest.mark.parametrize("settings", [ArchiveSettings(zeroes_preambles=True), replace(SMALL, zeroes_preambles=True)])
@pytest.mark.parametrize("cut", [1, 100, 127, 128, 129, 5000])
def test_preambles_are_overwritten_where_that_is_wanted_and_nothing_else_is(
    cut: int, settings: ArchiveSettings
) -> None:
    content = bytearray(make_instance(identify(1)).content)
    content[:128] = b"MZ".ljust(127, b"\0") + b"!"
    with memory_archive(settings) as archive:
        for expected in (Disposition.STORED, Disposition.IDENTICAL):
            reception = begin_store(archive, LOCAL_OWNER, source="test")
            for start in range(0, len(content), cut):
                reception.write(bytes(content[start : start + cut]))
            assert reception.finish().result(ANSWER_TIMEOUT_S).disposition is expected
        [row] = archive.index.instances(scope_of(identify(1)))
        assert archive.blobs.read(row.address) == bytes(128) + content[128:]


@pytest.mark.parametrize("cut", [1, 200, 4000])
def test_a_header_like_those_before_needs_no_scan_and_its_bytes_come_back(cut: int) -> None:
    with memory_archive() as archive:
        known = []
        for number in range(1, 6):
            content = make_instance(identify(number)).content
            reception = begin_store(archive, LOCAL_OWNER, source="test")
            for start in range(0, len(content), cut):
                reception.write(content[start : start + cut])
            future = reception.finish_known()
            known.append(future is not None)
            (future or reception.finish()).result(ANSWER_TIMEOUT_S)
            [row] = archive.index.instances(scope_of(identify(number)))
            assert archive.blobs.read(row.address) == content
        assert known == [False, False, True, True, True]


def test_what_is_cut_off_is_not_taken_for_known() -> None:
    with memory_archive() as archive:
        for number in (1, 2):
            store(archive, make_instance(identify(number)).content)
        reception = begin_store(archive, LOCAL_OWNER, source="test")
        content = make_instance(identify(3)).content
        reception.write(content[:2000])
        reception.write(content[2000:-10])
        assert reception.finish_known() is None
        with pytest.raises(InvalidDataset):
            reception.finish()


def test_the_byte_too_many_is_refused_and_leaves_nothing_open() -> None:
    fault = Fault(RuntimeError, at_call=0, is_after=False)
    with memory_archive(SMALL, blobs=faulty_blobs(MemoryBlobStore(), fault)) as archive:
        reception = begin_store(archive, LOCAL_OWNER, source="test")
        reception.write(bytes(SMALL.instance_size_max_bytes))
        assert fault.open_spools == 1
        with pytest.raises(TooLarge, match="20000 bytes"):
            reception.write(b"\0")
        assert fault.open_spools == 0


def test_what_is_no_instance_leaves_no_spool() -> None:
    fault = Fault(RuntimeError, at_call=0, is_after=False)
    with memory_archive(SMALL, blobs=faulty_blobs(MemoryBlobStore(), fault)) as archive:
        with pytest.raises(InvalidDataset):
            store(archive, bytes(5000))
        assert fault.open_spools == 0
        assert archive.index.latest_sequence() == 0


def test_it_tells_beforehand_when_a_write_goes_to_disk() -> None:
    with memory_archive(SMALL) as archive:
        reception = begin_store(archive, LOCAL_OWNER, source="test")
        assert not reception.is_for_disk(1000)
        assert reception.is_for_disk(1001)
        reception.write(bytes(1001))
        assert reception.is_on_disk
        reception.abort()


def test_a_reader_may_not_store() -> None:
    with memory_archive() as archive, pytest.raises(Forbidden):
        begin_store(archive, Principal("reader", READER_ACTIONS), source="test")


def test_an_instance_of_another_study_is_refused() -> None:
    with memory_archive() as archive:
        reception = begin_store(archive, LOCAL_OWNER, source="test", study_instance_uid="1.2.3")
        reception.write(make_instance(identify(1)).content)
        with pytest.raises(InvalidDataset, match="does not match"):
            reception.finish()


@pytest.mark.parametrize("number", [b"\xb2 ", b"9" * 5000, b"0 ", b"-1", b"99999999999999", b"two "])
def test_a_number_of_frames_that_is_none_is_stored_as_it_came(number: bytes) -> None:
    with memory_archive() as archive:
        outcome = store(archive, _content(t00280008=number))
        assert archive.index.search(Query(Level.INSTANCE))[0].newest_instance_key == outcome.instance_key


@pytest.mark.parametrize("uid", ["1.2\r\nX-Injected: yes", "1.2; x=y", "not.a.uid"])
def test_a_transfer_syntax_that_could_not_stand_in_a_header_is_refused(uid: str) -> None:
    content = _content().replace(b"1.2.840.10008.1.2.1\0", uid.encode().ljust(20, b"\0")[:20], 1)
    with memory_archive() as archive, pytest.raises(InvalidDataset, match="TransferSyntaxUID"):
        store(archive, content)


def _announced(content: bytes, **changes: str) -> tuple[Announcement, bytes]:
    """Return an instance as DIMSE brings it: announced, without a head, which is made for it."""
    uids = {"sop_class_uid": CT_IMAGE_STORAGE, "sop_instance_uid": identify(1).sop_instance_uid, **changes}
    head = write_file_head(**uids, transfer_syntax_uid=EXPLICIT_VR_LITTLE_ENDIAN, source_ae_title="SENDER")
    announcement = Announcement(uids["sop_class_uid"], uids["sop_instance_uid"], head)
    return announcement, content[read_encoding(content)[1] :]


def _store_announced(archive: Archive, announcement: Announcement, dataset: bytes) -> StoreOutcome:
    reception = begin_store(archive, LOCAL_OWNER, source="test", announced=announcement)
    reception.write(dataset)
    return reception.finish().result(ANSWER_TIMEOUT_S)


def test_a_data_set_without_a_head_is_kept_behind_one() -> None:
    announcement, dataset = _announced(make_instance(identify(1)).content)
    with memory_archive() as archive:
        _store_announced(archive, announcement, dataset)
        [row] = archive.index.instances(scope_of(identify(1)))
        assert archive.blobs.read(row.address) == announcement.head + dataset


@pytest.mark.parametrize(
    "changes", [{"sop_instance_uid": "1.2.3"}, {"sop_class_uid": "1.2.3"}], ids=["instance", "class"]
)
def test_another_instance_than_the_announced_one_is_refused(changes: dict[str, str]) -> None:
    announcement, dataset = _announced(make_instance(identify(1)).content, **changes)
    with memory_archive() as archive:
        with pytest.raises(UnexpectedInstance):
            _store_announced(archive, announcement, dataset)
        assert archive.index.totals().instances == 0


def test_the_same_data_set_behind_another_head_is_the_same_instance() -> None:
    content = make_instance(identify(1)).content
    announcement, dataset = _announced(content)
    assert announcement.head + dataset != content
    with memory_archive() as archive:
        store(archive, content)
        assert _store_announced(archive, announcement, dataset).disposition is Disposition.IDENTICAL
        with pytest.raises(InstanceExists):
            _store_announced(archive, announcement, make_instance(identify(1), seed=2).content[-len(dataset) :])
