from __future__ import annotations

import re
from urllib.parse import urlencode

from starlette.applications import Starlette

from isocenter.domain.audit import AuditRecord
from isocenter.domain.principal import LOCAL_OWNER, OWNER_ACTIONS, READER_ACTIONS, Principal, SharedStudy
from isocenter.domain.role import DATA_OWNER, DATA_READER
from isocenter.identity.registry import Registry
from isocenter.identity.sharing import Shares
from isocenter.web.console.console import Console
from isocenter.web.console.section import SYSTEM
from isocenter.web.pages.system_users import user_routes
from tests.support.asgi_client import AsgiClient
from tests.support.identity import PASSWORD, IdentityWorld

HOSTILE = '"><script>alert(1)</script>{{7*7}}\u202e'[:-1]
FORM = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}


def _client(
    registry: Registry | None,
    principal: Principal = LOCAL_OWNER,
    *,
    issuers: tuple[str, ...] = (),
    records: list[AuditRecord] | None = None,
) -> AsgiClient:
    console = Console(authenticate=lambda headers: principal, login_path=None, sections=(SYSTEM,))
    audit = None if records is None else records.append
    return AsgiClient(Starlette(routes=user_routes(console, registry, issuers=issuers, audit=audit)))


def _post(client: AsgiClient, path: str, **form: str) -> tuple[int, str]:
    answer = client.request("POST", path, headers=FORM, content=urlencode(form).encode())
    return answer.status_code, answer.text


def _world(**people: str) -> IdentityWorld:
    """Return a directory with people and their roles."""
    world = IdentityWorld()
    for name, role in people.items():
        user = world.registry.add_user(name, PASSWORD, tenant=world.tenant)
        if role:
            world.registry.assign_role(user.object_id, DATA_OWNER if role == "owner" else DATA_READER)
    return world


def _id(world: IdentityWorld, name: str) -> str:
    return world.registry.user(name).object_id


def _roles(world: IdentityWorld, name: str) -> list[str]:
    return [one.role_id for one in world.registry.directory.assignments(_id(world, name))]


def test_people_are_listed_with_their_roles() -> None:
    page = _client(_world(ann="owner", bob="reader", carl="").registry).get("/system/users").text
    assert re.findall(r'data-user="(\w+)"', page) == ["ann", "bob", "carl"]
    assert page.count(" selected>Disabled: no role") == 1


def test_a_person_is_added_with_a_password_that_is_shown_once() -> None:
    world, records = _world(ann="owner"), list[AuditRecord]()
    client = _client(world.registry, records=records)
    status, page = _post(client, "/system/users", name="dora", role="DICOM Data Reader")
    assert status == 200
    (password,) = re.findall(r"data-password>([^<]+)<", page)
    assert world.registry.hasher.matches(password, world.registry.user("dora").digest)
    assert _roles(world, "dora") == [DATA_READER.role_id]
    assert password not in client.get("/system/users").text
    assert [(one.operation, one.status) for one in records] == [("add-user", None), ("add-user", 200)]
    assert password not in str(records)


def test_a_password_is_replaced_and_shown_once() -> None:
    world = _world(ann="owner", bob="reader")
    _, page = _post(_client(world.registry), f"/system/users/{_id(world, 'bob')}/password")
    (password,) = re.findall(r"data-password>([^<]+)<", page)
    digest = world.registry.user("bob").digest
    assert world.registry.hasher.matches(password, digest)
    assert not world.registry.hasher.matches(PASSWORD, digest)


def test_a_role_is_changed_and_taken_away() -> None:
    world = _world(ann="owner", bob="reader")
    client, path = _client(world.registry), f"/system/users/{_id(world, 'bob')}/role"
    assert _post(client, path, role=DATA_OWNER.name)[0] == 303
    assert _roles(world, "bob") == [DATA_OWNER.role_id]
    assert _post(client, path, role="")[0] == 303
    assert _roles(world, "bob") == []


