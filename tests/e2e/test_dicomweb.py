"""The DICOMweb edge by its answers: statuses, headers and bodies, under both roots (dicom-service 15, viewer-ui 8)."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import httpx
import imagecodecs
import numpy as np
import pydicom
import pytest
from PIL import Image

from isocenter.modality.demo_studies import demo_plans
from isocenter.modality.encodings import iter_encodings
from isocenter.modality.plans import CtSeriesPlan
from isocenter.modality.studies import iter_study
from tests.support.dicomweb import (
    ANY_DICOM,
    ANY_FRAMES,
    JSON,
    client,
    delete,
    failure_reasons,
    get,
    instance_urls,
    parts,
    post_instance,
)
from tests.support.processes import Node, serve

TODAY = datetime(2026, 11, 21)
BOUNDARY = "edge-of-parts"
UNKNOWN = "1.2.3.4.5.6.7.8.9"
Change = Callable[[pydicom.Dataset], None]


@dataclass(frozen=True, slots=True)
class Study:
    """A CT study of three instances that a node has stored."""

    datasets: list[pydicom.Dataset]
    contents: list[bytes]

    @property
    def path(self) -> str:
        """Return its path below a root."""
        return f"studies/{self.datasets[0].StudyInstanceUID}"

    @property
    def instance_path(self) -> str:
        """Return the path of its first instance."""
        first = self.datasets[0]
        return f"{self.path}/series/{first.SeriesInstanceUID}/instances/{first.SOPInstanceUID}"


def _contents(seed: int, count: int = 3) -> list[bytes]:
    plan = next(plan for plan in demo_plans(TODAY) if isinstance(plan.series[0], CtSeriesPlan))
    found: list[bytes] = []
    for content in iter_study(plan, seed):
        found.append(content)
        if len(found) == count:
            break
    return found


def _changed(content: bytes, change: Change) -> bytes:
    dataset = pydicom.dcmread(io.BytesIO(content))
    change(dataset)
    out = io.BytesIO()
    dataset.save_as(out)
    return out.getvalue()


def _post_parts(url: str, contents: list[bytes], **headers: str) -> httpx.Response:
    pieces = [f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode() + one + b"\r\n" for one in contents]
    body = b"".join([*pieces, f"--{BOUNDARY}--\r\n".encode()])
    kind = f'multipart/related; type="application/dicom"; boundary="{BOUNDARY}"'
    return client().post(url, content=body, headers={"Content-Type": kind, "Accept": JSON, **headers})


@pytest.fixture(scope="module")
def study(node: Node) -> Study:
    """Return a study that the node has."""
    contents = _contents(101)
    assert _post_parts(f"{node.dicomweb_url}/studies", contents).status_code == httpx.codes.OK
    return Study([pydicom.dcmread(io.BytesIO(content)) for content in contents], contents)


@pytest.fixture(params=["dicom-web", "v2"])
def root(node: Node, request: pytest.FixtureRequest) -> str:
    """Return the address of each root in turn."""
    return f"{node.base_url}/{request.param}"


# Store


def test_a_body_of_no_parts_stores_nothing(root: str) -> None:
    assert _post_parts(f"{root}/studies", []).status_code == httpx.codes.NO_CONTENT


def test_an_empty_body_is_one_failed_instance(root: str) -> None:
    answer = post_instance(root, b"")
    assert answer.status_code == httpx.codes.CONFLICT
    assert failure_reasons(answer) == [0xA900]


def test_garbage_beside_an_instance_fails_alone(root: str) -> None:
    [content] = _contents(2000 + len(root), 1)
    answer = _post_parts(f"{root}/studies", [b"no instance at all", content])
    assert answer.status_code == httpx.codes.ACCEPTED
    assert len(instance_urls(answer)) == 1
    assert failure_reasons(answer) == [0xA900]


def test_an_instance_of_another_study_than_the_route_names_is_refused(root: str) -> None:
    [content] = _contents(3000, 1)
    answer = post_instance(root, content, path=f"studies/{UNKNOWN}")
    assert answer.status_code == httpx.codes.CONFLICT
    assert list(answer.json()) == ["00081198"]
    assert failure_reasons(answer) == [0xA900]


def test_the_same_bytes_again_are_harmless_by_the_standard_and_a_duplicate_for_azure(node: Node, study: Study) -> None:
    assert post_instance(node.dicomweb_url, study.contents[0]).status_code == httpx.codes.OK
    answer = post_instance(f"{node.base_url}/v2", study.contents[0])
    assert answer.status_code == httpx.codes.CONFLICT
    assert failure_reasons(answer) == [45070]


def test_other_bytes_under_the_same_identifiers_are_refused(root: str, study: Study) -> None:
    def rename(dataset: pydicom.Dataset) -> None:
        dataset.StudyDescription = "changed on the way"

    answer = post_instance(root, _changed(study.contents[0], rename))
    assert answer.status_code == httpx.codes.CONFLICT
    assert failure_reasons(answer) == [45070]
    assert get(f"{root}/{study.instance_path}", "application/dicom; transfer-syntax=*").content == study.contents[0]


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("multipart/form-data; boundary=x", 415),
        ("multipart/related; type=application/dicom", 415),
        ("application/dicom+json", 415),
        ('multipart/related; type="application/dicom"; boundary=x; start="<a>"', 400),
        ('multipart/related; type="application/dicom"; boundary=x', 400),
    ],
)
def test_a_body_in_another_form_is_refused(root: str, content_type: str, status: int) -> None:
    answer = client().post(
        f"{root}/studies", content=b"--x\r\nnothing", headers={"Content-Type": content_type, "Accept": JSON}
    )
    assert answer.status_code == status


def test_an_answer_in_another_form_than_json_is_not_to_be_had(root: str, study: Study) -> None:
    answer = _post_parts(f"{root}/studies", study.contents, Accept="application/dicom")
    assert answer.status_code == httpx.codes.NOT_ACCEPTABLE


def test_an_instance_without_its_identifiers_is_refused_with_the_attribute_named(root: str) -> None:
    def forget(dataset: pydicom.Dataset) -> None:
        del dataset.SeriesInstanceUID

    answer = post_instance(root, _changed(_contents(3001, 1)[0], forget))
    assert answer.status_code == httpx.codes.CONFLICT
    [failed] = answer.json()["00081198"]["Value"]
    [comment] = failed["00741048"]["Value"]
    assert comment["00000902"]["Value"] == ["DICOM100: (0020,000e) - The required tag '(0020,000e)' is missing."]


@pytest.mark.parametrize("uid", ["../../../etc/passwd", "1.2.abc", "1." + "2" * 70, "%2e%2e"])
def test_a_hostile_identifier_is_refused_before_anything_is_looked_up(root: str, uid: str) -> None:
    assert get(f"{root}/studies/{uid}", ANY_DICOM).status_code in (400, 404)
    answer = post_instance(root, _changed(_contents(3002, 1)[0], lambda dataset: _force_uid(dataset, uid)))
    assert answer.status_code == httpx.codes.CONFLICT


def _force_uid(dataset: pydicom.Dataset, uid: str) -> None:
    with pydicom.config.disable_value_validation():
        dataset.SOPInstanceUID = uid


# Retrieve


def test_a_study_comes_back_in_parts_each_naming_its_transfer_syntax(root: str, study: Study) -> None:
    answer = get(f"{root}/{study.path}", ANY_DICOM)
    found = parts(answer)
    assert sorted(part.content for part in found) == sorted(study.contents)
    assert {part.transfer_syntax_uid for part in found} == {"1.2.840.10008.1.2.1"}
    assert int(answer.headers["content-length"]) == len(answer.content)


def test_azure_refuses_a_specific_transfer_syntax_for_many_and_the_standard_does_not(node: Node, study: Study) -> None:
    accept = 'multipart/related; type="application/dicom"'
    assert get(f"{node.base_url}/v2/{study.path}", accept).status_code == httpx.codes.NOT_ACCEPTABLE
    assert get(f"{node.dicomweb_url}/{study.path}", accept).status_code == httpx.codes.OK


@pytest.mark.parametrize("level", ["", "/series/1.2.3", "/series/1.2.3/instances/1.2.3"])
@pytest.mark.parametrize("resource", ["", "/metadata"])
def test_what_is_not_there_is_not_found(root: str, level: str, resource: str) -> None:
    accept = JSON if resource else ANY_DICOM
    answer = get(f"{root}/studies/{UNKNOWN}{level}{resource}", accept)
    assert answer.status_code == httpx.codes.NOT_FOUND
    assert answer.headers["content-type"].startswith("text/plain")
    assert "cannot be found" in answer.text


@pytest.mark.parametrize(("frames", "status"), [("0", 400), ("-1", 400), ("a", 400), ("1,0", 400), ("2", 404)])
def test_frames_that_are_none_are_refused_and_those_beyond_the_last_not_found(
    root: str, study: Study, frames: str, status: int
) -> None:
    assert get(f"{root}/{study.instance_path}/frames/{frames}", ANY_FRAMES).status_code == status


def test_frames_are_the_pixels_in_the_order_asked_for(root: str, study: Study) -> None:
    found = parts(get(f"{root}/{study.instance_path}/frames/1%2C1", ANY_FRAMES))
    assert [part.content for part in found] == [study.datasets[0].PixelData] * 2


def test_metadata_is_told_once_and_then_by_its_tag(root: str, study: Study) -> None:
    first = get(f"{root}/{study.path}/metadata", JSON)
    assert len(first.json()) == len(study.datasets)
    again = get(f"{root}/{study.path}/metadata", JSON, If_None_Match=first.headers["etag"])
    assert (again.status_code, again.content) == (httpx.codes.NOT_MODIFIED, b"")


def test_metadata_is_compressed_for_who_reads_gzip(root: str, study: Study) -> None:
    url = f"{root}/{study.path}/metadata"
    request = client().build_request("GET", url, headers={"Accept": JSON, "Accept-Encoding": "gzip"})
    streamed = client().send(request, stream=True)
    raw = b"".join(streamed.iter_raw())
    assert streamed.headers["content-encoding"] == "gzip"
    plain = get(url, JSON, Accept_Encoding="identity")
    assert "content-encoding" not in plain.headers
    assert gzip.decompress(raw) == plain.content


def test_azure_leaves_bulk_data_out_and_the_standard_refers_to_it(node: Node, study: Study) -> None:
    [azure] = get(f"{node.base_url}/v2/{study.instance_path}/metadata", JSON).json()
    assert "7FE00010" not in azure
    [standard] = get(f"{node.dicomweb_url}/{study.instance_path}/metadata", JSON).json()
    uri = standard["7FE00010"]["BulkDataURI"]
    assert uri.startswith(f"{node.dicomweb_url}/{study.instance_path}/bulkdata/")
    assert get(uri, "application/octet-stream").content == study.datasets[0].PixelData


def test_addresses_are_those_that_a_proxy_shows(node: Node, study: Study) -> None:
    [metadata] = get(
        f"{node.dicomweb_url}/{study.instance_path}/metadata",
        JSON,
        X_Forwarded_Host="pacs.example",
        X_Forwarded_Prefix="/imaging",
        X_Forwarded_Proto="https",
    ).json()
    assert metadata["7FE00010"]["BulkDataURI"].startswith("https://pacs.example/imaging/dicom-web/studies/")


@pytest.mark.parametrize("media_type", ["image/jpeg", "image/png"])
def test_a_rendered_instance_is_a_picture_of_that_type(root: str, study: Study, media_type: str) -> None:
    answer = get(f"{root}/{study.instance_path}/rendered", media_type)
    assert answer.headers["content-type"] == media_type
    picture = Image.open(io.BytesIO(answer.content))
    assert picture.size == (study.datasets[0].Columns, study.datasets[0].Rows)
    assert picture.getextrema() != (0, 0)


@pytest.mark.parametrize("quality", ["0", "101", "x"])
def test_a_quality_out_of_range_is_refused(root: str, study: Study, quality: str) -> None:
    answer = get(f"{root}/{study.instance_path}/rendered?quality={quality}", "image/jpeg")
    assert (answer.status_code, answer.text) == (400, "Image quality must be between 1 and 100 inclusive")


@pytest.mark.parametrize("accept", ["application/jpeg", "image/gif"])
def test_a_picture_of_another_type_is_not_to_be_had(root: str, study: Study, accept: str) -> None:
    assert get(f"{root}/{study.instance_path}/rendered", accept).status_code == httpx.codes.NOT_ACCEPTABLE


def test_a_window_changes_the_picture(node: Node, study: Study) -> None:
    url = f"{node.dicomweb_url}/{study.instance_path}/rendered"
    assert get(f"{url}?window=40,80,linear", "image/png").content != get(url, "image/png").content


@pytest.mark.parametrize("level", ["study", "series", "instance", "frame"])
def test_there_is_a_thumbnail_at_every_level(node: Node, study: Study, level: str) -> None:
    series = study.instance_path.rsplit("/instances", 1)[0]
    paths = {"study": study.path, "series": series, "instance": study.instance_path}
    path = paths.get(level, f"{study.instance_path}/frames/1")
    answer = get(f"{node.dicomweb_url}/{path}/thumbnail?viewport=64,64&accept=image/png", "*/*")
    assert answer.headers["content-type"] == "image/png"
    assert max(Image.open(io.BytesIO(answer.content)).size) == 64


def test_a_series_is_rendered_in_parts(node: Node, study: Study) -> None:
    series = study.instance_path.rsplit("/instances", 1)[0]
    found = parts(get(f"{node.dicomweb_url}/{series}/rendered?viewport=64,64", "multipart/related; type=image/jpeg"))
    assert [part.content_type for part in found] == ["image/jpeg"] * len(study.datasets)


@pytest.fixture(scope="module")
def encodings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Node, dict[str, str]]]:
    """Return a node that has one picture in every encoding, with the address of each by transfer syntax."""
    with serve(tmp_path_factory.mktemp("encodings") / "data") as started:
        urls: dict[str, str] = {}
        for encoding in iter_encodings(5, started_at=TODAY, edge=64):
            answer = post_instance(started.dicomweb_url, encoding.part10)
            dataset = pydicom.dcmread(io.BytesIO(encoding.part10), stop_before_pixels=True)
            [urls[str(dataset.file_meta.TransferSyntaxUID)]] = instance_urls(answer)
        yield started, urls


TRANSCODED_FOR_VIEWERS = {
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1.99",
    "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.4.51",
    "1.2.840.10008.1.2.4.110",
    "1.2.840.10008.1.2.4.112",
    "1.2.840.10008.1.2.8.1",
}


def test_viewers_get_as_stored_only_what_they_read_rightly(encodings: tuple[Node, dict[str, str]]) -> None:
    _, urls = encodings
    given = {uid: parts(get(f"{url}/frames/1", ANY_FRAMES))[0].transfer_syntax_uid for uid, url in urls.items()}
    expected = {uid: "1.2.840.10008.1.2.1" if uid in TRANSCODED_FOR_VIEWERS else uid for uid in urls}
    assert given == expected


def test_every_encoding_is_given_in_explicit_little_endian_on_request(encodings: tuple[Node, dict[str, str]]) -> None:
    _, urls = encodings
    for uid, url in urls.items():
        answer = get(url, "application/dicom; transfer-syntax=1.2.840.10008.1.2.1")
        assert answer.status_code == httpx.codes.OK, (uid, answer.text)
        dataset = pydicom.dcmread(io.BytesIO(answer.content))
        assert dataset.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
        assert dataset.pixel_array.shape[0] == dataset.Rows


JPEG_2000_LOSSLESS = "1.2.840.10008.1.2.4.90"
JPEG_2000 = "1.2.840.10008.1.2.4.91"


@pytest.mark.parametrize("root", ["dicom-web", "v2"])
def test_frames_of_every_encoding_are_given_as_lossless_jpeg_2000_of_the_same_pixels(
    encodings: tuple[Node, dict[str, str]], root: str
) -> None:
    _, urls = encodings
    drawn = list(iter_encodings(5, started_at=TODAY, edge=64))
    names = {each.encoding.transfer_syntax_uid: each.encoding.name for each in drawn}  # the last of each is in `urls`
    for encoding in drawn:
        stored = encoding.encoding.transfer_syntax_uid
        url = urls[stored].replace("/dicom-web/", f"/{root}/")
        accept = f'multipart/related; type="image/jp2"; transfer-syntax={JPEG_2000_LOSSLESS}'
        [part] = parts(get(f"{url}/frames/1", accept))
        assert (part.content_type, part.transfer_syntax_uid) == (
            f"image/jp2; transfer-syntax={JPEG_2000_LOSSLESS}",
            JPEG_2000_LOSSLESS,
        )
        if encoding.encoding.is_lossless and encoding.encoding.name == names[stored]:
            np.testing.assert_array_equal(imagecodecs.jpeg2k_decode(part.content), encoding.pixels, err_msg=stored)


def test_lossless_jpeg_2000_is_the_default_for_its_media_type(encodings: tuple[Node, dict[str, str]]) -> None:
    _, urls = encodings
    for uid, url in urls.items():
        [standard] = parts(get(f"{url}/frames/1", 'multipart/related; type="image/jp2"'))
        assert standard.transfer_syntax_uid == (JPEG_2000 if uid == JPEG_2000 else JPEG_2000_LOSSLESS)
        azure = url.replace("/dicom-web/", "/v2/")
        [part] = parts(get(f"{azure}/frames/1", "multipart/related; type=image/jp2"))
        assert part.transfer_syntax_uid == JPEG_2000_LOSSLESS


def test_octets_in_lossless_jpeg_2000_are_given_by_the_standard_and_not_by_azure(node: Node, study: Study) -> None:
    accept = f"application/octet-stream; transfer-syntax={JPEG_2000_LOSSLESS}"
    url = f"{node.dicomweb_url}/{study.instance_path}/frames/1"
    answer = get(url, accept)
    assert answer.headers["content-type"] == accept
    np.testing.assert_array_equal(imagecodecs.jpeg2k_decode(answer.content), study.datasets[0].pixel_array)
    assert get(url.replace("/dicom-web/", "/v2/"), accept).status_code == httpx.codes.NOT_ACCEPTABLE


# Search


def test_azure_matches_exactly_and_the_standard_takes_wildcards(node: Node, study: Study) -> None:
    family = str(study.datasets[0].PatientName).split("^", maxsplit=1)[0]
    query = f"studies?PatientName={family}*&StudyInstanceUID={study.datasets[0].StudyInstanceUID}"
    assert len(get(f"{node.dicomweb_url}/{query}", JSON).json()) == 1
    assert get(f"{node.base_url}/v2/{query}", JSON).status_code == httpx.codes.NO_CONTENT


def test_a_patient_id_is_matched_whole_and_by_case_under_the_standard_root(node: Node, study: Study) -> None:
    patient_id = study.datasets[0].PatientID
    assert get(f"{node.dicomweb_url}/studies?00100020={patient_id}", JSON).status_code == httpx.codes.OK
    for other in (patient_id[:-1], patient_id.swapcase() + "x"):
        assert get(f"{node.dicomweb_url}/studies?00100020={other}", JSON).status_code == httpx.codes.NO_CONTENT


def test_the_study_list_of_the_viewer_is_answered(node: Node, study: Study) -> None:
    query = (
        "studies?limit=101&offset=0&fuzzymatching=true"
        "&includefield=00081030%2C00080060%2C00080090%2C00100030&ModalitiesInStudy=CT,MR&StudyDate=19700102-20991231"
    )
    found = get(f"{node.dicomweb_url}/{query}", JSON).json()
    mine = next(row for row in found if row["0020000D"]["Value"] == [study.datasets[0].StudyInstanceUID])
    assert mine["00080061"]["Value"] == ["CT"]
    assert mine["00201208"]["Value"] == [3]


def test_an_attribute_that_only_the_header_has_is_returned_on_request(node: Node, study: Study) -> None:
    url = f"{node.dicomweb_url}/studies?StudyInstanceUID={study.datasets[0].StudyInstanceUID}&includefield=Manufacturer"
    [row] = get(url, JSON).json()
    assert row["00080070"]["Value"] == [study.datasets[0].Manufacturer]


def test_azure_says_which_key_it_does_not_search(node: Node) -> None:
    answer = get(f"{node.base_url}/v2/studies?Modality=CT", JSON)
    assert answer.status_code == httpx.codes.BAD_REQUEST
    assert answer.text.startswith("Invalid query: AttributeId Modality is not queryable.  If the parameter is")


# Delete, and the rest


def test_a_deleted_study_is_gone_at_every_level_and_may_come_again(root: str) -> None:
    contents = _contents(4000 + len(root))
    [url, *_] = instance_urls(_post_parts(f"{root}/studies", contents))
    study_url = url.split("/series/")[0]
    assert delete(study_url).status_code == httpx.codes.NO_CONTENT
    assert delete(study_url).status_code == httpx.codes.NOT_FOUND
    assert get(f"{study_url}/metadata", JSON).status_code == httpx.codes.NOT_FOUND
    assert get(url, ANY_DICOM).status_code == httpx.codes.NOT_FOUND
    assert len(instance_urls(_post_parts(f"{root}/studies", contents))) == len(contents)
    delete(study_url)


def test_a_path_that_is_no_resource_is_not_found_and_a_wrong_method_is_named(root: str, study: Study) -> None:
    assert get(f"{root}/patients", JSON).status_code == httpx.codes.NOT_FOUND
    answer = client().put(f"{root}/{study.path}/metadata")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")


def test_literal_segments_match_without_regard_to_case(root: str, study: Study) -> None:
    assert get(f"{root}/{study.path}/METADATA", JSON).status_code == httpx.codes.OK


def test_a_page_that_resolves_to_loopback_under_its_own_name_is_turned_away(root: str) -> None:
    assert get(f"{root}/studies", JSON, Host="evil.example").status_code == httpx.codes.FORBIDDEN


def test_original_versions_are_kept_where_the_policy_says_so(tmp_path: Path) -> None:
    with serve(tmp_path / "data", arguments=("--auth", "off", "--set", "archive.duplicate_policy=keep")) as started:
        [first] = _contents(5000, 1)

        def describe(dataset: pydicom.Dataset) -> None:
            dataset.SeriesDescription = "second thoughts"

        second = _changed(first, describe)
        [url] = instance_urls(post_instance(started.dicomweb_url, first))
        assert post_instance(started.dicomweb_url, second).status_code == httpx.codes.OK
        assert get(url, "application/dicom").content == second
        assert get(url, "application/dicom", msdicom_request_original="true").content == first
