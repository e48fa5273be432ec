"""Whom the authorization endpoint sends back, where to, and with what."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from isocenter.domain.directory import Application, GrantKind
from isocenter.identity.access_token import TokenVersion
from isocenter.identity.provider.authorization import (
    ResponseMode,
    WayBack,
    grant_code,
    is_redirect_uri,
    read_authorization_request,
    read_way_back,
    tell_refusal,
)
from isocenter.identity.provider.codes import challenge_of
from isocenter.identity.provider.refusal import CHALLENGE_NEEDED, OAuthRefusal
from isocenter.identity.sessions import digest_of
from tests.support.identity import AUDIENCE, IdentityWorld, form

WEB, LOCAL = "https://viewer.example/callback?a=1", "http://localhost/callback"
GOOD = {
    "response_type": "code",
    "redirect_uri": WEB,
    "scope": f"{AUDIENCE}/.default openid offline_access",
    "code_challenge": challenge_of("v" * 43),
    "code_challenge_method": "S256",
    "state": "a b&c",
}


@pytest.fixture(scope="module")
def world() -> IdentityWorld:
    return IdentityWorld()


@pytest.fixture(scope="module")
def application(world: IdentityWorld) -> Application:
    return world.application(redirect_uris=(WEB, LOCAL))[0]


def _way_back(world: IdentityWorld, application: Application, **changes: str) -> WayBack:
    values = {**GOOD, "client_id": application.client_id, **changes}
    return read_way_back(world.provider, form(**values), world.tenant)[1]


@pytest.mark.parametrize(
    "uri",
    [WEB, LOCAL, "http://localhost:49152/callback"],
)
def test_a_registered_address_is_a_way_back_and_a_local_program_chooses_its_port(
    world: IdentityWorld, application: Application, uri: str
) -> None:
    assert _way_back(world, application, redirect_uri=uri).redirect_uri == uri


@pytest.mark.parametrize(
    "uri",
    [
        "https://viewer.example/callback",
        "https://viewer.example/callback?a=1&b=2",
        "https://viewer.example:444/callback?a=1",
        "http://viewer.example/callback?a=1",
        "https://viewer.example.evil.example/callback?a=1",
        "https://viewer.example@evil.example/callback?a=1",
        "https://evil.example/",
        "http://localhost:1/other",
        "http://localhost:1/callback?x=1",
        "http://127.0.0.1/callback",
        "http://localhost@evil.example/callback",
        "http://localhost:1/callback#x",
        "javascript:alert(1)",
    ],
)
def test_nobody_is_sent_anywhere_else(world: IdentityWorld, application: Application, uri: str) -> None:
    with pytest.raises(OAuthRefusal, match="50011"):
        _way_back(world, application, redirect_uri=uri)


@pytest.mark.parametrize(
    ("changes", "number"),
    [
        ({"client_id": "unknown"}, "700016"),
        ({"client_id": ""}, "900144"),
        ({"redirect_uri": ""}, "900144"),
        ({"response_mode": "web_message"}, "9002313"),
        ({"state": "x" * 10_000}, "9002313"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_cannot_be_answered_is_shown_to_the_person(
    world: IdentityWorld, application: Application, changes: dict[str, str], number: str
) -> None:
    with pytest.raises(OAuthRefusal, match=number):
        _way_back(world, application, **changes)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": ""}, "invalid_request"),
        ({"scope": "https://management.azure.com/.default"}, "invalid_resource"),
        ({"scope": f"{AUDIENCE}/Everything"}, "invalid_scope"),
    ],
    ids=str,
)
def test_what_is_wrong_after_that_is_told_to_the_client(
    world: IdentityWorld, application: Application, changes: dict[str, str], error: str
) -> None:
    values = form(**{**GOOD, "client_id": application.client_id, **changes})
    with pytest.raises(OAuthRefusal) as refusal:
        read_authorization_request(world.provider, values, application, TokenVersion.V2)
    assert tell_refusal(refusal.value)["error"] == error


@pytest.mark.parametrize(
    ("mode", "part"),
    [("query", "query"), ("", "query"), ("fragment", "fragment")],
    ids=["query", "default", "fragment"],
)
def test_the_answer_goes_where_the_client_wants_it_with_its_own_word(
    world: IdentityWorld, application: Application, mode: str, part: str
) -> None:
    way_back = _way_back(world, application, response_mode=mode)
    address = urlsplit(way_back.address({"code": "c/d"}))
    values = parse_qs(getattr(address, part))
    assert values["code"] == ["c/d"]
    assert values["state"] == ["a b&c"]
    assert parse_qs(address.query)["a"] == ["1"]


def test_a_form_goes_to_the_origin_that_was_checked(world: IdentityWorld, application: Application) -> None:
    way_back = _way_back(world, application, response_mode="form_post")
    assert way_back.mode is ResponseMode.FORM_POST
    assert way_back.origin == "https://viewer.example"
    assert way_back.fields({"code": "c"}) == {"code": "c", "state": "a b&c"}


def test_a_code_is_kept_by_its_digest(world: IdentityWorld, application: Application) -> None:
    values = form(**{**GOOD, "client_id": application.client_id, "nonce": "n"})
    request = read_authorization_request(world.provider, values, application, TokenVersion.V2)
    assert (request.consent.audience, request.consent.wants_refresh_token) == (AUDIENCE, True)
    code = grant_code(world.provider, request, object_id="jane")["code"]
    kept = world.store.grant(GrantKind.CODE, digest_of(code))
    assert kept is not None
    assert code not in kept.details
    assert kept.object_id == "jane"


@pytest.mark.parametrize(
    ("uri", "can_be"),
    [
        ("https://a.example/", True),
        ("https://[2001:db8::1]:8443/x", True),
        ("http://127.0.0.1:1/x", True),
        ("http://[::1]/x", True),
        ("http://a.example/", False),
        ("https://a.example/\nSet-Cookie: x", False),
        ("https://a.example;x/", False),
        ("https://[::1/x", False),
        ("msauth://x", False),
    ],
)
def test_what_can_be_registered_as_a_way_back(uri: str, can_be: bool) -> None:
    assert is_redirect_uri(uri) is can_be


def test_a_refusal_names_the_reason() -> None:
    assert tell_refusal(OAuthRefusal(CHALLENGE_NEEDED))["error_description"].startswith("AADSTS9002325")
