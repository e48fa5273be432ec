"""A DICOMweb service as source or target: QIDO-RS, WADO-RS, STOW-RS."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from isocenter.app.fetching import FetchReport, fetch, read_identifier
from isocenter.app.instance_files import SUFFIX
from isocenter.app.migrating.ends import OnAnswer, Sent, StagedFile
from isocenter.app.migrating.explicit_vr import explicit_copy
from isocenter.app.migrating.patience import breaks_off
from isocenter.app.migrating.records import FoundInstance, FoundStudy, MovedInstance
from isocenter.app.web_report import report_of, report_of_result
from isocenter.dicomweb.client.client import DicomwebClient
from isocenter.dicomweb.client.upload import file_source
from isocenter.domain.errors import InvalidDataset, IsocenterError, NotAcceptable, NotFound
from isocenter.domain.identifiers import Level, Scope
from isocenter.routing.deliveries.report import LocalFailed, LocalFault, Report
from isocenter.routing.migration.slices import Answer, Slice, answer_of

PAGE_COUNT = 200
"""Rows asked for at once; the most that Azure's service gives (dicom-service 4.1)."""
ROWS_MAX = 10_000_000
"""Ends the paging of a service that ignores `offset` and makes up rows."""
REQUEST_SIZE_BYTES = 64 * 1024**2


class WebEnd:
    """A DICOMweb service at one end of a migration."""

    def __init__(self, client: DicomwebClient) -> None:
        self._client = client

    @property
    def name(self) -> str:
        """Return its address as it may be shown."""
        return self._client.service

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def report_of(self, error: IsocenterError) -> Report:
        """Return what an error of it says."""
        return report_of(error)

    def ask(self, one: Slice) -> tuple[Answer, list[FoundStudy]]:
        """Return the studies of a slice, paged to the end."""
        keys = [("StudyDate", one.dates)] if one.dates else []
        keys += [("StudyTime", one.times)] if one.times else []
        found: dict[tuple[str, str], FoundStudy] = {}
        for row in self._rows(Level.STUDY, None, keys):
            study = FoundStudy(
                _text(row, "0020000D"), _text(row, "00100020"), _text(row, "00080020"), _number(row, "00201208")
            )
            found[study.study_instance_uid, study.patient_id] = study
        studies = list(found.values())
        return answer_of([study.study_date for study in studies], is_whole=True), studies

    def _rows(self, level: Level, within: Scope | None, keys: list[tuple[str, str]]) -> list[dict[str, Any]]:
        """Return the rows of a search, paged to the end; a row that comes twice is returned once."""
        tag = {Level.STUDY: "0020000D", Level.INSTANCE: "00080018"}[level]
        found: dict[tuple[str, str], dict[str, Any]] = {}
        offset = 0
        while offset < ROWS_MAX:
            paging = [("limit", str(PAGE_COUNT)), ("offset", str(offset))]
            rows = self._client.search(level, [*keys, *paging], within=within)
            before = len(found)
            found |= {(_text(row, tag), _text(row, "00100020")): row for row in rows}
            offset += len(rows)
            if not rows or len(found) == before:
                break
        return list(found.values())

    def _instances(self, study_instance_uid: str) -> list[FoundInstance]:
        rows = self._rows(Level.INSTANCE, Scope(study_instance_uid), [])
        return [FoundInstance(_text(row, "0020000E"), _text(row, "00080018"), _text(row, "00080016")) for row in rows]

    def list_study_instances(self, study_instance_uid: str) -> list[FoundInstance]:
        """Return what a study has, nothing where there is no such study."""
        try:
            return self._instances(study_instance_uid)
        except NotFound:
            return []

    def fetch(self, scope: Scope, folder: Path, on_answer: OnAnswer) -> FetchReport:
        """Bring what of a scope is not yet in a folder."""
        told = _Once(on_answer)
        return fetch(self._client, scope, folder=folder, on_progress=lambda report: told())

    def read_back(self, study_instance_uid: str, instances: Collection[MovedInstance], folder: Path) -> dict[str, Path]:
        """Bring instances back as files; one that the service does not give is left out."""
        found: dict[str, Path] = {}
        for instance in instances:
            scope = Scope(study_instance_uid, instance.series_instance_uid, instance.sop_instance_uid)
            try:
                self._take(scope, folder, found)
            except IsocenterError as error:
                if not self._is_of_one(error):
                    raise
        return found

    def _take(self, scope: Scope, folder: Path, found: dict[str, Path]) -> None:
        """Write an instance to a file that is looked at and removed: it need not be durable."""
        path = folder / f"{len(found)}{SUFFIX}"
        for retrieved in self._client.retrieve(scope):
            with path.open("wb") as file:
                for chunk in retrieved.chunks:
                    file.write(chunk)
            identifier = read_identifier(path)
            if identifier is not None and identifier.sop_instance_uid == scope.sop_instance_uid:
                found[identifier.sop_instance_uid] = path

    def _is_of_one(self, error: IsocenterError) -> bool:
        """Tell whether an error is about the one instance that was asked for: gone, or damaged there."""
        if isinstance(error, NotFound):
            return True
        if not breaks_off(report_of(error)):
            return False
        self._client.search(Level.STUDY, [("limit", "1")])  # raises where it is the service
        return True

    def remove(self, scope: Scope) -> None:
        """Delete one instance."""
        self._client.delete(scope)


