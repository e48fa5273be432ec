from __future__ import annotations

import json
from typing import Any

import pytest

from isocenter.archive.update import STUDIES_MAX, UpdateRequest
from isocenter.dicomweb.codec.update_request import encode_failed_attributes, parse_update_request
from isocenter.domain.errors import InvalidChanges, InvalidRequest
from isocenter.domain.identifiers import Scope

NAME = {"00100010": {"vr": "PN", "Value": [{"Alphabetic": "New^Name"}]}}
STUDY, SERIES, INSTANCE = "0020000D", "0020000E", "00080018"


def _uids(*tags: str) -> dict[str, Any]:
    return {tag: {"vr": "UI", "Value": ["1.9"]} for tag in tags}


def _parse(dataset: object = None, *, studies: object = ("1.2",), **fields: object) -> UpdateRequest:
    body = {"studyInstanceUids": studies, "changeDataset": NAME if dataset is None else dataset, **fields}
    return parse_update_request(json.dumps(body).encode(), partition_name="here")


def _refusal(dataset: object = None, *, studies: object = ("1.2",), **fields: object) -> str:
    with pytest.raises(InvalidRequest) as refused:
        _parse(dataset, studies=studies, **fields)
    return refused.value.message


def test_a_request_names_studies_and_values() -> None:
    assert _parse(studies=["1.2", "1.3 ", "1.2"]) == UpdateRequest(
        ("1.2", "1.3"), {0x00100010: ("PN", "New^Name")}, "here"
    )


def test_names_of_fields_are_read_in_any_case() -> None:
    body = json.dumps({"STUDYINSTANCEUIDS": ["1.2"], "ChangeDataset": NAME}).encode()
    assert parse_update_request(body, partition_name="here").study_instance_uids == ("1.2",)


def test_comments_and_commas_behind_the_last_field_are_passed_over() -> None:
    body = b'{"studyInstanceUids": ["1.2",], "changeDataset": %b, /* why */ }' % json.dumps(NAME).encode()
    assert parse_update_request(body, partition_name="here") == _parse()


@pytest.mark.parametrize("body", [b"", b" \n"])
def test_a_missing_body_is_told(body: bytes) -> None:
    with pytest.raises(InvalidRequest, match=r"The request body is missing\."):
        parse_update_request(body, partition_name="here")


@pytest.mark.parametrize("body", [b"{", b"[]", b'"text"', b"null"])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest, match=r"The syntax of the request body is invalid\."):
        parse_update_request(body, partition_name="here")


@pytest.mark.parametrize("studies", [None, [], "1.2", {}])
def test_studies_must_be_named(studies: object) -> None:
    assert _refusal(studies=studies) == "The required field 'StudyInstanceUids' is missing or empty."


@pytest.mark.parametrize("dataset", [{}, [], "x", 1])
def test_a_change_must_be_given(dataset: object) -> None:
    assert _refusal(dataset) == "The required field 'ChangeDataset' is missing or empty."


def test_fifty_studies_are_taken_and_more_are_not() -> None:
    uids = [f"1.2.{number}" for number in range(STUDIES_MAX + 1)]
    assert len(_parse(studies=uids[:-1]).study_instance_uids) == STUDIES_MAX
    assert _refusal(studies=uids) == "StudyInstanceUids count exceeded maximum length '50'"


@pytest.mark.parametrize("uid", ["", "1.2.x", 12, None, "1" * 65])
def test_a_uid_must_be_one(uid: object) -> None:
    assert _refusal(studies=["1.2", uid]).startswith("DICOM Identifier is invalid.")


def test_attributes_that_cannot_be_changed_are_told_one_by_one() -> None:
    with pytest.raises(InvalidChanges) as refused:
        _parse({"00080060": {"vr": "CS", "Value": ["CT"]}, "00100010": {"vr": "PN"}})
    assert len(refused.value.comments) == 2


def test_the_data_set_of_refusals_is_that_of_the_service() -> None:
    assert json.loads(encode_failed_attributes(["DICOM100: (0008,0060) - Updating the tag is not supported"])) == {
        "00741048": {
            "vr": "SQ",
            "Value": [
                {
                    "00000902": {
                        "vr": "LO",
                        "Value": ["DICOM100: (0008,0060) - Updating the tag is not supported"],
                    }
                }
            ],
        }
    }


# UIDs


@pytest.mark.parametrize(
    ("tags", "scope", "target"),
    [
        ((STUDY,), {}, Scope("1.9")),
        ((STUDY,), {"seriesInstanceUid": "1.3"}, Scope("1.9", "1.3")),
        ((SERIES,), {"seriesInstanceUid": "1.3"}, Scope("1.2", "1.9")),
        ((STUDY, SERIES), {"seriesInstanceUid": "1.3"}, Scope("1.9", "1.9")),
        ((INSTANCE,), {"seriesInstanceUid": "1.3", "sopInstanceUid": "1.4"}, Scope("1.2", "1.3", "1.9")),
        ((STUDY,), {"seriesInstanceUid": "1.3", "sopInstanceUid": "1.4"}, Scope("1.9", "1.3", "1.4")),
        (
            (STUDY, SERIES, INSTANCE),
            {"seriesInstanceUid": "1.3", "sopInstanceUid": "1.4"},
            Scope("1.9", "1.9", "1.9"),
        ),
    ],
)
def test_what_is_moved_and_where_to(tags: tuple[str, ...], scope: dict[str, str], target: Scope) -> None:
    request = _parse(_uids(*tags), **scope)
    own = request.scope("1.2")
    assert own == Scope("1.2", scope.get("seriesInstanceUid"), scope.get("sopInstanceUid"), "here")
    expected = Scope(target.study_instance_uid, target.series_instance_uid, target.sop_instance_uid, "here")
    assert request.target(own) == expected


def test_without_a_uid_nothing_moves() -> None:
    request = _parse()
    assert request.target(request.scope("1.2")) is None


@pytest.mark.parametrize(
    ("tags", "scope", "missing"),
    [
        ((INSTANCE,), {}, "SeriesInstanceUid"),
        ((INSTANCE,), {"sopInstanceUid": "1.4"}, "SeriesInstanceUid"),
        ((INSTANCE,), {"seriesInstanceUid": "1.3"}, "SopInstanceUid"),
        ((SERIES,), {}, "SeriesInstanceUid"),
        ((STUDY,), {"sopInstanceUid": "1.4"}, "SeriesInstanceUid"),
    ],
)
def test_what_would_give_one_name_to_several_is_refused(
    tags: tuple[str, ...], scope: dict[str, str], missing: str
) -> None:
    assert _refusal(_uids(*tags), **scope) == f"The required field '{missing}' is missing or empty."


def test_uids_change_in_one_study_alone() -> None:
    assert "Only one study" in _refusal(_uids(STUDY), studies=["1.2", "1.3"])


def test_a_part_of_a_study_can_be_moved_and_not_be_given_another_patient() -> None:
    assert "only where a UID is updated" in _refusal(seriesInstanceUid="1.3")
