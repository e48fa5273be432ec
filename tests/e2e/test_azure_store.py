"""Store by the catalogue of Azure's DICOM service (dicom-service 15.1, 15.2, 15.6)."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from struct import pack
from typing import Any

import httpx
import pytest

from tests.support.catalogue import BOUNDARY, Instance, instance, new_uid, send, store, store_single
from tests.support.dicom_files import IMPLICIT, element, implicit_element
from tests.support.dicomweb import JSON, client, delete, failure_reasons, get, instance_urls, parts
from tests.support.instances import CT_IMAGE_STORAGE
from tests.support.processes import Node, serve

AS_STORED = "application/dicom; transfer-syntax=*"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
MULTIPART = {"Content-Type": f'multipart/related; type="application/dicom"; boundary="{BOUNDARY}"'}
MISSING_PATIENT_ID = "DICOM100: (0010,0020) - The required tag '(0010,0020)' is missing."


@pytest.fixture(params=["v1", "v2"])
def root(node: Node, request: pytest.FixtureRequest) -> str:
    """Return the address of each version in turn."""
    return f"{node.base_url}/{request.param}"


@pytest.fixture
def v1(node: Node) -> str:
    """Return the address of version 1."""
    return f"{node.base_url}/v1"


@pytest.fixture
def v2(node: Node) -> str:
    """Return the address of version 2."""
    return f"{node.base_url}/v2"


def _items(answer: httpx.Response, tag: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = answer.json().get(tag, {}).get("Value", [])
    return found


def _comments(answer: httpx.Response, tag: str = "00081199") -> list[str]:
    return [
        comment["00000902"]["Value"][0]
        for item in _items(answer, tag)
        for comment in item.get("00741048", {}).get("Value", [])
    ]


def _stored_content(root: str, one: Instance) -> bytes:
    return get(f"{root}/{one.path}", AS_STORED).content


def _metadata(root: str, one: Instance) -> dict[str, Any]:
    [found] = get(f"{root}/{one.path}/metadata", JSON).json()
    metadata: dict[str, Any] = found
    return metadata


def _study_row(root: str, one: Instance, more: str = "") -> dict[str, Any]:
    [row] = get(f"{root}/studies?StudyInstanceUID={one.study}{more}", JSON).json()
    found: dict[str, Any] = row
    return found


# 15.1, both versions


def test_empty_content(root: str) -> None:
    answer = store_single(root, b"")
    assert answer.status_code == httpx.codes.CONFLICT
    assert _items(answer, "00081198") == [{"00081197": {"vr": "US", "Value": [43264]}}]


def test_invalid_study_instance_uid_in_the_route(root: str) -> None:
    answer = store(root, instance().content, study="b" * 65)
    assert answer.status_code == httpx.codes.BAD_REQUEST
    assert answer.text == (
        "DICOM Identifier is invalid. Value length should not exceed the maximum length of 64 characters. Value should "
        "contain characters in '0'-'9' and '.'. Each component must start with non-zero number."
    )


@pytest.mark.parametrize("accept", ["application/dicom", "application/data", None])
def test_incorrect_accept_even_without_a_body(root: str, accept: str | None) -> None:
    for answer in (
        send(root, b"", accept=accept, headers=MULTIPART),
        send(root, b"", accept=accept, headers=MULTIPART, study="b" * 65),
    ):
        assert (answer.status_code, answer.content) == (httpx.codes.NOT_ACCEPTABLE, b"")


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form; boundary=x",
        "multipart/form-data; boundary=x",
        'multipart/related; type="application/dicom"',
        'multipart/related; type="application/dicom+json"; boundary=x',
        "application/dicom; transfer-syntax=1.2.840.10008.1.2.1",
        "application/dicom+json",
        "application/octet-stream",
        "nonsense",
    ],
)
def test_another_content_type(root: str, content_type: str) -> None:
    answer = send(root, b"", headers={"Content-Type": content_type})
    assert answer.status_code == httpx.codes.UNSUPPORTED_MEDIA_TYPE


def test_the_start_parameter_is_not_supported(root: str) -> None:
    kind = f'multipart/related; type="application/dicom"; boundary="{BOUNDARY}"; start="<a>"'
    answer = send(root, b"", headers={"Content-Type": kind})
    assert (answer.status_code, answer.text) == (
        httpx.codes.BAD_REQUEST,
        "The start parameter in multipart/related request is not supported.",
    )


def test_multipart_without_content(root: str) -> None:
    answer = store(root)
    assert (answer.status_code, answer.content) == (httpx.codes.NO_CONTENT, b"")


def test_multipart_with_an_empty_part(root: str) -> None:
    answer = store(root, b"")
    assert answer.status_code == httpx.codes.CONFLICT
    assert failure_reasons(answer) == [43264]


def test_an_invalid_section_beside_a_valid_one(root: str) -> None:
    one = instance()
    answer = store(root, b"", one.content, b"no DICOM at all")
    assert answer.status_code == httpx.codes.ACCEPTED
    assert instance_urls(answer) == [f"{root}/{one.path}"]
    assert _items(answer, "00081198") == [{"00081197": {"vr": "US", "Value": [43264]}}] * 2


def test_a_section_of_another_type(root: str) -> None:
    body = f"--{BOUNDARY}\r\nContent-Type: application/json\r\n\r\n{{}}\r\n--{BOUNDARY}--\r\n".encode()
    assert send(root, body, headers=MULTIPART).status_code == httpx.codes.UNSUPPORTED_MEDIA_TYPE


def test_the_first_section_may_leave_its_type_to_the_message(root: str) -> None:
    one = instance()
    body = b"--%b\r\n\r\n%b\r\n--%b--\r\n" % (BOUNDARY.encode(), one.content, BOUNDARY.encode())
    answer = send(root, body, headers=MULTIPART)
    assert answer.status_code == httpx.codes.OK
    assert _stored_content(root, one) == one.content


def test_a_second_section_may_not(root: str) -> None:
    one, other = instance(), instance()
    limit = BOUNDARY.encode()
    body = b"--%b\r\n\r\n%b\r\n--%b\r\n\r\n%b\r\n--%b--\r\n" % (limit, one.content, limit, other.content, limit)
    assert send(root, body, headers=MULTIPART).status_code == httpx.codes.UNSUPPORTED_MEDIA_TYPE
    assert store(root, one.content, other.content).status_code == httpx.codes.OK  # nothing of it was there


def test_all_are_of_other_studies_than_the_route(root: str) -> None:
    answer = store(root, instance().content, instance().content, study=new_uid())
    assert answer.status_code == httpx.codes.CONFLICT
    assert list(answer.json()) == ["00081198"]
    assert failure_reasons(answer) == [43264, 43264]
    mismatch = (
        "DICOM100: (0020,000d) - The StudyInstanceUid in the payload does not match the specified StudyInstanceUid."
    )
    assert _comments(answer, "00081198") == [mismatch, mismatch]


def test_one_is_of_another_study_than_the_route(root: str) -> None:
    one, other = instance(), instance()
    answer = store(root, one.content, other.content, study=one.study)
    assert answer.status_code == httpx.codes.ACCEPTED
    assert sorted(answer.json()) == ["00081190", "00081198", "00081199"]
    assert answer.json()["00081190"]["Value"] == [f"{root}/studies/{one.study}"]
    assert failure_reasons(answer) == [43264]
    [failed] = _items(answer, "00081198")
    assert failed["00081155"]["Value"] == [other.sop]
    assert failed["00081150"]["Value"] == [CT_IMAGE_STORAGE]
    assert get(f"{root}/{other.path}", AS_STORED).status_code == httpx.codes.NOT_FOUND


def test_duplicate_identifiers_in_one_request(root: str) -> None:
    one = instance()
    answer = store(root, one.content, one.content)
    assert answer.status_code == httpx.codes.ACCEPTED
    assert failure_reasons(answer) == [45070]


def test_an_existing_dataset(root: str) -> None:
    one = instance()
    first = store(root, one.content)
    assert first.status_code == httpx.codes.OK
    assert "00081198" not in first.json()
    again = store(root, one.content)
    assert again.status_code == httpx.codes.CONFLICT
    assert failure_reasons(again) == [45070]
    other = instance(study=one.study, series=one.series, sop=one.sop, PatientID="other")
    assert failure_reasons(store(root, other.content)) == [45070]
    assert _stored_content(root, one) == one.content


@pytest.mark.parametrize("uid", ["abc.123", "11|"])
@pytest.mark.parametrize("keyword", ["study", "series", "sop"])
def test_an_invalid_uid(root: str, uid: str, keyword: str) -> None:
    answer = store(root, instance(**{keyword: uid}).content)  # type: ignore[arg-type]  # one of three names
    assert answer.status_code == httpx.codes.CONFLICT
    assert "00081199" not in answer.json()
    assert failure_reasons(answer) == [43264]


@pytest.mark.parametrize("names_study", [True, False])
def test_a_single_part(root: str, names_study: bool) -> None:
    one = instance()
    answer = store_single(root, one.content, study=one.study if names_study else None)
    assert answer.status_code == httpx.codes.OK
    assert answer.headers["content-type"] == JSON
    assert instance_urls(answer) == [f"{root}/{one.path}"]
    assert ("00081190" in answer.json()) is names_study


def _noise(megabytes: int) -> bytes:
    return random.Random(megabytes).randbytes(megabytes * 1024**2)


def test_equivalent_bytes_of_a_large_single_part(root: str) -> None:
    one = instance(pixels=_noise(50))
    assert store_single(root, one.content).status_code == httpx.codes.OK
    found = get(f"{root}/{one.path}", f"application/dicom; transfer-syntax={EXPLICIT_LITTLE}").content
    assert hashlib.sha256(found).digest() == hashlib.sha256(one.content).digest()


def test_equivalent_bytes_of_large_parts(root: str) -> None:
    several = [instance(pixels=_noise(15)) for _ in range(3)]
    assert store(root, *(one.content for one in several)).status_code == httpx.codes.OK
    for one in several:
        accept = f'multipart/related; type="application/dicom"; transfer-syntax={EXPLICIT_LITTLE}'
        [part] = parts(get(f"{root}/{one.path}", accept))
        assert hashlib.sha256(part.content).digest() == hashlib.sha256(one.content).digest()


def test_several_values_of_an_indexed_attribute(root: str) -> None:
    one = instance(StudyDescription="first\\second")
    answer = store(root, one.content)
    assert answer.status_code == httpx.codes.OK
    assert answer.headers["warning"] == (
        '299 127.0.0.1: "One or more indexed Dicom tag(s) have multiple values, only first value is indexed."'
    )
    assert _study_row(root, one, "&StudyDescription=first")["0020000D"]["Value"] == [one.study]
    assert "warning" not in store(root, instance().content).headers


def test_a_padded_study_uid(root: str) -> None:
    uid = new_uid()
    one, more = instance(study=f"{uid} "), instance(study=f"{uid}   ")
    assert store(root, one.content).status_code == httpx.codes.OK
    assert _stored_content(root, one) == one.content
    again = instance(study=f"{uid}     ", series=one.series, sop=one.sop)
    assert failure_reasons(store(root, again.content)) == [45070]
    assert store(root, more.content, study=f"{uid}%20%20").status_code == httpx.codes.OK
    assert get(f"{root}/studies/{uid}%20/metadata", JSON).status_code == httpx.codes.OK


def test_a_private_attribute_in_implicit_vr(root: str) -> None:
    private = implicit_element(0x00091001, b"private ")
    one = instance(transfer_syntax_uid=IMPLICIT, more=private)
    answer = store(root, one.content)
    assert answer.status_code == (httpx.codes.OK if root.endswith("v1") else httpx.codes.ACCEPTED)
    [stored] = _items(answer, "00081199")
    assert stored["00081196"]["Value"] == [45063]
    assert private in _stored_content(root, one)
    assert "00091001" not in _metadata(root, one)


def test_a_private_attribute_in_explicit_vr(root: str) -> None:
    creator = element(0x00090010, "LO", b"ISOCENTER TESTS ")
    one = instance(more=creator + element(0x00091001, "LO", b"private "))
    assert store(root, one.content).status_code == httpx.codes.OK
    assert _metadata(root, one)["00091001"] == {"vr": "LO", "Value": ["private"]}


@pytest.mark.parametrize("uid", ["1.2.840.10008.1.2.4.100", "1.2.840.10008.1.2.4.107", "1.2.3.4.5"])
def test_any_transfer_syntax_can_be_stored(root: str, uid: str) -> None:
    one = instance(transfer_syntax_uid=uid, pixels=[b"stream", b"ofbytes "])
    assert store(root, one.content).status_code == httpx.codes.OK
    assert _stored_content(root, one) == one.content


# 15.2, version 2


def test_an_invalid_study_date(v2: str) -> None:
    one = instance(StudyDate="NotAValidStudyDate", AccessionNumber=new_uid()[-16:])
    answer = store(v2, one.content)
    assert answer.status_code == httpx.codes.ACCEPTED
    [stored] = _items(answer, "00081199")
    assert stored["00081196"]["Value"] == [1]
    assert _comments(answer) == [
        'DICOM100: (0008,0020) - Content "NotAValidStudyDate" does not validate VR DA: one of the date values does not '
        "match the pattern YYYYMMDD"
    ]
    assert b"NotAValidStudyDate" in _stored_content(v2, one)
    assert "00080020" not in _metadata(v2, one)
    assert "00080020" not in _study_row(v2, one, "&PatientID=P-17&includefield=StudyDate")
    refused = get(f"{v2}/studies?StudyDate=NotAValidStudyDate", JSON)
    assert (refused.status_code, refused.text) == (
        httpx.codes.BAD_REQUEST,
        "Invalid query: specified Date value 'NotAValidStudyDate' is invalid for attribute 'StudyDate'. Date should be "
        "valid and formatted as yyyyMMdd.",
    )


def test_a_nul_within_a_modality(v2: str) -> None:
    answer = store(v2, instance(Modality=b"X\0X ").content)
    assert answer.status_code == httpx.codes.ACCEPTED
    [comment] = _comments(answer)
    assert "does not validate VR CS: value contains invalid character" in comment


def test_a_nul_behind_a_modality(v2: str) -> None:
    one = instance(Modality=b"X\0")
    answer = store(v2, one.content)
    assert answer.status_code == httpx.codes.OK
    [stored] = _items(answer, "00081199")
    assert stored["00741048"] == {"vr": "SQ"}
    assert b"X\0" in _stored_content(v2, one)
    assert _metadata(v2, one)["00080060"]["Value"] == ["X\0"]
    for modality in ("X%00", "X"):
        [row] = get(f"{v2}/{one.study_path}/series?Modality={modality}", JSON).json()
        assert row["0020000E"]["Value"] == [one.series]


def test_a_nul_behind_a_study_uid(v2: str) -> None:
    uid = "1.2.826.0.1." + str(int(new_uid()[-16:]))
    uid += "1" * (1 - len(uid) % 2)
    one = instance(study=uid + "\0")
    answer = store(v2, one.content, study=uid)
    assert (answer.status_code, _comments(answer)) == (httpx.codes.OK, [])
    assert len(get(f"{v2}/studies/{uid}/metadata", JSON).json()) == 1
    assert delete(f"{v2}/studies/{uid}").status_code == httpx.codes.NO_CONTENT


def test_a_nul_behind_a_patient_id(v2: str) -> None:
    answer = store(v2, instance(PatientID=b"123\0").content)
    assert (answer.status_code, _comments(answer)) == (httpx.codes.OK, [])


def test_a_nul_before_a_patient_id(v2: str) -> None:
    answer = store(v2, instance(PatientID=b"\x000123\0").content)
    assert answer.status_code == httpx.codes.CONFLICT
    assert list(answer.json()) == ["00081198"]
    assert failure_reasons(answer) == [43264]


def test_a_patient_id_that_comes_and_goes(v2: str) -> None:
    study = new_uid()
    for patient_id, status, comments, shown in (
        ("", 202, [MISSING_PATIENT_ID], None),
        ("123", 200, [], ["123"]),
        ("", 202, [MISSING_PATIENT_ID], ["123"]),
    ):
        one = instance(study=study, PatientID=patient_id)
        answer = store(v2, one.content)
        assert (answer.status_code, _comments(answer)) == (status, comments)
        assert _study_row(v2, one).get("00100020", {}).get("Value") == shown


def test_an_invalid_value_of_its_vr(v1: str, v2: str) -> None:
    assert store(v2, instance(PatientBirthDate="20200230").content).status_code == httpx.codes.ACCEPTED
    refused = store(v1, instance(PatientBirthDate="20200230").content)
    assert refused.status_code == httpx.codes.CONFLICT
    assert failure_reasons(refused) == [43264]


def test_an_element_in_another_vr_than_the_dictionary_has(v1: str, v2: str) -> None:
    more = element(0x00400244, "LO", b"20240131")
    assert store(v2, instance(more=more).content).status_code == httpx.codes.ACCEPTED
    assert failure_reasons(store(v1, instance(more=more).content)) == [43264]


def test_an_invalid_element_in_an_item_leaves_its_namesake_above_alone(v2: str) -> None:
    item = implicit_element(0xFFFEE000, element(0x00080060, "CS", b"ct") + element(0x00080070, "LO", b"made"))
    one = instance(more=element(0x00400275, "SQ", item))
    answer = store(v2, one.content)
    assert answer.status_code == httpx.codes.ACCEPTED
    assert [comment[:24] for comment in _comments(answer)] == ["DICOM100: (0008,0060) - "]
    metadata = _metadata(v2, one)
    assert metadata["00080060"]["Value"] == ["CT"]
    assert metadata["00400275"]["Value"] == [{"00080070": {"vr": "LO", "Value": ["made"]}}]


# 15.2, version 1


def test_version_1_refuses_a_nul_in_a_patient_id(v1: str) -> None:
    answer = store(v1, instance(PatientID=b"Before Null Character, \0").content)
    assert answer.status_code == httpx.codes.CONFLICT
    assert _comments(answer, "00081198") == [
        "DICOM100: (0010,0020) - Dicom element 'PatientID' failed validation for VR 'LO': Value contains invalid "
        "character."
    ]


def test_version_1_refuses_an_empty_patient_id(v1: str) -> None:
    answer = store(v1, instance(PatientID="").content)
    assert failure_reasons(answer) == [43264]
    assert _comments(answer, "00081198") == [MISSING_PATIENT_ID]


def test_version_1_has_no_list_of_failed_attributes_in_what_it_stored(v1: str) -> None:
    [stored] = _items(store(v1, instance(PatientSex="male").content), "00081199")
    assert "00741048" not in stored


# 15.6


def test_upsert_replaces_and_creates(v2: str) -> None:
    one = instance()
    assert store(v2, one.content, method="PUT").status_code == httpx.codes.OK
    assert store(v2, one.content, method="PUT").status_code == httpx.codes.OK
    tag = get(f"{v2}/{one.path}/metadata", JSON).headers["etag"]
    other = instance(study=one.study, series=one.series, sop=one.sop, PatientName="Other^Ann")
    answer = store_single(v2, other.content, study=one.study, method="PUT")
    assert answer.status_code == httpx.codes.OK
    assert _stored_content(v2, one) == other.content
    assert _study_row(v2, one)["00100010"]["Value"] == [{"Alphabetic": "Other^Ann"}]
    assert get(f"{v2}/{one.path}/metadata", JSON, If_None_Match=tag).status_code == httpx.codes.OK


def test_upsert_is_not_offered_by_version_1(v1: str) -> None:
    assert store(v1, instance().content, method="PUT").status_code == httpx.codes.METHOD_NOT_ALLOWED


def test_of_concurrent_stores_of_one_uid_exactly_one_wins(v2: str) -> None:
    study, series, sop = new_uid(), new_uid(), new_uid()
    rivals = [instance(study=study, series=series, sop=sop, PatientID=f"P-{number}") for number in range(8)]
    with ThreadPoolExecutor(len(rivals)) as threads:
        answers = list(threads.map(lambda one: store(v2, one.content), rivals))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * (len(rivals) - 1)
    [winner] = [one for one, answer in zip(rivals, answers, strict=True) if answer.status_code == httpx.codes.OK]
    assert _stored_content(v2, winner) == winner.content


@pytest.fixture(scope="module")
def strict_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """Return a node on which every choice about Azure's rules is the other one, and instances are small."""
    chosen = (
        "azure.full_item_validation=on",
        "azure.study_mismatch_reason=43265",
        "azure.include_all_with_others=refuse",
        "archive.instance_size_max_bytes=20KiB",
        "archive.preamble=zero",
    )
    arguments = [part for setting in chosen for part in ("--set", setting)]
    with serve(tmp_path_factory.mktemp("strict") / "data", arguments=("--auth", "off", *arguments)) as started:
        yield started


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_what_an_operator_chose_holds(strict_node: Node, version: str) -> None:
    root = f"{strict_node.base_url}/{version}"
    refused = store(root, instance(PatientSex="male").content)
    assert failure_reasons(refused) == [43264]
    [comment] = _comments(refused, "00081198")
    assert comment == 'DICOM100: (0010,0040) - Content "male" does not validate VR CS: value contains invalid character'
    assert failure_reasons(store(root, instance().content, study=new_uid())) == [43265]
    both = get(f"{root}/studies?includefield=all&includefield=PatientAge", JSON)
    assert (both.status_code, both.text) == (
        httpx.codes.BAD_REQUEST,
        "Invalid query: cannot specify included fields in addition to 'all'.",
    )


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_preambles_are_overwritten_where_an_operator_chose_that(strict_node: Node, version: str) -> None:
    root, one = f"{strict_node.base_url}/{version}", instance()
    assert store_single(root, b"MZ".ljust(128, b"!") + one.content[128:]).status_code == httpx.codes.OK
    assert _stored_content(root, one) == bytes(128) + one.content[128:]


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("is_single", [True, False])
def test_what_is_too_large_is_refused(strict_node: Node, version: str, is_single: bool) -> None:
    root = f"{strict_node.base_url}/{version}"
    one = instance(pixels=bytes(64 * 1024))
    answer = store_single(root, one.content) if is_single else store(root, one.content)
    assert (answer.status_code, answer.text) == (
        httpx.codes.REQUEST_ENTITY_TOO_LARGE,
        "The request exceeded the allowed limit of 20480 bytes.",
    )
    assert get(f"{root}/{one.path}", AS_STORED).status_code == httpx.codes.NOT_FOUND


