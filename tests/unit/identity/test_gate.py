"""Who is let in by what the request shows, and how soon a change is seen."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from isocenter.domain.errors import Unauthenticated
from isocenter.domain.principal import OWNER_ACTIONS, READER_ACTIONS
from isocenter.domain.role import DATA_OWNER, DATA_READER
from isocenter.identity.gate import (
    PLAIN_COOKIE,
    SECURE_COOKIE,
    Gate,
    bearer_token,
    cookie_name,
    is_same_origin,
    key_id_of,
)
from isocenter.identity.principals import RoleRules
from isocenter.identity.provider.token_endpoint import mint_for_client
from isocenter.identity.remembered import REMEMBERED_MAX, REVISION_S
from isocenter.identity.sessions import Sessions, SessionTimes
from tests.support.identity import AUDIENCE, BASE, IdentityWorld

SAME_ORIGIN = {"sec-fetch-site": "same-origin"}


@dataclass
class _Node:
    """A gate over a provider in memory."""

    world: IdentityWorld = field(default_factory=IdentityWorld)
    sessions: Sessions = field(init=False)
    gate: Gate = field(init=False)

    def __post_init__(self) -> None:
        world = self.world
        self.sessions = Sessions(world.store, world.now, SessionTimes())
        self.gate = Gate(
            world.verifier,
            self.sessions,
            world.store,
            rules=RoleRules(),
            now=world.now,
            later=lambda work: work(),
        )

    def token(self, name: str = "client") -> dict[str, str]:
        application = self.world.registry.application(name)
        token = mint_for_client(self.world.provider, application, base=BASE, audience=AUDIENCE)
        return {"authorization": f"Bearer {token}"}


@pytest.fixture
def node() -> _Node:
    return _Node()


def test_a_token_lets_its_application_in(node: _Node) -> None:
    node.world.application(role=DATA_READER)
    headers = node.token()
    for admit in (node.gate.admit_call, node.gate.admit_page):
        assert admit(headers).data_actions == READER_ACTIONS


def test_a_role_that_is_taken_away_is_gone_within_a_second(node: _Node) -> None:
    application, _ = node.world.application(role=DATA_OWNER)
    headers = node.token()
    assert node.gate.admit_call(headers).data_actions == OWNER_ACTIONS
    node.world.store.remove_assignment(application.object_id, DATA_OWNER.role_id, "")
    node.world.now.advance(REVISION_S)
    assert node.gate.admit_call(headers).data_actions == frozenset()


def test_an_application_that_is_removed_is_out_within_a_second(node: _Node) -> None:
    application, _ = node.world.application(role=DATA_OWNER)
    headers = node.token()
    node.gate.admit_call(headers)
    node.world.store.remove_application(application.client_id)
    node.world.now.advance(REVISION_S)
    with pytest.raises(Unauthenticated):
        node.gate.admit_call(headers)


def test_a_remembered_token_expires_all_the_same(node: _Node) -> None:
    node.world.application(role=DATA_OWNER)
    headers = node.token()
    for _ in range(62):
        node.gate.admit_call(headers)
        node.world.now.advance(59.9)
    with pytest.raises(Unauthenticated, match="expired"):
        node.gate.admit_call(headers)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Basic amFuZTpwYXNz"},
        {"authorization": "Bearer"},
        {"authorization": "Bearer "},
        {"authorization": "Bearer a.b.c"},
        {"authorization": ""},
        {"cookie": "other=1"},
        {"cookie": f"{SECURE_COOKIE}="},
        {"cookie": f"{SECURE_COOKIE}=guessed"},
        {"cookie": "\u00e4;=;;", "sec-fetch-site": "none"},
    ],
    ids=str,
)
def test_without_good_evidence_nobody_is_let_in(node: _Node, headers: dict[str, str]) -> None:
    for admit in (node.gate.admit_call, node.gate.admit_page):
        with pytest.raises(Unauthenticated):
            admit(headers)


@pytest.mark.parametrize("name", [SECURE_COOKIE, PLAIN_COOKIE])
def test_a_session_lets_the_person_in(node: _Node, name: str) -> None:
    user = node.world.user(role=DATA_READER)
    cookie = node.sessions.open(user.object_id)
    headers = {"cookie": f"theme=dark; {name}={cookie}; other=1", **SAME_ORIGIN}
    found = node.gate.admit_call(headers)
    assert (found.name, found.object_id, found.data_actions) == ("jane", user.object_id, READER_ACTIONS)


@pytest.mark.parametrize(
    ("headers", "counts"),
    [
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "none"}, True),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "cross-site", "origin": "https://node.example"}, False),
        ({}, True),
        ({"origin": "https://node.example"}, True),
        ({"origin": "https://evil.example"}, False),
        ({"origin": "https://node.example.evil.example"}, False),
        ({"origin": "https://node.example:8443"}, False),
        ({"origin": "null"}, False),
        ({"origin": "https://public.example", "x-forwarded-host": "public.example, inner"}, True),
    ],
    ids=str,
)
def test_a_session_counts_for_data_only_on_pages_of_our_own(node: _Node, headers: dict[str, str], counts: bool) -> None:
    user = node.world.user(role=DATA_READER)
    request = {
        "host": "node.example",
        "cookie": f"{SECURE_COOKIE}={node.sessions.open(user.object_id)}",
        **headers,
    }
    assert is_same_origin(request) is counts
    if counts:
        node.gate.admit_call(request)
    else:
        with pytest.raises(Unauthenticated, match="pages of this node"):
            node.gate.admit_call(request)
    node.gate.admit_page(request)  # a link from elsewhere may lead to a page


def test_a_token_counts_wherever_the_page_is_from(node: _Node) -> None:
    node.world.application(role=DATA_READER)
    node.gate.admit_call({**node.token(), "sec-fetch-site": "cross-site", "origin": "https://viewer.example"})


def test_a_session_that_was_ended_is_out_at_once(node: _Node) -> None:
    user = node.world.user(role=DATA_READER)
    cookie = node.sessions.open(user.object_id)
    headers = {"cookie": f"{SECURE_COOKIE}={cookie}", **SAME_ORIGIN}
    node.gate.admit_call(headers)
    node.sessions.close(cookie)
    node.gate.forget_cookie(cookie)
    with pytest.raises(Unauthenticated, match="ended"):
        node.gate.admit_call(headers)


def test_a_person_that_is_removed_is_out_within_a_second(node: _Node) -> None:
    user = node.world.user(role=DATA_READER)
    headers = {"cookie": f"{SECURE_COOKIE}={node.sessions.open(user.object_id)}", **SAME_ORIGIN}
    node.gate.admit_call(headers)
    node.world.store.remove_user(user.object_id)
    node.world.now.advance(REVISION_S)
    with pytest.raises(Unauthenticated):
        node.gate.admit_call(headers)


def test_a_session_in_use_is_prolonged_and_an_unused_one_ends(node: _Node) -> None:
    user = node.world.user(role=DATA_READER)
    headers = {"cookie": f"{SECURE_COOKIE}={node.sessions.open(user.object_id)}", **SAME_ORIGIN}
    for _ in range(5):
        node.world.now.advance(1800)
        node.gate.admit_call(headers)
    node.world.now.advance(3600)
    with pytest.raises(Unauthenticated):
        node.gate.admit_call(headers)


def test_roles_of_somebody_who_signed_in_elsewhere_stand_in_the_session(node: _Node) -> None:
    cookie = node.sessions.open("foreign", {"name": "Joe", "roles": [DATA_OWNER.role_id, "unknown"]})
    found = node.gate.admit_call({"cookie": f"{SECURE_COOKIE}={cookie}", **SAME_ORIGIN})
    assert (found.name, found.data_actions) == ("Joe", OWNER_ACTIONS)


def test_the_cookie_that_no_plain_page_can_set_goes_first(node: _Node) -> None:
    user = node.world.user(role=DATA_READER)
    good = node.sessions.open(user.object_id)
    other = node.sessions.open(node.world.user("eve").object_id)
    headers = {"cookie": f"{PLAIN_COOKIE}={other}; {SECURE_COOKIE}={good}", **SAME_ORIGIN}
    assert node.gate.admit_call(headers).name == "jane"


def test_what_is_remembered_is_bounded(node: _Node) -> None:
    user = node.world.user(role=DATA_READER)
    for _ in range(REMEMBERED_MAX + 5):
        cookie = node.sessions.open(user.object_id)
        node.gate.admit_call({"cookie": f"{SECURE_COOKIE}={cookie}", **SAME_ORIGIN})
    assert len(node.gate._remembered) == REMEMBERED_MAX


def test_refused_evidence_is_not_remembered(node: _Node) -> None:
    for number in range(10):
        with pytest.raises(Unauthenticated):
            node.gate.admit_call({"authorization": f"Bearer {number}"})
    assert len(node.gate._remembered) == 0


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_may_be_written_in_any_case(scheme: str) -> None:
    assert bearer_token({"authorization": f"{scheme}  token "}) == "token"


def test_the_key_of_a_token_is_read_without_believing_it(node: _Node) -> None:
    node.world.application()
    assert key_id_of(node.token()) == node.world.provider.key_documents()[0]["kid"]
    for headers in ({}, {"authorization": "Basic x"}, {"authorization": "Bearer x"}, {"authorization": "Bearer a.b.c"}):
        assert key_id_of(headers) is None


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("127.0.0.1:8042", "isocenter-session-8042"),
        ("localhost:80", "isocenter-session-80"),
        ("[::1]:8042", "isocenter-session-8042"),
        ("[::1]", "isocenter-session"),
        ("archive.example", "isocenter-session"),
        ("", "isocenter-session"),
        ("127.0.0.1:", "isocenter-session"),
        ("127.0.0.1:80; x=", "isocenter-session"),
        ("127.0.0.1:8042\n", "isocenter-session"),
        ("127.0.0.1:٣", "isocenter-session"),
    ],
    ids=repr,
)
def test_a_cookie_is_named_by_the_port_that_was_asked(host: str, name: str) -> None:
    assert cookie_name(PLAIN_COOKIE, {"host": host}) == name


def test_a_cookie_over_https_keeps_the_prefix_that_binds_it_to_its_host() -> None:
    assert cookie_name(SECURE_COOKIE, {"host": "archive.example:8443"}) == "__Host-isocenter-session-8443"


@pytest.mark.parametrize("kind", [SECURE_COOKIE, PLAIN_COOKIE])
def test_nodes_on_one_machine_keep_their_sessions_apart(node: _Node, kind: str) -> None:
    user = node.world.user(role=DATA_READER)
    ours, theirs = {"host": "127.0.0.1:8041"}, {"host": "127.0.0.1:8042"}
    cookies = (
        f"{cookie_name(kind, theirs)}=of-another-node; {cookie_name(kind, ours)}={node.sessions.open(user.object_id)}"
    )
    assert node.gate.admit_call({"cookie": cookies, **ours, **SAME_ORIGIN}).object_id == user.object_id
    with pytest.raises(Unauthenticated):
        node.gate.admit_call({"cookie": cookies, **theirs, **SAME_ORIGIN})
