"""The watch over studies: feed and performed steps in, completions out, over the adapters in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from pydicom.dataset import Dataset

from isocenter.app.completing.table import Completeness
from isocenter.app.completing.tracker import StudyTracker
from isocenter.archive.archive import Archive
from isocenter.archive.commitment import request_commitment
from isocenter.archive.delete import delete
from isocenter.archive.performed_step import create_performed_step, set_performed_step
from isocenter.dicom.json_reader import parse_dicom_json
from isocenter.domain.commitment import CommitmentRequest, InstanceReference
from isocenter.domain.errors import NotFound
from isocenter.domain.identifiers import Scope
from isocenter.domain.principal import LOCAL_OWNER
from isocenter.routing.completeness.quiet import QUIET_MAX_S, QUIET_UNKNOWN_S
from tests.support.dicom_files import EXPLICIT, write_file
from tests.support.memory_archive import FakeClock, memory_archive, store
from tests.support.prior_studies import PriorStudy, uid_of

STUDY = PriorStudy("P1", "20261101", instances=3)
FILES = [content for _, content in STUDY.files()]
UIDS = [uid_of(STUDY.study_instance_uid, 0, number) for number in range(3)]


@dataclass
class Watch:
    """An archive and who watches its studies; time passes where a test says so."""

    archive: Archive
    clock: FakeClock
    tracker: StudyTracker
    table: Completeness

    def look(self, after_s: float = 0.0) -> None:
        self.clock.advance(after_s)
        self.tracker.look()

    @property
    def study(self) -> dict[str, object]:
        return self.table.find(STUDY.study_instance_uid)

    def perform(self, state: str, *uids: str) -> None:
        """Tell of a performed step that made instances."""
        now = self.clock.now().timestamp()
        images = [{"00081155": {"vr": "UI", "Value": [uid]}} for uid in uids]
        series = {"00400340": {"vr": "SQ", "Value": [{"00081140": {"vr": "SQ", "Value": images}}]}}
        status = {"00400252": {"vr": "CS", "Value": [state]}}
        if state == "IN PROGRESS":
            step = {
                "0020000D": {"vr": "UI", "Value": [STUDY.study_instance_uid]},
                "00400009": {"vr": "SH", "Value": ["S1"]},
            }
            document = {
                **status,
                "00080060": {"vr": "CS", "Value": ["CT"]},
                "00400241": {"vr": "AE", "Value": ["CT1"]},
                "00400244": {"vr": "DA", "Value": ["20261101"]},
                "00400245": {"vr": "TM", "Value": ["120000"]},
                "00400253": {"vr": "SH", "Value": ["P1"]},
                "00400270": {"vr": "SQ", "Value": [step]},
            }
            create_performed_step(
                self.archive.performed_steps,
                LOCAL_OWNER,
                sop_instance_uid="1.2.77",
                attributes=parse_dicom_json(document),
                ae_title="CT1",
                now=now,
            )
            return
        changes = parse_dicom_json({**status, **series})
        set_performed_step(
            self.archive.performed_steps, LOCAL_OWNER, sop_instance_uid="1.2.77", changes=changes, now=now
        )


@pytest.fixture
def watch() -> Iterator[Watch]:
    clock = FakeClock()
    with memory_archive(clock=clock) as archive:
        tracker = StudyTracker(archive)
        yield Watch(archive, clock, tracker, Completeness(archive.watched_studies, now=clock.now))


def test_without_other_evidence_a_study_is_whole_when_it_has_been_quiet(watch: Watch) -> None:
    store(watch.archive, FILES[0])
    watch.look()
    assert (watch.study["is_complete"], watch.study["told"]) == (False, "waits: quiet for 60 s")
    watch.look(QUIET_UNKNOWN_S - 1)
    assert not watch.table.is_complete(STUDY.study_instance_uid)
    watch.look(1)
    assert watch.table.is_complete(STUDY.study_instance_uid)
    assert watch.study["evidence"] == "quiet"
    (completion,) = watch.table.completions(after=0, limit=9)
    assert (completion.after_sequence, completion.last_sequence, completion.instances) == (0, 1, 1)


def test_a_completed_step_whose_images_are_all_here_tells_at_once(watch: Watch) -> None:
    watch.perform("IN PROGRESS")
    for content in FILES:
        store(watch.archive, content)
    watch.look()
    assert watch.study["told"] == "waits: performed step 1.2.77 is in progress"
    watch.clock.advance(QUIET_UNKNOWN_S)
    watch.perform("COMPLETED", *UIDS)
    watch.look()
    assert (watch.study["is_complete"], watch.study["evidence"]) == (True, "performed step")


def test_a_step_that_names_what_is_not_here_makes_silence_wait(watch: Watch) -> None:
    store(watch.archive, FILES[0])
    watch.perform("IN PROGRESS")
    watch.clock.advance(1)
    watch.perform("COMPLETED", *UIDS)
    watch.look(QUIET_UNKNOWN_S)
    assert watch.study["told"] == "waits: 2 of 3 instances that performed step 1.2.77 names are missing"
    for content in FILES[1:]:
        store(watch.archive, content)
    watch.look()
    assert watch.study["evidence"] == "performed step"


def test_an_expected_count_tells_though_it_was_noted_before_anything_came(watch: Watch) -> None:
    watch.table.expect(STUDY.study_instance_uid, origin="pacs", count=2)
    store(watch.archive, FILES[0])
    watch.look()
    assert watch.study["told"] == "waits: 1 of 2 instances that pacs tells of are here"
    store(watch.archive, FILES[1])
    watch.look()
    assert (watch.study["is_complete"], watch.study["evidence"]) == (True, "count")
    assert watch.study["expected"] != []


def test_a_manifest_tells_what_belongs_to_its_study(watch: Watch) -> None:
    store(watch.archive, FILES[0])
    store(watch.archive, _manifest(UIDS[:2], title="113030"))
    watch.look()
    assert "1 of 2 instances that manifest" in str(watch.study["told"])
    store(watch.archive, FILES[1])
    watch.look()
    assert watch.study["evidence"] == "count"


def test_key_images_are_no_manifest(watch: Watch) -> None:
    store(watch.archive, FILES[0])
    store(watch.archive, _manifest(UIDS[:1], title="113000"))
    watch.look()
    assert watch.study["told"] == "waits: quiet for 60 s"


def test_late_instances_open_a_study_again_and_go_out_alone(watch: Watch) -> None:
    watch.table.expect(STUDY.study_instance_uid, origin="pacs", count=1)
    store(watch.archive, FILES[0])
    watch.look()
    assert watch.table.is_complete(STUDY.study_instance_uid)
    watch.clock.advance(3600)
    store(watch.archive, FILES[1])
    watch.look()
    assert (watch.study["is_complete"], watch.study["reopened"]) == (False, 1)
    watch.look(QUIET_MAX_S)
    first, late = watch.table.completions(after=0, limit=9)
    assert (first.evidence, late.evidence) == ("count", "quiet"), "what was said before speaks of what was there"
    rows = watch.archive.index.changes(after=late.after_sequence, limit=9)
    assert [row.identifier.sop_instance_uid for row in rows] == [UIDS[1]]
    assert watch.table.completions(after=first.completion_key, limit=9) == [late]


def test_a_commitment_request_tells_what_a_modality_has_sent(watch: Watch) -> None:
    for content in FILES[:2]:
        store(watch.archive, content)
    watch.look()
    request = CommitmentRequest(
        "2.25.9", tuple(InstanceReference("1.2.840.10008.5.1.4.1.1.2", uid) for uid in UIDS[:2]), 2
    )
    now = watch.clock.now().timestamp()
    request_commitment(
        watch.archive.commitments, LOCAL_OWNER, request, peer_ae_title="CT1", own_ae_title="NODE", now=now
    )
    watch.look(1)
    assert watch.study["told"] == "all that a commitment request of CT1 names is here"


def test_somebody_may_have_a_study_treated_as_complete(watch: Watch) -> None:
    with pytest.raises(NotFound):
        watch.table.treat_as_complete(STUDY.study_instance_uid, origin="a command")
    store(watch.archive, FILES[0])
    watch.look()
    watch.table.treat_as_complete(STUDY.study_instance_uid, origin="a command")
    watch.look()
    assert (watch.study["evidence"], watch.study["told"]) == ("request", "a command asked to treat it as complete")


def test_quiet_times_are_learned_by_device_and_modality(watch: Watch) -> None:
    study = PriorStudy("P2", "20261102", instances=40)
    for _, content in study.files():
        store(watch.archive, content)
        watch.look(1.5)
    watch.look(8.4)
    assert not watch.table.is_complete(study.study_instance_uid)
    watch.look(0.2)
    assert watch.table.find(study.study_instance_uid)["told"] == "nothing came for 10 s"
    assert len(watch.archive.watched_studies.gaps("", "CT")) == 39


def test_a_tracker_that_starts_again_goes_on_where_the_last_one_ended(watch: Watch) -> None:
    store(watch.archive, FILES[0])
    watch.look()
    store(watch.archive, FILES[1])
    again = StudyTracker(watch.archive)
    watch.clock.advance(QUIET_UNKNOWN_S + 1)
    again.look()
    assert watch.study["is_complete"]
    assert [one.instances for one in watch.table.completions(after=0, limit=9)] == [2]


def test_a_study_that_is_deleted_before_it_is_whole_waits_for_nothing(watch: Watch) -> None:
    store(watch.archive, FILES[0])
    watch.look()
    delete(watch.archive, LOCAL_OWNER, Scope(STUDY.study_instance_uid))
    watch.look(QUIET_UNKNOWN_S)
    assert watch.study["told"] == "deleted"
    assert watch.table.completions(after=0, limit=9) == []


def _manifest(uids: list[str], *, title: str) -> bytes:
    def nested(**values: object) -> Dataset:
        dataset = Dataset()
        for keyword, value in values.items():
            setattr(dataset, keyword, value)
        return dataset

    instances = [
        nested(ReferencedSOPClassUID="1.2.840.10008.5.1.4.1.1.2", ReferencedSOPInstanceUID=uid) for uid in uids
    ]
    series = nested(SeriesInstanceUID=STUDY.series_instance_uid(0), ReferencedSOPSequence=instances)
    evidence = nested(StudyInstanceUID=STUDY.study_instance_uid, ReferencedSeriesSequence=[series])
    return write_file(
        nested(
            SOPClassUID="1.2.840.10008.5.1.4.1.1.88.59",
            SOPInstanceUID=uid_of("manifest", title),
            StudyInstanceUID=STUDY.study_instance_uid,
            SeriesInstanceUID=uid_of("manifest series"),
            PatientID="P1",
            Modality="KO",
            ConceptNameCodeSequence=[nested(CodeValue=title, CodingSchemeDesignator="DCM", CodeMeaning="Manifest")],
            CurrentRequestedProcedureEvidenceSequence=[evidence],
        ),
        EXPLICIT,
    )
