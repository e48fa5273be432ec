"""Parameters that stand in paths, and those that many routes know."""

from __future__ import annotations

from collections.abc import Mapping

from isocenter.dicomweb.codec.openapi.description import Parameter
from isocenter.dicomweb.codec.openapi.schemas import TEXT, UID
from isocenter.domain.partition import PARTITION_NAME_LENGTH_MAX

PATH_PARAMETERS: Mapping[str, Parameter] = {
    one.name: one
    for one in (
        Parameter("study", "Study Instance UID.", UID, "path", is_required=True),
        Parameter("series", "Series Instance UID.", UID, "path", is_required=True),
        Parameter("instance", "SOP Instance UID.", UID, "path", is_required=True),
        Parameter(
            "frames",
            "Numbers of frames from 1 on, parted by commas.",
            {"type": "string", "pattern": "^0*[1-9][0-9]*(,0*[1-9][0-9]*)*$"},
            "path",
            is_required=True,
        ),
        Parameter(
            "path",
            "The path of a value as its BulkDataURI has it: the tag, or tags and item numbers with slashes between.",
            TEXT,
            "path",
            is_required=True,
        ),
        Parameter("workitem", "SOP Instance UID of the workitem.", UID, "path", is_required=True),
        Parameter(
            "operation",
            "Identifier of the operation, a GUID in any of its forms.",
            {"type": "string", "pattern": "^[0-9a-f]{32}$"},
            "path",
            is_required=True,
        ),
        Parameter(
            "tag",
            "The attribute, by eight hexadecimal digits or its keyword.",
            {"type": "string", "pattern": "^([0-9A-Fa-f]{8}|[A-Z][A-Za-z0-9]+)$"},
            "path",
            is_required=True,
        ),
        Parameter(
            "partition",
            "Name of the data partition.",
            {"type": "string", "pattern": f"^[A-Za-z0-9._-]{{1,{PARTITION_NAME_LENGTH_MAX}}}$"},
            "path",
            is_required=True,
        ),
    )
}
"""By the name that patterns of routes have for them."""

ACCEPT = Parameter("accept", "A media type, which wins over the header of that name (PS3.18 8.3.3.1).", TEXT)
ORIGINAL = Parameter(
    "msdicom-request-original",
    "`true` gives instances as they were first stored, before any update; anything else as they are now.",
    TEXT,
    "header",
)
EXTERNAL_METADATA = Parameter(
    "msdicom-request-meta",
    "`true` takes what was handed in beside studies into account; anything else leaves it out.",
    TEXT,
    "header",
)
IF_NONE_MATCH = Parameter("If-None-Match", "The `ETag` of what the caller has.", TEXT, "header")
RANGE = Parameter("Range", "Which bytes of a video are wanted, as `bytes=first-last`.", TEXT, "header")
