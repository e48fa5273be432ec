"""Senders by STOW-RS before our own service with tokens, in Azure's two styles, and the whole engine before it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from isocenter.app.senders.dicomweb import WebSender
from isocenter.app.senders.dimse import OwnSide
from isocenter.app.senders.open_sender import Senders
from isocenter.domain.errors import InvalidSetting
from isocenter.routing.configuration.destination import (
    Destination,
    OAuthAuthentication,
    OnConflict,
    WebProfile,
    WebTarget,
)
from isocenter.routing.deliveries.report import (
    InstanceDiffers,
    InstanceIdentical,
    InstanceStored,
    Report,
    TokenRefused,
    TransportFailed,
    TransportFault,
)
from isocenter.routing.deliveries.sender import Sender
from tests.support.instances import identify
from tests.support.memory_archive import memory_archive
from tests.support.secure_node import AUDIENCE, Registration, SecureNode, serve_securely
from tests.support.senders import outgoing_of, sent, small_batch
from tests.support.small_instances import make_instance

V1 = {"root": "v1", "resource": AUDIENCE}
V2 = {"root": "v2", "scope": f"{AUDIENCE}/.default"}


@dataclass(frozen=True)
class Cloud:
    node: SecureNode
    writer: Registration
    reader: Registration


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with serve_securely(tmp_path_factory.mktemp("cloud")) as node:
        yield Cloud(node, node.register("router", "--role", "owner"), node.register("viewer", "--role", "reader"))


@contextmanager
def sender_to(
    cloud: Cloud,
    *,
    root: str = "v2",
    resource: str = "",
    scope: str = "",
    who: Registration | None = None,
    secret: str | None = None,
    trusts: bool = True,
    on_conflict: OnConflict = OnConflict.SHELVE,
) -> Iterator[Sender]:
    who = who or cloud.writer
    version = "/v2.0" if scope else ""
    target = WebTarget(
        f"{cloud.node.base_url}/{root}",
        profile=WebProfile.AZURE,
        authentication=OAuthAuthentication(
            f"{cloud.node.base_url}/{who.tenant_id}/oauth2{version}/token",
            who.client_id,
            "cloud",
            scope=scope,
            resource=resource,
        ),
        authority_file=str(cloud.node.authority) if trusts else "",
    )
    secrets = {"cloud": who.secret if secret is None else secret}
    with memory_archive() as archive:
        senders = Senders(archive, OwnSide("ROUTER"), read_secret=secrets.__getitem__)
        sender = senders.open(Destination("cloud", target, on_conflict=on_conflict))
        assert isinstance(sender, WebSender)
        try:
            yield sender
        finally:
            sender.close()


@pytest.mark.parametrize("style", [V1, V2], ids=["v1", "v2"])
def test_instances_are_stored_with_a_token_of_either_style(cloud: Cloud, style: dict[str, str]) -> None:
    first = 100 if style is V1 else 200
    with sender_to(cloud, **style) as sender:  # type: ignore[arg-type]
        assert sender.probe() is None
        reports = sent(sender, small_batch(20, first=first)).reports
    assert {type(report) for report in reports} == {InstanceStored}
    assert len(reports) == 20


def test_the_same_again_is_found_to_be_the_same(cloud: Cloud) -> None:
    batch = [outgoing_of(make_instance(identify(2), seed=1).content)]
    with sender_to(cloud, **V2) as sender:  # type: ignore[arg-type]
        sent(sender, batch)
        assert sent(sender, batch).reports == [InstanceIdentical()]


@pytest.mark.parametrize(
    ("on_conflict", "expected"), [(OnConflict.SHELVE, InstanceDiffers()), (OnConflict.REPLACE, InstanceStored())]
)
def test_another_one_under_the_same_uid_is_compared_and_replaced_only_on_demand(
    cloud: Cloud, on_conflict: OnConflict, expected: Report
) -> None:
    study = 3 if on_conflict is OnConflict.SHELVE else 4
    with sender_to(cloud, **V2, on_conflict=on_conflict) as sender:  # type: ignore[arg-type]
        sent(sender, [outgoing_of(make_instance(identify(study), seed=1).content)])
        other = outgoing_of(make_instance(identify(study), seed=2).content)
        assert sent(sender, [other]).reports == [expected]


def test_who_may_only_read_is_refused_though_the_probe_succeeds(cloud: Cloud) -> None:
    with sender_to(cloud, **V2, who=cloud.reader) as sender:  # type: ignore[arg-type]
        assert sender.probe() is None
        reports = sent(sender, small_batch(3, first=300)).reports
    assert [str(report) for report in reports] == ["HttpAnswered(status=403, retry_after_s=None)"]


def test_a_wrong_secret_is_told_by_the_code_of_the_token_endpoint(cloud: Cloud) -> None:
    with sender_to(cloud, **V2, secret="not it") as sender:  # type: ignore[arg-type]
        assert sent(sender, small_batch(2, first=400)).reports == [TokenRefused("invalid_client")]
        assert sender.probe() == TokenRefused("invalid_client")


def test_a_certificate_that_is_not_trusted_is_told(cloud: Cloud) -> None:
    with sender_to(cloud, **V2, trusts=False) as sender:  # type: ignore[arg-type]
        assert sent(sender, small_batch(1, first=500)).reports == [TransportFailed(TransportFault.TLS_UNTRUSTED)]


def test_workers_share_a_token_and_a_secret_that_is_missing_is_told(cloud: Cloud) -> None:
    oauth = OAuthAuthentication(f"{cloud.node.base_url}/t/oauth2/token", "us", "cloud", scope="x")
    destination = Destination("cloud", WebTarget(f"{cloud.node.base_url}/v2", authentication=oauth))
    kept = {"cloud": "first"}

    def read_secret(name: str) -> str:
        if name not in kept:
            raise InvalidSetting(f"There is no secret {name}.")
        return kept[name]

    with memory_archive() as archive:
        senders = Senders(archive, OwnSide("ROUTER"), read_secret=read_secret)
        one, other = senders.open(destination), senders.open(destination)
        assert isinstance(one, WebSender)
        assert isinstance(other, WebSender)
        assert one._service.renew == other._service.renew
        kept["cloud"] = "second"
        third = senders.open(destination)
        assert isinstance(third, WebSender)
        assert third._service.renew != one._service.renew
        del kept["cloud"]
        with pytest.raises(InvalidSetting):
            senders.open(destination)
        for sender in (one, other, third):
            sender.close()
