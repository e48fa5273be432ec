"""Sets of instances for the benchmark, written to a folder with a list beside them.

A folder `data` gets `<set>/<study>/<n>.dcm`, hard links in four equal shares under `<set>.split4/`, and `<set>.json`.
Everything follows from the seed; another seed gives other UIDs. A few frames are held in memory, never an instance.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType

from isocenter.modality.template import Template, fixed_width_uid
from isocenter.modality.workload_dataset import FAMILY_NAMES, GIVEN_NAMES, STUDY_DESCRIPTIONS, make_workload_template
from isocenter.modality.workload_pixels import make_frames

SHARES = 4
"""Four senders is what the benchmark uses at most on a small machine."""
_PIXEL_DATA = b"\xe0\x7f\x10\x00OW\x00\x00"
"""Tag (7FE0,0010) and VR of PixelData in explicit little endian, before its four bytes of length (PS3.5 7.1.2)."""


@dataclass(frozen=True, slots=True)
class WorkloadShape:
    """How many studies, series and instances a set has, and how large each picture is."""

    name: str
    studies: int
    series: int
    instances: int
    rows: int
    columns: int
    frames: int = 1

    def scaled(self, factor: float) -> WorkloadShape:
        """Return the same set with fewer or more studies, at least one."""
        studies = max(1, int(self.studies * factor))
        return WorkloadShape(self.name, studies, self.series, self.instances, self.rows, self.columns, self.frames)

    @property
    def number_of_instances(self) -> int:
        """Return how many instances the set has."""
        return self.studies * self.series * self.instances


WORKLOADS: Mapping[str, WorkloadShape] = MappingProxyType(
    {
        "A": WorkloadShape("A", 20, 2, 50, 80, 80),
        "B": WorkloadShape("B", 5, 2, 50, 512, 512),
        "C": WorkloadShape("C", 1, 4, 1, 2457, 1890, 22),
        "D": WorkloadShape("D", 2000, 1, 1, 80, 80),
        "E": WorkloadShape("E", 20000, 1, 1, 24, 24),
    }
)
"""A small instances, B a CT, C large multi-frame instances, D and E many studies of one instance."""


@dataclass(frozen=True, slots=True)
class WorkloadInstance:
    """An entry of the list beside a set; the names of its fields are those of the list."""

    path: str
    """Relative to the folder of the sets."""
    study: str
    series: str
    sop: str
    sop_class: str
    pid: str
    name: str
    acc: str
    date: str
    size: int

    def as_entry(self) -> dict[str, str | int]:
        """Return the entry as the list holds it."""
        entry: dict[str, str | int] = asdict(self)
        entry["class"] = entry.pop("sop_class")
        return entry


def write_workload(folder: Path, shape: WorkloadShape, *, seed: int = 1) -> list[WorkloadInstance]:
    """Write a set and its list into a folder, in place of what is there of that name."""
    instances = list(iter_written(folder, shape, seed=seed))
    listing = folder / f"{shape.name}.json"
    listing.write_text(json.dumps([instance.as_entry() for instance in instances]))
    return instances


def iter_written(folder: Path, shape: WorkloadShape, *, seed: int = 1) -> Iterator[WorkloadInstance]:
    """Write the instances of a set one by one, yielding each when it is written."""
    shares = folder / f"{shape.name}.split{SHARES}"
    for old in (folder / shape.name, shares):
        shutil.rmtree(old, ignore_errors=True)
    for share in range(SHARES):
        (shares / str(share)).mkdir(parents=True)
    template = make_workload_template(rows=shape.rows, columns=shape.columns, frames=shape.frames)
    frames = make_frames(seed, rows=shape.rows, columns=shape.columns)
    for index, (study, series, number) in enumerate(_places(shape)):
        relative = f"{shape.name}/{study:05d}/{series * shape.instances + number:05d}.dcm"
        values = instance_values(shape.name, seed, study=study, series=series, number=number)
        pixels = (frames[(index + frame) % len(frames)] for frame in range(shape.frames))
        size = _write_instance(folder / relative, template, values, pixels)
        linked = shares / str(index * SHARES // shape.number_of_instances) / f"{index:06d}.dcm"
        os.link(folder / relative, linked)
        yield _listed(template, values, relative, size)


def _places(shape: WorkloadShape) -> Iterator[tuple[int, int, int]]:
    for study in range(shape.studies):
        for series in range(shape.series):
            for number in range(shape.instances):
                yield study, series, number


def instance_values(set_name: str, seed: int, *, study: int, series: int, number: int) -> dict[str, str]:
    """Return the variable values of one instance by the names of the template's places."""
    return {
        "study_instance_uid": fixed_width_uid(seed, set_name, study),
        "series_instance_uid": fixed_width_uid(seed, set_name, study, series),
        "sop_instance_uid": fixed_width_uid(seed, set_name, study, series, number),
        "frame_of_reference_uid": fixed_width_uid(seed, set_name, study, "space"),
        "patient_name": f"{FAMILY_NAMES[study % 16]}^{GIVEN_NAMES[study // 16 % 16]}^{study}",
        "patient_id": f"PID{set_name}{study:07d}",
        "birth_date": f"19{40 + study % 60:02d}{1 + study % 9:02d}1{study % 9}",
        "accession_number": f"ACC{set_name}{study:07d}",
        "study_date": f"2025{1 + study // 28 % 12:02d}{1 + study % 28:02d}",
        "study_id": str(1000 + study),
        "study_description": STUDY_DESCRIPTIONS[study % len(STUDY_DESCRIPTIONS)],
        "series_number": str(series + 1),
        "instance_number": str(number + 1),
        "slice_location": f"{-100 + number:.1f}",
    }


def _write_instance(path: Path, template: Template, values: Mapping[str, str], pixels: Iterator[bytes]) -> int:
    if not path.parent.is_dir():
        path.parent.mkdir(parents=True)
    header = template.filled(values)
    with path.open("wb") as file:
        length_at = file.write(header) + len(_PIXEL_DATA)
        file.write(_PIXEL_DATA + bytes(4))
        length = sum(file.write(frame) for frame in pixels)
        file.seek(length_at)
        file.write(length.to_bytes(4, "little"))
    return length_at + 4 + length


def _listed(template: Template, values: Mapping[str, str], relative: str, size: int) -> WorkloadInstance:
    return WorkloadInstance(
        path=relative,
        study=values["study_instance_uid"],
        series=values["series_instance_uid"],
        sop=values["sop_instance_uid"],
        sop_class=template.sop_class_uid,
        pid=values["patient_id"],
        name=values["patient_name"],
        acc=values["accession_number"],
        date=values["study_date"],
        size=size,
    )
