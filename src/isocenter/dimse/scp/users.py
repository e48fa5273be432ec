"""The user that a request for an association names: what is shown, what is asked for, and what a refusal says.

PS3.7 D.3.3.7. A Kerberos ticket or a SAML assertion can be verified by nobody here, so it is refused and not believed.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor
from dataclasses import dataclass

from isocenter.dimse.ul.user_information import UserIdentityRq, UserIdentityType, UserInformation
from isocenter.domain.application_entity import UserIdentityRule
from isocenter.domain.errors import IsocenterError, Unauthenticated
from isocenter.identity.application_entity import Admitted, NotAdmitted, Objection
from isocenter.identity.user_identity import NamedUser, UserClaim, UserVerifier, UserWithPasscode, UserWithToken

NOBODY_NAMED = (
    "The caller names no user. Have it show a name and passcode or a JSON web token (PS3.7 D.3.3.7), or set user= in "
    "its row of dicom.remotes, or dicom.user_identity, to verify or ignore."
)
BARE_NAME = (
    "The user is named and not proved. Have the caller send a passcode or a JSON web token, or give its row of "
    "dicom.remotes a subject=, so that its certificate vouches for its users, or user=verify."
)
_UNVERIFIABLE = {
    UserIdentityType.KERBEROS: "Kerberos tickets (type 3) are",
    UserIdentityType.SAML: "SAML assertions (type 4) are",
}


@dataclass(frozen=True, slots=True)
class Users:
    """Whom users are verified by, and the threads in which that is done."""

    verifier: UserVerifier
    executor: Executor

    async def admit(self, admitted: Admitted, shown: UserIdentityRq, *, address: str) -> Admitted | NotAdmitted:
        """Return what a user of an admitted caller may do, or why that is nothing; waits for a thread."""
        loop = asyncio.get_running_loop()
        try:
            claim = claim_of(shown)
            user = await loop.run_in_executor(self.executor, lambda: self.verifier.verify(claim, address=address))
        except Unauthenticated as error:
            return NotAdmitted(Objection.USER, error.message)
        except IsocenterError as error:
            return NotAdmitted(Objection.USER_FOR_NOW, error.message)
        return admitted.limited_to(user)


def shown_user(information: UserInformation) -> UserIdentityRq | None:
    """Return the user that a request names, if it does."""
    identity = information.user_identity
    return identity if isinstance(identity, UserIdentityRq) else None


def objection_to(rule: UserIdentityRule, admitted: Admitted, shown: UserIdentityRq | None) -> NotAdmitted | None:
    """Return what is wrong with a request before anybody is verified, or None."""
    if rule is not UserIdentityRule.REQUIRE:
        return None
    if shown is None:
        return NotAdmitted(Objection.USER, NOBODY_NAMED)
    is_vouched_for = admitted.remote is not None and bool(admitted.remote.certificate_names)
    if shown.identity_type == UserIdentityType.USERNAME and not is_vouched_for:
        return NotAdmitted(Objection.USER, BARE_NAME)
    return None


def claim_of(shown: UserIdentityRq) -> UserClaim:
    """Return what is to be verified; raises Unauthenticated for what cannot be."""
    kind = shown.identity_type
    if kind == UserIdentityType.USERNAME:
        return NamedUser(_text(shown.primary_field))
    if kind == UserIdentityType.USERNAME_AND_PASSCODE:
        return UserWithPasscode(_text(shown.primary_field), _text(shown.secondary_field))
    if kind == UserIdentityType.JWT:
        return UserWithToken(_text(shown.primary_field).strip())
    what = next((text for known, text in _UNVERIFIABLE.items() if known == kind), f"Users of type {kind} are")
    raise Unauthenticated(
        f"{what} not verified by this node. Have the caller show a name and passcode (type 2) or a JSON web token "
        "(type 5)."
    )


def _text(field: bytes) -> str:
    try:
        return field.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Unauthenticated("Name, passcode or token of the user is not UTF-8, as PS3.7 D.3.3.7 demands.") from error
