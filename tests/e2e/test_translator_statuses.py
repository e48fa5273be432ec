"""What an old PACS is told of what a DICOMweb service answered: the table of routing-and-gateway 6.3, line by line."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass

import pydicom
import pytest
from pydicom.dataset import Dataset

from tests.support.azure_stand_in import (
    ALREADY_EXISTS,
    Asked,
    StandIn,
    Told,
    encoded,
    multipart,
    refused,
    standing_in,
    store_answer,
    stored_parts,
)
from tests.support.dimse_caller import Receiver, find, identifier, move, receiving, store
from tests.support.instances import identify
from tests.support.small_instances import make_instance
from tests.support.translator import TITLE, translating


@dataclass(frozen=True, slots=True)
class Scene:
    """A translator between an old PACS and a service that answers what a test wants."""

    cloud: StandIn
    port: int
    receiver: Receiver


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with (
        receiving("OLDPACS") as receiver,
        standing_in() as cloud,
        translating(tmp_path_factory.mktemp("translator"), cloud.url, remotes=[receiver.peer]) as translator,
    ):
        yield Scene(cloud, translator.port, receiver)


@pytest.fixture
def scene(running: Scene) -> Scene:
    running.cloud.forget()
    running.receiver.forget()
    return running


def instance(number: int = 1, *, seed: int = 0, study: int = 1) -> Dataset:
    """Return an instance of a study."""
    content = make_instance(identify(study, 1, number), seed=seed).content
    return pydicom.dcmread(io.BytesIO(content))


STUDY = identify(1).study_instance_uid
SERIES = identify(1).series_instance_uid
HTTP_AND_FIND = [
    (204, 0x0000),
    (400, 0xA900),
    (401, 0x0124),
    (403, 0x0124),
    (404, 0xC001),
    (408, 0xA700),
    (410, 0xC001),
    (429, 0xA700),
    (500, 0xC001),
    (502, 0xC001),
    (503, 0xA700),
    (504, 0xC001),
    (302, 0xC001),
]


@pytest.mark.parametrize(("http", "dimse"), HTTP_AND_FIND)
def test_a_search_that_fails_is_told_as_failed(scene: Scene, http: int, dimse: int) -> None:
    scene.cloud.on("GET", "/studies", refused(http) if http != 204 else Told(204))
    found = find(scene.port, TITLE, identifier("STUDY", PatientName="", StudyInstanceUID=""))
    assert (found.status, found.answers) == (dimse, [])
    assert bool(found.comment) is bool(dimse)


@pytest.mark.parametrize("http", [404, 410])
def test_a_study_that_is_not_there_has_nothing_below_it(scene: Scene, http: int) -> None:
    scene.cloud.on("GET", f"/studies/{STUDY}/series", refused(http))
    found = find(scene.port, TITLE, identifier("SERIES", StudyInstanceUID=STUDY, SeriesInstanceUID=""))
    assert (found.status, found.answers) == (0x0000, [])


@pytest.mark.parametrize("garbage", [b"<html>", b"{", b'{"a": 1}', b"[1, 2]"[:3]])
def test_garbage_is_no_answer(scene: Scene, garbage: bytes) -> None:
    scene.cloud.on("GET", "/studies", Told(200, garbage))
    assert find(scene.port, TITLE, identifier("STUDY", StudyInstanceUID="")).status == 0xC001


def test_a_service_that_closes_early_is_told_as_failed(scene: Scene) -> None:
    scene.cloud.instances += [instance(1)]
    scene.cloud.on("GET", "/studies", Told(200, b"[" + b" " * 1000 + b"]", closes_after=10))
    assert find(scene.port, TITLE, identifier("STUDY", StudyInstanceUID="")).status == 0xC001


def test_a_search_goes_on_when_the_service_has_recovered(scene: Scene) -> None:
    scene.cloud.instances.append(instance())
    answers = iter([refused(503), refused(429)])

    def answer(asked: Asked) -> Told:
        told = next(answers, None)
        if told is None:
            scene.cloud.overrides.clear()
            return scene.cloud.answer(asked)
        return told

    scene.cloud.on("GET", "/studies", answer)
    found = find(scene.port, TITLE, identifier("STUDY", StudyInstanceUID=""))
    assert (found.status, len(found.answers)) == (0x0000, 1)


# ---- C-MOVE


@pytest.mark.parametrize("http", [400, 401, 403, 404, 406, 410, 429, 500, 503])
def test_an_image_that_cannot_be_had_counts_as_failed_and_the_others_go_on(scene: Scene, http: int) -> None:
    scene.cloud.instances += [instance(1), instance(2), instance(3)]
    bad = identify(1, 1, 2).sop_instance_uid
    scene.cloud.on("GET", f"/studies/{STUDY}/series/{SERIES}/instances/{bad}", refused(http))
    moved = move(scene.port, TITLE, identifier("STUDY", StudyInstanceUID=STUDY), scene.receiver.title)
    if http in (401, 403):  # who is not let in is not let in for the rest either
        assert moved.failed >= 1
        assert moved.completed + moved.failed == 3
    else:
        assert (moved.status, moved.completed, moved.failed, moved.failed_uids) == (0xB000, 2, 1, [bad])
        assert len(scene.receiver.received) == 2
    assert bad in moved.failed_uids


def test_when_nothing_can_be_had_everything_has_failed(scene: Scene) -> None:
    scene.cloud.instances += [instance(number) for number in range(1, 7)]
    scene.cloud.on("GET", r"/studies/[\d.]+/series/[\d.]+(/instances/[\d.]+)?", refused(503))
    moved = move(scene.port, TITLE, identifier("STUDY", StudyInstanceUID=STUDY), scene.receiver.title)
    assert (moved.status, moved.completed, moved.failed, len(moved.failed_uids)) == (0xA702, 0, 6, 6)


@pytest.mark.parametrize(
    "spoilt",
    [
        pytest.param(lambda content: Told(200, b"garbage", "text/html"), id="another media type"),
        pytest.param(lambda content: multipart(b"no DICOM at all"), id="no instance"),
        pytest.param(lambda content: Told(200, content, "application/dicom", closes_after=500), id="cut off"),
        pytest.param(lambda content: multipart(), id="no part"),
        pytest.param(lambda content: multipart(encoded(instance(9))), id="another instance"),
    ],
)
def test_what_is_no_instance_is_not_handed_on(scene: Scene, spoilt: object) -> None:
    scene.cloud.instances += [instance(1), instance(2)]
    bad = scene.cloud.instances[1]
    assert callable(spoilt)
    path = f"/studies/{STUDY}/series/{SERIES}/instances/{bad.SOPInstanceUID}"
    scene.cloud.on("GET", path, spoilt(encoded(bad)))
    moved = move(scene.port, TITLE, identifier("STUDY", StudyInstanceUID=STUDY), scene.receiver.title)
    assert (moved.status, moved.completed, moved.failed_uids) == (0xB000, 1, [str(bad.SOPInstanceUID)])


def test_an_image_is_asked_for_again_before_it_counts_as_failed(scene: Scene) -> None:
    scene.cloud.instances += [instance(1), instance(2)]
    bad, content = scene.cloud.instances[1], encoded(scene.cloud.instances[1])
    answers = iter([refused(503), Told(200, content, "application/dicom", closes_after=300)])
    path = f"/studies/{STUDY}/series/{SERIES}/instances/{bad.SOPInstanceUID}"
    scene.cloud.on("GET", path, lambda asked: next(answers, multipart(content)))
    moved = move(scene.port, TITLE, identifier("STUDY", StudyInstanceUID=STUDY), scene.receiver.title)
    assert (moved.status, moved.completed, moved.failed) == (0x0000, 2, 0)


def test_a_series_that_breaks_off_is_completed_image_by_image(scene: Scene) -> None:
    scene.cloud.instances += [instance(number) for number in range(1, 9)]
    whole = multipart(*map(encoded, scene.cloud.instances))
    cut = Told(200, whole.content, whole.media_type, closes_after=len(whole.content) // 2)
    scene.cloud.on("GET", f"/studies/{STUDY}/series/{SERIES}", cut)
    moved = move(scene.port, TITLE, identifier("STUDY", StudyInstanceUID=STUDY), scene.receiver.title)
    assert (moved.status, moved.completed, moved.failed) == (0x0000, 8, 0)
    assert len({str(one.SOPInstanceUID) for one in scene.receiver.received}) == 8
    assert len(scene.receiver.received) == 8


@pytest.mark.parametrize(("http", "dimse"), [(401, 0x0124), (403, 0x0124), (500, 0xA701), (503, 0xA701), (400, 0xA701)])
def test_what_cannot_be_counted_is_told_so(scene: Scene, http: int, dimse: int) -> None:
    scene.cloud.on("GET", f"/studies/{STUDY}/instances", refused(http))
    moved = move(scene.port, TITLE, identifier("STUDY", StudyInstanceUID=STUDY), scene.receiver.title)
    assert moved.status == dimse
    assert moved.comment


# ---- C-STORE

HTTP_AND_STORE = [
    (400, 0xC000),
    (401, 0x0124),
    (403, 0x0124),
    (404, 0xC001),
    (408, 0xA700),
    (410, 0xC001),
    (409, 0x0110),
    (413, 0xA700),
    (415, 0x0122),
    (424, 0xA700),
    (429, 0xA700),
    (500, 0x0110),
    (502, 0x0110),
    (503, 0xA700),
    (504, 0x0110),
]


@pytest.mark.parametrize(("http", "dimse"), HTTP_AND_STORE)
def test_an_image_that_is_refused_is_told_so(scene: Scene, http: int, dimse: int) -> None:
    scene.cloud.on("POST", "/studies", refused(http))
    (response,) = store(scene.port, TITLE, instance())
    assert f"{response.Status:04X}" == f"{dimse:04X}"
    assert response.ErrorComment


@pytest.mark.parametrize(
    ("http", "reason", "dimse"),
    [
        (200, 0xA900, 0xA900),
        (409, 0xA900, 0xA900),
        (202, 0xA901, 0xA900),
        (200, 0x0110, 0x0110),
        (409, 0x0110, 0x0110),
        (200, 0xC122, 0x0122),
        (202, 0xA700, 0xA700),
        (409, 45071, 0xA700),
    ],
)
def test_a_success_that_lists_the_image_as_failed_is_none(scene: Scene, http: int, reason: int, dimse: int) -> None:
    sent = instance()
    scene.cloud.on("POST", "/studies", store_answer([], [(sent.SOPInstanceUID, reason)], status=http))
    (response,) = store(scene.port, TITLE, sent)
    assert f"{response.Status:04X}" == f"{dimse:04X}"


@pytest.mark.parametrize(("warning", "dimse"), [(45063, 0xB007), (1, 0xB000), (None, 0x0000)])
def test_202_is_stored_and_told_with_its_warning(scene: Scene, warning: int | None, dimse: int) -> None:
    sent = instance()
    scene.cloud.on("POST", "/studies", store_answer([sent.SOPInstanceUID], status=202, warning=warning))
    (response,) = store(scene.port, TITLE, sent)
    assert f"{response.Status:04X}" == f"{dimse:04X}"


def test_an_image_that_the_answer_does_not_mention_is_not_stored(scene: Scene) -> None:
    scene.cloud.on("POST", "/studies", store_answer(["1.2.3"]))
    (response,) = store(scene.port, TITLE, instance())
    assert response.Status == 0xA700


def test_the_same_image_again_is_stored(scene: Scene) -> None:
    scene.cloud.instances.append(instance())
    (response,) = store(scene.port, TITLE, instance())
    assert response.Status == 0x0000


def test_another_image_of_the_same_name_is_not_stored(scene: Scene) -> None:
    scene.cloud.instances.append(instance(seed=7))
    (response,) = store(scene.port, TITLE, instance())
    assert response.Status == 0xA900
    assert len(scene.cloud.instances) == 1


def test_an_image_that_is_being_created_is_sent_again(scene: Scene) -> None:
    sent = instance()
    answers = iter([store_answer([], [(sent.SOPInstanceUID, 45071)], status=409)])

    def answer(asked: Asked) -> Told:
        return next(answers, store_answer([sent.SOPInstanceUID]))

    scene.cloud.on("POST", "/studies", answer)
    (response,) = store(scene.port, TITLE, sent)
    assert response.Status == 0x0000


def test_one_image_that_spoils_a_request_does_not_spoil_the_others(scene: Scene) -> None:
    sent = [instance(number) for number in range(1, 4)]
    bad = str(sent[1].SOPInstanceUID)

    def answer(asked: Asked) -> Told:
        uids = [str(pydicom.dcmread(io.BytesIO(part)).SOPInstanceUID) for part in stored_parts(asked)]
        return refused(400) if bad in uids else store_answer(uids)

    scene.cloud.on("POST", "/studies", answer)
    responses = store(scene.port, TITLE, *sent)
    assert [response.Status for response in responses] == [0x0000, 0xC000, 0x0000]


def test_the_reason_that_the_image_is_there_is_the_only_one_that_is_compared(scene: Scene) -> None:
    sent = instance()
    scene.cloud.on("POST", "/studies", store_answer([], [(sent.SOPInstanceUID, ALREADY_EXISTS)], status=409))
    (response,) = store(scene.port, TITLE, sent)
    assert response.Status != 0x0000  # nothing is there to compare it with: nobody has seen that it is stored
