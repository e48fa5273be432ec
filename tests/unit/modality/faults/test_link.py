from __future__ import annotations

import pytest

from isocenter.domain.errors import InvalidRequest
from isocenter.modality.faults.fault import DimseReject, HttpSilence, Reset
from isocenter.modality.faults.link import Endpoint, LinkPlan, LinkProtocol, parse_endpoint, parse_link, require_fitting


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("pacs.example.org:4242", Endpoint("pacs.example.org", 4242)),
        ("[::1]:104", Endpoint("::1", 104)),
        ("8080", Endpoint("127.0.0.1", 8080)),
    ],
)
def test_endpoints_are_read(text: str, endpoint: Endpoint) -> None:
    assert parse_endpoint(text) == endpoint
    assert parse_endpoint(str(endpoint)) == endpoint


@pytest.mark.parametrize("text", ["", "host", "host:", "host:99999", "::1:80", "a b:80"])
def test_what_is_no_endpoint_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_endpoint(text)


@pytest.mark.parametrize(
    ("text", "name", "protocol"),
    [
        ("pacs@4243=dimse://127.0.0.1:4242", "pacs", LinkProtocol.DIMSE),
        ("127.0.0.1:8081=http://127.0.0.1:8080/", "8081", LinkProtocol.HTTP),
        ("8443=https://archive.example.org:443", "8443", LinkProtocol.TCP),
        ("cloud@8443=archive.example.org:443", "cloud", LinkProtocol.TCP),
    ],
)
def test_links_are_read(text: str, name: str, protocol: LinkProtocol) -> None:
    plan = parse_link(text)
    assert (plan.name, plan.protocol) == (name, protocol)


@pytest.mark.parametrize("text", ["4243", "4243=", "4243=ftp://a:1", "4243=http://a:1/path", "=a:1"])
def test_what_is_no_link_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_link(text)


def test_a_fault_needs_a_link_that_looks_into_its_protocol() -> None:
    tcp, http = (
        LinkPlan("x", Endpoint("a", 1), Endpoint("b", 2), each) for each in (LinkProtocol.TCP, LinkProtocol.HTTP)
    )
    for plan in (tcp, http):
        require_fitting(Reset(), plan)
    require_fitting(HttpSilence(), http)
    with pytest.raises(InvalidRequest, match="protocol http"):
        require_fitting(HttpSilence(), tcp)
    with pytest.raises(InvalidRequest, match="protocol dimse"):
        require_fitting(DimseReject(), http)
