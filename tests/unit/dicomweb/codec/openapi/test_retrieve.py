from __future__ import annotations

import pytest

from isocenter.dicomweb.codec.accept import DICOM, choose_dicom, choose_frames
from isocenter.dicomweb.codec.dialect import Dialect
from isocenter.dicomweb.codec.openapi.description import Place
from isocenter.dicomweb.codec.openapi.retrieve import (
    describe_frames,
    describe_instances,
    describe_metadata,
    describe_uri_service,
    frame_types,
)
from isocenter.dicomweb.codec.wado_uri import parse_wado_uri
from isocenter.domain.errors import InvalidRequest
from isocenter.domain.identifiers import DEFAULT_PARTITION

STUDY = "studies/{study}"
INSTANCE = f"{STUDY}/series/{{series}}/instances/{{instance}}"


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize(("pattern", "is_instance"), [(STUDY, False), (INSTANCE, True)])
def test_what_is_described_can_be_asked_for(dialect: Dialect, pattern: str, is_instance: bool) -> None:
    types = describe_instances(Place("GET", pattern, dialect)).gives
    assert (DICOM in types) is is_instance
    for media_type in types:
        chosen = choose_dicom(media_type, dialect, is_instance=is_instance)
        assert chosen.is_multipart is media_type.startswith("multipart/")


@pytest.mark.parametrize("dialect", Dialect)
def test_every_type_of_frames_that_is_described_can_be_asked_for(dialect: Dialect) -> None:
    place = Place("GET", f"{INSTANCE}/frames/{{frames}}", dialect)
    assert describe_frames(place).gives == tuple(frame_types(place))
    for media_type in frame_types(place):
        assert choose_frames(media_type, dialect).is_multipart is media_type.startswith("multipart/")


@pytest.mark.parametrize(("dialect", "has_tag"), [(Dialect.AZURE_V2, False), (Dialect.STANDARD, True)])
def test_azures_304_has_no_entity_tag(dialect: Dialect, has_tag: bool) -> None:
    answers = describe_metadata(Place("GET", f"{STUDY}/metadata", dialect)).answers
    unchanged = next(answer for answer in answers if answer.status == 304)
    assert ("ETag" in [header.name for header in unchanged.headers]) is has_tag


def test_the_parameters_of_the_uri_service_that_must_be_are_those_that_it_misses() -> None:
    described = describe_uri_service(Place("GET", "wado", Dialect.STANDARD)).parameters
    values = {"requestType": "WADO", "studyUID": "1", "seriesUID": "2", "objectUID": "3"}
    assert {parameter.name for parameter in described if parameter.is_required} == values.keys()
    for missing in values:
        query = "&".join(f"{name}={value}" for name, value in values.items() if name != missing)
        with pytest.raises(InvalidRequest, match=missing):
            parse_wado_uri(query, partition_name=DEFAULT_PARTITION)
