from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given
from pynetdicom.pdu import P_DATA_TF
from pynetdicom.pdu_primitives import P_DATA

from isocenter.dimse.ul.pdu import (
    Abort,
    AssociateAc,
    AssociateRj,
    AssociateRq,
    PDataTf,
    Pdu,
    Pdv,
    ReleaseRp,
    ReleaseRq,
)
from isocenter.dimse.ul.pdu_encoder import encode_data_header, encode_pdu
from isocenter.dimse.ul.user_information import UserIdentityRq, UserInformation
from isocenter.domain.errors import InvalidRequest
from tests.support import pynetdicom_pdus
from tests.support.dimse_strategies import answers, data_pdus, pdvs, requests
from tests.support.dimse_wire import REQUEST


@given(requests)
def test_request_has_the_bytes_that_pynetdicom_sends(request: AssociateRq) -> None:
    identity = request.user_information.user_identity
    # pynetdicom wants the fields that the type of identity needs, and no others.
    assume(not isinstance(identity, UserIdentityRq) or _is_complete(identity))
    assert encode_pdu(request) == pynetdicom_pdus.encode_associate_rq(request)


def _is_complete(identity: UserIdentityRq) -> bool:
    return bool(identity.primary_field) and bool(identity.secondary_field) == (identity.identity_type == 2)


@given(answers)
def test_answer_has_the_bytes_that_pynetdicom_sends(answer: AssociateAc) -> None:
    contexts = tuple(
        replace(each, transfer_syntax_uid=each.transfer_syntax_uid or "1.2.840.10008.1.2")
        for each in answer.presentation_contexts
    )
    answer = replace(answer, presentation_contexts=contexts)
    assert encode_pdu(answer) == pynetdicom_pdus.encode_associate_ac(answer)


@given(data_pdus)
def test_data_has_the_bytes_that_pynetdicom_sends(pdu: PDataTf) -> None:
    primitive: Any = P_DATA()
    primitive.presentation_data_value_list = [
        [pdv.context_id, bytes((pdv.is_command | pdv.is_last << 1,)) + bytes(pdv.data)] for pdv in pdu.pdvs
    ]
    other = P_DATA_TF()
    other.from_primitive(primitive)
    assert encode_pdu(pdu) == other.encode()


@given(pdvs)
def test_header_and_data_are_the_pdu_of_one_pdv(pdv: Pdv) -> None:
    assert encode_data_header(pdv) + bytes(pdv.data) == encode_pdu(PDataTf((pdv,)))


@pytest.mark.parametrize(
    ("pdu", "expected"),
    [
        (AssociateRj(1, 2, 3), "03 00 00000004 00 01 02 03"),
        (ReleaseRq(), "05 00 00000004 00000000"),
        (ReleaseRp(), "06 00 00000004 00000000"),
        (Abort(2, 6), "07 00 00000004 00 00 02 06"),
    ],
)
def test_short_pdu_has_the_bytes_of_the_standard(pdu: Pdu, expected: str) -> None:
    assert encode_pdu(pdu) == bytes.fromhex(expected)


def test_title_that_does_not_fit_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="16 characters"):
        encode_pdu(replace(REQUEST, called_ae_title="A" * 17))


def _with_identity(identity: UserIdentityRq) -> AssociateRq:
    return replace(REQUEST, user_information=replace(REQUEST.user_information, user_identity=identity))


def test_identity_that_does_not_fit_into_its_field_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="A field"):
        encode_pdu(_with_identity(UserIdentityRq(5, False, bytes(1 << 16))))


def test_identity_that_does_not_fit_into_its_item_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="An item"):
        encode_pdu(_with_identity(UserIdentityRq(2, False, bytes(40_000), bytes(40_000))))


def test_identity_shows_nothing_of_itself_where_it_is_printed() -> None:
    information = UserInformation(0, "1.2", user_identity=UserIdentityRq(2, True, b"somebody", b"secret"))
    assert "somebody" not in repr(information)
    assert "secret" not in repr(information)
