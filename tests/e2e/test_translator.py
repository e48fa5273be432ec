"""An old PACS before a strict DICOMweb service: it searches, retrieves and stores as if that were one more PACS.

The tests that are named after a defect show what routers of this kind get wrong (routing-and-gateway 2.9).
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ImplicitVRLittleEndian, RLELossless
from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation

from tests.support.azure_stand_in import Asked, StandIn, Told, refused, rows, standing_in, store_answer
from tests.support.dimse_caller import (
    PATIENT_FIND,
    PATIENT_STUDY_FIND,
    STUDY_FIND,
    Receiver,
    associated,
    find,
    get,
    identifier,
    move,
    receiving,
    store,
)
from tests.support.instances import identify
from tests.support.small_instances import make_instance
from tests.support.translator import TITLE, translating

MATCHES_MAX = 450


@dataclass(frozen=True, slots=True)
class Scene:
    """A translator between an old PACS and a service with Azure's limits."""

    cloud: StandIn
    port: int
    receiver: Receiver
    implicit_only: Receiver


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with (
        receiving("OLDPACS") as receiver,
        receiving("OLDER", syntaxes=[ImplicitVRLittleEndian]) as implicit_only,
        standing_in() as cloud,
        translating(
            tmp_path_factory.mktemp("translator"),
            cloud.url,
            remotes=[receiver.peer, implicit_only.peer, "SECRET@127.0.0.1:1", "OFF@127.0.0.1:9"],
            translator=f'move_to = ["OLDPACS", "OLDER", "OFF"]\nmatches_max = {MATCHES_MAX}',
        ) as translator,
    ):
        yield Scene(cloud, translator.port, receiver, implicit_only)


@pytest.fixture
def scene(running: Scene) -> Scene:
    running.cloud.forget()
    running.receiver.forget()
    running.implicit_only.forget()
    return running


def instance(study: int = 1, series: int = 1, number: int = 1, **attributes: object) -> Dataset:
    """Return an instance with some attributes."""
    dataset = pydicom.dcmread(io.BytesIO(make_instance(identify(study, series, number)).content))
    dataset.InstanceNumber = number
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def study_uid(study: int) -> str:
    return identify(study).study_instance_uid


def series_uid(study: int, series: int = 1) -> str:
    return identify(study, series).series_instance_uid


def sop_uid(study: int, series: int, number: int) -> str:
    return identify(study, series, number).sop_instance_uid


def ask(scene: Scene, level: str, *, model: str = STUDY_FIND, **keys: object) -> list[Dataset]:
    """Search, which must end well."""
    found = find(scene.port, TITLE, identifier(level, **keys), model=model)
    assert found.status == 0x0000, f"{found.status:04X} {found.comment}"
    return found.answers


# ---- defects of others


def test_defect_4_searches_go_on_behind_the_first_page(scene: Scene) -> None:
    scene.cloud.instances += [instance(number) for number in range(1, 431)]
    answers = ask(scene, "STUDY", StudyInstanceUID="")
    assert len({answer.StudyInstanceUID for answer in answers}) == len(answers) == 430


def test_defect_4_rows_that_come_twice_because_pages_have_moved_are_told_once(scene: Scene) -> None:
    scene.cloud.instances += [instance(number) for number in range(1, 301)]
    added = iter([instance(number) for number in range(301, 306)])

    def answer(asked: Asked) -> Told:
        scene.cloud.instances.extend([next(added)])
        override = scene.cloud.overrides.pop(0)
        try:
            return scene.cloud.answer(asked)
        finally:
            scene.cloud.overrides.insert(0, override)

    scene.cloud.on("GET", "/studies", answer)
    uids = [answer.StudyInstanceUID for answer in ask(scene, "STUDY", StudyInstanceUID="")]
    assert len(set(uids)) == len(uids) >= 300


def test_defect_4_more_than_can_be_told_ends_as_too_much(scene: Scene) -> None:
    scene.cloud.instances += [instance(number) for number in range(1, MATCHES_MAX + 2)]
    found = find(scene.port, TITLE, identifier("STUDY", StudyInstanceUID=""))
    assert (found.status, len(found.answers)) == (0xA700, MATCHES_MAX)
    assert "narrow" in found.comment


