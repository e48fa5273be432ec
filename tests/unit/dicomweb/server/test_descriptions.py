"""Every route is described, and every description has its route."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from isocenter.dicomweb.server import routes
from isocenter.dicomweb.server.descriptions import DESCRIPTIONS
from isocenter.dicomweb.server.routes import ALL_ROUTES, ROOTS, described_under


def test_every_handler_of_the_table_of_routes_is_described() -> None:
    missing = {f"{route.method} {route.pattern}" for route in ALL_ROUTES if route.handler not in DESCRIPTIONS}
    assert missing == set(), "say in server/descriptions.py what these do"


def test_no_description_is_of_a_handler_that_no_route_has() -> None:
    assert DESCRIPTIONS.keys() - {route.handler for route in ALL_ROUTES} == set()


@pytest.mark.parametrize("root", ROOTS)
def test_each_route_of_a_root_has_a_name_of_its_own(root: str) -> None:
    names = [route.description.name for route in described_under(root)]
    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize("root", ROOTS)
def test_every_description_says_enough(root: str) -> None:
    for route in described_under(root):
        described = route.description
        assert all((described.summary, described.source, described.group)), route.place
        assert any(answer.status < 400 for answer in described.answers), route.place
        assert all(parameter.text for parameter in (*described.parameters, *route.path_parameters)), route.place
        statuses = [answer.status for answer in described.answers]
        assert sorted(set(statuses)) == sorted(statuses), "each status once"


HEADER_READ = re.compile(r'headers\.get\(\s*"([^"]+)"')
OF_HTTP = frozenset(
    {
        "accept",
        "accept-encoding",
        "authorization",
        "content-encoding",
        "content-length",
        "content-type",
        "cookie",
        "host",
        "x-forwarded-host",
        "x-forwarded-prefix",
    }
)
"""Headers that OpenAPI leaves to media types and security, and those of HTTP itself and of proxies."""


def test_every_header_that_a_handler_reads_is_described() -> None:
    folder = Path(routes.__file__).parent
    read = {name.lower() for path in folder.glob("*.py") for name in HEADER_READ.findall(path.read_text("utf-8"))}
    described = {
        parameter.name.lower()
        for root in ROOTS
        for route in described_under(root)
        for parameter in route.description.parameters
        if parameter.location == "header"
    }
    assert described
    assert described <= read
    assert read - described - OF_HTTP == set(), "say in the description of the route what these mean"
