"""Associations as JSON, from a register to what a program reads."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from starlette.applications import Starlette

from isocenter.dimse.message.messages import CStoreRq, CStoreRsp
from isocenter.dimse.shell.record import RECENT_MAX, AssociationRegister, End, Side
from isocenter.dimse.ul.pdu import (
    AssociateAc,
    AssociateRq,
    ContextResult,
    PresentationContextAc,
    PresentationContextRq,
)
from isocenter.dimse.ul.user_information import UserInformation
from isocenter.domain.errors import Forbidden
from isocenter.domain.principal import LOCAL_OWNER, Principal
from isocenter.web.api.associations import association_routes, message_name
from tests.support.asgi_client import AsgiClient

CT_IMAGE, VERIFICATION = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.1"
EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
BEGAN = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
INFORMATION = UserInformation(16384, "1.2.3")


def _owner(headers: Mapping[str, str]) -> Principal:
    return LOCAL_OWNER


def _nobody(headers: Mapping[str, str]) -> Principal:
    raise Forbidden("Not under that name.")


@pytest.fixture
def register() -> AssociationRegister:
    """Return a register with one live association that stored an instance, and one that was rejected."""
    register = AssociationRegister()
    live = register.open(Side.ACCEPTOR, peer_address="10.1.2.3", started_at=BEGAN, uses_tls=True)
    live.user_name = "jane"
    live.calling_ae_title, live.called_ae_title = "CT1", "ISOCENTER"
    contexts = (
        PresentationContextRq(1, CT_IMAGE, (EXPLICIT, IMPLICIT)),
        PresentationContextRq(3, "1.2.3.4", (IMPLICIT,)),
    )
    results = (
        PresentationContextAc(1, ContextResult.ACCEPTANCE, EXPLICIT),
        PresentationContextAc(3, ContextResult.ABSTRACT_SYNTAX_NOT_SUPPORTED),
    )
    live.note_negotiation(
        AssociateRq("ISOCENTER", "CT1", contexts, INFORMATION),
        AssociateAc("ISOCENTER", "CT1", results, INFORMATION),
    )
    live.bytes_received, live.bytes_sent = 5000, 200
    live.note_message(
        CStoreRq(message_id=1, affected_sop_class_uid=CT_IMAGE, affected_sop_instance_uid="1.2"), is_sent=False
    )
    live.note_message(CStoreRsp(message_id_being_responded_to=1, status=0), is_sent=True)
    gone = register.open(Side.ACCEPTOR, peer_address="10.1.2.4", started_at=BEGAN, uses_tls=False)
    gone.calling_ae_title, gone.end, gone.cause = "WHO", End.REJECTED, "calling AE title not recognized"
    register.close(gone, ended_at=BEGAN + timedelta(seconds=1))
    return register


@pytest.fixture
def client(register: AssociationRegister) -> AsgiClient:
    return AsgiClient(Starlette(routes=association_routes(register, authenticate=_owner)))


def test_list_tells_who_lives_and_how_the_others_ended(client: AsgiClient) -> None:
    answer = client.get("/api/associations")
    assert answer.headers["cache-control"] == "no-store"
    [live], [gone] = answer.json()["live"], answer.json()["recent"]
    assert live == {
        "id": 1,
        "side": "acceptor",
        "calling_ae_title": "CT1",
        "called_ae_title": "ISOCENTER",
        "peer_address": "10.1.2.3",
        "implementation_version_name": None,
        "tls": True,
        "user": "jane",
        "started_at": "2026-11-21T09:30:00.000+00:00",
        "ended_at": None,
        "end": None,
        "cause": "",
        "bytes_received": 5000,
        "bytes_sent": 200,
        "contexts_accepted": 1,
        "contexts_refused": 1,
    }
    assert (gone["end"], gone["cause"]) == ("rejected", "calling AE title not recognized")
    assert gone["ended_at"] == "2026-11-21T09:30:01.000+00:00"


def test_one_association_tells_what_was_agreed_and_what_went_over_it(client: AsgiClient) -> None:
    shown = client.get("/api/associations/1").json()
    assert shown["contexts"] == [
        {
            "id": 1,
            "abstract_syntax": {"uid": CT_IMAGE, "name": "CT Image Storage"},
            "transfer_syntaxes": [
                {"uid": EXPLICIT, "name": "Explicit VR Little Endian"},
                {"uid": IMPLICIT, "name": "Implicit VR Little Endian"},
            ],
            "accepted_transfer_syntax": {"uid": EXPLICIT, "name": "Explicit VR Little Endian"},
            "refusal": None,
        },
        {
            "id": 3,
            "abstract_syntax": {"uid": "1.2.3.4", "name": None},
            "transfer_syntaxes": [{"uid": IMPLICIT, "name": "Implicit VR Little Endian"}],
            "accepted_transfer_syntax": None,
            "refusal": "abstract syntax not supported",
        },
    ]
    assert shown["messages_received"] == {"C-STORE-RQ": 1}
    assert shown["messages_sent"] == {"C-STORE-RSP": 1}
    assert shown["statuses_sent"] == [{"message": "C-STORE-RSP", "status": "0000", "count": 1}]


def test_an_association_that_ended_is_still_found(client: AsgiClient) -> None:
    assert client.get("/api/associations/2").json()["end"] == "rejected"


def test_unknown_association_is_not_found(client: AsgiClient) -> None:
    answer = client.get("/api/associations/99")
    assert (answer.status_code, "error" in answer.json()) == (404, True)


def test_a_number_of_any_length_is_not_found(client: AsgiClient) -> None:
    assert client.get(f"/api/associations/{'9' * 4_301}").status_code == 404


@pytest.mark.parametrize("path", ["/api/associations", "/api/associations/1"])
def test_who_may_not_see_the_console_sees_no_associations(register: AssociationRegister, path: str) -> None:
    client = AsgiClient(Starlette(routes=association_routes(register, authenticate=_nobody)))
    answer = client.get(path)
    assert (answer.status_code, answer.json()) == (403, {"error": "Not under that name."})


def test_only_the_last_ended_are_kept(register: AssociationRegister, client: AsgiClient) -> None:
    for _ in range(RECENT_MAX):
        record = register.open(Side.REQUESTOR, peer_address="", started_at=BEGAN, uses_tls=False)
        register.close(record, ended_at=BEGAN)
    assert len(client.get("/api/associations").json()["recent"]) == RECENT_MAX
    assert client.get("/api/associations/2").status_code == 404


@pytest.mark.parametrize(
    ("class_name", "name"),
    [("CStoreRsp", "C-STORE-RSP"), ("NEventReportRq", "N-EVENT-REPORT-RQ"), ("CCancelRq", "C-CANCEL-RQ")],
)
def test_messages_are_named_as_the_standard_names_them(class_name: str, name: str) -> None:
    assert message_name(class_name) == name
