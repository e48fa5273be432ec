"""Extended query tags as the service writes and reads them (dicom-service 7.1, 7.2).

Sentences are compared by clients' tests. Those that repeat what a caller sent repeat names of attributes, never values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

import orjson

from isocenter.dicom.dictionary import PRIVATE_CREATOR_VR, UNKNOWN_VR, dictionary_vr, is_private
from isocenter.dicom.minimum_rules import object_to_text, told_without_value
from isocenter.dicom.walk import LONG_VRS, SHORT_VRS
from isocenter.dicomweb.codec.attribute_name import parse_attribute_name
from isocenter.dicomweb.codec.change_feed import format_timestamp
from isocenter.dicomweb.codec.json_body import parse_json_body
from isocenter.dicomweb.codec.qido_azure import SEARCHABLE
from isocenter.domain.errors import InvalidRequest
from isocenter.domain.identifiers import Level
from isocenter.domain.query_tag import KINDS_BY_VR, QueryStatus, QueryTag, QueryTagEntry, QueryTagError, QueryTagStatus

BODY_SIZE_MAX_BYTES = 256 * 1024
"""Some hundred entries with blanks between them; more tags than that there cannot be."""
LIMIT_MAX, LIMIT_DEFAULT = 200, 100
OFFSET_MAX = 2**31 - 1
PARAMETERS_MAX = 64
"""Pairs of a query string of which two mean something."""
LEVELS = {"Instance": Level.INSTANCE, "Series": Level.SERIES, "Study": Level.STUDY}
QUERY_STATUSES = {"Disabled": QueryStatus.DISABLED, "Enabled": QueryStatus.ENABLED}
RESOURCE = "extendedquerytags"
VRS = frozenset({*SHORT_VRS, *LONG_VRS})


def parse_entries(body: bytes) -> tuple[QueryTagEntry, ...]:
    """Return the tags that are to be added. Raises InvalidRequest."""
    listed = parse_json_body(body)
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise InvalidRequest("The syntax of the request body is invalid.")
    if not listed:
        raise InvalidRequest("The extended query tag(s) is missing.")
    fields = [{str(name).lower(): value for name, value in one.items()} for one in listed]
    levels = [_level(number, one) for number, one in enumerate(fields)]
    for number, one in enumerate(fields):
        _required(number, one, "Path")
    found: dict[int, QueryTagEntry] = {}
    for level, one in zip(levels, fields, strict=True):
        entry = _entry(one, level)
        if entry.tag in found:
            raise InvalidRequest(f"The extended query tag '{one['path']}' has been specified before.")
        found[entry.tag] = entry
    return tuple(found.values())


def _required(number: int, fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name.lower())
    if not isinstance(value, str) or not value.strip():
        raise InvalidRequest(
            f"The field '[{number}].{name}' in request body is invalid: "
            f"The Dicom Tag Property {name} must be specified and must not be null, empty or whitespace"
        )
    return value


def _level(number: int, fields: Mapping[str, Any]) -> Level:
    text = _required(number, fields, "Level")
    return LEVELS[_one_of(f"$[{number}].Level", text, LEVELS)]


def _one_of(path: str, text: str, names: Mapping[str, object]) -> str:
    """Return the name that text spells, in whatever case."""
    for name in names:
        if name.lower() == text.lower():
            return name
    choices = ", ".join(f"'{name}'" for name in names)
    raise InvalidRequest(
        f"The field '{path}' in request body is invalid: "
        f"Expected value '{text}' to be one of the following values: [{choices}]"
    )


def _entry(fields: Mapping[str, Any], level: Level) -> QueryTagEntry:
    path = str(fields["path"])
    tag = _parse_path(path)
    creator = fields.get("privatecreator")
    private_creator = "" if creator is None else str(creator)
    _require_creator(tag, path, private_creator)
    vr = fields.get("vr")
    found_vr = _vr(tag, path, "" if vr is None else str(vr))
    if tag in SEARCHABLE:
        raise InvalidRequest(f"The query tag '{path}' is already supported.")
    return QueryTagEntry(tag, found_vr, level, private_creator)


def _parse_path(path: str) -> int:
    if "." in path:
        raise InvalidRequest("Sequential dicom tags are currently not supported.")
    tag = parse_attribute_name(path.strip())
    if tag is None:
        raise InvalidRequest(
            f"The extended query tag '{path}' is invalid as it cannot be parsed into a valid Dicom Tag."
        )
    return tag


def _is_identification_code(tag: int) -> bool:
    """Tell whether a tag is that of the element which reserves a private block (PS3.5 7.8.1)."""
    return is_private(tag) and 0x10 <= tag & 0xFFFF <= 0xFF


def _require_creator(tag: int, path: str, private_creator: str) -> None:
    if not is_private(tag):
        if private_creator:
            raise InvalidRequest(f"The private creator is not empty for standard tag '{path}'.")
        return
    if _is_identification_code(tag):
        if private_creator:
            raise InvalidRequest(f"The private creator is not empty for private identification code '{path}'.")
        return
    if not private_creator.strip():
        raise InvalidRequest(f"The private creator for private tag '{path}' is missing.")
    if object_to_text(PRIVATE_CREATOR_VR, private_creator) is not None:
        raise InvalidRequest(f"The private creator for tag '{path}' is not a valid LO attribute.")


def _vr(tag: int, path: str, asked: str) -> str:
    expected = dictionary_vr(tag)
    choices = () if expected == UNKNOWN_VR else tuple(expected.split(" or "))
    if not asked.strip():
        if not choices:
            raise InvalidRequest(f"The vr for tag '{path}' is missing.")
        return _supported(choices[0], path)
    vr = asked.strip().upper()
    if vr not in VRS:
        raise InvalidRequest(f"The VR code '{asked}' for tag '{path}' is invalid.")
    _supported(vr, path)
    if choices and vr not in choices:
        raise InvalidRequest(
            f"The VR code '{asked}' is incorrectly specified for '{path}'. The expected VR code for it is "
            f"'{choices[0]}'. Retry this request either with the correct VR code or without specifying it."
        )
    return vr


def _supported(vr: str, path: str) -> str:
    if vr not in KINDS_BY_VR:
        raise InvalidRequest(f"The VR code '{vr}' specified for tag '{path}' is not supported.")
    return vr


def parse_tag_path(path: str) -> int:
    """Return the tag that the path of a request names. Raises InvalidRequest."""
    return _parse_path(path)


def parse_query_status(body: bytes) -> QueryStatus:
    """Return what a tag's query status is to be. Raises InvalidRequest."""
    fields = parse_json_body(body)
    if not isinstance(fields, dict):
        raise InvalidRequest("The syntax of the request body is invalid.")
    for name in fields:
        if str(name).lower() != "querystatus":
            raise InvalidRequest(f'The field is not supported: "{name}".')
    value = next(iter(fields.values()), None)
    if not isinstance(value, str):
        raise InvalidRequest("The field 'QueryStatus' in request body is invalid: It must be specified.")
    return QUERY_STATUSES[_one_of("$.QueryStatus", value, QUERY_STATUSES)]


