"""Small studies of one patient, as archives hold them, for prefetching and completeness."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from pydicom.dataset import Dataset

from tests.support.dicom_files import EXPLICIT, write_file

_CLASSES = {
    "CT": "1.2.840.10008.5.1.4.1.1.2",
    "MR": "1.2.840.10008.5.1.4.1.1.4",
    "CR": "1.2.840.10008.5.1.4.1.1.1",
    "SR": "1.2.840.10008.5.1.4.1.1.88.11",
}


def uid_of(*parts: object) -> str:
    """Return a UID that is the same for the same words."""
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, '/'.join(map(str, parts))).int}"


@dataclass(frozen=True, slots=True)
class PriorStudy:
    """A study to be made."""

    patient_id: str
    date: str
    modality: str = "CT"
    description: str = "CT chest"
    series: int = 1
    instances: int = 2

    @property
    def study_instance_uid(self) -> str:
        """Return its UID."""
        return uid_of(self.patient_id, self.date, self.modality, self.description)

    def series_instance_uid(self, series: int) -> str:
        """Return the UID of a series."""
        return uid_of(self.study_instance_uid, series)

    def files(self) -> Iterator[tuple[int, bytes]]:
        """Yield its instances as files, each with the number of its series."""
        for series in range(self.series):
            for number in range(self.instances):
                yield series, write_file(self._dataset(series, number), EXPLICIT)

    def _dataset(self, series: int, number: int) -> Dataset:
        dataset = Dataset()
        dataset.SOPClassUID = _CLASSES[self.modality]
        dataset.SOPInstanceUID = uid_of(self.study_instance_uid, series, number)
        dataset.StudyDate, dataset.Modality = self.date, self.modality
        dataset.StudyDescription = self.description
        dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate = "Test^Prior", self.patient_id, "19600101"
        dataset.StudyInstanceUID = self.study_instance_uid
        dataset.SeriesInstanceUID = self.series_instance_uid(series)
        dataset.SeriesNumber, dataset.InstanceNumber = series + 1, number + 1
        if self.modality != "SR":
            dataset.Rows = dataset.Columns = 2
            dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
            dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0
            dataset.PixelData = bytes((series, number, 1, 2))
        return dataset
