"""What the pages of the light viewer read from the archive, each through its use case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from isocenter.archive.archive import Archive
from isocenter.archive.metadata import iter_metadata, readable_metadata
from isocenter.archive.render import has_pixels
from isocenter.archive.retrieve import find_instances
from isocenter.archive.search import search
from isocenter.dicom.syntax import transfer_syntax
from isocenter.domain.errors import NotFound
from isocenter.domain.identifiers import Level
from isocenter.domain.principal import Principal
from isocenter.domain.query import Query, SearchRow
from isocenter.ports.index import InstanceRow
from isocenter.web.light.dataset_json import Dataset
from isocenter.web.light.object_kind import ObjectKind, kind_of
from isocenter.web.light.place import Place
from isocenter.web.pages.study_row import WITHOUT_PICTURES, SeriesRow, StudyRow, series_rows, study_row

SERIES_SHOWN_MAX = 200
"""Each has a thumbnail; a study with more is one of a research tool."""
STACK_IMAGES_MAX = 5_000
"""What a script is told of one series; its links lead on beyond that. A long perfusion CT has some thousand."""
OVERLAID = frozenset({"SEG", "RTDOSE"})
"""Pictures that mean little without those that they lie on: another series is opened first."""
_SERIES_INSTANCE_UID = 0x0020000E


@dataclass(frozen=True, slots=True)
class SeriesEntry:
    """A series of the strip."""

    row: SeriesRow
    version: str
    """Changes with its content; a picture under it never does."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What a page shows: one instance among those of its series and study."""

    place: Place
    """Complete: study, series, instance and frame."""
    study: StudyRow
    series: tuple[SeriesEntry, ...]
    images: Sequence[InstanceRow]
    """The instances of the series, in the order of their numbers."""
    index: int
    row: InstanceRow
    dataset: Dataset
    kind: ObjectKind

    @property
    def position(self) -> int:
        """Return which picture of the series this is, counted over frames from 1."""
        return sum(number_of_frames(row) for row in self.images[: self.index]) + self.place.frame_number

    @property
    def count(self) -> int:
        """Return how many pictures the series has."""
        return sum(number_of_frames(row) for row in self.images)

    def neighbour(self, step: int) -> Place | None:
        """Return the picture before (-1) or behind (1) this one."""
        frame_number = self.place.frame_number + step
        if 1 <= frame_number <= number_of_frames(self.row):
            return self.place.instance(self.place.sop_instance_uid, frame_number)
        index = self.index + step
        if not 0 <= index < len(self.images):
            return None
        row = self.images[index]
        return self.place.instance(row.identifier.sop_instance_uid, number_of_frames(row) if step < 0 else 1)


def number_of_frames(row: InstanceRow) -> int:
    """Return how many pictures an instance counts as."""
    return max(1, row.number_of_frames or 1)


def read_sight(archive: Archive, principal: Principal, place: Place) -> Sight:
    """Return what is to be seen at a place, or at the first place below it; raises NotFound, Forbidden."""
    study, series = _study(archive, principal, place), _series(archive, principal, place)
    if not series:
        raise NotFound("The specified study cannot be found.")
    if not place.series_instance_uid:
        place = place.series(_opening(series).row.series_instance_uid)
    images = find_instances(archive, principal, place.series(place.series_instance_uid).scope)
    index = _index(images, place)
    row = images[index]
    if place.frame_number > number_of_frames(row):
        raise NotFound("The specified frame cannot be found.")
    dataset = read_dataset(archive, principal, row)
    kind = kind_of(
        dataset,
        is_video=transfer_syntax(row.transfer_syntax_uid).is_video,
        has_pixels=has_pixels(archive, row),
    )
    place = place.instance(row.identifier.sop_instance_uid, place.frame_number)
    return Sight(place, study, tuple(series), images, index, row, dataset, kind)


def read_dataset(archive: Archive, principal: Principal, row: InstanceRow) -> Dataset:
    """Return the data set of an instance in the DICOM JSON model, bulk values by reference."""
    (text,) = iter_metadata(archive, principal, [row], with_bulk_data_uri=True)
    dataset: Dataset = orjson.loads(text)
    return dataset


def read_stack(archive: Archive, principal: Principal, place: Place) -> list[tuple[InstanceRow, Dataset]]:
    """Return the first instances of a series with their data sets, empty where one cannot be read."""
    rows = find_instances(archive, principal, place.scope)[:STACK_IMAGES_MAX]
    texts = readable_metadata(archive, principal, rows)
    return [(row, orjson.loads(texts[row.instance_key]) if row.instance_key in texts else {}) for row in rows]


def _study(archive: Archive, principal: Principal, place: Place) -> StudyRow:
    rows = search(archive, principal, _query(Level.STUDY, place, limit=1))
    if not rows:
        raise NotFound("The specified study cannot be found.")
    return study_row(rows[0])


def _series(archive: Archive, principal: Principal, place: Place) -> list[SeriesEntry]:
    found = search(archive, principal, _query(Level.SERIES, place, limit=SERIES_SHOWN_MAX))
    versions = {row.attributes.get(_SERIES_INSTANCE_UID, ""): _version(row) for row in found}
    return [SeriesEntry(row, versions[row.series_instance_uid]) for row in series_rows(found)]


def _query(level: Level, place: Place, *, limit: int) -> Query:
    return Query(level, study_instance_uid=place.study_instance_uid, partition_name=place.partition_name, limit=limit)


def _version(row: SearchRow) -> str:
    return str(row.newest_instance_key)


def _opening(series: Sequence[SeriesEntry]) -> SeriesEntry:
    """Return the series that a study opens with: images of their own first, then whatever has pixels."""
    for without in (WITHOUT_PICTURES | OVERLAID, WITHOUT_PICTURES):
        for entry in series:
            if entry.row.modality not in without:
                return entry
    return series[0]


def _index(images: Sequence[InstanceRow], place: Place) -> int:
    if not place.sop_instance_uid:
        return 0
    for index, row in enumerate(images):
        if row.identifier.sop_instance_uid == place.sop_instance_uid:
            return index
    raise NotFound("The specified instance cannot be found.")
