from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from isocenter.dimse.ul.associate_decoder import decode_associate_ac
from isocenter.dimse.ul.negotiation import AcceptedSyntax, AcceptorRole, NegotiationPolicy, negotiate
from isocenter.dimse.ul.pdu import AssociateAc, AssociateRq, ContextResult, PresentationContextRq
from isocenter.dimse.ul.pdu_encoder import encode_pdu
from isocenter.dimse.ul.user_information import (
    AsyncOperationsWindow,
    CommonExtendedNegotiation,
    ExtendedNegotiation,
    RoleSelection,
    UserIdentityAc,
    UserIdentityRq,
    UserInformation,
)
from tests.support.dimse_strategies import requests
from tests.support.dimse_wire import CT_IMAGE_STORAGE, EXPLICIT, IMPLICIT, REQUEST, USER_INFORMATION, VERIFICATION

JPEG = "1.2.840.10008.1.2.4.70"
STORAGE_SERVICE = "1.2.840.10008.4.2"


def policy(offers: dict[str, AcceptedSyntax], *, window: AsyncOperationsWindow | None = None) -> NegotiationPolicy:
    made = NegotiationPolicy(
        accept_abstract_syntax=offers.get,
        maximum_length_received=131072,
        implementation_class_uid="1.2.3.5",
        implementation_version_name="ISOCENTER",
        user_identity_answer=UserIdentityAc(b"welcome"),
    )
    return made if window is None else replace(made, async_operations_window=window)


def answer_to(
    offer: AcceptedSyntax | None, *transfer_syntax_uids: str, information: UserInformation = USER_INFORMATION
) -> AssociateAc:
    """Return the answer to a request of one context for CT images."""
    context = PresentationContextRq(1, CT_IMAGE_STORAGE, transfer_syntax_uids or (EXPLICIT,))
    request = replace(REQUEST, presentation_contexts=(context,), user_information=information)
    return negotiate(request, policy({} if offer is None else {CT_IMAGE_STORAGE: offer}))


@pytest.mark.parametrize(
    ("offer", "proposed", "result", "chosen"),
    [
        pytest.param(AcceptedSyntax((IMPLICIT,)), (EXPLICIT, IMPLICIT), 0, IMPLICIT, id="one that both know"),
        pytest.param(AcceptedSyntax((JPEG, EXPLICIT)), (EXPLICIT, JPEG), 0, JPEG, id="acceptor's preference"),
        pytest.param(AcceptedSyntax(None), (JPEG, EXPLICIT), 0, JPEG, id="requestor's preference"),
        pytest.param(AcceptedSyntax((IMPLICIT,)), (EXPLICIT,), 4, EXPLICIT, id="no transfer syntax in common"),
        pytest.param(None, (EXPLICIT,), 3, EXPLICIT, id="unknown abstract syntax"),
        pytest.param(AcceptedSyntax(None, AcceptorRole.SCU), (EXPLICIT,), 1, EXPLICIT, id="no role in common"),
    ],
)
def test_context_is_answered(
    offer: AcceptedSyntax | None, proposed: tuple[str, ...], result: ContextResult, chosen: str
) -> None:
    (context,) = answer_to(offer, *proposed).presentation_contexts
    assert (context.context_id, context.result, context.transfer_syntax_uid) == (1, result, chosen)


@pytest.mark.parametrize(
    ("role", "proposed", "answered"),
    [
        pytest.param(AcceptorRole.SCP, (True, False), (True, False), id="as usual"),
        pytest.param(AcceptorRole.SCP, (True, True), (True, False), id="acceptor is no SCU"),
        pytest.param(AcceptorRole.SCP, (False, True), None, id="acceptor is no SCU, requestor only SCP"),
        pytest.param(AcceptorRole.SCU, (False, True), (False, True), id="turned round"),
        pytest.param(AcceptorRole.SCU, (True, True), (False, True), id="acceptor is no SCP"),
        pytest.param(AcceptorRole.SCU, (True, False), None, id="acceptor is no SCP, requestor only SCU"),
        pytest.param(AcceptorRole.BOTH, (True, True), (True, True), id="both"),
        pytest.param(AcceptorRole.BOTH, (False, False), None, id="neither"),
    ],
)
def test_roles_are_answered(
    role: AcceptorRole, proposed: tuple[bool, bool], answered: tuple[bool, bool] | None
) -> None:
    information = replace(USER_INFORMATION, role_selections=(RoleSelection(CT_IMAGE_STORAGE, *proposed),))
    answer = answer_to(AcceptedSyntax(None, role), information=information)
    roles = answer.user_information.role_selections
    assert roles == (() if answered is None else (RoleSelection(CT_IMAGE_STORAGE, *answered),))
    (context,) = answer.presentation_contexts
    assert context.result == (ContextResult.USER_REJECTION if answered is None else ContextResult.ACCEPTANCE)


