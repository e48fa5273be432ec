"""The body of a bulk update, and what is answered to one that asks for what cannot be changed (dicom-service 11.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from isocenter.archive.update import STUDIES_MAX, UpdateRequest
from isocenter.dicom.change_set import SERIES_INSTANCE_UID, SOP_INSTANCE_UID, UID_TAGS, parse_change_set
from isocenter.dicomweb.codec.json_body import parse_json_body
from isocenter.domain.errors import InvalidRequest
from isocenter.domain.identifiers import parse_uid

BODY_SIZE_MAX_BYTES = 1024**2
"""Fifty UIDs, and every attribute that can be changed at its longest."""
COMMENT_LENGTH_MAX = 1024
"""A comment is LO, which the service does not hold to; no sentence of ours is longer."""

_FAILED_ATTRIBUTES_SEQUENCE, _ERROR_COMMENT = "00741048", "00000902"


def parse_update_request(body: bytes, *, partition_name: str) -> UpdateRequest:
    """Return what an update is asked to do.

    Raises InvalidRequest, and InvalidChanges where an attribute cannot be changed, or not to that value.
    """
    fields = _parse(body)
    studies = _studies(fields)
    given = fields.get("changedataset")
    if not isinstance(given, dict) or not given:
        raise InvalidRequest(_missing("ChangeDataset"))
    request = UpdateRequest(
        studies,
        parse_change_set(given),
        partition_name,
        _optional_uid(fields, "seriesinstanceuid"),
        _optional_uid(fields, "sopinstanceuid"),
    )
    _require_fitting_scope(request)
    return request


def _parse(body: bytes) -> Mapping[str, Any]:
    fields = parse_json_body(body)
    if not isinstance(fields, dict):
        raise InvalidRequest("The syntax of the request body is invalid.")
    return {str(name).lower(): field for name, field in fields.items()}


def _studies(fields: Mapping[str, Any]) -> tuple[str, ...]:
    given = fields.get("studyinstanceuids")
    if not isinstance(given, list) or not given:
        raise InvalidRequest(_missing("StudyInstanceUids"))
    if len(given) > STUDIES_MAX:
        raise InvalidRequest(f"StudyInstanceUids count exceeded maximum length '{STUDIES_MAX}'")
    return tuple(dict.fromkeys(_uid(one) for one in given))


def _optional_uid(fields: Mapping[str, Any], name: str) -> str | None:
    given = fields.get(name)
    return None if given in (None, "") else _uid(given)


def _uid(given: object) -> str:
    return parse_uid(given if isinstance(given, str) else "")


def _require_fitting_scope(request: UpdateRequest) -> None:
    """Refuse changes of UIDs that would give one name to several things (dicom-service 11.2)."""
    changed = UID_TAGS & request.texts.keys()
    if request.sop_instance_uid is not None and request.series_instance_uid is None:
        raise InvalidRequest(_missing("SeriesInstanceUid"))
    if not changed:
        if request.series_instance_uid is not None:
            raise InvalidRequest(
                "The fields 'SeriesInstanceUid' and 'SopInstanceUid' can be given only where a UID is updated."
            )
        return
    if len(request.study_instance_uids) > 1:
        raise InvalidRequest("Only one study can be updated in an operation that updates a UID.")
    if SOP_INSTANCE_UID in changed and request.sop_instance_uid is None:
        named = "SeriesInstanceUid" if request.series_instance_uid is None else "SopInstanceUid"
        raise InvalidRequest(_missing(named))
    if SERIES_INSTANCE_UID in changed and request.series_instance_uid is None:
        raise InvalidRequest(_missing("SeriesInstanceUid"))


def _missing(name: str) -> str:
    return f"The required field '{name}' is missing or empty."


def encode_failed_attributes(comments: Sequence[str]) -> bytes:
    """Return the data set that says which attributes cannot be changed, and why."""
    items = [{_ERROR_COMMENT: {"vr": "LO", "Value": [comment[:COMMENT_LENGTH_MAX]]}} for comment in comments]
    return orjson.dumps({_FAILED_ATTRIBUTES_SEQUENCE: {"vr": "SQ", "Value": items}})