def test_defect_4_a_service_that_does_not_page_is_not_asked_for_ever(scene: Scene) -> None:
    page = [{"0020000D": {"vr": "UI", "Value": [f"1.2.{number}"]}} for number in range(200)]
    scene.cloud.on("GET", "/studies", rows(*page))
    assert find(scene.port, TITLE, identifier("STUDY", StudyInstanceUID="")).status == 0xA700


def test_defect_5_series_and_images_are_found_without_their_study(scene: Scene) -> None:
    scene.cloud.instances += [instance(1, 1, 1), instance(1, 2, 1), instance(2, 1, 1)]
    relational = SOPClassExtendedNegotiation()
    relational.sop_class_uid = STUDY_FIND
    relational.service_class_application_information = b"\1"
    found = find(scene.port, TITLE, identifier("SERIES", SeriesInstanceUID=""), ext_neg=[relational])
    assert {answer.SeriesInstanceUID for answer in found.answers} == {series_uid(1, 1), series_uid(1, 2), series_uid(2)}
    wanted = identifier("IMAGE", SOPInstanceUID=sop_uid(1, 2, 1))
    (image,) = find(scene.port, TITLE, wanted, ext_neg=[relational]).answers
    assert (image.QueryRetrieveLevel, image.StudyInstanceUID) == ("IMAGE", study_uid(1))


def test_defect_5_images_are_told_at_the_level_image(scene: Scene) -> None:
    scene.cloud.instances += [instance(1, 1, number) for number in (1, 2)]
    answers = ask(scene, "IMAGE", StudyInstanceUID=study_uid(1), SeriesInstanceUID=series_uid(1), SOPInstanceUID="")
    assert [answer.QueryRetrieveLevel for answer in answers] == ["IMAGE", "IMAGE"]
    assert {answer.SOPInstanceUID for answer in answers} == {sop_uid(1, 1, 1), sop_uid(1, 1, 2)}


def test_defect_6_whatever_is_asked_for_comes_back_with_all_its_values_and_groups(scene: Scene) -> None:
    request = Dataset()
    request.AccessionNumber = "A-77"
    request.RequestedProcedureID = "RP"
    scene.cloud.instances.append(
        instance(
            StudyDescription="Head",
            PatientName="Yamada^Tarou=山田^太郎=やまだ^たろう",
            OtherPatientIDs=["one", "two"],
            RequestAttributesSequence=Sequence([request]),
            SeriesNumber=7,
        )
    )
    key = Dataset()
    key.AccessionNumber = ""
    query = identifier(
        "STUDY", StudyInstanceUID="", StudyDescription="", PatientName="", OtherPatientIDs="", ModalitiesInStudy=""
    )
    query.RequestAttributesSequence = Sequence([key])
    query.SpecificCharacterSet = "ISO_IR 192"
    found = find(scene.port, TITLE, query)
    (answer,) = found.answers
    assert answer.StudyDescription == "Head"
    assert answer.ModalitiesInStudy == "CT"
    assert list(answer.OtherPatientIDs) == ["one", "two"]
    assert str(answer.PatientName) == "Yamada^Tarou=山田^太郎=やまだ^たろう"
    (item,) = answer.RequestAttributesSequence
    assert item.AccessionNumber == "A-77"
    assert "RequestedProcedureID" not in item
    assert (answer.QueryRetrieveLevel, answer.RetrieveAETitle) == ("STUDY", TITLE)
    assert found.statuses == [0xFF00, 0x0000]


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        ({"PatientName": "Doe^J*"}, {1}),
        ({"PatientName": "*oe^J*", "StudyDate": "20240101-"}, {1, 2}),
        ({"PatientName": "doe^jane"}, {1}),
        ({"PatientName": "Jan"}, set()),
        ({"AccessionNumber": "A?1", "PatientID": "P1"}, {1}),
        ({"StudyDescription": "CT*", "StudyDate": "20240101-20241231"}, {1}),
        ({"StudyTime": "0800-1000", "StudyDate": "20240101-20241231"}, {1}),
        ({"PatientID": "P1", "StationName": "CT1"}, {1}),
    ],
    ids=str,
)
def test_defect_7_wildcards_are_matched_here_and_never_reach_the_service(
    scene: Scene, keys: dict[str, str], found: set[int]
) -> None:
    scene.cloud.instances += [
        instance(
            1,
            PatientName="Doe^Jane",
            PatientID="P1",
            AccessionNumber="AB1",
            StudyDate="20240131",
            StudyTime="093000",
            StudyDescription="CT Head",
            StationName="CT1",
        ),
        instance(
            2, PatientName="Roe^Jan", PatientID="P2", AccessionNumber="XY", StudyDate="20250101", StudyTime="1500"
        ),
    ]
    answers = ask(scene, "STUDY", StudyInstanceUID="", **keys)
    assert {answer.StudyInstanceUID for answer in answers} == {study_uid(number) for number in found}


