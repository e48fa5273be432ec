"""Retrieve by the catalogue of Azure's DICOM service (dicom-service 15.3), and what is beyond it under its roots."""

from __future__ import annotations

import io
import uuid
from typing import Any

import httpx
import imagecodecs
import numpy as np
import pydicom
import pytest
from PIL import Image

from tests.support.catalogue import COLUMNS, ROWS, Instance, instance, new_uid, store
from tests.support.dicom_files import IMPLICIT, ITEM, element, implicit_element
from tests.support.dicomweb import JSON, client, delete, get, parts
from tests.support.processes import Node

EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
JPEG_2000_LOSSLESS = "1.2.840.10008.1.2.4.90"
MPEG_2 = "1.2.840.10008.1.2.4.100"
HEVC = "1.2.840.10008.1.2.4.107"
NOT_ACCEPTABLE = "The request headers are not acceptable"
BULK_VRS = {"OB", "OD", "OF", "OL", "OV", "OW", "UN"}


def _dicom(syntax: str | None = None) -> str:
    return f'multipart/related; type="application/dicom"{_suffix(syntax)}'


def _single(syntax: str | None = None) -> str:
    return f"application/dicom{_suffix(syntax)}"


def _octets(syntax: str | None = None, *, is_multipart: bool = True) -> str:
    if is_multipart:
        return f'multipart/related; type="application/octet-stream"{_suffix(syntax)}'
    return f"application/octet-stream{_suffix(syntax)}"


def _suffix(syntax: str | None) -> str:
    return "" if syntax is None else f"; transfer-syntax={syntax}"


@pytest.fixture(params=["v1", "v2"])
def root(node: Node, request: pytest.FixtureRequest) -> str:
    """Return the address of each version in turn."""
    return f"{node.base_url}/{request.param}"


def _frames(count: int) -> bytes:
    return b"".join(bytes([number + 1, 0] * (ROWS * COLUMNS)) for number in range(count))


def _stored(root: str, *instances: Instance) -> Instance:
    answer = store(root, *(one.content for one in instances))
    assert answer.status_code in (httpx.codes.OK, httpx.codes.ACCEPTED), answer.text
    assert "00081198" not in answer.json()
    return instances[0]


@pytest.fixture
def one(root: str) -> Instance:
    """Return a stored instance of three frames, alone in its study."""
    return _stored(root, instance(pixels=_frames(3)))


# Instance


@pytest.mark.parametrize("syntax", ["*", None, EXPLICIT_LITTLE, JPEG_2000_LOSSLESS])
@pytest.mark.parametrize("is_single", [True, False])
def test_an_instance_in_every_form(root: str, one: Instance, syntax: str | None, is_single: bool) -> None:
    answer = get(f"{root}/{one.path}", _single(syntax) if is_single else _dicom(syntax))
    assert answer.status_code == httpx.codes.OK
    expected = JPEG_2000_LOSSLESS if syntax == JPEG_2000_LOSSLESS else EXPLICIT_LITTLE
    if is_single:
        assert answer.headers["content-type"] == f"application/dicom; transfer-syntax={expected}"
        content = answer.content
    else:
        [part] = parts(answer)
        assert part.content_type == f"application/dicom; transfer-syntax={expected}"
        content = part.content
    if expected == EXPLICIT_LITTLE:
        assert content == one.content
    assert pydicom.dcmread(io.BytesIO(content)).file_meta.TransferSyntaxUID == expected


@pytest.mark.parametrize("level", ["study_path", "series_path", "path"])
@pytest.mark.parametrize(
    "accept",
    [
        "application/octet-stream",
        "multipart/related; type=application/octet-stream",
        _dicom(MPEG_2),
        _dicom("1.2.840.10008.1.2"),
        "image/jpeg",
        None,
    ],
)
def test_an_unsupported_accept_even_for_what_is_not_there(root: str, level: str, accept: str | None) -> None:
    answer = get(f"{root}/{getattr(instance(), level)}", accept)
    assert (answer.status_code, answer.text) == (httpx.codes.NOT_ACCEPTABLE, NOT_ACCEPTABLE)


@pytest.mark.parametrize("level", ["study_path", "series_path"])
def test_a_single_part_is_for_one_instance(root: str, one: Instance, level: str) -> None:
    assert get(f"{root}/{getattr(one, level)}", _single("*")).status_code == httpx.codes.NOT_ACCEPTABLE


