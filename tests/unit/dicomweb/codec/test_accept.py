"""The table of dicom-service 1.3, 3.1 and 3.2 line by line, and what the standard's dialect makes of the same."""

from __future__ import annotations

import pytest

from isocenter.dicomweb.codec.accept import (
    Representation,
    accepts_dicom_json,
    choose_bulkdata,
    choose_dicom,
    choose_frames,
    choose_rendered,
    effective_accept,
)
from isocenter.dicomweb.codec.dialect import Dialect
from isocenter.domain.errors import NotAcceptable

AZURE = Dialect.AZURE_V2
STANDARD = Dialect.STANDARD
EXPLICIT = "1.2.840.10008.1.2.1"
IMPLICIT = "1.2.840.10008.1.2"
J2K = "1.2.840.10008.1.2.4.90"
JPEG = "1.2.840.10008.1.2.4.50"
JPEG_LS = "1.2.840.10008.1.2.4.80"
DICOM = "application/dicom"
OCTETS = "application/octet-stream"
MULTIPART_DICOM = 'multipart/related; type="application/dicom"'
OCTETS_PARTS = "multipart/related; type=application/octet-stream"


def parts(media_type: str, transfer_syntax: str) -> Representation:
    return Representation(True, media_type, transfer_syntax)


def single(media_type: str, transfer_syntax: str) -> Representation:
    return Representation(False, media_type, transfer_syntax)


@pytest.mark.parametrize(
    ("accept", "of_instance", "of_series"),
    [
        (MULTIPART_DICOM, parts(DICOM, EXPLICIT), parts(DICOM, EXPLICIT)),
        ("multipart/related; type=application/dicom", parts(DICOM, EXPLICIT), parts(DICOM, EXPLICIT)),
        (f"{MULTIPART_DICOM}; transfer-syntax=*", parts(DICOM, "*"), parts(DICOM, "*")),
        (f"{MULTIPART_DICOM}; transfer-syntax={EXPLICIT}", parts(DICOM, EXPLICIT), parts(DICOM, EXPLICIT)),
        (f'{MULTIPART_DICOM}; transfer-syntax="{J2K}"', parts(DICOM, J2K), parts(DICOM, J2K)),
        (f"{MULTIPART_DICOM}; transfer-syntax=1.2.840.10008.1.2.4.100", None, None),
        ("*/*", parts(DICOM, "*"), parts(DICOM, "*")),
        (DICOM, single(DICOM, EXPLICIT), None),
        (f"{DICOM}; transfer-syntax=*", single(DICOM, "*"), None),
        (f"{DICOM}; transfer-syntax={J2K}", single(DICOM, J2K), None),
        (OCTETS, None, None),
        ("application/*", None, None),
        ("multipart/related", None, None),
        (None, None, None),
        ("", None, None),
        ("nonsense", None, None),
        (f"{DICOM}; q=0.5, {MULTIPART_DICOM}; q=0.6", parts(DICOM, EXPLICIT), parts(DICOM, EXPLICIT)),
        (f"{DICOM}; transfer-syntax={J2K}, {DICOM}; transfer-syntax=*", single(DICOM, "*"), None),
        (f"{DICOM}; transfer-syntax={J2K}, {DICOM}; transfer-syntax=*;q=0.9", single(DICOM, J2K), None),
        (f"text/html, nonsense, {DICOM}", single(DICOM, EXPLICIT), None),
        (f"{DICOM}; q=0", None, None),
    ],
)  # fmt: skip
def test_azure_gives_instances_as_its_table_says(
    accept: str | None, of_instance: Representation | None, of_series: Representation | None
) -> None:
    for expected, is_instance in ((of_instance, True), (of_series, False)):
        if expected is None:
            with pytest.raises(NotAcceptable, match=r"^The request headers are not acceptable$"):
                choose_dicom(accept, AZURE, is_instance=is_instance)
        else:
            assert choose_dicom(accept, AZURE, is_instance=is_instance) == expected


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (OCTETS, single(OCTETS, EXPLICIT)),
        (f"{OCTETS}; transfer-syntax=*", single(OCTETS, "*")),
        (f"{OCTETS}; transfer-syntax={EXPLICIT}", single(OCTETS, EXPLICIT)),
        (f"{OCTETS}; transfer-syntax={J2K}", None),
        (OCTETS_PARTS, parts(OCTETS, EXPLICIT)),
        (f"{OCTETS_PARTS}; transfer-syntax=*", parts(OCTETS, "*")),
        ('multipart/related; type="image/jp2"', parts("image/jp2", J2K)),
        (f'multipart/related; type="image/jp2"; transfer-syntax={J2K}', parts("image/jp2", J2K)),
        (f'multipart/related; type="image/jp2"; transfer-syntax={EXPLICIT}', None),
        ("image/jp2", None),
        ("image/jpeg", None),
        ("*/*", parts(OCTETS, "*")),
        (MULTIPART_DICOM, None),
        (None, None),
        (f'multipart/related; type="image/jp2", {OCTETS_PARTS}; transfer-syntax=*', parts(OCTETS, "*")),
    ],
)
def test_azure_gives_frames_as_its_table_says(accept: str | None, expected: Representation | None) -> None:
    if expected is None:
        with pytest.raises(NotAcceptable):
            choose_frames(accept, AZURE)
    else:
        assert choose_frames(accept, AZURE) == expected


