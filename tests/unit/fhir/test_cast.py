"""The cast over a memory archive, with a clock that tests move: patience, shelf, cursor, conflicts, other sources."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from isocenter.archive.archive import Archive
from isocenter.archive.delete import delete
from isocenter.archive.store import begin_store
from isocenter.domain.errors import CorruptInstance, StorageFailed
from isocenter.domain.identifiers import InstanceIdentifier, Scope
from isocenter.domain.outcome import DuplicatePolicy
from isocenter.domain.principal import LOCAL_OWNER
from isocenter.fhir.cast import (
    ATTEMPTS_AT_ONCE,
    PUT_OFF_FIRST_S,
    RETRY_AFTER_MAX_S,
    WAIT_MAX_S,
    CastStopped,
    FhirCast,
    cast_name,
)
from isocenter.fhir.cast_record import CastCounts
from isocenter.fhir.client import FhirClient
from isocenter.fhir.mapping.facts import Reading
from isocenter.fhir.mapping.imaging_study import study_identifier
from isocenter.fhir.mapping.patient import PatientNaming
from isocenter.fhir.reconcile import Comparison, Count, Records, compare_all
from isocenter.fhir.study_cast import ERRORS_PER_STUDY_MAX, CastOptions
from isocenter.ports.blobs import BlobAddress
from isocenter.ports.event_cursors import EventCursor
from isocenter.ports.fhir_ledger import ErrorKind, StudyName
from isocenter.ports.index import InstanceRow
from isocenter.storage.memory import MemoryBlobStore
from tests.support.dose_reports import as_dataset, dose_report
from tests.support.dose_reports import event as dose_event
from tests.support.fhir_peer import FhirPeer, fhir_peer, instance_uids
from tests.support.fhir_studies import dicom_file
from tests.support.instances import identify, scope_of
from tests.support.memory_archive import FakeClock, memory_archive, store

URL, OTHER = "http://archive.example/v2", "http://pacs.example/v2"
OPTIONS = CastOptions(URL, PatientNaming("urn:oid:1.2.3"))
STUDY = StudyName(identify(1).study_instance_uid)


class _FragileBlobs(MemoryBlobStore):
    is_broken = False

    def read(self, address: BlobAddress, *, start: int = 0, length: int | None = None) -> bytes:
        if self.is_broken:
            raise CorruptInstance
        return super().read(address, start=start, length=length)


@dataclass
class Bench:
    """An archive, a cast of it, and what its waits do."""

    archive: Archive
    clock: FakeClock
    url: str
    blobs: _FragileBlobs
    options: CastOptions = OPTIONS
    waits_s: list[float] = field(default_factory=list)
    on_wait: Callable[[int], object] = lambda number: None
    """Called with the number of each wait; True stops the cast."""
    counts: CastCounts = field(default_factory=CastCounts)
    clients: list[FhirClient] = field(default_factory=list)

    def client(self) -> FhirClient:
        """Return a client of the server; each reads the authorities of the machine, which takes a while."""
        if not self.clients or self.clients[-1].url != self.url:
            self.clients.append(FhirClient(self.url))
        return self.clients[-1]

    def compared(self) -> list[Comparison]:
        records = Records(self.archive.index, self.archive.partitions, self.archive.fhir_ledger)
        return list(compare_all(records, self.client(), OPTIONS))

    def cast(self) -> FhirCast:
        return FhirCast(
            self.archive,
            self.client(),
            self.options,
            poll_interval_s=1.0,
            counts=self.counts,
            wait=self._wait,
        )

    def _wait(self, seconds: float) -> bool:
        self.waits_s.append(seconds)
        self.clock.advance(seconds)
        assert len(self.waits_s) < 200, "it waits for ever"
        return bool(self.on_wait(len(self.waits_s)))

    def store(self, identifier: InstanceIdentifier, **values: object) -> None:
        store(self.archive, dicom_file(identifier, **values), policy=DuplicatePolicy.REPLACE)

    def delete(self, identifier: InstanceIdentifier, depth: int = 3) -> None:
        delete(self.archive, LOCAL_OWNER, scope_of(identifier, depth=depth))

    @property
    def cursor(self) -> int:
        return self.archive.event_cursors.open(cast_name(self.url), sequence=-1, timestamp=0.0).sequence

    def kinds(self) -> list[ErrorKind]:
        return sorted(error.kind for error in self.archive.fhir_ledger.errors(limit=99))


@contextmanager
def _bench(url: str) -> Iterator[Bench]:
    clock, blobs = FakeClock(), _FragileBlobs()
    with memory_archive(clock=clock, blobs=blobs) as archive, capture_logs():
        bench = Bench(archive, clock, url, blobs)
        yield bench
        for client in bench.clients:
            client.close()


@pytest.fixture
def bench(peer: FhirPeer) -> Iterator[Bench]:
    with _bench(peer.url) as one:
        yield one


def test_what_is_there_is_cast_once_and_the_cursor_goes_on(bench: Bench, peer: FhirPeer) -> None:
    for number in range(1, 31):
        bench.store(identify(1, 1, number))
    cast = bench.cast()
    assert cast.cast_some() is False
    assert len(peer.requests("POST")) == 1, "a study is written once, however many rows there are of it"
    assert len(instance_uids(peer.study(STUDY.study_instance_uid))) == 30
    assert (bench.cursor, bench.counts.rows, bench.counts.studies["written"]) == (30, 30, 1)
    assert cast.cast_some() is False
    assert len(peer.requests("POST")) == 1


def test_a_cast_that_begins_anew_finds_everything_as_it_is_to_be(bench: Bench, peer: FhirPeer) -> None:
    bench.store(identify(1))
    bench.cast().cast_some()
    bench.archive.event_cursors.replace(EventCursor(cast_name(peer.url), 0, 0.0))
    bench.cast().cast_some()
    assert bench.counts.studies == {"written": 1, "unchanged": 1, "shelved": 0}
    assert len(peer.requests("POST")) == 1


def test_an_outage_of_any_length_is_waited_for(bench: Bench, tmp_path: Path) -> None:
    peer = fhir_peer(tmp_path)
    bench.url = peer.url
    bench.store(identify(1))
    with _started_at(bench, peer, number=30):
        bench.cast().cast_some()
        assert instance_uids(peer.study(STUDY.study_instance_uid))
    assert sum(bench.waits_s) > 600
    assert max(bench.waits_s) <= WAIT_MAX_S
    assert bench.archive.fhir_ledger.standing(cast_name(peer.url)).failed_at is not None
    assert bench.archive.fhir_ledger.standing(cast_name(peer.url)).failure == ""


@contextmanager
def _started_at(bench: Bench, peer: FhirPeer, *, number: int) -> Iterator[None]:
    """Start a server while the cast waits for the n-th time."""
    with ExitStack() as stack:
        bench.on_wait = lambda count: count == number and stack.enter_context(peer.running()) is None
        yield


def test_a_server_that_asks_for_time_gets_it(bench: Bench, peer: FhirPeer) -> None:
    peer.set_faults(statuses=[429], headers={"Retry-After": "120"})
    bench.store(identify(1))
    bench.cast().cast_some()
    assert bench.waits_s == [120.0]
    peer.set_faults(statuses=[503], headers={"Retry-After": "99999999"})
    bench.store(identify(2))
    bench.cast().cast_some()
    assert bench.waits_s == [120.0, RETRY_AFTER_MAX_S]


def test_who_is_not_let_in_waits_with_everything_and_shelves_nothing(bench: Bench, peer: FhirPeer) -> None:
    peer.set_faults(token="secret")
    bench.on_wait = lambda number: peer.set_faults(token="") if number == 30 else None
    bench.store(identify(1))
    bench.store(identify(2))
    bench.cast().cast_some()
    assert len(bench.waits_s) == 30
    assert bench.kinds() == []
    assert len(peer.all("ImagingStudy")) == 2


def test_who_stops_meanwhile_leaves_the_cursor(bench: Bench, peer: FhirPeer) -> None:
    peer.set_faults(token="secret")
    bench.on_wait = lambda number: True
    bench.store(identify(1))
    with pytest.raises(CastStopped):
        bench.cast().cast_some()
    assert bench.cursor == 0
    peer.set_faults(token="")
    bench.cast().cast_some()
    assert bench.cursor == 1


def test_a_study_that_alone_fails_is_put_off_and_tried_again_later(bench: Bench, peer: FhirPeer) -> None:
    peer.set_faults(stuck=[STUDY.study_instance_uid])
    bench.store(identify(1))
    bench.store(identify(2))
    cast = bench.cast()
    cast.cast_some()
    assert len(bench.waits_s) == ATTEMPTS_AT_ONCE - 1
    assert (bench.cursor, bench.kinds()) == (2, [ErrorKind.TRANSIENT])
    assert peer.study(identify(2).study_instance_uid) is not None
    [kept] = bench.archive.fhir_ledger.open_studies(limit=9)
    assert (kept.study, kept.attempts) == (STUDY, 1)
    cast.cast_some()
    assert bench.archive.fhir_ledger.open_studies(limit=9) == [kept], "its time has not come"
    bench.clock.advance(PUT_OFF_FIRST_S)
    cast.cast_some()
    [later] = bench.archive.fhir_ledger.open_studies(limit=9)
    assert later.due_at is not None
    assert kept.due_at is not None
    assert (later.attempts, later.due_at > kept.due_at + PUT_OFF_FIRST_S) == (2, True)
    peer.set_faults(stuck=[])
    bench.clock.advance(2 * PUT_OFF_FIRST_S)
    cast.cast_some()
    assert bench.kinds() == []
    assert peer.study(STUDY.study_instance_uid) is not None


def test_while_the_server_itself_is_ill_no_study_is_put_off(bench: Bench, peer: FhirPeer) -> None:
    peer.set_faults(statuses=[500] * 40)
    bench.store(identify(1))
    bench.cast().cast_some()
    assert len(bench.waits_s) > 2 * ATTEMPTS_AT_ONCE
    assert bench.kinds() == []
    assert peer.study(STUDY.study_instance_uid) is not None


def test_competitors_are_read_again(bench: Bench, peer: FhirPeer) -> None:
    bench.store(identify(1))
    cast = bench.cast()
    cast.cast_some()
    peer.set_faults(competitors=ATTEMPTS_AT_ONCE - 1)
    bench.store(identify(1, 1, 2))
    cast.cast_some()
    assert len(instance_uids(peer.study(STUDY.study_instance_uid))) == 2
    assert bench.kinds() == []


def test_what_the_server_refuses_is_shelved_until_somebody_asks(bench: Bench, peer: FhirPeer) -> None:
    peer.set_faults(poison=[STUDY.study_instance_uid])
    bench.store(identify(1))
    bench.store(identify(2))
    cast = bench.cast()
    cast.cast_some()
    assert (bench.cursor, bench.kinds(), bench.waits_s) == (2, [ErrorKind.FHIR], [])
    assert bench.counts.errors["fhir"] == 1
    bench.clock.advance(10**6)
    peer.set_faults(poison=[])
    cast.cast_some()
    assert bench.kinds() == [ErrorKind.FHIR]
    bench.archive.fhir_ledger.ask_for([STUDY], due_at=bench.clock.now().timestamp())
    cast.cast_some()
    assert bench.kinds() == []
    assert peer.study(STUDY.study_instance_uid) is not None


def test_new_rows_of_a_shelved_study_try_it_again(bench: Bench, peer: FhirPeer) -> None:
    peer.set_faults(poison=[identify(1, 1, 1).sop_instance_uid])
    bench.store(identify(1, 1, 1))
    cast = bench.cast()
    cast.cast_some()
    bench.delete(identify(1, 1, 1))
    bench.store(identify(1, 1, 2))
    cast.cast_some()
    assert bench.kinds() == []
    assert instance_uids(peer.study(STUDY.study_instance_uid)) == [identify(1, 1, 2).sop_instance_uid]


def test_two_patients_of_one_identifier_are_left_to_a_person(bench: Bench, peer: FhirPeer) -> None:
    for _ in range(2):
        patient = {"resourceType": "Patient", "identifier": [{"system": "urn:oid:1.2.3", "value": "4711"}]}
        assert peer.send("POST", "Patient", patient).status_code == 201
    bench.store(identify(1))
    bench.cast().cast_some()
    [error] = bench.archive.fhir_ledger.errors(limit=9)
    assert (error.kind, "2 Patients" in error.reason, "4711" in error.reason) == (ErrorKind.FHIR, True, False)


def test_a_study_of_another_source_keeps_its_part_when_ours_goes(bench: Bench, peer: FhirPeer) -> None:
    peer.send("POST", "Patient", {"resourceType": "Patient", "identifier": [{"system": "x", "value": "1"}]})
    [patient] = peer.all("Patient")
    theirs = {
        "resourceType": "ImagingStudy",
        "meta": {"source": OTHER},
        "identifier": [study_identifier(STUDY.study_instance_uid)],
        "status": "available",
        "subject": {"reference": f"Patient/{patient['id']}"},
        "series": [
            {"uid": "1.9", "modality": {"code": "MR"}, "instance": [{"uid": "1.9.1", "sopClass": {"code": "1.2"}}]}
        ],
    }
    assert peer.send("POST", "ImagingStudy", theirs).status_code == 201
    bench.store(identify(1, 1, 1))
    bench.store(identify(1, 1, 2))
    cast = bench.cast()
    cast.cast_some()
    assert len(instance_uids(peer.study(STUDY.study_instance_uid))) == 3
    [same] = bench.compared()
    assert (same.here, same.is_equal) == (Count(1, 2), True)
    peer.set_faults(poison=["1.9.1"])
    bench.delete(identify(1), depth=1)
    cast.cast_some()
    assert bench.kinds() == [ErrorKind.FHIR]
    peer.set_faults(poison=[])
    bench.archive.fhir_ledger.ask_for([STUDY], due_at=0.0)
    bench.cast().cast_some()
    assert instance_uids(peer.study(STUDY.study_instance_uid)) == ["1.9.1"]


def test_each_partition_has_an_endpoint(bench: Bench, peer: FhirPeer) -> None:
    reception = begin_store(bench.archive, LOCAL_OWNER, source="test", partition_name="research")
    reception.write(dicom_file(identify(2)))
    reception.finish().result(30)
    bench.store(identify(1))
    bench.cast().cast_some()
    assert {one["address"] for one in peer.all("Endpoint")} == {URL, f"{URL}/partitions/research"}
    assert {one["meta"]["source"] for one in peer.all("ImagingStudy")} == {URL, f"{URL}/partitions/research"}


def test_a_study_of_which_nothing_can_be_cast_any_more_goes(bench: Bench, peer: FhirPeer) -> None:
    bench.store(identify(1))
    cast = bench.cast()
    cast.cast_some()
    bench.store(identify(1), PatientID="")
    cast.cast_some()
    assert peer.all("ImagingStudy") == []
    assert bench.kinds() == [ErrorKind.DICOM]


def test_an_instance_without_an_issuer_belongs_to_nobody_where_issuers_count(bench: Bench, peer: FhirPeer) -> None:
    bench.options = replace(OPTIONS, naming=PatientNaming(None, uses_issuer=True))
    bench.store(identify(1, 1, 1), IssuerOfPatientID="HOSPITAL")
    bench.store(identify(1, 1, 2))
    bench.cast().cast_some()
    [error] = bench.archive.fhir_ledger.errors(limit=9)
    assert (error.kind, error.attribute) == (ErrorKind.DICOM, "IssuerOfPatientID")
    assert instance_uids(peer.study(STUDY.study_instance_uid)) == [identify(1, 1, 1).sop_instance_uid]
    assert [one["identifier"][0]["system"] for one in peer.all("Patient")] == ["HOSPITAL"]


def test_where_validation_is_enforced_an_instance_with_a_bad_value_is_left_out(bench: Bench, peer: FhirPeer) -> None:
    bench.options = replace(OPTIONS, reading=Reading(enforces=True))
    bench.store(identify(1, 1, 1), PatientSex="W")
    bench.store(identify(1, 1, 2))
    bench.cast().cast_some()
    assert bench.kinds() == [ErrorKind.DICOM]
    assert instance_uids(peer.study(STUDY.study_instance_uid)) == [identify(1, 1, 2).sop_instance_uid]


def test_of_many_errors_those_are_kept_that_leave_instances_out(bench: Bench) -> None:
    for number in range(ERRORS_PER_STUDY_MAX):
        bench.store(identify(1, 1, number + 1), PatientSex="W")
    bench.store(identify(1, 2, 1), Modality="")
    bench.cast().cast_some()
    counts = bench.archive.fhir_ledger.counts()
    assert (counts[ErrorKind.DICOM], sum(counts.values())) == (1, ERRORS_PER_STUDY_MAX)


def test_an_instance_that_cannot_be_read_is_left_out_and_told(bench: Bench, peer: FhirPeer) -> None:
    bench.store(identify(1))
    bench.blobs.is_broken = True
    bench.cast().cast_some()
    assert bench.kinds() == [ErrorKind.DICOM]
    assert peer.all() == []


def _store_report(bench: Bench, identifier: InstanceIdentifier, *events: str) -> None:
    report = as_dataset(dose_report(*(dose_event(uid, ctdi=40) for uid in events)))
    names = ("ConceptNameCodeSequence", "ContentSequence")
    bench.store(identifier, Modality="SR", **{name: report[name].value for name in names})


def test_doses_follow_their_reports_and_are_never_doubled(bench: Bench, peer: FhirPeer) -> None:
    bench.store(identify(1))
    _store_report(bench, identify(1, 2, 1), "1.2.1", "1.2.2")
    cast = bench.cast()
    peer.set_faults(lost_answers=1)
    cast.cast_some()
    [study] = peer.all("ImagingStudy")
    observations = peer.all("Observation")
    assert {one["partOf"][0]["reference"] for one in observations} == {f"ImagingStudy/{study['id']}"}
    uids = {one["identifier"][1]["value"].removeprefix("urn:oid:") for one in observations}
    assert uids == {identify(1, 2, 1).sop_instance_uid, "1.2.1", "1.2.2"}
    assert len(observations) == 3
    _store_report(bench, identify(1, 2, 1), "1.2.1")
    cast.cast_some()
    assert len(peer.all("Observation")) == 2
    bench.archive.fhir_ledger.want_rerun(cast.name, after=0)
    before = len(peer.requests("POST"))
    cast.cast_some()
    assert len(peer.requests("POST")) == before
    bench.delete(identify(1, 2), depth=2)
    cast.cast_some()
    assert peer.all("Observation") == []
    _store_report(bench, identify(1, 2, 1), "1.2.1")
    cast.cast_some()
    bench.delete(identify(1), depth=1)
    cast.cast_some()
    assert [one["resourceType"] for one in peer.all()] == ["Endpoint", "Patient"]
    assert bench.kinds() == []


def test_doses_can_be_left_out(bench: Bench, peer: FhirPeer) -> None:
    bench.options = replace(OPTIONS, reading=Reading(takes_doses=False))
    _store_report(bench, identify(1), "1.2.1")
    bench.cast().cast_some()
    assert peer.all("Observation") == []
    assert [one for one in peer.requests() if "Observation" in one] == []


def test_what_the_archive_or_the_node_cannot_do_shelves_one_study_and_not_the_feed(
    bench: Bench, peer: FhirPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.store(identify(1))
    bench.store(identify(2))
    index = bench.archive.index
    instances = index.instances
    errors = iter([CorruptInstance(), ZeroDivisionError()])

    def fail(scope: Scope, *, original: bool = False) -> list[InstanceRow]:
        if scope.study_instance_uid == STUDY.study_instance_uid:
            raise next(errors)
        return instances(scope, original=original)

    monkeypatch.setattr(index, "instances", fail)
    cast = bench.cast()
    cast.cast_some()
    [first] = bench.archive.fhir_ledger.errors(limit=9)
    assert (first.kind, first.reason[:26]) == (ErrorKind.FHIR, "The archive cannot give it")
    assert peer.study(identify(2).study_instance_uid) is not None
    bench.archive.fhir_ledger.ask_for([STUDY], due_at=0.0)
    cast.cast_some()
    [second] = bench.archive.fhir_ledger.errors(limit=9)
    assert "A fault of the node (ZeroDivisionError)" in second.reason


def test_while_our_own_storage_is_away_nothing_is_shelved(
    bench: Bench, peer: FhirPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.store(identify(1))
    index = bench.archive.index
    instances = index.instances

    def fail(scope: Scope, *, original: bool = False) -> list[InstanceRow]:
        if len(bench.waits_s) < 8:
            raise StorageFailed
        return instances(scope, original=original)

    monkeypatch.setattr(index, "instances", fail)
    bench.cast().cast_some()
    assert (len(bench.waits_s), bench.kinds()) == (8, [])
    assert peer.study(STUDY.study_instance_uid) is not None


def test_what_was_covered_is_forgotten_in_bounds(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isocenter.fhir.cast.COVERED_MAX", 2)
    monkeypatch.setattr("isocenter.fhir.study_state.LOOKED_MAX", 2)
    monkeypatch.setattr("isocenter.fhir.cast.PAGE_ROWS", 3)
    for number in range(1, 8):
        bench.store(identify(number))
    cast = bench.cast()
    assert [cast.cast_some() for _ in range(3)] == [True, True, False]
    assert (bench.cursor, bench.counts.studies["written"]) == (7, 7)


def test_an_instance_that_goes_while_it_is_looked_at_is_no_error(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.store(identify(1, 1, 1))
    bench.store(identify(1, 1, 2))
    bench.blobs.is_broken = True
    index, look = bench.archive.index, bench.archive.index.invalid_paths

    def remove(keys: Sequence[int]) -> Mapping[int, tuple[str, ...]]:
        if index.totals().instances == 2:
            bench.delete(identify(1, 1, 2))
        return look(keys)

    monkeypatch.setattr(index, "invalid_paths", remove)
    bench.cast().cast_some()
    assert [error.sop_instance_uid for error in bench.archive.fhir_ledger.errors(limit=9)] == [
        identify(1, 1, 1).sop_instance_uid
    ]


def test_a_cut_between_the_server_and_the_cursor_repeats_and_doubles_nothing(bench: Bench, peer: FhirPeer) -> None:
    bench.store(identify(1))
    cursors = bench.archive.event_cursors
    keep = cursors.replace

    def fail(cursor: EventCursor) -> None:
        raise StorageFailed

    cursors.replace = fail  # type: ignore[method-assign]
    with pytest.raises(StorageFailed):
        bench.cast().cast_some()
    cursors.replace = keep  # type: ignore[method-assign]
    assert (bench.cursor, len(peer.all())) == (0, 3)
    bench.cast().cast_some()
    assert (bench.cursor, len(peer.all()), len(peer.requests("POST"))) == (1, 3, 1)


def test_a_rerun_begins_behind_a_row(bench: Bench, peer: FhirPeer) -> None:
    for number in (1, 2, 3):
        bench.store(identify(number))
    cast = bench.cast()
    cast.cast_some()
    bench.archive.fhir_ledger.want_rerun(cast.name, after=1)
    cast.cast_some()
    assert bench.counts.studies["unchanged"] == 2
    assert bench.archive.fhir_ledger.standing(cast.name).rerun_after is None
    assert bench.cursor == 3


def test_after_a_rebuild_of_the_index_everything_is_cast_and_what_is_gone_goes(bench: Bench, peer: FhirPeer) -> None:
    for number in (1, 2):
        bench.store(identify(number))
    bench.cast().cast_some()
    with _bench(peer.url) as rebuilt:
        rebuilt.store(identify(2))
        rebuilt.archive.event_cursors.open(cast_name(peer.url), sequence=0, timestamp=0.0)
        rebuilt.archive.event_cursors.replace(EventCursor(cast_name(peer.url), 77, 5.0, is_of_older_feed=True))
        cast = rebuilt.cast()
        cast.cast_some()
        assert rebuilt.cursor == 1
        assert [one["identifier"][0]["value"][-1] for one in peer.all("ImagingStudy")] == ["2"]


def test_what_differs_is_found_in_counts(bench: Bench, peer: FhirPeer) -> None:
    for number in (1, 2, 3):
        bench.store(identify(number))
        bench.store(identify(number, 2, 1))
    bench.cast().cast_some()
    bench.store(identify(1, 2, 2))
    bench.delete(identify(2), depth=1)
    bench.store(identify(4))
    compared = bench.compared()
    differing = {one.study.study_instance_uid[-1]: (one.here, one.there) for one in compared if not one.is_equal}
    assert differing == {
        "1": (Count(2, 3), Count(2, 2)),
        "2": (None, Count(2, 2)),
        "4": (Count(1, 1), None),
    }
    assert len(compared) == 4


def test_whatever_happens_the_server_ends_with_what_the_archive_has(bench: Bench, peer: FhirPeer) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown with a failure
    numbers = random.Random(seed)
    cast = bench.cast()
    faults: list[dict[str, Any]] = [
        {"dropped_requests": 1},
        {"lost_answers": 1},
        {"statuses": [503]},
        {"statuses": [429], "headers": {"Retry-After": "1"}},
        {"competitors": 1},
        {},
    ]
    for _ in range(40):
        one = identify(numbers.randint(1, 3), numbers.randint(1, 2), numbers.randint(1, 3))
        if numbers.random() < 0.65:
            patient = {"PatientID": one.study_instance_uid[-1], "PatientName": f"Doe^{numbers.randint(1, 9)}"}
            bench.store(one, **patient, AccessionNumber=f"A{numbers.randint(1, 3)}")
        else:
            with suppress(Exception):
                bench.delete(one, depth=numbers.randint(1, 3))
        if numbers.random() < 0.5:
            peer.set_faults(**numbers.choice(faults))
            cast = bench.cast() if numbers.random() < 0.3 else cast
            cast.cast_some()
    peer.set_faults(dropped_requests=0, lost_answers=0, statuses=[], competitors=0)
    cast.cast_some()
    bench.clock.advance(10**5)
    cast.cast_some()
    assert bench.kinds() == []
    assert all(one.is_equal for one in bench.compared())
    stored = {
        row.identifier.sop_instance_uid
        for number in (1, 2, 3)
        for row in bench.archive.index.instances(scope_of(identify(number), depth=1))
    }
    listed = [uid for study in peer.all("ImagingStudy") for uid in instance_uids(study)]
    assert sorted(listed) == sorted(stored)
    before = len(peer.requests("POST"))
    bench.archive.fhir_ledger.want_rerun(cast.name, after=0)
    cast.cast_some()
    assert len(peer.requests("POST")) == before, "a second time there is nothing to write"
