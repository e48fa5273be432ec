from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.dimse.message.statuses import StatusCategory, category_of
from isocenter.routing.deliveries.report import (
    HttpAnswered,
    InstanceDiffers,
    InstanceFailed,
    InstanceIdentical,
    InstanceStored,
    InstanceUnmentioned,
    LocalFailed,
    LocalFault,
    Report,
    TokenRefused,
    TransportFailed,
    TransportFault,
)
from isocenter.routing.deliveries.verdict import Verdict, judge
from isocenter.routing.translation.status import COMMENT_LENGTH_MAX, answer_to_find, answer_to_store


@pytest.mark.parametrize(
    ("report", "status"),
    [
        (HttpAnswered(200), 0x0000),
        (HttpAnswered(204), 0x0000),
        (HttpAnswered(400), 0xA900),
        (HttpAnswered(401), 0x0124),
        (HttpAnswered(403), 0x0124),
        (HttpAnswered(408), 0xA700),
        (HttpAnswered(429), 0xA700),
        (HttpAnswered(503), 0xA700),
        (HttpAnswered(500), 0xC001),
        (HttpAnswered(502), 0xC001),
        (HttpAnswered(504), 0xC001),
        (TransportFailed(TransportFault.ANSWER_TIMEOUT), 0xA700),
        (TransportFailed(TransportFault.TLS_UNTRUSTED), 0xC001),
        (TransportFailed(TransportFault.NAME_UNKNOWN), 0xC001),
        (TokenRefused("invalid_client"), 0x0124),
    ],
)
def test_a_search(report: Report, status: int) -> None:
    assert answer_to_find(report, is_below_parent=True).status == status


def test_a_wrong_address_is_never_told_as_nothing_found() -> None:
    assert answer_to_find(HttpAnswered(404), is_below_parent=False).status == 0xC001
    assert answer_to_find(HttpAnswered(404), is_below_parent=True).status == 0x0000


@pytest.mark.parametrize(
    ("report", "status"),
    [
        (InstanceStored(), 0x0000),
        (InstanceStored(45063), 0xB007),
        (InstanceStored(1), 0xB000),
        (InstanceIdentical(), 0x0000),
        (InstanceDiffers(), 0xA900),
        (InstanceFailed(43264), 0xA900),
        (InstanceFailed(43265), 0xA900),
        (InstanceFailed(272), 0x0110),
        (InstanceFailed(45071), 0xA700),
        (InstanceFailed(0x0122), 0x0122),
        (InstanceFailed(0xC123), 0xC123),
        (InstanceFailed(1), 0x0110),
        (HttpAnswered(400), 0xC000),
        (HttpAnswered(401), 0x0124),
        (HttpAnswered(404), 0xC001),
        (HttpAnswered(408), 0xA700),
        (HttpAnswered(413), 0xA700),
        (HttpAnswered(415), 0x0122),
        (HttpAnswered(424), 0xA700),
        (HttpAnswered(429), 0xA700),
        (HttpAnswered(503), 0xA700),
        (HttpAnswered(500), 0x0110),
        (HttpAnswered(502), 0x0110),
        (HttpAnswered(200), 0x0110),
        (TransportFailed(TransportFault.ANSWER_TIMEOUT), 0xA700),
        (InstanceUnmentioned(), 0xA700),
        (LocalFailed(LocalFault.TRANSFORM_REFUSED), 0x0110),
    ],
)
def test_a_store_that_waits_for_its_delivery(report: Report, status: int) -> None:
    assert answer_to_store(report).status == status


def test_a_duplicate_is_told_where_the_sender_is_to_know() -> None:
    assert answer_to_store(InstanceIdentical(), answers_duplicates=True).status == 0x0111


_reports: st.SearchStrategy[Report] = st.one_of(
    st.builds(HttpAnswered, st.integers(100, 599)),
    st.builds(InstanceFailed, st.integers(1, 0xFFFF)),
    st.builds(InstanceStored, st.integers(0, 0xFFFF)),
    st.builds(TransportFailed, st.sampled_from(TransportFault)),
    st.builds(TokenRefused, st.text(max_size=200)),
    st.builds(LocalFailed, st.sampled_from(LocalFault)),
    st.sampled_from([InstanceUnmentioned(), InstanceDiffers(), InstanceIdentical()]),
)


@given(_reports)
def test_only_what_is_delivered_is_told_as_stored(report: Report) -> None:
    answer = answer_to_store(report)
    is_told_as_stored = category_of(answer.status) in {StatusCategory.SUCCESS, StatusCategory.WARNING}
    assert is_told_as_stored is (judge(report).verdict in {Verdict.DELIVERED, Verdict.NOTED})


@given(_reports)
def test_comments_fit_and_lead_to_the_catalogue(report: Report) -> None:
    for answer in (answer_to_store(report), answer_to_find(report, is_below_parent=False)):
        assert len(answer.comment) <= COMMENT_LENGTH_MAX
        assert answer.comment.isascii()
        assert bool(answer.comment) is (answer.status != 0)
