"""Whom an association may name as its user, by name, passcode and token."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import jwt
import pytest
from jwt.algorithms import RSAAlgorithm

from isocenter.domain.errors import Unauthenticated
from isocenter.domain.identifiers import DEFAULT_PARTITION
from isocenter.domain.principal import OWNER_ACTIONS, READER_ACTIONS
from isocenter.domain.role import DATA_OWNER, DATA_READER
from isocenter.identity.attempts import TooManyAttempts
from isocenter.identity.external_issuer import ExternalIssuer
from isocenter.identity.password import FAILURES_OF_ADDRESS_MAX, FAILURES_OF_NAME_MAX
from isocenter.identity.principals import RoleRules
from isocenter.identity.provider.token_endpoint import mint_for_client
from isocenter.identity.token_verifier import TokenVerifier
from isocenter.identity.user_identity import NamedUser, UserClaim, UserVerifier, UserWithPasscode, UserWithToken
from tests.support.identity import AUDIENCE, BASE, DAY_S, PASSWORD, START, IdentityWorld, foreign_key

ADDRESS = "10.0.0.7"
ISSUER = "https://issuer.example"
DISCOVERY = f"{ISSUER}/.well-known/openid-configuration"


@dataclass
class _Node:
    world: IdentityWorld = field(default_factory=IdentityWorld)
    users: UserVerifier = field(init=False)

    def __post_init__(self) -> None:
        world = self.world
        self.users = UserVerifier(
            world.store,
            world.verifier,
            hasher=world.provider.hasher,
            failures=world.provider.failures,
            rules=RoleRules(),
            now=world.now,
        )

    def refusal(self, claim: UserClaim, *, address: str = ADDRESS) -> str:
        with pytest.raises(Unauthenticated) as caught:
            self.users.verify(claim, address=address)
        return caught.value.message

    def token(self, *, audience: str = AUDIENCE) -> UserWithToken:
        application = self.world.registry.application("client")
        return UserWithToken(mint_for_client(self.world.provider, application, base=BASE, audience=audience))


@pytest.fixture
def node() -> _Node:
    return _Node()


def test_a_person_is_known_by_name_and_passcode_with_its_role(node: _Node) -> None:
    jane = node.world.user("jane", role=DATA_READER)
    principal = node.users.verify(UserWithPasscode("Jane", PASSWORD), address=ADDRESS)
    assert (principal.name, principal.object_id) == ("jane", jane.object_id)
    assert principal.data_actions == READER_ACTIONS


def test_an_application_is_known_by_name_or_identifier_and_a_secret(node: _Node) -> None:
    application, secret = node.world.application("ct1", role=DATA_OWNER)
    for name in ("ct1", application.client_id, application.client_id.upper()):
        principal = node.users.verify(UserWithPasscode(name, secret), address=ADDRESS)
        assert (principal.application_id, principal.data_actions) == (application.client_id, OWNER_ACTIONS)


def test_a_secret_that_has_expired_is_refused_as_such(node: _Node) -> None:
    _, secret = node.world.application("ct1", role=DATA_OWNER)
    node.users.verify(UserWithPasscode("ct1", secret), address=ADDRESS)
    node.world.now.advance(30 * DAY_S)
    assert "expired" in node.refusal(UserWithPasscode("ct1", secret))


def test_the_log_tells_an_unknown_name_from_a_wrong_passcode(node: _Node) -> None:
    node.world.user("jane")
    node.world.application("ct1")
    assert "Nobody is registered" in node.refusal(UserWithPasscode("joe", PASSWORD))
    assert "passcode is not that" in node.refusal(UserWithPasscode("jane", "wrong"))
    assert "passcode is not that" in node.refusal(UserWithPasscode("ct1", "wrong"))
    assert "passcode is not that" in node.refusal(UserWithPasscode("jane", ""))


def test_a_name_alone_must_be_registered(node: _Node) -> None:
    node.world.user("jane", role=DATA_READER)
    node.world.application("ct1", role=DATA_OWNER)
    assert node.users.verify(NamedUser("jane"), address=ADDRESS).data_actions == READER_ACTIONS
    assert node.users.verify(NamedUser("ct1"), address=ADDRESS).data_actions == OWNER_ACTIONS
    assert "Nobody is registered" in node.refusal(NamedUser("joe"))
    assert "Nobody is registered" in node.refusal(NamedUser(""))


def test_a_token_is_held_to_signature_audience_and_time(node: _Node) -> None:
    node.world.application(role=DATA_READER)
    token = node.token()
    assert node.users.verify(token, address=ADDRESS).data_actions == READER_ACTIONS
    assert "another audience" in node.refusal(node.token(audience="https://elsewhere.example"))
    assert "signature" in node.refusal(UserWithToken(token.token[:-8] + "AAAAAAAA"))
    assert "cannot be read" in node.refusal(UserWithToken("no token"))
    node.world.now.advance(DAY_S)
    assert "expired" in node.refusal(token)


def test_a_token_of_an_external_issuer_counts_with_its_roles_once_the_keys_are_fetched() -> None:
    asked: list[str] = []

    def fetch(url: str) -> Any:
        asked.append(url)
        if url == DISCOVERY:
            return {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys"}
        key = RSAAlgorithm.to_jwk(foreign_key().public_key(), as_dict=True)
        return {"keys": [{**key, "kid": "one", "use": "sig"}]}

    world = IdentityWorld()
    issuer = ExternalIssuer(DISCOVERY, fetch=fetch, monotonic_s=world.now)
    users = UserVerifier(
        world.store,
        TokenVerifier([issuer], audiences=[AUDIENCE], now=world.now),
        hasher=world.provider.hasher,
        failures=world.provider.failures,
        rules=RoleRules(names={"radiologist": "reader"}),
        now=world.now,
        issuers=[issuer],
    )
    claims = {"iss": ISSUER, "aud": AUDIENCE, "exp": START + DAY_S, "sub": "jane", "name": "Jane"}
    token = jwt.encode({**claims, "roles": ["Radiologist"]}, foreign_key(), "RS256", headers={"kid": "one"})
    for _ in range(2):
        principal = users.verify(UserWithToken(token), address=ADDRESS)
        assert (principal.name, principal.data_actions) == ("Jane", READER_ACTIONS)
    assert asked == [DISCOVERY, f"{ISSUER}/keys"]


def test_a_role_in_another_partition_counts_for_nothing(node: _Node) -> None:
    for name, partition in (("here", DEFAULT_PARTITION), ("there", "research")):
        user = node.world.user(name)
        node.world.registry.assign_role(user.object_id, DATA_READER, partition_name=partition)
    actions = [
        node.users.verify(UserWithPasscode(name, PASSWORD), address=ADDRESS).data_actions for name in ("here", "there")
    ]
    assert actions == [READER_ACTIONS, frozenset()]


def test_a_changed_password_counts_within_a_second(node: _Node) -> None:
    jane = node.world.user("jane")
    node.users.verify(UserWithPasscode("jane", PASSWORD), address=ADDRESS)
    node.world.registry.set_password(jane, "quite another password")
    node.world.now.advance(1)
    node.refusal(UserWithPasscode("jane", PASSWORD))
    assert node.users.verify(UserWithPasscode("jane", "quite another password"), address=ADDRESS).name == "jane"


def test_after_too_many_failures_of_a_name_even_the_right_passcode_waits(node: _Node) -> None:
    node.world.user("jane")
    node.world.user("joe")
    for number in range(FAILURES_OF_NAME_MAX):
        node.refusal(UserWithPasscode("jane", f"guess {number}"), address=f"10.0.0.{number}")
    with pytest.raises(TooManyAttempts):
        node.users.verify(UserWithPasscode("jane", PASSWORD), address=ADDRESS)
    assert node.users.verify(UserWithPasscode("joe", PASSWORD), address=ADDRESS).name == "joe"
    node.world.now.advance(301)
    assert node.users.verify(UserWithPasscode("jane", PASSWORD), address=ADDRESS).name == "jane"


def test_failures_of_an_address_count_for_names_and_tokens_alike(node: _Node) -> None:
    for number in range(FAILURES_OF_ADDRESS_MAX):
        node.refusal(UserWithToken("x") if number % 2 else NamedUser(f"guess {number}"))
    with pytest.raises(TooManyAttempts):
        node.users.verify(UserWithToken("x"), address=ADDRESS)


def test_what_is_shown_stands_in_no_log() -> None:
    for claim in (NamedUser("jane"), UserWithPasscode("jane", "secret"), UserWithToken("secret")):
        assert "jane" not in repr(claim)
        assert "secret" not in repr(claim)
