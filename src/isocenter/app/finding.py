"""Search another AE by C-FIND, and give what it answers as DICOM JSON, as a DICOMweb service would."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from isocenter.app.dimse_peer import DimsePeer
from isocenter.dicom.dataset import Dataset, vr_of
from isocenter.dicom.file_meta import write_file_head
from isocenter.dicom.json import BulkPolicy, dataset_json
from isocenter.dicom.json_reader import parse_dicom_json
from isocenter.dicomweb.codec.attribute_name import parse_attribute_path
from isocenter.dimse.scu.client import Opener, ProposedContext
from isocenter.dimse.scu.find import PATIENT_ROOT_FIND, STUDY_ROOT_FIND, Match, find
from isocenter.dimse.ul.query_extensions import FindExtensions, encode_find_extensions
from isocenter.domain.errors import InvalidDataset, InvalidRequest
from isocenter.domain.identifiers import Level

LEVEL_NAMES = {Level.PATIENT: "PATIENT", Level.STUDY: "STUDY", Level.SERIES: "SERIES", Level.INSTANCE: "IMAGE"}
"""Values of (0008,0052) (PS3.4 C.6)."""
QUERY_RETRIEVE_LEVEL = 0x00080052
PATIENT_ID, STUDY_INSTANCE_UID, SERIES_INSTANCE_UID, SOP_INSTANCE_UID = 0x00100020, 0x0020000D, 0x0020000E, 0x00080018
UNIQUE_KEYS = {
    Level.PATIENT: PATIENT_ID,
    Level.STUDY: STUDY_INSTANCE_UID,
    Level.SERIES: SERIES_INSTANCE_UID,
    Level.INSTANCE: SOP_INSTANCE_UID,
}


@dataclass(frozen=True, slots=True)
class FindRequest:
    """What is searched for."""

    level: Level
    keys: tuple[tuple[str, str], ...] = ()
    """Attribute, by keyword or tag and down sequences by dots, and value."""
    returned: tuple[str, ...] = ()
    """Attributes that are asked for and not matched."""
    by_patient: bool = False
    """Search in the Patient Root model."""
    matches_names_fuzzily: bool = False
    limit: int | None = None


def search_peer(peer: DimsePeer, request: FindRequest, identifier: Dataset) -> list[dict[str, Any]]:
    """Return what matches as DICOM JSON.

    Raises the errors of associations, ContextRefused, RequestFailed.
    """

    async def work(opener: Opener) -> list[Match]:
        return await search(opener, peer, request, identifier)

    return [row_of(match) for match in peer.call(work)]


async def search(opener: Opener, peer: DimsePeer, request: FindRequest, identifier: Dataset) -> list[Match]:
    """Return what matches, over an association of its own."""
    sop_class_uid = PATIENT_ROOT_FIND if request.by_patient else STUDY_ROOT_FIND
    context = ProposedContext(sop_class_uid, extensions=_extensions(request, identifier))
    async with opener.association(peer.remote, [context]) as association:
        return await find(association, identifier, sop_class_uid=sop_class_uid, limit=request.limit)


def row_of(match: Match) -> dict[str, Any]:
    """Return a match as DICOM JSON."""
    head = write_file_head(
        sop_class_uid=STUDY_ROOT_FIND, sop_instance_uid="", transfer_syntax_uid=match.transfer_syntax_uid
    )
    return dataset_json(head + match.content, bulk=BulkPolicy.drop())


def build_identifier(request: FindRequest) -> Dataset:
    """Return the identifier of a search; raises InvalidRequest for an attribute or a value that cannot be asked for."""
    document: dict[str, Any] = {}
    for name in (*_unique_keys_above(request), *request.returned):
        _put(document, _path(name), "")
    for name, value in request.keys:
        _put(document, _path(name), value)
    _put(document, (QUERY_RETRIEVE_LEVEL,), LEVEL_NAMES[request.level])
    try:
        return parse_dicom_json(document)
    except InvalidDataset as error:
        raise InvalidRequest(error.message) from error


def _unique_keys_above(request: FindRequest) -> list[str]:
    levels = [level for level in Level if level <= request.level and (request.by_patient or level > Level.PATIENT)]
    return [f"{UNIQUE_KEYS[level]:08X}" for level in levels]


def _path(name: str) -> tuple[int, ...]:
    path = parse_attribute_path(name)
    if path is None:
        raise InvalidRequest(f"{name} is no attribute of the dictionary, by keyword or tag.")
    return path


def _put(document: dict[str, Any], path: tuple[int, ...], value: str) -> None:
    """Add an attribute in the JSON model, down sequences of one item; what has a value keeps it."""
    tag, *rest = path
    entry = document.setdefault(f"{tag:08X}", {})
    if rest:
        items = entry.setdefault("Value", [{}])
        _put(items[0], tuple(rest), value)
    elif vr_of(tag) == "SQ":
        entry.setdefault("Value", [{}])
    elif value:
        entry["Value"] = value.split(",") if vr_of(tag) == "UI" else [value]


def _extensions(request: FindRequest, identifier: Dataset) -> bytes:
    """Return what is asked of the extended negotiation: nothing unless the search needs it."""
    top = Level.PATIENT if request.by_patient else Level.STUDY
    above = [UNIQUE_KEYS[level] for level in Level if top <= level < request.level]
    needs_relational = any(identifier[tag].is_empty for tag in above)
    if not needs_relational and not request.matches_names_fuzzily:
        return b""
    return encode_find_extensions(
        FindExtensions(relational_queries=needs_relational, fuzzy_person_name_matching=request.matches_names_fuzzily)
    )
