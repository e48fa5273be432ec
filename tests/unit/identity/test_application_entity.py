"""Who may call: the AE table against titles, addresses and certificates."""

from __future__ import annotations

from dataclasses import replace

import pytest

from isocenter.domain.application_entity import AeService, parse_remote_ae
from isocenter.domain.principal import DataAction
from isocenter.identity.application_entity import (
    Admitted,
    AeTable,
    Caller,
    NotAdmitted,
    Objection,
    literal_addresses,
    plain_address,
)
from isocenter.identity.certificate import Certificate

CALLER = Caller("MODALITY", "NODE", "10.0.0.7")
ADDRESSES = {"10.0.0.7": frozenset({"10.0.0.7"}), "ct.example": frozenset({"10.0.0.7", "fd00::7"})}


def _table(*remotes: str) -> AeTable:
    return AeTable("NODE", tuple(map(parse_remote_ae, remotes)))


def _admit(table: AeTable, caller: Caller = CALLER) -> Admitted | NotAdmitted:
    return table.admit(caller, addresses=ADDRESSES)


@pytest.mark.parametrize("remote", ["MODALITY@10.0.0.7:104", "MODALITY@ct.example", "MODALITY@*"])
def test_a_known_caller_at_its_address_is_admitted_as_itself(remote: str) -> None:
    admitted = _admit(_table("PACS@10.0.0.9:104", remote))
    assert isinstance(admitted, Admitted)
    assert admitted.principal.name == "MODALITY"
    assert admitted.remote == parse_remote_ae(remote)


@pytest.mark.parametrize(
    ("services", "actions"),
    [
        ("echo", set()),
        ("store", {DataAction.WRITE}),
        ("find,get", {DataAction.READ}),
        ("echo,store,move", {DataAction.READ, DataAction.WRITE}),
    ],
)
def test_its_services_say_what_it_may_do(services: str, actions: set[DataAction]) -> None:
    admitted = _admit(_table(f"MODALITY@*?services={services}"))
    assert isinstance(admitted, Admitted)
    assert admitted.principal.data_actions == actions
    assert admitted.services == {AeService(name) for name in services.split(",")}


@pytest.mark.parametrize(
    ("table", "objection"),
    [
        (_table(), Objection.CALLING_AE_TITLE),
        (_table("OTHER@10.0.0.7:104"), Objection.CALLING_AE_TITLE),
        (_table("MODALITY@10.0.0.8:104"), Objection.CALLING_AE_TITLE),
        (_table("MODALITY@unknown.example"), Objection.CALLING_AE_TITLE),
        (_table("MODALITY@*?subject=ct"), Objection.CALLING_AE_TITLE),
        (replace(_table("MODALITY@*"), ae_title="ELSEWHERE"), Objection.CALLED_AE_TITLE),
    ],
)
def test_others_are_not_and_are_told_why(table: AeTable, objection: Objection) -> None:
    refused = _admit(table)
    assert isinstance(refused, NotAdmitted)
    assert refused.objection is objection
    assert "dicom." in refused.advice


def test_of_devices_that_share_a_title_each_is_admitted_from_its_address() -> None:
    table = _table("MODALITY@10.0.0.8:104?services=echo", "MODALITY@10.0.0.7:105?services=store")
    admitted = _admit(table)
    assert isinstance(admitted, Admitted)
    assert admitted.services == {AeService.STORE}


@pytest.mark.parametrize("options", ["subject=ct-1", "subject=ct-9&subject=dns:ct.example"])
def test_a_certificate_must_have_one_of_the_names(options: str) -> None:
    table = _table(f"MODALITY@*?{options}")
    fitting = Certificate(("ct-1",), ("ct.example",), subject="CN=ct-1")
    assert isinstance(_admit(table, replace(CALLER, certificate=fitting)), Admitted)
    refused = _admit(table, replace(CALLER, certificate=Certificate(("ct-2",), subject="CN=ct-2", sha256="ab" * 32)))
    assert isinstance(refused, NotAdmitted)
    assert "ct-1" in refused.advice or "dns:ct.example" in refused.advice
    assert "CN=ct-2" in refused.advice
    assert "sha256:abab" in refused.advice
    assert isinstance(_admit(table), NotAdmitted)


def test_strangers_are_admitted_only_where_they_are_welcome() -> None:
    assert isinstance(_admit(_table()), NotAdmitted)
    admitted = _admit(replace(_table(), accepts_unknown_callers=True))
    assert isinstance(admitted, Admitted)
    assert admitted.remote is None
    assert isinstance(_admit(replace(_table("MODALITY@10.9.9.9"), accepts_unknown_callers=True)), NotAdmitted)


def test_a_destination_needs_an_address() -> None:
    table = _table("PACS@*", "PACS@10.0.0.9:104", "MODALITY@10.0.0.7")
    found = table.destination("PACS")
    assert found is not None
    assert found.port == 104
    assert table.destination("MODALITY") is None
    assert table.destination("NOBODY") is None


@pytest.mark.parametrize(
    ("address", "plain"),
    [("10.0.0.7", "10.0.0.7"), ("::ffff:10.0.0.7", "10.0.0.7"), ("fe80::1%eth0", "fe80::1"), ("FD00::7", "fd00::7")],
)
def test_an_address_has_one_form(address: str, plain: str) -> None:
    assert plain_address(address) == plain


def test_names_are_to_be_looked_up_and_addresses_are_not() -> None:
    assert literal_addresses("10.0.0.7") == frozenset({"10.0.0.7"})
    assert literal_addresses("LOCALHOST") == frozenset({"127.0.0.1", "::1"})
    assert literal_addresses("ct.example") is None
