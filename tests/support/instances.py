"""Instances for tests of the index and of the packs: only what a test is about is named."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from isocenter.domain.attributes import BY_KEYWORD
from isocenter.domain.delivery import DeliveryPlan
from isocenter.domain.identifiers import DEFAULT_PARTITION, InstanceIdentifier, Scope
from isocenter.ports.blobs import BlobAddress, BlobLabel, BlobRecord, BlobStore
from isocenter.ports.index import NewInstance

CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
ROOT = "1.2.826.0.1.3680043.10.1455"


def identify(
    study: int = 1, series: int = 1, instance: int = 1, *, partition: str = DEFAULT_PARTITION
) -> InstanceIdentifier:
    """Return identifiers by numbers."""
    study_uid = f"{ROOT}.{study}"
    series_uid = f"{study_uid}.{series}"
    return InstanceIdentifier(study_uid, series_uid, f"{series_uid}.{instance}", partition)


def scope_of(identifier: InstanceIdentifier, *, depth: int = 3) -> Scope:
    """Return the scope of an instance (depth 3), its series (2) or its study (1)."""
    return Scope(
        identifier.study_instance_uid,
        identifier.series_instance_uid if depth > 1 else None,
        identifier.sop_instance_uid if depth > 2 else None,
        identifier.partition_name,
    )


def label_of(identifier: InstanceIdentifier, *, supersedes: bool = False) -> BlobLabel:
    """Return what a blob says of itself."""
    return BlobLabel(identifier, EXPLICIT_VR_LITTLE_ENDIAN, 1_700_000_000.25, "stow", supersedes)


def records_of(blobs: BlobStore, **options: Any) -> list[BlobRecord]:
    """Return the blobs that a walk over a store finds, without marks."""
    return [one for one in blobs.iter_records(**options) if isinstance(one, BlobRecord)]


def address_of(number: int, *, length: int = 1000) -> BlobAddress:
    """Return an address that no store gave."""
    digests = hashlib.blake2b(str(number).encode(), digest_size=8).digest()
    return BlobAddress(1, number * 10_000, length, digests)


def attributes_of(values: Mapping[str, str]) -> dict[int, str]:
    """Return attributes by tag from attributes by keyword."""
    return {BY_KEYWORD[keyword].tag: value for keyword, value in values.items()}


def new_instance(
    identifier: InstanceIdentifier,
    *,
    address: BlobAddress | None = None,
    keep_previous: bool = False,
    destinations: tuple[str, ...] = (),
    **values: str,
) -> NewInstance:
    """Return an instance to commit; `values` are attributes by keyword."""
    return NewInstance(
        identifier=identifier,
        sop_class_uid=CT_IMAGE_STORAGE,
        transfer_syntax_uid=EXPLICIT_VR_LITTLE_ENDIAN,
        attributes=attributes_of(values),
        address=address or address_of(1),
        header_length=512,
        frame_table=b"frames of " + identifier.sop_instance_uid.encode(),
        received_at=1_700_000_000.5,
        source="stow",
        keep_previous=keep_previous,
        deliveries=tuple(DeliveryPlan(destination) for destination in destinations),
    )
