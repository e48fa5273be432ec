"""What is agreed with a caller."""

from __future__ import annotations

from isocenter.dimse.message.messages import CEchoRq
from isocenter.dimse.scp.admission import known_syntaxes, negotiation_policy
from isocenter.dimse.shell.service import Service, ServiceTable
from isocenter.dimse.ul.negotiation import negotiate
from isocenter.dimse.ul.pdu import AssociateRq, PresentationContextRq
from isocenter.dimse.ul.user_information import UserInformation
from isocenter.domain.application_entity import AeService

CT, ECHO = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.1"
IMPLICIT, EXPLICIT, RLE = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.5"
UNKNOWN = "1.2.3.4"
SERVICES = ServiceTable(
    [
        Service(AeService.STORE, frozenset({CT}), transfer_syntax_uids=None),
        Service(AeService.ECHO, frozenset({ECHO}), performs={CEchoRq: lambda *_: None}),  # type: ignore[dict-item]
    ]
)


def _request(*contexts: tuple[str, tuple[str, ...]]) -> AssociateRq:
    proposed = tuple(PresentationContextRq(2 * index + 1, *context) for index, context in enumerate(contexts))
    return AssociateRq("NODE", "CALLER", proposed, UserInformation(16384, "1.2.3"))


def _answers(request: AssociateRq, allowed: frozenset[AeService]) -> list[tuple[int, str]]:
    policy = negotiation_policy(request, SERVICES, allowed, pdu_length_max=16384)
    return [(each.result, each.transfer_syntax_uid) for each in negotiate(request, policy).presentation_contexts]


def test_known_syntaxes_stand_in_the_order_of_the_requestor() -> None:
    request = _request((CT, (UNKNOWN, RLE, IMPLICIT)), (ECHO, (EXPLICIT,)), (CT, (EXPLICIT, RLE)))
    assert known_syntaxes(request, CT) == (RLE, IMPLICIT, EXPLICIT)
    assert known_syntaxes(request, UNKNOWN) == ()


def test_storage_takes_the_first_syntax_that_it_knows() -> None:
    request = _request((CT, (UNKNOWN, RLE, IMPLICIT)), (CT, (UNKNOWN,)))
    assert [result for result, _ in _answers(request, frozenset(AeService))] == [0, 4]
    assert _answers(request, frozenset(AeService))[0] == (0, RLE)


def test_other_services_take_what_they_like_best() -> None:
    assert _answers(_request((ECHO, (IMPLICIT, EXPLICIT))), frozenset(AeService)) == [(0, EXPLICIT)]


def test_services_that_are_not_allowed_or_not_there_are_refused() -> None:
    request = _request((CT, (EXPLICIT,)), (ECHO, (EXPLICIT,)), (UNKNOWN, (EXPLICIT,)))
    assert [result for result, _ in _answers(request, frozenset({AeService.ECHO}))] == [3, 0, 3]
