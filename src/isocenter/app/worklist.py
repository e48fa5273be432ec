"""The work list of a data folder, whether its node runs or not, and the work list of another AE.

A command opens the index beside the node: SQLite lets several processes write, one after the other.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from isocenter.app.dimse_peer import DimsePeer
from isocenter.app.index_lock import sharing_index
from isocenter.app.settings import Settings
from isocenter.app.wiring import INDEX_FILE
from isocenter.app.worklist_files import read_files
from isocenter.archive.performed_step import recent_performed_steps
from isocenter.archive.worklist import add_items, find_steps, iter_pages, remove_items
from isocenter.dicom.dataset import Dataset, encode_dataset
from isocenter.dicom.file_meta import write_file_head
from isocenter.dicom.json import BulkPolicy, dataset_json
from isocenter.dicom.json_reader import parse_dicom_json
from isocenter.dicom.part10 import encoding_of
from isocenter.dicom.syntax import EXPLICIT_VR_LITTLE_ENDIAN
from isocenter.dicomweb.codec.attribute_name import parse_attribute_path
from isocenter.dimse.codec.worklist import decode_worklist_request
from isocenter.dimse.scp.worklist import MODALITY_WORKLIST_FIND
from isocenter.dimse.scu.client import Opener, ProposedContext
from isocenter.dimse.scu.find import Match, find
from isocenter.domain.errors import InvalidDataset, InvalidRequest, NotFound
from isocenter.domain.principal import LOCAL_OWNER
from isocenter.domain.worklist import (
    SCHEDULED_PROCEDURE_STEP_SEQUENCE,
    NewWorklistItem,
    StepState,
    WorklistEntry,
    WorklistQuery,
)
from isocenter.ports.performed_steps import PerformedSteps
from isocenter.ports.worklist import Worklist
from isocenter.storage.sqlite.index import SqliteInstanceIndex

BATCH_COUNT = 500
"""Items that are committed together: enough to be quick, few enough not to hold up the node."""
RETURNED = (
    "AccessionNumber",
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyInstanceUID",
    "RequestedProcedureID",
    "RequestedProcedureDescription",
)
RETURNED_OF_STEP = (
    "Modality",
    "ScheduledStationAETitle",
    "ScheduledProcedureStepStartDate",
    "ScheduledProcedureStepStartTime",
    "ScheduledPerformingPhysicianName",
    "ScheduledProcedureStepDescription",
    "ScheduledProcedureStepID",
    "ScheduledStationName",
    "ScheduledProcedureStepLocation",
)
"""What a peer is asked for (PS3.4 table K.6-1, the attributes that a list shows)."""
_STEP_TAGS = frozenset(
    {0x00080060, 0x00321070, *range(0x00400001, 0x00400010), *range(0x00400010, 0x00400021), 0x00400400}
)
"""Attributes that stand in the scheduled step; a key needs no path to them."""


@contextmanager
def open_index(settings: Settings, *, may_be_new: bool = False) -> Iterator[SqliteInstanceIndex]:
    """Open the index of a data folder beside whoever else has it open.

    Raises NotFound where the folder holds no archive, unless it may be a new one; Unavailable while it is rebuilt.
    """
    folder = settings.storage.index_dir
    if not may_be_new and not (folder / INDEX_FILE).is_file():
        raise NotFound(f"There is no archive in {settings.data_dir}; --data-dir names the folder of a node.")
    with sharing_index(folder), SqliteInstanceIndex(folder / INDEX_FILE) as index:
        yield index


@dataclass(slots=True)
class AddReport:
    """What became of files."""

    added: int = 0
    replaced: int = 0
    others: int = 0
    """Files in folders that are no items."""
    failed: list[tuple[str, str]] = field(default_factory=list)


def add_files(worklist: Worklist, paths: Sequence[Path]) -> AddReport:
    """Add the items of files and of folders with everything below them."""
    report = AddReport()
    waiting: list[NewWorklistItem] = []
    for file in read_files(paths):
        if file.problem and file.is_other:
            report.others += 1
        elif file.problem:
            report.failed.append((file.path, file.problem))
        waiting += file.items
        while len(waiting) >= BATCH_COUNT:
            _add(worklist, waiting[:BATCH_COUNT], report)
            del waiting[:BATCH_COUNT]
    _add(worklist, waiting, report)
    return report


def _add(worklist: Worklist, items: Sequence[NewWorklistItem], report: AddReport) -> None:
    for addition in add_items(worklist, LOCAL_OWNER, items, now=time.time()) if items else ():
        report.added += 1
        report.replaced += addition.replaced


def build_query(keys: Iterable[tuple[str, str]], *, states: frozenset[StepState] | None = None) -> WorklistQuery:
    """Return the query that KEY=VALUE pairs mean; raises InvalidRequest."""
    explicit = encoding_of(EXPLICIT_VR_LITTLE_ENDIAN)
    content = encode_dataset(build_identifier(keys, returned=()), explicit)
    return decode_worklist_request(content, explicit, states=states or frozenset(StepState)).query


def build_identifier(keys: Iterable[tuple[str, str]], *, returned: Iterable[str]) -> Dataset:
    """Return the identifier that asks for keys; those of the scheduled step stand in its sequence."""
    document: dict[str, Any] = {}
    for name, value in (*((name, "") for name in returned), *keys):
        path = parse_attribute_path(name)
        if path is None:
            raise InvalidRequest(f"{name} is no attribute of the dictionary, by keyword or tag.")
        if len(path) == 1 and path[0] in _STEP_TAGS:
            path = (SCHEDULED_PROCEDURE_STEP_SEQUENCE, *path)
        _put(document, path, value)
    try:
        return parse_dicom_json(document)
    except InvalidDataset as error:
        raise InvalidRequest(error.message) from error


def _put(document: dict[str, Any], path: tuple[int, ...], value: str) -> None:
    tag, *rest = path
    entry = document.setdefault(f"{tag:08X}", {})
    if rest:
        _put(entry.setdefault("Value", [{}])[0], tuple(rest), value)
    elif value:
        entry["Value"] = value.split(",") if tag in (0x0020000D, 0x00080018) else [value]


def list_entries(worklist: Worklist, query: WorklistQuery, *, limit: int | None = None) -> Iterator[WorklistEntry]:
    """Yield the entries that fit, in the order of their start."""
    step_keys = find_steps(worklist, LOCAL_OWNER, query)
    for page in iter_pages(worklist, LOCAL_OWNER, step_keys[:limit]):
        yield from page


def remove_entries(worklist: Worklist, item_keys: Sequence[int]) -> int:
    """Remove items by number; return how many were there."""
    return remove_items(worklist, LOCAL_OWNER, list(item_keys))


def entry_json(entry: WorklistEntry) -> dict[str, Any]:
    """Return an entry for programs: number, state, and the item as DICOM JSON."""
    return {
        "item": entry.item_key,
        "step": entry.step_number,
        "state": entry.state.value,
        "added_at": _moment(entry.added_at),
        "source": entry.source,
        "attributes": _dicom_json(entry.content, entry.transfer_syntax_uid),
    }


def _dicom_json(content: bytes, transfer_syntax_uid: str) -> dict[str, Any]:
    head = write_file_head(
        sop_class_uid=MODALITY_WORKLIST_FIND, sop_instance_uid="", transfer_syntax_uid=transfer_syntax_uid
    )
    return dataset_json(head + content, bulk=BulkPolicy.drop())


def search_peer(peer: DimsePeer, keys: Sequence[tuple[str, str]], *, limit: int | None) -> list[dict[str, Any]]:
    """Return what the work list of another AE answers, as DICOM JSON.

    Raises InvalidRequest, the errors of associations, ContextRefused, RequestFailed.
    """
    step = tuple(f"ScheduledProcedureStepSequence.{name}" for name in RETURNED_OF_STEP)
    identifier = build_identifier(keys, returned=(*RETURNED, *step))

    async def work(opener: Opener) -> list[Match]:
        async with opener.association(peer.remote, [ProposedContext(MODALITY_WORKLIST_FIND)]) as association:
            return await find(association, identifier, sop_class_uid=MODALITY_WORKLIST_FIND, limit=limit)

    return [_dicom_json(match.content, match.transfer_syntax_uid) for match in peer.call(work)]


def list_performed_steps(steps: PerformedSteps, *, limit: int) -> list[dict[str, Any]]:
    """Return performed procedure steps for programs, the last created first."""
    return [
        {
            "sop_instance_uid": step.sop_instance_uid,
            "state": step.state.value,
            "ae_title": step.ae_title,
            "created_at": _moment(step.created_at),
            "changed_at": _moment(step.changed_at),
            "attributes": _dicom_json(step.content, EXPLICIT_VR_LITTLE_ENDIAN),
        }
        for step in recent_performed_steps(steps, LOCAL_OWNER, limit=limit)
    ]


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
