"""PS3.18 9.1."""

from __future__ import annotations

import pytest

from isocenter.dicomweb.codec.wado_uri import WadoUriRequest, parse_wado_uri
from isocenter.domain.errors import InvalidRequest
from isocenter.domain.identifiers import DEFAULT_PARTITION, Scope

UIDS = "requestType=WADO&studyUID=1.2&seriesUID=1.2.3&objectUID=1.2.3.4"


def _parse(more: str = "") -> WadoUriRequest:
    return parse_wado_uri(f"{UIDS}{more}", partition_name=DEFAULT_PARTITION)


def test_three_uids_name_an_instance_and_leave_everything_else_open() -> None:
    assert _parse() == WadoUriRequest(Scope("1.2", "1.2.3", "1.2.3.4"))


def test_names_of_parameters_are_read_in_any_case() -> None:
    found = parse_wado_uri("REQUESTTYPE=wado&studyuid=1&SeriesUID=2&OBJECTUID=3", partition_name=DEFAULT_PARTITION)
    assert found.scope == Scope("1", "2", "3")


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("", "requestType"),
        ("requestType=XX&studyUID=1&seriesUID=2&objectUID=3", "requestType"),
        ("requestType=WADO&seriesUID=2&objectUID=3", "studyUID"),
        ("requestType=WADO&studyUID=1&objectUID=3", "seriesUID"),
        ("requestType=WADO&studyUID=1&seriesUID=2", "objectUID"),
        (f"{UIDS}&frameNumber=0", "frameNumber"),
        (f"{UIDS}&frameNumber=x", "frameNumber"),
        (f"{UIDS}&rows=-1", "rows"),
        (f"{UIDS}&region=0,0,1", "region"),
        (f"{UIDS}&region=0.5,0,0.4,1", "region"),
        (f"{UIDS}&region=0,0,1,1.5", "region"),
        (f"{UIDS}&region=0,0,nan,1", "region"),
        (f"{UIDS}&windowCenter=40", "window"),
        (f"{UIDS}&windowCenter=40&windowWidth=0", "window"),
        (f"{UIDS}&anonymize=yes", "anonymize"),
        (f"{UIDS}&presentationUID=1.2", "presentationuid"),
        (f"{UIDS}&contentType=no media type", "contentType"),
    ],
)
def test_what_cannot_be_met_is_named(query: str, name: str) -> None:
    with pytest.raises(InvalidRequest, match=f"'{name}'"):
        parse_wado_uri(query, partition_name=DEFAULT_PARTITION)


@pytest.mark.parametrize("more", ["&imageQuality=0", "&transferSyntax=x", "&charset=%ff"])
def test_malformed_values_are_refused(more: str) -> None:
    with pytest.raises(InvalidRequest):
        _parse(more)


def test_uids_that_are_none_are_refused() -> None:
    with pytest.raises(InvalidRequest):
        parse_wado_uri("requestType=WADO&studyUID=a&seriesUID=2&objectUID=3", partition_name=DEFAULT_PARTITION)


def test_a_picture_is_described_in_full() -> None:
    found = _parse(
        "&contentType=image/png,image/jpeg&frameNumber=3&rows=100&columns=200&region=0.1,0.2,0.5,1&imageQuality=70"
        "&windowCenter=40.5&windowWidth=400&annotation=patient"
    )
    assert [each.essence for each in found.media_types] == ["image/png", "image/jpeg"]
    assert (found.frame_number, found.viewport, found.quality) == (3, (200, 100), 70)
    assert found.region == (0.1, 0.2, 0.5, 1.0)
    assert found.window is not None
    assert (found.window.center, found.window.width) == (40.5, 400.0)


@pytest.mark.parametrize(("more", "viewport"), [("&rows=100", (4096, 100)), ("&columns=9999", (4096, 4096))])
def test_one_side_of_a_picture_leaves_the_other_open(more: str, viewport: tuple[int, int]) -> None:
    assert _parse(more).viewport == viewport


@pytest.mark.parametrize(("text", "uid"), [("1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1"), ("*", "*"), ("", "*")])
def test_a_transfer_syntax_is_as_stored_unless_one_is_named(text: str, uid: str) -> None:
    assert _parse(f"&transferSyntax={text}").transfer_syntax_uid == uid