def test_links_end_with_the_last_role_of_whoever_gave_them_and_live_through_a_change_of_role() -> None:
    world = _world(ann="owner", bob="reader")
    client, path = _client(world.registry), f"/system/users/{_id(world, 'bob')}/role"
    shares = Shares(world.store, world.now)
    giver = Principal("bob", READER_ACTIONS, _id(world, "bob"))
    token = shares.give(giver, SharedStudy("1.2.3", ""), lasts_s=3600.0)
    _post(client, path, role=DATA_OWNER.name)
    assert shares.find(token) is not None
    _post(client, path, role="")
    assert shares.find(token) is None


def test_a_person_is_removed_after_being_asked() -> None:
    world = _world(ann="owner", bob="reader")
    client, path = _client(world.registry), f"/system/users/{_id(world, 'bob')}/remove"
    assert "Remove <bdi>bob</bdi>?" in client.get(path).text
    assert _post(client, path)[0] == 400
    assert _post(client, path, sure="yes")[0] == 303
    assert [user.name for user in world.registry.directory.users()] == ["ann"]


def test_the_last_owner_can_neither_be_removed_nor_changed() -> None:
    world = _world(ann="owner", bob="reader")
    client, path = _client(world.registry), f"/system/users/{_id(world, 'ann')}"
    for answer in (
        _post(client, f"{path}/remove", sure="yes"),
        _post(client, f"{path}/role", role=""),
        _post(client, f"{path}/role", role=DATA_READER.name),
    ):
        assert answer[0] == 409
        assert "last person who may do everything" in answer[1]
    assert _roles(world, "ann") == [DATA_OWNER.role_id]
    page = client.get("/system/users").text
    assert f"{path}/remove" not in page


def test_an_owner_of_a_partition_alone_is_no_other_owner() -> None:
    world = _world(ann="owner", bob="")
    world.registry.assign_role(_id(world, "bob"), DATA_OWNER, partition_name="north")
    status, _ = _post(_client(world.registry), f"/system/users/{_id(world, 'ann')}/remove", sure="yes")
    assert status == 409


def test_one_of_two_owners_may_go() -> None:
    world = _world(ann="owner", bob="owner")
    assert _post(_client(world.registry), f"/system/users/{_id(world, 'ann')}/remove", sure="yes")[0] == 303


def test_who_does_not_administer_sees_and_changes_nothing() -> None:
    world = _world(ann="owner", bob="reader")
    everything_here = Principal("bob", OWNER_ACTIONS, is_of_partition=True)
    for principal in (Principal("bob", READER_ACTIONS), everything_here):
        client = _client(world.registry, principal)
        assert client.get("/system/users").status_code == 403
        assert client.get(f"/system/users/{_id(world, 'ann')}/remove").status_code == 403
        assert _post(client, "/system/users", name="eve", role=DATA_OWNER.name)[0] == 403
        assert _post(client, f"/system/users/{_id(world, 'ann')}/remove", sure="yes")[0] == 403
        assert _post(client, f"/system/users/{_id(world, 'ann')}/password")[0] == 403
        assert _post(client, f"/system/users/{_id(world, 'bob')}/role", role=DATA_OWNER.name)[0] == 403


def test_a_name_that_is_taken_or_none_is_told() -> None:
    client = _client(_world(ann="owner").registry)
    assert _post(client, "/system/users", name="ANN", role="")[0] == 409
    assert _post(client, "/system/users", name="", role="")[0] == 400
    assert _post(client, "/system/users", name="x", role="king")[0] == 400


def test_names_are_only_text() -> None:
    world = IdentityWorld()
    world.registry.add_user(HOSTILE, PASSWORD, tenant=world.tenant)
    page = _client(world.registry).get("/system/users").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page


def test_an_identifier_of_nobody_is_not_found() -> None:
    assert _post(_client(_world(ann="owner").registry), "/system/users/nobody/password")[0] == 404


def test_where_others_keep_people_the_page_says_where() -> None:
    page = _client(None, issuers=("https://login.example/tenant",)).get("/system/users").text
    assert "https://login.example/tenant" in page
    assert "Add a person" not in page
    assert "Nobody has to sign in" in _client(None).get("/system/users").text
