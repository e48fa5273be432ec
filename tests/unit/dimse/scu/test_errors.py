"""Why an association did not come about, in words that tell an operator what to change."""

from __future__ import annotations

import ssl

import pytest

from isocenter.dimse.scu.errors import AssociationRefused, PeerBusy, describe_tls_failure, rejection_error
from isocenter.dimse.ul.pdu import (
    REJECT_CALLED_AE_TITLE,
    REJECT_CALLING_AE_TITLE,
    REJECT_LOCAL_LIMIT_EXCEEDED,
    REJECT_NO_REASON,
    REJECT_TEMPORARY_CONGESTION,
    AssociateRj,
    RejectResult,
    RejectSource,
)
from isocenter.domain.application_entity import AeAddress

PACS = AeAddress("PACS", "10.1.2.3", 104)


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (REJECT_CALLING_AE_TITLE, AssociationRefused, "it does not know our AE title 'CT1'; have it added there"),
        (REJECT_CALLED_AE_TITLE, AssociationRefused, "its own AE title is not 'PACS'"),
        (REJECT_NO_REASON, AssociationRefused, "it gave no reason"),
        (REJECT_TEMPORARY_CONGESTION, PeerBusy, "it is congested; try again later"),
        (REJECT_LOCAL_LIMIT_EXCEEDED, PeerBusy, "one of its limits is reached"),
        (AssociateRj(RejectResult.PERMANENT, RejectSource.SERVICE_USER, 9), AssociationRefused, "reason 9"),
    ],
)
def test_a_rejection_tells_by_whom_why_and_what_to_change(
    answer: AssociateRj, kind: type[Exception], words: str
) -> None:
    error = rejection_error(answer, PACS, calling_ae_title="CT1")
    assert type(error) is kind
    assert str(error).startswith("PACS@10.1.2.3:104 rejected the association: ")
    assert words in str(error)


def test_a_failure_of_tls_is_told_in_words_and_an_unknown_one_as_it_is() -> None:
    known, other = ssl.SSLError(1, "x"), ssl.SSLError(1, "y")
    known.reason, other.reason = "WRONG_VERSION_NUMBER", "SOMETHING_NEW"
    assert describe_tls_failure(known) == "it does not speak TLS on this port (WRONG_VERSION_NUMBER)"
    assert describe_tls_failure(other) == "SOMETHING_NEW"
