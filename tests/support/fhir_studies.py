"""Instances with attributes that are mapped to FHIR, written by pydicom."""

from __future__ import annotations

from pydicom.dataset import Dataset

from isocenter.domain.identifiers import InstanceIdentifier
from tests.support.dicom_files import EXPLICIT, quiet_pydicom, write_file
from tests.support.instances import CT_IMAGE_STORAGE

PATIENT = {
    "PatientID": "4711",
    "PatientName": "Doe^John Paul^M^Dr^Jr",
    "PatientSex": "M",
    "PatientBirthDate": "19700102",
}
STUDY = {
    "StudyDate": "20260102",
    "StudyTime": "030405",
    "TimezoneOffsetFromUTC": "+0100",
    "AccessionNumber": "A1",
    "StudyDescription": "CT head",
}
SERIES = {"Modality": "CT", "SeriesNumber": "1", "SeriesDescription": "thin slices"}


def dicom_file(identifier: InstanceIdentifier, **values: object) -> bytes:
    """Return an instance with some attributes; None leaves one out."""
    dataset = Dataset()
    with quiet_pydicom():
        dataset.SOPClassUID = CT_IMAGE_STORAGE
        dataset.SOPInstanceUID = identifier.sop_instance_uid
        dataset.StudyInstanceUID = identifier.study_instance_uid
        dataset.SeriesInstanceUID = identifier.series_instance_uid
        dataset.InstanceNumber = identifier.sop_instance_uid.rpartition(".")[2]
        for keyword, value in {**PATIENT, **STUDY, **SERIES, **values}.items():
            if value is None:
                if keyword in dataset:
                    delattr(dataset, keyword)
            else:
                setattr(dataset, keyword, value)
        return write_file(dataset, EXPLICIT)