@pytest.mark.parametrize(("level", "noun"), [("study_path", "study"), ("series_path", "series"), ("path", "instance")])
def test_what_is_not_there(root: str, level: str, noun: str) -> None:
    answer = get(f"{root}/{getattr(instance(), level)}", _dicom("*"))
    assert (answer.status_code, answer.text) == (httpx.codes.NOT_FOUND, f"The specified {noun} cannot be found.")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize("uid", [MPEG_2, HEVC])
def test_a_video_as_it_is_stored_or_not_at_all(root: str, uid: str) -> None:
    one = _stored(root, instance(transfer_syntax_uid=uid, pixels=[b"some stream "]))
    for syntax in (None, EXPLICIT_LITTLE, JPEG_2000_LOSSLESS):
        assert get(f"{root}/{one.path}", _single(syntax)).status_code == httpx.codes.NOT_ACCEPTABLE
    assert get(f"{root}/{one.path}", _single("*")).content == one.content


def test_an_instance_without_pixel_data(root: str) -> None:
    one = _stored(root, instance(pixels=None, transfer_syntax_uid=IMPLICIT))
    assert get(f"{root}/{one.path}", _single("*")).content == one.content
    encoded = pydicom.dcmread(io.BytesIO(get(f"{root}/{one.path}", _single()).content))
    assert encoded.file_meta.TransferSyntaxUID == EXPLICIT_LITTLE
    assert encoded.PatientID == "P-17"
    for resource in ("frames/1", "rendered", "frames/1/rendered"):
        accept = "image/jpeg" if "rendered" in resource else _octets("*")
        assert get(f"{root}/{one.path}/{resource}", accept).status_code == httpx.codes.NOT_FOUND


@pytest.mark.parametrize("study_pad", ["", "%20", "%20%20%20"])
@pytest.mark.parametrize("sop_pad", ["", "%20"])
def test_uids_with_blanks_behind_are_the_same(root: str, study_pad: str, sop_pad: str) -> None:
    uid = new_uid()
    one = _stored(root, instance(study=uid + "  ", sop=new_uid()))
    path = f"studies/{uid}{study_pad}/series/{one.series}{sop_pad}/instances/{one.sop}{sop_pad}"
    assert get(f"{root}/{path}", _single("*")).content == one.content


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (f"{_dicom(JPEG_2000_LOSSLESS)}; q=0.5, {_dicom('*')}; q=0.4", JPEG_2000_LOSSLESS),
        (f"{_dicom(JPEG_2000_LOSSLESS)}; q=0.4, {_dicom('*')}; q=0.5", EXPLICIT_LITTLE),
        (f"{_dicom(JPEG_2000_LOSSLESS)}, {_dicom('*')}", EXPLICIT_LITTLE),
        (f"image/jpeg, {_dicom(MPEG_2)}, {_dicom(JPEG_2000_LOSSLESS)}; q=0.1", JPEG_2000_LOSSLESS),
        ("*/*", EXPLICIT_LITTLE),
        ("multipart/related; type=application/dicom; transfer-syntax=*", EXPLICIT_LITTLE),
        ("text/html, application/xhtml+xml, */*;q=0.8", EXPLICIT_LITTLE),
    ],
)
def test_weights_and_lists_of_accept(root: str, one: Instance, accept: str, expected: str) -> None:
    [part] = parts(get(f"{root}/{one.path}", accept))
    assert part.transfer_syntax_uid == expected


# Series and study


@pytest.mark.parametrize("level", ["study_path", "series_path"])
@pytest.mark.parametrize("syntax", [None, "*", EXPLICIT_LITTLE, JPEG_2000_LOSSLESS])
def test_the_only_instance_is_given_in_what_is_asked_for(root: str, level: str, syntax: str | None) -> None:
    one = _stored(root, instance(transfer_syntax_uid=IMPLICIT))
    answer = get(f"{root}/{getattr(one, level)}", _dicom(syntax))
    assert answer.headers["content-type"].startswith("multipart/related")
    [part] = parts(answer)
    expected = {"*": IMPLICIT, JPEG_2000_LOSSLESS: JPEG_2000_LOSSLESS}.get(syntax or "", EXPLICIT_LITTLE)
    assert part.transfer_syntax_uid == expected
    assert (part.content == one.content) is (syntax == "*")