def test_a_multipart_message_that_is_cut_off(root: str) -> None:
    one = instance()
    body = b"--%b\r\nContent-Type: application/dicom\r\n\r\n%b" % (BOUNDARY.encode(), one.content)
    answer = send(root, body, headers=MULTIPART)
    assert (answer.status_code, answer.text) == (
        httpx.codes.BAD_REQUEST,
        "There was an error reading the multipart request.",
    )
    assert get(f"{root}/{one.path}", AS_STORED).status_code == httpx.codes.NOT_FOUND
    assert store(root, one.content).status_code == httpx.codes.OK


@pytest.mark.parametrize(
    "rest",
    [
        f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\nDICM",
        f"--{BOUNDARY}\r\nContent-Type: text/html\r\n\r\nx\r\n--{BOUNDARY}--\r\n",
    ],
)
def test_what_was_stored_before_a_message_broke_off_is_told(root: str, rest: str) -> None:
    several = [instance(pixels=bytes(5 * 1024**2)) for _ in range(10)]  # more than waits for the disk at a time
    parts_before = (
        b"--%b\r\nContent-Type: application/dicom\r\n\r\n%b\r\n" % (BOUNDARY.encode(), one.content) for one in several
    )
    answer = send(root, b"".join([*parts_before, rest.encode()]), headers=MULTIPART)
    assert answer.status_code == httpx.codes.ACCEPTED
    assert instance_urls(answer) == [f"{root}/{one.path}" for one in several]
    assert failure_reasons(answer) == [272]
    assert [get(f"{root}/{one.path}", AS_STORED).content == one.content for one in several] == [True] * len(several)


