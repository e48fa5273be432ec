"""The change feed's query strings and JSON (dicom-service 6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qsl

import orjson

from isocenter.dicomweb.codec.dialect import Dialect
from isocenter.domain.errors import InvalidRequest
from isocenter.ports.index import Change

LIMIT_MAX, LIMIT_DEFAULT = 200, 100
LIMIT_MAX_V1, LIMIT_DEFAULT_V1 = 100, 10
NUMBER_MAX = 2**63 - 1
_ZONE_MISSING = "Date and time value must specify a time zone."


@dataclass(frozen=True, slots=True)
class FeedRequest:
    """What is asked of the feed."""

    limit: int
    offset: int = 0
    """Version 1: the sequence after which to begin. Version 2: rows to pass over in the window."""
    start: float | None = None
    end: float | None = None
    """Seconds since the epoch; `start` belongs to the window, `end` does not."""
    includes_metadata: bool = True


def parse_feed_request(query_string: str, dialect: Dialect) -> FeedRequest:
    """Return what a query string asks for. Raises InvalidRequest; unknown parameters are passed over."""
    parameters = _parameters(query_string)
    is_v1 = dialect is Dialect.AZURE_V1
    limit_max, default = (LIMIT_MAX_V1, LIMIT_DEFAULT_V1) if is_v1 else (LIMIT_MAX, LIMIT_DEFAULT)
    limit = _number(parameters, "limit", default, lowest=1, highest=limit_max)
    offset = _number(parameters, "offset", 0, lowest=0, highest=NUMBER_MAX)
    includes_metadata = _includes_metadata(parameters)
    if is_v1:
        return FeedRequest(limit, offset, includes_metadata=includes_metadata)
    start, end = _time(parameters, "startTime"), _time(parameters, "endTime")
    if start is not None and end is not None and end <= start:
        raise InvalidRequest(_invalid("endTime", "It must be later than startTime."))
    return FeedRequest(limit, offset, start, end, includes_metadata)


def parse_latest_request(query_string: str) -> bool:
    """Return whether the latest row is asked for with its metadata. Raises InvalidRequest."""
    return _includes_metadata(_parameters(query_string))


def encode_changes(changes: Sequence[Change], metadata: Mapping[int, bytes]) -> bytes:
    """Return rows as a JSON array, each with the metadata of its current instance where there is one."""
    return b"[" + b",".join(encode_change(change, metadata) for change in changes) + b"]"


def encode_change(change: Change, metadata: Mapping[int, bytes]) -> bytes:
    """Return a row as a JSON object."""
    identifier = change.identifier
    fields = {
        "sequence": change.sequence,
        "partitionName": identifier.partition_name,
        "studyInstanceUid": identifier.study_instance_uid,
        "seriesInstanceUid": identifier.series_instance_uid,
        "sopInstanceUid": identifier.sop_instance_uid,
        "action": change.action.value,
        "timestamp": format_timestamp(change.timestamp),
        "state": change.state.value,
    }
    if change.instance_key is not None and change.instance_key in metadata:
        fields["metadata"] = orjson.Fragment(metadata[change.instance_key])
    return orjson.dumps(fields)


def format_timestamp(timestamp: float) -> str:
    """Return seconds since the epoch as the service writes them: UTC, seven digits behind the second."""
    moment = datetime.fromtimestamp(timestamp, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06d}0+00:00"


def _parameters(query_string: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in parse_qsl(query_string, keep_blank_values=True):
        if name.lower() in found:
            raise InvalidRequest("Cannot specify parameter more than once.")
        found[name.lower()] = value
    return found


def _number(parameters: Mapping[str, str], name: str, default: int, *, lowest: int, highest: int) -> int:
    text = parameters.get(name)
    if text is None:
        return default
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(NUMBER_MAX))
    if not is_number or not lowest <= int(text) <= highest:
        raise InvalidRequest(_invalid(name, f"It must be a number from {lowest} to {highest}."))
    return int(text)


def _includes_metadata(parameters: Mapping[str, str]) -> bool:
    text = parameters.get("includemetadata", "true").lower()
    if text not in ("true", "false"):
        raise InvalidRequest(_invalid("includeMetadata", "It must be true or false."))
    return text == "true"


def _time(parameters: Mapping[str, str], name: str) -> float | None:
    text = parameters.get(name.lower())
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(_microseconds(text.strip()))
        is_aware = moment.tzinfo is not None
        return moment.timestamp() if is_aware else _refuse_zone()
    except (ValueError, OverflowError) as error:
        raise InvalidRequest(
            _invalid(name, "It must be a date and time by ISO 8601; a plus sign is written %2B.")
        ) from error


def _refuse_zone() -> float:
    raise InvalidRequest(_ZONE_MISSING)


def _microseconds(text: str) -> str:
    """Return a time with at most six digits behind the second: the service writes seven."""
    head, point, tail = text.partition(".")
    digits = len(tail) - len(tail.lstrip("0123456789"))
    return head + point + tail[: min(digits, 6)] + tail[digits:]


def _invalid(name: str, reason: str) -> str:
    return f"The query parameter '{name}' is invalid. {reason}"
