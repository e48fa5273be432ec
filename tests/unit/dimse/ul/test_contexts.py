from __future__ import annotations

from dataclasses import replace

import pytest

from isocenter.dimse.ul.contexts import AcceptedContext, accepted_contexts
from isocenter.dimse.ul.pdu import PresentationContextAc
from isocenter.dimse.ul.user_information import RoleSelection
from tests.support.dimse_wire import ANSWER, CT_IMAGE_STORAGE, EXPLICIT, IMPLICIT, REQUEST, USER_INFORMATION


def agreed(
    *contexts: PresentationContextAc,
    proposed: tuple[RoleSelection, ...] = (),
    answered: tuple[RoleSelection, ...] = (),
    is_requestor: bool = True,
) -> list[AcceptedContext]:
    request = replace(REQUEST, user_information=replace(USER_INFORMATION, role_selections=proposed))
    answer = replace(
        ANSWER,
        presentation_contexts=contexts,
        user_information=replace(USER_INFORMATION, role_selections=answered),
    )
    accepted = accepted_contexts(request, answer, is_requestor=is_requestor)
    assert all(context_id == context.context_id for context_id, context in accepted.items())
    return list(accepted.values())


ACCEPTED = PresentationContextAc(3, 0, IMPLICIT)


def test_context_has_the_syntaxes_that_both_sides_named() -> None:
    (context,) = agreed(ACCEPTED)
    assert (context.context_id, context.abstract_syntax_uid, context.transfer_syntax_uid) == (
        3,
        CT_IMAGE_STORAGE,
        IMPLICIT,
    )


@pytest.mark.parametrize(
    "answered",
    [
        pytest.param(PresentationContextAc(3, 3, IMPLICIT), id="refused"),
        pytest.param(PresentationContextAc(5, 0, IMPLICIT), id="ID that was not proposed"),
        pytest.param(PresentationContextAc(1, 0, EXPLICIT), id="transfer syntax that was not proposed"),
    ],
)
def test_context_that_was_not_agreed_on_is_none(answered: PresentationContextAc) -> None:
    assert agreed(answered) == []


def _role(*, scu: bool, scp: bool) -> tuple[RoleSelection, ...]:
    return (RoleSelection(CT_IMAGE_STORAGE, scu, scp),)


@pytest.mark.parametrize(
    ("proposed", "answered", "scu", "scp"),
    [
        pytest.param((), (), True, False, id="nothing said"),
        pytest.param(_role(scu=False, scp=True), (), True, False, id="proposed, not answered"),
        pytest.param((), _role(scu=False, scp=True), True, False, id="answered, not proposed"),
        pytest.param(_role(scu=False, scp=True), _role(scu=False, scp=True), False, True, id="turned round"),
        pytest.param(_role(scu=True, scp=True), _role(scu=True, scp=True), True, True, id="both"),
        pytest.param(_role(scu=True, scp=True), _role(scu=True, scp=False), True, False, id="one of both"),
        pytest.param(_role(scu=True, scp=False), _role(scu=True, scp=True), True, False, id="more than proposed"),
    ],
)
def test_roles_are_those_that_both_sides_named(
    proposed: tuple[RoleSelection, ...], answered: tuple[RoleSelection, ...], scu: bool, scp: bool
) -> None:
    (requestor,) = agreed(ACCEPTED, proposed=proposed, answered=answered)
    assert (requestor.as_scu, requestor.as_scp) == (scu, scp)
    (acceptor,) = agreed(ACCEPTED, proposed=proposed, answered=answered, is_requestor=False)
    assert (acceptor.as_scu, acceptor.as_scp) == (scp, scu)
