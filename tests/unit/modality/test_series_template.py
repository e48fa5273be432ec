from __future__ import annotations

from datetime import datetime
from io import BytesIO

import pytest
from pydicom import dcmread

from isocenter.modality.device_output import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from isocenter.modality.part10 import encode_part10
from isocenter.modality.patients import STORY_PATIENTS
from isocenter.modality.plans import CtSeriesPlan, Region, StudyPlan
from isocenter.modality.series_template import make_series_template
from isocenter.modality.studies import iter_study

SERIES = CtSeriesPlan(Region.HEAD, "Head", 2, 2.5, 0.0, 240.0, (40, 90), edge=32)
PLAN = StudyPlan(STORY_PATIENTS[0], datetime(2026, 3, 2, 10, 15), "ACC1", "Test", (SERIES,))
KEYWORDS = frozenset({"SOPInstanceUID", "InstanceNumber", "SliceLocation"})


@pytest.fixture(scope="module")
def first() -> bytes:
    return next(iter_study(PLAN, 7))


@pytest.mark.parametrize("transfer_syntax_uid", [EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN])
@pytest.mark.parametrize("values", [("2.25.1", "1", "0"), ("2.25.12", "100", "-12.125"), ("2.25.123", "12", "")])
def test_a_filled_template_is_what_encoding_would_give(
    first: bytes, transfer_syntax_uid: str, values: tuple[str, str, str]
) -> None:
    named = dict(zip(("SOPInstanceUID", "InstanceNumber", "SliceLocation"), values, strict=True))
    dataset = dcmread(BytesIO(first))
    template = make_series_template(encode_part10(dataset, transfer_syntax_uid), KEYWORDS)
    for keyword, value in named.items():
        setattr(dataset, keyword, value)
    dataset.PixelData = bytes(range(256)) * 8
    assert template.instance(named, dataset.PixelData) == encode_part10(dataset, transfer_syntax_uid)


def test_an_attribute_that_the_series_lacks_is_left_out(first: bytes) -> None:
    template = make_series_template(first, KEYWORDS | {"PixelAspectRatio"})
    values = {"SOPInstanceUID": "2.25.5", "InstanceNumber": "5", "SliceLocation": "5", "PixelAspectRatio": "1"}
    assert "PixelAspectRatio" not in dcmread(BytesIO(template.instance(values, bytes(2048))))
