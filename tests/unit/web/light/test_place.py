from __future__ import annotations

import pytest

from isocenter.domain.errors import InvalidRequest
from isocenter.domain.identifiers import DEFAULT_PARTITION
from isocenter.web.light.place import Place, Window, parse_place, parse_window

PICTURE = Place("1.2", "1.2.3", "1.2.3.4", 5, Window(40, 400))


def test_an_address_names_what_it_was_made_of() -> None:
    path, _, query = PICTURE.address.partition("?")
    _, _, study, series, instance = path.split("/")
    parameters = dict(part.split("=") for part in query.split("&"))
    assert parse_place({"study": study, "series": series, "instance": instance}, parameters) == PICTURE


def test_the_first_frame_in_its_own_window_needs_no_query() -> None:
    assert Place("1.2", "1.2.3", "1.2.3.4").address == "/light/1.2/1.2.3/1.2.3.4"


def test_a_partition_stays_in_every_address() -> None:
    place = parse_place({"study": "1.2"}, {"partition": "clinic a"})
    assert place.series("1.2.3").address == "/light/1.2/1.2.3?partition=clinic+a"
    assert place.series("1.2.3").below("thumbnail", v=7) == "/light/1.2/1.2.3/thumbnail?v=7&partition=clinic+a"
    assert place.scope.partition_name == "clinic a"
    assert parse_place({"study": "1.2"}, {}).partition_name == DEFAULT_PARTITION


def test_another_series_opens_in_its_own_window_and_another_picture_in_the_same() -> None:
    assert PICTURE.series("1.2.9").window is None
    assert PICTURE.instance("1.2.3.9").window == Window(40, 400)


@pytest.mark.parametrize("text", ["40", "40,0", "40,-1", "nan,1", "1,inf", "1,2,3", "a,b", "1" * 30 + ",1"])
def test_a_window_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="center,width"):
        parse_window(text)


@pytest.mark.parametrize("frame", ["0", "-1", "1.5", "x", "9" * 20])
def test_a_frame_that_is_no_number_is_refused(frame: str) -> None:
    with pytest.raises(InvalidRequest, match="from 1"):
        parse_place({"study": "1.2", "series": "1.3", "instance": "1.4"}, {"frame": frame})


def test_what_is_no_uid_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        parse_place({"study": "../../etc"}, {})
