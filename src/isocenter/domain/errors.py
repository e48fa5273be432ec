"""The one tree of errors, and what each tells the caller to do next.

    IsocenterError
    ├── Refused                 the caller's fault; the same request will fail again
    │   ├── InvalidRequest          malformed identifiers, query, body
    │   │   ├── WorkitemRefused         the state of a workitem, or who holds its lock, does not allow it
    │   │   ├── InvalidKey              a key of a search that is missing, or has a value that cannot be matched
    │   │   ├── InvalidChanges          attributes that a bulk update cannot change, or not to that value
    │   │   └── InvalidAttributes       attributes of an object that is created or changed
    │   │       ├── MissingAttribute        one that it must have is not there
    │   │       ├── MissingAttributeValue   one that must have a value is empty
    │   │       └── InvalidAttributeValue   one has a value that it cannot have
    │   ├── InvalidSetting          a setting that is unknown or cannot have that value
    │   ├── InvalidDataset          bytes that are not an instance that can be kept
    │   │   ├── LimitExceeded       beyond a limit on depth, count, length or expansion
    │   │   ├── StudyMismatch       an instance of another study than the one named
    │   │   └── UnexpectedInstance  another instance than the one announced
    │   ├── NotAcceptable           no representation fits what the caller accepts
    │   ├── UnsupportedMediaType    a body in a form that is not taken
    │   ├── TooLarge                a body above the limit
    │   ├── TooSlow                 a body that stopped coming
    │   ├── Unauthenticated         no valid evidence of who calls
    │   └── Forbidden               known, but not allowed
    ├── NotFound                nothing there under that name
    │   └── WorkitemNotFound        no workitem of that UID
    ├── Conflict                the state of the archive forbids it
    │   ├── InstanceExists          the same SOP instance with other bytes is stored
    │   ├── QueryTagExists          an extended query tag of that path is there
    │   ├── QueryTagsChanged        extended query tags were added or removed meanwhile
    │   ├── StepFinished            the performed procedure step was completed or discontinued
    │   ├── WorkitemExists          a workitem of that UID is there
    │   ├── WorkitemChanged         somebody else changed the workitem meanwhile
    │   ├── CancellationRefused     a workitem that is being performed, or was, is not canceled on request
    │   └── AlreadyCanceled         the workitem is canceled
    ├── Unavailable             try again later
    │   ├── StorageFull             no room on the volume of packs or of the index
    │   ├── StorageFailed           the volume answered with an I/O error
    │   ├── Overloaded              a bounded queue is full
    │   └── PeerUnreachable         another system does not answer
    └── Broken                  ours
        └── CorruptInstance         stored bytes no longer match their checksum

Only `Unavailable` is worth a retry. A message never holds the value of an attribute.
"""

from __future__ import annotations

from typing import Self


