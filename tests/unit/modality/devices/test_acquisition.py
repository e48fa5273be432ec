"""What a device makes of an order: the same bytes for a seed, the order's identifiers, and its mistakes."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

import pytest

from isocenter.modality.devices.acquisition import LATE_DESCRIPTION, Acquisition
from isocenter.modality.devices.character_sets import CHARACTER_SETS
from isocenter.modality.devices.misbehaviour import Misbehaviour
from isocenter.modality.devices.order import Order
from isocenter.modality.devices.profile import PROFILES
from isocenter.modality.patients import Patient
from tests.support.device_studies import acquisition, dataset_of, file_of

EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
STEP_CLASS = "1.2.840.10008.3.1.2.3.3"
ORDER = Order(
    Patient("Müller^Eva", "P77", date(1950, 1, 2), "F"),
    accession_number="A77",
    study_instance_uid="1.2.3.77",
    referring_physician="Quill^Ada",
    requested_procedure_id="RP77",
    requested_procedure_description="HEAD",
    scheduled_procedure_step_id="S77",
    scheduled_procedure_step_description="Head plain",
    modality="CT",
    scheduled_at=datetime(2022, 11, 22, 9, 30),
    is_scheduled=True,
)


def _made(made: Acquisition) -> list[bytes]:
    return [file_of(instance) for instance in made.iter_images()]


@pytest.mark.parametrize("profile", ["CT", "MR", "US", "XA"])
def test_a_seed_makes_the_same_bytes_again(profile: str) -> None:
    assert _made(acquisition(profile, slices=1)) == _made(acquisition(profile, slices=1))


def test_another_seed_makes_others() -> None:
    assert not set(_made(acquisition(seed=7))) & set(_made(acquisition(seed=8)))


@pytest.mark.parametrize("profile", list(PROFILES))
def test_images_say_which_device_made_them(profile: str) -> None:
    made = acquisition(profile, slices=1)
    images = [dataset_of(instance) for instance in made.iter_images()]
    assert len(images) == made.number_of_images
    for image in images:
        assert image.Modality == made.profile.modality
        assert image.StationName == made.profile.station_name
        assert image.ManufacturerModelName == made.profile.model_name
        assert image.StudyInstanceUID == made.study_instance_uid
    assert {image.SeriesInstanceUID for image in images} <= made.series_descriptions.keys()


def test_images_carry_the_identifiers_of_the_order_and_of_the_step() -> None:
    made = acquisition(order=ORDER)
    image = dataset_of(next(made.iter_images()))
    assert (image.StudyInstanceUID, image.AccessionNumber) == ("1.2.3.77", "A77")
    assert (str(image.PatientName), image.PatientID) == ("Müller^Eva", "P77")
    assert str(image.ReferringPhysicianName) == "Quill^Ada"
    (request,) = image.RequestAttributesSequence
    assert (request.RequestedProcedureID, request.ScheduledProcedureStepID) == ("RP77", "S77")
    (step,) = image.ReferencedPerformedProcedureStepSequence
    assert (step.ReferencedSOPClassUID, step.ReferencedSOPInstanceUID) == (STEP_CLASS, made.step.sop_instance_uid)
    assert image.PerformedProcedureStepID == made.step.performed_procedure_step_id


def test_who_tells_of_no_step_refers_to_none() -> None:
    image = dataset_of(next(acquisition(order=ORDER, misbehaviour=Misbehaviour(tells_no_step=True)).iter_images()))
    assert "ReferencedPerformedProcedureStepSequence" not in image


def test_two_devices_that_perform_one_order_make_series_of_their_own() -> None:
    series = {
        instance.series_instance_uid
        for profile in ("CT", "US")
        for instance in acquisition(profile, order=ORDER, slices=1).iter_images()
    }
    assert len(series) == 3  # one of the CT, two loops


def test_duplicates_are_the_first_images_byte_for_byte() -> None:
    made = acquisition(misbehaviour=Misbehaviour(duplicates=2))
    images = _made(made)
    assert len(images) == made.number_of_images == 5
    assert images[3:] == images[:2]


def test_the_wrong_patient_has_the_orders_study() -> None:
    image = dataset_of(next(acquisition(order=ORDER, misbehaviour=Misbehaviour(wrong_patient=True)).iter_images()))
    assert (image.StudyInstanceUID, image.AccessionNumber) == ("1.2.3.77", "A77")
    assert image.PatientID != "P77"
    assert "Eva" not in str(image.PatientName)


def test_a_late_series_is_one_more_of_the_same_study() -> None:
    made = acquisition("MR", slices=2, misbehaviour=Misbehaviour(late_series_s=60.0))
    before = [dataset_of(instance) for instance in made.iter_images()]
    late = [dataset_of(instance) for instance in made.iter_late_images()]
    assert len(late) == made.number_of_late_images == 2
    assert {image.StudyInstanceUID for image in late} == {made.study_instance_uid}
    assert {image.SeriesDescription for image in late} == {LATE_DESCRIPTION}
    assert not {image.SOPInstanceUID for image in late} & {image.SOPInstanceUID for image in before}
    assert not {image.SeriesNumber for image in late} & {image.SeriesNumber for image in before}


@pytest.mark.parametrize("name", list(CHARACTER_SETS))
def test_a_name_is_written_in_the_character_set_that_is_asked_for(name: str) -> None:
    written = CHARACTER_SETS[name]
    made = acquisition(slices=1, misbehaviour=Misbehaviour(character_set=name))
    image = dataset_of(next(made.iter_images()))
    named = image.SpecificCharacterSet
    terms = (named,) if isinstance(named, str) else tuple(named)
    assert tuple(term or "" for term in terms) == (written.declared or written.terms)
    is_readable = str(image.PatientName) == written.name
    assert is_readable == (written.declared is None)


def test_what_a_character_set_lacks_of_an_ordered_name_becomes_question_marks() -> None:
    made = acquisition(order=ORDER, misbehaviour=Misbehaviour(character_set="ISO_IR 144"))
    assert str(dataset_of(next(made.iter_images())).PatientName) == "M?ller^Eva"


def test_private_blocks_have_their_creators() -> None:
    image = dataset_of(next(acquisition(misbehaviour=Misbehaviour(private_tags=True)).iter_images()))
    private = [element for element in image if element.tag.is_private]
    assert [element.VR for element in private if element.tag.is_private_creator] == ["LO", "LO"]
    assert {"PN", "OB"} <= {element.VR for element in private}


@pytest.mark.parametrize("profile", ["CT", "MR", "US"])
def test_burned_in_text_changes_pixels_and_is_owned_up_to(profile: str) -> None:
    burned = next(acquisition(profile, slices=1, misbehaviour=Misbehaviour(burned_in_text=True)).iter_images())
    clean = next(acquisition(profile, slices=1).iter_images())
    assert dataset_of(burned).BurnedInAnnotation == "YES"
    if dataset_of(clean).BurnedInAnnotation == "NO":
        assert dataset_of(burned).PixelData != dataset_of(clean).PixelData


def test_implicit_vr_is_what_the_file_is_in() -> None:
    made = acquisition(misbehaviour=Misbehaviour(implicit_vr=True))
    assert {instance.kind.transfer_syntax_uid for instance in made.iter_images()} == {IMPLICIT}
    usual = next(acquisition().iter_images())
    assert usual.kind.transfer_syntax_uid == EXPLICIT
    assert dataset_of(next(made.iter_images())).PixelData == dataset_of(usual).PixelData


def test_a_study_without_a_uid_of_an_order_has_one_of_its_seed() -> None:
    order = replace(ORDER, study_instance_uid=None)
    assert acquisition(order=order).study_instance_uid == acquisition(order=order).study_instance_uid
    assert acquisition(order=order).study_instance_uid != acquisition(order=order, seed=8).study_instance_uid
