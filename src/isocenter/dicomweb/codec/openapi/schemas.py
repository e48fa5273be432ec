"""Schemas of what goes to and fro, by the names that the document has for them."""

from __future__ import annotations

from collections.abc import Mapping

from isocenter.dicomweb.codec.openapi.description import Schema
from isocenter.domain.identifiers import UID_LENGTH_MAX
from isocenter.domain.operation import OperationStatus, OperationType
from isocenter.domain.query_tag import KINDS_BY_VR, QueryStatus, QueryTagStatus
from isocenter.ports.index import ChangeAction, ChangeState

TEXT: Schema = {"type": "string"}
BINARY: Schema = {"type": "string", "format": "binary"}
FLAG: Schema = {"type": "boolean"}
MOMENT: Schema = {"type": "string", "format": "date-time"}
ADDRESS: Schema = {"type": "string", "format": "uri"}
UID: Schema = {"type": "string", "pattern": r"^[0-9.]*[0-9]$", "minLength": 1, "maxLength": UID_LENGTH_MAX}
COUNT: Schema = {"type": "integer", "minimum": 0}
ANYTHING: Schema = {}

_VRS = "AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN UR US UT UV"
"""PS3.5 table 6.2-1."""


def reference(name: str) -> Schema:
    """Return a schema that stands for a named one."""
    return {"$ref": f"#/components/schemas/{name}"}


def list_of(schema: Schema, **limits: int) -> Schema:
    """Return the schema of an array."""
    return {"type": "array", "items": schema, **limits}


def record(text: str, fields: Mapping[str, Schema], *, required: tuple[str, ...] = (), is_open: bool = False) -> Schema:
    """Return the schema of an object whose fields have names; others may be there only where it `is_open`."""
    needs: Schema = {"required": list(required)} if required else {}
    return {"type": "object", "description": text, "properties": fields, "additionalProperties": is_open, **needs}


DATASET = reference("Dataset")
DATASETS = reference("Datasets")
ONE_DATASET = reference("OneDataset")
STORE_RESPONSE = reference("StoreResponse")
CHANGE = reference("Change")
OPERATION = reference("Operation")
OPERATION_REFERENCE = reference("OperationReference")
PARTITION = reference("Partition")
EXPORT_REQUEST = reference("ExportRequest")
UPDATE_REQUEST = reference("UpdateRequest")
PAUSE = reference("Pause")
QUERY_TAG = reference("ExtendedQueryTag")
QUERY_TAG_ENTRY = reference("ExtendedQueryTagEntry")
QUERY_TAG_CHANGE = reference("ExtendedQueryTagChange")
QUERY_TAG_ERROR = reference("ExtendedQueryTagError")
CAPABILITIES = reference("Capabilities")

