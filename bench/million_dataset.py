"""A hospital's archive of a million instances: 20,000 studies as they come in over five years, from a few bytes each.

Everything follows from a study's number. Sizes, names, dates and descriptions are spread as they are in practice: a
CT has a hundred images and an X-ray two, some names and words are common, every tenth study is an old one that was
brought over later, and a few devices send at the same time.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage

from isocenter.modality.template import UID_DIGITS, Template, fixed_width_uid, make_template

STUDIES = 20_000
PATIENTS = 5_000
STUDIES_A_DAY = 11
DEVICES = 5
"""How many send at once: the instances of so many studies come in turns."""
FIRST_DAY = datetime.date(2021, 1, 1)
FIRST_OLD_DAY = datetime.date(2012, 1, 1)
OLD_DAYS = 3000
COMMON_NAME = "SMITH"
"""The family name of every thirtieth patient."""
COMMON_DESCRIPTION = "CHEST ROUTINE"
_SEED = 14
_SYLLABLES = ("BA", "RO", "KE", "LIN", "MAR", "TO", "SA", "DE", "NI", "VO", "HER", "GAR", "WI", "PE", "STE", "JO")
_GIVEN = ("ANN", "JOHN", "MARIA", "PETER", "LI", "OMAR", "EVA", "IVAN", "RUTH", "KOFI", "MEI", "LARS")
_WORDS = ("HEAD", "ABDOMEN", "KNEE", "SPINE", "HIP", "NECK", "PELVIS", "FOOT", "SHOULDER", "WRIST")
_MODALITIES = ("CT",) * 8 + ("CR",) * 6 + ("MR",) * 3 + ("US",) * 2 + ("MG",)
_SHAPES = MappingProxyType({"CT": (2, 50), "MR": (3, 20), "CR": (1, 2), "US": (1, 2), "MG": (1, 4)})
"""Series of a study and instances of a series: a thousand instances in the twenty studies of `_MODALITIES`."""


@dataclass(frozen=True, slots=True)
class Study:
    """What a study's number says about it."""

    number: int

    @property
    def study_instance_uid(self) -> str:
        """Return its UID."""
        return fixed_width_uid(_SEED, self.number)

    @property
    def modality(self) -> str:
        """Return what made it."""
        return _MODALITIES[self.number * 7 % len(_MODALITIES)]

    @property
    def patient_id(self) -> str:
        """Return whose it is; a patient has four studies, years apart."""
        return f"P{self._patient:07d}"

    @property
    def patient_name(self) -> str:
        """Return the name of its patient."""
        number = self._patient
        family = "".join(_SYLLABLES[number * prime % 97 % len(_SYLLABLES)] for prime in (31, 57, 83))
        return f"{COMMON_NAME if number % 30 == 0 else family}^{_GIVEN[number % len(_GIVEN)]}"

    @property
    def study_date(self) -> str:
        """Return its day."""
        if self.number % 10 == 9:
            day = FIRST_OLD_DAY + datetime.timedelta(self.number * 7919 % OLD_DAYS)
        else:
            day = FIRST_DAY + datetime.timedelta(self.number // STUDIES_A_DAY)
        return f"{day:%Y%m%d}"

    @property
    def accession_number(self) -> str:
        """Return the number of its request."""
        return f"A{self.number:09d}"

    @property
    def admission_id(self) -> str:
        """Return what an extended query tag finds it by."""
        return f"ADM{self.number // 2:07d}"

    @property
    def _patient(self) -> int:
        return self.number * 7919 % PATIENTS

    def places(self) -> Iterator[tuple[int, int]]:
        """Yield series and instance numbers."""
        series, instances = _SHAPES[self.modality]
        for series_number in range(1, series + 1):
            for instance_number in range(1, instances + 1):
                yield series_number, instance_number

    def values(self, series_number: int, instance_number: int) -> dict[str, str]:
        """Return the variable values of one instance by the names of the template's places."""
        number, modality = self.number, self.modality
        return {
            "study_instance_uid": self.study_instance_uid,
            "series_instance_uid": fixed_width_uid(_SEED, number, series_number),
            "sop_instance_uid": fixed_width_uid(_SEED, number, series_number, instance_number),
            "patient_name": self.patient_name,
            "patient_id": self.patient_id,
            "birth_date": f"{1935 + self._patient % 80}{1 + self._patient % 12:02d}{1 + self._patient % 28:02d}",
            "study_date": self.study_date,
            "study_time": f"{7 + number % 12:02d}{number % 60:02d}00",
            "accession_number": self.accession_number,
            "admission_id": self.admission_id,
            "referring_physician_name": f"DOCTOR{number * number % 200:03d}^A",
            "study_description": COMMON_DESCRIPTION if number % 9 == 0 else f"{modality} {_WORDS[number % 10]}",
            "modality": modality,
            "model": f"MODEL {modality} {number % 4}",
            "series_description": f"{_WORDS[(number + series_number) % 10]} {series_number}",
            "station_name": f"{modality}{number % 6:02d}",
            "series_number": str(series_number),
            "instance_number": str(instance_number),
        }


def arriving(studies: range) -> Iterator[tuple[Study, int, int]]:
    """Yield study, series and instance number of every instance in the order in which they come in."""
    for first in range(studies.start, studies.stop, DEVICES):
        together = [Study(number) for number in range(first, min(first + DEVICES, studies.stop))]
        sending = [(study, study.places()) for study in together]
        while sending:
            left = []
            for study, places in sending:
                place = next(places, None)
                if place is not None:
                    yield study, *place
                    left.append((study, places))
            sending = left


_STAND_INS: Mapping[str, str] = MappingProxyType(
    {
        "study_instance_uid": "2.25." + "1" * UID_DIGITS + "\0",
        "series_instance_uid": "2.25." + "2" * UID_DIGITS + "\0",
        "sop_instance_uid": "2.25." + "3" * UID_DIGITS + "\0",
        "patient_name": "STANDIN^PATIENT^NAME",
        "patient_id": "STANDIN-PATIENTID ",
        "birth_date": "19020304",
        "study_date": "19030405",
        "study_time": "010203",
        "accession_number": "STANDIN-ACCESSN ",
        "admission_id": "STANDIN-ADMISSIN",
        "referring_physician_name": "STANDIN^PHYSICIAN^NAME",
        "study_description": "STANDIN STUDY DESCRIPTION ",
        "modality": "ZQ",
        "model": "STANDIN MODEL ",
        "series_description": "STANDIN SERIES DESCRIPTION",
        "station_name": "STANDINSTATION",
        "series_number": "1000000001",
        "instance_number": "1000000002",
    }
)


def make_small_template() -> Template:
    """Return the template of an instance of 8 × 8 pixels with what searches look at, and little else."""
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = _bare("sop_instance_uid")
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = _bare("study_instance_uid"), _bare("series_instance_uid")
    dataset.StudyDate = dataset.SeriesDate = dataset.PerformedProcedureStepStartDate = _STAND_INS["study_date"]
    dataset.StudyTime = _STAND_INS["study_time"]
    dataset.AccessionNumber, dataset.AdmissionID = _STAND_INS["accession_number"], _STAND_INS["admission_id"]
    dataset.Modality, dataset.ManufacturerModelName = _STAND_INS["modality"], _STAND_INS["model"]
    dataset.StudyDescription = _STAND_INS["study_description"]
    dataset.SeriesDescription = _STAND_INS["series_description"]
    dataset.StationName = _STAND_INS["station_name"]
    dataset.ReferringPhysicianName = _STAND_INS["referring_physician_name"]
    dataset.PatientName, dataset.PatientID = _STAND_INS["patient_name"], _STAND_INS["patient_id"]
    dataset.PatientBirthDate, dataset.PatientSex = _STAND_INS["birth_date"], "O"
    dataset.SeriesNumber, dataset.InstanceNumber = _STAND_INS["series_number"], _STAND_INS["instance_number"]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows = dataset.Columns = 8
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    dataset.PixelData = bytes(range(64))
    dataset["PixelData"].VR = "OB"
    return make_template(dataset, _STAND_INS)


def _bare(name: str) -> str:
    return _STAND_INS[name].rstrip("\0")