class WebSource(WebEnd):
    """A DICOMweb service as source."""

    def list_study(self, study_instance_uid: str) -> list[FoundInstance] | None:
        """Return what a study has."""
        return self.list_study_instances(study_instance_uid)


class WebTarget(WebEnd):
    """A DICOMweb service as target."""

    def __init__(
        self, client: DicomwebClient, *, takes_explicit_only: bool = False, work_folder: Path | None = None
    ) -> None:
        super().__init__(client)
        self._work_folder = work_folder
        self._takes_explicit_only = takes_explicit_only

    def send(self, files: Sequence[StagedFile]) -> list[Sent]:
        """Store instances."""
        if not self._takes_explicit_only:
            return self._store(files)
        with tempfile.TemporaryDirectory(prefix="explicit-", dir=self._work_folder) as folder:
            copies: list[StagedFile] = []
            failed: list[Sent] = []
            for file in files:
                try:
                    copies.append(explicit_copy(file, Path(folder)))
                except (NotAcceptable, InvalidDataset) as error:
                    failed.append(Sent(file.sop_instance_uid, LocalFailed(LocalFault.CANNOT_TRANSCODE), error.message))
            return failed + (self._store(copies) if copies else [])

    def _store(self, files: Sequence[StagedFile]) -> list[Sent]:
        sources = [file_source(file.path) for file in files]
        results = self._client.store(sources, batch_size_bytes=REQUEST_SIZE_BYTES)
        return [
            Sent(file.sop_instance_uid, report_of_result(result), "; ".join(result.error_comments))
            for file, result in zip(files, results, strict=True)
        ]

    def list_study(self, study_instance_uid: str) -> set[tuple[str, str]] | None:
        """Return series and instances of what it has of a study."""
        listed = self.list_study_instances(study_instance_uid)
        return {(one.series_instance_uid, one.sop_instance_uid) for one in listed}


class _Once:
    def __init__(self, call: OnAnswer) -> None:
        self._call = call
        self._is_told = False

    def __call__(self) -> None:
        if not self._is_told:
            self._is_told = True
            self._call()


def _text(row: dict[str, Any], tag: str) -> str:
    return str((row.get(tag, {}).get("Value") or [""])[0] or "").strip()


def _number(row: dict[str, Any], tag: str) -> int | None:
    text = _text(row, tag)
    return int(text) if text.isascii() and text.isdigit() else None