class IsocenterError(Exception):
    """Something went wrong in isocenter."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or " ".join((self.__doc__ or type(self).__name__).split()))

    @property
    def message(self) -> str:
        """Return the sentence for the caller."""
        return str(self.args[0])

    def without_frames(self) -> Self:
        """Return the same error without its traceback, to be kept for an answer.

        A traceback holds the local variables of every frame it passed: whole instances, where bytes were refused.
        """
        return type(self)(self.message)


class Refused(IsocenterError):
    """The request cannot be carried out as it stands."""


class InvalidRequest(Refused):
    """The request is malformed."""


class WorkitemRefused(InvalidRequest):
    """The request is not consistent with the state of the workitem."""

    def __init__(self, message: str | None = None, *, code: str = "") -> None:
        super().__init__(message)
        self.code = code
        """What DIMSE answers (PS3.4 CC.2)."""

    def without_frames(self) -> Self:
        """Return the same error without its traceback."""
        return type(self)(self.message, code=self.code)


class InvalidKey(InvalidRequest):
    """A key of the search is missing or not valid."""

    def __init__(self, message: str | None = None, *, tags: tuple[int, ...] = ()) -> None:
        super().__init__(message)
        self.tags = tags
        """The attributes at fault (Offending Element, PS3.7 annex C)."""

    def without_frames(self) -> Self:
        """Return the same error without its traceback."""
        return type(self)(self.message, tags=self.tags)


class InvalidChanges(InvalidRequest):
    """The attributes cannot be changed in this way."""

    def __init__(self, message: str | None = None, *, comments: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.comments = comments
        """What is to be said of single attributes (dicom-service 11.2)."""

    def without_frames(self) -> Self:
        """Return the same error without its traceback."""
        return type(self)(self.message, comments=self.comments)


class InvalidAttributes(InvalidRequest):
    """The attributes do not make the object that they are to make."""

    def __init__(self, message: str | None = None, *, tags: tuple[int, ...] = ()) -> None:
        super().__init__(message)
        self.tags = tags

    def without_frames(self) -> Self:
        """Return the same error without its traceback."""
        return type(self)(self.message, tags=self.tags)


class MissingAttribute(InvalidAttributes):
    """An attribute that must be there is missing."""


class MissingAttributeValue(InvalidAttributes):
    """An attribute that must have a value is empty."""


class InvalidAttributeValue(InvalidAttributes):
    """An attribute has a value that it cannot have."""


class InvalidSetting(Refused):
    """A setting is unknown or cannot have that value."""


class InvalidDataset(Refused):
    """The bytes are not a DICOM instance that can be stored."""

    def __init__(self, message: str | None = None, *, comments: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.comments = comments
        """What is to be said of single attributes, to the sender alone: it may hold values."""

    def without_frames(self) -> Self:
        """Return the same error without its traceback."""
        return type(self)(self.message, comments=self.comments)


class LimitExceeded(InvalidDataset):
    """The data set exceeds a limit of the parser."""


class StudyMismatch(InvalidDataset):
    """The StudyInstanceUID of the data set does not match that of the study it is stored to."""


class UnexpectedInstance(InvalidDataset):
    """The data set is not of the SOP class and instance that were announced."""


class NotAcceptable(Refused):
    """The request headers are not acceptable"""


class UnsupportedMediaType(Refused):
    """The media type of the body is not supported."""


class TooLarge(Refused):
    """The request exceeded the allowed limit of its size."""


class TooSlow(Refused):
    """The body of the request did not arrive in time."""


class Unauthenticated(Refused):
    """Authentication is required."""


class Forbidden(Refused):
    """Authorization failed."""


class NotFound(IsocenterError):
    """The specified resource cannot be found."""


class WorkitemNotFound(NotFound):
    """The workitem instance is not found."""


class Conflict(IsocenterError):
    """The state of the archive does not allow this."""


class InstanceExists(Conflict):
    """An instance with the same identifiers and other content exists."""


class QueryTagExists(Conflict):
    """One or more extended query tags already exist."""


class QueryTagsChanged(Conflict):
    """Extended query tags were added or removed meanwhile."""


class StepFinished(Conflict):
    """Performed Procedure Step Object may no longer be updated"""


class WorkitemExists(Conflict):
    """The workitem instance already exists. Try creating using a different UID."""


class WorkitemChanged(Conflict):
    """The workitem instance was changed by another request meanwhile; retrieve it and try again."""


class CancellationRefused(Conflict):
    """The workitem instance can not be canceled on request."""

    def __init__(self, message: str | None = None, *, code: str = "") -> None:
        super().__init__(message)
        self.code = code
        """What DIMSE answers (PS3.4 CC.2)."""

    def without_frames(self) -> Self:
        """Return the same error without its traceback."""
        return type(self)(self.message, code=self.code)


class AlreadyCanceled(Conflict):
    """The UPS is already in the requested state of CANCELED."""


class Unavailable(IsocenterError):
    """The service cannot do this at the moment; try again later."""


class StorageFull(Unavailable):
    """There is no room left to store this; free space and send it again."""


class StorageFailed(Unavailable):
    """The storage answered with an I/O error; nothing was acknowledged."""


class Overloaded(Unavailable):
    """The server is currently unable to receive requests. Please retry your request.
    If the issue persists, please contact support.
    """


class PeerUnreachable(Unavailable):
    """The other system cannot be reached; check its address and that it runs."""


class Broken(IsocenterError):
    """The server encountered an internal error. Please retry the request.
    If the issue persists, please contact support.
    """


class CorruptInstance(Broken):
    """The stored bytes no longer match their checksum; run `isocenter scrub`."""
