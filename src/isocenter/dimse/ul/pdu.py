"""The seven PDUs of the upper layer as values (PS3.8 9.3)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, NamedTuple

from isocenter.dimse.ul.user_information import UserInformation

Buffer = bytes | bytearray | memoryview

APPLICATION_CONTEXT_NAME = "1.2.840.10008.3.1.1.1"
"""The only one there is (PS3.7 annex A.2.1)."""
PROTOCOL_VERSION = 1
AE_TITLE_LENGTH_MAX = 16
PDU_LENGTH_FIELD_MAX = 0xFFFF_FFFF
PDV_HEADER_LENGTH = 6
"""Length, context ID and message control header."""


@dataclass(frozen=True, slots=True)
class PresentationContextRq:
    """A proposed context: what is to be exchanged, and the encodings that the requestor knows for it."""

    context_id: int
    abstract_syntax_uid: str
    transfer_syntax_uids: tuple[str, ...]


class ContextResult(IntEnum):
    """The answer to one proposed context (PS3.8 table 9-18)."""

    ACCEPTANCE = 0
    USER_REJECTION = 1
    NO_REASON = 2
    ABSTRACT_SYNTAX_NOT_SUPPORTED = 3
    TRANSFER_SYNTAXES_NOT_SUPPORTED = 4


@dataclass(frozen=True, slots=True)
class PresentationContextAc:
    """The answer to a proposed context; the transfer syntax has a meaning only where it is accepted."""

    context_id: int
    result: int
    """A ContextResult, or a number that the standard does not know."""
    transfer_syntax_uid: str = ""


@dataclass(frozen=True, slots=True)
class AssociateRq:
    """A-ASSOCIATE-RQ (PS3.8 9.3.2)."""

    name: ClassVar[str] = "A-ASSOCIATE-RQ"

    called_ae_title: str
    calling_ae_title: str
    presentation_contexts: tuple[PresentationContextRq, ...]
    user_information: UserInformation
    application_context_name: str = APPLICATION_CONTEXT_NAME
    protocol_version: int = PROTOCOL_VERSION


@dataclass(frozen=True, slots=True)
class AssociateAc:
    """A-ASSOCIATE-AC (PS3.8 9.3.3); the titles are those of the request, sent back."""

    name: ClassVar[str] = "A-ASSOCIATE-AC"

    called_ae_title: str
    calling_ae_title: str
    presentation_contexts: tuple[PresentationContextAc, ...]
    user_information: UserInformation
    application_context_name: str = APPLICATION_CONTEXT_NAME
    protocol_version: int = PROTOCOL_VERSION


class RejectResult(IntEnum):
    """Whether it is worth trying again."""

    PERMANENT = 1
    TRANSIENT = 2


class RejectSource(IntEnum):
    """Who rejects."""

    SERVICE_USER = 1
    SERVICE_PROVIDER_ACSE = 2
    SERVICE_PROVIDER_PRESENTATION = 3


@dataclass(frozen=True, slots=True)
class AssociateRj:
    """A-ASSOCIATE-RJ (PS3.8 9.3.4). The reasons of each source stand in table 9-21."""

    name: ClassVar[str] = "A-ASSOCIATE-RJ"

    result: int
    source: int
    reason: int


# Source service user (PS3.8 table 9-21).
REJECT_NO_REASON = AssociateRj(RejectResult.PERMANENT, RejectSource.SERVICE_USER, 1)
REJECT_APPLICATION_CONTEXT = AssociateRj(RejectResult.PERMANENT, RejectSource.SERVICE_USER, 2)
REJECT_CALLING_AE_TITLE = AssociateRj(RejectResult.PERMANENT, RejectSource.SERVICE_USER, 3)
REJECT_CALLED_AE_TITLE = AssociateRj(RejectResult.PERMANENT, RejectSource.SERVICE_USER, 7)
# Source service provider.
REJECT_PROTOCOL_VERSION = AssociateRj(RejectResult.PERMANENT, RejectSource.SERVICE_PROVIDER_ACSE, 2)
REJECT_TEMPORARY_CONGESTION = AssociateRj(RejectResult.TRANSIENT, RejectSource.SERVICE_PROVIDER_PRESENTATION, 1)
REJECT_LOCAL_LIMIT_EXCEEDED = AssociateRj(RejectResult.TRANSIENT, RejectSource.SERVICE_PROVIDER_PRESENTATION, 2)
"""Too much at present."""
REJECT_REQUEST_BEYOND_LIMIT = AssociateRj(RejectResult.PERMANENT, RejectSource.SERVICE_PROVIDER_PRESENTATION, 2)
"""Too much in one request, which will be so the next time too."""


class Pdv(NamedTuple):
    """A presentation data value: a fragment of a command or of a data set (PS3.8 9.3.5.1, annex E.2).

    A PDV that comes in several reads is handed on in as many pieces; only the last of them can be `is_last`.
    """

    context_id: int
    is_command: bool
    is_last: bool
    data: Buffer


@dataclass(frozen=True, slots=True)
class PDataTf:
    """P-DATA-TF (PS3.8 9.3.5)."""

    name: ClassVar[str] = "P-DATA-TF"

    pdvs: tuple[Pdv, ...]


@dataclass(frozen=True, slots=True)
class ReleaseRq:
    """A-RELEASE-RQ (PS3.8 9.3.6)."""

    name: ClassVar[str] = "A-RELEASE-RQ"


@dataclass(frozen=True, slots=True)
class ReleaseRp:
    """A-RELEASE-RP (PS3.8 9.3.7)."""

    name: ClassVar[str] = "A-RELEASE-RP"


class AbortSource(IntEnum):
    """Who aborts (PS3.8 table 9-26)."""

    SERVICE_USER = 0
    SERVICE_PROVIDER = 2


class AbortReason(IntEnum):
    """Why the service provider aborts; the service user gives no reason (PS3.8 table 9-26)."""

    NOT_SPECIFIED = 0
    UNRECOGNIZED_PDU = 1
    UNEXPECTED_PDU = 2
    UNRECOGNIZED_PDU_PARAMETER = 4
    UNEXPECTED_PDU_PARAMETER = 5
    INVALID_PDU_PARAMETER_VALUE = 6


@dataclass(frozen=True, slots=True)
class Abort:
    """A-ABORT (PS3.8 9.3.8)."""

    name: ClassVar[str] = "A-ABORT"

    source: int = AbortSource.SERVICE_USER
    reason: int = AbortReason.NOT_SPECIFIED


Pdu = AssociateRq | AssociateAc | AssociateRj | PDataTf | ReleaseRq | ReleaseRp | Abort