@pytest.mark.parametrize("level", ["study_path", "series_path"])
def test_several_instances_are_given_as_stored_and_not_otherwise(root: str, level: str) -> None:
    study, series = new_uid(), new_uid()
    first = instance(study=study, series=series)
    second = instance(study=study, series=series, transfer_syntax_uid=MPEG_2, pixels=[b"stream"])
    third = instance(study=study, series=series)
    _stored(root, first, second, third)
    path = getattr(first, level)
    for accept in (_dicom("*"), "*/*"):
        found = parts(get(f"{root}/{path}", accept))
        assert {part.content: part.transfer_syntax_uid for part in found} == {
            first.content: EXPLICIT_LITTLE,
            second.content: MPEG_2,
            third.content: EXPLICIT_LITTLE,
        }
    for syntax in (None, EXPLICIT_LITTLE, JPEG_2000_LOSSLESS):
        answer = get(f"{root}/{path}", _dicom(syntax))
        assert (answer.status_code, answer.text) == (
            httpx.codes.NOT_ACCEPTABLE,
            f"Accept transfer syntax '{syntax or EXPLICIT_LITTLE}' is not supported when multiple instances are "
            "matched. Matching instances can be retrieved with their original transfer syntax by specifying "
            "'transfer-syntax=*' in the Accept header.",
        )


@pytest.mark.parametrize("level", ["study_path", "series_path"])
def test_several_instances_in_the_syntax_that_is_asked_for_are_refused_too(root: str, level: str) -> None:
    study, series = new_uid(), new_uid()
    one = _stored(root, *(instance(study=study, series=series) for _ in range(2)))
    assert get(f"{root}/{getattr(one, level)}", _dicom(EXPLICIT_LITTLE)).status_code == httpx.codes.NOT_ACCEPTABLE


# Frames


def test_frames_come_in_the_order_asked_for(root: str, one: Instance) -> None:
    frames = [_frames(3)[2 * ROWS * COLUMNS * number :][: 2 * ROWS * COLUMNS] for number in range(3)]
    for text, numbers in (("1,2", [0, 1]), ("3%2C1", [2, 0]), ("2,2", [1, 1])):
        answer = get(f"{root}/{one.path}/frames/{text}", _octets("*"))
        assert answer.headers["content-type"].startswith("multipart/related")
        assert [part.content for part in parts(answer)] == [frames[number] for number in numbers]


@pytest.mark.parametrize("syntax", ["*", None, EXPLICIT_LITTLE])
def test_one_frame_as_a_single_part(root: str, one: Instance, syntax: str | None) -> None:
    answer = get(f"{root}/{one.path}/frames/1", _octets(syntax, is_multipart=False))
    assert answer.headers["content-type"] == f"application/octet-stream; transfer-syntax={EXPLICIT_LITTLE}"
    assert answer.content == _frames(1)


def test_several_frames_are_no_single_part(root: str, one: Instance) -> None:
    answer = get(f"{root}/{one.path}/frames/1,2", _octets("*", is_multipart=False))
    assert (answer.status_code, answer.text) == (
        httpx.codes.BAD_REQUEST,
        "The accept header is supported for single frame retrieval, use multi-part accept header instead.",
    )


def test_a_frame_behind_the_last(root: str, one: Instance) -> None:
    answer = get(f"{root}/{one.path}/frames/4", _octets("*"))
    assert (answer.status_code, answer.text) == (httpx.codes.NOT_FOUND, "The specified frame cannot be found.")


@pytest.mark.parametrize("frames", ["0", "-1", "1,-1", "0,1", "a", "1,", "1.5"])
def test_what_is_no_frame_even_where_nothing_is(root: str, frames: str) -> None:
    answer = get(f"{root}/{instance().path}/frames/{frames}", _octets("*"))
    assert (answer.status_code, answer.text) == (
        httpx.codes.BAD_REQUEST,
        "The specified frames value is not valid. At least one frame must be present, and all requested frames must "
        "have value greater than 0.",
    )


@pytest.mark.parametrize(
    "accept",
    [
        None,
        "application/dicom",
        _octets(JPEG_2000_LOSSLESS),
        'multipart/related; type="image/jp2"; transfer-syntax=1.2.840.10008.1.2.1',
        "image/jp2",
        'multipart/related; type="image/jpeg"',
    ],
)
def test_frames_in_a_form_that_is_not_given(root: str, accept: str | None) -> None:
    answer = get(f"{root}/{instance().path}/frames/1", accept)
    assert (answer.status_code, answer.text) == (httpx.codes.NOT_ACCEPTABLE, NOT_ACCEPTABLE)


