"""What came of an attempt to deliver one instance, as whoever made it saw it.

A report has a place in the catalogue (`errors/catalogue.py`) by its family and code, and a verdict (`verdict.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class TransportFault(StrEnum):
    """Why there was no conversation, or it broke off."""

    NAME_UNKNOWN = "name-unknown"
    CONNECTION_REFUSED = "connection-refused"
    UNREACHABLE = "unreachable"
    CONNECT_TIMEOUT = "connect-timeout"
    CONNECTION_LOST = "connection-lost"
    ANSWER_TIMEOUT = "answer-timeout"
    ANSWER_GARBLED = "answer-garbled"
    TLS_NOT_SPOKEN = "tls-not-spoken"
    TLS_UNTRUSTED = "tls-untrusted"
    TLS_EXPIRED = "tls-expired"
    TLS_WRONG_NAME = "tls-wrong-name"
    TLS_REFUSED = "tls-refused"


class LocalFault(StrEnum):
    """Why an instance did not leave the node."""

    SECRET_MISSING = "secret-missing"  # noqa: S105 - says that there is none
    TRANSFORM_REFUSED = "transform-refused"
    CANNOT_TRANSCODE = "cannot-transcode"
    INSTANCE_CORRUPT = "instance-corrupt"
    INSTANCE_GONE = "instance-gone"
    DISK_FULL = "disk-full"
    STORAGE_FAILED = "storage-failed"
    FOLDER_UNUSABLE = "folder-unusable"
    CONFIGURATION_UNUSABLE = "configuration-unusable"


@dataclass(frozen=True, slots=True)
class DimseAnswered:
    """The status of a C-STORE response."""

    status: int


@dataclass(frozen=True, slots=True)
class AssociationRejected:
    """A-ASSOCIATE-RJ (PS3.8 table 9-21)."""

    result: int
    source: int
    reason: int


@dataclass(frozen=True, slots=True)
class AssociationAborted:
    """A-ABORT of the peer (PS3.8 table 9-26)."""

    source: int
    reason: int


@dataclass(frozen=True, slots=True)
class ContextRefused:
    """No presentation context for the instance was accepted (PS3.8 table 9-18)."""

    result: int


@dataclass(frozen=True, slots=True)
class HttpAnswered:
    """The status of an HTTP response that says nothing of the single instance."""

    status: int
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class InstanceStored:
    """A store response lists the instance as stored; with a warning reason, or 0."""

    warning_reason: int = 0


@dataclass(frozen=True, slots=True)
class InstanceFailed:
    """A store response lists the instance as failed (PS3.18 table I.2-2)."""

    failure_reason: int


@dataclass(frozen=True, slots=True)
class InstanceUnmentioned:
    """A store response says nothing of the instance: who says that everything went well has not said that this did."""


@dataclass(frozen=True, slots=True)
class TransportFailed:
    """There was no answer."""

    fault: TransportFault


@dataclass(frozen=True, slots=True)
class TokenRefused:
    """The token endpoint answered with an error (RFC 6749 5.2)."""

    error: str


@dataclass(frozen=True, slots=True)
class LocalFailed:
    """The instance did not leave the node."""

    fault: LocalFault


@dataclass(frozen=True, slots=True)
class InstanceDiffers:
    """The destination holds another instance of the same UID: it was compared."""


@dataclass(frozen=True, slots=True)
class InstanceIdentical:
    """The destination holds the same instance already: it was compared."""


Report: TypeAlias = (
    DimseAnswered
    | AssociationRejected
    | AssociationAborted
    | ContextRefused
    | HttpAnswered
    | InstanceStored
    | InstanceFailed
    | InstanceUnmentioned
    | TransportFailed
    | TokenRefused
    | LocalFailed
    | InstanceDiffers
    | InstanceIdentical
)
