from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.dimse.message.statuses import StatusCategory, category_of
from isocenter.dimse.ul import pdu
from isocenter.dimse.ul.pdu import AbortReason, AssociateRj, ContextResult, RejectResult
from isocenter.routing.deliveries.report import (
    AssociationAborted,
    AssociationRejected,
    ContextRefused,
    DimseAnswered,
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
from isocenter.routing.deliveries.verdict import SUSPENDING, Verdict, judge

V = Verdict


@pytest.mark.parametrize(
    ("statuses", "verdict"),
    [
        ([0x0000], V.DELIVERED),
        ([0xB000, 0xB006, 0xB007, 0xB00E, 0x0001, 0x0107, 0x0116, 0x0111], V.NOTED),
        ([0xA700, 0xA701, 0xA7FF, 0x0110, 0x0213, 0x0210, 0xFE00], V.TRANSIENT),
        ([0x0124], V.AUTHENTICATION),
        (
            [0xA900, 0xA9FF, 0xC000, 0xCFFF, 0x0122, 0x0117, 0x0118, 0x0119, 0x0105, 0x0106, 0x0115, 0x0120, 0x0121,
             0x0211, 0x0212, 0xFF00, 0x1234],
            V.DETERMINISTIC,
        ),
    ],
)  # fmt: skip
def test_statuses_of_a_store(statuses: list[int], verdict: Verdict) -> None:
    assert {status: judge(DimseAnswered(status)).verdict for status in statuses} == dict.fromkeys(statuses, verdict)


def test_a_duplicate_by_dimse_is_compared_where_the_peer_does_not_mean_stored() -> None:
    assert judge(DimseAnswered(0x0111), is_duplicate_stored=False).verdict is V.DUPLICATE


@pytest.mark.parametrize(
    ("statuses", "verdict"),
    [
        ([408, 425, 429, 500, 502, 503, 504, 507, 424, 599], V.TRANSIENT),
        ([401, 403], V.AUTHENTICATION),
        ([404, 405, 410, 301, 302, 307, 308, 501], V.MISCONFIGURED),
        ([400, 406, 409, 413, 415, 422, 431], V.DETERMINISTIC),
        ([200, 202, 204], V.TRANSIENT),
    ],
)
def test_http_statuses_that_say_nothing_of_the_instance(statuses: list[int], verdict: Verdict) -> None:
    assert {status: judge(HttpAnswered(status)).verdict for status in statuses} == dict.fromkeys(statuses, verdict)


def test_what_the_service_asks_to_wait_is_handed_on() -> None:
    assert judge(HttpAnswered(503, 120.0)).retry_after_s == 120.0


@pytest.mark.parametrize(
    ("reason", "verdict"),
    [
        (45070, V.DUPLICATE),
        (45071, V.TRANSIENT),
        (43264, V.DETERMINISTIC),
        (43265, V.DETERMINISTIC),
        (272, V.DETERMINISTIC),
        (0xA700, V.TRANSIENT),
        (0xC000, V.DETERMINISTIC),
        (0x0122, V.DETERMINISTIC),
        (0x0124, V.AUTHENTICATION),
        (0x0111, V.DUPLICATE),
        (0x0213, V.TRANSIENT),
    ],
)
def test_failure_reasons_of_a_store_response(reason: int, verdict: Verdict) -> None:
    assert judge(InstanceFailed(reason)).verdict is verdict


def test_only_an_instance_that_is_listed_as_stored_is_delivered() -> None:
    assert judge(InstanceStored()).verdict is V.DELIVERED
    assert judge(InstanceStored(45063)).verdict is V.NOTED
    assert judge(InstanceUnmentioned()).verdict is V.TRANSIENT


def test_a_duplicate_is_settled_by_its_comparison() -> None:
    assert judge(InstanceIdentical()).verdict is V.NOTED
    assert judge(InstanceDiffers()).verdict is V.CONFLICT


_REJECTIONS = [value for value in vars(pdu).values() if isinstance(value, AssociateRj)]


@pytest.mark.parametrize("answer", _REJECTIONS)
def test_rejections_for_the_time_being_are_tried_again_and_others_suspend(answer: AssociateRj) -> None:
    judgement = judge(AssociationRejected(answer.result, answer.source, answer.reason))
    is_congestion = answer.source == 3
    is_transient = answer.result == RejectResult.TRANSIENT or is_congestion
    assert judgement.verdict is (V.TRANSIENT if is_transient else V.MISCONFIGURED)
    assert judgement.is_of_destination


@pytest.mark.parametrize("result", [result for result in ContextResult if result != ContextResult.ACCEPTANCE])
def test_without_a_context_a_person_decides(result: ContextResult) -> None:
    assert judge(ContextRefused(result)).verdict is V.DETERMINISTIC


@pytest.mark.parametrize("reason", list(AbortReason))
def test_an_abort_is_tried_again(reason: AbortReason) -> None:
    assert judge(AssociationAborted(2, reason)).verdict is V.TRANSIENT


@pytest.mark.parametrize("fault", list(TransportFault))
def test_who_is_not_reached_is_tried_again_and_who_is_not_trusted_suspends(fault: TransportFault) -> None:
    judgement = judge(TransportFailed(fault))
    assert judgement.verdict is (V.MISCONFIGURED if fault.startswith("tls-") else V.TRANSIENT)
    assert judgement.is_of_destination


@pytest.mark.parametrize(
    ("report", "verdict"),
    [
        (TokenRefused("invalid_client"), V.AUTHENTICATION),
        (TokenRefused("temporarily_unavailable"), V.TRANSIENT),
        (LocalFailed(LocalFault.SECRET_MISSING), V.MISCONFIGURED),
        (LocalFailed(LocalFault.TRANSFORM_REFUSED), V.DETERMINISTIC),
        (LocalFailed(LocalFault.CANNOT_TRANSCODE), V.DETERMINISTIC),
        (LocalFailed(LocalFault.INSTANCE_CORRUPT), V.DETERMINISTIC),
        (LocalFailed(LocalFault.DISK_FULL), V.TRANSIENT),
    ],
)
def test_tokens_and_what_did_not_leave_the_node(report: Report, verdict: Verdict) -> None:
    assert judge(report).verdict is verdict


@given(st.integers(0, 0xFFFF))
def test_every_status_has_a_verdict_in_keeping_with_its_category(status: int) -> None:
    verdict = judge(DimseAnswered(status)).verdict
    is_stored = verdict in {V.DELIVERED, V.NOTED}
    category = category_of(status)
    assert is_stored is (category in {StatusCategory.SUCCESS, StatusCategory.WARNING} or status == 0x0111)


@given(
    st.one_of(
        st.builds(DimseAnswered, st.integers()),
        st.builds(HttpAnswered, st.integers()),
        st.builds(InstanceFailed, st.integers()),
        st.builds(AssociationRejected, st.integers(), st.integers(), st.integers()),
        st.builds(TokenRefused, st.text()),
    )
)
def test_no_number_is_without_a_verdict_and_none_is_taken_for_stored_by_chance(report: Report) -> None:
    judgement = judge(report)
    assert isinstance(judgement.verdict, Verdict)
    if isinstance(report, HttpAnswered):
        assert judgement.verdict not in {V.DELIVERED, V.NOTED}
    if judgement.verdict in SUSPENDING:
        assert judgement.is_of_destination
