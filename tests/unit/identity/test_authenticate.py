"""Who is taken for the local owner, and who is turned away."""

from __future__ import annotations

import pytest

from isocenter.domain.errors import Forbidden
from isocenter.domain.principal import LOCAL_OWNER
from isocenter.identity.authenticate import LoopbackAuthenticator, is_loopback


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:8080", "[::1]:8080", "localhost", "LOCALHOST:80", "localhost.", "10.1.2.3:1"]
)
def test_addresses_and_localhost_are_answered(host: str) -> None:
    assert LoopbackAuthenticator(allowed_hosts=frozenset())({"host": host}) is LOCAL_OWNER


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "", "[::1", "a b"])
def test_a_foreign_name_is_refused_because_a_page_may_have_made_it_resolve_here(host: str) -> None:
    with pytest.raises(Forbidden):
        LoopbackAuthenticator(allowed_hosts=frozenset())({"host": host})


def test_a_name_that_the_operator_allows_is_answered() -> None:
    authenticate = LoopbackAuthenticator(allowed_hosts=frozenset({"Archive.Example"}))
    assert authenticate({"host": "archive.example:443"}) is LOCAL_OWNER


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("127.8.9.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False)],
)
def test_only_loopback_is_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
