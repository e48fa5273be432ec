"""From what a verified token or session claims to a principal: which roles, which actions, where.

A caller that the embedded provider vouches for has the roles that the directory gives it now, whatever its token said
when it was made: taking a role away takes effect at once. Of an external issuer's callers the role claim counts too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from isocenter.domain.directory import RoleAssignment
from isocenter.domain.errors import Unauthenticated
from isocenter.domain.principal import DataAction, PartitionGrant, Principal
from isocenter.domain.role import Role, find_role
from isocenter.identity.token_verifier import Claims
from isocenter.ports.directory import Directory

DELEGATED_SCOPES = frozenset({"dicom.readwrite", "user_impersonation"})
"""What a person lets a client do (dicom-service 12.1); compared in lower case."""
VALUES_MAX = 1000
"""Roles or groups that are looked at; a token has no room for more."""


@dataclass(frozen=True, slots=True)
class RoleRules:
    """How an external issuer's claims name our roles."""

    claim: str = "roles"
    """Where in the claims they stand; a dot leads into an object (`realm_access.roles`)."""
    names: Mapping[str, str] = field(default_factory=dict)
    """From names at the issuer, in lower case, to names of ours."""

    def role(self, name: str) -> Role | None:
        """Return the role that a name at the issuer stands for."""
        return find_role(self.names.get(name.casefold(), name))


def principal_of_claims(claims: Claims, *, directory: Directory, rules: RoleRules | None) -> Principal:
    """Return who a verified token stands for; `rules` where its role claim counts.

    Raises Unauthenticated where the token's bearer is no longer known to the embedded provider.
    """
    object_id = _text(claims, "oid") or _text(claims, "sub")
    application_id = _text(claims, "azp") or _text(claims, "appid") or _text(claims, "client_id")
    claimed_name = _text(claims, "preferred_username") or _text(claims, "upn") or _text(claims, "name")
    name = claimed_name or application_id if rules is not None else _known_name(directory, object_id, application_id)
    if "scp" in claims and DELEGATED_SCOPES.isdisjoint(_text(claims, "scp").lower().split()):
        return Principal(name, frozenset(), object_id, application_id)  # signed in, but not for this service
    roles = [] if rules is None else claimed_roles(claims, rules)
    return with_roles(name, object_id, application_id, roles, directory.assignments(object_id) if object_id else ())


def claimed_roles(claims: Claims, rules: RoleRules) -> list[Role]:
    """Return the roles of ours that an external issuer's claims name."""
    return [role for one in _values(claims, rules.claim) if (role := rules.role(one))]


def with_roles(
    name: str, object_id: str, application_id: str, roles: Iterable[Role], assignments: Sequence[RoleAssignment]
) -> Principal:
    """Return a principal with roles that hold everywhere and those that were assigned to it."""
    everywhere: frozenset[DataAction] = frozenset().union(*(role.data_actions for role in roles))
    grants: list[PartitionGrant] = []
    for assignment in assignments:
        role = find_role(assignment.role_id)
        if role is None:
            continue
        if assignment.partition_name:
            grants.append(PartitionGrant(assignment.partition_name, role.data_actions))
        else:
            everywhere |= role.data_actions
    return Principal(name or object_id, everywhere, object_id, application_id, tuple(grants))


def _known_name(directory: Directory, object_id: str, application_id: str) -> str:
    """Return what the directory calls the bearer of a token; raises Unauthenticated where it is no longer in it."""
    application = directory.application(application_id)
    if application is None:
        raise Unauthenticated("The application of the token is not registered any more.")
    if application.object_id == object_id:
        return application.name
    user = directory.user(object_id)
    if user is None:
        raise Unauthenticated("The person of the token is not registered any more.")
    return user.name


def _text(claims: Claims, name: str) -> str:
    value = claims.get(name)
    return value if isinstance(value, str) else ""


def _values(claims: Claims, path: str) -> list[str]:
    """Return the texts at a place in the claims: a list, or words in one text."""
    value: object = claims.get(path)
    if value is None:
        value = claims
        for part in path.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
    if isinstance(value, str):
        return value.split()[:VALUES_MAX]
    return [one for one in value[:VALUES_MAX] if isinstance(one, str)] if isinstance(value, list) else []