def test_frames_are_transcoded_to_lossless_jpeg_2000_and_back(root: str, one: Instance) -> None:
    expected = np.frombuffer(_frames(3), "<u2").reshape(3, ROWS, COLUMNS)
    found = parts(get(f"{root}/{one.path}/frames/1,3", 'multipart/related; type="image/jp2"'))
    for number, part in zip((0, 2), found, strict=True):
        assert part.content_type == f"image/jp2; transfer-syntax={JPEG_2000_LOSSLESS}"
        np.testing.assert_array_equal(imagecodecs.jpeg2k_decode(part.content), expected[number])
    encoded = instance(transfer_syntax_uid=JPEG_2000_LOSSLESS, pixels=[part.content for part in found])
    _stored(root, encoded)
    [again] = parts(get(f"{root}/{encoded.path}/frames/2", _octets()))
    assert again.transfer_syntax_uid == EXPLICIT_LITTLE
    assert again.content == expected[2].tobytes()


def test_frames_of_a_video_are_exact_or_refused(root: str) -> None:
    one = _stored(root, instance(transfer_syntax_uid=HEVC, pixels=[b"first frame "]))
    for accept in (_octets("*"), "*/*"):
        [part] = parts(get(f"{root}/{one.path}/frames/1", accept))
        assert (part.content, part.transfer_syntax_uid) == (b"first frame ", HEVC)
    refused = get(f"{root}/{one.path}/frames/1", 'multipart/related; type="image/jp2"')
    assert refused.status_code == httpx.codes.NOT_ACCEPTABLE


# Rendered


@pytest.mark.parametrize("accept", ["image/jpeg", "image/png", None])
@pytest.mark.parametrize("resource", ["rendered", "frames/3/rendered", "rendered?quality=1", "rendered?quality=100"])
def test_a_rendered_frame(root: str, one: Instance, accept: str | None, resource: str) -> None:
    answer = get(f"{root}/{one.path}/{resource}", accept)
    assert answer.headers["content-type"] == (accept or "image/jpeg")
    assert Image.open(io.BytesIO(answer.content)).size == (COLUMNS, ROWS)


@pytest.mark.parametrize("quality", ["0", "101", "-5"])
def test_a_quality_out_of_range(root: str, one: Instance, quality: str) -> None:
    answer = get(f"{root}/{one.path}/rendered?quality={quality}", "image/jpeg")
    assert (answer.status_code, answer.text) == (400, "Image quality must be between 1 and 100 inclusive")


def test_a_rendered_frame_behind_the_last(root: str, one: Instance) -> None:
    assert get(f"{root}/{one.path}/frames/5/rendered", "image/jpeg").status_code == httpx.codes.NOT_FOUND


@pytest.mark.parametrize(
    ("accept", "text"),
    [
        ("image/jpeg, image/png", "The request contains multiple accept headers, which is not supported."),
        ("application/jpeg", NOT_ACCEPTABLE),
        ("image/gif", NOT_ACCEPTABLE),
        ("*/*", NOT_ACCEPTABLE),
        ("video/mp4", NOT_ACCEPTABLE),
    ],
)
def test_a_picture_that_is_not_given_even_of_what_is_not_there(root: str, accept: str, text: str) -> None:
    answer = get(f"{root}/{instance().path}/rendered", accept)
    assert (answer.status_code, answer.text) == (httpx.codes.NOT_ACCEPTABLE, text)


# Metadata


@pytest.mark.parametrize("level", ["study_path", "series_path", "path"])
def test_metadata_at_every_level(root: str, one: Instance, level: str) -> None:
    answer = get(f"{root}/{getattr(one, level)}/metadata", JSON)
    assert answer.headers["content-type"] == JSON
    [metadata] = answer.json()
    assert metadata["00080018"] == {"vr": "UI", "Value": [one.sop]}
    assert "7FE00010" not in metadata
    missing = get(f"{root}/{getattr(instance(), level)}/metadata", JSON)
    assert missing.status_code == httpx.codes.NOT_FOUND


@pytest.mark.parametrize("accept", ["application/data", "application/dicom", None])
def test_metadata_in_another_form_even_under_what_is_no_uid(root: str, accept: str | None) -> None:
    for path in (f"studies/{uuid.uuid4()}", f"studies/{uuid.uuid4()}/series/{uuid.uuid4()}"):
        answer = get(f"{root}/{path}/metadata", accept)
        assert (answer.status_code, answer.content) == (httpx.codes.NOT_ACCEPTABLE, b"")


