"""What retrieves take and give: instances, metadata, frames, bulk data, and the URI service (PS3.18 9 and 10.4)."""

from __future__ import annotations

from collections.abc import Sequence

from isocenter.dicom.syntax import TRANSFER_SYNTAXES
from isocenter.dicomweb.codec.accept import (
    AZURE_FRAME_TYPES,
    DICOM,
    DICOM_JSON,
    FRAME_TYPES,
    OCTET_STREAM,
    RENDERED_TYPES,
    WEBP,
    part_type,
)
from isocenter.dicomweb.codec.dialect import Dialect
from isocenter.dicomweb.codec.openapi.answers import ATTACHED, CACHED, ENCODING, FAILURES, VARY, failures
from isocenter.dicomweb.codec.openapi.description import Answer, Contents, Description, Header, Parameter, Place
from isocenter.dicomweb.codec.openapi.parameters import ACCEPT, EXTERNAL_METADATA, IF_NONE_MATCH, ORIGINAL, RANGE
from isocenter.dicomweb.codec.openapi.schemas import BINARY, DATASETS, TEXT, UID
from isocenter.dicomweb.codec.render_request import VIEWPORT_MAX
from isocenter.domain.identifiers import Level

VIDEO_TYPES = tuple(sorted({syntax.media_type for syntax in TRANSFER_SYNTAXES if syntax.is_video}))
ALL_RENDERED_TYPES = (*RENDERED_TYPES, WEBP)
ETAG = Header("ETag", "Which version this is.")
LENGTH_RANGE = (Header("Accept-Ranges", "`bytes`, for a video."), Header("Content-Range", "Which bytes these are."))

_SYNTAX_TEXT_AZURE = (
    "`transfer-syntax` in Accept names the syntax wanted; without it Explicit VR Little Endian is meant, `*` means as "
    "stored. A syntax other than `*` is for one instance alone."
)
_SYNTAX_TEXT = (
    "`transfer-syntax` in Accept names the syntax wanted; without it, or with `*`, instances come as they are stored."
)


def describe_instances(place: Place) -> Description:
    """Return what a retrieve of instances does."""
    level = place.level or Level.STUDY
    several: Contents = {part_type(DICOM): BINARY}
    contents: Contents = {**several, DICOM: BINARY} if level is Level.INSTANCE else several
    return Description(
        name=f"Retrieve{level.name.title()}",
        group="Retrieve",
        summary=f"Retrieve {_the(level)} as DICOM",
        source="PS3.18 10.4, WADO-RS",
        text=_SYNTAX_TEXT_AZURE if place.dialect.is_azure else _SYNTAX_TEXT,
        parameters=(ORIGINAL, ACCEPT),
        answers=(Answer(200, "The instances.", contents, (ATTACHED,)), *failures(404, 406)),
    )


def describe_metadata(place: Place) -> Description:
    """Return what a retrieve of metadata does."""
    level = place.level or Level.STUDY
    is_azure = place.dialect.is_azure
    headers = (VARY, ETAG)
    return Description(
        name=f"Retrieve{level.name.title()}Metadata",
        group="Retrieve",
        summary=f"Retrieve the metadata of {_the(level)}",
        source="PS3.18 10.4.1.1.2",
        text="Values in bytes are left out." if is_azure else "Values in bytes are named by BulkDataURI.",
        parameters=(
            IF_NONE_MATCH,
            ORIGINAL,
            *((EXTERNAL_METADATA,) if place.dialect is Dialect.AZURE_V2 else ()),
            ACCEPT,
        ),
        answers=(
            Answer(200, "A data set for each instance.", {DICOM_JSON: DATASETS}, (*headers, ENCODING)),
            Answer(304, "The caller has this version.", headers=(VARY,) if is_azure else headers),
            *failures(404, 406),
        ),
    )


def describe_frames(place: Place) -> Description:
    """Return what a retrieve of frames does."""
    return Description(
        name="RetrieveFrames",
        group="Retrieve",
        summary="Retrieve frames of an instance",
        source="PS3.18 10.4.1.1.6",
        text="Several frames come in several parts, in the order asked for. " + _frames_text(place),
        parameters=(ACCEPT,),
        answers=(
            Answer(200, "The frames.", dict.fromkeys(frame_types(place), BINARY), (ATTACHED,)),
            *failures(404, 406),
        ),
    )


