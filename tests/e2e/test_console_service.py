"""The service's pages on a node where people sign in: what a person sees, does, and may not do."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
import pytest

from tests.support.command_line import CommandLine
from tests.support.instances import identify
from tests.support.processes import Node, serve
from tests.support.small_instances import make_instance
from tests.support.workitems import attribute, creation

PASSWORD = "correct horse battery"
OWN = {"Sec-Fetch-Site": "same-origin"}
HOSTILE = "<script>alert(1)</script>"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a browser of their own."""

    client: httpx.Client

    def page(self, path: str, status: int = 200) -> str:
        answer = self.client.get(path)
        assert answer.status_code == status, answer.text
        return answer.text

    def send(self, address: str, status: int = 303, **fields: str) -> httpx.Response:
        answer = self.client.post(address, data=fields or {"sure": ""}, headers=OWN)
        assert answer.status_code == status, answer.text
        return answer


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    folder = tmp_path_factory.mktemp("service")
    commands = CommandLine(folder / "state")
    (folder / "password").write_text(PASSWORD)
    for name, role in (("olga", "owner"), ("rita", "reader")):
        arguments = ("--password-file", folder / "password", "--data-dir", folder / "data")
        commands.must("user", "add", name, "--role", role, *arguments)
    with serve(folder / "data", arguments=("--auth", "required")) as running:
        yield running


def _person(node: Node, name: str) -> Person:
    client = httpx.Client(base_url=node.base_url, trust_env=False, timeout=30)
    assert client.post("/login", data={"name": name, "password": PASSWORD, "next": "/"}).status_code == 303
    return Person(client)


@pytest.fixture(scope="module")
def owner(node: Node) -> Iterator[Person]:
    person = _person(node, "olga")
    yield person
    person.client.close()


@pytest.fixture(scope="module")
def reader(node: Node) -> Iterator[Person]:
    person = _person(node, "rita")
    yield person
    person.client.close()


def test_an_application_is_registered_gets_a_token_and_is_removed(node: Node, owner: Person) -> None:
    page = owner.send("/service/applications", 200, name=HOSTILE, role="DICOM Data Reader", days="30").text
    assert HOSTILE not in page
    secret = _only(r"<pre><code>([\w-]{20,})</code>", page)
    client_id = _only(r"<th scope=\"row\">Client</th><td><code>([0-9a-f-]{36})</code>", page)
    tokens = _only(r"<code>http[^<]*(/[0-9a-f-]{36}/oauth2/v2.0/token)</code>", page)
    asked = {
        "grant_type": "client_credentials",
        "client_id": client_id,
        "client_secret": secret,
        "scope": "https://dicom.healthcareapis.azure.com/.default",
    }
    token = httpx.post(node.base_url + tokens, data=asked, trust_env=False).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    assert httpx.get(f"{node.base_url}/v2/changefeed", headers=headers, trust_env=False).status_code == 200
    assert secret not in owner.page(f"/service/applications/{client_id}")
    path = f"/service/applications/{client_id}"
    assert "void from then on" in owner.send(f"{path}/remove", 200).text
    owner.send(f"{path}/remove", sure="yes")
    owner.page(path, 404)


def test_who_administers_applications_stands_in_the_audit_log_without_the_secrets(node: Node, owner: Person) -> None:
    page = owner.send("/service/applications", 200, name="traced", role="", days="30").text
    secret = _only(r"<pre><code>([\w-]{20,})</code>", page)
    client_id = _only(r"<th scope=\"row\">Client</th><td><code>([0-9a-f-]{36})</code>", page)
    path = f"/service/applications/{client_id}"
    further = _only(r"<pre><code>([\w-]{20,})</code>", owner.send(f"{path}/secrets", 200, days="30").text)
    owner.send(f"{path}/roles", role="DICOM Data Reader")
    owner.send(f"{path}/roles", 400, role="king")
    owner.send(f"{path}/remove", sure="yes")
    records = _audited(node, 4, lambda one: client_id in one["uri"])
    assert [(one["operationName"], one.get("resultSignature")) for one in records] == [
        ("add-application-secret", 200),
        ("assign-application-role", 303),
        ("assign-application-role", 400),
        ("remove-application", 303),
    ]
    assert all(one["identity"]["name"] == "olga" for one in records)
    (registered,) = _audited(node, 1, lambda one: one["resource"].get("name") == "traced")
    assert registered["operationName"] == "register-application"
    whole = _audit_log(node)
    assert secret not in whole
    assert further not in whole