def test_defect_7_matching_is_not_fuzzy_unless_that_was_agreed_on(scene: Scene) -> None:
    scene.cloud.instances += [instance(1, PatientName="Doe^Jane"), instance(2, PatientName="Jane^Doe")]
    assert [answer.StudyInstanceUID for answer in ask(scene, "STUDY", StudyInstanceUID="", PatientName="Doe^Jane")] == [
        study_uid(1)
    ]


def test_defect_7_a_search_that_the_service_cannot_narrow_is_refused_with_its_keys(scene: Scene) -> None:
    scene.cloud.instances.append(instance())
    found = find(scene.port, TITLE, identifier("STUDY", StudyInstanceUID="", StudyID="12*"))
    assert (found.status, found.answers) == (0xA900, [])
    assert scene.cloud.searches() == []


def test_defect_8_a_move_of_nothing_is_a_success_with_counters_of_zero(scene: Scene) -> None:
    moved = move(scene.port, TITLE, identifier("STUDY", StudyInstanceUID="1.2.3"), "OLDPACS")
    assert (moved.status, moved.completed, moved.failed, moved.warning, moved.remaining) == (0x0000, 0, 0, 0, None)


def test_defect_9_images_that_the_service_does_not_give_are_in_the_list_of_the_failed(scene: Scene) -> None:
    scene.cloud.instances += [instance(1, 1, number) for number in range(1, 7)]
    scene.cloud.on("GET", r"/studies/[\d.]+/series/[\d.]+", refused(406))
    for number in (2, 5):
        path = f"/studies/{study_uid(1)}/series/{series_uid(1)}/instances/{sop_uid(1, 1, number)}"
        scene.cloud.on("GET", path, refused(404))
    moved = move(scene.port, TITLE, identifier("STUDY", StudyInstanceUID=study_uid(1)), "OLDPACS")
    assert (moved.status, moved.completed, moved.failed) == (0xB000, 4, 2)
    assert set(moved.failed_uids) == {sop_uid(1, 1, 2), sop_uid(1, 1, 5)}


@pytest.mark.parametrize(("reason", "status"), [(45070, 0x0000), (0xA900, 0xA900), (0x0110, 0x0110)])
def test_defect_2_a_conflict_is_a_duplicate_only_where_the_image_is_there(
    scene: Scene, reason: int, status: int
) -> None:
    sent = instance()
    scene.cloud.instances.append(instance())
    scene.cloud.on("POST", "/studies", store_answer([], [(sent.SOPInstanceUID, reason)], status=409))
    (response,) = store(scene.port, TITLE, sent)
    assert response.Status == status


def test_defect_3_stored_with_warnings_is_stored(scene: Scene) -> None:
    sent = instance()
    scene.cloud.on("POST", "/studies", store_answer([sent.SOPInstanceUID], status=202))
    (response,) = store(scene.port, TITLE, sent)
    assert response.Status == 0x0000


# ---- searches


def test_patients_are_gathered_from_studies(scene: Scene) -> None:
    scene.cloud.instances += [
        instance(1, PatientID="P1", PatientName="Doe", NumberOfStudyRelatedSeries=2, NumberOfStudyRelatedInstances=9),
        instance(2, PatientID="P1", PatientName="Doe", NumberOfStudyRelatedSeries=1, NumberOfStudyRelatedInstances=1),
        instance(3, PatientID="P2", PatientName="Roe", NumberOfStudyRelatedSeries=1, NumberOfStudyRelatedInstances=1),
    ]
    counted = {"NumberOfPatientRelatedStudies": "", "NumberOfPatientRelatedInstances": ""}
    answers = ask(scene, "PATIENT", model=PATIENT_FIND, PatientID="", PatientName="", **counted)
    assert {
        answer.PatientID: (answer.NumberOfPatientRelatedStudies, answer.NumberOfPatientRelatedInstances)
        for answer in answers
    } == {"P1": (2, 10), "P2": (1, 1)}
    (patient,) = ask(scene, "PATIENT", model=PATIENT_STUDY_FIND, PatientID="P2", PatientName="")
    assert patient.PatientName == "Roe"


