"""What a store takes and gives (PS3.18 10.5, dicom-service 2)."""

from __future__ import annotations

from isocenter.dicomweb.codec.accept import DICOM, DICOM_JSON, part_type
from isocenter.dicomweb.codec.dialect import Dialect
from isocenter.dicomweb.codec.openapi.answers import WARNING, failures
from isocenter.dicomweb.codec.openapi.description import Answer, Body, Contents, Description, Place
from isocenter.dicomweb.codec.openapi.schemas import BINARY, STORE_RESPONSE

_RESPONSE: Contents = {DICOM_JSON: STORE_RESPONSE}


def describe_store(place: Place) -> Description:
    """Return what a store does."""
    is_put = place.method == "PUT"
    of_a_study = "" if place.level is None else "OfStudy"
    return Description(
        name=f"{'StoreOrReplace' if is_put else 'Store'}Instances{of_a_study}",
        group="Store",
        summary=("Store or replace" if is_put else "Store") + " instances" + (" of a study" if of_a_study else ""),
        source="PS3.18 10.5, STOW-RS" if not is_put else "Azure's upsert, dicom-service 2.1",
        text="Instances are kept bit for bit as they come, and answered for when they are durable."
        + (" Those of another study are refused." if of_a_study else "")
        + (" What is stored under the same UIDs is replaced." if is_put else "")
        + (_EXTERNAL if place.dialect is Dialect.AZURE_V2 else ""),
        body=Body(
            {DICOM: BINARY, part_type(DICOM): BINARY},
            "One instance as a DICOM file, or several as parts of `application/dicom`.",
        ),
        answers=(
            Answer(200, "All instances are stored.", _RESPONSE, (WARNING,)),
            Answer(202, _accepted(place.dialect), _RESPONSE, (WARNING,)),
            Answer(204, "The body has no instance."),
            Answer(409, "No instance is stored; FailedSOPSequence says why.", _RESPONSE),
            *failures(406, 413, 415),
        ),
    )


_EXTERNAL = (
    " Headers that read `msdicom-meta-VR-ggggeeee` hold values of private attributes that are kept beside the study."
)


def _accepted(dialect: Dialect) -> str:
    if dialect is Dialect.AZURE_V1:
        return "Some instances are stored and others are not."
    return "Some instances are stored and others are not, or are stored with a warning."
