"""What long work takes and gives: operations, and what begins one (dicom-service 8 and 11)."""

from __future__ import annotations

from isocenter.dicomweb.codec.accept import DICOM_JSON
from isocenter.dicomweb.codec.openapi.answers import LOCATION, PLAIN, failure, failures
from isocenter.dicomweb.codec.openapi.description import Answer, Body, Description, Place
from isocenter.dicomweb.codec.openapi.schemas import (
    DATASET,
    EXPORT_REQUEST,
    OPERATION,
    OPERATION_REFERENCE,
    PAUSE,
    TEXT,
    UPDATE_REQUEST,
)

JSON = "application/json"
_GROUP = "Operations"


def describe_operation(_: Place) -> Description:
    """Return what a look at an operation does."""
    return Description(
        name="ReadOperation",
        group=_GROUP,
        summary="Ask how far an operation is",
        source="dicom-service 8",
        answers=(
            Answer(200, "It has ended.", {JSON: OPERATION}),
            Answer(202, "It goes on.", {JSON: OPERATION}, (LOCATION,)),
            *failures(404),
        ),
    )


def describe_pause(_: Place) -> Description:
    """Return what the pause of an operation does."""
    return Description(
        name="PauseOperation",
        group=_GROUP,
        summary="Pause an operation, or let it go on",
        source="beyond Azure's service",
        body=Body({JSON: PAUSE}),
        answers=(Answer(200, "It pauses, or goes on.", {JSON: OPERATION}), *failures(404, 413)),
    )


def describe_export(_: Place) -> Description:
    """Return what an export does."""
    return Description(
        name="ExportInstances",
        group="Export",
        summary="Export studies, series, instances or everything",
        source="dicom-service 11.1",
        body=Body({JSON: EXPORT_REQUEST}),
        answers=(accepted("The export begins."), *failures(404, 413)),
    )


def describe_update(_: Place) -> Description:
    """Return what a bulk update does."""
    refusal = "The body cannot be understood, or names attributes that cannot be changed: those a data set tells of."
    return Description(
        name="UpdateStudies",
        group="Update",
        summary="Change attributes of every instance of some studies, or their UIDs",
        source="dicom-service 11.2",
        body=Body({JSON: UPDATE_REQUEST}),
        answers=(
            accepted("The update begins."),
            failure(400, refusal, {PLAIN: TEXT, DICOM_JSON: DATASET}),
            *failures(404, 409, 413),
        ),
    )


def accepted(text: str) -> Answer:
    """Return the answer to who begins an operation."""
    return Answer(202, text, {JSON: OPERATION_REFERENCE}, (LOCATION,))
