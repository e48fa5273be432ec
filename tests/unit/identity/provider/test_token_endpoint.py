"""Tokens for clients and for people, in both versions; refusals with the numbers that clients know."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

import pytest

from isocenter.domain.directory import Application
from isocenter.domain.errors import Unauthenticated
from isocenter.domain.role import DATA_OWNER, DATA_READER
from isocenter.identity.access_token import TokenVersion
from isocenter.identity.attempts import WINDOW_S
from isocenter.identity.provider.clients import FAILURES_OF_CLIENT_MAX
from isocenter.identity.provider.codes import (
    CODE_LIFETIME_S,
    REFRESH_LIFETIME_S,
    Consent,
    challenge_of,
    issue_code,
)
from isocenter.identity.provider.form import read_form
from isocenter.identity.provider.refusal import OAuthRefusal, refusal_document
from isocenter.identity.provider.token_endpoint import TokenRequest, answer_token_request
from tests.support.identity import AUDIENCE, BASE, DAY_S, IdentityWorld, unverified

V1, V2 = TokenVersion.V1, TokenVersion.V2
SCOPE = f"{AUDIENCE}/.default"
VERIFIER = "v" * 43
WEB, LOCAL = "https://viewer.example/callback", "http://localhost:4000/callback"


@pytest.fixture
def world() -> IdentityWorld:
    return IdentityWorld()


def _ask(
    world: IdentityWorld,
    values: Mapping[str, str],
    *,
    version: TokenVersion = V2,
    authorization: str | None = None,
    address: str = "192.0.2.1",
) -> dict[str, Any]:
    form = read_form(values.items())
    request = TokenRequest(form, authorization, world.tenant, version, base=BASE, address=address)
    return answer_token_request(world.provider, request)


def _credentials(registered: tuple[Application, str], changes: Mapping[str, str] | None = None) -> dict[str, str]:
    application, secret = registered
    return {
        "grant_type": "client_credentials",
        "client_id": application.client_id,
        "client_secret": secret,
        "scope": SCOPE,
        **(changes or {}),
    }


def _refusal(world: IdentityWorld, values: Mapping[str, str], *, version: TokenVersion = V2) -> OAuthRefusal:
    with pytest.raises(OAuthRefusal) as refusal:
        _ask(world, values, version=version)
    return refusal.value


def test_version_2_answers_with_numbers(world: IdentityWorld) -> None:
    answer = _ask(world, _credentials(world.application(role=DATA_OWNER)))
    token = answer.pop("access_token")
    assert answer == {"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599}
    claims, _ = world.verifier.verify_access_token(token)
    assert (claims["aud"], claims["ver"], claims["roles"]) == (AUDIENCE, "2.0", ["DICOM Data Owner"])


def test_version_1_answers_with_texts(world: IdentityWorld) -> None:
    application, secret = world.application(role=DATA_READER)
    values = {**_credentials((application, secret)), "resource": AUDIENCE}
    answer = _ask(world, values, version=V1)
    claims, _ = world.verifier.verify_access_token(answer.pop("access_token"))
    assert answer == {
        "token_type": "Bearer",
        "expires_in": "3599",
        "ext_expires_in": "3599",
        "expires_on": str(claims["exp"]),
        "not_before": str(claims["nbf"]),
        "resource": AUDIENCE,
    }
    assert (claims["ver"], claims["appid"]) == ("1.0", application.client_id)


def test_the_audience_is_what_the_client_wrote(world: IdentityWorld) -> None:
    application, secret = world.application()
    answer = _ask(world, _credentials((application, secret), {"scope": f"{AUDIENCE}//.default"}))
    assert unverified(answer["access_token"])["aud"] == AUDIENCE + "/"


def test_a_client_may_prove_itself_by_basic_as_well(world: IdentityWorld) -> None:
    application, secret = world.application()
    encoded = base64.b64encode(f"{application.client_id}:{secret}".encode()).decode()
    answer = _ask(world, {"grant_type": "client_credentials", "scope": SCOPE}, authorization=f"Basic {encoded}")
    world.verifier.verify(answer["access_token"])


def test_any_valid_secret_of_an_application_will_do(world: IdentityWorld) -> None:
    application, first = world.application()
    _, second = world.registry.add_secret(application, lifetime_s=DAY_S)
    for secret in (first, second):
        _ask(world, _credentials((application, secret)))


@pytest.mark.parametrize(
    ("changes", "error", "number", "status"),
    [
        ({"client_secret": "wrong"}, "invalid_client", 7000215, 401),
        ({"client_secret": ""}, "invalid_client", 7000215, 401),
        ({"client_id": "00000000-0000-4000-8000-000000000000"}, "unauthorized_client", 700016, 400),
        ({"client_id": "' OR 1=1 --"}, "unauthorized_client", 700016, 400),
        ({"client_id": ""}, "invalid_request", 900144, 400),
        ({"grant_type": ""}, "invalid_request", 900144, 400),
        ({"grant_type": "password"}, "unsupported_grant_type", 70003, 400),
        ({"scope": ""}, "invalid_request", 900144, 400),
        ({"scope": AUDIENCE}, "invalid_scope", 1002012, 400),
        ({"scope": f"{SCOPE} {SCOPE}"}, "invalid_scope", 1002012, 400),
        ({"scope": "https://management.azure.com/.default"}, "invalid_resource", 500011, 400),
    ],
    ids=str,
)
def test_a_wrong_request_is_refused_as_entra_refuses_it(
    world: IdentityWorld, changes: dict[str, str], error: str, number: int, status: int
) -> None:
    refusal = _refusal(world, _credentials(world.application(), changes))
    assert (refusal.reason.error, refusal.reason.number, refusal.reason.status) == (error, number, status)


def test_version_1_needs_a_resource(world: IdentityWorld) -> None:
    credentials = _credentials(world.application())
    assert _refusal(world, credentials, version=V1).reason.number == 900144
    assert _refusal(world, {**credentials, "resource": "https://other.example"}, version=V1).reason.number == 500011


def test_a_secret_that_has_expired_says_so(world: IdentityWorld) -> None:
    application, secret = world.application()
    world.now.advance(30 * DAY_S)
    assert _refusal(world, _credentials((application, secret))).reason.number == 7000222


def test_a_secret_that_was_removed_is_refused(world: IdentityWorld) -> None:
    application, secret = world.application()
    world.store.remove_secret(application.client_id, world.store.secrets(application.client_id)[0].secret_id)
    assert _refusal(world, _credentials((application, secret))).reason.number == 7000215


def test_an_application_of_another_tenant_is_not_known(world: IdentityWorld) -> None:
    other = world.registry.add_tenant("other")
    application = world.registry.register_application("theirs", tenant=other)
    _, secret = world.registry.add_secret(application, lifetime_s=DAY_S)
    assert _refusal(world, _credentials((application, secret))).reason.number == 700016


@pytest.mark.parametrize("header", ["Basic", "Basic !!!", "Basic YQ==", "Basic //8="])
def test_a_header_that_cannot_be_read_is_refused(world: IdentityWorld, header: str) -> None:
    with pytest.raises(OAuthRefusal):
        _ask(world, {"grant_type": "client_credentials", "scope": SCOPE}, authorization=header)


def test_a_parameter_is_given_once() -> None:
    with pytest.raises(OAuthRefusal, match="more than once"):
        read_form([("scope", "a"), ("scope", "b")])


def test_guessing_a_secret_has_to_wait_and_others_do_not(world: IdentityWorld) -> None:
    application, secret = world.application()
    other, other_secret = world.application("other")
    for _ in range(FAILURES_OF_CLIENT_MAX):
        assert _refusal(world, _credentials((application, "wrong"))).reason.number == 7000215
    refusal = _refusal(world, _credentials((application, secret)))
    assert (refusal.reason.status, refusal.reason.error) == (429, "temporarily_unavailable")
    assert refusal.retry_after_s is not None
    _ask(world, _credentials((other, other_secret)))
    _ask(world, _credentials((application, secret)), address="192.0.2.2")
    world.now.advance(WINDOW_S)
    _ask(world, _credentials((application, secret)))


def test_a_refusal_holds_no_secret_and_no_markup(world: IdentityWorld) -> None:
    application, secret = world.application()
    values = _credentials((application, secret + "x"), {"client_id": "<script>alert(1)</script>"})
    document = refusal_document(_refusal(world, values), now=world.now(), trace_id="t", correlation_id="c")
    text = json.dumps(document)
    assert secret not in text
    assert "<" not in text
    assert document["error_codes"] == [700016]
    assert document["error_description"].startswith("AADSTS700016: ")
    assert document.keys() == {
        "error",
        "error_description",
        "error_codes",
        "timestamp",
        "trace_id",
        "correlation_id",
    }


def _consent(redirect_uri: str = LOCAL, **changes: Any) -> Consent:
    wanted: dict[str, Any] = {
        "audience": AUDIENCE,
        "version": "2.0",
        "wants_id_token": True,
        "wants_refresh_token": True,
        "redirect_uri": redirect_uri,
        "challenge": challenge_of(VERIFIER),
        "nonce": "n-1",
    }
    return Consent(**{**wanted, **changes})


def _code(world: IdentityWorld, application: Application, consent: Consent | None = None) -> dict[str, str]:
    user = next(iter(world.store.users()), None) or world.user(role=DATA_READER)
    consent = consent or _consent()
    code = issue_code(world.provider, consent, object_id=user.object_id, client_id=application.client_id)
    return {
        "grant_type": "authorization_code",
        "client_id": application.client_id,
        "code": code,
        "redirect_uri": consent.redirect_uri,
        "code_verifier": VERIFIER,
    }


def test_a_code_becomes_tokens_of_the_person(world: IdentityWorld) -> None:
    application, _ = world.application()
    answer = _ask(world, {**_code(world, application), "client_info": "1"})
    claims, _ = world.verifier.verify_access_token(answer["access_token"])
    user = world.store.users()[0]
    assert (claims["oid"], claims["azp"], claims["name"]) == (user.object_id, application.client_id, "jane")
    assert claims["scp"] == "Dicom.ReadWrite user_impersonation"
    assert claims["azpacr"] == "0"
    id_claims = unverified(answer["id_token"])
    assert (id_claims["aud"], id_claims["nonce"]) == (application.client_id, "n-1")
    padded = answer["client_info"] + "=" * (-len(answer["client_info"]) % 4)
    assert json.loads(base64.urlsafe_b64decode(padded)) == {"uid": user.object_id, "utid": world.tenant.tenant_id}


def test_only_what_was_asked_for_is_given(world: IdentityWorld) -> None:
    application, _ = world.application()
    consent = _consent(wants_id_token=False, wants_refresh_token=False)
    answer = _ask(world, _code(world, application, consent))
    assert answer.keys() == {"token_type", "expires_in", "ext_expires_in", "access_token", "scope"}


def test_a_code_is_used_once(world: IdentityWorld) -> None:
    application, _ = world.application()
    values = _code(world, application)
    _ask(world, values)
    assert _refusal(world, values).reason.number == 54005


def test_a_code_is_valid_for_a_moment(world: IdentityWorld) -> None:
    application, _ = world.application()
    values = _code(world, application)
    world.now.advance(CODE_LIFETIME_S)
    assert _refusal(world, values).reason.number == 54005


@pytest.mark.parametrize(
    ("changes", "number"),
    [
        ({"code_verifier": "w" * 43}, 501481),
        ({"code_verifier": "v" * 42}, 501481),
        ({"code_verifier": challenge_of(VERIFIER)}, 501481),
        ({"code_verifier": ""}, 900144),
        ({"redirect_uri": "http://localhost:5000/callback"}, 70000),
        ({"redirect_uri": ""}, 900144),
        ({"code": "guessed"}, 54005),
    ],
    ids=str,
)
def test_a_code_needs_all_that_belongs_to_it(world: IdentityWorld, changes: dict[str, str], number: int) -> None:
    application = world.registry.register_application("public", tenant=world.tenant)
    assert _refusal(world, {**_code(world, application), **changes}).reason.number == number


def test_a_wrong_verifier_spends_the_code(world: IdentityWorld) -> None:
    application, _ = world.application()
    values = _code(world, application)
    _refusal(world, {**values, "code_verifier": "w" * 43})
    assert _refusal(world, values).reason.number == 54005


def test_a_code_of_one_client_is_of_no_use_to_another(world: IdentityWorld) -> None:
    application, _ = world.application()
    other, _ = world.application("other")
    values = {**_code(world, application), "client_id": other.client_id}
    assert _refusal(world, values).reason.number == 70000


def test_a_web_application_with_a_secret_must_show_it(world: IdentityWorld) -> None:
    application, secret = world.application()
    assert _refusal(world, _code(world, application, _consent(WEB))).reason.number == 7000218
    answer = _ask(world, {**_code(world, application, _consent(WEB)), "client_secret": secret})
    assert unverified(answer["access_token"])["azpacr"] == "1"


def test_a_refresh_token_is_changed_with_each_use(world: IdentityWorld) -> None:
    application, _ = world.application()
    first = _ask(world, _code(world, application))["refresh_token"]
    values = {"grant_type": "refresh_token", "client_id": application.client_id}
    answer = _ask(world, {**values, "refresh_token": first})
    assert answer["refresh_token"] != first
    assert "nonce" not in unverified(answer["id_token"])
    assert _refusal(world, {**values, "refresh_token": first}).reason.number == 700082
    _ask(world, {**values, "refresh_token": answer["refresh_token"]})


def test_a_refresh_token_is_of_its_client_and_ends(world: IdentityWorld) -> None:
    application, _ = world.application()
    other, _ = world.application("other")
    token = _ask(world, _code(world, application))["refresh_token"]
    values = {"grant_type": "refresh_token", "refresh_token": token}
    assert _refusal(world, {**values, "client_id": other.client_id}).reason.number == 700082
    late = _ask(world, _code(world, application))["refresh_token"]
    world.now.advance(REFRESH_LIFETIME_S)
    values = {"grant_type": "refresh_token", "refresh_token": late, "client_id": application.client_id}
    assert _refusal(world, values).reason.number == 700082


def test_a_new_password_voids_codes_and_refresh_tokens(world: IdentityWorld) -> None:
    application, _ = world.application()
    token = _ask(world, _code(world, application))["refresh_token"]
    code = _code(world, application)
    world.registry.set_password(world.store.users()[0], "another long password")
    assert _refusal(world, code).reason.number == 54005
    values = {"grant_type": "refresh_token", "refresh_token": token, "client_id": application.client_id}
    assert _refusal(world, values).reason.number == 700082


def test_what_is_no_access_token_opens_nothing(world: IdentityWorld) -> None:
    answer = _ask(world, _code(world, world.application()[0]))
    for name in ("id_token", "refresh_token"):
        with pytest.raises(Unauthenticated):
            world.verifier.verify_access_token(answer[name])
