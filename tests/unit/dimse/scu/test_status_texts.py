"""Statuses in words for people."""

from __future__ import annotations

import pytest

from isocenter.dimse.message.messages import CFindRsp, CMoveRsp, CStoreRsp, Response
from isocenter.dimse.scu.status_texts import describe_status


def _store(status: int, comment: str | None = None) -> CStoreRsp:
    return CStoreRsp(message_id_being_responded_to=1, status=status, error_comment=comment)


def _move(status: int) -> CMoveRsp:
    return CMoveRsp(message_id_being_responded_to=1, status=status)


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (_store(0xA700), "A700, it is out of resources"),
        (_store(0xA7FF), "A7FF, it is out of resources"),
        (_store(0xA901), "A901, the data set does not match its SOP class"),
        (_store(0xC123), "C123, it could not understand the data set"),
        (_store(0x0124), "0124, this caller may not do that"),
        (_store(0x9999), "9999, which the standard does not name"),
        (_move(0xA801), "A801, it does not know the destination; add its AE title and address there"),
        (_move(0xC000), "often it knows no such destination"),
        (CFindRsp(message_id_being_responded_to=1, status=0xA900), "A900, the identifier does not match"),
    ],
)
def test_a_status_is_told_by_what_it_means_for_its_service(response: Response, words: str) -> None:
    assert words in describe_status(response)


def test_the_comment_of_the_peer_is_shown_and_bounded() -> None:
    assert describe_status(_store(0x0110, "disk full ")) == "0110, it could not process the request (disk full)"
    assert len(describe_status(_store(0x0110, "x" * 10_000))) < 200