def frame_types(place: Place) -> Sequence[str]:
    """Return the media types that frames can have."""
    if place.dialect.is_azure:
        return AZURE_FRAME_TYPES
    types = (OCTET_STREAM, *FRAME_TYPES)
    return (*(part_type(one) for one in types), *types)


def _frames_text(place: Place) -> str:
    if place.dialect.is_azure:
        return _SYNTAX_TEXT_AZURE.partition(". A syntax")[0] + "."
    return "Frames in octets are decoded, unless `transfer-syntax` in Accept says otherwise; others come as stored."


def describe_bulk_data(place: Place) -> Description:
    """Return what a retrieve of one value does."""
    return Description(
        name="RetrieveBulkData",
        group="Retrieve",
        summary="Retrieve one value of an instance",
        source="PS3.18 10.4.1.1.5",
        text="The path is that of a BulkDataURI; that of a value in a sequence is longer, with slashes in it.",
        parameters=(ACCEPT,),
        answers=(
            Answer(200, "The value.", dict.fromkeys((OCTET_STREAM, part_type(OCTET_STREAM)), BINARY), (ATTACHED,)),
            *failures(404, 406),
        ),
    )


_URI_PARAMETERS = (
    Parameter("requestType", "What is asked for.", {"type": "string", "enum": ["WADO"]}, is_required=True),
    Parameter("studyUID", "Study Instance UID.", UID, is_required=True),
    Parameter("seriesUID", "Series Instance UID.", UID, is_required=True),
    Parameter("objectUID", "SOP Instance UID.", UID, is_required=True),
    Parameter("contentType", "Media types in the order of preference, parted by commas.", TEXT),
    Parameter("transferSyntax", "Transfer syntax UID of an instance as DICOM.", TEXT),
    Parameter("frameNumber", "Frame of which a picture is wanted.", {"type": "integer", "minimum": 1}),
    Parameter("imageQuality", "Quality of a picture.", {"type": "integer", "minimum": 1, "maximum": 100}),
    Parameter("rows", "Height that a picture must fit into.", {"type": "integer", "minimum": 1}),
    Parameter(
        "columns", f"Width that it must fit into; both are held to {VIEWPORT_MAX}.", {"type": "integer", "minimum": 1}
    ),
    Parameter("region", "Part of the frame: left,top,right,bottom from 0.0 to 1.0.", TEXT),
    Parameter("windowCenter", "Center of the window.", {"type": "number"}),
    Parameter("windowWidth", "Width of the window.", {"type": "number", "minimum": 1}),
    Parameter("anonymize", "Not done: any value but `no` is refused.", {"type": "string", "enum": ["no"]}),
)


def describe_uri_service(place: Place) -> Description:
    """Return what the URI service does."""
    types = (DICOM, *ALL_RENDERED_TYPES, *VIDEO_TYPES)
    return Description(
        name="RetrieveInstanceByUri",
        group="Retrieve",
        summary="Retrieve one instance by a query string",
        source="PS3.18 9, WADO-URI",
        text="Without `contentType` an image of one frame comes as JPEG, what has more frames as DICOM.",
        parameters=(*_URI_PARAMETERS, ORIGINAL, RANGE),
        answers=(
            Answer(
                200, "The instance, a picture of it, or its video.", dict.fromkeys(types, BINARY), (ATTACHED, CACHED)
            ),
            *video_answers(),
            *failures(404, 406),
        ),
    )


def video_answers() -> tuple[Answer, Answer]:
    """Return how a range of a video is answered."""
    return (
        Answer(206, "The range of the video.", dict.fromkeys(VIDEO_TYPES, BINARY), LENGTH_RANGE),
        Answer(416, FAILURES[416], headers=(LENGTH_RANGE[1],)),
    )


def _the(level: Level) -> str:
    return "one instance" if level is Level.INSTANCE else f"all instances of a {level.name.lower()}"
