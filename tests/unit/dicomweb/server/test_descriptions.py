"""Every route is described, and every description has its route."""

from __future__ import annotations

import pytest

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
