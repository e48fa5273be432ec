"""AE titles, addresses, and the text form of a remote AE."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.domain.application_entity import (
    ALL_SERVICES,
    AeAddress,
    AeService,
    RemoteAe,
    UserIdentityRule,
    is_ae_title,
    parse_ae_address,
    parse_ae_title,
    parse_remote_ae,
    render_remote_ae,
)
from isocenter.domain.certificate_name import CertificateName, CertificateNameKind
from isocenter.domain.errors import InvalidRequest


@pytest.mark.parametrize("title", ["A", "STORE_SCP", "A TITLE WITH GAPS"[:16], "ae-1.x", " PADDED "])
def test_titles_of_up_to_16_printable_characters_are_titles(title: str) -> None:
    assert is_ae_title(title)
    assert parse_ae_title(title) == title.strip(" ")


@pytest.mark.parametrize("title", ["", "   ", "A" * 17, "BACK\\SLASH", "TAB\t", "Ä"])
def test_others_are_none(title: str) -> None:
    assert not is_ae_title(title)
    with pytest.raises(InvalidRequest):
        parse_ae_title(title)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("NODE@127.0.0.1:11112", AeAddress("NODE", "127.0.0.1", 11112)),
        ("NODE@pacs.example.org:104", AeAddress("NODE", "pacs.example.org", 104)),
        (" TWO WORDS@[::1]:0 ", AeAddress("TWO WORDS", "::1", 0)),
    ],
)
def test_an_address_names_title_host_and_port(text: str, address: AeAddress) -> None:
    assert parse_ae_address(text) == address
    assert parse_ae_address(str(address)) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "NODE",
        "NODE@",
        "@host:1",
        "NODE@host",
        "NODE@host:",
        "NODE@host:x",
        "NODE@host:65536",
        "NODE@*:104",
        "NODE@::1:104",
        "NODE@[::1",
        "NODE@[::1]104",
        "NODE@ho st:1",
        "TOO LONG FOR A TITLE@h:1",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_ae_address(text)


def test_a_remote_ae_may_have_options() -> None:
    remote = parse_remote_ae(
        "PACS@10.0.0.1:104?services=echo,Store&tls=on&subject=CN%3Dpacs%2CO%3DA%20%26%20B&associations=3"
    )
    assert remote == RemoteAe(
        "PACS",
        "10.0.0.1",
        104,
        services=frozenset({AeService.ECHO, AeService.STORE}),
        uses_tls=True,
        certificate_names=(CertificateName(CertificateNameKind.ANY, "CN=pacs,O=A & B"),),
        store_associations_max=3,
    )


def test_a_remote_ae_may_have_several_certificates_and_a_rule_for_its_users() -> None:
    remote = parse_remote_ae("CT@*?subject=ct-1&subject=ip:10.0.0.7&user=Require")
    assert [str(name) for name in remote.certificate_names] == ["ct-1", "ip:10.0.0.7"]
    assert remote.user_identity is UserIdentityRule.REQUIRE
    assert parse_remote_ae("CT@*").user_identity is None


def test_a_remote_ae_may_have_instances_moved_to_some_destinations_only() -> None:
    remote = parse_remote_ae("WS@*?destinations=WS,ARCHIVE")
    assert [remote.may_move_to(title) for title in ("WS", "ARCHIVE", "OTHER")] == [True, True, False]
    assert parse_remote_ae("WS@*").may_move_to("OTHER")


@pytest.mark.parametrize("text", ["MODALITY@*", "MODALITY@10.0.0.1", "MODALITY@[fe80::1]"])
def test_an_ae_that_only_calls_has_no_address(text: str) -> None:
    remote = parse_remote_ae(text)
    assert remote.address is None
    assert remote.services == ALL_SERVICES


@pytest.mark.parametrize(
    "options",
    [
        "services=everything",
        "tls=maybe",
        "colour=red",
        "services",
        "subject=",
        "tls=on&tls=on",
        "associations=5",
        "associations=x",
        "subject=" + "a" * 3000,
        "subject=sha256:12",
        "subject=ip:pacs",
        "&".join(["subject=a"] * 17),
        "user=maybe",
        "destinations=A,,B",
        "user=verify&user=require",
    ],
)
def test_options_that_nobody_knows_are_refused(options: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_remote_ae(f"PACS@10.0.0.1:104?{options}")


_TITLES = st.text("ABCXYZ_-. 019", min_size=1, max_size=16).filter(is_ae_title).map(str.strip)
_NAMES = st.builds(
    CertificateName,
    kind=st.sampled_from([CertificateNameKind.ANY, CertificateNameKind.DNS, CertificateNameKind.SUBJECT]),
    value=st.text("abc=,&% +?;", min_size=1, max_size=20).map(str.strip).filter(bool),
)
_REMOTES = st.builds(
    RemoteAe,
    ae_title=_TITLES,
    host=st.sampled_from(["10.0.0.1", "::1", "*", "pacs.example"]),
    port=st.none() | st.integers(0, 65535),
    services=st.frozensets(st.sampled_from(AeService), min_size=1),
    uses_tls=st.booleans(),
    certificate_names=st.lists(_NAMES, max_size=3).map(tuple),
    user_identity=st.none() | st.sampled_from(UserIdentityRule),
    destinations=st.none() | st.frozensets(_TITLES.filter(lambda title: "," not in title), min_size=1, max_size=3),
    store_associations_max=st.none() | st.integers(1, 4),
)


@given(remote=_REMOTES)
def test_what_is_rendered_reads_back(remote: RemoteAe) -> None:
    assert parse_remote_ae(render_remote_ae(remote)) == remote
