from __future__ import annotations

import pytest

from isocenter.domain.errors import Unauthenticated
from isocenter.domain.role import DATA_READER
from isocenter.identity.access_token import TokenSubject, TokenVersion, access_token_claims
from tests.support.identity import AUDIENCE, BASE, IdentityWorld

OTHER_TENANT = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def world() -> IdentityWorld:
    return IdentityWorld()


def _token(world: IdentityWorld, version: TokenVersion, *, base: str = BASE, **changes: str) -> str:
    subject = TokenSubject(AUDIENCE, base, world.tenant.tenant_id, "client", "object", (DATA_READER.name,))
    claims = access_token_claims(subject, version, now=world.now(), token_id="1")
    return world.provider.sign({**claims, **changes})


@pytest.mark.parametrize("version", TokenVersion)
@pytest.mark.parametrize(
    "base",
    [BASE, "http://127.0.0.1:8080", "https://[::1]:8443", "https://node.example", "https://10.1.2.3/hospital/imaging"],
)
def test_a_token_that_was_issued_under_any_of_our_names_is_accepted(
    world: IdentityWorld, version: TokenVersion, base: str
) -> None:
    world.verifier.verify_access_token(_token(world, version, base=base))


@pytest.mark.parametrize(
    "issuer",
    [
        "https://evil.example/{tenant}/v2.0",
        "https://localhost.evil.example/{tenant}/v2.0",
        "https://evil.example/localhost/{tenant}/v2.0",
        "https://localhost:8443/{tenant}",
        "https://localhost:8443/{tenant}/v2.0/",
        "https://localhost:8443/{tenant}/v3.0",
        "https://localhost:8443/default/v2.0",
        "ftp://localhost/{tenant}/v2.0",
        "https://localhost:8443/" + OTHER_TENANT + "/v2.0",
        "",
    ],
)
def test_a_token_of_ours_that_names_another_issuer_is_refused(world: IdentityWorld, issuer: str) -> None:
    token = _token(world, TokenVersion.V2, iss=issuer.replace("{tenant}", world.tenant.tenant_id))
    with pytest.raises(Unauthenticated, match="issuer"):
        world.verifier.verify_access_token(token)


def test_issuer_and_tenant_must_be_one(world: IdentityWorld) -> None:
    with pytest.raises(Unauthenticated, match="issuer"):
        world.verifier.verify_access_token(_token(world, TokenVersion.V1, tid=OTHER_TENANT))


def test_with_a_public_address_it_alone_is_the_issuer() -> None:
    world = IdentityWorld(public_url="https://archive.example/")
    assert world.provider.base("https://localhost:8443") == "https://archive.example"
    world.verifier.verify_access_token(_token(world, TokenVersion.V2, base="https://archive.example"))
    with pytest.raises(Unauthenticated, match="issuer"):
        world.verifier.verify_access_token(_token(world, TokenVersion.V2, base=BASE))
