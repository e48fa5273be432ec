"""The client against a strict server: searches, transactions, deletes, conditions, and servers that cannot be used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest

from isocenter.dicomweb.client.credentials import ClientCredentials, ClientSecret
from isocenter.fhir.client import FhirClient
from isocenter.fhir.errors import FhirConflict, FhirNotUsable, FhirRefused, FhirUnavailable
from isocenter.fhir.mapping.endpoint import endpoint_search, new_endpoint
from isocenter.fhir.mapping.plan import Create, Plan, Replace
from isocenter.fhir.mapping.resource import Resource, query_of, to_send
from tests.support.fhir_peer import FhirPeer

URL = "https://archive.example/v2"


@pytest.fixture
def client(peer: FhirPeer) -> Iterator[FhirClient]:
    one = FhirClient(peer.url + "/")
    yield one
    one.close()


def _check(url: str, auth: httpx.Auth | None = None) -> None:
    with closing(FhirClient(url, auth=auth)) as client:
        client.check()


def _patient(value: str = "1", **elements: Any) -> Resource:
    return {"resourceType": "Patient", "identifier": [{"system": "urn:a", "value": value}], **elements}


def _create(resource: Resource, value: str = "1") -> Create:
    return Create(f"urn:uuid:{value}", resource, query_of({"identifier": f"urn:a|{value}"}))


def test_what_a_server_is_it_says_itself(client: FhirClient) -> None:
    capability = client.check()
    assert (capability.software, capability.fhir_version) == ("strict", "4.0.1")


@pytest.mark.parametrize(
    ("capabilities", "words"),
    [
        ({"fhirVersion": "5.0.0"}, "5.0.0"),
        ({"rest": []}, "no transactions"),
        ({"rest": [{"interaction": [{"code": "batch"}]}, "odd"]}, "no transactions"),
        ({"resourceType": "Patient"}, "no FHIR server"),
    ],
)
def test_a_server_that_cannot_be_used_is_told(
    peer: FhirPeer, client: FhirClient, capabilities: dict[str, Any], words: str
) -> None:
    peer.set_faults(capabilities=capabilities)
    with pytest.raises(FhirNotUsable, match=words):
        client.check()


def test_an_address_without_a_server_is_told(peer: FhirPeer) -> None:
    with pytest.raises(FhirNotUsable, match="before /metadata"):
        _check(f"{peer.url}/elsewhere")
    with pytest.raises(FhirUnavailable, match="cannot be reached"):
        _check("http://127.0.0.1:1/fhir")
    with pytest.raises(FhirNotUsable, match="http or https"):
        _check("ftp://127.0.0.1/fhir")


def test_a_server_that_names_no_software_is_one(peer: FhirPeer, client: FhirClient) -> None:
    peer.set_faults(capabilities={"software": None})
    assert client.check().software == "without a name"
    peer.set_faults(statuses=[503])
    with pytest.raises(FhirUnavailable):
        client.check()


def test_what_is_created_is_found_with_its_version(client: FhirClient) -> None:
    client.carry_out(Plan((_create(_patient()),)))
    [found] = client.search("Patient", {"identifier": "urn:a|1"})
    assert found["meta"]["versionId"] == "1"
    assert client.search("Patient", {"identifier": "urn:a|2"}) == []


def test_identifiers_are_found_whatever_they_hold(client: FhirClient) -> None:
    value = r"a,b|c$d\e ü&=#"
    escaped = "urn:a|" + r"a\,b\|c\$d\\e ü&=#"
    client.carry_out(Plan((Create("urn:uuid:1", _patient(value), query_of({"identifier": escaped})),)))
    [found] = client.search("Patient", {"identifier": escaped})
    assert found["identifier"][0]["value"] == value


def test_pages_are_turned(client: FhirClient, peer: FhirPeer) -> None:
    for _ in range(12):
        assert peer.send("POST", "Patient", _patient()).status_code == 201
    assert len(client.search("Patient", {"identifier": "urn:a|1"})) == 12
    assert len(peer.requests("GET")) == 3


def test_a_page_elsewhere_is_not_asked_for(client: FhirClient, peer: FhirPeer) -> None:
    for _ in range(6):
        peer.send("POST", "Patient", _patient())
    peer.set_faults(next_page="http://127.0.0.2:1/fhir/Patient")
    with pytest.raises(FhirNotUsable, match="another address"):
        client.search("Patient", {"identifier": "urn:a|1"})


@pytest.mark.parametrize(
    ("bundle", "kind"),
    [
        ({"resourceType": "Patient"}, FhirUnavailable),
        ([], FhirUnavailable),
        ({"resourceType": "Bundle", "link": [{"relation": "next", "url": "http://["}]}, FhirNotUsable),
    ],
)
def test_what_is_no_answer_to_a_search_is_told(
    peer: FhirPeer, client: FhirClient, bundle: object, kind: type[Exception]
) -> None:
    peer.set_faults(answer=bundle)
    with pytest.raises(kind):
        client.search("Patient", {"identifier": "urn:a|1"})


def test_a_bundle_may_hold_other_things_beside(peer: FhirPeer, client: FhirClient) -> None:
    entries = [{"resource": {"resourceType": "OperationOutcome"}}, "odd", {"resource": _patient()}]
    peer.set_faults(answer={"resourceType": "Bundle", "entry": entries, "link": ["odd", {"relation": "self"}]})
    assert client.search("Patient", {"identifier": "urn:a|1"}) == [_patient()]


def test_a_server_that_took_a_transaction_for_a_batch_is_heard(peer: FhirPeer, client: FhirClient) -> None:
    outcome = {"resourceType": "OperationOutcome", "issue": [{"code": "invalid"}]}
    peer.set_faults(answer={"resourceType": "Bundle", "entry": [{"response": {"status": "422", "outcome": outcome}}]})
    with pytest.raises(FhirRefused, match=r"422 \(invalid\)"):
        client.carry_out(Plan((_create(_patient()),)))
    peer.set_faults(answer={"resourceType": "Bundle", "entry": ["odd", {"response": {"status": "409 Conflict"}}]})
    with pytest.raises(FhirConflict):
        client.carry_out(Plan((_create(_patient()),)))


def test_answers_are_read_in_bounds(peer: FhirPeer, client: FhirClient, monkeypatch: pytest.MonkeyPatch) -> None:
    peer.set_faults(answer={"resourceType": "Bundle", "entry": ["x" * 1000]})
    monkeypatch.setattr("isocenter.fhir.client.ANSWER_SIZE_MAX_BYTES", 100)
    with pytest.raises(FhirUnavailable, match="too large"):
        client.search("Patient", {"identifier": "urn:a|1"})


def test_pages_without_end_are_left(peer: FhirPeer, client: FhirClient, monkeypatch: pytest.MonkeyPatch) -> None:
    circle = {"resourceType": "Bundle", "link": [{"relation": "next", "url": f"{peer.url}/Patient?identifier=x"}]}
    peer.set_faults(answer=circle)
    monkeypatch.setattr("isocenter.fhir.client.PAGES_MAX", 3)
    with pytest.raises(FhirUnavailable, match="no end"):
        client.search("Patient", {"identifier": "urn:a|1"})


def test_a_search_that_a_server_does_not_know_is_told(client: FhirClient) -> None:
    with pytest.raises(FhirNotUsable, match="knows no Device"):
        client.search("Device", {"identifier": "1"})
    with pytest.raises(FhirRefused, match="not-supported"):
        client.search("Patient", {"odd": "1"})


def test_what_somebody_else_created_meanwhile_is_a_conflict(client: FhirClient, peer: FhirPeer) -> None:
    peer.send("POST", "Patient", _patient())
    with pytest.raises(FhirConflict, match="created"):
        client.carry_out(Plan((_create(_patient(gender="male")),)))
    assert len(peer.all("Patient")) == 1


def test_several_of_one_are_a_conflict(client: FhirClient, peer: FhirPeer) -> None:
    for _ in range(2):
        peer.send("POST", "Patient", _patient())
    with pytest.raises(FhirConflict, match="412"):
        client.carry_out(Plan((_create(_patient()),)))


def test_only_the_version_that_was_read_is_replaced(client: FhirClient, peer: FhirPeer) -> None:
    client.carry_out(Plan((_create(_patient()),)))
    [found] = client.search("Patient", {"identifier": "urn:a|1"})
    changed = to_send(found) | {"gender": "male"}
    client.carry_out(Plan((Replace(changed, "1"),)))
    with pytest.raises(FhirConflict, match="412"):
        client.carry_out(Plan((Replace(changed | {"gender": "female"}, "1"),)))
    assert [one["gender"] for one in peer.all("Patient")] == ["male"]


def test_a_transaction_is_all_or_nothing(client: FhirClient, peer: FhirPeer) -> None:
    endpoint = new_endpoint(URL)
    entries = (
        Create("urn:uuid:2", endpoint, query_of(endpoint_search(URL))),
        _create(_patient(gender="odd")),
    )
    with pytest.raises(FhirRefused, match=r"422 \(code-invalid Patient.gender\)"):
        client.carry_out(Plan(entries))
    assert peer.all() == []


def test_only_the_version_that_was_read_is_deleted(client: FhirClient, peer: FhirPeer) -> None:
    client.carry_out(Plan((_create(_patient()),)))
    [found] = client.search("Patient", {"identifier": "urn:a|1"})
    peer.send("PUT", f"Patient/{found['id']}", to_send(found) | {"gender": "male"})
    with pytest.raises(FhirConflict):
        client.carry_out(Plan(deletion=found))
    [newer] = peer.all("Patient")
    client.carry_out(Plan(deletion=newer))
    assert peer.all() == []
    client.carry_out(Plan(deletion=newer))
    assert peer.requests("DELETE") == [f"DELETE /fhir/Patient/{found['id']}"] * 3


def test_a_token_is_got_shown_and_asked_for_again_when_it_is_refused(peer: FhirPeer) -> None:
    peer.set_faults(token="first")
    secret = ClientSecret("node", "s3cr3t", token_url=f"{peer.url}/$token", scope="system/*.cruds")
    with closing(FhirClient(peer.url, auth=ClientCredentials(secret))) as client:
        client.check()
        peer.set_faults(token="second")
        assert client.search("Patient", {"identifier": "urn:a|1"}) == []
    assert peer.requests("TOKEN") == ["TOKEN system/*.cruds"] * 2


def test_who_gets_no_token_cannot_cast(peer: FhirPeer) -> None:
    peer.set_faults(token="first")
    secret = ClientSecret("node", "wrong", token_url=f"{peer.url}/$token", scope="x")
    with pytest.raises(FhirNotUsable, match="gave no token") as caught:
        _check(peer.url, ClientCredentials(secret))
    assert "wrong" not in caught.value.message
    with pytest.raises(FhirNotUsable, match=r"fhir\.client_id"):
        _check(peer.url)