def test_a_query_tag_is_added_disabled_and_removed(node: Node, owner: Person) -> None:
    told = owner.send("/service/query-tags", path="BodyPartExamined", level="Series").headers["location"]
    assert "00180015 is added" in owner.page(told)
    node.process.wait_until(lambda: ">ready<" in owner.page("/service/query-tags"))
    assert "succeeded" in owner.page("/service/operations")
    owner.send("/service/query-tags/00180015/status", query_status="disabled")
    assert "searches disabled" in owner.page("/service/query-tags/00180015")
    assert "Remove 00180015" in owner.send("/service/query-tags/00180015/remove", 200).text
    owner.send("/service/query-tags/00180015/remove", sure="yes")
    node.process.wait_until(lambda: "There are none" in owner.page("/service/query-tags"))
    (added,) = _audited(
        node, 1, lambda one: one["resource"].get("path") == "BodyPartExamined" and one["resultSignature"] == 303
    )
    assert added["operationName"] == "add-extended-query-tag"
    changed = _audited(node, 3, lambda one: "/query-tags/00180015" in one["uri"])
    names = [one["operationName"] for one in changed]
    assert names == ["update-extended-query-tag", *["remove-extended-query-tag"] * 2]


def test_a_tag_that_cannot_be_is_refused_in_words(owner: Person) -> None:
    assert "cannot be parsed" in owner.send("/service/query-tags", 400, path="NoSuchThing", level="Series").text


def test_a_workitem_is_listed_shown_and_cancelled(node: Node, owner: Person) -> None:
    uid = "2.25.77"
    document = creation(
        t00080018=attribute("UI", uid), t00741204=attribute("LO", HOSTILE), t00100020=attribute("LO", "W1")
    )
    answer = owner.client.post(
        f"/v2/workitems?{uid}",
        content=orjson.dumps([document]),
        headers={**OWN, "Content-Type": "application/dicom+json"},
    )
    assert answer.status_code == 201, answer.text
    listed = owner.page("/service/workitems?state=SCHEDULED&patient=W1")
    assert "&lt;script&gt;" in listed
    assert HOSTILE not in listed
    assert "No workitem matches" in owner.page("/service/workitems?state=COMPLETED")
    path = _only(rf'href="(/service/workitems/[^"/]+/{uid})"', listed)
    assert "ProcedureStepLabel" in owner.page(path)
    owner.send(f"{path}/cancel", reason="moved")
    assert "canceled" in owner.page(path)
    (record,) = _audited(node, 1, lambda one: one["uri"].endswith("/cancel"))
    assert (record["resource"]["sop_instance_uid"], "moved" in str(record)) == (uid, False)


def test_the_feed_lists_what_was_stored_with_its_study(node: Node, owner: Person) -> None:
    assert "Nothing has changed yet" in owner.page("/service")
    stored = identify()
    answer = owner.client.post(
        "/v2/studies",
        content=make_instance(stored).content,
        headers={**OWN, "Content-Type": "application/dicom", "Accept": "application/dicom+json"},
    )
    assert answer.status_code == 200, answer.text
    page = owner.page("/service")
    assert f"/studies/{stored.study_instance_uid}" in page
    assert "Create" in page
    assert owner.page("/service?until=x", 400)


def test_a_reader_sees_and_changes_nothing(reader: Person) -> None:
    assert "Applications" not in reader.page("/service")
    reader.page("/service/applications", 403)
    assert 'action="/service/query-tags"' not in reader.page("/service/query-tags")
    reader.send("/service/query-tags", 403, path="BodyPartExamined", level="Series")
    reader.send("/service/applications", 403, name="mine", role="DICOM Data Owner", days="30")


def test_a_form_of_another_site_registers_nothing(owner: Person) -> None:
    foreign = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    answer = owner.client.post("/service/applications", data={"name": "evil", "days": "30"}, headers=foreign)
    assert answer.status_code == 403
    assert "evil" not in owner.page("/service/applications")


def test_who_lost_the_session_signs_in_and_comes_back(node: Node) -> None:
    answer = httpx.get(f"{node.base_url}/service/operations", trust_env=False)
    assert answer.headers["location"] == "/login?next=%2Fservice%2Foperations"


def _audit_log(node: Node) -> str:
    return "".join(path.read_text() for path in sorted((node.data_dir / "audit").glob("*.jsonl")))


def _audited(node: Node, count: int, is_wanted: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
    """Return what has ended of what was done on pages, when so much of it is written."""

    def records() -> list[dict[str, Any]]:
        whole = [orjson.loads(line) for line in _audit_log(node).splitlines(keepends=True) if line.endswith("\n")]
        return [one for one in whole if one["action"] == "Executed" and "/service/" in one["uri"] and is_wanted(one)]

    node.process.wait_until(lambda: len(records()) == count)
    return records()


def _only(pattern: str, page: str) -> str:
    found = re.search(pattern, page)
    assert found is not None, page
    return found.group(1)
