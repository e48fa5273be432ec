from __future__ import annotations

from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynetdicom import status as pynetdicom_statuses

from isocenter.dimse.codec import performed_step
from isocenter.dimse.message import statuses
from isocenter.dimse.scp import find, retrieve, suboperations
from isocenter.dimse.scu import errors as scu_errors
from isocenter.dimse.scu import status_texts
from isocenter.dimse.ul import pdu
from isocenter.domain import errors as domain_errors
from isocenter.domain.commitment import FailureReason
from isocenter.domain.delivery import DELETED, SENT_NOWHERE, SUPERSEDED
from isocenter.domain.statuses import statuses_of
from isocenter.routing.catalogue.entry import Entry, Family, Side
from isocenter.routing.catalogue.lookup import ENTRIES, code_of, entry_of, entry_of_note, explain_report, verdict_on
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
from isocenter.routing.deliveries.verdict import Verdict

LAST_RESORTS = frozenset({"xxxx", "xxx", "x.x", "x", "*"})


def _is_known(family: Family, code: int | str) -> bool:
    text = f"{code:04X}" if isinstance(code, int) else code
    return entry_of(family, text).code not in LAST_RESORTS


def _numbers(module: object) -> set[int]:
    return {
        value for name, value in vars(module).items() if name.isupper() and isinstance(value, int) and value <= 0xFFFF
    }


def test_no_code_is_told_twice_in_one_family() -> None:
    keys = [entry.key for entry in ENTRIES]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.key)
def test_an_entry_says_everything_in_sentences(entry: Entry) -> None:
    assert entry.name
    assert not entry.name.endswith(".")
    for sentence in (entry.meaning, entry.remedy):
        assert sentence.endswith(".")
        assert sentence[0].isupper()
    assert isinstance(entry.side, Side)


def test_every_status_that_the_code_knows_is_explained() -> None:
    known = _numbers(statuses) | _numbers(performed_step)
    assert {f"{code:04X}" for code in known if not _is_known(Family.DIMSE, code)} == set()
    tree = [domain_errors.IsocenterError]
    while tree:
        kind = tree.pop()
        tree += [one for one in kind.__subclasses__() if one.__module__ == domain_errors.__name__]
        assert _is_known(Family.DIMSE, statuses_of(kind()).dimse_status)
        assert _is_known(Family.STOW_FAILURE, statuses_of(kind()).failure_reason)
        assert _is_known(Family.HTTP, str(statuses_of(kind()).http_status))


@pytest.mark.parametrize(
    ("family", "table"),
    [
        (Family.DIMSE, status_texts._ANY),
        (Family.STORE, status_texts._STORE),
        (Family.FIND, status_texts._FIND),
        (Family.RETRIEVE, status_texts._RETRIEVE),
    ],
)
def test_what_the_requestor_has_words_for_is_here_too(family: Family, table: dict[int, str]) -> None:
    assert [code for code in table if not _is_known(family, code)] == []


def test_statuses_of_the_services_are_their_own() -> None:
    for code in (_numbers(suboperations) | _numbers(retrieve)) & set(range(0xA000, 0xD000)):
        assert entry_of(Family.RETRIEVE, f"{code:04X}").family is Family.RETRIEVE
    for code in _numbers(find) & set(range(0xA000, 0xD000)):
        assert entry_of(Family.FIND, f"{code:04X}").family is Family.FIND


@pytest.mark.parametrize(
    ("family", "table"),
    [
        (Family.DIMSE, pynetdicom_statuses.GENERAL_STATUS),
        (Family.STORE, pynetdicom_statuses.STORAGE_SERVICE_CLASS_STATUS),
        (Family.FIND, pynetdicom_statuses.QR_FIND_SERVICE_CLASS_STATUS),
        (Family.RETRIEVE, pynetdicom_statuses.QR_MOVE_SERVICE_CLASS_STATUS),
        (Family.RETRIEVE, pynetdicom_statuses.QR_GET_SERVICE_CLASS_STATUS),
        (Family.FIND, pynetdicom_statuses.MODALITY_WORKLIST_SERVICE_CLASS_STATUS),
        (Family.DIMSE, pynetdicom_statuses.UNIFIED_PROCEDURE_STEP_SERVICE_CLASS_STATUS),
    ],
)
def test_every_status_of_the_standard_is_explained(family: Family, table: dict[int, tuple[str, str]]) -> None:
    """The tables are those of another implementation, which took them from PS3.4 and PS3.7."""
    assert table
    assert {f"{code:04X}" for code in table if not _is_known(family, code)} == set()


