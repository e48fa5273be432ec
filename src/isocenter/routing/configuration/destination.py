"""Destinations as values: where instances go, how fast, when, and what is done where that fails."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from isocenter.domain.application_entity import RemoteAe
from isocenter.routing.calendar import Calendar, Window
from isocenter.routing.deliveries.breaker import BreakerPolicy
from isocenter.routing.deliveries.retry import RetryPolicy

WORKERS_MAX = 16
"""Deliveries to one destination at a time; archives of hospitals tolerate about five studies at once."""


class OnConflict(StrEnum):
    """What is done where the destination holds another instance of the same UID."""

    SHELVE = "shelve"
    """A person decides."""
    KEEP = "keep"
    """What is there stays; the delivery is told as delivered with a note."""
    REPLACE = "replace"
    """What is there is replaced, where the destination can do that."""


class CallingTitle(StrEnum):
    """Under which title associations are opened."""

    OWN = "own"
    """That of the node."""
    KEEP = "keep"
    """That of whoever sent the instance here."""


class Compression(StrEnum):
    """What may be done where the destination does not take an instance's transfer syntax."""

    NEVER = "never"
    """Nothing; it goes to the shelf for people."""
    LOSSLESS = "lossless"
    """It is decompressed, or compressed without loss."""


class WebProfile(StrEnum):
    """What a DICOMweb server is known to do and not to do."""

    STANDARD = "standard"
    AZURE = "azure"
    ORTHANC = "orthanc"
    DCM4CHEE = "dcm4chee"


@dataclass(frozen=True, slots=True)
class NoAuthentication:
    """Requests carry no evidence of who sends them."""


@dataclass(frozen=True, slots=True)
class BasicAuthentication:
    """User name and password (RFC 7617)."""

    user: str
    password: str
    """Name of a secret."""


@dataclass(frozen=True, slots=True)
class KeyAuthentication:
    """A key in a header."""

    header: str
    key: str
    """Name of a secret."""


@dataclass(frozen=True, slots=True)
class OAuthAuthentication:
    """Client credentials (RFC 6749 4.4), with `scope`, or with the `resource` of Azure's first version."""

    token_url: str
    client_id: str
    client_secret: str
    """Name of a secret."""
    scope: str = ""
    resource: str = ""


Authentication = NoAuthentication | BasicAuthentication | KeyAuthentication | OAuthAuthentication


@dataclass(frozen=True, slots=True)
class DimseTarget:
    """Another application entity, by C-STORE."""

    remote: RemoteAe
    calling_ae_title: CallingTitle = CallingTitle.OWN
    calling_ae_titles: tuple[tuple[str, str], ...] = ()
    """Titles that stand for others, before `calling_ae_title` is asked."""
    compression: Compression = Compression.LOSSLESS
    is_duplicate_stored: bool = True
    """Status 0111 is taken for stored; some peers answer it so."""


@dataclass(frozen=True, slots=True)
class WebTarget:
    """A DICOMweb service, by STOW-RS."""

    url: str
    profile: WebProfile = WebProfile.STANDARD
    authentication: Authentication = NoAuthentication()
    authority_file: str = ""
    """Certificates that are trusted in the place of those of the machine."""
    client_certificate_file: str = ""
    client_key_file: str = ""
    client_key_password: str = ""
    """Name of a secret."""
    batch_size_bytes: int = 64 * 1024**2
    """Of one request."""


@dataclass(frozen=True, slots=True)
class FolderTarget:
    """Files in a folder, by study and series."""

    path: str


@dataclass(frozen=True, slots=True)
class ArchiveTarget:
    """The node's own archive."""

    partition: str = ""


Target = DimseTarget | WebTarget | FolderTarget | ArchiveTarget


@dataclass(frozen=True, slots=True)
class RateLimit:
    """How much may go out at certain hours; 0 sets no limit."""

    during: Window = field(default_factory=Window)
    bytes_per_s: int = 0
    instances_per_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Destination:
    """Where instances go, and how."""

    name: str
    target: Target
    is_enabled: bool = True
    """Where it is not, deliveries to it wait."""
    workers: int = 2
    open: Calendar = ()
    limits: tuple[RateLimit, ...] = ()
    """The first one whose hours it is counts."""
    on_conflict: OnConflict = OnConflict.SHELVE
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    breaker: BreakerPolicy = field(default_factory=BreakerPolicy)
    description: str = ""
