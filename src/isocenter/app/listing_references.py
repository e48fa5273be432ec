"""The instances of studies, by UID and SOP class, as those who have them tell: files, a DICOMweb service, another AE.

A request for commitment names each instance with its class, so what a listing leaves out cannot be asked for: that is
an error and never a shorter list.
"""

from __future__ import annotations

from collections.abc import Sequence
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

from isocenter.app.dimse_listing import Listed, list_instances
from isocenter.app.dimse_peer import DimsePeer
from isocenter.app.fetching import INSTANCES_MAX, PAGE_COUNT
from isocenter.app.part10_files import FoundFile, is_instance_file, iter_files
from isocenter.app.peer import open_peer
from isocenter.app.web_archive import WebArchive
from isocenter.archive.identify import SOP_CLASS_UID, SOP_INSTANCE_UID, STUDY_INSTANCE_UID
from isocenter.dicom.scan import scan_instance
from isocenter.dicomweb.client.client import DicomwebClient
from isocenter.dimse.scu.client import Opener
from isocenter.domain.commitment import InstanceReference, unique_references
from isocenter.domain.errors import InvalidDataset, NotFound, Refused
from isocenter.domain.identifiers import Level, Scope, is_uid

Lister = WebArchive | DimsePeer


def references_in_files(
    paths: Sequence[Path], study_instance_uids: Sequence[str]
) -> tuple[list[InstanceReference], int]:
    """Return the instances in files and folders, of some studies where any is named, and how many files hold none.

    Raises NotFound where a study that is named has no instance there.
    """
    found: list[InstanceReference] = []
    studies: set[str] = set()
    skipped = 0
    for file in iter_files(paths):
        try:
            reference, study = _reference(file)
        except (InvalidDataset, OSError, ValueError):
            skipped += 1
            continue
        if not study_instance_uids or study in study_instance_uids:
            found.append(reference)
            studies.add(study)
    _require_all(study_instance_uids, studies, where="these files")
    return list(unique_references(found)), skipped


def _reference(file: FoundFile) -> tuple[InstanceReference, str]:
    if not is_instance_file(file.path):
        raise InvalidDataset()
    wanted = frozenset({SOP_CLASS_UID, SOP_INSTANCE_UID, STUDY_INSTANCE_UID})
    with open(file.path, "rb") as opened, mmap(opened.fileno(), 0, access=ACCESS_READ) as content:
        attributes = scan_instance(content, wanted=wanted).attributes
    names = attributes.get(SOP_CLASS_UID, ""), attributes.get(SOP_INSTANCE_UID, "")
    if not all(map(is_uid, names)):
        raise InvalidDataset()
    return InstanceReference(*names), attributes.get(STUDY_INSTANCE_UID, "")


def references_listed_by(lister: Lister, study_instance_uids: Sequence[str]) -> list[InstanceReference]:
    """Return the instances of studies that a service or another AE has.

    Raises NotFound where it has none of a study, Refused where it does not tell what is needed, and the errors of
    talking to it.
    """
    uids = list(dict.fromkeys(study_instance_uids))
    by_study = _by_service(lister, uids) if isinstance(lister, WebArchive) else _by_peer(lister, uids)
    _require_all(uids, {uid for uid, found in by_study.items() if found}, where=str(lister))
    found = [reference for references in by_study.values() for reference in references]
    if not all(is_uid(uid) for each in found for uid in (each.sop_class_uid, each.sop_instance_uid)):
        raise Refused(f"{lister} does not tell the SOP class of every instance; name the files instead.")
    return list(unique_references(found))


def _require_all(named: Sequence[str], found: set[str], *, where: str) -> None:
    missing = [uid for uid in named if uid not in found]
    if missing:
        raise NotFound(f"There is no instance of study {missing[0]} at {where}.")


def _by_peer(peer: DimsePeer, uids: Sequence[str]) -> dict[str, list[InstanceReference]]:
    async def work(opener: Opener) -> list[list[Listed] | None]:
        return [await list_instances(opener, peer, Scope(uid)) for uid in uids]

    listed = peer.call(work)
    if None in listed:
        raise Refused(f"{peer} cannot be searched for what it has; name the files, or another by --listed-by, instead.")
    return {
        uid: [InstanceReference(each.sop_class_uid, each.identifier.sop_instance_uid) for each in one or ()]
        for uid, one in zip(uids, listed, strict=True)
    }


def _by_service(archive: WebArchive, uids: Sequence[str]) -> dict[str, list[InstanceReference]]:
    with open_peer(archive) as client:
        return {uid: _list_study(client, uid) for uid in uids}


def _list_study(client: DicomwebClient, study_instance_uid: str) -> list[InstanceReference]:
    found: dict[InstanceReference, None] = {}
    offset = 0
    while offset < INSTANCES_MAX:
        page = [("limit", str(PAGE_COUNT)), ("offset", str(offset))]
        rows = client.search(Level.INSTANCE, page, within=Scope(study_instance_uid))
        before = len(found)
        found |= dict.fromkeys(
            InstanceReference(_text(row, SOP_CLASS_UID), _text(row, SOP_INSTANCE_UID)) for row in rows
        )
        offset += len(rows)
        if len(found) == before:  # the end, or a service that does not know pages
            break
    return list(found)


def _text(row: dict[str, Any], tag: int) -> str:
    return str((row.get(f"{tag:08X}", {}).get("Value") or [""])[0])
