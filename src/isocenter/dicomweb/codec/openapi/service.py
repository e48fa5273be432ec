"""What the service says of itself and of its partitions, and the deletion of what it has."""

from __future__ import annotations

from isocenter.dicomweb.codec.openapi.answers import ENCODING, VARY, failures
from isocenter.dicomweb.codec.openapi.description import Answer, Description, Place
from isocenter.dicomweb.codec.openapi.operations import JSON
from isocenter.dicomweb.codec.openapi.parameters import ACCEPT
from isocenter.dicomweb.codec.openapi.schemas import CAPABILITIES, PARTITION, TEXT, list_of
from isocenter.domain.identifiers import Level

WADL = "application/vnd.sun.wadl+xml"
YAML = "application/yaml"
"""RFC 9512."""
_GROUP = "The service itself"


def describe_delete(place: Place) -> Description:
    """Return what a deletion does."""
    level = place.level or Level.STUDY
    article = "an" if level is Level.INSTANCE else "a"
    return Description(
        name=f"Delete{level.name.title()}",
        group="Delete",
        summary=f"Delete {article} {level.name.lower()}",
        source="dicom-service 5; no transaction of PS3.18",
        text="It is gone for every reader at once; its bytes are destroyed after a grace.",
        answers=(Answer(204, "It is gone."), *failures(404)),
    )


def describe_partitions(_: Place) -> Description:
    """Return what the list of partitions is."""
    return Description(
        name="ListPartitions",
        group=_GROUP,
        summary="List data partitions",
        source="dicom-service 10",
        text="Refused where `azure.partitions` is off.",
        answers=(Answer(200, "All of them.", {JSON: list_of(PARTITION)}),),
    )


def describe_capabilities(_: Place) -> Description:
    """Return what the description of the service is."""
    return Description(
        name="DescribeService",
        group=_GROUP,
        summary="Describe what is offered, as WADL or JSON",
        source="PS3.18 8.9",
        parameters=(ACCEPT,),
        answers=(
            Answer(200, "Each resource with its methods.", {WADL: TEXT, JSON: CAPABILITIES}, (VARY,)),
            *failures(406),
        ),
    )


def describe_openapi(place: Place) -> Description:
    """Return what the OpenAPI document is."""
    form = place.pattern.rpartition(".")[2]
    media_type = YAML if form == "yaml" else JSON
    return Description(
        name=f"ReadOpenapi{form.title()}",
        group=_GROUP,
        summary=f"Read this description as {form.upper()}",
        source="dicom-service 0.1; OpenAPI 3.0",
        answers=(Answer(200, "The OpenAPI document.", {media_type: {"type": "object"}}, (VARY, ENCODING)),),
    )