def parse_page(query_string: str) -> tuple[int, int]:
    """Return limit and offset of a page. Raises InvalidRequest; unknown parameters are passed over."""
    try:
        pairs = parse_qsl(query_string, keep_blank_values=True, errors="strict", max_num_fields=PARAMETERS_MAX)
    except ValueError as error:
        raise InvalidRequest("The query string included invalid characters.") from error
    limit = _number("Limit", pairs, default=LIMIT_DEFAULT, lowest=1, highest=LIMIT_MAX)
    return limit, _number("Offset", pairs, default=0, lowest=0, highest=OFFSET_MAX)


def _number(name: str, pairs: Sequence[tuple[str, str]], *, default: int, lowest: int, highest: int) -> int:
    values = [value for key, value in pairs if key.lower() == name.lower()]
    if not values:
        return default
    if len(values) > 1:
        raise _bad_parameter(name, "Cannot specify parameter more than once.")
    text = values[0].strip()
    if not (text.removeprefix("-").isdigit() and text.isascii()):
        raise _bad_parameter(name, f"The value is not valid for {name}.")
    if len(text) > len(str(highest)) or not lowest <= int(text) <= highest:
        raise _bad_parameter(name, f"The field {name} must be between {lowest} and {highest}.")
    return int(text)


def _bad_parameter(name: str, reason: str) -> InvalidRequest:
    return InvalidRequest(f"The query parameter '{name}' is invalid. {reason}")


def encode_query_tag(query_tag: QueryTag, *, service_url: str) -> bytes:
    """Return a tag as a JSON object."""
    return orjson.dumps(_fields(query_tag, service_url))


def encode_query_tags(query_tags: Sequence[QueryTag], *, service_url: str) -> bytes:
    """Return tags as a JSON array."""
    return orjson.dumps([_fields(one, service_url) for one in query_tags])


def _fields(query_tag: QueryTag, service_url: str) -> dict[str, object]:
    entry = query_tag.entry
    fields: dict[str, object] = {"path": entry.path, "vr": entry.vr}
    if entry.private_creator:
        fields["privateCreator"] = entry.private_creator
    fields |= {
        "level": entry.level.name.lower(),
        "status": query_tag.status.value,
        "queryStatus": query_tag.query_status.value,
    }
    if query_tag.error_count:
        href = f"{service_url}/{RESOURCE}/{entry.path}/errors"
        fields["errors"] = {"count": query_tag.error_count, "href": href}
    if query_tag.status is QueryTagStatus.ADDING:
        operation_id = query_tag.operation_id
        fields["operation"] = {"id": operation_id, "href": f"{service_url}/operations/{operation_id}"}
    return fields


def encode_errors(errors: Sequence[QueryTagError]) -> bytes:
    """Return the errors of a tag as a JSON array."""
    return orjson.dumps(
        [
            {
                "partitionName": one.identifier.partition_name,
                "studyInstanceUid": one.identifier.study_instance_uid,
                "seriesInstanceUid": one.identifier.series_instance_uid,
                "sopInstanceUid": one.identifier.sop_instance_uid,
                "createdTime": format_timestamp(one.created_at),
                "errorMessage": told_without_value(one.code),
            }
            for one in errors
        ]
    )
