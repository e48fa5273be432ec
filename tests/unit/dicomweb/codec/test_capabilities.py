"""PS3.18 8.9."""

from __future__ import annotations

from functools import partial
from xml.etree import ElementTree

import orjson
import pytest

from isocenter.dicomweb.codec.capabilities import Method, choose_form, describe, resources_of
from isocenter.dicomweb.codec.dialect import Dialect
from isocenter.dicomweb.codec.openapi.description import Describe, Place
from isocenter.dicomweb.codec.openapi.document import DescribedRoute
from isocenter.dicomweb.codec.openapi.operations import JSON
from isocenter.dicomweb.codec.openapi.retrieve import describe_instances, describe_metadata
from isocenter.dicomweb.codec.openapi.search import describe_search
from isocenter.dicomweb.codec.openapi.service import WADL, describe_capabilities, describe_delete
from isocenter.dicomweb.codec.openapi.store import describe_store
from isocenter.domain.errors import NotAcceptable
from isocenter.domain.identifiers import Level

URL = "https://host/dicom-web"
STUDY = "studies/{study}"


def _route(method: str, pattern: str, describe: Describe) -> DescribedRoute:
    place = Place(method, pattern, Dialect.STANDARD)
    return DescribedRoute(place, describe(place), "read", is_in_partition=True)


RESOURCES = resources_of(
    [
        _route("POST", "studies", describe_store),
        _route("GET", "studies", partial(describe_search, level=Level.STUDY, name="SearchStudies")),
        _route("GET", STUDY, describe_instances),
    ]
)
NAMES = {"wadl": "http://wadl.dev.java.net/2009/02"}


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (None, WADL),
        ("*/*", WADL),
        ("application/*", WADL),
        ("text/xml", WADL),
        ("application/json", JSON),
        ("application/json;q=0.5, application/vnd.sun.wadl+xml;q=0.4", JSON),
    ],
)
def test_the_description_is_wadl_unless_json_is_asked_for(accept: str | None, form: str) -> None:
    assert choose_form(accept) == form


@pytest.mark.parametrize("accept", ["text/html", "application/json;q=0"])
def test_another_form_is_not_to_be_had(accept: str) -> None:
    with pytest.raises(NotAcceptable):
        choose_form(accept)


def test_wadl_names_every_resource_with_its_methods_and_media_types() -> None:
    root = ElementTree.fromstring(describe(RESOURCES, service_url=URL, form=WADL))  # noqa: S314 - our own text
    [resources] = root.findall("wadl:resources", NAMES)
    assert resources.get("base") == f"{URL}/"
    paths = {one.get("path"): one for one in resources.findall("wadl:resource", NAMES)}
    assert list(paths) == ["studies", "studies/{study}"]
    post, get = paths["studies"].findall("wadl:method", NAMES)
    assert (post.get("name"), get.get("name")) == ("POST", "GET")
    taken = [one.get("mediaType") for one in post.findall("wadl:request/wadl:representation", NAMES)]
    assert taken == ["application/dicom", 'multipart/related; type="application/dicom"']
    assert "limit" in [one.get("name") for one in get.findall("wadl:request/wadl:param", NAMES)]


def test_json_says_the_same() -> None:
    found = orjson.loads(describe(RESOURCES, service_url=URL, form=JSON))
    assert found["base"] == f"{URL}/"
    assert [(one["path"], [method["name"] for method in one["methods"]]) for one in found["resources"]] == [
        ("studies", ["POST", "GET"]),
        ("studies/{study}", ["GET"]),
    ]


def test_a_path_that_two_methods_share_is_one_resource() -> None:
    assert [resource.path for resource in RESOURCES] == ["studies", "studies/{study}"]
    assert [method.name for method in RESOURCES[0].methods] == ["POST", "GET"]


def test_only_what_stands_in_the_query_is_a_parameter_of_a_method() -> None:
    [resource] = resources_of([_route("GET", STUDY, describe_metadata)])
    [metadata] = resource.methods
    assert "accept" in metadata.parameters
    assert "If-None-Match" not in metadata.parameters


def test_the_root_itself_is_no_resource() -> None:
    assert resources_of([_route("OPTIONS", "", describe_capabilities)]) == []


def test_a_delete_takes_and_gives_nothing() -> None:
    [resource] = resources_of([_route("DELETE", STUDY, describe_delete)])
    assert resource.methods == (Method("DELETE"),)