_ATTRIBUTE = record(
    "An attribute: its VR, and its values or where they are to be had.",
    {
        "vr": {"type": "string", "enum": _VRS.split(" ")},
        "Value": list_of(ANYTHING),
        "BulkDataURI": TEXT,
        "InlineBinary": {"type": "string", "format": "byte"},
    },
    required=("vr",),
)
_CHANGE = record(
    "One row of the change feed.",
    {
        "sequence": {"type": "integer", "format": "int64", "minimum": 1},
        "partitionName": TEXT,
        "studyInstanceUid": TEXT,
        "seriesInstanceUid": TEXT,
        "sopInstanceUid": TEXT,
        "action": {"type": "string", "enum": [action.value for action in ChangeAction]},
        "timestamp": MOMENT,
        "state": {"type": "string", "enum": [state.value for state in ChangeState]},
        "metadata": DATASET,
    },
    required=(
        "sequence",
        "partitionName",
        "studyInstanceUid",
        "seriesInstanceUid",
        "sopInstanceUid",
        "action",
        "timestamp",
        "state",
    ),
)
_OPERATION = record(
    "Long work: what it is and how far it is. What is not known is left out.",
    {
        "operationId": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
        "type": {"type": "string", "enum": [kind.value for kind in OperationType]},
        "createdTime": MOMENT,
        "lastUpdatedTime": MOMENT,
        "status": {
            "type": "string",
            "enum": [*(status.value for status in OperationStatus), "completed"],
            "description": "Version 1 says `completed` where the others say `succeeded`.",
        },
        "percentComplete": {"type": "number", "minimum": 0, "maximum": 100},
        "paused": FLAG,
        "resources": list_of(ADDRESS),
        "results": {"type": "object", "description": "What came of it; its fields follow from `type`."},
    },
    required=("operationId", "type", "createdTime", "lastUpdatedTime", "status"),
)
_SOURCE = record(
    "What is exported.",
    {
        "type": {"type": "string", "enum": ["identifiers"]},
        "settings": record(
            "Studies, `study/series` or `study/series/instance`.",
            {"values": list_of({"type": "string", "pattern": r"^[0-9.]+(/[0-9.]+){0,2}$"}, minItems=1)},
            required=("values",),
        ),
    },
    required=("type", "settings"),
)
_DESTINATION = record(
    "Where it goes: a folder below the node's own, or a container of Azure Blob Storage.",
    {
        "type": {"type": "string", "enum": ["folder", "azureblob"]},
        "settings": record(
            "`path` for a folder; `blobContainerUri`, or `connectionString` and `blobContainerName`.",
            {
                "path": TEXT,
                "blobContainerUri": TEXT,
                "connectionString": TEXT,
                "blobContainerName": TEXT,
                "useManagedIdentity": FLAG,
            },
        ),
    },
    required=("type", "settings"),
)
_TAG_PATH: Schema = {"type": "string", "pattern": "^([0-9A-Fa-f]{8}|[A-Z][A-Za-z0-9]+)$"}
_TAG_VR: Schema = {"type": "string", "enum": sorted(KINDS_BY_VR)}
_QUERY_TAG = record(
    "An attribute that is indexed beside those of every archive.",
    {
        "path": _TAG_PATH,
        "vr": _TAG_VR,
        "privateCreator": TEXT,
        "level": {"type": "string", "enum": ["study", "series", "instance"]},
        "status": {"type": "string", "enum": [status.value for status in QueryTagStatus]},
        "queryStatus": {"type": "string", "enum": [status.value for status in QueryStatus]},
        "errors": record(
            "Values that could not be taken.", {"count": COUNT, "href": ADDRESS}, required=("count", "href")
        ),
        "operation": reference("OperationReference"),
    },
    required=("path", "vr", "level", "status", "queryStatus"),
)
_QUERY_TAG_ERROR = record(
    "A stored value that a reindex could not take; the message never holds it.",
    {
        "partitionName": TEXT,
        "studyInstanceUid": TEXT,
        "seriesInstanceUid": TEXT,
        "sopInstanceUid": TEXT,
        "createdTime": MOMENT,
        "errorMessage": TEXT,
    },
    required=(
        "partitionName",
        "studyInstanceUid",
        "seriesInstanceUid",
        "sopInstanceUid",
        "createdTime",
        "errorMessage",
    ),
)
SCHEMAS: Mapping[str, Schema] = {
    "Attribute": _ATTRIBUTE,
    "Dataset": {
        "type": "object",
        "description": "A data set in DICOM JSON (PS3.18 annex F): attributes by eight hexadecimal digits.",
        "additionalProperties": reference("Attribute"),
    },
    "Datasets": list_of(DATASET),
    "OneDataset": list_of(DATASET, minItems=1, maxItems=1),
    "StoreResponse": record(
        "What became of each instance (PS3.18 table 10.5.3-1): `00081190` RetrieveURL of the study, `00081198` "
        "FailedSOPSequence, `00081199` ReferencedSOPSequence.",
        {
            "00081190": reference("Attribute"),
            "00081198": reference("Attribute"),
            "00081199": reference("Attribute"),
        },
    ),
    "Change": _CHANGE,
    "Operation": _OPERATION,
    "OperationReference": record(
        "An operation that began, and where to ask about it.",
        {"id": {"type": "string", "pattern": "^[0-9a-f]{32}$"}, "href": ADDRESS},
        required=("id", "href"),
    ),
    "Pause": record("Whether an operation is to pause.", {"paused": FLAG}, required=("paused",)),
    "Partition": record(
        "A data partition.",
        {"partitionKey": {"type": "integer", "minimum": 1}, "partitionName": TEXT, "createdDate": MOMENT},
        required=("partitionKey", "partitionName", "createdDate"),
    ),
    "ExportRequest": record(
        "What is exported, everything where `source` is left out, and where it goes.",
        {"source": _SOURCE, "destination": _DESTINATION},
        required=("destination",),
    ),
    "UpdateRequest": record(
        "Which studies are changed, and to what. `seriesInstanceUid`, `sopInstanceUid` narrow a change of UIDs down.",
        {
            "studyInstanceUids": list_of(UID, minItems=1, maxItems=50),
            "changeDataset": DATASET,
            "seriesInstanceUid": UID,
            "sopInstanceUid": UID,
        },
        required=("studyInstanceUids", "changeDataset"),
    ),
    "ExtendedQueryTag": _QUERY_TAG,
    "ExtendedQueryTagEntry": record(
        "An attribute to be indexed: `vr` where the dictionary does not know it, `privateCreator` of a private one.",
        {
            "path": _TAG_PATH,
            "vr": _TAG_VR,
            "privateCreator": TEXT,
            "level": {"type": "string", "enum": ["Study", "Series", "Instance"]},
        },
        required=("path", "level"),
        is_open=True,
    ),
    "ExtendedQueryTagChange": record(
        "Whether searches may use a tag.",
        {"queryStatus": {"type": "string", "enum": ["Enabled", "Disabled"]}},
        required=("queryStatus",),
    ),
    "ExtendedQueryTagError": _QUERY_TAG_ERROR,
    "Capabilities": record(
        "What the service offers.",
        {
            "base": ADDRESS,
            "resources": list_of(
                record(
                    "A resource.",
                    {
                        "path": TEXT,
                        "methods": list_of(
                            record(
                                "A method of it.",
                                {
                                    "name": TEXT,
                                    "parameters": list_of(TEXT),
                                    "request": list_of(TEXT),
                                    "response": list_of(TEXT),
                                },
                                required=("name", "parameters", "request", "response"),
                            )
                        ),
                    },
                    required=("path", "methods"),
                )
            ),
        },
        required=("base", "resources"),
    ),
}
