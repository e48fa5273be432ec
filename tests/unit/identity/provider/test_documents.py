from __future__ import annotations

import pytest

from isocenter.identity.access_token import TokenVersion, issuer_of
from isocenter.identity.provider.documents import discovery_document, instance_document, keys_document
from isocenter.identity.provider.refusal import OAuthRefusal
from tests.support.identity import BASE, IdentityWorld

TENANT = "6f1b3e0a-7c1d-4c0e-9a55-0d2f6f0f9a11"


@pytest.mark.parametrize(
    ("version", "token", "keys"),
    [
        (TokenVersion.V1, f"{BASE}/{TENANT}/oauth2/token", f"{BASE}/{TENANT}/discovery/keys"),
        (TokenVersion.V2, f"{BASE}/{TENANT}/oauth2/v2.0/token", f"{BASE}/{TENANT}/discovery/v2.0/keys"),
    ],
)
def test_each_version_names_its_own_routes_and_the_issuer_of_its_tokens(
    version: TokenVersion, token: str, keys: str
) -> None:
    document = discovery_document(BASE, TENANT, version)
    assert (document["token_endpoint"], document["jwks_uri"]) == (token, keys)
    assert document["issuer"] == issuer_of(BASE, TENANT, version)
    assert document["code_challenge_methods_supported"] == ["S256"]


def test_the_instance_is_known_under_its_own_name() -> None:
    document = instance_document(BASE, TENANT)
    assert document["tenant_discovery_endpoint"] == f"{BASE}/{TENANT}/v2.0/.well-known/openid-configuration"
    assert document["metadata"] == [
        {"preferred_network": "localhost:8443", "preferred_cache": "localhost:8443", "aliases": ["localhost:8443"]}
    ]


def test_published_keys_verify_what_is_signed() -> None:
    world = IdentityWorld()
    world.provider.sign({})
    (key,) = keys_document(world.provider.key_documents())["keys"]
    assert (key["kty"], key["use"]) == ("RSA", "sig")


@pytest.mark.parametrize("segment", ["common", "organizations", "default", "DEFAULT"])
def test_a_tenant_is_named_in_several_ways(segment: str) -> None:
    world = IdentityWorld()
    assert world.provider.tenant(segment) == world.provider.tenant(world.tenant.tenant_id.upper()) == world.tenant


@pytest.mark.parametrize("segment", ["", "other", "..", TENANT])
def test_a_tenant_that_is_not_there_is_refused(segment: str) -> None:
    with pytest.raises(OAuthRefusal, match="90002"):
        IdentityWorld().provider.tenant(segment)


def test_under_a_name_that_is_not_ours_nothing_is_issued() -> None:
    provider = IdentityWorld().provider
    assert provider.base("https://node.example:1/x") == "https://node.example:1/x"
    with pytest.raises(OAuthRefusal, match=r"http\.allowed_hosts"):
        provider.base("https://evil.example")
