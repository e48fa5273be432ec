"""DICOM JSON of stored instances, made from their headers and kept for the next caller."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import orjson

from isocenter.archive.archive import Archive
from isocenter.archive.retrieve import read_header
from isocenter.dicom.json import (
    Attribute,
    BulkPolicy,
    dataset_json,
    encode_instance_json,
    select_json,
    without_paths,
)
from isocenter.domain.errors import NotFound
from isocenter.domain.principal import DataAction, Principal
from isocenter.ports.index import InstanceRow

BULK_ROOT = "\x01"
"""Stands in kept texts where the address of the service goes."""
BULK_ROOT_IN_JSON = b'"BulkDataURI":"\\u0001'
"""How it reads there. Quotes within values are escaped, so that no value can hold this text."""


INLINE_MAX_BYTES = 1024
"""Short values, such as a palette of 256 colours, cost less inline than a request of their own."""


def bulk_root(row: InstanceRow) -> str:
    """Return the prefix of BulkDataURI for an instance, with `BULK_ROOT` for the address of the service."""
    identifier = row.identifier
    return (
        f"{BULK_ROOT}/studies/{identifier.study_instance_uid}/series/{identifier.series_instance_uid}"
        f"/instances/{identifier.sop_instance_uid}/bulkdata/"
    )


def iter_metadata(
    archive: Archive, principal: Principal, rows: Iterable[InstanceRow], *, with_bulk_data_uri: bool
) -> Iterator[bytes]:
    """Yield the DICOM JSON object of each instance.

    With `with_bulk_data_uri`, everything is there, bulk values by reference under `BULK_ROOT`; else as Azure's service
    has it: without them, and without what its version 2 found invalid (dicom-service 2.5, 3.5).
    """
    principal.require(DataAction.READ)
    variant = "uri" if with_bulk_data_uri else "plain"
    for row in rows:
        text = archive.metadata_cache.get(row.instance_key, variant)
        if text is None:
            header = read_header(archive, row)
            if with_bulk_data_uri:
                policy = BulkPolicy.by_reference(bulk_root(row), inline_length_max=INLINE_MAX_BYTES)
                text = encode_instance_json(header, bulk=policy)
            else:
                text = _encode_valid(archive, row, header)
            archive.metadata_cache.put(row.instance_key, variant, text)
        yield text


def _encode_valid(archive: Archive, row: InstanceRow, header: bytes) -> bytes:
    invalid = archive.index.invalid_paths([row.instance_key]).get(row.instance_key)
    if invalid is None:
        return encode_instance_json(header, bulk=BulkPolicy.drop())
    return orjson.dumps(without_paths(dataset_json(header, bulk=BulkPolicy.drop()), invalid))


def select_attributes(
    archive: Archive, principal: Principal, instance_key: int, tags: frozenset[int], *, only_valid: bool = False
) -> dict[str, Attribute]:
    """Return some attributes of an instance as DICOM JSON, for those that the index does not keep.

    With `only_valid`, without what version 2 of Azure's service found invalid.
    """
    principal.require(DataAction.READ)
    row = archive.index.instance(instance_key)
    if row is None:
        raise NotFound("The specified instance cannot be found.")
    selected = select_json(read_header(archive, row), tags)
    if only_valid:
        invalid = archive.index.invalid_paths([instance_key])
        selected = without_paths(selected, invalid.get(instance_key, ()))
    return selected


def entity_tag(rows: list[InstanceRow], *, is_single_instance: bool) -> str:
    """Return the ETag of the metadata of some instances (dicom-service 3.5)."""
    highest = max(row.instance_key for row in rows)
    return str(highest) if is_single_instance else f"{highest}-{len(rows)}"
