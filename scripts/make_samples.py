"""Draw three instances to try a DICOM service with: red-triangle.dcm, green-square.dcm, blue-circle.dcm.

They are built as the three files that Azure's tutorials use: one study of an invented patient, the triangle and the
square in one series, the circle in another. Their identifiers are always the same, and printed as lines for a shell.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid5

import numpy as np
from PIL import Image, ImageDraw
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

EDGE = 512
MARGIN = 64
_NAMESPACE = UUID("0d7f2a58-9c1b-5a3e-8f64-2b90c41d7e36")


@dataclass(frozen=True, slots=True)
class Sample:
    """One shape and where it stands in the study."""

    shape: str
    colour: str
    series_number: int
    instance_number: int

    @property
    def file_name(self) -> str:
        """Return the name of its file."""
        return f"{self.colour}-{self.shape}.dcm"

    @property
    def series_instance_uid(self) -> str:
        """Return the identifier of its series."""
        return _uid(f"series {self.series_number}")

    @property
    def sop_instance_uid(self) -> str:
        """Return its own identifier."""
        return _uid(self.file_name)


SAMPLES = (Sample("triangle", "red", 1, 1), Sample("square", "green", 1, 2), Sample("circle", "blue", 2, 1))


def _uid(name: str) -> str:
    """Return a UID under 2.25 that is always the same for a name (PS3.5 B.2)."""
    return f"2.25.{uuid5(_NAMESPACE, name).int}"


STUDY_INSTANCE_UID = _uid("study")


def make_samples(folder: Path) -> None:
    """Write the three files into a folder, which is made where it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    for sample in SAMPLES:
        _dataset(sample).save_as(folder / sample.file_name, enforce_file_format=True)


def _dataset(sample: Sample) -> Dataset:
    """Return a Secondary Capture image (PS3.3 A.8.1)."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.ImageType = ["DERIVED", "SECONDARY"]
    dataset.SOPClassUID = SecondaryCaptureImageStorage
    dataset.SOPInstanceUID = sample.sop_instance_uid
    dataset.StudyDate, dataset.StudyTime = "20200922", "120000"
    dataset.AccessionNumber = ""
    dataset.Modality, dataset.ConversionType = "OT", "SYN"
    dataset.ReferringPhysicianName = "Doc^Doctor"
    dataset.PatientName, dataset.PatientID = "Shapes^Sample", "ID1"
    dataset.PatientBirthDate, dataset.PatientSex, dataset.PatientAge = "", "O", "024Y"
    dataset.StudyInstanceUID = STUDY_INSTANCE_UID
    dataset.SeriesInstanceUID = sample.series_instance_uid
    dataset.StudyID = "1"
    dataset.SeriesNumber, dataset.InstanceNumber = sample.series_number, sample.instance_number
    dataset.PatientOrientation = ""
    _add_pixels(dataset, _draw(sample))
    return dataset


def _add_pixels(dataset: Dataset, picture: Image.Image) -> None:
    pixels = np.asarray(picture)
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PlanarConfiguration = 3, "RGB", 0
    dataset.Rows, dataset.Columns = pixels.shape[:2]
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0
    dataset.PixelData = pixels.tobytes()


def _draw(sample: Sample) -> Image.Image:
    picture = Image.new("RGB", (EDGE, EDGE), "black")
    draw, far = ImageDraw.Draw(picture), EDGE - MARGIN
    match sample.shape:
        case "triangle":
            draw.polygon([(MARGIN, far), (EDGE // 2, MARGIN), (far, far)], fill=sample.colour)
        case "square":
            draw.rectangle((MARGIN, MARGIN, far, far), fill=sample.colour)
        case _:
            draw.ellipse((MARGIN, MARGIN, far, far), fill=sample.colour)
    return picture


def shell_lines() -> str:
    """Return the identifiers under the names that the tutorials use."""
    triangle, square, circle = SAMPLES
    values = {
        "STUDY": STUDY_INSTANCE_UID,
        "SERIES": triangle.series_instance_uid,
        "OTHER_SERIES": circle.series_instance_uid,
        "TRIANGLE": triangle.sop_instance_uid,
        "SQUARE": square.sop_instance_uid,
        "CIRCLE": circle.sop_instance_uid,
    }
    return "\n".join(f"{name}={value}" for name, value in values.items())


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the files and print their identifiers."""
    parser = argparse.ArgumentParser(description="Draw three instances to try a DICOM service with.")
    parser.add_argument("folder", type=Path, help="where to put them")
    make_samples(parser.parse_args(arguments).folder)
    print(shell_lines())


if __name__ == "__main__":
    main()
