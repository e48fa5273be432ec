"""What the change feed takes and gives (dicom-service 6)."""

from __future__ import annotations

from isocenter.dicomweb.codec import change_feed
from isocenter.dicomweb.codec.dialect import Dialect
from isocenter.dicomweb.codec.openapi.description import Answer, Description, Parameter, Place
from isocenter.dicomweb.codec.openapi.operations import JSON
from isocenter.dicomweb.codec.openapi.schemas import CHANGE, FLAG, MOMENT, list_of

_GROUP = "Change feed"
_METADATA = Parameter("includeMetadata", "Whether to give the metadata of what is current.", {**FLAG, "default": True})


def describe_feed(place: Place) -> Description:
    """Return what the change feed does."""
    is_v1 = place.dialect is Dialect.AZURE_V1
    return Description(
        name="ReadChangeFeed",
        group=_GROUP,
        summary="Read the change feed",
        source="dicom-service 6.1; no transaction of PS3.18",
        text="Every instance that was stored, replaced or deleted, in the order in which that became lasting.",
        parameters=_parameters_v1() if is_v1 else _parameters(),
        answers=(Answer(200, "The rows, none where there are no more.", {JSON: list_of(CHANGE)}),),
    )


def _parameters_v1() -> tuple[Parameter, ...]:
    return (
        Parameter("offset", "The sequence after which to begin.", _number(0, change_feed.NUMBER_MAX, default=0)),
        Parameter(
            "limit",
            "How many sequences behind it to look at.",
            _number(1, change_feed.LIMIT_MAX_V1, default=change_feed.LIMIT_DEFAULT_V1),
        ),
        _METADATA,
    )


def _parameters() -> tuple[Parameter, ...]:
    return (
        Parameter("startTime", "Beginning of the window, with a time zone.", MOMENT),
        Parameter("endTime", "End of the window, which is not part of it, with a time zone.", MOMENT),
        Parameter("offset", "How many rows of the window to pass over.", _number(0, change_feed.NUMBER_MAX, default=0)),
        Parameter(
            "limit",
            "How many rows to return at most.",
            _number(1, change_feed.LIMIT_MAX, default=change_feed.LIMIT_DEFAULT),
        ),
        _METADATA,
    )


def _number(lowest: int, highest: int, *, default: int) -> dict[str, object]:
    return {"type": "integer", "format": "int64", "minimum": lowest, "maximum": highest, "default": default}


def describe_latest(_: Place) -> Description:
    """Return what the last row of the feed is."""
    return Description(
        name="ReadLatestChange",
        group=_GROUP,
        summary="Read the last row of the change feed",
        source="dicom-service 6.2",
        parameters=(_METADATA,),
        answers=(Answer(200, "The row.", {JSON: CHANGE}), Answer(204, "Nothing has happened yet.")),
    )
