"""Signing in at an external issuer: the embedded provider of another node plays it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from structlog.testing import capture_logs

from isocenter.domain.errors import Unauthenticated, Unavailable
from isocenter.identity.access_token import TokenVersion
from isocenter.identity.external_issuer import ExternalIssuer
from isocenter.identity.principals import RoleRules
from isocenter.identity.provider.authorization import grant_code, read_authorization_request, read_way_back
from isocenter.identity.provider.documents import discovery_document, keys_document
from isocenter.identity.provider.form import read_form
from isocenter.identity.provider.token_endpoint import TokenRequest, answer_token_request
from isocenter.identity.relying_party import SIGN_IN_LIFETIME_S, RelyingParty
from isocenter.storage.memory import MemoryIdentityStore
from tests.support.identity import BASE, IdentityWorld, unverified

REDIRECT = "https://console.example/login/callback"


class _Site:
    """A console whose issuer is a provider in memory."""

    def __init__(self) -> None:
        self.world = IdentityWorld()
        self.application, secret = self.world.application(redirect_uris=(REDIRECT,))
        self.user = self.world.user()
        url = f"{BASE}/{self.world.tenant.tenant_id}/v2.0/.well-known/openid-configuration"
        issuer = ExternalIssuer(url, fetch=self._fetch, monotonic_s=self.world.now)
        self.answers: list[dict[str, Any]] = []
        self.party = RelyingParty(
            issuer,
            self.application.client_id,
            secret,
            RoleRules(),
            MemoryIdentityStore(),
            self._post,
            self.world.now,
        )

    def _fetch(self, url: str) -> Any:
        if url.endswith("keys"):
            return keys_document(self.world.provider.key_documents())
        return discovery_document(BASE, self.world.tenant.tenant_id, TokenVersion.V2)

    def _post(self, url: str, form: Mapping[str, str]) -> Any:
        world = self.world
        request = TokenRequest(
            read_form(form.items()), None, world.tenant, TokenVersion.V2, base=BASE, address="192.0.2.1"
        )
        answer = answer_token_request(world.provider, request)
        self.answers.append(answer)
        return answer

    def sign_in(self, address: str) -> str:
        """Do what the person's browser does at the issuer, and return the code that comes back."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        form = read_form(query.items())
        application, _ = read_way_back(self.world.provider, form, self.world.tenant)
        request = read_authorization_request(self.world.provider, form, application, TokenVersion.V2)
        return grant_code(self.world.provider, request, object_id=self.user.object_id)["code"]


@pytest.fixture
def site() -> Iterator[_Site]:
    with capture_logs():
        one = _Site()
        one.party.issuer.refresh()
        yield one


def test_who_signed_in_there_is_known_here(site: _Site) -> None:
    address, state = site.party.begin(redirect_uri=REDIRECT, next_path="/viewer?x=1")
    assert address.startswith(f"{BASE}/{site.world.tenant.tenant_id}/oauth2/v2.0/authorize?")
    signed_in = site.party.finish(state=state, code=site.sign_in(address))
    assert (signed_in.object_id, signed_in.next_path) == (site.user.object_id, "/viewer?x=1")
    assert signed_in.details == {"name": "jane", "roles": []}


def test_a_state_is_used_once(site: _Site) -> None:
    address, state = site.party.begin(redirect_uri=REDIRECT, next_path="/")
    site.party.finish(state=state, code=site.sign_in(address))
    with pytest.raises(Unauthenticated, match="again"):
        site.party.finish(state=state, code=site.sign_in(address))


def test_a_state_that_nobody_gave_is_refused(site: _Site) -> None:
    with pytest.raises(Unauthenticated):
        site.party.finish(state="guessed", code="x")


def test_a_sign_in_may_not_take_for_ever(site: _Site) -> None:
    address, state = site.party.begin(redirect_uri=REDIRECT, next_path="/")
    site.world.now.advance(SIGN_IN_LIFETIME_S)
    with pytest.raises(Unauthenticated):
        site.party.finish(state=state, code=site.sign_in(address))


def test_the_answer_to_another_sign_in_is_refused(site: _Site) -> None:
    mine, my_state = site.party.begin(redirect_uri=REDIRECT, next_path="/")
    theirs, their_state = site.party.begin(redirect_uri=REDIRECT, next_path="/")
    site.party.finish(state=their_state, code=site.sign_in(theirs))
    site._post = lambda url, form: site.answers[0]  # type: ignore[method-assign]
    party = RelyingParty(
        site.party.issuer, site.party.client_id, "", RoleRules(), site.party.grants, site._post, site.world.now
    )
    with pytest.raises(Unauthenticated, match="another sign-in"):
        party.finish(state=my_state, code=site.sign_in(mine))


def test_a_token_for_another_application_is_refused(site: _Site) -> None:
    address, state = site.party.begin(redirect_uri=REDIRECT, next_path="/")
    code = site.sign_in(address)
    other = RelyingParty(
        site.party.issuer,
        "another client",
        "",
        RoleRules(),
        site.party.grants,
        lambda url, form: site._post(url, {**form, "client_id": site.party.client_id, "client_secret": _secret(site)}),
        site.world.now,
    )
    with pytest.raises(Unauthenticated, match="audience"):
        other.finish(state=state, code=code)
    assert unverified(site.answers[0]["id_token"])["aud"] == site.party.client_id


def test_an_answer_without_an_id_token_is_not_enough(site: _Site) -> None:
    party = RelyingParty(
        site.party.issuer,
        site.party.client_id,
        "",
        RoleRules(),
        site.party.grants,
        lambda url, form: {"access_token": "x"},
        site.world.now,
    )
    _, state = party.begin(redirect_uri=REDIRECT, next_path="/")
    with pytest.raises(Unavailable, match="ID token"):
        party.finish(state=state, code="x")


def test_an_issuer_that_was_never_reached_is_told() -> None:
    def fetch(url: str) -> Any:
        raise Unavailable("down")

    issuer = ExternalIssuer("https://issuer.example/x", fetch=fetch, monotonic_s=lambda: 0.0)
    party = RelyingParty(issuer, "c", "", RoleRules(), MemoryIdentityStore(), lambda url, form: {}, lambda: 0.0)
    with pytest.raises(Unavailable, match="try again"):
        party.begin(redirect_uri=REDIRECT, next_path="/")


def _secret(site: _Site) -> str:
    return site.party.client_secret