@pytest.mark.parametrize(
    ("accept", "is_accepted"),
    [
        ("application/dicom+json", True),
        ("application/json", True),
        ("application/*", True),
        ("*/*", True),
        ("application/dicom", False),
        ("application/data", False),
        ("application/dicom+json;q=0", False),
        ("application/dicom+json, multipart/related; type=application/octet-stream", True),
        ("nonsense, application/dicom+json", True),
        ("nonsense", False),
    ],
)
@pytest.mark.parametrize("dialect", [AZURE, STANDARD])
def test_json_is_given_where_any_member_takes_it(accept: str, is_accepted: bool, dialect: Dialect) -> None:
    assert accepts_dicom_json(accept, dialect) is is_accepted


def test_json_without_accept_is_refused_by_azure_only() -> None:
    assert accepts_dicom_json(None, STANDARD)
    assert not accepts_dicom_json(None, AZURE)


@pytest.mark.parametrize(
    ("accept", "expected"), [(None, "image/jpeg"), ("image/jpeg", "image/jpeg"), ("image/png", "image/png")]
)
def test_azure_renders_one_of_two_types(accept: str | None, expected: str) -> None:
    assert choose_rendered(accept, AZURE) == expected


@pytest.mark.parametrize("accept", ["*/*", "image/*", "application/jpeg", "image/gif", "nonsense"])
def test_azure_renders_nothing_else(accept: str) -> None:
    with pytest.raises(NotAcceptable):
        choose_rendered(accept, AZURE)


def test_azure_renders_for_exactly_one_value() -> None:
    with pytest.raises(
        NotAcceptable, match=r"^The request contains multiple accept headers, which is not supported\.$"
    ):
        choose_rendered("image/jpeg, image/png", AZURE)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, "image/jpeg"),
        ("*/*", "image/jpeg"),
        ("image/*", "image/jpeg"),
        ("image/avif,image/webp,image/png,*/*;q=0.8", "image/png"),
        ("image/jpeg;q=0.5, image/png", "image/png"),
    ],
)
def test_the_standard_renders_the_type_of_the_highest_weight(accept: str | None, expected: str) -> None:
    assert choose_rendered(accept, STANDARD) == expected


def test_the_standard_refuses_to_render_only_when_nothing_fits() -> None:
    with pytest.raises(NotAcceptable):
        choose_rendered("text/html", STANDARD)


def test_what_is_offered_can_be_widened() -> None:
    assert choose_rendered("video/*", STANDARD, offered=("video/mp4",)) == "video/mp4"


@pytest.mark.parametrize(
    ("accept", "of_instance", "of_series"),
    [
        (None, parts(DICOM, "*"), parts(DICOM, "*")),
        ("*/*", parts(DICOM, "*"), parts(DICOM, "*")),
        ("application/*", parts(DICOM, "*"), parts(DICOM, "*")),
        ("multipart/*", parts(DICOM, "*"), parts(DICOM, "*")),
        ("multipart/related", parts(DICOM, "*"), parts(DICOM, "*")),
        (MULTIPART_DICOM, parts(DICOM, "*"), parts(DICOM, "*")),
        (DICOM, single(DICOM, "*"), None),
        (f"{DICOM}; transfer-syntax={JPEG}", single(DICOM, JPEG), None),
        (f"{DICOM}, {MULTIPART_DICOM};q=0.1", single(DICOM, "*"), parts(DICOM, "*")),
        ("application/json", None, None),
        (f"{OCTETS_PARTS}", None, None),
        (f"{DICOM}; transfer-syntax=no.uid", None, None),
    ],
)
def test_the_standard_gives_instances_as_stored_where_it_is_left_open(
    accept: str | None, of_instance: Representation | None, of_series: Representation | None
) -> None:
    for expected, is_instance in ((of_instance, True), (of_series, False)):
        if expected is None:
            with pytest.raises(NotAcceptable):
                choose_dicom(accept, STANDARD, is_instance=is_instance)
        else:
            assert choose_dicom(accept, STANDARD, is_instance=is_instance) == expected


