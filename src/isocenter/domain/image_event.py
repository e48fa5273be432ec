"""Events about images, in the two envelopes that Azure's Event Grid delivers (dicom-service 12.6).

An event is made from a row of the change feed alone, so that the same row always gives the same event, its identifier
included: a receiver that gets one twice can tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from isocenter.domain.identifiers import InstanceIdentifier

MARK = "{secret}"
"""Stands in the address of a receiver for its secret."""


class EventKind(StrEnum):
    """What happened to an image."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"

    @property
    def type_name(self) -> str:
        """Return the name of the type in an envelope."""
        return f"Microsoft.HealthcareApis.DicomImage{self.value.capitalize()}"


class EventSchema(StrEnum):
    """The envelope of events, and with it how a receiver agrees to get them."""

    CLOUD_EVENTS = "cloudevents"
    EVENT_GRID = "eventgrid"


@dataclass(frozen=True, slots=True)
class ImageEvent:
    """One row of the change feed as an event."""

    sequence: int
    kind: EventKind
    identifier: InstanceIdentifier
    timestamp: float
    """Seconds since the epoch, UTC."""


@dataclass(frozen=True, slots=True)
class EventOrigin:
    """Who tells of events: the service as its clients know it."""

    source: str
    """What stands for the service among others: `source` of one envelope, `topic` of the other."""
    host: str


@dataclass(frozen=True, slots=True)
class Subscription:
    """A receiver, and what it is to be told."""

    name: str
    url: str
    """Where it listens. Where `MARK` is not in it, the secret is shown as a bearer token."""
    schema: EventSchema = EventSchema.CLOUD_EVENTS
    secret_name: str = ""
    kinds: frozenset[EventKind] = frozenset(EventKind)
    batch_max: int = 1
    is_validated: bool = True
    """Whether it must agree before it is told anything."""


def encode_event(event: ImageEvent, schema: EventSchema, origin: EventOrigin) -> dict[str, Any]:
    """Return an event as JSON in the envelope of a schema."""
    identity = _identity(event, origin)
    time = datetime.fromtimestamp(event.timestamp, UTC).isoformat().replace("+00:00", "Z")
    one = event.identifier
    subject = (
        f"{origin.host}/v1/studies/{one.study_instance_uid}/series/{one.series_instance_uid}"
        f"/instances/{one.sop_instance_uid}"
    )
    data = {
        "partitionName": one.partition_name,
        "imageStudyInstanceUid": one.study_instance_uid,
        "imageSeriesInstanceUid": one.series_instance_uid,
        "imageSopInstanceUid": one.sop_instance_uid,
        "serviceHostName": origin.host,
        "sequenceNumber": event.sequence,
    }
    if schema is EventSchema.EVENT_GRID:
        return {
            "id": identity,
            "topic": origin.source,
            "subject": subject,
            "data": data,
            "eventType": event.kind.type_name,
            "dataVersion": "1",
            "metadataVersion": "1",
            "eventTime": time,
        }
    return {
        "id": identity,
        "source": origin.source,
        "subject": subject,
        "type": event.kind.type_name,
        "time": time,
        "data": data,
        "specversion": "1.0",
    }


def _identity(event: ImageEvent, origin: EventOrigin) -> str:
    """Return the same identifier whenever it is asked for; a feed that was rebuilt gives its rows other times."""
    return str(uuid5(NAMESPACE_URL, f"{origin.source} {origin.host} {event.sequence} {event.timestamp:.6f}"))
