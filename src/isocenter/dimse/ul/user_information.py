"""The user information of an A-ASSOCIATE PDU: values of its sub-items (PS3.8 annex D, PS3.7 annex D.3.3)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


@dataclass(frozen=True, slots=True)
class AsyncOperationsWindow:
    """How many operations may be outstanding; 0 is without limit (PS3.7 D.3.3.3)."""

    operations_invoked_max: int = 1
    operations_performed_max: int = 1


SYNCHRONOUS = AsyncOperationsWindow()
"""One operation at a time: what holds where nothing is negotiated."""


@dataclass(frozen=True, slots=True)
class RoleSelection:
    """The roles that the requestor proposes, or the acceptor agrees to, for one SOP class (PS3.7 D.3.3.4)."""

    sop_class_uid: str
    scu_role: bool
    scp_role: bool


@dataclass(frozen=True, slots=True)
class ExtendedNegotiation:
    """Bytes whose meaning the service class defines (PS3.7 D.3.3.5)."""

    sop_class_uid: str
    application_information: bytes


@dataclass(frozen=True, slots=True)
class CommonExtendedNegotiation:
    """Where a SOP class stands among others (PS3.7 D.3.3.6); it is proposed only, never answered."""

    sop_class_uid: str
    service_class_uid: str
    related_general_sop_class_uids: tuple[str, ...] = ()


class UserIdentityType(IntEnum):
    """What the primary field of a user identity holds (PS3.7 D.3.3.7)."""

    USERNAME = 1
    USERNAME_AND_PASSCODE = 2
    KERBEROS = 3
    SAML = 4
    JWT = 5


@dataclass(frozen=True, slots=True)
class UserIdentityRq:
    """Who the requestor says that its user is."""

    identity_type: int
    """A UserIdentityType, or a number that the standard does not know yet."""
    positive_response_requested: bool
    primary_field: bytes
    secondary_field: bytes = b""

    def __repr__(self) -> str:
        """Show neither name nor passcode: values are printed in logs."""
        return f"UserIdentityRq(identity_type={self.identity_type})"


@dataclass(frozen=True, slots=True)
class UserIdentityAc:
    """The acceptor's answer: empty, a Kerberos ticket, a SAML response, a JSON web token."""

    server_response: bytes = b""

    def __repr__(self) -> str:
        """Show no ticket."""
        return "UserIdentityAc()"


@dataclass(frozen=True, slots=True)
class UserInformation:
    """Every sub-item; what is None or empty is not sent."""

    maximum_length_received: int
    """The P-DATA-TF PDUs that the sender of this takes; 0 is without limit (PS3.8 D.1)."""
    implementation_class_uid: str
    implementation_version_name: str | None = None
    async_operations_window: AsyncOperationsWindow | None = None
    role_selections: tuple[RoleSelection, ...] = ()
    extended_negotiations: tuple[ExtendedNegotiation, ...] = ()
    common_extended_negotiations: tuple[CommonExtendedNegotiation, ...] = ()
    user_identity: UserIdentityRq | UserIdentityAc | None = None
