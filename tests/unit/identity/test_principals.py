from __future__ import annotations

from typing import Any

import pytest

from isocenter.domain.errors import Unauthenticated
from isocenter.domain.principal import OWNER_ACTIONS, READER_ACTIONS
from isocenter.domain.role import DATA_OWNER, DATA_READER
from isocenter.identity.principals import RoleRules, principal_of_claims
from tests.support.identity import IdentityWorld


@pytest.fixture
def world() -> IdentityWorld:
    return IdentityWorld()


def test_of_our_own_callers_the_directory_decides_and_not_the_token(world: IdentityWorld) -> None:
    application, _ = world.application(role=DATA_READER)
    claims = {"oid": application.object_id, "azp": application.client_id, "roles": ["DICOM Data Owner"]}
    found = principal_of_claims(claims, directory=world.store, rules=None)
    assert (found.name, found.data_actions) == ("client", READER_ACTIONS)
    world.store.remove_assignment(application.object_id, DATA_READER.role_id, "")
    assert principal_of_claims(claims, directory=world.store, rules=None).data_actions == frozenset()


def test_an_application_that_is_gone_is_refused(world: IdentityWorld) -> None:
    application, _ = world.application(role=DATA_OWNER)
    world.store.remove_application(application.client_id)
    claims = {"oid": application.object_id, "appid": application.client_id}
    with pytest.raises(Unauthenticated, match="application"):
        principal_of_claims(claims, directory=world.store, rules=None)


def test_a_person_that_is_gone_is_refused(world: IdentityWorld) -> None:
    application, _ = world.application()
    user = world.user(role=DATA_OWNER)
    claims = {"oid": user.object_id, "azp": application.client_id, "scp": "user_impersonation", "name": "forged"}
    assert principal_of_claims(claims, directory=world.store, rules=None).name == "jane"
    world.store.remove_user(user.object_id)
    with pytest.raises(Unauthenticated, match="person"):
        principal_of_claims(claims, directory=world.store, rules=None)


def test_a_role_in_one_partition_counts_there_alone(world: IdentityWorld) -> None:
    application, _ = world.application()
    world.registry.assign_role(application.object_id, DATA_OWNER, partition_name="north")
    claims = {"oid": application.object_id, "azp": application.client_id}
    found = principal_of_claims(claims, directory=world.store, rules=None)
    assert found.data_actions == frozenset()
    assert found.within("north").data_actions == OWNER_ACTIONS
    assert found.within("south").data_actions == frozenset()


@pytest.mark.parametrize(
    ("claims", "rules"),
    [
        ({"roles": ["DICOM Data Owner"]}, RoleRules()),
        ({"roles": ["globalAdmin", "other"]}, RoleRules()),
        ({"roles": "x owner"}, RoleRules()),
        ({"roles": ["58a3b984-7adf-4c20-983a-32417c86fbc8"]}, RoleRules()),
        ({"groups": ["PACS-Admins"]}, RoleRules("groups", {"pacs-admins": "DICOM Data Owner"})),
        ({"realm_access": {"roles": ["globalAdmin"]}}, RoleRules("realm_access.roles")),
        ({"https://site.example/roles": ["owner"]}, RoleRules("https://site.example/roles")),
        ({"roles": ["owner"], "scp": "Dicom.ReadWrite openid"}, RoleRules()),
        ({"roles": ["owner"], "scp": "USER_IMPERSONATION"}, RoleRules()),
    ],
    ids=str,
)
def test_an_external_issuer_names_roles_in_its_own_way(
    world: IdentityWorld, claims: dict[str, Any], rules: RoleRules
) -> None:
    found = principal_of_claims({"sub": "s", **claims}, directory=world.store, rules=rules)
    assert found.data_actions == OWNER_ACTIONS


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"roles": []},
        {"roles": {"owner": True}},
        {"roles": [["owner"], 1, None]},
        {"roles": ["King"]},
        {"groups": ["owner"]},
        {"roles": ["owner"], "scp": "User.Read"},
        {"roles": ["owner"], "scp": ""},
        {"realm_access": "owner"},
    ],
    ids=str,
)
def test_who_has_no_role_of_ours_may_do_nothing(world: IdentityWorld, claims: dict[str, Any]) -> None:
    found = principal_of_claims({"sub": "s", **claims}, directory=world.store, rules=RoleRules())
    assert found.data_actions == frozenset()


def test_a_role_can_be_given_here_to_whom_an_external_issuer_knows(world: IdentityWorld) -> None:
    world.registry.assign_role("foreign", DATA_READER)
    found = principal_of_claims({"oid": "foreign", "name": "Joe"}, directory=world.store, rules=RoleRules())
    assert (found.name, found.data_actions) == ("Joe", READER_ACTIONS)


def test_nobody_has_the_roles_of_an_empty_name(world: IdentityWorld) -> None:
    world.registry.assign_role("", DATA_OWNER)
    found = principal_of_claims({"oid": ""}, directory=world.store, rules=RoleRules())
    assert found.data_actions == frozenset()
