"""What workitems take and give (PS3.18 11, dicom-service 9)."""

from __future__ import annotations

from collections.abc import Sequence

from isocenter.dicomweb.codec.accept import DICOM_JSON
from isocenter.dicomweb.codec.dialect import Dialect
from isocenter.dicomweb.codec.openapi.answers import ENCODING, PLAIN, VARY, WARNING, failure, failures
from isocenter.dicomweb.codec.openapi.description import Answer, Body, Description, Header, Parameter, Place, Schema
from isocenter.dicomweb.codec.openapi.parameters import ACCEPT
from isocenter.dicomweb.codec.openapi.schemas import DATASET, DATASETS, ONE_DATASET, TEXT, UID
from isocenter.dicomweb.codec.openapi.search import scalar_parameters
from isocenter.dicomweb.codec.workitem_query import WORKITEMS_MAX
from isocenter.domain.workitem_search import AZURE_SEARCHABLE, SEARCHABLE, SearchableAttribute

_GROUP = "Workitems"
_URL = "Address of the workitem."
_AT = Header("Content-Location", _URL, is_always_there=True)
_UID_TEXT = "by Azure's rules the name of the first parameter of the query is the UID itself, as `?1.2.3`"


def describe_create(place: Place) -> Description:
    """Return what the creation of a workitem does."""
    return Description(
        name="CreateWorkitem",
        group=_GROUP,
        summary="Create a workitem",
        source="PS3.18 11.4, UPS-RS",
        text=f"The UID stands in the query or in the body; {_UID_TEXT}.",
        parameters=_uid_parameter(place, "workitem", "SOP Instance UID of the new workitem."),
        body=_body(place),
        answers=(
            Answer(201, "The workitem is there.", headers=(Header("Location", _URL, is_always_there=True), _AT)),
            *_failures(place, 409),
            *failures(406),
        ),
    )


def describe_search(place: Place) -> Description:
    """Return what a search for workitems does."""
    headers = (VARY, ENCODING, WARNING)
    return Description(
        name="SearchWorkitems",
        group=_GROUP,
        summary="Search for workitems",
        source="PS3.18 11.9",
        text=f"An answer has at most {WORKITEMS_MAX} workitems. Attributes of items are named by dotted paths.",
        parameters=(
            *scalar_parameters(place.dialect),
            *(Parameter(one.keyword, f"{one.vr}.", TEXT) for one in searchable_attributes(place.dialect)),
            ACCEPT,
        ),
        answers=(
            Answer(200, "What matches.", {DICOM_JSON: DATASETS}, headers),
            Answer(204, "Nothing matches.", headers=headers),
            Answer(206, _partial(place), {DICOM_JSON: DATASETS}, headers),
            *failures(406),
        ),
    )


def searchable_attributes(dialect: Dialect) -> Sequence[SearchableAttribute]:
    """Return the attributes that a search for workitems matches."""
    return AZURE_SEARCHABLE if dialect.is_azure else SEARCHABLE


def _partial(place: Place) -> str:
    if place.dialect.is_azure:
        return "Some of what matches cannot be read."
    return "There is more, or some of what matches cannot be read."


def describe_retrieve(place: Place) -> Description:
    """Return what the retrieve of a workitem does."""
    schema: Schema = {"oneOf": [DATASET, ONE_DATASET]} if place.dialect.is_azure else ONE_DATASET
    return Description(
        name="RetrieveWorkitem",
        group=_GROUP,
        summary="Retrieve a workitem",
        source="PS3.18 11.5",
        text="All of its attributes but the Transaction UID."
        + (" An object, or an array where `azure.workitem_body` says so." if place.dialect.is_azure else ""),
        parameters=(ACCEPT,),
        answers=(Answer(200, "The workitem.", {DICOM_JSON: schema}), *_failures(place, 404), *failures(406)),
    )


def describe_update(place: Place) -> Description:
    """Return what the update of a workitem does."""
    return Description(
        name="UpdateWorkitem",
        group=_GROUP,
        summary="Change attributes of a workitem",
        source="PS3.18 11.6",
        text=f"A claimed workitem needs its Transaction UID in the query; {_UID_TEXT}.",
        parameters=_uid_parameter(place, "transaction", "Transaction UID of a claimed workitem."),
        body=_body(place),
        answers=(Answer(200, "The workitem is changed.", headers=(_AT,)), *_failures(place, 404, 409)),
    )


def describe_change_state(place: Place) -> Description:
    """Return what a change of state does."""
    return Description(
        name="ChangeWorkitemState",
        group=_GROUP,
        summary="Claim a workitem, complete it or cancel it",
        source="PS3.18 11.7",
        text="The body has Transaction UID (0008,1195) and Procedure Step State (0074,1000).",
        body=_body(place),
        answers=(Answer(200, "The workitem is in that state.", headers=(WARNING,)), *_failures(place, 404, 409)),
    )


def describe_cancellation(place: Place) -> Description:
    """Return what a request for cancellation does."""
    return Description(
        name="RequestWorkitemCancellation",
        group=_GROUP,
        summary="Ask that a workitem be canceled",
        source="PS3.18 11.8",
        text="Only what nobody has claimed can be canceled so.",
        body=_body(place, is_required=place.dialect.is_azure),
        answers=(Answer(202, "The workitem is canceled.", {DICOM_JSON: TEXT}), *_failures(place, 404, 409)),
    )


def _uid_parameter(place: Place, name: str, text: str) -> tuple[Parameter, ...]:
    return () if place.dialect.is_azure else (Parameter(name, text, UID),)


def _body(place: Place, *, is_required: bool = True) -> Body:
    types = (DICOM_JSON,) if place.dialect.is_azure else (DICOM_JSON, "application/json")
    return Body(dict.fromkeys(types, ONE_DATASET), "An array with one data set.", is_required)


def _failures(place: Place, *statuses: int) -> tuple[Answer, ...]:
    """Return refusals, which are sentences in JSON once the request is about a workitem."""
    with_body = () if place.method == "GET" else (failure(413), failure(415))
    about = (failure(status, contents={DICOM_JSON: TEXT, PLAIN: TEXT}) for status in (400, *statuses))
    return (*about, *with_body)