def test_metadata_takes_the_accept_of_viewers(root: str, one: Instance) -> None:
    accept = "application/dicom+json, multipart/related; type=application/octet-stream"
    assert get(f"{root}/{one.path}/metadata", accept).status_code == httpx.codes.OK


def test_metadata_under_what_is_no_uid(root: str) -> None:
    assert get(f"{root}/studies/{uuid.uuid4()}/metadata", JSON).status_code == httpx.codes.BAD_REQUEST


def _vrs(dataset: dict[str, Any]) -> set[str]:
    found = {attribute["vr"] for attribute in dataset.values()}
    for attribute in dataset.values():
        if attribute["vr"] == "SQ":
            for item in attribute.get("Value", []):
                found |= _vrs(item)
    return found


def test_bulk_data_is_left_out_at_every_depth(root: str) -> None:
    bulk = b"".join(
        element(0x00091000 + number, vr, bytes(8)) for number, vr in enumerate(sorted(BULK_VRS - {"OL"}), start=16)
    )
    text = element(0x00091040, "LO", b"kept")
    item = implicit_element(ITEM, element(0x00080070, "LO", b"made") + bulk + text)
    one = _stored(
        root, instance(more=element(0x00090010, "LO", b"TESTS ") + bulk + text + element(0x00400275, "SQ", item))
    )
    [metadata] = get(f"{root}/{one.path}/metadata", JSON).json()
    assert not _vrs(metadata) & BULK_VRS
    assert metadata["00091040"]["Value"] == ["kept"]
    assert metadata["00400275"]["Value"][0]["00091040"]["Value"] == ["kept"]


def test_what_is_empty_has_its_vr_and_numbers_are_numbers(root: str) -> None:
    one = _stored(root, instance(AccessionNumber="", SeriesNumber="7", SliceThickness="1.25", InstanceNumber="x"))
    [metadata] = get(f"{root}/{one.path}/metadata", JSON).json()
    assert metadata["00080050"] == {"vr": "SH"}
    assert metadata["00200011"] == {"vr": "IS", "Value": [7]}
    assert metadata["00180050"] == {"vr": "DS", "Value": [1.25]}
    assert ("00200013" in metadata) is root.endswith("v1")


@pytest.mark.parametrize("level", ["study_path", "series_path", "path"])
def test_an_entity_tag_says_whether_anything_changed(root: str, level: str) -> None:
    first = _stored(root, instance())
    url = f"{root}/{getattr(first, level)}/metadata"
    tag = get(url, JSON).headers["etag"]
    assert tag.isdigit() if level == "path" else tag.endswith("-1")
    same = get(url, JSON, If_None_Match=tag)
    assert (same.status_code, same.content) == (httpx.codes.NOT_MODIFIED, b"")
    assert "etag" not in same.headers
    for other in (f'"{tag}"', f"{tag}0", "*"):
        answer = get(url, JSON, If_None_Match=other)
        assert (answer.status_code, answer.headers["etag"]) == (httpx.codes.OK, tag)


@pytest.mark.parametrize("level", ["study_path", "series_path"])
def test_an_entity_tag_changes_with_what_comes_and_goes(root: str, level: str) -> None:
    first = _stored(root, instance())
    url = f"{root}/{getattr(first, level)}/metadata"
    tags = [get(url, JSON).headers["etag"]]
    second = _stored(root, instance(study=first.study, series=first.series))
    tags.append(get(url, JSON, If_None_Match=tags[0]).headers["etag"])
    assert delete(f"{root}/{second.path}").status_code == httpx.codes.NO_CONTENT
    tags.append(get(url, JSON, If_None_Match=tags[1]).headers["etag"])
    assert tags[1].endswith("-2")
    assert len(set(tags[:2])) == len(set(tags[1:])) == 2


def test_metadata_is_compressed_for_who_takes_it(root: str) -> None:
    study = new_uid()
    one = _stored(root, *(instance(study=study) for _ in range(5)))
    url = f"{root}/{one.study_path}/metadata"
    assert get(url, JSON, Accept_Encoding="gzip").headers["content-encoding"] == "gzip"
    plain = get(url, JSON, Accept_Encoding="identity")
    assert "content-encoding" not in plain.headers
    assert plain.json() == get(url, JSON, Accept_Encoding="gzip").json()


# Beyond the service, under its roots too


