"""DICOM JSON of stored instances, made from their headers and kept for the next caller."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import orjson

from isocenter.archive.archive import Archive
from isocenter.archive.retrieve import read_header
from isocenter.archive.search import search
from isocenter.dicom.json import (
    Attribute,
    BulkPolicy,
    InstanceJsonEncoder,
    dataset_json,
    select_json,
    without_paths,
)
from isocenter.domain.attributes import NUMBER_OF_SERIES_RELATED_INSTANCES, NUMBER_OF_STUDY_RELATED_INSTANCES
from isocenter.domain.errors import IsocenterError, NotFound
from isocenter.domain.identifiers import Level, Scope
from isocenter.domain.principal import DataAction, Principal
from isocenter.domain.query import Query
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
    for _, text in _iter_texts(archive, principal, rows, with_bulk_data_uri=with_bulk_data_uri):
        if isinstance(text, IsocenterError):
            raise text
        yield text


def readable_metadata(archive: Archive, principal: Principal, rows: Iterable[InstanceRow]) -> dict[int, bytes]:
    """Return the DICOM JSON objects of instances as Azure's service has them, by key, of those that can be read."""
    texts = _iter_texts(archive, principal, rows, with_bulk_data_uri=False)
    return {key: text for key, text in texts if not isinstance(text, IsocenterError)}


def _iter_texts(
    archive: Archive, principal: Principal, rows: Iterable[InstanceRow], *, with_bulk_data_uri: bool
) -> Iterator[tuple[int, bytes | IsocenterError]]:
    """Yield key and text of each instance, or why there is none."""
    variant = "uri" if with_bulk_data_uri else "plain"
    listed = list(rows)
    _require_all(principal, listed)
    invalid: Mapping[int, tuple[str, ...]] = {}
    is_invalid_known = with_bulk_data_uri
    encoder = InstanceJsonEncoder()
    for row in listed:
        text = archive.metadata_cache.get(row.instance_key, variant)
        if text is None:
            if not is_invalid_known:  # asked once for all, and not at all where every text is kept
                invalid = archive.index.invalid_paths([each.instance_key for each in listed])
                is_invalid_known = True
            bulk = _bulk_policy(row) if with_bulk_data_uri else BulkPolicy.drop()
            try:
                text = _encode(encoder, read_header(archive, row), bulk, invalid.get(row.instance_key, ()))
            except IsocenterError as error:
                yield row.instance_key, error
                continue
            archive.metadata_cache.put(row.instance_key, variant, text)
        yield row.instance_key, text


def _require_all(principal: Principal, rows: Iterable[InstanceRow]) -> None:
    """Raise Forbidden unless all of these may be read; whoever may read nothing is refused where there are none."""
    if principal.shared_study is None:
        principal.require(DataAction.READ)
        return
    for study, partition in {(row.identifier.study_instance_uid, row.identifier.partition_name) for row in rows}:
        principal.require_reading(study, partition)


def _bulk_policy(row: InstanceRow) -> BulkPolicy:
    return BulkPolicy.by_reference(bulk_root(row), inline_length_max=INLINE_MAX_BYTES)


def _encode(encoder: InstanceJsonEncoder, header: bytes, bulk: BulkPolicy, invalid_paths: Sequence[str]) -> bytes:
    if not invalid_paths:
        return encoder.encode(header, bulk=bulk)
    return orjson.dumps(without_paths(dataset_json(header, bulk=bulk), invalid_paths))


def select_attributes(
    archive: Archive,
    principal: Principal,
    instance_keys: Sequence[int],
    tags: frozenset[int],
    *,
    only_valid: bool = False,
) -> dict[int, dict[str, Attribute]]:
    """Return some attributes of instances as DICOM JSON, by key, for those that the index does not keep.

    An instance that is gone is left out. With `only_valid`, so is what version 2 of Azure's service found invalid.
    """
    rows = archive.index.instances_of_keys(instance_keys)
    _require_all(principal, rows.values())
    invalid = archive.index.invalid_paths(instance_keys) if only_valid else {}
    found: dict[int, dict[str, Attribute]] = {}
    for key, row in rows.items():
        selected = select_json(read_header(archive, row), tags)
        found[key] = without_paths(selected, invalid[key]) if key in invalid else selected
    return found


def entity_tag(rows: Sequence[InstanceRow], *, is_single_instance: bool) -> str:
    """Return the ETag of the metadata of some instances (dicom-service 3.5)."""
    highest = max(row.instance_key for row in rows)
    return str(highest) if is_single_instance else f"{highest}-{len(rows)}"


def current_entity_tag(archive: Archive, principal: Principal, scope: Scope) -> str:
    """Return the ETag of the metadata of a study or series without a look at its instances.

    It names their content: a key is never given twice, so that the instances up to one only ever become fewer. Raises
    NotFound.
    """
    query = Query(
        scope.level,
        study_instance_uid=scope.study_instance_uid,
        series_instance_uid=scope.series_instance_uid,
        partition_name=scope.partition_name,
        limit=1,
    )
    rows = search(archive, principal, query)
    if not rows:
        raise NotFound(f"The specified {scope.level.name.lower()} cannot be found.")
    return f"{rows[0].newest_instance_key}-{rows[0].attributes[_COUNTS[scope.level]]}"


_COUNTS = {Level.STUDY: NUMBER_OF_STUDY_RELATED_INSTANCES, Level.SERIES: NUMBER_OF_SERIES_RELATED_INSTANCES}
