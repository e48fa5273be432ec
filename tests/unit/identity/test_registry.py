from __future__ import annotations

import pytest

from isocenter.domain.errors import Conflict, InvalidRequest, NotFound
from isocenter.identity.provider.clients import SECRETS_MAX
from isocenter.identity.registry import DEFAULT_TENANT_NAME
from tests.support.identity import PASSWORD, IdentityWorld

GUID = "6f1b3e0a-7c1d-4c0e-9a55-0d2f6f0f9a11"


@pytest.fixture
def world() -> IdentityWorld:
    return IdentityWorld()


def test_the_first_tenant_is_made_once(world: IdentityWorld) -> None:
    assert world.registry.first_tenant() == world.tenant
    assert world.tenant.name == DEFAULT_TENANT_NAME
    assert len(world.store.tenants()) == 1


def test_tenants_are_found_by_name_and_identifier(world: IdentityWorld) -> None:
    added = world.registry.add_tenant("contoso.example", tenant_id=GUID.upper())
    assert added.tenant_id == GUID
    assert world.registry.tenant("Contoso.Example") == world.registry.tenant(GUID) == added
    assert world.registry.tenant(None) == world.tenant
    with pytest.raises(NotFound):
        world.registry.tenant("fabrikam")


@pytest.mark.parametrize("name", ["", "Contoso", "a b", "a/b", "../x", "x" * 64, GUID])
def test_the_name_of_a_tenant_can_stand_in_a_path(world: IdentityWorld, name: str) -> None:
    with pytest.raises(InvalidRequest):
        world.registry.add_tenant(name)


def test_a_secret_is_shown_once_and_kept_as_a_hash(world: IdentityWorld) -> None:
    application, secret = world.application()
    (kept,) = world.store.secrets(application.client_id)
    assert len(secret) >= 40
    assert secret not in repr(kept) + kept.digest
    assert kept.hint == secret[:3]
    assert world.provider.hasher.matches(secret, kept.digest)


def test_two_secrets_differ(world: IdentityWorld) -> None:
    assert world.application("one")[1] != world.application("two")[1]


def test_a_secret_of_ones_own_must_be_long(world: IdentityWorld) -> None:
    application, _ = world.application()
    for secret in ("short", "x" * 2000):
        with pytest.raises(InvalidRequest, match="characters"):
            world.registry.add_secret(application, lifetime_s=1.0, secret=secret)
    assert world.registry.add_secret(application, lifetime_s=1.0, secret="long enough to be one")[1].startswith("long")


def test_an_application_has_a_bounded_number_of_secrets(world: IdentityWorld) -> None:
    application, _ = world.application()
    for _ in range(SECRETS_MAX - 1):
        world.registry.add_secret(application, lifetime_s=1.0)
    with pytest.raises(Conflict):
        world.registry.add_secret(application, lifetime_s=1.0)


def test_a_name_is_given_once_in_a_tenant(world: IdentityWorld) -> None:
    world.application("viewer")
    with pytest.raises(Conflict):
        world.application("viewer")
    other = world.registry.add_tenant("other")
    world.registry.register_application("viewer", tenant=other)
    with pytest.raises(Conflict, match="identifier"):
        world.registry.application("viewer")


def test_an_existing_client_keeps_its_identifier(world: IdentityWorld) -> None:
    one = world.registry.register_application("client", tenant=world.tenant, client_id=GUID.upper())
    assert one.client_id == GUID
    assert world.registry.application(GUID) == world.registry.application("client") == one
    with pytest.raises(Conflict):
        world.registry.register_application("other", tenant=world.tenant, client_id=GUID)
    with pytest.raises(InvalidRequest, match="GUID"):
        world.registry.register_application("third", tenant=world.tenant, client_id="my-client")


@pytest.mark.parametrize("name", ["", " ", "x" * 121, "a\nb", "a\x1b[31m"])
def test_a_name_can_be_printed(world: IdentityWorld, name: str) -> None:
    with pytest.raises(InvalidRequest):
        world.registry.register_application(name, tenant=world.tenant)
    with pytest.raises(InvalidRequest):
        world.registry.add_user(name, PASSWORD, tenant=world.tenant)


@pytest.mark.parametrize(
    "uri",
    [
        "http://viewer.example/callback",
        "https://",
        "javascript:alert(1)",
        "https://a.example/#x",
        "https://user@a.example/",
        "https://a.example; script-src *",
        "https://a b.example/",
        "viewer",
    ],
)
def test_people_are_sent_back_to_https_or_their_own_machine_only(world: IdentityWorld, uri: str) -> None:
    with pytest.raises(InvalidRequest, match="redirect"):
        world.registry.register_application("viewer", tenant=world.tenant, redirect_uris=[uri])


@pytest.mark.parametrize("password", ["", "short", "x" * 2000, "jane.example.org"])
def test_a_password_is_long_and_not_the_name(world: IdentityWorld, password: str) -> None:
    with pytest.raises(InvalidRequest):
        world.registry.add_user("JANE.example.org", password, tenant=world.tenant)


def test_people_are_found_whatever_the_case(world: IdentityWorld) -> None:
    user = world.user("Jane")
    assert world.registry.user("JANE") == world.registry.user(user.object_id) == user
    with pytest.raises(Conflict):
        world.user("jane")
    with pytest.raises(NotFound):
        world.registry.user("joe")
