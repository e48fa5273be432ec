"""Which entries a downloaded ZIP file has: in readable folders, or as a file-set with its directory (PS3.10 8)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from isocenter.archive.archive import Archive
from isocenter.archive.metadata import select_attributes
from isocenter.archive.retrieve import read_instance
from isocenter.archive.search import search
from isocenter.dicom.dataset import Attribute
from isocenter.dicom.dictionary import tag_of
from isocenter.dicom.media_directory import (
    CONCEPT_NAME,
    FileReference,
    Record,
    has_title,
    keys_of_type,
    record_type_of,
    text_keys,
    title_key,
    write_directory,
)
from isocenter.domain.attributes import BY_KEYWORD
from isocenter.domain.errors import TooLarge
from isocenter.domain.identifiers import Level, Scope
from isocenter.domain.principal import Principal
from isocenter.domain.query import Query
from isocenter.ports.index import InstanceRow
from isocenter.web.pages.choice import instances_of
from isocenter.web.pages.study_row import INTEGER_LENGTH_MAX, person_name, readable_date, readable_text
from isocenter.web.pages.zip_names import UniqueNames, safe_name
from isocenter.web.pages.zip_stream import ZipEntry

INSTANCES_MAX = 200_000
"""The list of entries of a ZIP file is held while it is written: 200 MB for so many."""
FILE_SET_INSTANCES_MAX = 50_000
"""The directory is made before the first file; a disc with more is none that a viewer opens."""
FILE_SET_ID = "ISOCENTER"


@dataclass(frozen=True, slots=True)
class Download:
    """What is to be written."""

    archive: Archive
    principal: Principal
    scopes: Sequence[Scope]

    def rows(self, limit: int = INSTANCES_MAX) -> list[InstanceRow]:
        """Return the instances; raises TooLarge beyond what one file holds."""
        rows = instances_of(self.archive, self.principal, self.scopes)
        if len(rows) > limit:
            raise TooLarge(f"More than {limit:,} instances; choose fewer studies at once.")
        return rows

    def attributes(self, level: Level, row: InstanceRow) -> Callable[[str], str]:
        """Return what tells the attributes of the study or series of an instance."""
        identifier = row.identifier
        query = Query(
            level,
            study_instance_uid=identifier.study_instance_uid,
            series_instance_uid=identifier.series_instance_uid if level is Level.SERIES else None,
            partition_name=identifier.partition_name,
            limit=1,
        )
        found = search(self.archive, self.principal, query)
        values = found[0].attributes if found else {}
        return lambda keyword: values.get(BY_KEYWORD[keyword].tag, "").split("\\", maxsplit=1)[0].strip()

    def entry(self, name: str, row: InstanceRow) -> ZipEntry:
        """Return the entry of an instance."""
        at = datetime.fromtimestamp(row.received_at, UTC)
        written_at = (at.year, at.month, at.day, at.hour, at.minute, at.second)
        return ZipEntry(name, row.address.length, read_instance(self.archive, row), written_at)


def readable_entries(download: Download) -> Iterator[ZipEntry]:
    """Yield the instances in folders of patient, study and series, under names that people can read."""
    names = UniqueNames()
    folders: dict[str, str] = {}
    for row in download.rows():
        identifier = row.identifier
        study, series = identifier.study_instance_uid, identifier.series_instance_uid
        if study not in folders:
            folders[study] = _study_folder(download.attributes(Level.STUDY, row), names)
        key = f"{study}/{series}"
        if key not in folders:
            name = _series_name(download.attributes(Level.SERIES, row))
            folders[key] = f"{folders[study]}/{names.give(folders[study], name)}"
        number = "image" if row.instance_number is None else f"{row.instance_number:05d}"
        name = names.give(folders[key], safe_name(number, otherwise="image"))
        yield download.entry(f"{folders[key]}/{name}.dcm", row)


def _study_folder(value: Callable[[str], str], names: UniqueNames) -> str:
    name, _ = person_name(value("PatientName"))
    patient = safe_name(f"{value('PatientID')} {name}".strip(), otherwise="Patient")
    texts = (readable_date(value("StudyDate")), readable_text(value("StudyDescription")))
    study = safe_name(" ".join(text for text in texts if text), otherwise="Study")
    return f"{patient}/{names.give(patient, study)}"


def _series_name(value: Callable[[str], str]) -> str:
    number = value("SeriesNumber").lstrip("+")
    is_number = number.isascii() and number.isdigit() and len(number) <= INTEGER_LENGTH_MAX
    begin = f"{int(number):03d}" if is_number else number
    texts = (begin, value("Modality"), readable_text(value("SeriesDescription")))
    return safe_name(" ".join(text for text in texts if text), otherwise="Series")


def file_set_entries(download: Download, *, sop_instance_uid: str) -> Iterator[ZipEntry]:
    """Return a DICOMDIR and the instances under the names that it gives them; raises TooLarge before the first."""
    rows = download.rows(FILE_SET_INSTANCES_MAX)
    plan = _FileSet(download)
    for row in rows:
        plan.add(row)
    directory = write_directory(plan.roots, file_set_id=FILE_SET_ID, sop_instance_uid=sop_instance_uid)
    files = (download.entry("/".join(path), row) for row, path in zip(rows, plan.paths, strict=True))
    return chain((ZipEntry("DICOMDIR", len(directory), (directory,)),), files)


class _FileSet:
    """The records of a file-set while instances are added to it, each below its series, study and patient."""

    def __init__(self, download: Download) -> None:
        self._download = download
        self._records: dict[tuple[str, ...], tuple[Record, tuple[str, ...]]] = {}
        self.roots: list[Record] = []
        self.paths: list[tuple[str, ...]] = []

    def add(self, row: InstanceRow) -> None:
        """Add an instance."""
        series, folder = self._series(row)
        path = (*folder, f"IM{len(series.below) + 1:06d}")
        kind = record_type_of(row.sop_class_uid)
        # A record must have a number where an instance need not: then it is counted (PS3.3 F.5.4).
        number = len(series.below) + 1 if row.instance_number is None else row.instance_number
        keys = text_keys({"InstanceNumber": str(number)}) | self._further_keys(kind, row)
        identifier = row.identifier
        file = FileReference(path, row.sop_class_uid, identifier.sop_instance_uid, row.transfer_syntax_uid)
        series.below.append(Record(kind, keys, file))
        self.paths.append(path)

    def _series(self, row: InstanceRow) -> tuple[Record, tuple[str, ...]]:
        key = (row.identifier.study_instance_uid, row.identifier.series_instance_uid)
        if key not in self._records:
            study, folder = self._study(row)
            value = self._download.attributes(Level.SERIES, row)
            texts = {name: value(name) for name in ("Modality", "SeriesInstanceUID", "SeriesNumber")}
            texts["SeriesNumber"] = texts["SeriesNumber"] or str(len(study.below) + 1)
            self._add(key, study.below, Record("SERIES", text_keys(texts)), (*folder, f"SE{len(study.below) + 1:06d}"))
        return self._records[key]

    def _study(self, row: InstanceRow) -> tuple[Record, tuple[str, ...]]:
        key = (row.identifier.study_instance_uid,)
        if key not in self._records:
            value = self._download.attributes(Level.STUDY, row)
            patient, folder = self._patient(value)
            names = ("StudyDate", "StudyTime", "AccessionNumber", "StudyDescription", "StudyInstanceUID", "StudyID")
            texts = {name: value(name) for name in names}
            texts["StudyID"] = texts["StudyID"] or str(len(patient.below) + 1)
            record = Record("STUDY", text_keys(texts))
            self._add(key, patient.below, record, (*folder, f"ST{len(patient.below) + 1:06d}"))
        return self._records[key]

    def _patient(self, value: Callable[[str], str]) -> tuple[Record, tuple[str, ...]]:
        key = ("patient", value("PatientID"), value("PatientName"))
        if key not in self._records:
            record = Record("PATIENT", text_keys({"PatientName": key[2], "PatientID": key[1] or "UNKNOWN"}))
            self._add(key, self.roots, record, ("DICOM", f"PA{len(self.roots) + 1:06d}"))
        return self._records[key]

    def _add(self, key: tuple[str, ...], level: list[Record], record: Record, folder: tuple[str, ...]) -> None:
        level.append(record)
        self._records[key] = (record, folder)

    def _further_keys(self, kind: str, row: InstanceRow) -> dict[int, Attribute]:
        """Return what the record of a document tells, read from its header; nothing for images."""
        keywords = keys_of_type(kind)
        if not keywords:
            return {}
        tags = {keyword: tag for keyword in keywords if (tag := tag_of(keyword)) is not None}
        wanted = frozenset(tags.values()) | ({CONCEPT_NAME} if has_title(kind) else set())
        found = select_attributes(self._download.archive, self._download.principal, [row.instance_key], wanted)
        attributes = found.get(row.instance_key, {})
        keys: dict[int, Attribute] = dict(text_keys({name: _first(attributes, tag) for name, tag in tags.items()}))
        code = (attributes.get(f"{CONCEPT_NAME:08X}", {}).get("Value") or [{}])[0] if has_title(kind) else {}
        if isinstance(code, dict) and code:
            keys |= title_key(*(_first(code, tag) for tag in (0x00080100, 0x00080102, 0x00080104)))
        elif has_title(kind):
            keys[CONCEPT_NAME] = Attribute("SQ")
        return keys


def _first(attributes: Any, tag: int) -> str:
    value = (attributes.get(f"{tag:08X}", {}).get("Value") or [""])[0]
    return "" if value is None or isinstance(value, dict) else str(value)