def test_roles_of_what_is_not_accepted_are_not_answered() -> None:
    information = replace(USER_INFORMATION, role_selections=(RoleSelection(VERIFICATION, True, True),))
    assert answer_to(AcceptedSyntax(None), information=information).user_information.role_selections == ()


@pytest.mark.parametrize(
    ("asked", "ours", "expected"),
    [
        ((1, 1), (1, 1), (1, 1)),
        ((5, 3), (4, 2), (2, 3)),
        ((0, 0), (4, 2), (2, 4)),
        ((5, 3), (0, 0), (5, 3)),
        ((0, 0), (0, 0), (0, 0)),
    ],
)
def test_window_is_what_both_sides_can_do(
    asked: tuple[int, int], ours: tuple[int, int], expected: tuple[int, int]
) -> None:
    information = replace(USER_INFORMATION, async_operations_window=AsyncOperationsWindow(*asked))
    request = replace(REQUEST, user_information=information)
    answer = negotiate(request, policy({}, window=AsyncOperationsWindow(*ours)))
    assert answer.user_information.async_operations_window == AsyncOperationsWindow(*expected)


def test_what_was_not_asked_for_is_not_answered() -> None:
    information = answer_to(AcceptedSyntax(None, extensions=b"\1")).user_information
    assert information == UserInformation(131072, "1.2.3.5", "ISOCENTER")


@pytest.mark.parametrize(
    ("asked", "supported", "agreed"),
    [
        (b"\1\1\1\1", b"\1\1\0\1\0", b"\1\1\0\1"),
        (b"\0\1", b"\1\1\1", b"\0\1"),
        (b"\1\1\1", b"\1", b"\1"),
        (b"\3", b"\2", b"\2"),
    ],
)
def test_extensions_are_what_both_sides_support(asked: bytes, supported: bytes, agreed: bytes) -> None:
    extended = ExtendedNegotiation(CT_IMAGE_STORAGE, asked)
    information = replace(USER_INFORMATION, extended_negotiations=(extended,))
    answer = answer_to(AcceptedSyntax(None, extensions=supported), information=information)
    assert answer.user_information.extended_negotiations == (ExtendedNegotiation(CT_IMAGE_STORAGE, agreed),)


@pytest.mark.parametrize("offer", [AcceptedSyntax(None), None])
def test_extensions_of_what_has_none_are_not_answered(offer: AcceptedSyntax | None) -> None:
    extended = ExtendedNegotiation(CT_IMAGE_STORAGE, b"\1")
    information = replace(USER_INFORMATION, extended_negotiations=(extended,))
    assert answer_to(offer, information=information).user_information.extended_negotiations == ()


@pytest.mark.parametrize(
    ("known", "chosen"),
    [
        pytest.param({CT_IMAGE_STORAGE: JPEG, "1.2": EXPLICIT, STORAGE_SERVICE: IMPLICIT}, JPEG, id="itself"),
        pytest.param({"1.2": EXPLICIT, STORAGE_SERVICE: IMPLICIT}, EXPLICIT, id="related general class"),
        pytest.param({STORAGE_SERVICE: IMPLICIT}, IMPLICIT, id="service class"),
    ],
)
def test_unknown_class_is_taken_for_what_the_request_relates_it_to(known: dict[str, str], chosen: str) -> None:
    common = CommonExtendedNegotiation(CT_IMAGE_STORAGE, STORAGE_SERVICE, ("1.1", "1.2"))
    context = PresentationContextRq(1, CT_IMAGE_STORAGE, (EXPLICIT, IMPLICIT, JPEG))
    request = replace(
        REQUEST,
        presentation_contexts=(context,),
        user_information=replace(USER_INFORMATION, common_extended_negotiations=(common,)),
    )
    answer = negotiate(request, policy({uid: AcceptedSyntax((syntax,)) for uid, syntax in known.items()}))
    assert answer.presentation_contexts[0].transfer_syntax_uid == chosen
    assert answer.user_information.common_extended_negotiations == ()


@pytest.mark.parametrize("is_requested", [True, False])
def test_identity_is_answered_where_the_request_wants_it(is_requested: bool) -> None:
    identity = UserIdentityRq(1, is_requested, b"name")
    answer = answer_to(None, information=replace(USER_INFORMATION, user_identity=identity))
    assert answer.user_information.user_identity == (UserIdentityAc(b"welcome") if is_requested else None)


@given(requests)
def test_every_request_gets_an_answer_that_can_be_sent(request: AssociateRq) -> None:
    answer = negotiate(request, policy({CT_IMAGE_STORAGE: AcceptedSyntax(None)}))
    assert [each.context_id for each in answer.presentation_contexts] == [
        each.context_id for each in request.presentation_contexts
    ]
    read = decode_associate_ac(encode_pdu(answer)[6:])
    assert (read.called_ae_title, read.calling_ae_title) == (request.called_ae_title, request.calling_ae_title)