@pytest.mark.parametrize("reason", list(FailureReason))
def test_every_reason_of_storage_commitment_is_explained(reason: FailureReason) -> None:
    assert _is_known(Family.COMMITMENT, int(reason))


def test_every_rejection_of_the_standard_is_explained() -> None:
    of_table_9_21 = {(1, 1), (1, 2), (1, 3), (1, 7), (2, 1), (2, 2), (3, 1), (3, 2)}
    named = {(int(source), reason) for source, reason in scu_errors._REASONS}
    made = {(value.source, value.reason) for value in vars(pdu).values() if isinstance(value, pdu.AssociateRj)}
    for source, reason in of_table_9_21 | named | made:
        assert _is_known(Family.REJECTION, f"{int(source)}.{reason}")


@pytest.mark.parametrize("reason", list(pdu.AbortReason))
def test_every_abort_is_explained(reason: pdu.AbortReason) -> None:
    assert _is_known(Family.ABORT, f"2.{int(reason)}")
    assert entry_of(Family.ABORT, f"0.{int(reason)}").name == "Aborted by the user"


@pytest.mark.parametrize("result", list(pdu.ContextResult))
def test_every_answer_to_a_context_is_explained(result: pdu.ContextResult) -> None:
    assert _is_known(Family.CONTEXT, str(int(result)))


@pytest.mark.parametrize("status", list(HTTPStatus))
def test_every_status_of_http_is_explained(status: HTTPStatus) -> None:
    assert _is_known(Family.HTTP, str(int(status)))


@pytest.mark.parametrize("reason", [272, 43264, 43265, 45070, 45071, 0xA700, 0xA9FF, 0xC000, 0xC122, 0x0122, 0x0124])
def test_every_reason_of_a_store_response_is_explained(reason: int) -> None:
    assert _is_known(Family.STOW_FAILURE, reason)


@pytest.mark.parametrize("fault", [*TransportFault, *LocalFault])
def test_what_no_protocol_has_a_number_for_is_explained(fault: TransportFault | LocalFault) -> None:
    family = Family.TRANSPORT if isinstance(fault, TransportFault) else Family.LOCAL
    assert entry_of(family, fault.value).code == fault.value


@pytest.mark.parametrize("note", [SENT_NOWHERE, SUPERSEDED, DELETED])
def test_what_the_ledger_notes_by_itself_is_explained(note: str) -> None:
    assert entry_of_note(note).key == note


def test_a_number_is_explained_by_the_service_it_comes_from() -> None:
    names = {family: entry_of(family, "A900").name for family in (Family.STORE, Family.FIND, Family.STOW_FAILURE)}
    assert len(set(names.values())) == 3
    assert entry_of(Family.STORE, "0124").name == "Not authorized", "what is the same for all services is told for all"


_reports: st.SearchStrategy[Report] = st.one_of(
    st.builds(DimseAnswered, st.integers(0, 0xFFFF)),
    st.builds(AssociationRejected, st.integers(0, 3), st.integers(0, 4), st.integers(0, 9)),
    st.builds(AssociationAborted, st.integers(0, 3), st.integers(0, 9)),
    st.builds(ContextRefused, st.integers(0, 9)),
    st.builds(HttpAnswered, st.integers(0, 999)),
    st.builds(InstanceStored, st.integers(0, 0xFFFF)),
    st.builds(InstanceFailed, st.integers(0, 0xFFFF)),
    st.builds(TransportFailed, st.sampled_from(TransportFault)),
    st.builds(TokenRefused, st.text(max_size=5)),
    st.builds(LocalFailed, st.sampled_from(LocalFault)),
    st.sampled_from([InstanceUnmentioned(), InstanceDiffers(), InstanceIdentical()]),
)


@given(_reports)
def test_nothing_that_can_happen_is_without_an_explanation(report: Report) -> None:
    entry = explain_report(report)
    family, _ = code_of(report)
    assert entry.family in {family, Family.DIMSE}
    assert entry.meaning


@pytest.mark.parametrize(
    "entry", [entry for entry in ENTRIES if verdict_on(entry) is not None], ids=lambda entry: entry.key
)
def test_what_a_person_is_told_agrees_with_what_the_delivery_does(entry: Entry) -> None:
    verdict = verdict_on(entry)
    says_again = "tried again" in entry.remedy or "waits as long as" in entry.remedy
    assert says_again is (verdict is Verdict.TRANSIENT)
    if verdict in {Verdict.DELIVERED, Verdict.NOTED}:
        assert entry.side is Side.NOBODY