def test_studies_of_a_patient_are_found_by_the_patient_root(scene: Scene) -> None:
    scene.cloud.instances += [instance(1, PatientID="P1"), instance(2, PatientID="P2")]
    (study,) = ask(scene, "STUDY", model=PATIENT_FIND, PatientID="P2", StudyInstanceUID="")
    assert study.StudyInstanceUID == study_uid(2)


def test_lists_are_asked_for_one_by_one_and_merged(scene: Scene) -> None:
    scene.cloud.instances += [
        instance(1, Modality="CT"),
        instance(2, Modality="MR"),
        instance(3, Modality="US"),
    ]
    uids = [study_uid(1), study_uid(3), "1.2.3"]
    assert {one.StudyInstanceUID for one in ask(scene, "STUDY", StudyInstanceUID=uids)} == {study_uid(1), study_uid(3)}
    modalities = ask(scene, "STUDY", StudyInstanceUID="", ModalitiesInStudy=["CT", "MR"])
    assert {one.StudyInstanceUID for one in modalities} == {study_uid(1), study_uid(2)}


@pytest.mark.parametrize(("told", "availability"), [("NEARLINE", "NEARLINE"), ("", "ONLINE")])
def test_how_quickly_images_can_be_had_is_passed_on(scene: Scene, told: str, availability: str) -> None:
    row = {"0020000D": {"vr": "UI", "Value": ["1.2.3"]}, "00080056": {"vr": "CS", "Value": [told]}}
    scene.cloud.on("GET", "/studies", rows(row))
    (answer,) = ask(scene, "STUDY", StudyInstanceUID="")
    assert answer.InstanceAvailability == availability


def test_a_key_that_cannot_be_matched_is_told_by_the_status(scene: Scene) -> None:
    scene.cloud.instances.append(instance())
    query = identifier("STUDY", StudyInstanceUID="", NumberOfStudyRelatedInstances=3)
    assert find(scene.port, TITLE, query).statuses == [0xFF01, 0x0000]


def test_answers_are_in_the_character_set_of_the_request(scene: Scene) -> None:
    scene.cloud.instances.append(instance(PatientName="Müller^Jörg"))
    query = identifier("STUDY", StudyInstanceUID="", PatientName="")
    query.SpecificCharacterSet = "ISO_IR 100"
    (answer,) = find(scene.port, TITLE, query).answers
    assert (answer.SpecificCharacterSet, str(answer.PatientName)) == ("ISO_IR 100", "Müller^Jörg")
    query.PatientName = "Müller*"
    assert len(find(scene.port, TITLE, query).answers) == 1


def test_what_a_service_refuses_to_return_is_taken_from_metadata(scene: Scene) -> None:
    scene.cloud.instances += [instance(1, StationName="CT1"), instance(2, StationName="CT2")]

    def answer(asked: Asked) -> Told:
        if ("includefield", "00081010") in asked.parameters:
            return refused(400)
        override = scene.cloud.overrides.pop(0)
        try:
            return scene.cloud.answer(asked)
        finally:
            scene.cloud.overrides.insert(0, override)

    scene.cloud.on("GET", "/studies", answer)
    answers = ask(scene, "STUDY", StudyInstanceUID="", StationName="")
    assert {one.StudyInstanceUID: one.StationName for one in answers} == {study_uid(1): "CT1", study_uid(2): "CT2"}


def test_a_service_that_searches_below_studies_only_is_asked_study_by_study(scene: Scene) -> None:
    scene.cloud.instances += [instance(1), instance(2)]
    scene.cloud.on("GET", "/series", refused(501))
    relational = SOPClassExtendedNegotiation()
    relational.sop_class_uid = STUDY_FIND
    relational.service_class_application_information = b"\1"
    found = find(scene.port, TITLE, identifier("SERIES", SeriesInstanceUID=""), ext_neg=[relational])
    assert {one.SeriesInstanceUID for one in found.answers} == {series_uid(1), series_uid(2)}


def test_a_search_that_is_cancelled_asks_for_no_more_pages(scene: Scene) -> None:
    scene.cloud.instances += [instance(number) for number in range(1, 430)]
    with associated(scene.port, TITLE, STUDY_FIND) as association:
        responses = association.send_c_find(identifier("STUDY", StudyInstanceUID=""), STUDY_FIND, msg_id=5)
        next(responses)
        association.send_c_cancel(5, query_model=STUDY_FIND)
        statuses = [status.Status for status, _ in responses]
    assert statuses[-1] in (0xFE00, 0x0000)  # it may have crossed the last answer
    if statuses[-1] == 0xFE00:
        assert len(statuses) < 429


