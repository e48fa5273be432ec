"""The router's JSON: who may ask what, what is not taken, and what a folder without a running node answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import orjson
import pytest
from starlette.applications import Starlette

from isocenter.app.channels.offline_desk import OfflineDesk
from isocenter.app.settings import load_settings
from isocenter.archive.archive import Archive
from isocenter.domain.audit import AuditRecord
from isocenter.domain.delivery import DeliveryPlan
from isocenter.domain.errors import Unauthenticated
from isocenter.domain.principal import DataAction, Principal
from isocenter.ports.ledger import Selection
from isocenter.web.api.router import ROUTER_PATH, ROUTER_ROUTES, RouterRoute, concrete_paths, router_routes
from tests.support.asgi_client import AsgiClient
from tests.support.instances import identify
from tests.support.memory_archive import memory_archive, store
from tests.support.small_instances import make_instance

CHANNELS = """
[channels.router]
source = { kind = "stow" }
[[channels.router.rules]]
name = "CT"
when = 'Modality = "CT"'
to = ["pacs"]
[destinations.pacs]
kind = "folder"
path = "/nowhere"
"""
READS, CHANGES = DataAction.READ, DataAction.EXPORT
EXPECTED: Mapping[tuple[str, str], DataAction] = {
    ("GET", ""): READS,
    ("GET", "/channels"): READS,
    ("GET", "/channels/{channel}"): READS,
    ("GET", "/channels/{channel}/refusals"): READS,
    ("POST", "/channels/{channel}/{order:order}"): CHANGES,
    ("GET", "/destinations"): READS,
    ("GET", "/destinations/{destination}"): READS,
    ("POST", "/destinations/{destination}/{wish:wish}"): CHANGES,
    ("GET", "/deliveries"): READS,
    ("GET", "/deliveries/{delivery:int}"): READS,
    ("GET", "/deliveries/{delivery:int}/explanation"): READS,
    ("POST", "/deliveries/{step:step}"): CHANGES,
    ("GET", "/studies"): READS,
    ("GET", "/studies/{study}"): READS,
    ("GET", "/configuration"): READS,
    ("PUT", "/configuration"): CHANGES,
    ("POST", "/configuration/diff"): READS,
    ("GET", "/configuration/versions"): READS,
    ("POST", "/configuration/versions/{version:int}/rollback"): CHANGES,
    ("POST", "/replay"): READS,
}
"""What each route needs; a new one without a row fails."""
CALLERS = {
    "reader": Principal("reader", frozenset({READS})),
    "writer": Principal("writer", frozenset({DataAction.WRITE})),
    "owner": Principal("owner", frozenset(DataAction)),
}
_VALUES = {"channel": "router", "destination": "pacs", "delivery:int": "1", "study": "1.2.3", "version:int": "1"}


def _concrete(path: str) -> str:
    for name, value in _VALUES.items():
        path = path.replace(f"{{{name}}}", value)
    return ROUTER_PATH + path


def _admit(headers: Mapping[str, str]) -> Principal:
    caller = CALLERS.get(headers.get("authorization", ""))
    if caller is None:
        raise Unauthenticated()
    return caller


@pytest.fixture
def archive() -> Iterator[Archive]:
    with memory_archive() as opened:
        yield opened


@pytest.fixture
def trail() -> list[AuditRecord]:
    return []


@pytest.fixture
def client(archive: Archive, tmp_path: Path, trail: list[AuditRecord]) -> Iterator[AsgiClient]:
    file = tmp_path / "channels.toml"
    file.write_text(CHANNELS)
    given = {"data_dir": str(tmp_path), "routing.configuration": str(file)}
    desk = OfflineDesk(archive, load_settings(given, {}, None))
    with ThreadPoolExecutor(1) as executor:
        routes = router_routes(desk, authenticate=_admit, executor=executor, audit=trail.append)
        yield AsgiClient(Starlette(routes=routes))


def _ask(
    client: AsgiClient, method: str, path: str, *, caller: str = "owner", body: object = None
) -> tuple[int, object]:
    headers = {"Authorization": caller}
    content = b""
    if method != "GET":
        headers["Content-Type"] = "application/json"
        content = orjson.dumps({} if body is None else body)
    answer = client.request(method, path, headers=headers, content=content)
    return answer.status_code, orjson.loads(answer.content)


def _deliver(archive: Archive, number: int = 1) -> int:
    """Plan a delivery of an instance and return its number."""
    key = store(archive, make_instance(identify(number)).content).instance_key
    plan = DeliveryPlan("pacs", "router", "CT", configuration_version=1)
    archive.index.ledger.add([key], plan, now=archive.clock.now().timestamp())
    return archive.index.ledger.page(Selection(), limit=1)[0].delivery_key


def test_every_route_has_a_row_that_says_what_it_needs() -> None:
    assert {(route.method, route.path): route.action for route in ROUTER_ROUTES} == EXPECTED


@pytest.mark.parametrize("route", ROUTER_ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_a_route_is_for_those_who_may(client: AsgiClient, route: RouterRoute) -> None:
    for path in concrete_paths(route):
        assert _ask(client, route.method, _concrete(path), caller="nobody")[0] == 401
        for name, caller in CALLERS.items():
            status, _ = _ask(client, route.method, _concrete(path), caller=name)
            assert (status == 403) == (route.action not in caller.data_actions), (name, path, status)


def test_what_another_site_could_send_by_a_form_changes_nothing(client: AsgiClient) -> None:
    for media_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        headers = {"Authorization": "owner", "Content-Type": media_type}
        answer = client.request("POST", f"{ROUTER_PATH}/channels/router/stop", headers=headers, content=b"")
        assert answer.status_code == 415


def test_a_change_is_in_the_audit_log_and_a_look_is_not(client: AsgiClient, trail: list[AuditRecord]) -> None:
    _ask(client, "GET", f"{ROUTER_PATH}/channels")
    assert trail == []
    _ask(client, "POST", f"{ROUTER_PATH}/channels/router/stop")
    assert [(one.operation, one.status) for one in trail] == [
        ("router channels/channel/order:order", None),
        ("router channels/channel/order:order", 200),
    ]
    assert all(one.caller == CALLERS["owner"] for one in trail)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/deliveries/hold", {"selection": {"destination": 7}}),
        ("/deliveries/hold", {"selection": {"colour": "red"}}),
        ("/deliveries/hold", {"selection": {"states": ["lost"]}}),
        ("/deliveries/hold", {"selection": {"study": "not a UID"}}),
        ("/deliveries/hold", {"selection": {"deliveries": []}}),
        ("/deliveries/hold", {"selection": {}}),
        ("/deliveries/send-again", {"selection": {"destination": "pacs"}, "rules": "current"}),
        ("/configuration/diff", {"text": "not = [toml"}),
        ("/replay", {"days": -1}),
    ],
)
def test_what_cannot_be_meant_is_refused_in_words(client: AsgiClient, path: str, body: object) -> None:
    status, answer = _ask(client, "POST", ROUTER_PATH + path, body=body)
    assert status == 400
    assert isinstance(answer, dict)
    assert answer["error"]


def test_what_no_database_counts_to_is_refused(client: AsgiClient) -> None:
    number = "9" * 4_301
    for path in (f"/deliveries/{number}", f"/deliveries/{number}/explanation", f"/configuration/versions/{number}"):
        answer = client.request("GET", ROUTER_PATH + path, headers={"Authorization": "owner"})
        assert answer.status_code == 404, path
    for after in ("1.0,99999999999999999999", "1.0,-99999999999999999999", "1.0", "x,1", f"1.0,{number}"):
        assert _ask(client, "GET", f"{ROUTER_PATH}/studies?after={after}")[0] == 400, after


def test_a_look_at_values_of_attributes_is_in_the_audit_log(
    client: AsgiClient, archive: Archive, trail: list[AuditRecord]
) -> None:
    path = f"{ROUTER_PATH}/deliveries/{_deliver(archive)}/explanation"
    _ask(client, "GET", path)
    assert trail == []
    _ask(client, "GET", f"{path}?values=true")
    assert [one.operation for one in trail] == ["router deliveries/delivery:int/explanation"] * 2


def test_deliveries_are_paged_and_told_with_their_counters(client: AsgiClient, archive: Archive) -> None:
    keys = [_deliver(archive, number) for number in range(1, 4)]
    _, first = _ask(client, "GET", f"{ROUTER_PATH}/deliveries?limit=2&destination=pacs")
    assert isinstance(first, dict)
    assert [one["delivery"] for one in first["deliveries"]] == keys[:0:-1]
    _, second = _ask(client, "GET", f"{ROUTER_PATH}/deliveries?limit=2&after={first['after']}")
    assert isinstance(second, dict)
    assert [one["delivery"] for one in second["deliveries"]] == keys[:1]
    assert second["after"] is None
    _, channel = _ask(client, "GET", f"{ROUTER_PATH}/channels/router")
    assert isinstance(channel, dict)
    assert channel["counters"]["waiting"] == 3


def test_a_cancelled_delivery_can_be_sent_again_by_the_rules_that_hold_now(
    client: AsgiClient, archive: Archive
) -> None:
    key = _deliver(archive)
    selection = {"selection": {"deliveries": [key]}}
    assert _ask(client, "POST", f"{ROUTER_PATH}/deliveries/cancel", body=selection)[1] == {
        "count": 1,
        "is_complete": True,
    }
    text = CHANNELS.replace('name = "CT"', 'name = "CT, stat"\npriority = "stat"')
    assert _ask(client, "PUT", f"{ROUTER_PATH}/configuration", body={"text": text})[1] == {"version": 2}
    again = {**selection, "rules": "current"}
    assert _ask(client, "POST", f"{ROUTER_PATH}/deliveries/send-again", body=again)[0] == 200
    [row] = archive.index.ledger.page(Selection())
    assert (row.plan.rule, row.plan.priority, row.plan.configuration_version) == ("CT, stat", "stat", 2)
    _, told = _ask(client, "GET", f"{ROUTER_PATH}/deliveries/{key}/explanation")
    assert isinstance(told, dict)
    assert told["matched"] == ["CT, stat"]


def test_an_explanation_shows_values_only_where_it_is_asked_to(client: AsgiClient, archive: Archive) -> None:
    path = f"{ROUTER_PATH}/deliveries/{_deliver(archive)}/explanation"
    assert "(it is" not in str(_ask(client, "GET", path)[1])
    assert "(it is" in str(_ask(client, "GET", f"{path}?values=true")[1])


def test_a_configuration_as_toml_is_taken_and_given(client: AsgiClient) -> None:
    headers = {"Authorization": "owner", "Content-Type": "application/toml"}
    text = CHANNELS.replace('to = ["pacs"]', "to = []")
    put = client.request("PUT", f"{ROUTER_PATH}/configuration?reason=quiet", headers=headers, content=text.encode())
    assert (put.status_code, put.json()) == (200, {"version": 2})
    got = client.get(f"{ROUTER_PATH}/configuration?form=written", headers={**headers, "Accept": "application/toml"})
    assert (got.text, got.headers["etag"]) == (text, '"2"')
    _, versions = _ask(client, "GET", f"{ROUTER_PATH}/configuration/versions")
    assert isinstance(versions, dict)
    assert [(one["version"], one["author"], one["reason"]) for one in versions["versions"]] == [
        (2, "owner", "quiet"),
        (1, "the file", "First read."),
    ]
