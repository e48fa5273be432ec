"""dicom-service 2.2 to 2.4."""

from __future__ import annotations

import pytest

from isocenter.dicomweb.codec.dialect import Dialect
from isocenter.dicomweb.codec.store_json import (
    DATASET_DOES_NOT_MATCH_SOP_CLASS,
    VALIDATION_WARNINGS,
    FailedInstance,
    StoredInstance,
    store_response,
    store_status,
)
from isocenter.domain.statuses import INSTANCE_EXISTS, VALIDATION_FAILED

V1, V2, STANDARD = Dialect.AZURE_V1, Dialect.AZURE_V2, Dialect.STANDARD
CT = "1.2.840.10008.5.1.4.1.1.2"
URL = "https://host/v2/studies/1.2.826.7/series/1.2.826.7.1/instances/1.2.826.7.1.1"
STORED = StoredInstance(CT, "1.2.826.7.1.1", URL)
WARNED = StoredInstance(CT, "1.2.826.7.1.1", URL, DATASET_DOES_NOT_MATCH_SOP_CLASS)
FAILED = FailedInstance(INSTANCE_EXISTS, CT, "1.2.826.7.1.9")
UNREADABLE = FailedInstance(VALIDATION_FAILED)


@pytest.mark.parametrize(
    ("stored", "failed", "dialect", "status"),
    [
        ([STORED], [], V2, 200),
        ([STORED], [], V1, 200),
        ([STORED], [], STANDARD, 200),
        ([STORED], [FAILED], V2, 202),
        ([STORED], [FAILED], V1, 202),
        ([STORED], [UNREADABLE], STANDARD, 202),
        ([WARNED], [], V2, 202),
        ([WARNED], [], V1, 200),
        ([WARNED], [], STANDARD, 202),
        ([], [FAILED], V2, 409),
        ([], [UNREADABLE], STANDARD, 409),
        ([], [], V2, 204),
    ],
)
def test_the_status_says_how_much_was_stored(
    stored: list[StoredInstance], failed: list[FailedInstance], dialect: Dialect, status: int
) -> None:
    assert store_status(stored, failed, dialect) == status


def test_the_example_of_the_specification_is_written_as_it_stands() -> None:
    comment = (
        'DICOM100: (0008,0020) - Content "2021-13" does not validate VR DA: one of the date values does not match the '
        "pattern YYYYMMDD"
    )
    stored = StoredInstance(CT, "1.2.826.7.1.1", URL, VALIDATION_WARNINGS, (comment,))
    assert store_response([stored], [FAILED], V2, study_url="https://host/v2/studies/1.2.826.7") == {
        "00081190": {"vr": "UR", "Value": ["https://host/v2/studies/1.2.826.7"]},
        "00081198": {
            "vr": "SQ",
            "Value": [
                {
                    "00081150": {"vr": "UI", "Value": [CT]},
                    "00081155": {"vr": "UI", "Value": ["1.2.826.7.1.9"]},
                    "00081197": {"vr": "US", "Value": [45070]},
                }
            ],
        },
        "00081199": {
            "vr": "SQ",
            "Value": [
                {
                    "00081150": {"vr": "UI", "Value": [CT]},
                    "00081155": {"vr": "UI", "Value": ["1.2.826.7.1.1"]},
                    "00081190": {"vr": "UR", "Value": [URL]},
                    "00081196": {"vr": "US", "Value": [1]},
                    "00741048": {
                        "vr": "SQ",
                        "Value": [
                            {
                                "00000902": {
                                    "vr": "LO",
                                    "Value": [
                                        'DICOM100: (0008,0020) - Content "2021-13" does not validate VR DA: '
                                        "one of the date values does not match the pattern YYYYMMDD"
                                    ],
                                }
                            }
                        ],
                    },
                }
            ],
        },
    }


def test_version_2_has_a_list_of_failed_attributes_in_each_success() -> None:
    (item,) = store_response([STORED], [], V2)["00081199"]["Value"]
    assert item["00741048"] == {"vr": "SQ"}
    for dialect in (V1, STANDARD):
        (item,) = store_response([STORED], [], dialect)["00081199"]["Value"]
        assert "00741048" not in item


def test_where_nothing_was_stored_there_is_one_attribute() -> None:
    answer = store_response([], [FAILED, UNREADABLE], V2, study_url="https://host/v2/studies/1.2.826.7")
    assert list(answer) == ["00081198"]


def test_bytes_that_could_not_be_read_have_a_reason_only() -> None:
    (item,) = store_response([], [UNREADABLE], V2)["00081198"]["Value"]
    assert item == {"00081197": {"vr": "US", "Value": [43264]}}


def test_a_failure_carries_its_comments_in_every_version() -> None:
    failed = FailedInstance(VALIDATION_FAILED, error_comments=("one", "two"))
    for dialect in Dialect:
        (item,) = store_response([], [failed], dialect)["00081198"]["Value"]
        comments = [each["00000902"]["Value"][0] for each in item["00741048"]["Value"]]
        assert comments == ["one", "two"]
