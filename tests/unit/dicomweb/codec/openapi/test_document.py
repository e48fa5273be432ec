from __future__ import annotations

from typing import Any

import pytest

from isocenter.dicomweb.codec.dialect import Dialect
from isocenter.dicomweb.codec.openapi.answers import failure
from isocenter.dicomweb.codec.openapi.description import Answer, Body, Description, Header, Parameter, Place
from isocenter.dicomweb.codec.openapi.document import DescribedRoute, ServiceDescription, build_document
from isocenter.dicomweb.codec.openapi.schemas import FLAG, TEXT

STUDY = "studies/{study}"


def _description(**others: Any) -> Description:
    values = {"name": "DoIt", "group": "Store", "summary": "Do it", "source": "PS3.18 1"}
    return Description(**{**values, "answers": (Answer(200, "Done."),), **others})


def _route(
    pattern: str = STUDY,
    *,
    method: str = "GET",
    action: str | None = "read",
    is_in_partition: bool = True,
    **others: Any,
) -> DescribedRoute:
    place = Place(method, pattern, Dialect.AZURE_V2)
    return DescribedRoute(place, _description(**others), action, is_in_partition)


def _document(*routes: DescribedRoute, **others: Any) -> Any:
    values = {"title": "T", "version": "1", "service_url": "https://host/v2", "dialect": Dialect.AZURE_V2}
    service = ServiceDescription(**{**values, "authority": None, "has_partitions": False, **others})
    return build_document(service, routes)


def _statuses(route: DescribedRoute) -> list[int]:
    return [answer.status for answer in route.answers]


def test_every_route_can_be_refused_or_fail() -> None:
    assert _statuses(_route(action=None)) == [200, 400, 431, 500, 503]


def test_a_route_that_needs_an_action_can_be_closed() -> None:
    assert _statuses(_route()) == [200, 400, 401, 403, 431, 500, 503]


def test_a_route_that_writes_can_find_the_disk_full_and_a_body_can_stand_still() -> None:
    route = _route(action="write", body=Body({"text/plain": TEXT}))
    assert _statuses(route) == [200, 400, 401, 403, 408, 431, 500, 503, 507]


def test_what_a_description_says_of_a_failure_wins() -> None:
    route = _route(answers=(Answer(200, "Done."), failure(400, "Not like this.")))
    assert next(answer for answer in route.answers if answer.status == 400).text == "Not like this."


def test_names_in_a_pattern_are_parameters_of_the_path() -> None:
    parameters = _document(_route())["paths"][f"/{STUDY}"]["get"]["parameters"]
    assert [(one["name"], one["in"], one["required"]) for one in parameters] == [("study", "path", True)]


def test_a_name_that_nobody_has_described_is_a_fault() -> None:
    with pytest.raises(KeyError, match="planet"):
        _document(_route("studies/{planet}"))


def test_a_list_in_the_query_is_parted_by_commas() -> None:
    several = Parameter("several", "Some.", {"type": "array", "items": TEXT})
    [parameter] = _document(_route("studies", parameters=(several,)))["paths"]["/studies"]["get"]["parameters"]
    assert (parameter["style"], parameter["explode"]) == ("form", False)


def test_failures_without_words_of_their_own_stand_there_once() -> None:
    document = _document(_route(answers=(Answer(200, "Done."), failure(404), failure(406, "Not at all."))))
    responses = document["paths"][f"/{STUDY}"]["get"]["responses"]
    assert responses["404"] == {"$ref": "#/components/responses/Failure404"}
    assert responses["406"]["description"] == "Not at all."
    assert document["components"]["responses"]["Failure404"]["description"] == failure(404).text


def test_headers_that_every_answer_has_are_told_with_each() -> None:
    header = Header("ETag", "A tag.")
    document = _document(_route(answers=(Answer(200, "Done.", headers=(header,)),)))
    headers = document["paths"][f"/{STUDY}"]["get"]["responses"]["200"]["headers"]
    assert list(headers) == ["ETag", "api-supported-versions", "x-ms-request-id"]
    assert document["components"]["headers"]["api-supported-versions"]["required"] is True


def test_what_is_answered_before_a_route_is_found_has_no_headers_of_routes() -> None:
    responses = _document(_route())["components"]["responses"]
    assert responses["Failure431"]["headers"] == {}
    assert list(responses["Failure503"]["headers"]) == ["Retry-After"]


def test_the_standards_root_speaks_no_versions() -> None:
    document = _document(_route(), dialect=Dialect.STANDARD)
    assert list(document["components"]["headers"]) == ["x-ms-request-id"]


def test_security_is_told_where_there_is_any() -> None:
    routes = (_route("open", action=None), _route("closed"))
    paths = _document(*routes, authority="https://issuer")["paths"]
    assert paths["/open"]["get"]["security"] == []
    assert paths["/closed"]["get"]["security"] != []
    assert all("security" not in one["get"] for one in _document(*routes)["paths"].values())


def test_routes_beside_partitions_do_not_lead_through_them() -> None:
    routes = (_route("studies"), _route("changefeed", is_in_partition=False, name="Feed"))
    paths = _document(*routes, has_partitions=True)["paths"]
    assert list(paths) == ["/partitions/{partition}/studies", "/changefeed"]
    assert paths["/partitions/{partition}/studies"]["get"]["operationId"] == "InPartitionDoIt"


def test_headings_come_in_their_order_and_new_ones_last() -> None:
    routes = (_route("a", group="New"), _route("b", group="Search"), _route("c", group="Store"))
    assert [tag["name"] for tag in _document(*routes)["tags"]] == ["Store", "Search", "New"]


def test_a_body_says_what_it_takes_and_whether_it_must_be() -> None:
    body = Body({"application/json": FLAG}, "A flag.", is_required=False)
    asked = _document(_route(method="POST", body=body))["paths"][f"/{STUDY}"]["post"]["requestBody"]
    assert asked == {
        "description": "A flag.",
        "content": {"application/json": {"schema": FLAG}},
        "required": False,
    }
