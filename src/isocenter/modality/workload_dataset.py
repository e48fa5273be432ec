"""The data set behind the benchmark's instances: a header as rich as a scanner's, about 120 elements."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, BreastTomosynthesisImageStorage, CTImageStorage

from isocenter.modality.template import UID_DIGITS, Template, make_template

FAMILY_NAMES = (
    "Garcia", "Smith", "Nguyen", "Kowalski", "Ivanova", "Okafor", "Schmidt", "Tanaka",
    "Rossi", "Haddad", "Silva", "Larsen", "Dubois", "Kim", "Patel", "Moreau",
)  # fmt: skip
GIVEN_NAMES = (
    "Ana", "John", "Linh", "Piotr", "Olga", "Chidi", "Karl", "Yuki",
    "Marco", "Leila", "Bruno", "Ingrid", "Claire", "Min", "Ravi", "Luc",
)  # fmt: skip
STUDY_DESCRIPTIONS = ("CT Chest contrast", "CT Abdomen", "CT Head plain", "CT Angiography")


def _uid_stand_in(number: int) -> str:
    return "2.25." + str(number) * UID_DIGITS + "\0"


STAND_INS: Mapping[str, str] = MappingProxyType(
    {
        "study_instance_uid": _uid_stand_in(1),
        "series_instance_uid": _uid_stand_in(2),
        "sop_instance_uid": _uid_stand_in(3),
        "frame_of_reference_uid": _uid_stand_in(4),
        "patient_name": "STANDIN^PATIENT^NAME^OF^FULL^WIDTH",
        "patient_id": "STANDIN-PATIENTID ",
        "birth_date": "19020304",
        "accession_number": "STANDIN-ACCESSN ",
        "study_date": "19030405",
        "study_id": "STANDIN-STID",
        "study_description": "STANDIN STUDY DESCRIPTION ",
        "series_number": "1000000001",
        "instance_number": "1000000002",
        "slice_location": "-987654.3125",
    }
)
"""A value of full width for each variable place; even, so that no padding is added behind it."""


def make_workload_template(*, rows: int, columns: int, frames: int) -> Template:
    """Return the template of a CT image, or of a breast tomosynthesis image where there are several frames."""
    dataset = _common(CTImageStorage if frames == 1 else BreastTomosynthesisImageStorage, "CT" if frames == 1 else "MG")
    if frames == 1:
        _add_ct(dataset)
    else:
        _add_frames(dataset, frames)
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = rows, columns
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.PixelRepresentation = 0
    return make_template(dataset, STAND_INS)


def _common(sop_class_uid: UID, modality: str) -> Dataset:
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.SOPClassUID = sop_class_uid
    dataset.Modality = modality
    _add_identifiers(dataset)
    _add_times(dataset)
    _add_people(dataset)
    _add_equipment(dataset)
    _add_request(dataset)
    _add_private(dataset)
    return dataset


def _bare(name: str) -> str:
    return STAND_INS[name].rstrip("\0")


def _add_identifiers(dataset: Dataset) -> None:
    dataset.SOPInstanceUID = _bare("sop_instance_uid")
    dataset.StudyInstanceUID = _bare("study_instance_uid")
    dataset.SeriesInstanceUID = _bare("series_instance_uid")
    dataset.FrameOfReferenceUID = _bare("frame_of_reference_uid")
    dataset.PositionReferenceIndicator = ""
    dataset.StudyID = STAND_INS["study_id"]
    dataset.SeriesNumber, dataset.InstanceNumber = STAND_INS["series_number"], STAND_INS["instance_number"]
    dataset.AcquisitionNumber = 1
    dataset.AccessionNumber = STAND_INS["accession_number"]


def _add_times(dataset: Dataset) -> None:
    day = STAND_INS["study_date"]
    dataset.StudyDate = dataset.SeriesDate = dataset.AcquisitionDate = dataset.ContentDate = day
    dataset.InstanceCreationDate = day
    dataset.AcquisitionDateTime = day + "101500.000000"
    dataset.InstanceCreationTime = "101530.123000"
    dataset.StudyTime, dataset.SeriesTime = "100512.402000", "101501.115000"
    dataset.AcquisitionTime, dataset.ContentTime = "101508.220500", "101508.720500"
    dataset.PerformedProcedureStepStartDate = day
    dataset.PerformedProcedureStepStartTime = "100512.000000"


def _add_people(dataset: Dataset) -> None:
    dataset.PatientName, dataset.PatientID = STAND_INS["patient_name"], STAND_INS["patient_id"]
    dataset.IssuerOfPatientID = "ISOCENTER"
    dataset.PatientBirthDate, dataset.PatientSex, dataset.PatientAge = STAND_INS["birth_date"], "O", "050Y"
    dataset.PatientSize, dataset.PatientWeight = "1.73", "74.5"
    dataset.PatientComments = "Synthetic: no such patient exists"
    dataset.ReferringPhysicianName = "Quill^Ada^^Dr."
    dataset.PhysiciansOfRecord, dataset.PerformingPhysicianName = "Record^Ron", "Perform^Pat"
    dataset.NameOfPhysiciansReadingStudy, dataset.OperatorsName = "Reader^Rex", "Operator^Ollie"
    dataset.RequestingPhysician = "Request^Rob"


def _add_equipment(dataset: Dataset) -> None:
    dataset.Manufacturer, dataset.ManufacturerModelName = "isocenter", "Synthetic modality"
    dataset.InstitutionName = "Isocenter Teaching Hospital"
    dataset.InstitutionAddress = "1 Example Street, 12345 Exampletown"
    dataset.InstitutionalDepartmentName = "Radiology"
    dataset.StationName, dataset.DeviceSerialNumber = "BENCH00001", "73512"
    dataset.SoftwareVersions = ["SYNTHETIC 1", "B2"]
    dataset.DateOfLastCalibration, dataset.TimeOfLastCalibration = "20250101", "080000.000000"


def _add_request(dataset: Dataset) -> None:
    dataset.StudyDescription = STAND_INS["study_description"]
    dataset.SeriesDescription, dataset.ProtocolName = "Thorax 1.0 B30f", "ThoraxRoutine"
    dataset.BodyPartExamined = "CHEST"
    dataset.DerivationDescription = "none"
    dataset.RequestedProcedureDescription, dataset.CurrentPatientLocation = "CT Thorax", "Ward 4"
    dataset.PerformedProcedureStepID = "PPS1"
    dataset.PerformedProcedureStepDescription = "CT Thorax routine"
    dataset.ProcedureCodeSequence = Sequence([_code("24627-2", "LN", "CT Chest")])
    dataset.RequestedProcedureCodeSequence = Sequence([_code("24627-2", "LN", "CT Chest")])
    request = Dataset()
    request.ScheduledProcedureStepDescription, request.ScheduledProcedureStepID = "Thorax", "SPS1"
    request.RequestedProcedureID = "RP1"
    request.ScheduledProtocolCodeSequence = Sequence([_code("CTCH", "99ISO", "Chest routine")])
    dataset.RequestAttributesSequence = Sequence([request])
    dataset.ReferencedStudySequence = Sequence([_reference("1.2.840.10008.3.1.2.3.1", "study_instance_uid")])
    dataset.ReferencedImageSequence = Sequence([_reference(str(dataset.SOPClassUID), "sop_instance_uid")])


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def _reference(sop_class_uid: str, name: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class_uid, _bare(name)
    return item


def _add_private(dataset: Dataset) -> None:
    block = dataset.private_block(0x0019, "ISOCENTER CT HEADER", create=True)
    values = [("LO", "PRIVATE A"), ("DS", "1.25"), ("IS", "7"), ("SH", "X1"), ("FD", 0.25), ("US", 3), ("LO", "B")]
    for offset, (vr, value) in enumerate(values):
        block.add_new(0x10 + offset, vr, value)
    block.add_new(0x20, "OB", bytes(range(64)))
    blob = dataset.private_block(0x0029, "ISOCENTER RAW HEADER", create=True)
    blob.add_new(0x10, "OB", bytes(512))


def _add_ct(dataset: Dataset) -> None:
    dataset.ContrastBolusAgent, dataset.ContrastBolusRoute, dataset.ScanOptions = "Iodine 370", "IV", "HELICAL_CT"
    dataset.SliceThickness, dataset.KVP = "1", "120"
    dataset.DataCollectionDiameter, dataset.ReconstructionDiameter = "500", "380"
    dataset.DistanceSourceToDetector, dataset.DistanceSourceToPatient = "1085.6", "595"
    dataset.GantryDetectorTilt, dataset.TableHeight, dataset.RotationDirection = "0", "151", "CW"
    dataset.ExposureTime, dataset.XRayTubeCurrent, dataset.Exposure = "500", "220", "110"
    dataset.FilterType, dataset.GeneratorPower, dataset.FocalSpots = "FLAT", "26", "1.2"
    dataset.ConvolutionKernel, dataset.PatientPosition = "B30f", "HFS"
    dataset.SingleCollimationWidth, dataset.TotalCollimationWidth = 0.6, 38.4
    dataset.TableSpeed, dataset.TableFeedPerRotation, dataset.SpiralPitchFactor = 76.8, 38.4, 1.0
    dataset.CTDIvol = 7.43
    dataset.ImagePositionPatient = ["-189.6", "-189.6", STAND_INS["slice_location"]]
    dataset.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
    dataset.SliceLocation = STAND_INS["slice_location"]
    dataset.ImageComments = "synthetic"
    dataset.PixelSpacing = ["0.742", "0.742"]
    dataset.WindowCenter, dataset.WindowWidth = ["40", "-600"], ["400", "1200"]
    dataset.WindowCenterWidthExplanation = ["MEDIASTINUM", "LUNG"]
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = "-1024", "1", "HU"
    dataset.SmallestImagePixelValue, dataset.LargestImagePixelValue = 0, 4095


def _add_frames(dataset: Dataset, frames: int) -> None:
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "TOMOSYNTHESIS", "NONE"]
    dataset.BodyPartExamined = "BREAST"
    dataset.NumberOfFrames = frames
    dataset.WindowCenter, dataset.WindowWidth = "1000", "1200"
    dataset.ImageComments = f"synthetic {STAND_INS['slice_location']}"
    measures, shared = Dataset(), Dataset()
    measures.SliceThickness, measures.PixelSpacing = "1", ["0.085", "0.085"]
    shared.PixelMeasuresSequence = Sequence([measures])
    dataset.SharedFunctionalGroupsSequence = Sequence([shared])
    dataset.PerFrameFunctionalGroupsSequence = Sequence([_frame_groups(number) for number in range(1, frames + 1)])


def _frame_groups(number: int) -> Dataset:
    content, position, groups = Dataset(), Dataset(), Dataset()
    content.FrameAcquisitionNumber, content.StackID, content.InStackPositionNumber = 1, "1", number
    content.DimensionIndexValues = [1, number]
    position.ImagePositionPatient = ["0", "0", str(number - 1)]
    groups.FrameContentSequence = Sequence([content])
    groups.PlanePositionSequence = Sequence([position])
    return groups
