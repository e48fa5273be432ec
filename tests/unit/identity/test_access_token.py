from __future__ import annotations

import pytest

from isocenter.identity.access_token import (
    LIFETIME_S,
    Person,
    TokenSubject,
    TokenVersion,
    access_token_claims,
    id_token_claims,
)
from tests.support.identity import AUDIENCE, BASE, START

SUBJECT = TokenSubject(AUDIENCE, BASE, "tenant", "client", "object", ("DICOM Data Owner",))
PERSON = Person("jane", ("Dicom.ReadWrite", "user_impersonation"))


@pytest.mark.parametrize("version", TokenVersion)
def test_a_token_is_valid_for_sixty_minutes(version: TokenVersion) -> None:
    claims = access_token_claims(SUBJECT, version, now=START + 0.7, token_id="1")
    assert (claims["iat"], claims["nbf"], claims["exp"]) == (START, START, START + 3600)
    assert LIFETIME_S == 3600


def test_version_1_has_the_claims_of_azure() -> None:
    claims = access_token_claims(SUBJECT, TokenVersion.V1, now=START, token_id="1")
    assert claims["iss"] == f"{BASE}/tenant/"
    assert (claims["ver"], claims["appid"], claims["appidacr"]) == ("1.0", "client", "1")
    assert (claims["aud"], claims["tid"], claims["oid"], claims["sub"]) == (AUDIENCE, "tenant", "object", "object")
    assert (claims["roles"], claims["idtyp"]) == (["DICOM Data Owner"], "app")
    assert "azp" not in claims
    assert "scp" not in claims


def test_version_2_has_the_claims_of_azure() -> None:
    claims = access_token_claims(SUBJECT, TokenVersion.V2, now=START, token_id="1")
    assert claims["iss"] == f"{BASE}/tenant/v2.0"
    assert (claims["ver"], claims["azp"], claims["azpacr"]) == ("2.0", "client", "1")
    assert "appid" not in claims


@pytest.mark.parametrize(("version", "claim"), [(TokenVersion.V1, "upn"), (TokenVersion.V2, "preferred_username")])
def test_in_the_name_of_somebody_it_says_whose_and_what_for(version: TokenVersion, claim: str) -> None:
    subject = TokenSubject(AUDIENCE, BASE, "tenant", "client", "jane-object", person=PERSON, is_client_known=False)
    claims = access_token_claims(subject, version, now=START, token_id="1")
    assert claims[claim] == claims["name"] == "jane"
    assert claims["scp"] == "Dicom.ReadWrite user_impersonation"
    assert claims["appidacr" if version is TokenVersion.V1 else "azpacr"] == "0"
    assert "idtyp" not in claims
    assert "roles" not in claims


def test_an_id_token_is_for_the_client_alone() -> None:
    subject = TokenSubject(AUDIENCE, BASE, "tenant", "client", "jane-object", person=PERSON)
    claims = id_token_claims(subject, now=START, token_id="1", nonce="n")
    assert (claims["aud"], claims["nonce"], claims["preferred_username"]) == ("client", "n", "jane")
    assert "scp" not in claims
    assert "roles" not in claims
