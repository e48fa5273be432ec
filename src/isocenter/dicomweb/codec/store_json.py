"""The answer to a store request as DICOM JSON, and its status (PS3.18 10.5.3, dicom-service 2.2 to 2.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from isocenter.dicomweb.codec.dialect import Dialect

DATASET_DOES_NOT_MATCH_SOP_CLASS = 0xB007
"""Raised for implicit VR (dicom-service 2.4)."""
VALIDATION_WARNINGS = 1

ERROR_COMMENT_LENGTH_MAX = 1024
"""Characters of one comment; LO says 64, upstream's sentences are longer, and nobody reads more."""


@dataclass(frozen=True, slots=True)
class StoredInstance:
    """An instance that was stored, for the answer."""

    sop_class_uid: str
    sop_instance_uid: str
    retrieve_url: str
    warning_reason: int | None = None
    error_comments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FailedInstance:
    """An instance that was not stored, for the answer; identifiers where they could be read."""

    failure_reason: int
    sop_class_uid: str | None = None
    sop_instance_uid: str | None = None
    error_comments: tuple[str, ...] = ()


def store_status(stored: Sequence[StoredInstance], failed: Sequence[FailedInstance], dialect: Dialect) -> int:
    """Return the HTTP status: 204 nothing was sent, 200 all stored, 202 with reservations, 409 nothing stored.

    A warning makes 202 by the standard and in Azure's version 2, not in its version 1.
    """
    if not stored:
        return 409 if failed else 204
    has_warning = any(instance.warning_reason is not None for instance in stored)
    return 202 if failed or (has_warning and dialect is not Dialect.AZURE_V1) else 200


def store_response(
    stored: Sequence[StoredInstance],
    failed: Sequence[FailedInstance],
    dialect: Dialect,
    *,
    study_url: str | None = None,
) -> dict[str, Any]:
    """Return the data set of the answer.

    `study_url` is the study's RetrieveURL: where the route names a study, by the standard also where all are of one.
    """
    dataset: dict[str, Any] = {}
    if study_url is not None and stored:
        dataset["00081190"] = _one("UR", study_url)
    if failed:
        dataset["00081198"] = {"vr": "SQ", "Value": [_failed_item(instance) for instance in failed]}
    if stored:
        has_list = dialect is Dialect.AZURE_V2
        dataset["00081199"] = {"vr": "SQ", "Value": [_stored_item(instance, has_list) for instance in stored]}
    return dataset


def _one(vr: str, value: str | int) -> dict[str, Any]:
    return {"vr": vr, "Value": [value]}


def _stored_item(instance: StoredInstance, always_has_failed_attributes: bool) -> dict[str, Any]:
    item: dict[str, Any] = {
        "00081150": _one("UI", instance.sop_class_uid),
        "00081155": _one("UI", instance.sop_instance_uid),
        "00081190": _one("UR", instance.retrieve_url),
    }
    if instance.warning_reason is not None:
        item["00081196"] = _one("US", instance.warning_reason)
    if instance.error_comments or always_has_failed_attributes:
        item["00741048"] = _failed_attributes(instance.error_comments)
    return item


def _failed_item(instance: FailedInstance) -> dict[str, Any]:
    item: dict[str, Any] = {}
    if instance.sop_class_uid:
        item["00081150"] = _one("UI", instance.sop_class_uid)
    if instance.sop_instance_uid:
        item["00081155"] = _one("UI", instance.sop_instance_uid)
    item["00081197"] = _one("US", instance.failure_reason)
    if instance.error_comments:
        item["00741048"] = _failed_attributes(instance.error_comments)
    return item


def _failed_attributes(comments: Sequence[str]) -> dict[str, Any]:
    if not comments:
        return {"vr": "SQ"}
    return {"vr": "SQ", "Value": [{"00000902": _one("LO", text[:ERROR_COMMENT_LENGTH_MAX])} for text in comments]}