# ---- retrieval


def test_a_study_is_moved_in_the_order_of_its_numbers_for_who_asked(scene: Scene) -> None:
    scene.cloud.instances += [instance(1, 1, number) for number in (3, 1, 2)]
    moved = move(scene.port, TITLE, identifier("STUDY", StudyInstanceUID=study_uid(1)), "OLDPACS")
    assert (moved.status, moved.completed, moved.failed, moved.warning) == (0x0000, 3, 0, 0)
    assert {str(one.SOPInstanceUID) for one in scene.receiver.received} == {sop_uid(1, 1, n) for n in (1, 2, 3)}
    assert {title for title, _ in scene.receiver.originators} == {"OLDPACS"}
    for one in scene.receiver.received:
        (stored,) = [each for each in scene.cloud.instances if each.SOPInstanceUID == one.SOPInstanceUID]
        assert one.PixelData == stored.PixelData


@pytest.mark.parametrize(
    ("query", "count"),
    [
        (identifier("SERIES", StudyInstanceUID=study_uid(1), SeriesInstanceUID=series_uid(1, 2)), 5),
        (
            identifier("SERIES", StudyInstanceUID=study_uid(1), SeriesInstanceUID=[series_uid(1, 1), series_uid(1, 2)]),
            7,
        ),
        (
            identifier(
                "IMAGE",
                StudyInstanceUID=study_uid(1),
                SeriesInstanceUID=series_uid(1, 2),
                SOPInstanceUID=[sop_uid(1, 2, 1), sop_uid(1, 2, 4), "1.2.3"],
            ),
            2,
        ),
        (identifier("STUDY", StudyInstanceUID=[study_uid(1), study_uid(2)]), 8),
    ],
)
def test_what_is_named_is_moved_and_nothing_else(scene: Scene, query: Dataset, count: int) -> None:
    scene.cloud.instances += [instance(1, 1, number) for number in range(1, 3)]
    scene.cloud.instances += [instance(1, 2, number) for number in range(1, 6)]
    scene.cloud.instances += [instance(2, 1, 1), instance(3, 1, 1)]
    moved = move(scene.port, TITLE, query, "OLDPACS")
    assert (moved.status, moved.completed, len(scene.receiver.received)) == (0x0000, count, count)


