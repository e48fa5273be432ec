"""Extended query tags: which VRs they may have, what their states mean, how many there may be."""

from __future__ import annotations

import pytest

from isocenter.domain.errors import InvalidRequest
from isocenter.domain.identifiers import Level
from isocenter.domain.query_tag import (
    KINDS_BY_VR,
    QueryStatus,
    QueryTag,
    QueryTagEntry,
    QueryTagStatus,
    ValueKind,
    require_room_for,
)

ENTRY = QueryTagEntry(0x00191012, "SS", Level.INSTANCE, "ACME CT")


def test_every_vr_that_can_be_indexed_has_its_kind() -> None:
    assert sorted(KINDS_BY_VR) == [
        "AE",
        "AS",
        "CS",
        "DA",
        "DT",
        "FD",
        "FL",
        "IS",
        "LO",
        "PN",
        "SH",
        "SL",
        "SS",
        "TM",
        "UI",
        "UL",
        "US",
    ]
    assert "DS" not in KINDS_BY_VR, "removed from the service (dicom-service 7.2)"
    assert set(KINDS_BY_VR.values()) == set(ValueKind)


def test_a_path_is_eight_digits() -> None:
    assert ENTRY.path == "00191012"
    assert QueryTagEntry(0x0010101A, "AS", Level.STUDY).path == "0010101A"


@pytest.mark.parametrize(
    ("status", "is_indexed", "is_queryable"),
    [
        (QueryTagStatus.ADDING, True, False),
        (QueryTagStatus.READY, True, True),
        (QueryTagStatus.DELETING, False, False),
    ],
)
def test_new_instances_are_indexed_before_a_search_may_use_a_tag(
    status: QueryTagStatus, is_indexed: bool, is_queryable: bool
) -> None:
    tag = QueryTag(1, ENTRY, status)
    assert (tag.is_indexed, tag.is_queryable) == (is_indexed, is_queryable)
    assert (tag.kind, tag.query_status) == (ValueKind.INTEGER, QueryStatus.ENABLED)


def test_so_many_tags_are_the_most() -> None:
    require_room_for(128, count_max=128)
    with pytest.raises(InvalidRequest, match=r"^Extended query tags exceeds max allowed count '128'\.$"):
        require_room_for(129, count_max=128)
