from __future__ import annotations

import pytest

from isocenter.dicomweb.codec.accept import choose_rendered
from isocenter.dicomweb.codec.dialect import Dialect
from isocenter.dicomweb.codec.openapi.description import Describe, Place
from isocenter.dicomweb.codec.openapi.rendered import (
    describe_rendered,
    describe_rendered_frames,
    describe_thumbnail,
    picture_types,
)
from isocenter.dicomweb.codec.render_request import parse_render_request

INSTANCE = "studies/{study}/series/{series}/instances/{instance}"


@pytest.mark.parametrize("dialect", Dialect)
def test_every_type_of_picture_that_is_described_can_be_asked_for(dialect: Dialect) -> None:
    offered = picture_types(Place("GET", f"{INSTANCE}/rendered", dialect))
    assert [choose_rendered(media_type, dialect, offered=offered) for media_type in offered] == list(offered)


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize(
    ("describe", "is_thumbnail"),
    [(describe_rendered, False), (describe_rendered_frames, False), (describe_thumbnail, True)],
)
def test_the_quality_that_is_described_is_the_one_taken(
    dialect: Dialect, describe: Describe, is_thumbnail: bool
) -> None:
    parameters = describe(Place("GET", INSTANCE, dialect)).parameters
    quality = next(parameter for parameter in parameters if parameter.name == "quality")
    assert parse_render_request({}, dialect, is_thumbnail=is_thumbnail).quality == quality.schema["default"]


@pytest.mark.parametrize(("dialect", "may_be_video"), [(Dialect.STANDARD, True), (Dialect.AZURE_V2, False)])
def test_only_by_the_standard_an_instance_may_come_as_its_video(dialect: Dialect, may_be_video: bool) -> None:
    described = describe_rendered(Place("GET", f"{INSTANCE}/rendered", dialect))
    assert any(media_type.startswith("video/") for media_type in described.gives) is may_be_video
    assert ({206, 416} <= {answer.status for answer in described.answers}) is may_be_video


def test_several_pictures_come_in_parts() -> None:
    described = describe_rendered(Place("GET", "studies/{study}/rendered", Dialect.STANDARD))
    assert all(media_type.startswith("multipart/related") for media_type in described.gives)
