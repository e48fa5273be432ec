from __future__ import annotations

from io import BytesIO

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from isocenter.domain.identifiers import is_uid
from isocenter.modality.template import fixed_width_uid, make_template

STAND_IN_UID = "2.25." + "7" * 38


def _dataset() -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    dataset.SOPInstanceUID = STAND_IN_UID
    dataset.PatientID = "STANDIN-ID"
    return dataset


def test_values_stand_where_their_stand_ins_stood_in_the_meta_information_too() -> None:
    template = make_template(_dataset(), {"sop_instance_uid": STAND_IN_UID + "\0", "patient_id": "STANDIN-ID"})
    read = dcmread(BytesIO(template.filled({"sop_instance_uid": "2.25.1", "patient_id": "P1"})))
    assert read.SOPInstanceUID == read.file_meta.MediaStorageSOPInstanceUID == "2.25.1"
    assert read.PatientID == "P1"


def test_a_value_wider_than_its_place_is_refused() -> None:
    template = make_template(_dataset(), {"patient_id": "STANDIN-ID"})
    with pytest.raises(ValueError, match="patient_id"):
        template.filled({"patient_id": "A VALUE TOO WIDE"})


def test_a_stand_in_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="does not occur"):
        make_template(_dataset(), {"patient_id": "ELSEWHERE"})


def test_uids_have_one_width_and_differ_by_seed_and_place() -> None:
    uids = {fixed_width_uid(seed, "A", place) for seed in range(5) for place in range(50)}
    assert len(uids) == 250
    assert {len(uid) for uid in uids} == {43}
    assert all(is_uid(uid) for uid in uids)
