"""What extended query tags take and give (dicom-service 7)."""

from __future__ import annotations

from isocenter.dicomweb.codec import query_tag_json
from isocenter.dicomweb.codec.openapi.answers import failure, failures
from isocenter.dicomweb.codec.openapi.description import Answer, Body, Description, Header, Parameter, Place
from isocenter.dicomweb.codec.openapi.operations import JSON, accepted
from isocenter.dicomweb.codec.openapi.schemas import (
    QUERY_TAG,
    QUERY_TAG_CHANGE,
    QUERY_TAG_ENTRY,
    QUERY_TAG_ERROR,
    list_of,
)

_GROUP = "Extended query tags"
_SOURCE = "dicom-service 7; no transaction of PS3.18"
_RUNNING = Header("Location", "Where to ask about the reindex that is under way, where that is the reason.")
_PAGE = (
    Parameter(
        "limit",
        "How many to return at most.",
        {
            "type": "integer",
            "minimum": 1,
            "maximum": query_tag_json.LIMIT_MAX,
            "default": query_tag_json.LIMIT_DEFAULT,
        },
    ),
    Parameter(
        "offset",
        "How many to pass over.",
        {"type": "integer", "minimum": 0, "maximum": query_tag_json.OFFSET_MAX, "default": 0},
    ),
)


def describe_add(_: Place) -> Description:
    """Return what the addition of tags does."""
    conflict = failure(409)
    return Description(
        name="AddExtendedQueryTags",
        group=_GROUP,
        summary="Index further attributes, and begin to index what is stored by them",
        source=_SOURCE,
        text="New instances are indexed at once; searches can use a tag when its reindex has ended.",
        body=Body({JSON: list_of(QUERY_TAG_ENTRY, minItems=1)}),
        answers=(
            accepted("The reindex begins."),
            *failures(404, 413),
            Answer(409, "A tag is there already, or another reindex is under way.", conflict.contents, (_RUNNING,)),
        ),
    )


def describe_list(_: Place) -> Description:
    """Return what the list of tags does."""
    return Description(
        name="ListExtendedQueryTags",
        group=_GROUP,
        summary="List the extended query tags in the order in which they were added",
        source=_SOURCE,
        parameters=_PAGE,
        answers=(Answer(200, "The tags.", {JSON: list_of(QUERY_TAG)}), *failures(404)),
    )


def describe_read(_: Place) -> Description:
    """Return what a look at a tag does."""
    return Description(
        name="ReadExtendedQueryTag",
        group=_GROUP,
        summary="Ask how far a tag is, and whether searches can use it",
        source=_SOURCE,
        answers=(Answer(200, "The tag.", {JSON: QUERY_TAG}), *failures(404)),
    )


def describe_update(_: Place) -> Description:
    """Return what a change of a tag does."""
    return Description(
        name="UpdateExtendedQueryTag",
        group=_GROUP,
        summary="Let searches use a tag, or not",
        source=_SOURCE,
        body=Body({JSON: QUERY_TAG_CHANGE}),
        answers=(Answer(200, "The tag as it is now.", {JSON: QUERY_TAG}), *failures(404, 413)),
    )


def describe_delete(_: Place) -> Description:
    """Return what the removal of a tag does."""
    return Description(
        name="DeleteExtendedQueryTag",
        group=_GROUP,
        summary="Remove a tag with what is kept of it",
        source=_SOURCE,
        answers=(Answer(204, "It goes; what is much goes in the background."), *failures(404)),
    )


def describe_errors(_: Place) -> Description:
    """Return what the errors of a tag are."""
    return Description(
        name="ListExtendedQueryTagErrors",
        group=_GROUP,
        summary="List the stored values that a reindex could not take",
        source=_SOURCE,
        parameters=_PAGE,
        answers=(Answer(200, "The errors, the oldest first.", {JSON: list_of(QUERY_TAG_ERROR)}), *failures(404)),
    )