def test_a_study_of_several_pages_is_moved_whole(scene: Scene) -> None:
    scene.cloud.instances += [instance(1, 1 + number // 60, number) for number in range(1, 231)]
    moved = move(scene.port, TITLE, identifier("STUDY", StudyInstanceUID=study_uid(1)), "OLDPACS")
    assert (moved.status, moved.completed) == (0x0000, 230)
    counted = [
        sum(
            pending.get(f"NumberOf{name}Suboperations", 0) or 0
            for name in ("Remaining", "Completed", "Failed", "Warning")
        )
        for pending in moved.pendings
    ]
    assert set(counted) <= {230}


def test_a_series_is_got_over_the_association_on_which_it_was_asked_for(scene: Scene) -> None:
    scene.cloud.instances += [instance(1, 1, number) for number in range(1, 7)]
    receiver = Receiver("OLDPACS")
    got = get(scene.port, TITLE, identifier("STUDY", StudyInstanceUID=study_uid(1)), receiver)
    assert (got.status, got.completed, len(receiver.received)) == (0x0000, 6, 6)


def test_images_are_turned_into_what_the_receiver_takes(scene: Scene) -> None:
    compressed = instance(1, 1, 1)
    compressed.compress(RLELossless, generate_instance_uid=False)
    plain = instance(1, 1, 2)
    original = instance(1, 1, 1).PixelData
    scene.cloud.instances += [compressed, plain]
    moved = move(scene.port, TITLE, identifier("STUDY", StudyInstanceUID=study_uid(1)), "OLDER")
    assert (moved.status, moved.completed) == (0x0000, 2)
    by_uid = {str(one.SOPInstanceUID): one for one in scene.implicit_only.received}
    assert {one.file_meta.TransferSyntaxUID for one in by_uid.values()} == {ImplicitVRLittleEndian}
    assert by_uid[sop_uid(1, 1, 1)].PixelData == original


def test_a_service_that_does_not_tell_transfer_syntaxes_is_served_all_the_same(scene: Scene) -> None:
    scene.cloud.instances += [instance(1, 1, 1)]
    wrong = deepcopy(scene.cloud.instances[0].to_json_dict(bulk_data_threshold=10**9))
    row = {tag: wrong[tag] for tag in ("0020000D", "0020000E", "00080018")}
    scene.cloud.on("GET", f"/studies/{study_uid(1)}/instances", rows(row))
    moved = move(scene.port, TITLE, identifier("STUDY", StudyInstanceUID=study_uid(1)), "OLDPACS")
    assert (moved.status, moved.completed) == (0x0000, 1)


def test_what_a_receiver_cannot_take_is_failed_and_named(scene: Scene) -> None:
    scene.cloud.instances += [instance(1, 1, 1), instance(1, 1, 2)]
    scene.cloud.instances[1].SOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
    moved = move(scene.port, TITLE, identifier("STUDY", StudyInstanceUID=study_uid(1)), "OLDPACS")
    assert (moved.status, moved.completed, moved.failed_uids) == (0xB000, 1, [sop_uid(1, 1, 2)])


def test_what_the_receiver_refuses_is_counted(scene: Scene) -> None:
    scene.cloud.instances += [instance(1, 1, number) for number in range(1, 4)]
    scene.receiver.status = 0xA700
    moved = move(scene.port, TITLE, identifier("STUDY", StudyInstanceUID=study_uid(1)), "OLDPACS")
    assert (moved.status, moved.completed, moved.failed) == (0xA702, 0, 3)


@pytest.mark.parametrize(("destination", "status"), [("NOBODY", 0xA801), ("SECRET", 0xA801), ("OFF", 0xA702)])
def test_a_destination_that_is_unknown_not_allowed_or_off_is_told_apart(
    scene: Scene, destination: str, status: int
) -> None:
    scene.cloud.instances.append(instance())
    moved = move(scene.port, TITLE, identifier("STUDY", StudyInstanceUID=study_uid(1)), destination)
    assert moved.status == status
    assert moved.comment


def test_a_large_image_passes_through_a_file(scene: Scene) -> None:
    content = make_instance(identify(1), size_bytes=12 * 1024**2, columns=2048).content
    scene.cloud.instances.append(pydicom.dcmread(io.BytesIO(content)))
    moved = move(scene.port, TITLE, identifier("STUDY", StudyInstanceUID=study_uid(1)), "OLDPACS")
    assert moved.status == 0x0000
    assert scene.receiver.received[0].PixelData == scene.cloud.instances[0].PixelData


# ---- stores


def test_an_image_is_stored_before_its_sender_is_told_so(scene: Scene) -> None:
    sent = [instance(1, 1, number) for number in range(1, 4)]
    assert [response.Status for response in store(scene.port, TITLE, *sent)] == [0, 0, 0]
    assert {str(one.SOPInstanceUID) for one in scene.cloud.instances} == {str(one.SOPInstanceUID) for one in sent}
    assert scene.cloud.instances[0].PixelData == sent[0].PixelData


def test_an_image_in_implicit_vr_is_stored_in_explicit_vr_where_the_service_wants_that(scene: Scene) -> None:
    sent = instance()
    stream = io.BytesIO()
    sent.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    sent.save_as(stream, implicit_vr=True, little_endian=True)
    sent = pydicom.dcmread(io.BytesIO(stream.getvalue()))
    (response,) = store(scene.port, TITLE, sent)
    assert response.Status == 0x0000
    assert scene.cloud.instances[0].PixelData == sent.PixelData


def test_a_large_image_is_stored(scene: Scene) -> None:
    content = make_instance(identify(1), size_bytes=12 * 1024**2, columns=2048).content
    sent = pydicom.dcmread(io.BytesIO(content))
    (response,) = store(scene.port, TITLE, sent)
    assert response.Status == 0x0000
    assert scene.cloud.instances[0].PixelData == sent.PixelData


def test_an_image_without_its_study_is_refused_before_it_is_sent(scene: Scene) -> None:
    sent = instance()
    del sent.StudyInstanceUID
    (response,) = store(scene.port, TITLE, sent)
    assert response.Status == 0xC000
    assert scene.cloud.asked == []