@pytest.mark.parametrize("path", ["studies", "v3/studies", "v2.0/studies", "api/studies", "V3/STUDIES"])
def test_without_a_version_there_is_nothing(node: Node, path: str) -> None:
    assert get(f"{node.base_url}/{path}", JSON).status_code == httpx.codes.NOT_FOUND
    answer = client().post(f"{node.base_url}/{path}", content=b"", headers={**MULTIPART, "Accept": JSON})
    assert answer.status_code == httpx.codes.NOT_FOUND


@pytest.mark.parametrize("path", ["V2/STUDIES", "v2/Studies", "V1.0-PreRelease/studies", "v1/sTUDIES"])
def test_paths_are_read_in_any_case(node: Node, path: str) -> None:
    answer = get(f"{node.base_url}/{path}?StudyInstanceUID=1.2.3", JSON)
    assert answer.status_code == httpx.codes.NO_CONTENT
    assert answer.headers["api-supported-versions"] == "1.0-prerelease, 1, 2"


def _gigabytes(one: Instance, size_bytes: int) -> Iterator[bytes]:
    """Yield the instance with pixel data of a size, a megabyte at a time."""
    head = one.content[: one.content.index(pack("<HH2sH", 0x7FE0, 0x0010, b"OW", 0))]
    yield head + pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, size_bytes)
    block = random.Random(17).randbytes(1024**2)
    for _ in range(size_bytes // len(block)):
        yield block


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("is_single", [True, False])
def test_an_instance_of_almost_two_gigabytes(tmp_path: Path, is_single: bool) -> None:
    size_bytes = 1700 * 1024**2
    with serve(tmp_path / "data") as started:
        root = f"{started.base_url}/v2"
        one = instance()
        headers = {"Content-Type": "application/dicom", "Accept": JSON} if is_single else {**MULTIPART, "Accept": JSON}
        opening = b"--%b\r\nContent-Type: application/dicom\r\n\r\n" % BOUNDARY.encode()

        def body() -> Iterator[bytes]:
            if not is_single:
                yield opening
            yield from _gigabytes(one, size_bytes)
            if not is_single:
                yield b"\r\n--%b--\r\n" % BOUNDARY.encode()

        answer = client().post(f"{root}/studies", content=body(), headers=headers, timeout=600)
        assert answer.status_code == httpx.codes.OK
        expected = hashlib.sha256()
        for chunk in _gigabytes(one, size_bytes):
            expected.update(chunk)
        found = hashlib.sha256()
        with client().stream("GET", f"{root}/{one.path}", headers={"Accept": AS_STORED}) as streamed:
            for chunk in streamed.iter_bytes():
                found.update(chunk)
        assert found.digest() == expected.digest()
