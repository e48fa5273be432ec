"""One table from errors to what each protocol answers.

HTTP status: dicom-service 1.2. DIMSE status: PS3.4 B.2.3 and PS3.7 annex C. Failure reason: dicom-service 2.4.
"""

from __future__ import annotations

from dataclasses import dataclass

from isocenter.domain import errors


@dataclass(frozen=True, slots=True)
class Statuses:
    """What an error becomes at each edge."""

    http_status: int
    dimse_status: int
    failure_reason: int


PROCESSING_FAILURE = 0x0110
VALIDATION_FAILED = 0xA900
INSTANCE_EXISTS = 0xB00E
OUT_OF_RESOURCES = 0xA700
CANNOT_UNDERSTAND = 0xC000
IDENTIFIER_DOES_NOT_MATCH = 0xA900
"""PS3.4 C.4.1.1.4: the identifier is not one of the SOP class."""

_TABLE: dict[type[errors.IsocenterError], Statuses] = {
    errors.InvalidRequest: Statuses(400, 0x0115, PROCESSING_FAILURE),
    errors.MissingAttribute: Statuses(400, 0x0120, PROCESSING_FAILURE),
    errors.MissingAttributeValue: Statuses(400, 0x0121, PROCESSING_FAILURE),
    errors.InvalidAttributeValue: Statuses(400, 0x0106, PROCESSING_FAILURE),
    errors.InvalidKey: Statuses(400, IDENTIFIER_DOES_NOT_MATCH, PROCESSING_FAILURE),
    errors.InvalidDataset: Statuses(409, CANNOT_UNDERSTAND, VALIDATION_FAILED),
    errors.UnexpectedInstance: Statuses(409, 0xA900, VALIDATION_FAILED),
    errors.NotAcceptable: Statuses(406, 0xA900, PROCESSING_FAILURE),
    errors.UnsupportedMediaType: Statuses(415, 0x0122, PROCESSING_FAILURE),
    errors.TooLarge: Statuses(413, OUT_OF_RESOURCES, PROCESSING_FAILURE),
    errors.TooSlow: Statuses(408, PROCESSING_FAILURE, PROCESSING_FAILURE),
    errors.Unauthenticated: Statuses(401, 0x0124, PROCESSING_FAILURE),
    errors.Forbidden: Statuses(403, 0x0124, PROCESSING_FAILURE),
    errors.Refused: Statuses(400, PROCESSING_FAILURE, PROCESSING_FAILURE),
    errors.NotFound: Statuses(404, 0x0112, PROCESSING_FAILURE),
    errors.InstanceExists: Statuses(409, 0x0111, INSTANCE_EXISTS),
    errors.Conflict: Statuses(409, PROCESSING_FAILURE, PROCESSING_FAILURE),
    errors.StorageFull: Statuses(507, OUT_OF_RESOURCES, OUT_OF_RESOURCES),
    errors.StorageFailed: Statuses(503, PROCESSING_FAILURE, PROCESSING_FAILURE),
    errors.Unavailable: Statuses(503, OUT_OF_RESOURCES, OUT_OF_RESOURCES),
    errors.Broken: Statuses(500, PROCESSING_FAILURE, PROCESSING_FAILURE),
    errors.IsocenterError: Statuses(500, PROCESSING_FAILURE, PROCESSING_FAILURE),
}


def statuses_of(error: errors.IsocenterError) -> Statuses:
    """Return what each protocol answers to an error: the row of its nearest class in the tree."""
    return next(_TABLE[kind] for kind in type(error).__mro__ if kind in _TABLE)
