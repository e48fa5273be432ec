from __future__ import annotations

import pytest

from isocenter.dicomweb.codec.change_feed import parse_feed_request
from isocenter.dicomweb.codec.dialect import Dialect
from isocenter.dicomweb.codec.openapi.description import Parameter, Place
from isocenter.dicomweb.codec.openapi.feed import describe_feed
from isocenter.domain.errors import InvalidRequest


def _parameters(dialect: Dialect) -> list[Parameter]:
    return list(describe_feed(Place("GET", "changefeed", dialect)).parameters)


@pytest.mark.parametrize("dialect", Dialect)
def test_the_limits_that_are_described_are_those_of_the_parser(dialect: Dialect) -> None:
    for parameter in _parameters(dialect):
        if parameter.schema.get("type") != "integer":
            continue
        lowest, highest = int(str(parameter.schema["minimum"])), int(str(parameter.schema["maximum"]))
        for value in (lowest, highest):
            parse_feed_request(f"{parameter.name}={value}", dialect)
        for value in (lowest - 1, highest + 1):
            with pytest.raises(InvalidRequest, match=parameter.name):
                parse_feed_request(f"{parameter.name}={value}", dialect)


@pytest.mark.parametrize("dialect", Dialect)
def test_every_parameter_that_is_described_is_read(dialect: Dialect) -> None:
    for parameter in _parameters(dialect):
        with pytest.raises(InvalidRequest):
            parse_feed_request(f"{parameter.name}=nothing", dialect)


def test_version_1_has_no_window() -> None:
    assert "startTime" not in [parameter.name for parameter in _parameters(Dialect.AZURE_V1)]
    parse_feed_request("startTime=nothing", Dialect.AZURE_V1)
