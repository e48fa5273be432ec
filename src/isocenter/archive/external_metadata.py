"""Take in external metadata with instances, and show it where it is asked for (dicom-service 2.7)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import orjson

from isocenter.archive.archive import Archive
from isocenter.dicom.external_json import attribute_json, with_creators
from isocenter.domain.external_metadata import NO_EXTERNAL_METADATA, ExternalMetadata, ExternalValue
from isocenter.domain.identifiers import InstanceIdentifier
from isocenter.domain.principal import DataAction, Principal


def register_tags(archive: Archive, principal: Principal, values: Sequence[ExternalValue]) -> None:
    """Make tags known before anything is stored; raises InvalidRequest where one is known with another VR."""
    principal.require(DataAction.WRITE)
    archive.index.external_metadata.register(values)


def note_again(
    archive: Archive, principal: Principal, identifiers: Collection[InstanceIdentifier], values: Sequence[ExternalValue]
) -> None:
    """Keep values for the studies of instances that were stored before with the same bytes."""
    principal.require(DataAction.WRITE)
    now = archive.clock.now().timestamp()
    for partition_name, study in {(one.partition_name, one.study_instance_uid) for one in identifiers}:
        archive.index.external_metadata.put(partition_name, study, values, now=now)


def tags_in_use(archive: Archive, principal: Principal) -> Mapping[int, str]:
    """Return the VR of every tag."""
    principal.require(DataAction.READ)
    return archive.index.external_metadata.vrs()


def metadata_of_study(
    archive: Archive, principal: Principal, partition_name: str, study_instance_uid: str
) -> ExternalMetadata:
    """Return what a study has."""
    principal.require(DataAction.READ)
    found = archive.index.external_metadata.of_studies(partition_name, [study_instance_uid])
    return found.get(study_instance_uid, NO_EXTERNAL_METADATA)


def merged(text: bytes, metadata: ExternalMetadata) -> bytes:
    """Return the DICOM JSON of an instance with what its study has: before what the file has under the same tags."""
    document: dict[str, Any] = orjson.loads(text)
    document |= {f"{one.tag:08X}": attribute_json(one) for one in metadata.values}
    return orjson.dumps(with_creators(document, [one.tag for one in metadata.values]), option=orjson.OPT_SORT_KEYS)


def attributes_of_studies(
    archive: Archive,
    principal: Principal,
    partition_name: str,
    study_instance_uids: Collection[str],
    tags: Collection[int],
) -> Mapping[str, Mapping[str, Any]]:
    """Return some attributes of studies as DICOM JSON, by study, of those that have any."""
    principal.require(DataAction.READ)
    found = archive.index.external_metadata.of_studies(partition_name, study_instance_uids)
    return {
        study: {f"{one.tag:08X}": attribute_json(one) for one in metadata.values if one.tag in tags}
        for study, metadata in found.items()
    }
