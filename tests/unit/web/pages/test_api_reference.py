from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from starlette.applications import Starlette

from isocenter.dicomweb.server.routes import ROOTS, described_under
from isocenter.dicomweb.server.service import Service
from isocenter.domain.errors import Unauthenticated
from isocenter.domain.principal import Principal
from isocenter.web.console_page import CONSOLE_POLICY
from isocenter.web.pages.api_reference import api_reference_routes
from tests.support.asgi_client import AsgiClient
from tests.support.memory_archive import memory_archive

ADDRESS = re.compile(r"""(?:src|href|action)="([^"#]*)""")


def _nobody(_: object) -> Principal:
    raise Unauthenticated()


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with memory_archive() as archive, ThreadPoolExecutor(1) as executor:
        yield Service(archive, executor, _nobody)


def _client(service: Service) -> AsgiClient:
    return AsgiClient(Starlette(routes=api_reference_routes(service)))


@pytest.mark.parametrize("root", ROOTS)
def test_anybody_reads_of_every_route_of_a_root(service: Service, root: str) -> None:
    answer = _client(service).get(f"/docs/api{root}")
    assert answer.status_code == 200
    for route in described_under(root):
        assert f'id="{route.description.name}"' in answer.text


@pytest.mark.parametrize("root", ROOTS)
def test_a_page_leads_nowhere_but_to_this_node_and_has_its_policy(service: Service, root: str) -> None:
    answer = _client(service).get(f"/docs/api{root}")
    assert answer.headers["content-security-policy"] == CONSOLE_POLICY
    addresses = {address for address in ADDRESS.findall(answer.text) if address}
    assert addresses
    assert all(address.startswith("/") and not address.startswith("//") for address in addresses)
    assert "<style" not in answer.text
    assert " style=" not in answer.text


def test_every_link_within_a_page_leads_to_something(service: Service) -> None:
    text = _client(service).get("/docs/api/v2").text
    targets = set(re.findall(r'href="#([^"]+)"', text))
    assert targets <= set(re.findall(r'id="([^"]+)"', text))


def test_without_a_version_the_latest_is_shown(service: Service) -> None:
    answer = _client(service).get("/docs/api")
    assert (answer.status_code, answer.headers["location"]) == (303, "/docs/api/v2")


def test_a_version_that_is_not_there_is_told_so(service: Service) -> None:
    answer = _client(service).get("/docs/api/v3")
    assert answer.status_code == 404
    assert "There is no such version" in answer.text


def test_it_says_who_issues_tokens_or_that_none_is_needed(service: Service) -> None:
    assert "asks nobody for a token" in _client(service).get("/docs/api/v2").text
    guarded = replace(service, challenge=lambda base: f'Bearer authorization_uri="{base}/tenant"')
    text = _client(guarded).get("/docs/api/v2").text
    assert "http://testserver/tenant" in text
    assert "Bearer $TOKEN" in text


def test_words_of_the_interface_are_set_apart(service: Service) -> None:
    text = _client(service).get("/docs/api/v2").text
    assert "`" not in text
    assert "<code>all</code>" in text
