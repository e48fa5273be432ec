"""Events in both envelopes, field by field as the service's clients read them."""

from __future__ import annotations

from dataclasses import replace

from isocenter.domain.identifiers import InstanceIdentifier
from isocenter.domain.image_event import EventKind, EventOrigin, EventSchema, ImageEvent, encode_event

ORIGIN = EventOrigin("/workspaces/demo", "demo.dicom.local")
EVENT = ImageEvent(42, EventKind.CREATED, InstanceIdentifier("1.2", "1.2.1", "1.2.1.1"), 1_795_167_001.0)
SUBJECT = "demo.dicom.local/v1/studies/1.2/series/1.2.1/instances/1.2.1.1"
DATA = {
    "partitionName": "Microsoft.Default",
    "imageStudyInstanceUid": "1.2",
    "imageSeriesInstanceUid": "1.2.1",
    "imageSopInstanceUid": "1.2.1.1",
    "serviceHostName": "demo.dicom.local",
    "sequenceNumber": 42,
}


def test_cloud_events_have_the_attributes_of_version_1() -> None:
    document = encode_event(EVENT, EventSchema.CLOUD_EVENTS, ORIGIN)
    assert document.pop("id")
    assert document == {
        "source": "/workspaces/demo",
        "subject": SUBJECT,
        "type": "Microsoft.HealthcareApis.DicomImageCreated",
        "time": "2026-11-20T09:30:01Z",
        "data": DATA,
        "specversion": "1.0",
    }


def test_events_of_event_grid_have_its_fields() -> None:
    document = encode_event(EVENT, EventSchema.EVENT_GRID, ORIGIN)
    assert document.pop("id")
    assert document == {
        "topic": "/workspaces/demo",
        "subject": SUBJECT,
        "data": DATA,
        "eventType": "Microsoft.HealthcareApis.DicomImageCreated",
        "dataVersion": "1",
        "metadataVersion": "1",
        "eventTime": "2026-11-20T09:30:01Z",
    }


def test_types_are_those_of_the_service() -> None:
    names = {encode_event(replace(EVENT, kind=kind), EventSchema.CLOUD_EVENTS, ORIGIN)["type"] for kind in EventKind}
    assert names == {f"Microsoft.HealthcareApis.DicomImage{word}" for word in ("Created", "Updated", "Deleted")}


def test_an_event_that_is_told_twice_has_the_same_identifier_and_others_have_others() -> None:
    others = [
        replace(EVENT, sequence=43),
        replace(EVENT, timestamp=EVENT.timestamp + 1e-6),
    ]
    same = [encode_event(EVENT, schema, ORIGIN)["id"] for schema in (*EventSchema, *EventSchema)]
    different = [encode_event(one, EventSchema.CLOUD_EVENTS, ORIGIN)["id"] for one in others]
    different.append(encode_event(EVENT, EventSchema.CLOUD_EVENTS, replace(ORIGIN, source="/workspaces/b"))["id"])
    assert len(set(same)) == 1
    assert len({*same, *different}) == 1 + len(different)
