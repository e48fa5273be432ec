"""PS3.18 8.9."""

from __future__ import annotations

from xml.etree import ElementTree

import orjson
import pytest

from isocenter.dicomweb.codec.capabilities import JSON, WADL, Method, Resource, choose_form, describe, method_of
from isocenter.domain.errors import NotAcceptable

URL = "https://host/dicom-web"
RESOURCES = (
    Resource("studies", (method_of("POST", "studies", "store"), method_of("GET", "studies", "query"))),
    Resource("studies/{study}", (method_of("GET", "studies/{study}", "retrieve"),)),
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


@pytest.mark.parametrize(
    ("pattern", "operation", "media_type"),
    [
        ("studies/{study}/series/{series}/instances/{instance}", "retrieve", "application/dicom"),
        ("i/{instance}/frames/{frames}", "retrieve", "application/octet-stream"),
        ("i/{instance}/bulkdata/{path0}", "retrieve", "application/octet-stream"),
        ("wado", "retrieve", "image/jpeg"),
        ("studies/{study}/metadata", "retrieve-metadata", "application/dicom+json"),
        ("studies/{study}/rendered", "retrieve-rendered", "image/png"),
        ("workitems", "query-workitem", "application/dicom+json"),
        ("changefeed", "change-feed", "application/json"),
    ],
)
def test_what_is_given_follows_from_the_transaction(pattern: str, operation: str, media_type: str) -> None:
    assert media_type in method_of("GET", pattern, operation).gives


def test_a_delete_takes_and_gives_nothing() -> None:
    assert method_of("DELETE", "studies/{study}", "delete") == Method("DELETE")