@pytest.mark.parametrize(
    ("stored", "expected"),
    [(EXPLICIT, EXPLICIT), (J2K, J2K), (JPEG_LS, EXPLICIT), (None, EXPLICIT)],
)
def test_of_several_syntaxes_the_stored_one_wins(stored: str | None, expected: str) -> None:
    accept = f"{DICOM}; transfer-syntax={EXPLICIT}, {DICOM}; transfer-syntax={J2K}"
    chosen = choose_dicom(accept, STANDARD, is_instance=True, stored_transfer_syntax_uid=stored)
    assert chosen == single(DICOM, expected)


def test_a_syntax_that_is_neither_stored_nor_made_is_refused_once_that_is_known() -> None:
    accept = f"{DICOM}; transfer-syntax={JPEG_LS}"
    assert choose_dicom(accept, STANDARD, is_instance=True) == single(DICOM, JPEG_LS)
    with pytest.raises(NotAcceptable):
        choose_dicom(accept, STANDARD, is_instance=True, stored_transfer_syntax_uid=EXPLICIT)


EVERY_FRAME_TYPE = ", ".join([
    f'multipart/related; type="image/jpeg"; transfer-syntax={JPEG}',
    f'multipart/related; type="image/jp2"; transfer-syntax={J2K}',
    f'multipart/related; type="image/x-jls"; transfer-syntax={JPEG_LS}',
    f'multipart/related; type="application/octet-stream"; transfer-syntax={EXPLICIT}',
])  # fmt: skip


@pytest.mark.parametrize(
    ("accept", "stored", "expected"),
    [
        (None, JPEG, parts(OCTETS, "*")),
        ("*/*", JPEG, parts(OCTETS, "*")),
        (f"{OCTETS_PARTS}; transfer-syntax=*", J2K, parts(OCTETS, "*")),
        (OCTETS, JPEG, single(OCTETS, "*")),
        (f"{OCTETS}; transfer-syntax={EXPLICIT}", JPEG, single(OCTETS, EXPLICIT)),
        ("image/*", JPEG, single("image/jpeg", "*")),
        ("image/jpeg", JPEG, single("image/jpeg", "*")),
        ("image/jpeg", EXPLICIT, None),
        ('multipart/related; type="image/jp2"', J2K, parts("image/jp2", "*")),
        ('multipart/related; type="image/jp2"', EXPLICIT, parts("image/jp2", J2K)),
        ('multipart/related; type="image/jls"', JPEG_LS, parts("image/jls", "*")),
        (f'multipart/related; type="image/jpeg"; transfer-syntax={J2K}', J2K, None),
        (EVERY_FRAME_TYPE, JPEG, parts("image/jpeg", JPEG)),
        (EVERY_FRAME_TYPE, J2K, parts("image/jp2", J2K)),
        (EVERY_FRAME_TYPE, JPEG_LS, parts("image/x-jls", JPEG_LS)),
        (EVERY_FRAME_TYPE, EXPLICIT, parts(OCTETS, EXPLICIT)),
        (MULTIPART_DICOM, EXPLICIT, None),
    ],
)
def test_the_standard_gives_frames_that_need_no_work_first(
    accept: str | None, stored: str, expected: Representation | None
) -> None:
    if expected is None:
        with pytest.raises(NotAcceptable):
            choose_frames(accept, STANDARD, stored_transfer_syntax_uid=stored)
    else:
        assert choose_frames(accept, STANDARD, stored_transfer_syntax_uid=stored) == expected


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, single(OCTETS, "*")),
        ("*/*", single(OCTETS, "*")),
        (OCTETS, single(OCTETS, "*")),
        (OCTETS_PARTS, parts(OCTETS, "*")),
        ("multipart/related", parts(OCTETS, "*")),
    ],
)
def test_bulk_data_comes_as_octets(accept: str | None, expected: Representation) -> None:
    assert choose_bulkdata(accept) == expected


def test_bulk_data_is_refused_where_octets_are_not_taken() -> None:
    with pytest.raises(NotAcceptable):
        choose_bulkdata("image/png")


@pytest.mark.parametrize(
    ("header", "query_value", "expected"),
    [
        ("*/*", "image/jpeg", "image/jpeg"),
        ("image/png", None, "image/png"),
        ("image/png", "", "image/png"),
        (None, None, None),
        ("  ", None, None),
    ],
)
def test_accept_in_the_query_wins_over_the_header(
    header: str | None, query_value: str | None, expected: str | None
) -> None:
    assert effective_accept(header, query_value) == expected


def test_implicit_vr_is_not_made() -> None:
    with pytest.raises(NotAcceptable):
        choose_dicom(f"{DICOM}; transfer-syntax={IMPLICIT}", AZURE, is_instance=True)