@pytest.mark.parametrize("resource", ["study_path", "series_path"])
def test_a_study_and_a_series_are_rendered_in_parts(root: str, one: Instance, resource: str) -> None:
    [part] = parts(get(f"{root}/{getattr(one, resource)}/rendered", "image/png"))
    assert Image.open(io.BytesIO(part.content)).size == (COLUMNS, ROWS)


@pytest.mark.parametrize("resource", ["study_path", "series_path", "path"])
def test_there_is_a_thumbnail(root: str, one: Instance, resource: str) -> None:
    answer = get(f"{root}/{getattr(one, resource)}/thumbnail", "*/*")
    assert answer.headers["content-type"] == "image/jpeg"


def test_bulk_data_is_given_by_its_path(root: str, one: Instance) -> None:
    answer = get(f"{root}/{one.path}/bulkdata/7FE00010", "application/octet-stream")
    assert answer.content == _frames(3)


def test_accept_is_taken_from_the_query_string(root: str, one: Instance) -> None:
    answer = get(f"{root}/{one.path}?accept=application/dicom;transfer-syntax=*", "text/html")
    assert answer.content == one.content
    assert get(f"{root}/{one.path}/rendered?accept=image/png", "*/*").headers["content-type"] == "image/png"


def _wado(root: str, one: Instance, more: str = "", accept: str | None = "*/*") -> httpx.Response:
    query = f"requestType=WADO&studyUID={one.study}&seriesUID={one.series}&objectUID={one.sop}"
    return get(f"{root}/wado?{query}{more}", accept)


def test_wado_uri_gives_a_single_frame_as_a_picture_and_several_as_they_are_stored(root: str, one: Instance) -> None:
    assert _wado(root, one).content == one.content
    single = _stored(root, instance())
    assert _wado(root, single).headers["content-type"] == "image/jpeg"
    assert _wado(root, single, accept=None).headers["content-type"] == "image/jpeg"
    assert _wado(root, one, "&frameNumber=2").headers["content-type"] == "image/jpeg"
    assert _wado(root, _stored(root, instance(pixels=None))).headers["content-type"].startswith("application/dicom")


@pytest.mark.parametrize(
    ("more", "size"),
    [
        ("", (COLUMNS, ROWS)),
        ("&rows=4", (4, 4)),
        ("&rows=16&columns=32", (16, 16)),
        ("&region=0.5,0.5,1,1", (4, 4)),
        ("&region=0,0,0.5,1&rows=16&columns=8", (8, 16)),
        ("&windowCenter=2&windowWidth=4", (COLUMNS, ROWS)),
    ],
)
def test_wado_uri_gives_a_picture_as_it_is_wanted(root: str, one: Instance, more: str, size: tuple[int, int]) -> None:
    answer = _wado(root, one, f"&contentType=image/png&frameNumber=2{more}")
    assert answer.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(answer.content)).size == size


def test_wado_uri_gives_dicom_in_a_transfer_syntax(root: str, one: Instance) -> None:
    answer = _wado(root, one, f"&contentType=application/dicom&transferSyntax={JPEG_2000_LOSSLESS}")
    assert answer.headers["content-type"] == f"application/dicom; transfer-syntax={JPEG_2000_LOSSLESS}"
    assert _wado(root, one, "&contentType=application/dicom&transferSyntax=1.2.3").status_code == 406


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ("&contentType=text/html", 406),
        ("&contentType=image/gif,image/jpeg", 200),
        ("&contentType=image/png&transferSyntax=1.2.840.10008.1.2.1", 400),
        ("&contentType=image/png&frameNumber=9", 404),
        ("&anonymize=yes", 400),
        ("&imageQuality=0", 400),
    ],
)
def test_wado_uri_answers_with_a_status(root: str, one: Instance, more: str, status: int) -> None:
    assert _wado(root, one, more).status_code == status


def test_wado_uri_of_what_is_not_there(root: str) -> None:
    assert _wado(root, instance()).status_code == httpx.codes.NOT_FOUND
    assert get(f"{root}/wado?requestType=WADO&studyUID=1.2", "*/*").status_code == httpx.codes.BAD_REQUEST


@pytest.mark.parametrize("accept", ["application/vnd.sun.wadl+xml", "application/json", "*/*"])
def test_the_service_describes_itself(root: str, accept: str) -> None:
    answer = client().request("OPTIONS", f"{root}/", headers={"Accept": accept})
    assert answer.status_code == httpx.codes.OK
    assert b"studies/{study}/series/{series}/instances/{instance}/metadata" in answer.content
