from __future__ import annotations

import itertools

import pytest

from isocenter.dicomweb.server.routes import ALL_ROUTES, BULK_PATH_DEPTH_MAX, ROOTS, Route, routes_under
from isocenter.domain.principal import DataAction

BY_ROOT = {root: routes_under(root) for root in ROOTS}
EXPECTED_ACTIONS = {
    "GET": DataAction.READ,
    "POST": DataAction.WRITE,
    "PUT": DataAction.WRITE,
    "DELETE": DataAction.DELETE,
    "OPTIONS": None,
}
OTHER_ACTIONS = {
    ("POST", "extendedquerytags"): DataAction.MANAGE_EXTENDED_QUERY_TAGS,
    ("PATCH", "extendedquerytags/{tag}"): DataAction.MANAGE_EXTENDED_QUERY_TAGS,
    ("DELETE", "extendedquerytags/{tag}"): DataAction.MANAGE_EXTENDED_QUERY_TAGS,
    ("POST", "export"): DataAction.EXPORT,
    ("PATCH", "operations/{operation}"): DataAction.MANAGE_EXTENDED_QUERY_TAGS,
    ("GET", "api.json"): None,
    ("GET", "api.yaml"): None,
}
"""Where the method does not tell what a caller needs."""


def _example(route: Route) -> list[str]:
    return [f"1.{number}" if part.startswith("{") else part for number, part in enumerate(route.segments)]


@pytest.mark.parametrize("route", ALL_ROUTES, ids=lambda route: f"{route.method} {route.pattern[:80]}")
def test_every_route_needs_the_action_of_its_method(route: Route) -> None:
    expected = OTHER_ACTIONS.get((route.method, route.pattern), EXPECTED_ACTIONS.get(route.method))
    assert route.action is expected


@pytest.mark.parametrize("route", ALL_ROUTES, ids=lambda route: f"{route.method} {route.pattern[:80]}")
def test_every_route_is_reached_by_its_own_path_in_any_case(route: Route) -> None:
    for root, path in itertools.product(route.roots, (_example(route), [part.upper() for part in _example(route)])):
        offered = BY_ROOT[root][len(path)]
        found = [other for other in offered if other.method == route.method and other.match(path) is not None]
        assert found == [route]


def test_no_path_has_two_routes_of_one_method() -> None:
    for one, other in itertools.combinations(ALL_ROUTES, 2):
        if one.method == other.method and len(one.segments) == len(other.segments):
            clashes = one.match(_example(other)) is not None or other.match(_example(one)) is not None
            assert not clashes, (one.pattern, other.pattern)


def test_names_within_a_pattern_are_different() -> None:
    for route in ALL_ROUTES:
        names = [part for part in route.segments if part.startswith("{")]
        assert len(names) == len(set(names))


def test_a_path_of_bulk_data_is_taken_to_its_limit_and_no_further() -> None:
    head = ["studies", "1", "series", "2", "instances", "3", "bulkdata"]
    deepest = [*head, *["00081140"] * BULK_PATH_DEPTH_MAX]
    routes = BY_ROOT["/dicom-web"]
    assert any(route.match(deepest) is not None for route in routes[len(deepest)])
    assert len(deepest) + 1 not in routes
