"""What can go wrong with a FHIR server, and what follows.

Refused
└── FhirRefused             the server does not take it: the study waits for a person, the feed goes on
Conflict
└── FhirConflict            somebody else wrote meanwhile: read again, try again
Unavailable
├── FhirUnavailable         the server does not answer, or not now: try again, for as long as it takes
└── FhirNotUsable           nothing can be cast before a person changes something: credentials, address, version
"""

from __future__ import annotations

from isocenter.domain.errors import Conflict, Refused, Unavailable


class FhirRefused(Refused):
    """The FHIR server does not take this."""


class FhirConflict(Conflict):
    """A resource on the FHIR server was changed by somebody else meanwhile."""


class FhirUnavailable(Unavailable):
    """The FHIR server does not answer now."""

    def __init__(self, message: str | None = None, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        """How long it asks to be left alone, where it does."""


class FhirNotUsable(Unavailable):
    """The FHIR server cannot be used as it is set up."""
