"""Whose name and password these are: the same for the console's sign-in and for users whom an association names."""

from __future__ import annotations

from collections.abc import Sequence

from isocenter.domain.directory import User
from isocenter.identity.attempts import Counted
from isocenter.identity.hashing import SecretHasher
from isocenter.ports.directory import Directory

FAILURES_OF_NAME_MAX = 20
"""In five minutes, from wherever: a person never needs so many, and guessing a password takes more."""
FAILURES_OF_ADDRESS_MAX = 100
TENANTS_TRIED_MAX = 10
"""Where nobody said which: each costs a hash."""
NAME_COUNTED_LENGTH = 120
"""No registered name is longer."""


def sign_in_attempts(name: str, address: str) -> tuple[Counted, ...]:
    """Return what a failed sign-in is counted by."""
    return (
        Counted(f"name {name.casefold()[:NAME_COUNTED_LENGTH]}", FAILURES_OF_NAME_MAX),
        Counted(f"sign-in {address}", FAILURES_OF_ADDRESS_MAX),
    )


def people_named(directory: Directory, name: str, *, tenant_id: str = "") -> Sequence[User]:
    """Return the people of a name, in one tenant or in whichever."""
    tenants = [one for one in directory.tenants() if not tenant_id or one.tenant_id == tenant_id]
    named = (directory.user_named(tenant.tenant_id, name) for tenant in tenants[:TENANTS_TRIED_MAX])
    return [user for user in named if user is not None]


def find_person(
    directory: Directory, hasher: SecretHasher, name: str, password: str, *, tenant_id: str = ""
) -> User | None:
    """Return whose name and password these are; a name that nobody has takes as long as a wrong password.

    Raises Overloaded where too many ask.
    """
    users = people_named(directory, name, tenant_id=tenant_id)
    if not users:
        hasher.matches(password, None)
    return next((user for user in users if hasher.matches(password, user.digest)), None)
