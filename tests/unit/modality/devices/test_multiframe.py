"""One frame that stands for many: a file as long as it says, of which little is in memory."""

from __future__ import annotations

import pytest

from isocenter.domain.errors import InvalidRequest, NotAcceptable
from isocenter.modality.devices.instance import converted
from isocenter.modality.devices.misbehaviour import Misbehaviour
from isocenter.modality.devices.multiframe import make_multiframe
from tests.support.device_studies import acquisition, dataset_of, file_of

IMPLICIT = "1.2.840.10008.1.2"


@pytest.mark.parametrize("is_implicit", [False, True])
def test_every_frame_is_the_first_picture(is_implicit: bool) -> None:
    source = next(acquisition(misbehaviour=Misbehaviour(implicit_vr=is_implicit)).iter_images())
    made = make_multiframe(file_of(source), 5)
    image = dataset_of(made)
    assert image.NumberOfFrames == 5
    assert image.pixel_array.shape == (5, image.Rows, image.Columns)
    assert image.PixelData == dataset_of(source).PixelData * 5
    assert image.SOPClassUID == made.kind.sop_class_uid == "1.2.840.10008.5.1.4.1.1.7.3"
    assert image.SOPInstanceUID == made.sop_instance_uid != source.sop_instance_uid
    assert len(file_of(made)) == made.size_bytes


def test_no_more_than_one_frame_is_in_memory() -> None:
    source = file_of(next(acquisition().iter_images()))
    made = make_multiframe(source, 50_000)
    assert made.size_bytes > 50_000 * len(made.frame)
    assert len(made.part10) + len(made.frame) < 2 * len(source)


def test_more_than_a_value_may_be_long_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="at most"):
        make_multiframe(file_of(next(acquisition().iter_images())), 5_000_000)


def test_it_is_not_converted() -> None:
    made = make_multiframe(file_of(next(acquisition().iter_images())), 2)
    with pytest.raises(NotAcceptable):
        converted(made, IMPLICIT)
